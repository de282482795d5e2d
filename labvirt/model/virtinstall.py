"""The line of today's virt-install that makes the same domain as a spec (guide 2.1, E-08)."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from labvirt.errors import Problem, SpecError
from labvirt.model.build import boot_devices
from labvirt.model.disk import BlockSource, DiskSpec, FileSource, NewVolume, VolumeSource
from labvirt.model.graphics import GraphicsSpec, VideoSpec
from labvirt.model.redact import MASK
from labvirt.model.source import KernelBoot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.model.domain import DomainSpec
    from labvirt.model.interface import InterfaceSpec
    from labvirt.model.serial import SerialSpec
    from labvirt.model.units import Size
    from labvirt.model.xml.domain import DomainXml

__all__ = ["virt_install_args", "virt_install_line"]

_PLAIN: Final = re.compile(r"[A-Za-z0-9._/:+@%-]+")
_MIB: Final = 2**20


def virt_install_line(spec: DomainSpec, *, uri: str | None = None) -> str:
    """Return the shell line of virt-install 4.1 that makes the domain of ``spec``.

    The system is taken to be on the disks, or to come from the devices in boot order
    (``--import``): virt-install's own installation phase would make another domain first.
    Passwords are masked. Tags have no place in virt-install and are left out.

    Args:
        spec: a spec in which nothing is open.
        uri: the host, without secrets; left out, virt-install chooses.

    Raises:
        SpecError: something is still open: ``virt`` or media.
    """
    return shlex.join(virt_install_args(spec, uri=uri))


def virt_install_args(spec: DomainSpec, *, uri: str | None = None) -> tuple[str, ...]:
    """Return the words of :func:`virt_install_line`.

    Raises:
        SpecError: something is still open: ``virt`` or media.
    """
    if spec.source is not None and spec.source.needs_media:
        problem = Problem("source", spec.source.kind, "must be built first", "spec.with_media()")
        raise SpecError("there is no virt-install line yet", (problem,))
    if spec.virt == "auto":
        problem = Problem("virt", "auto", "is not decided", "virt='kvm' or virt='qemu'")
        raise SpecError("there is no virt-install line yet", (problem,))
    words = ["virt-install"]
    if uri is not None:
        words += ["--connect", uri]
    words += ["--name", spec.name, "--virt-type", spec.virt, "--arch", spec.arch]
    if spec.usual_machine is not None:
        words += ["--machine", spec.usual_machine]
    words += ["--osinfo", "detect=off,require=off", "--import", "--noautoconsole"]
    for option, value in _options(spec):
        words += [f"--{option}", value]
    return tuple(words)


def _options(spec: DomainSpec) -> Iterator[tuple[str, str]]:
    """Yield the options with a value, in the order of virt-install's manual."""
    # Names of volumes and the like are only filled in so that the XML can be made; what the user
    # left open is left to virt-install too.
    domain = spec.filled().domain_xml()
    metadata = _value(uuid=spec.uuid, title=spec.title, description=spec.description)
    if metadata:
        yield "metadata", metadata
    yield from _machine(spec, domain)
    disks = [_disk(disk) for disk in spec.placed_disks]
    for value in disks or ["none"]:
        yield "disk", value
    interfaces = [_interface(one) for one in spec.interfaces]
    for value in interfaces or ["none"]:
        yield "network", value
    if spec.serial is not None:
        yield "serial", _serial(spec.serial)
        yield "console", f"{spec.serial.kind},target.type=serial,target.port=0"
    if spec.agent:
        yield "channel", "unix,target.type=virtio,target.name=org.qemu.guest_agent.0"
    if spec.graphics is not None and spec.graphics.kind == "spice":
        yield "channel", "spicevmc,target.type=virtio,target.name=com.redhat.spice.0"
    yield "graphics", _graphics(spec.graphics) if spec.graphics else "none"
    video = spec.video or (VideoSpec() if spec.graphics else None)
    yield "video", _video(video) if video else "none"
    if spec.watchdog is not None:
        yield "watchdog", f"{spec.watchdog.model},action={spec.watchdog.action}"
    yield "memballoon", "virtio" if spec.balloon else "none"
    yield "rng", "/dev/urandom" if spec.rng else "none"


