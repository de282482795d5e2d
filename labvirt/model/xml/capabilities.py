"""What a host and its emulators can do, read from libvirt's capabilities into frozen records.

See https://libvirt.org/formatcaps.html and https://libvirt.org/formatdomaincaps.html. Parts that
are not known here are left out of the records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labvirt.errors import Problem, SpecError
from labvirt.model.units import Size
from labvirt.model.xml.source import is_element
from labvirt.model.xml.text import XmlDoc
from labvirt.model.xml.view import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element as Element

__all__ = ["Capabilities", "CpuMode", "DomainCapabilities", "GuestCapability", "NumaCell"]


@dataclass(frozen=True, slots=True)
class NumaCell:
    """One NUMA cell of the host.

    Attributes:
        id: number of the cell.
        memory: its memory; None when libvirt does not tell.
        cpus: numbers of its CPUs.
    """

    id: int
    memory: Size | None
    cpus: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GuestCapability:
    """One kind of guest that the host can run.

    Attributes:
        os_type: hvm, xen, exe ...
        arch: architecture.
        word_size: bits of a word.
        emulator: path of the emulator; empty when there is none.
        domain_types: kvm, qemu, xen, test ...
        machines: names of machines, aliases such as ``pc`` and ``q35`` among them.
        canonical: alias -> full name of the machine.
    """

    os_type: str
    arch: str
    word_size: int
    emulator: str
    domain_types: tuple[str, ...]
    machines: tuple[str, ...]
    canonical: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a host is and which guests it can run.

    Attributes:
        host_uuid: UUID of the host; empty when libvirt does not tell.
        arch: architecture of the host.
        cpu_model: name of the CPU model.
        cpu_vendor: vendor of the CPU.
        sockets, dies, cores, threads: topology: sockets, dies of a socket, cores of a die, threads
            of a core.
        cells: NUMA cells.
        security_models: selinux, apparmor, dac ...
        migration_transports: schemes of migration URIs.
        guests: kinds of guests.
    """

    host_uuid: str
    arch: str
    cpu_model: str
    cpu_vendor: str
    sockets: int
    dies: int
    cores: int
    threads: int
    cells: tuple[NumaCell, ...]
    security_models: tuple[str, ...]
    migration_transports: tuple[str, ...]
    guests: tuple[GuestCapability, ...]

    @classmethod
    def parse(cls, text: str | bytes) -> Capabilities:
        """Read ``virConnectGetCapabilities``.

        Raises:
            SpecError: not XML, or another document.
        """
        root = _root(text, "capabilities")
        topology = root.find("host/cpu/topology")
        shape = [
            _number(topology.get(name), 1) if topology is not None else 1
            for name in ("sockets", "dies", "cores", "threads")
        ]
        return cls(
            host_uuid=_text(root, "host/uuid"),
            arch=_text(root, "host/cpu/arch"),
            cpu_model=_text(root, "host/cpu/model"),
            cpu_vendor=_text(root, "host/cpu/vendor"),
            sockets=shape[0],
            dies=shape[1],
            cores=shape[2],
            threads=shape[3],
            cells=tuple(_cell(one) for one in root.findall("host/topology/cells/cell")),
            security_models=_texts(root, "host/secmodel/model"),
            migration_transports=_texts(
                root, "host/migration_features/uri_transports/uri_transport"
            ),
            guests=tuple(_guest(one) for one in root.findall("guest")),
        )

    def guest(
        self, *, arch: str | None = None, os_type: str = "hvm", domain_type: str | None = None
    ) -> GuestCapability | None:
        """Return the first kind of guest that fits; ``arch`` None is that of the host."""
        wanted = arch or self.arch
        for one in self.guests:
            fits = one.arch == wanted and one.os_type == os_type
            if fits and (domain_type is None or domain_type in one.domain_types):
                return one
        return None


