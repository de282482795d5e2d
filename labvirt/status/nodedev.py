"""What devices a host has at one moment: PCI, USB, network, disks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from labvirt.model.xml.nodedev import NodeDeviceXml

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["NodeDeviceRecord", "node_device_record"]


@dataclass(frozen=True, slots=True)
class NodeDeviceRecord:
    """One device of a host (``virsh nodedev-dumpxml``).

    Attributes:
        name: libvirt's name, unique on the host.
        type: ``pci``, ``usb_device``, ``net``, ``storage``, ``scsi_host``, ``mdev`` ...
        what: what it is, in one line.
        address: ``0000:00:02.0`` (PCI), ``1:3`` (USB bus and device), a MAC address; or empty.
        vendor_id: number of the vendor, ``0x1af4``; empty when it has none.
        product_id: number of the product.
        driver: the host's driver; empty when none.
        iommu_group: its IOMMU group; None when the host has no IOMMU, or does not use it.
        node: what the host calls it: ``eth0``, ``/dev/vda``; empty when nothing.
        parent: name of the device it sits on.
        uses: what the host does with it: ``eth0 carries the route``, ``/dev/vda is mounted``.
        used_by: names of the domains that have it.
        read_at: when it was read, aware, UTC.
    """

    kind: ClassVar[str] = "node device"

    name: str
    type: str
    what: str
    address: str
    vendor_id: str
    product_id: str
    driver: str
    iommu_group: int | None
    node: str
    parent: str
    uses: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    read_at: datetime | None = field(default=None, compare=False)

    @property
    def uuid(self) -> str:
        """What tells it from every other device of the host."""
        return self.name


def node_device_record(xml: str, read_at: datetime) -> NodeDeviceRecord:
    """Return the record of a device from libvirt's XML."""
    view = NodeDeviceXml.parse(xml)
    kind = view.type or ""
    words = [word for word in (view.vendor, view.product, view.model) if word]
    if kind == "net":
        words = [f"network interface {view.interface}", f"link {view.link_state or 'unknown'}"]
    if kind == "storage":
        words = [*words, f"{view.size}" if view.size else ""]
    if kind == "system":
        words = [view.product or "", "the machine itself"]
    return NodeDeviceRecord(
        name=view.name or "",
        type=kind,
        what=", ".join(word for word in words if word) or kind,
        address=_address(view),
        vendor_id=(view.vendor_id or "") if kind in {"pci", "usb_device"} else "",
        product_id=(view.product_id or "") if kind in {"pci", "usb_device"} else "",
        driver=view.driver or "",
        iommu_group=view.iommu_group,
        node=view.interface or view.block or view.devnode or "",
        parent=view.parent or "",
        read_at=read_at,
    )


def _address(view: NodeDeviceXml) -> str:
    if view.type == "pci":
        parts = (view.domain or 0, view.bus or 0, view.slot or 0, view.function or 0)
        return "{:04x}:{:02x}:{:02x}.{:x}".format(*parts)
    if view.type == "usb_device":
        return f"{view.bus}:{view.usb_device}"
    return (view.mac or "") if view.type == "net" else ""