def _machine(spec: DomainSpec, domain: DomainXml) -> Iterator[tuple[str, str]]:
    memory, current = spec.memory, spec.current_memory or spec.memory
    yield "memory", _value(memory=_mib(memory), currentMemory=_mib(current))
    for name, size in (("memory", memory), ("currentMemory", current)):
        if size % _MIB:  # virt-install counts in whole MiB
            yield "xml", f"./{name}={size.kib}"
    if spec.hugepages or spec.shared_memory:
        source, access = domain.memory_source, domain.memory_access
        pages = "on" if spec.hugepages else None
        yield (
            "memorybacking",
            _value(hugepages=pages, **{"source.type": source, "access.mode": access}),
        )
    most = spec.max_vcpus or spec.vcpus
    current_vcpus = str(spec.vcpus) if spec.vcpus != most else None
    yield "vcpus", _value(**{"vcpu": str(most), "vcpu.current": current_vcpus})
    yield "cpu", _cpu(spec, domain)
    yield "boot", _boot(spec, domain)
    yield "features", _features(domain)
    if domain.tb_cache is not None:
        yield "xml", f"./features/tcg/tb-cache={domain.tb_cache.kib}"
        yield "xml", "./features/tcg/tb-cache/@unit=KiB"
    yield "clock", _clock(domain)
    yield (
        "events",
        _value(on_poweroff=spec.on_poweroff, on_reboot=spec.on_reboot, on_crash=spec.on_crash),
    )


def _value(first: str = "", /, **parts: str | None) -> str:
    """Return ``first,key=value,...``; values are quoted as virt-install's own lexer reads them."""
    words = [first] if first else []
    words += [f"{key}={_quoted(value)}" for key, value in parts.items() if value is not None]
    return ",".join(words)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _on(value: bool | None) -> str | None:  # noqa: FBT001 - the value that is spelled
    return None if value is None else "on" if value else "off"