@dataclass(frozen=True, slots=True)
class CpuMode:
    """One way of choosing the CPU.

    Attributes:
        name: host-passthrough, maximum, host-model, custom.
        is_supported: it can be used.
        models: names of CPU models; for host-model the host's.
        usable_models: those of ``models`` that this host can run.
    """

    name: str
    is_supported: bool
    models: tuple[str, ...]
    usable_models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DomainCapabilities:
    """What a domain may have with one emulator, machine and type.

    Attributes:
        emulator: path of the emulator.
        domain_type: kvm, qemu ...
        machine: full name of the machine.
        arch: architecture.
        max_vcpus: the most virtual CPUs; 0 when libvirt does not tell.
        firmwares: what ``<os firmware=...>`` may be.
        loaders: paths of firmware images.
        has_secure_boot: a firmware with Secure Boot is there.
        cpu_modes: ways of choosing the CPU, by name.
        enums: all lists of allowed values, by place, e.g. ``disk.bus``, ``video.modelType``.
        features: switches of the ``<features>`` part and whether they are there.
        devices: kinds of devices and whether they are there.
    """

    emulator: str
    domain_type: str
    machine: str
    arch: str
    max_vcpus: int
    firmwares: tuple[str, ...]
    loaders: tuple[str, ...]
    has_secure_boot: bool
    cpu_modes: Mapping[str, CpuMode]
    enums: Mapping[str, tuple[str, ...]]
    features: Mapping[str, bool]
    devices: Mapping[str, bool]

    @classmethod
    def parse(cls, text: str | bytes) -> DomainCapabilities:
        """Read ``virConnectGetDomainCapabilities``.

        Raises:
            SpecError: not XML, or another document.
        """
        root = _root(text, "domainCapabilities")
        enums = _enums(root)
        vcpu = root.find("vcpu")
        return cls(
            emulator=_text(root, "path"),
            domain_type=_text(root, "domain"),
            machine=_text(root, "machine"),
            arch=_text(root, "arch"),
            max_vcpus=_number(vcpu.get("max")) if vcpu is not None else 0,
            firmwares=enums.get("os.firmware", ()),
            loaders=_texts(root, "os/loader/value"),
            has_secure_boot="yes" in enums.get("loader.secure", ()),
            cpu_modes={mode.name: mode for mode in map(_mode, root.findall("cpu/mode"))},
            enums=enums,
            features=_switches(root.find("features")),
            devices=_switches(root.find("devices")),
        )

    @property
    def disk_buses(self) -> tuple[str, ...]:
        """Buses that disks may be on."""
        return self.enums.get("disk.bus", ())

    @property
    def graphics_types(self) -> tuple[str, ...]:
        """Protocols of graphical consoles."""
        return self.enums.get("graphics.type", ())

    @property
    def video_models(self) -> tuple[str, ...]:
        """Graphics cards."""
        return self.enums.get("video.modelType", ())


def _root(text: str | bytes, tag: str) -> Element:
    root = XmlDoc.parse(text).root
    if root.tag != tag:
        problem = Problem(f"/{root.tag}", "", f"the root is not <{tag}>")
        raise SpecError(f"a <{tag}> document was expected", (problem,))
    return root


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _texts(element: Element, path: str) -> tuple[str, ...]:
    return tuple((one.text or "").strip() for one in element.findall(path))


def _number(text: str | bytes | None, otherwise: int = 0) -> int:
    """Return a number, ``otherwise`` when it is missing or none."""
    try:
        return int(text or otherwise)
    except ValueError:
        return otherwise


def _cell(element: Element) -> NumaCell:
    memory = element.find("memory")
    return NumaCell(
        id=_number(element.get("id")),
        memory=None
        if memory is None
        else Size.parse(memory.text or "0", default_unit=plain(memory.get("unit")) or "KiB"),
        cpus=tuple(_number(one.get("id")) for one in element.findall("cpus/cpu")),
    )


def _guest(element: Element) -> GuestCapability:
    arch = element.find("arch")
    machines = [] if arch is None else arch.findall("machine")
    types = [] if arch is None else arch.findall("domain")
    return GuestCapability(
        os_type=_text(element, "os_type"),
        arch="" if arch is None else plain(arch.get("name")) or "",
        word_size=_number(_text(element, "arch/wordsize")),
        emulator=_text(element, "arch/emulator"),
        domain_types=tuple(plain(one.get("type")) or "" for one in types),
        machines=tuple((one.text or "").strip() for one in machines),
        canonical={
            (one.text or "").strip(): full
            for one in machines
            if (full := plain(one.get("canonical")))
        },
    )


def _mode(element: Element) -> CpuMode:
    models = element.findall("model")
    return CpuMode(
        name=plain(element.get("name")) or "",
        is_supported=element.get("supported") == "yes",
        models=tuple((one.text or "").strip() for one in models),
        usable_models=tuple(
            (one.text or "").strip() for one in models if one.get("usable", "yes") == "yes"
        ),
    )


def _enums(root: Element) -> dict[str, tuple[str, ...]]:
    """Return all lists of values; a list is known by its part and its name."""
    found: dict[str, tuple[str, ...]] = {}
    for enum in root.iter("enum"):
        part = enum.getparent()
        owner = "" if part is None else str(part.tag)
        found[f"{owner}.{plain(enum.get('name'))}"] = _texts(enum, "value")
    return found


def _switches(part: Element | None) -> dict[str, bool]:
    elements = [] if part is None else [one for one in part if is_element(one)]
    return {str(one.tag): one.get("supported") == "yes" for one in elements}
