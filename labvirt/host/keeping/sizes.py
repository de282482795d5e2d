"""How much the snapshots of a domain take, as far as this machine can see it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import LabvirtError
from labvirt.images.image import Image
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.handle import DomainHandle
    from labvirt.status import SnapshotRecord

__all__ = ["snapshot_sizes"]


def snapshot_sizes(
    domain: DomainHandle, records: Sequence[SnapshotRecord]
) -> dict[str, Size | None]:
    """Return the bytes that each snapshot takes by its name; None where nobody tells.

    Of an external one: its overlays and its memory, on the disk. Of an internal one: the memory
    inside the image; how many clusters of the disks only it needs no image tells.

    Args:
        domain: whose.
        records: its snapshots.
    """
    if not domain.host.is_local or not records:
        return {record.name: None for record in records}
    inside = _inside(domain) if any(not each.is_external for each in records) else {}
    return {
        record.name: _files(record) if record.is_external else inside.get(record.name)
        for record in records
    }


def _files(record: SnapshotRecord) -> Size | None:
    files = [*record.overlays.values(), *((record.memory_file,) if record.memory_file else ())]
    try:
        return Size(sum(Path(file).stat().st_blocks * 512 for file in files))
    except OSError:
        return None


def _inside(domain: DomainHandle) -> dict[str, Size]:
    """Return the memory in internal snapshots, by name; empty where an image cannot be read."""
    found: dict[str, Size] = {}
    document = DomainXml.parse(domain.xml(inactive=domain.info().persistent))
    for disk in document.disks:
        if disk.driver_type != "qcow2" or not disk.source_file:
            continue
        try:
            image = Image(disk.source_file, format="qcow2").info()
        except LabvirtError:
            continue
        for one in image.snapshots:
            found[one.name] = Size(found.get(one.name, 0) + one.vm_state_size)
    return found