def _mib(size: Size) -> str:
    return str(-(-int(size) // _MIB))


def _cpu(spec: DomainSpec, domain: DomainXml) -> str:
    model = domain.cpu_model
    parts = {"mode": domain.cpu_mode, "match": domain.cpu_match, "check": domain.cpu_check}
    shape = spec.cpu.topology
    if shape is not None:
        parts["topology.sockets"] = str(shape.sockets)
        parts["topology.cores"] = str(shape.cores)
        parts["topology.threads"] = str(shape.threads)
    if model is not None:
        parts |= {"model": model, "model.fallback": domain.cpu_fallback}
    features = [f"{one.policy}={_quoted(one.name)}" for one in spec.cpu.features]
    return ",".join([_value(**parts), *features])


def _boot(spec: DomainSpec, domain: DomainXml) -> str:
    parts: dict[str, str | None] = {}
    if isinstance(spec.source, KernelBoot):
        parts["kernel"] = spec.source.kernel
        parts["initrd"] = spec.source.initrd
        parts["cmdline"] = spec.source.cmdline
    for place, device in enumerate(boot_devices(spec)):
        parts[f"boot{place}.dev"] = device
    parts["firmware"] = domain.firmware
    for place, feature in enumerate(domain.firmware_features):
        parts[f"firmware.feature{place}.name"] = feature.name
        parts[f"firmware.feature{place}.enabled"] = "yes" if feature.enabled else "no"
    return _value(**parts) or "menu=off"


def _features(domain: DomainXml) -> str:
    return _value(
        acpi=_on(bool(domain.acpi)),
        apic=_on(bool(domain.apic)),
        pae=_on(bool(domain.pae)),
        **{
            "smm.state": _on(domain.smm),
            "vmport.state": _on(domain.vmport),
            "kvm.hidden.state": _on(domain.kvm_hidden),
            "hyperv.relaxed.state": _on(domain.hyperv_relaxed),
            "hyperv.vapic.state": _on(domain.hyperv_vapic),
            "hyperv.spinlocks.state": _on(domain.hyperv_spinlocks),
            "hyperv.spinlocks.retries": _number(domain.hyperv_retries),
        },
    )


def _clock(domain: DomainXml) -> str:
    parts = {"offset": domain.clock_offset}
    for place, timer in enumerate(domain.timers):
        parts[f"timer{place}.name"] = timer.name
        present = None if timer.present is None else "yes" if timer.present else "no"
        parts[f"timer{place}.present"] = present
        parts[f"timer{place}.tickpolicy"] = timer.tick_policy
    words = _value(**parts)
    extra = [("timezone", domain.clock_timezone), ("adjustment", domain.clock_adjustment)]
    given = [(name, value) for name, value in extra if value is not None]
    for place, (name, value) in enumerate(given):
        # virt-install has no word for these two attributes.
        words += f",xpath{place}.set=./@{name},xpath{place}.value={_quoted(value)}"
    return words


def _disk(disk: DiskSpec) -> str:
    parts: dict[str, str | None] = {"device": disk.device}
    source = disk.source
    if isinstance(source, FileSource | BlockSource):
        parts["path"] = source.path
    elif isinstance(source, VolumeSource):
        parts |= {"type": "volume", "source.pool": source.pool, "source.volume": source.name}
    elif isinstance(source, NewVolume):
        parts["pool"] = source.pool or "default"
        if source.size is not None:
            parts["size"] = f"{source.size.gib:.10g}"
        parts |= {"backing_store": source.backing_path, "backing_format": source.backing_format}
        parts["format"] = source.format
    if source is not None and not isinstance(source, NewVolume):
        parts["driver.type"] = getattr(source, "format", "raw")
    parts |= {"bus": disk.bus, "target.dev": disk.target}
    if disk.readonly is not None and disk.device != "cdrom":
        parts["readonly"] = _on(disk.readonly)
    parts |= {
        "shareable": "on" if disk.shareable else None,
        "driver.cache": disk.cache,
        "driver.io": disk.io,
        "driver.discard": disk.discard,
        "serial": disk.serial,
        "boot.order": _number(disk.boot_order),
    }
    return _value(**parts)


def _interface(nic: InterfaceSpec) -> str:
    view = nic.device_xml()
    parts: dict[str, str | None] = {"type": view.type, "source": nic.source}
    if nic.kind == "default":
        parts["source"] = "default"
    if nic.kind == "direct":
        parts["source.mode"] = view.source_mode
    parts |= {
        "model.type": nic.model,
        "mac.address": nic.mac,
        "filterref.filter": nic.filter,
        "link.state": None if nic.link_up else "down",
        "mtu.size": _number(nic.mtu),
        "boot.order": _number(nic.boot_order),
    }
    words = _value(**parts)
    if nic.kind == "mcast":
        words += f",xpath0.set=./source/@address,xpath0.value={nic.address}"
        words += f",xpath1.set=./source/@port,xpath1.value={nic.port}"
    return words


def _serial(serial: SerialSpec) -> str:
    view = serial.device_xml()
    return _value(
        serial.kind,
        **{
            "source.mode": view.source_mode,
            "source.path": view.source_path,
            "source.host": view.source_host,
            "source.service": view.source_service,
            "protocol.type": view.protocol,
            "log.file": view.log_file,
            "log.append": _on(view.log_append),
            "target.port": "0",
        },
    )


def _graphics(graphics: GraphicsSpec) -> str:
    parts: dict[str, str | None] = {}
    if graphics.listen.startswith("/"):
        parts |= {"listens0.type": "socket", "listens0.socket": graphics.listen}
    elif graphics.listen == "none":
        parts["listen"] = "none"
    else:
        parts |= {"listens0.type": "address", "listens0.address": graphics.listen}
        parts["port"] = str(graphics.port or -1)
    if graphics.password is not None:
        parts["password"] = MASK
    parts["keymap"] = graphics.keymap
    return _value(graphics.kind, **parts)


def _video(video: VideoSpec) -> str:
    if video.model == "none":
        return "none"
    heads = _number(video.heads) if video.heads > 1 else None
    return _value(
        **{"model.type": video.model, "model.vram": _number(video.vram_kib)},
        **{"model.heads": heads},
    )


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)
