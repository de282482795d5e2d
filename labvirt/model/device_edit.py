"""Changes of one device in place: by names that people use, or by any fact of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import SecretStr

from labvirt.errors import Problem, SpecError
from labvirt.model.disk import BlockSource, DiskSpec, FileSource, NewVolume, VolumeSource
from labvirt.model.graphics import GraphicsSpec
from labvirt.model.spec import did_you_mean
from labvirt.model.units import Size
from labvirt.model.xml.devices import DiskXml, InterfaceXml, RngXml
from labvirt.model.xml.source import is_element

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lxml.etree import _Element as Element

    from labvirt.model.xml.devices import DeviceXml
    from labvirt.model.xml.display import GraphicsXml

__all__ = ["edit_device", "is_as_described", "live_changes", "medium_of"]

#: Facts that name the device itself: changing them makes another device of it.
_FIXED: Final = frozenset({"alias", "address_type", "index"})
#: What libvirt adds to a device by itself, so that a description need not have it.
_ADDED: Final = frozenset({"alias", "address", "backingStore", "privateData"})
_LIMITS: Final = frozenset(
    {
        "bytes_per_s",
        "iops",
        "total_bytes_s",
        "read_bytes_s",
        "write_bytes_s",
        "total_iops",
        "read_iops",
        "write_iops",
    }
)
_LIVE: Final[Mapping[str, frozenset[str]]] = {
    "disk": _LIMITS,
    "interface": frozenset(
        {
            "link_up",
            "link_state",
            "filter",
            "source",
            "kind",
            "inbound",
            "outbound",
            "inbound_kib_s",
            "outbound_kib_s",
        }
    ),
    "graphics": frozenset({"password", "password_until", "connected"}),
    "memballoon": frozenset({"stats_period_s"}),
}


def live_changes(device: DeviceXml) -> frozenset[str]:
    """Return what of a device can be changed while its domain runs."""
    found = _LIVE.get(str(device.element.tag), frozenset())
    if isinstance(device, DiskXml) and device.device in {"cdrom", "floppy"}:
        return found | {"source"}
    return found


def edit_device(device: DeviceXml, changes: Mapping[str, Any]) -> None:
    """Change a device in its document; None removes a fact, what is not named stays.

    Args:
        device: the element.
        changes: names of facts, or ``source``, ``link_up``, ``inbound``, ``outbound``,
            ``bytes_per_s``, ``iops``, ``kind``, ``path``, ``rate``.

    Raises:
        SpecError: no such fact, or a value that it does not take.
    """
    own = _SPECIAL.get(str(device.element.tag), {})
    facts = [name for name in type(device).FACTS if name not in _FIXED]
    for name, value in changes.items():
        if name in own:
            own[name](cast("Any", device), value)
        elif name in facts:
            setattr(device, name, value)
        else:
            tag = str(device.element.tag)
            hint = did_you_mean(name, (*own, *facts), limit=40)
            problem = Problem(name, "", f"a {tag} has nothing of this name to change", hint)
            raise SpecError(f"cannot change the {tag}:", (problem,))


def medium_of(value: Any, device: str) -> Any:
    """Return what is put into a drive or disk as a source: a path is a file; None stays None.

    Raises:
        SpecError: no path and no source.
    """
    if value is None or isinstance(value, FileSource | VolumeSource | BlockSource):
        return value
    if isinstance(value, NewVolume) or not (isinstance(value, str) or hasattr(value, "__fspath__")):
        why = f"is no medium for a {device}"
        problem = Problem("source", str(value), why, "a path, FileSource, VolumeSource or None")
        raise SpecError("cannot change the disk:", (problem,))
    text = str(value)
    if text.startswith("/dev/"):
        return BlockSource(path=text)
    suffix = "qcow2" if device == "disk" and text.endswith(".qcow2") else "raw"
    return FileSource(path=text, format=suffix)


def _put_source(disk: DiskXml, value: Any) -> None:
    """Put another image into a disk or drive; None leaves it empty."""
    device = disk.device or "disk"
    source = medium_of(value, device)
    if source is None and device == "disk":
        why = "a disk is never empty: detach it"
        raise SpecError("cannot change the disk:", (Problem("source", "", why),))
    for tag in ("source", "backingStore", "mirror"):
        old = disk.element.find(tag)
        if old is not None:
            disk.doc.remove(old)
    if source is None:
        disk.type = "file"
        return
    spec = DiskSpec(device=device, source=source, bus=disk.bus, target=disk.target)
    made = spec.device_xml()
    disk.type = made.type
    for fact in ("source_file", "source_dev", "source_pool", "source_volume", "driver_type"):
        if getattr(made, fact) is not None:
            setattr(disk, fact, getattr(made, fact))


def _put_size(fact: str, unit: int) -> Callable[[Any, Any], None]:
    def put(device: Any, value: Any) -> None:
        setattr(device, fact, None if value is None else max(1, int(Size.of(value)) // unit))

    return put


def _put_link(nic: InterfaceXml, value: Any) -> None:
    if not isinstance(value, bool):
        raise SpecError(
            "cannot change the interface:", (Problem("link_up", str(value), "is no bool"),)
        )
    nic.link_state = "up" if value else "down"


_SOURCE_FACT: Final = {
    "network": "source_network",
    "bridge": "source_bridge",
    "direct": "source_dev",
}


def _put_kind(nic: InterfaceXml, value: Any) -> None:
    nic.type = value
    old = nic.element.find("source")
    if old is not None:
        nic.doc.remove(old)


def _put_network(nic: InterfaceXml, value: Any) -> None:
    fact = _SOURCE_FACT.get(nic.type or "")
    if fact is None:
        why = f"an interface of type {nic.type} has none"
        raise SpecError("cannot change the interface:", (Problem("source", str(value), why),))
    old = nic.element.find("source")
    for key in ("portid", "bridge") if nic.type == "network" and old is not None else ():
        # Of the network it was plugged into; libvirt gives new ones.
        if old is not None and key in old.attrib:
            del old.attrib[key]
    setattr(nic, fact, value)


def _put_password(view: GraphicsXml, value: Any) -> None:
    if value is None:
        view.password = None
        return
    secret = value if isinstance(value, SecretStr) else SecretStr(str(value))
    kind: Any = view.type if view.type in {"vnc", "spice"} else "vnc"
    # The spec knows how long a password may be, and never shows it.
    spec = GraphicsSpec(kind=kind, password=secret)
    view.password = spec.password.get_secret_value() if spec.password else None


def _put_listen(view: GraphicsXml, value: Any) -> None:
    """Both places must say the same, else libvirt refuses the whole definition."""
    view.listen_address = value
    if view.listen is not None or value is None:
        view.listen = value


def _put_until(view: GraphicsXml, value: Any) -> None:
    # A moment, or libvirt's own text of one: 2027-01-31T18:00:00.
    utc = getattr(value, "astimezone", None)
    if utc is not None:
        offset = value.utcoffset()
        if offset is None:
            why = "does not say its time zone"
            raise SpecError("graphics:", (Problem("password_until", str(value), why, "use UTC"),))
        value = (value - offset).replace(tzinfo=None).isoformat(timespec="seconds")
    view.password_until = value


def _put_rng_path(rng: RngXml, value: Any) -> None:
    rng.backend = value


_SPECIAL: Final[Mapping[str, Mapping[str, Callable[[Any, Any], None]]]] = {
    "disk": {
        "source": _put_source,
        "bytes_per_s": _put_size("total_bytes_s", 1),
        "iops": lambda disk, value: setattr(disk, "total_iops", value),
    },
    "interface": {
        "kind": _put_kind,
        "source": _put_network,
        "link_up": _put_link,
        "inbound": _put_size("inbound_kib_s", 1024),
        "outbound": _put_size("outbound_kib_s", 1024),
    },
    "graphics": {
        "password": _put_password,
        "password_until": _put_until,
        "listen_address": _put_listen,
    },
    "rng": {"path": _put_rng_path},
    "filesystem": {
        "path": lambda view, value: setattr(view, "source_dir", value),
        "tag": lambda view, value: setattr(view, "target_dir", value),
    },
}


def is_as_described(device: DeviceXml, wanted: DeviceXml) -> bool:
    """Tell whether a device has everything that a description of one says."""
    return _covers(device.element, wanted.element)


def _covers(has: Element, wanted: Element) -> bool:
    if has.tag != wanted.tag or any(has.get(key) != value for key, value in wanted.items()):
        return False
    if (wanted.text or "").strip() and (has.text or "").strip() != (wanted.text or "").strip():
        return False
    children = [one for one in wanted if is_element(one) and one.tag not in _ADDED]
    return all(any(_covers(mine, child) for mine in has) for child in children)
