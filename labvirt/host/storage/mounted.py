"""Which file systems a running guest has on a disk, as its agent tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError
from labvirt.status import DomainState
from labvirt.status.device import address_of

if TYPE_CHECKING:
    from labvirt.host.clones.inside import InsideVerbs
    from labvirt.model.xml.domain import DomainXml
    from labvirt.status import DeviceRecord

__all__ = ["mounted_from"]

_AGENT = "org.qemu.guest_agent.0"


def mounted_from(domain: InsideVerbs, document: DomainXml, record: DeviceRecord) -> tuple[str, ...]:
    """Return where a guest has mounted file systems of a disk; nothing when nobody can tell.

    Args:
        domain: the running domain.
        document: its XML.
        record: the disk.
    """
    place = _place(document, record)
    talks = any(
        one.target_name == _AGENT and one.target_state == "connected" for one in document.channels
    )
    if not place or not talks or domain.state is not DomainState.RUNNING:
        return ()
    try:
        systems = domain.agent("guest-get-fsinfo", 3.0)
    except LabvirtError:
        return ()
    return tuple(
        str(system["mountpoint"])
        for system in systems
        if any(_matches(disk, place, record) for disk in system.get("disk", ()))
    )


def _place(document: DomainXml, record: DeviceRecord) -> str:
    """Return the PCI address of the disk, or of the controller that it sits on."""
    if record.type != "disk":
        return ""
    if record.bus == "scsi" and record.address.startswith("drive "):
        index = int(record.address.removeprefix("drive ").split(":")[0])
        found = [one for one in document.controllers if (one.type, one.index) == ("scsi", index)]
        return address_of(found[0]) if found else ""
    return record.address if record.bus == "virtio" else ""


def _matches(disk: dict[str, Any], place: str, record: DeviceRecord) -> bool:
    pci = disk.get("pci-controller", {})
    numbers = [int(pci.get(key, -1)) for key in ("domain", "bus", "slot", "function")]
    if min(numbers) < 0 or "pci {:04x}:{:02x}:{:02x}.{:x}".format(*numbers) != place:
        return False
    if record.bus != "scsi":
        return True
    own = record.address.removeprefix("drive ").split(":")[2:]
    return own == [str(disk.get("target")), str(disk.get("unit"))]
