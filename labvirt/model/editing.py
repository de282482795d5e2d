"""Editing: what can be changed of a domain or of one of its devices, as specs; pure.

A spec here has the facts of the XML table under their own names, each of them optional: None is
how a fact is that stands nowhere. `Domain.change` and `Domain.update` take the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Optional

from pydantic import Field, create_model

from labvirt.model.spec import Spec
from labvirt.model.units import Size
from labvirt.model.xml.domain import DEVICES, DomainXml
from labvirt.model.xml.table import Int, OnOff, Present, SizeFact, YesNo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.model.xml.devices import DeviceXml
    from labvirt.model.xml.view import Fact, View

__all__ = [
    "DEVICE_FACTS",
    "MACHINE_FACTS",
    "edit_specs",
    "edits",
    "facts_now",
    "kind_of",
    "spec_of",
]

#: The pages of a machine, and the facts of `DomainXml` that each asks for.
MACHINE_FACTS: Final[dict[str, tuple[str, ...]]] = {
    "processors": (
        *("current_vcpus", "vcpus", "cpu_mode", "cpu_model", "cpu_sockets", "cpu_cores"),
        *("cpu_threads", "vcpu_cpuset"),
    ),
    "memory": (
        *("current_memory", "memory", "hugepages", "memory_locked", "memory_source"),
        *("memory_access", "max_memory", "max_memory_slots"),
    ),
    "boot": ("boot_menu", "boot_menu_timeout_ms", "kernel", "initrd", "cmdline"),
    "clock": ("clock_offset", "clock_timezone", "clock_adjustment", "clock_basis"),
    "machine": (
        *("machine", "firmware", "loader", "loader_secure", "nvram", "acpi", "apic", "pae", "smm"),
        *("vmport", "pmu", "kvm_hidden", "genid"),
    ),
    "power": (
        *("on_poweroff", "on_reboot", "on_crash", "on_lockfailure", "suspend_to_mem"),
        "suspend_to_disk",
    ),
}

_CHAR: Final = (
    *("type", "source_path", "source_append", "source_mode", "source_host", "source_service"),
    *("protocol", "log_file", "log_append"),
)
_DRIVE: Final = ("source", "bus", "boot_order", "serial")

#: What each kind of device can be asked for, besides what names it.
DEVICE_FACTS: Final[dict[str, tuple[str, ...]]] = {
    "disk": (
        *("bus", "boot_order", "readonly", "shareable", "cache", "io", "discard"),
        *("detect_zeroes", "error_policy", "bytes_per_s", "iops", "serial", "wwn", "removable"),
    ),
    "cdrom": _DRIVE,
    "floppy": _DRIVE[:3],
    "interface": (
        *("kind", "source", "model", "mac", "link_up", "boot_order", "filter", "mtu", "inbound"),
        *("outbound", "queues", "source_mode", "source_portgroup"),
    ),
    "graphics": (
        *("type", "listen_type", "listen_address", "autoport", "port", "password", "keymap"),
    ),
    "video": ("model", "heads", "vram_kib", "primary", "accel3d"),
    "sound": ("model",),
    "input": ("type", "bus", "model"),
    "controller": ("model", "ports", "hotplug"),
    "hostdev": ("managed", "driver_name", "boot_order"),
    "filesystem": ("driver_type", "path", "tag", "access_mode", "readonly", "binary"),
    "serial": (*_CHAR, "target_type"),
    "parallel": _CHAR,
    "console": (*_CHAR, "target_type"),
    "channel": (*_CHAR, "target_name"),
    "watchdog": ("model", "action"),
    "rng": ("model", "path", "backend_model", "rate_bytes", "rate_period_ms"),
    "tpm": ("model", "backend_type", "backend_version", "backend_device"),
    "memballoon": ("model", "stats_period_s", "autodeflate", "free_page_reporting"),
    "panic": ("model",),
    "vsock": ("model", "cid_auto", "cid"),
    "shmem": ("size", "role", "model"),
    "iommu": ("model", "intremap", "caching_mode"),
    "memory": ("size", "node"),
    "redirdev": ("type", "boot_order"),
    "smartcard": ("mode", "type"),
}


@dataclass(frozen=True)
class _Own:
    """What is asked for under a name of its own, which no fact has."""

    note: Any
    about: str
    read: Callable[[Any], Any]


def _rate(name: str) -> Callable[[Any], Any]:
    def read(view: Any) -> Size | None:
        value = getattr(view, name)
        return None if value is None else Size(value * 1024)

    return read


_OWN: Final[Mapping[tuple[str, str], _Own]] = {
    ("disk", "source"): _Own(
        str, "image or device that is in the drive; empty: no medium", lambda v: v.source_path
    ),
    ("disk", "bytes_per_s"): _Own(
        Size,
        "limit of reading and writing in a second",
        lambda v: None if v.total_bytes_s is None else Size(v.total_bytes_s),
    ),
    ("disk", "iops"): _Own(
        int, "limit of reading and writing, operations a second", lambda v: v.total_iops
    ),
    ("interface", "kind"): _Own(
        Literal["network", "bridge", "direct", "user", "null"],
        "what it is connected to",
        lambda v: v.type,
    ),
    ("interface", "source"): _Own(
        str,
        "name of the network, bridge or device of the host",
        lambda v: v.source_network or v.source_bridge or v.source_dev,
    ),
    ("interface", "link_up"): _Own(
        bool, "the cable is plugged in", lambda v: v.link_state != "down"
    ),
    ("interface", "inbound"): _Own(
        Size, "usual rate to the guest, in a second", _rate("inbound_kib_s")
    ),
    ("interface", "outbound"): _Own(
        Size, "usual rate from the guest, in a second", _rate("outbound_kib_s")
    ),
    ("graphics", "password"): _Own(
        str, "a new password; left empty, it stays as it is", lambda _v: None
    ),
    ("rng", "path"): _Own(str, "where randomness comes from on the host", lambda v: v.backend),
    ("filesystem", "path"): _Own(str, "folder on the host", lambda v: v.source_dir),
    ("filesystem", "tag"): _Own(str, "name by which the guest mounts it", lambda v: v.target_dir),
}


def kind_of(device: DeviceXml) -> str:
    """Return the key of a device in `DEVICE_FACTS`: its element, or the kind of drive."""
    tag = str(device.element.tag)
    drive = getattr(device, "device", None) if tag == "disk" else None
    return drive if drive in {"cdrom", "floppy"} else tag


def spec_of(kind: str, view: View | None = None) -> type[Spec] | None:
    """Return the spec of a page of the machine, or of a kind of device; None: nothing to ask.

    Args:
        kind: key of `MACHINE_FACTS` or `DEVICE_FACTS`.
        view: the domain or device: words that it has and that nobody else may choose stay allowed.
    """
    device = kind in DEVICE_FACTS and (view is None or view.TAG != DomainXml.TAG)
    names = DEVICE_FACTS.get(kind) if device else MACHINE_FACTS.get(kind)
    if not names:
        return None
    owner = DEVICES[_tag(kind)] if device else DomainXml
    fields: dict[str, Any] = {}
    for name in names:
        note, about = _asked(_tag(kind), owner, name, view)
        fields[name] = (Optional[note], Field(None, description=about))  # noqa: UP045 - made here
    title = kind.capitalize() + ("Edit" if device else "Page")
    return create_model(title, __base__=Spec, **fields)


def facts_now(kind: str, view: View) -> dict[str, Any]:
    """Return what a domain or device is now, under the names of its spec."""
    device = view.TAG != DomainXml.TAG
    found: dict[str, Any] = {}
    for name in (DEVICE_FACTS if device else MACHINE_FACTS).get(kind, ()):
        own = _OWN.get((_tag(kind), name)) if device else None
        value = own.read(view) if own is not None else getattr(view, name)
        if value is None and own is None and isinstance(view.FACTS[name], Present):
            value = False
        found[name] = value
    return found


def edits(was: Spec, now: Spec) -> dict[str, Any]:
    """Return what is another value by now, in the words of `Domain.update` and `Domain.change`."""
    names = type(now).model_fields
    found = {name: getattr(now, name) for name in names if getattr(now, name) != getattr(was, name)}
    if "kind" in found and getattr(now, "source", None) and "source" not in found:
        # Another kind of link begins without a source; it is given anew.
        found = {"kind": found.pop("kind"), "source": now.source, **found}  # type: ignore[attr-defined]
    return found


def edit_specs() -> tuple[type[Spec], ...]:
    """Return every spec of this module, e.g. for a catalogue of their texts."""
    made = [spec_of(kind, DomainXml.new()) for kind in MACHINE_FACTS]
    made += [spec_of(kind) for kind in DEVICE_FACTS]
    return tuple(each for each in made if each is not None)


def _tag(kind: str) -> str:
    return "disk" if kind in {"cdrom", "floppy"} else kind


def _asked(tag: str, owner: type[View], name: str, view: View | None) -> tuple[Any, str]:
    """Return the type and the meaning of a fact."""
    own = _OWN.get((tag, name)) if owner is not DomainXml else None
    if own is not None:
        now = own.read(view) if view is not None else None
        known = getattr(own.note, "__args__", ())
        if known and now is not None and now not in known:
            return Literal[(*known, now)], own.about
        return own.note, own.about
    fact: Fact[Any] = owner.FACTS[name]
    return _note(fact, getattr(view, name) if view is not None else None), fact.about


def _note(fact: Fact[Any], now: Any) -> Any:
    if isinstance(fact, SizeFact):
        return Size
    if isinstance(fact, Int):
        return int
    if isinstance(fact, (YesNo, OnOff, Present)):
        return bool
    if fact.values:
        words = fact.values if now is None or now in fact.values else (*fact.values, now)
        return Literal[words]
    return str
