"""A domain's spec turned into libvirt's XML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.errors import Problem, SpecError
from labvirt.model.checks import boot_orders
from labvirt.model.graphics import VideoSpec
from labvirt.model.source import IsoInstall, KernelBoot, NetworkBoot
from labvirt.model.xml.chardev import ChannelXml
from labvirt.model.xml.devices import MemballoonXml, RngXml
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.machine import FirmwareFeatureXml

if TYPE_CHECKING:
    from labvirt.model.domain import DomainSpec

__all__ = ["boot_devices", "domain_xml"]


def domain_xml(spec: DomainSpec) -> DomainXml:
    """Return the definition of ``spec``, its elements in libvirt's order.

    Raises:
        SpecError: something is still open: ``virt``, media, or the name of a volume.
    """
    if spec.virt == "auto":
        why = "is not decided; the host knows whether KVM works"
        raise _open(spec, Problem("virt", "auto", why, "virt='kvm' or virt='qemu'"))
    if spec.source is not None and spec.source.needs_media:
        why = "must be built first"
        raise _open(spec, Problem("source", spec.source.kind, why, "spec.with_media(media)"))
    domain = DomainXml.new(type=spec.virt, name=spec.name, uuid=spec.uuid, title=spec.title)
    domain.set(description=spec.description, tags=spec.tags, memory=spec.memory)
    domain.current_memory = spec.current_memory or spec.memory
    domain.hugepages = spec.hugepages
    if spec.shared_memory:
        domain.set(memory_source="memfd", memory_access="shared")
    _cpus(spec, domain)
    _system(spec, domain)
    spec.features.describe(domain, virt=spec.virt, arch=spec.arch, needs_smm=spec.secure_boot)
    spec.cpu.describe(domain, virt=spec.virt, arch=spec.arch)
    spec.clock.describe(domain, arch=spec.arch)
    domain.set(on_poweroff=spec.on_poweroff, on_reboot=spec.on_reboot, on_crash=spec.on_crash)
    _devices(spec, domain)
    return domain


def boot_devices(spec: DomainSpec) -> tuple[str, ...]:
    """Return ``<boot dev=...>`` of ``spec``: what was asked for, else what suits the source.

    Installers come second: a blank disk falls through to them, an installed one wins.
    """
    if spec.boot:
        return spec.boot
    if isinstance(spec.source, KernelBoot) or boot_orders(spec):
        return ()
    devices = {disk.device for disk in spec.placed_disks}
    wanted = [("disk", "hd"), ("cdrom", "cdrom"), ("floppy", "fd")]
    found = [word for device, word in wanted if device in devices]
    if isinstance(spec.source, NetworkBoot) or not found:
        return (*found, "network") if spec.interfaces else tuple(found) or ("hd",)
    return tuple(found)


def _open(spec: DomainSpec, problem: Problem) -> SpecError:
    return SpecError(f"domain {spec.name} cannot be defined yet", (problem,))


def _cpus(spec: DomainSpec, domain: DomainXml) -> None:
    most = spec.max_vcpus or spec.vcpus
    domain.vcpus = most
    domain.vcpu_placement = "static"
    if spec.vcpus != most:
        domain.current_vcpus = spec.vcpus


def _system(spec: DomainSpec, domain: DomainXml) -> None:
    domain.os_type = "hvm"
    domain.set(arch=spec.arch, machine=spec.usual_machine)
    if spec.firmware == "efi":
        domain.firmware = "efi"
        # A firmware without enrolled keys boots anything, whether or not it knows Secure Boot.
        wanted = ("secure-boot", "enrolled-keys") if spec.secure_boot else ("enrolled-keys",)
        for name in wanted:
            feature = FirmwareFeatureXml.new(enabled=spec.secure_boot, name=name)
            domain.firmware_features.append(feature)
    if isinstance(spec.source, KernelBoot):
        source = spec.source
        domain.set(kernel=source.kernel, initrd=source.initrd, cmdline=source.cmdline)
    domain.boot_order = boot_devices(spec)


def _devices(spec: DomainSpec, domain: DomainXml) -> None:
    last_order = max(boot_orders(spec), default=0)
    for disk in spec.placed_disks:
        view = domain.disks.append(disk.device_xml())
        if last_order and disk.device == "cdrom" and isinstance(spec.source, IsoInstall):
            # The CD of the source is behind the devices that were put in order.
            view.boot_order = view.boot_order or last_order + 1
    for nic in spec.interfaces:
        domain.interfaces.append(nic.device_xml())
    if spec.serial is not None:
        domain.serials.append(spec.serial.device_xml())
        domain.consoles.append(spec.serial.console_xml())
    _channels(spec, domain)
    _picture(spec, domain)
    if spec.watchdog is not None:
        domain.watchdogs.append(spec.watchdog.device_xml())
    domain.memballoons.append(MemballoonXml.new(model="virtio" if spec.balloon else "none"))
    if spec.rng:
        rng = RngXml.new(model="virtio", backend="/dev/urandom", backend_model="random")
        domain.rngs.append(rng)


def _channels(spec: DomainSpec, domain: DomainXml) -> None:
    if spec.agent:
        agent = ChannelXml.new(
            type="unix", target_type="virtio", target_name="org.qemu.guest_agent.0"
        )
        domain.channels.append(agent)
    if spec.graphics is not None and spec.graphics.kind == "spice":
        spice = ChannelXml.new(
            type="spicevmc", target_type="virtio", target_name="com.redhat.spice.0"
        )
        domain.channels.append(spice)


def _picture(spec: DomainSpec, domain: DomainXml) -> None:
    if spec.graphics is not None:
        domain.graphics.append(spec.graphics.device_xml())
        is_pc = spec.arch in {"x86_64", "i686"}
        if spec.graphics.kind == "spice" and spec.features.vmport is None and is_pc:
            domain.vmport = False  # it would take the mouse from SPICE's agent
    video = spec.video or (VideoSpec() if spec.graphics is not None else None)
    if video is not None:
        domain.videos.append(video.device_xml())
