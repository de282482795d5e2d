"""What devices a domain has at one moment: one record each, of the running and the stored domain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final

from labvirt.model.xml.view import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from labvirt.model.xml.devices import DeviceXml
    from labvirt.model.xml.domain import DomainXml

__all__ = ["DeviceRecord", "address_of", "device_records", "own_name", "records_of"]


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """One device of a domain.

    Attributes:
        type: its element: ``disk``, ``interface``, ``rng`` ...
        name: what it is known by: target (``vda``), MAC address, mount tag, ``scsi0``, ``rng0`` ...
        what: what it is, in one line.
        bus: the bus that the guest sees it on: ``virtio``, ``scsi``, ``pci``, ``usb`` ...
        model: model or driver; empty when it has none.
        source: what stands behind it on the host: path, network, bridge ...; empty when nothing.
        address: its place: ``pci 0000:00:04.0``, ``drive 0:0:0:1``, ``usb 0:1``; empty when none.
        alias: the name QEMU knows the running device by; empty when it is not plugged in.
        live: the running domain has it.
        stored: the stored definition has it.
        read_at: when it was read, aware, UTC.
    """

    kind: ClassVar[str] = "device"

    type: str
    name: str
    what: str
    bus: str
    model: str
    source: str
    address: str
    alias: str
    live: bool
    stored: bool
    read_at: datetime = field(compare=False)

    @property
    def uuid(self) -> str:
        """What tells it from every other device of the domain."""
        return f"{self.type}/{self.name}"


def device_records(
    live: DomainXml | None, stored: DomainXml | None, read_at: datetime
) -> tuple[DeviceRecord, ...]:
    """Return the devices of a domain, those of the running one first.

    Args:
        live: the running domain; None when it is off.
        stored: its stored definition; None when it is transient.
        read_at: when they were read.
    """
    found: dict[str, DeviceRecord] = {}
    for record in records_of(live, read_at, live=True):
        found[record.uuid] = record
    for record in records_of(stored, read_at, live=False, known=tuple(found.values())):
        same = found.get(record.uuid)
        found[record.uuid] = record if same is None else replace(same, stored=True)
    return tuple(found.values())


def records_of(
    document: DomainXml | None,
    read_at: datetime,
    *,
    live: bool,
    known: tuple[DeviceRecord, ...] = (),
) -> list[DeviceRecord]:
    """Return one record for each device of a document, in its order.

    Args:
        document: the domain; None has no devices.
        read_at: when it was read.
        live: it is a running domain's.
        known: devices named before; one without a name of its own is the same at the same place.
    """
    if document is None:
        return []
    placed = {(one.type, one.address): one.name for one in known if one.address}
    used = {one.uuid for one in known}
    records = []
    for view in document.devices:
        tag, address = str(view.element.tag), address_of(view)
        alias = (getattr(view, "alias", None) or "") if live else ""
        name = own_name(view) or placed.get((tag, address), "") or alias
        if not name:
            alike = [one.uuid for one in known if one.type == tag and not (one.address and address)]
            fresh = (f"{tag}{number}" for number in count())
            name = next(one for one in fresh if f"{tag}/{one}" not in used - set(alike))
            used -= {f"{tag}/{name}"} & set(alike)
        used.add(f"{tag}/{name}")
        known = tuple(one for one in known if one.uuid != f"{tag}/{name}")
        records.append(
            DeviceRecord(
                type=tag,
                name=name,
                what=_told(_WHATS, view) or f"{getattr(view, 'model', None) or ''} {tag}".strip(),
                bus=_bus(view, tag),
                model=_told(_MODELS, view) or getattr(view, "model", None) or "",
                source=_told(_SOURCES, view),
                address=address,
                alias=alias,
                live=live,
                stored=not live,
                read_at=read_at,
            )
        )
    return records


def address_of(view: DeviceXml) -> str:
    """Return the place of a device in words; empty when it has none."""
    element = view.element.find("address")
    if element is None:
        return ""
    facts = {str(key): plain(value) or "" for key, value in element.attrib.items()}
    kind = facts.get("type", "")
    if kind == "pci":
        numbers = [int(facts.get(key, "0"), 0) for key in ("domain", "bus", "slot", "function")]
        return "pci {:04x}:{:02x}:{:02x}.{:x}".format(*numbers)
    order = {
        "drive": ("controller", "bus", "target", "unit"),
        "usb": ("bus", "port"),
        "virtio-serial": ("controller", "bus", "port"),
        "isa": ("iobase",),
        "dimm": ("slot",),
        "ccw": ("cssid", "ssid", "devno"),
    }.get(kind, ())
    return f"{kind} {':'.join(facts.get(key, '') for key in order)}".strip()


def own_name(view: DeviceXml) -> str:
    """Return the name by which a device is told from others of its kind; empty when it has none."""
    return _told(_NAMES, view)


def _told(table: Mapping[str, Callable[[Any], str | None]], view: DeviceXml) -> str:
    """Return what a table says of a device; empty when it says nothing."""
    read = table.get(str(view.element.tag))
    return (read(view) if read is not None else None) or ""


def _bus(view: DeviceXml, tag: str) -> str:
    if tag in {"disk", "input"}:
        return getattr(view, "bus", None) or ""
    if tag == "controller":
        return getattr(view, "type", None) or ""
    element = view.element.find("address")
    return "" if element is None else plain(element.get("type")) or ""


def _hostdev(view: Any) -> str:
    if view.type == "pci":
        parts = (view.pci_domain, view.pci_bus, view.pci_slot, view.pci_function)
        return "{:04x}:{:02x}:{:02x}.{:x}".format(*(int(part or "0", 0) for part in parts))
    if view.usb_vendor:
        return f"{view.usb_vendor[2:]}:{(view.usb_product or '0x')[2:]}"
    return f"usb {view.pci_bus}:{view.usb_device}" if view.type == "usb" else ""


def _disk_source(view: Any) -> str:
    if view.source_volume:
        return f"{view.source_pool}/{view.source_volume}"
    return view.source_path or view.source_name or ""


def _graphics_source(view: Any) -> str:
    if view.listen_socket or view.socket:
        return view.listen_socket or view.socket or ""
    listen = view.listen_address or view.listen or ""
    return f"{listen}:{view.port}" if view.port and view.port > 0 else listen


def _disk(view: Any) -> str:
    drives = {"cdrom": "CD drive", "floppy": "floppy drive", "lun": "SCSI LUN"}
    noun = drives.get(view.device or "disk", "disk")
    empty = ", empty" if noun.endswith("drive") and not _disk_source(view) else ""
    return f"{view.bus} {noun}{empty}" + (", tray open" if view.tray == "open" else "")


def _interface(view: Any) -> str:
    down = ", cable out" if view.link_state == "down" else ""
    return f"{view.model or ''} interface of {view.type} {view.source or ''}".strip() + down


#: The name of its own that a device has; the others are only counted.
_NAMES: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "disk": lambda view: view.target,
    "interface": lambda view: view.mac,
    "controller": lambda view: None if view.index is None else f"{view.type}{view.index}",
    "filesystem": lambda view: view.target_dir,
    "channel": lambda view: view.target_name,
    "serial": lambda view: None if view.target_port is None else f"serial{view.target_port}",
    "parallel": lambda view: None if view.target_port is None else f"parallel{view.target_port}",
    "console": lambda view: None if view.target_port is None else f"console{view.target_port}",
    "hostdev": _hostdev,
    "shmem": lambda view: view.name,
}
_MODELS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "disk": lambda view: view.driver_type,
    "filesystem": lambda view: view.driver_type or "9p",
    "serial": lambda view: view.target_type,
    "console": lambda view: view.target_type,
    "channel": lambda view: view.target_type,
    "hostdev": lambda view: view.type,
}
_SOURCES: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "disk": _disk_source,
    "interface": lambda view: view.source,
    "filesystem": lambda view: view.source_dir,
    "rng": lambda view: view.backend,
    "serial": lambda view: view.source_path,
    "parallel": lambda view: view.source_path,
    "console": lambda view: view.source_path,
    "channel": lambda view: view.source_path,
    "graphics": _graphics_source,
    "hostdev": _hostdev,
    "tpm": lambda view: view.backend_device or view.backend_type,
}
_WHATS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "disk": _disk,
    "interface": _interface,
    "controller": lambda view: f"{view.type} controller {view.model or ''}".strip(),
    "input": lambda view: f"{view.bus} {view.type}",
    "watchdog": lambda view: f"watchdog {view.model}, {view.action or 'reset'}",
    "graphics": lambda view: f"{view.type} console",
    "video": lambda view: f"graphics card {view.model or ''}",
    "hostdev": lambda view: f"{view.type} device of the host",
    "filesystem": lambda view: f"folder of the host as {view.target_dir}",
    "channel": lambda view: f"channel {view.target_name or view.type}",
    "memballoon": lambda view: "no balloon" if view.model == "none" else f"{view.model} balloon",
}
