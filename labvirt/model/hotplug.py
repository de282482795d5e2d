"""What can be plugged into a running domain: by kind, bus and machine, and how much room there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labvirt.model.xml.view import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.model.xml.devices import ControllerXml, DeviceXml
    from labvirt.model.xml.domain import DomainXml

__all__ = ["Room", "Verdict", "kinds", "room_of", "verdict_of"]

#: What a device needs a place on; ``no`` cannot be plugged at all.
_PCIE, _PCI, _USB, _SCSI, _SERIAL, _FREE, _NO = "pcie", "pci", "usb", "scsi", "serial", "free", "no"

_RULES: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("disk", "virtio"): (_PCIE, ""),
    ("disk", "scsi"): (_SCSI, ""),
    ("disk", "usb"): (_USB, ""),
    ("disk", "sata"): (_NO, "QEMU's SATA controller takes no disks while it runs"),
    ("disk", "ide"): (_NO, "an IDE bus takes no disks while it runs"),
    ("disk", "fdc"): (_NO, "a floppy controller takes no drives while it runs"),
    ("interface", "virtio"): (_PCIE, ""),
    ("interface", "e1000e"): (_PCIE, ""),
    ("interface", "e1000"): (_PCI, ""),
    ("interface", "rtl8139"): (_PCI, ""),
    ("interface", "usb-net"): (_NO, "libvirt plugs no network cards of USB"),
    ("controller", "scsi"): (_PCIE, ""),
    ("controller", "other"): (_NO, "libvirt plugs SCSI controllers only"),
    ("input", "usb"): (_USB, ""),
    ("input", "virtio"): (_PCIE, ""),
    ("input", "ps2"): (_NO, "a PS/2 port is soldered to its keyboard or mouse"),
    ("rng", "virtio"): (_PCIE, ""),
    ("watchdog", "i6300esb"): (_PCI, ""),
    ("watchdog", "other"): (_NO, "this watchdog is a part of the machine"),
    ("channel", "virtio"): (_SERIAL, ""),
    ("console", "virtio"): (_SERIAL, ""),
    ("console", "serial"): (_NO, "it is another name of the serial port"),
    ("serial", "isa"): (_NO, "an ISA serial port is a part of the machine"),
    ("serial", "pci"): (_PCI, ""),
    ("serial", "usb"): (_USB, ""),
    ("filesystem", "virtiofs"): (_PCIE, ""),
    ("filesystem", "9p"): (_NO, "QEMU plugs no 9p folders; virtiofs can be plugged"),
    ("hostdev", "pci"): (_PCIE, ""),
    ("hostdev", "usb"): (_USB, ""),
    ("vsock", "virtio"): (_PCIE, ""),
    ("shmem", "ivshmem"): (_PCIE, ""),
    ("memory", "dimm"): (_FREE, ""),
    ("memballoon", "virtio"): (_NO, "a running domain keeps the balloon it began with"),
    ("sound", "any"): (_NO, "libvirt plugs no sound cards"),
    ("video", "any"): (_NO, "libvirt plugs no graphics cards"),
    ("graphics", "any"): (_NO, "graphics are made when QEMU starts; a password can be changed"),
    ("tpm", "any"): (_NO, "libvirt plugs no TPM"),
    ("panic", "any"): (_NO, "the panic device is a part of the machine"),
    ("iommu", "any"): (_NO, "the IOMMU is a part of the machine"),
    ("parallel", "any"): (_NO, "the parallel port is a part of the machine"),
    ("redirdev", "any"): (_USB, ""),
    ("smartcard", "any"): (_NO, "libvirt plugs no smart card readers"),
}
_UNKNOWN: Final = (_FREE, "labvirt does not know this kind: libvirt decides")


@dataclass(frozen=True)
class Room:
    """How much room a domain has for further devices.

    Attributes:
        machine: its machine type.
        has_ports: PCI Express, each device in a port of its own (q35); else slots of a PCI bus.
        total: ports or slots that devices can be plugged into.
        free: how many of them are free.
        legacy_free: free slots for PCI devices that are not Express (e1000, rtl8139, i6300esb).
    """

    machine: str
    has_ports: bool
    total: int
    free: int
    legacy_free: int

    def __str__(self) -> str:
        """Return the numbers in words."""
        what = "PCI Express ports" if self.has_ports else "PCI slots"
        return f"{self.free} of {self.total} {what} free"


@dataclass(frozen=True)
class Verdict:
    """Whether devices of one kind can be plugged into a running domain now.

    Attributes:
        type: the element: ``disk``, ``interface`` ...
        bus: bus or model.
        can: they can.
        why: why not, and what helps; empty when they can.
    """

    type: str
    bus: str
    can: bool
    why: str = ""


def room_of(domain: DomainXml) -> Room:
    """Count the PCI slots or ports of a domain whose addresses are settled."""
    used: dict[int, set[int]] = {}
    for view in domain.devices:
        address = view.element.find("address")
        if address is not None and address.get("type") == "pci":
            place = {key: int(plain(address.get(key)) or "0", 0) for key in ("bus", "slot")}
            used.setdefault(place["bus"], set()).add(place["slot"])
    buses = [one for one in domain.controllers if one.type == "pci"]
    has_ports = any((one.model or "") == "pcie-root" for one in buses)
    bridges = [one.index or 0 for one in buses if (one.model or "").endswith("pci-bridge")]
    in_bridges = sum(31 - len(used.get(index, set()) - {0}) for index in bridges)
    machine = domain.machine or ""
    if has_ports:
        ports = [one.index or 0 for one in buses if _is_port(one)]
        free = sum(1 for index in ports if not used.get(index))
        return Room(machine, has_ports, len(ports), free, in_bridges)
    # Slot 0 is the host bridge, slot 1 the south bridge with IDE and USB.
    free = 30 - len(used.get(0, set()) - {0, 1}) + in_bridges
    return Room(machine, has_ports, 30 + 31 * len(bridges), free, free)


def _is_port(controller: ControllerXml) -> bool:
    is_port = controller.model in {"pcie-root-port", "pcie-switch-downstream-port"}
    return is_port and controller.hotplug is not False


def verdict_of(domain: DomainXml, device: DeviceXml) -> Verdict:
    """Tell whether a device can be plugged into a running domain now."""
    tag, bus = _key(device)
    return _judge(domain, room_of(domain), tag, bus)


def kinds(domain: DomainXml) -> Iterator[Verdict]:
    """Tell of each kind and bus whether it can be plugged into a running domain now."""
    room = room_of(domain)
    for tag, bus in _RULES:
        yield _judge(domain, room, tag, bus)


def _key(device: DeviceXml) -> tuple[str, str]:
    """Return the row of the table that a device belongs to."""
    tag = str(device.element.tag)
    model = (getattr(device, "model", None) or "").removesuffix("-transitional")
    words = {
        "disk": getattr(device, "bus", None) or "",
        "input": getattr(device, "bus", None) or "usb",
        "interface": model.removesuffix("-non") or "rtl8139",
        "controller": "scsi" if getattr(device, "type", "") == "scsi" else "other",
        "watchdog": "i6300esb" if model == "i6300esb" else "other",
        "serial": (getattr(device, "target_type", None) or "isa-serial").split("-")[0],
        "console": getattr(device, "target_type", None) or "serial",
        "channel": "virtio",
        "filesystem": "virtiofs" if "virtiofs" in _driver(device) else "9p",
        "hostdev": getattr(device, "type", None) or "",
        "rng": "virtio",
        "vsock": "virtio",
        "memballoon": "virtio",
        "shmem": "ivshmem",
        "memory": "dimm",
    }
    return tag, words.get(tag, "any")


def _driver(device: DeviceXml) -> str:
    return getattr(device, "driver_type", None) or ""


def _judge(domain: DomainXml, room: Room, tag: str, bus: str) -> Verdict:
    need, why = _RULES.get((tag, bus), _UNKNOWN)
    if need == _NO:
        return Verdict(tag, bus, can=False, why=why)
    look = _LACKS.get(need)
    lack = "" if look is None else look(domain, room)
    return Verdict(tag, bus, can=not lack, why=lack)


def _lacks_pcie(_domain: DomainXml, room: Room) -> str:
    if room.free:
        return ""
    if room.has_ports:
        return f"{room}: add_pci_ports() gives it more from its next start on"
    return f"{room}: remove a device, or use a SCSI disk, which needs none"


def _lacks_pci(_domain: DomainXml, room: Room) -> str:
    if room.legacy_free:
        return ""
    if room.has_ports:
        return "machine q35 has no free slot for a device that is not PCI Express"
    return f"{room}: remove a device"


def _lacks_usb(domain: DomainXml, _room: Room) -> str:
    has = any(one.type == "usb" and one.model != "none" for one in domain.controllers)
    return "" if has else "the domain has no USB controller"


def _lacks_scsi(domain: DomainXml, room: Room) -> str:
    has = any(one.type == "scsi" for one in domain.controllers)
    return "" if has else _lacks_pcie(domain, room)


def _lacks_serial(domain: DomainXml, _room: Room) -> str:
    has = any(one.type == "virtio-serial" for one in domain.controllers)
    return "" if has else "the domain has no virtio-serial controller"


_LACKS: Final = {
    _PCIE: _lacks_pcie,
    _PCI: _lacks_pci,
    _USB: _lacks_usb,
    _SCSI: _lacks_scsi,
    _SERIAL: _lacks_serial,
}
