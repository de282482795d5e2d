"""A domain's XML as the data of a `DomainSpec`, as far as a spec can say it (guide G15-09)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from labvirt.model.interface import Kind as LinkKind
from labvirt.model.source import DISK_FORMATS
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from labvirt.model.xml.devices import DiskXml, InterfaceXml

__all__ = ["read_domain"]

_DEVICES: Final = frozenset(
    {
        *("disk", "interface", "serial", "console", "graphics", "video", "watchdog", "memballoon"),
        *("rng", "emulator", "controller", "input", "channel", "audio"),
    }
)
_PARTS: Final = frozenset(
    {
        *("name", "uuid", "title", "description", "metadata", "memory", "currentMemory", "vcpu"),
        *("os", "features", "cpu", "clock", "on_poweroff", "on_reboot", "on_crash", "devices"),
        *("pm", "resource", "seclabel"),
    }
)


def read_domain(xml: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the fields of a `DomainSpec`, and what stands in the XML that they cannot say.

    UUID and MAC addresses are read too; leave them out to make another domain.

    Raises:
        SpecError: it is not the XML of a domain.
    """
    domain = DomainXml.parse(xml)
    left = [f"<{one.tag}>" for one in domain.element if _tag(one) not in _PARTS]
    data: dict[str, Any] = {
        "name": domain.name,
        "uuid": domain.uuid,
        "title": domain.title,
        "description": domain.description,
        "tags": list(domain.tags or ()),
        "memory": _size(domain.memory),
        "vcpus": domain.current_vcpus or domain.vcpus,
        "virt": domain.type if domain.type in {"kvm", "qemu"} else None,
        "arch": domain.arch,
        "machine": domain.machine,
        "firmware": "efi" if domain.firmware == "efi" else None,
        "boot": list(domain.boot_order or ()),
        "on_poweroff": domain.on_poweroff,
        "on_reboot": domain.on_reboot,
        "on_crash": domain.on_crash,
    }
    if domain.current_memory is not None and domain.current_memory != domain.memory:
        data["current_memory"] = _size(domain.current_memory)
    if domain.current_vcpus and domain.current_vcpus != domain.vcpus:
        data["max_vcpus"] = domain.vcpus
    if domain.cpu_mode:
        data["cpu"] = _given(mode=domain.cpu_mode, model=domain.cpu_model)
    if domain.kernel:
        data["source"] = _given(
            kind="kernel-boot",
            kernel=domain.kernel,
            initrd=domain.initrd,
            cmdline=domain.cmdline or None,
        )
    data |= _devices(domain, left)
    if not data["disks"]:
        # Without disks hd means nothing; a spec refuses it.
        data["boot"] = [word for word in data["boot"] if word != "hd"]
    plain = {name: value for name, value in data.items() if value not in (None, [])}
    plain["interfaces"] = data["interfaces"]
    if "serial" in data:
        plain["serial"] = data["serial"]
    return plain, tuple(dict.fromkeys(left))


def _devices(domain: DomainXml, left: list[str]) -> dict[str, Any]:
    disks = []
    for disk in domain.disks:
        found = _disk(disk)
        if found is None:
            left.append(f"disk {disk.target} of type {disk.type}")
        else:
            disks.append(found)
    interfaces = []
    for nic in domain.interfaces:
        link = _interface(nic)
        if link is None:
            left.append(f"interface of type {nic.type}")
        else:
            interfaces.append(link)
    left += [f"<{one.element.tag}>" for one in domain.devices if _tag(one.element) not in _DEVICES]
    data: dict[str, Any] = {"disks": disks, "interfaces": interfaces}
    first = next(iter(domain.graphics), None)
    if first is not None and first.type in {"vnc", "spice"}:
        listen = first.listen_socket or first.listen_address or first.listen
        listen = "none" if first.listen_type == "none" else listen
        port = first.port if first.port and first.port > 0 and not first.autoport else None
        data["graphics"] = _given(kind=first.type, listen=listen, port=port, keymap=first.keymap)
        if first.password:
            left.append("graphics password")
    elif first is not None:
        left.append(f"graphics of type {first.type}")
    if not list(domain.serials) and not list(domain.consoles):
        data["serial"] = None
    return data


def _disk(disk: DiskXml) -> dict[str, Any] | None:
    image = disk.driver_type if disk.driver_type in DISK_FORMATS else "raw"
    if disk.source_file:
        source: dict[str, Any] | None = {"kind": "file", "path": disk.source_file, "format": image}
    elif disk.source_dev:
        source = {"kind": "block", "path": disk.source_dev}
    elif disk.source_pool and disk.source_volume:
        source = {
            "kind": "volume",
            "pool": disk.source_pool,
            "name": disk.source_volume,
            "format": image,
        }
    elif disk.device in {"cdrom", "floppy"} and disk.type in {"file", "block", None}:
        source = None
    else:
        return None
    is_known = disk.device in {"disk", "cdrom", "floppy", None}
    return (
        _given(
            source=source,
            device=disk.device,
            bus=disk.bus,
            target=disk.target,
            readonly=True if disk.readonly and disk.device != "cdrom" else None,
            shareable=disk.shareable or None,
            cache=disk.cache,
            io=disk.io,
            discard=disk.discard,
            serial=disk.serial,
            boot_order=disk.boot_order,
        )
        if is_known
        else None
    )


def _interface(nic: InterfaceXml) -> dict[str, Any] | None:
    kind = "none" if nic.type == "null" else nic.type
    if kind not in get_args(LinkKind):
        return None
    sources = {
        "network": nic.source_network,
        "bridge": nic.source_bridge,
        "direct": nic.source_dev,
    }
    return _given(
        kind=kind,
        source=sources.get(str(kind)),
        mode=nic.source_mode if kind == "direct" else None,
        model=nic.model,
        mac=nic.mac,
        address=nic.source_address if kind == "mcast" else None,
        port=nic.source_port if kind == "mcast" else None,
        filter=nic.filter,
        link_up=False if nic.link_state == "down" else None,
        mtu=nic.mtu,
        boot_order=nic.boot_order,
    )


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _size(size: Size | None) -> str | None:
    return None if size is None else str(Size(size))


def _tag(element: Any) -> str:
    return element.tag if isinstance(element.tag, str) else "os"  # a comment says nothing
