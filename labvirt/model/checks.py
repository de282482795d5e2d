"""What the fields of a domain's spec must fulfil together, and what is unwise."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from labvirt.errors import Problem, SpecError
from labvirt.model.source import ImportImage, IsoInstall, KernelBoot, NetworkBoot, TinyGuest
from labvirt.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from labvirt.model.domain import DomainSpec

__all__ = ["boot_orders", "problems_of", "warnings_of"]

_LEAST: Final = Size(64 * 2**20)
_LEAST_INSTALL: Final = Size(512 * 2**20)


def problems_of(spec: DomainSpec) -> tuple[Problem, ...]:
    """Return everything in which the fields of ``spec`` contradict each other."""
    return (
        *_amounts(spec),
        *_firmware(spec),
        *_boot(spec),
        *_twice(spec),
        *_disks(spec),
    )


def warnings_of(spec: DomainSpec) -> tuple[str, ...]:
    """Return what is allowed but probably not wanted, one sentence each."""
    said = []
    if spec.memory < _LEAST and not isinstance(spec.source, TinyGuest):
        said.append(f"memory {spec.memory} is below {_LEAST}; hardly any system boots with it")
    elif spec.memory < _LEAST_INSTALL and isinstance(spec.source, IsoInstall | NetworkBoot):
        said.append(f"memory {spec.memory} is below {_LEAST_INSTALL}; most installers need more")
    if isinstance(spec.source, IsoInstall | NetworkBoot) and not _has_disk(spec):
        said.append("there is no disk to install to")
    if spec.graphics is not None and spec.graphics.listen in {"0.0.0.0", "::"}:  # noqa: S104 - compared
        said.append("the graphical console is open to the whole network")
    if spec.graphics is None and spec.serial is None:
        said.append("there is neither a graphical nor a serial console")
    return tuple(said)


def boot_orders(spec: DomainSpec) -> tuple[int, ...]:
    """Return the places in the boot order that devices of ``spec`` ask for."""
    disks = (one.boot_order for one in spec.disks)
    interfaces = (one.boot_order for one in spec.interfaces)
    return tuple(order for order in (*disks, *interfaces) if order is not None)


def _amounts(spec: DomainSpec) -> Iterator[Problem]:
    if spec.current_memory is not None and spec.current_memory > spec.memory:
        why = f"is more than the memory {spec.memory}"
        yield Problem("current_memory", str(spec.current_memory), why)
    most = spec.max_vcpus or spec.vcpus
    if spec.vcpus > most:
        yield Problem("vcpus", str(spec.vcpus), f"is more than max_vcpus {most}")
    topology = spec.cpu.topology
    if topology is not None and topology.count != most:
        shown = f"{topology.sockets} x {topology.cores} x {topology.threads}"
        why = f"makes {topology.count} virtual CPUs, but there are {most}"
        yield Problem("cpu.topology", shown, why)


def _firmware(spec: DomainSpec) -> Iterator[Problem]:
    machine = spec.usual_machine or ""
    if spec.secure_boot and spec.firmware != "efi":
        yield Problem("secure_boot", "True", "needs firmware efi", "firmware='efi'")
    if spec.secure_boot and spec.firmware == "efi" and not machine.startswith(("q35", "pc-q35")):
        yield Problem("machine", machine, "has no Secure Boot", "machine='q35'")
    if spec.secure_boot and spec.features.smm is False:
        yield Problem("features.smm", "False", "is needed by Secure Boot")
    if spec.arch == "aarch64" and spec.firmware == "bios" and not _boots_directly(spec):
        yield Problem("firmware", "bios", "aarch64 has no BIOS", "firmware='efi'")


def _boot(spec: DomainSpec) -> Iterator[Problem]:
    if spec.boot and boot_orders(spec):
        why = "and the boot_order of devices exclude each other"
        yield Problem("boot", ", ".join(spec.boot), why, "use one of them")
    if spec.boot and _boots_directly(spec):
        why = "has no effect: the kernel of the source is booted directly"
        yield Problem("boot", ", ".join(spec.boot), why, "leave it out")
    for word, count in Counter(spec.boot).items():
        if count > 1:
            yield Problem("boot", word, "is named twice")
    if "network" in spec.boot and not spec.interfaces:
        yield Problem("boot", "network", "there is no interface to boot from")
    if isinstance(spec.source, NetworkBoot) and not spec.interfaces:
        yield Problem("interfaces", "", "booting from the network needs one")
    if "hd" in spec.boot and not _has_disk(spec):
        yield Problem("boot", "hd", "there is no disk to boot from")


def _twice(spec: DomainSpec) -> Iterator[Problem]:
    macs = [one.mac for one in spec.interfaces if one.mac]
    orders = [str(order) for order in boot_orders(spec)]
    serials = [one.serial for one in spec.disks if one.serial]
    for field, values, why in (
        ("interfaces.mac", macs, "is the address of two interfaces"),
        ("boot_order", orders, "is the place of two devices"),
        ("disks.serial", serials, "is the serial number of two disks"),
        ("tags", spec.tags, "is named twice"),
    ):
        yield from (Problem(field, value, why) for value in _repeated(values))


def _disks(spec: DomainSpec) -> Iterator[Problem]:
    try:
        placed = spec.placed_disks
    except SpecError as failure:
        yield from failure.problems
        return
    machine = spec.usual_machine or ""
    if machine.startswith(("q35", "pc-q35", "virt")):
        yield from (
            Problem("disks", disk.target or "", f"machine {machine} has no bus ide", "bus='sata'")
            for disk in placed
            if disk.bus == "ide"
        )


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def _has_disk(spec: DomainSpec) -> bool:
    own = any(disk.device == "disk" for disk in spec.disks)
    return own or isinstance(spec.source, ImportImage | TinyGuest)


def _boots_directly(spec: DomainSpec) -> bool:
    is_tiny_kernel = isinstance(spec.source, TinyGuest) and spec.source.boot == "kernel"
    return is_tiny_kernel or isinstance(spec.source, KernelBoot)
