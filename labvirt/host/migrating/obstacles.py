"""Which storage two hosts share, and which disks are copied when they do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.host.files import files_of

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.model.migration import MigrationSpec
    from labvirt.model.xml.domain import DomainXml

__all__ = ["all_shared", "copied_disks", "is_shared"]


def copied_disks(
    document: DomainXml, source: Host, destination: Host, spec: MigrationSpec
) -> tuple[str, ...]:
    """Return the targets of the disks that are copied along: writable files that are not shared."""
    if not spec.copies_disks:
        return ()
    return tuple(
        disk.target
        for disk in document.disks
        if disk.target
        and disk.source_file
        and not disk.readonly
        and (disk.target in spec.disks if spec.disks is not None else True)
        and not is_shared(disk.source_file, source, destination)
    )


def is_shared(path: str, source: Host, destination: Host) -> bool:
    """Return True when both hosts are known to see the same file at this path."""
    both = set(source.facts.shared_folders) & set(destination.facts.shared_folders)
    return any(Path(path).is_relative_to(folder) for folder in both)


def all_shared(document: DomainXml, source: Host, destination: Host) -> bool:
    """Return True when libvirt's own check, which knows only network file systems, may be off."""
    return all(is_shared(path, source, destination) for path in files_of(document))
