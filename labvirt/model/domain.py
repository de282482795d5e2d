"""A domain that is asked for: everything that libvirt must know to make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model import build, checks
from labvirt.model.clock import ClockSpec
from labvirt.model.cpu import CpuSpec
from labvirt.model.disk import DiskSpec, FileSource, NewVolume, VolumeSource, place_disks
from labvirt.model.features import FeaturesSpec, WatchdogSpec
from labvirt.model.fields import Line, Prose, SafeName, Tag, Uuid
from labvirt.model.graphics import GraphicsSpec, VideoSpec
from labvirt.model.ident import new_mac, new_uuid, normal_mac, normal_uuid
from labvirt.model.interface import InterfaceSpec
from labvirt.model.serial import SerialSpec
from labvirt.model.source import ImportImage, IsoInstall, KernelBoot, Media, Source
from labvirt.model.spec import Spec
from labvirt.model.units import Size
from labvirt.model.volume import VolumeSpec

if TYPE_CHECKING:
    import random
    from collections.abc import Collection

    from labvirt.model.xml.domain import DomainXml

__all__ = ["DomainSpec", "NewDiskVolume"]

BootDevice = Literal["hd", "cdrom", "network", "fd"]
End = Literal["destroy", "restart", "preserve", "rename-restart"]
CrashEnd = Literal[
    "destroy", "restart", "preserve", "rename-restart", "coredump-destroy", "coredump-restart"
]


def _one_or_many(value: Any) -> Any:
    """Let a single device stand where several are wanted."""
    return (value,) if isinstance(value, str | dict | Spec) else value


class NewDiskVolume(NamedTuple):
    """A volume that must be made before the domain is defined.

    Attributes:
        pool: name of the pool; None is the host's usual one.
        volume: the volume.
        target: the disk it is for.
    """

    pool: str | None
    volume: VolumeSpec
    target: str


class DomainSpec(Spec):
    """A domain that is asked for.

    Only ``name`` and ``memory`` are required. :meth:`filled` decides what was left open (UUID, MAC
    addresses, names of volumes), and :meth:`to_xml` writes the definition.
    """

    name: SafeName = Field(description="name, unique on the host", examples=["web1"])
    title: Line | None = Field(None, description="one line for people")
    description: Prose | None = Field(None, description="any text for people")
    tags: tuple[Tag, ...] = Field((), description="words by which domains are found again")
    uuid: Uuid | None = Field(None, description="UUID; a free one is made when left out")

    memory: Size = Field(
        ge=Size(2**20),
        description="memory at boot, and the most that the balloon can give",
        examples=["256 MiB", "4 GiB"],
    )
    current_memory: Size | None = Field(
        None, ge=Size(2**20), description="memory that the balloon leaves; all when left out"
    )
    hugepages: bool = Field(default=False, description="take the memory from huge pages")
    shared_memory: bool = Field(default=False, description="share the memory, for virtiofs")
    vcpus: int = Field(1, ge=1, le=4096, description="virtual CPUs at boot")
    max_vcpus: int | None = Field(
        None, ge=1, le=4096, description="the most virtual CPUs; as many as at boot when left out"
    )

    virt: Literal["auto", "kvm", "qemu"] = Field(
        "auto", description="kvm where it works, else qemu; auto lets the host decide"
    )
    arch: Literal["x86_64", "i686", "aarch64", "ppc64le", "s390x", "riscv64"] = Field(
        "x86_64", description="architecture of the guest"
    )
    machine: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]+$")] | None = Field(
        None, description="machine; left out: pc, q35 with EFI", examples=["pc", "q35"]
    )
    cpu: CpuSpec = Field(CpuSpec(), description="processor")
    firmware: Literal["bios", "efi"] = Field("bios", description="firmware")
    secure_boot: bool = Field(default=False, description="boot signed systems only, with EFI")
    features: FeaturesSpec = Field(FeaturesSpec(), description="switches of the machine")
    clock: ClockSpec = Field(ClockSpec(), description="clock and timers")
    on_poweroff: End = Field("destroy", description="what a shutdown by the guest does")
    on_reboot: End = Field("restart", description="what a reboot by the guest does")
    on_crash: CrashEnd = Field("destroy", description="what a crash of the guest does")
    boot: Annotated[tuple[BootDevice, ...], BeforeValidator(_one_or_many)] = Field(
        (), description="what is booted, first to last; left out: what suits the source"
    )

    source: Source | None = Field(
        None, description="where the system comes from; left out: it is on the disks already"
    )
    disks: Annotated[tuple[DiskSpec, ...], BeforeValidator(_one_or_many)] = Field(
        (), description="disks and drives besides that of the source"
    )
    interfaces: Annotated[tuple[InterfaceSpec, ...], BeforeValidator(_one_or_many)] = Field(
        (InterfaceSpec(),), description="network interfaces; () for none"
    )
    graphics: GraphicsSpec | None = Field(None, description="graphical console; None for none")
    video: VideoSpec | None = Field(
        None, description="graphics card; left out: vga when there is a graphical console"
    )
    serial: SerialSpec | None = Field(
        SerialSpec(), description="serial port and console; None for none"
    )
    agent: bool = Field(default=True, description="channel for the guest agent")
    balloon: bool = Field(default=True, description="balloon, by which memory is changed")
    rng: bool = Field(default=True, description="randomness from the host")
    watchdog: WatchdogSpec | None = Field(None, description="watchdog")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = checks.problems_of(self)
        if problems:
            raise SpecError(f"domain {self.name}", problems)
        return self

    @property
    def usual_machine(self) -> str | None:
        """The machine that is written: the one given, else what suits firmware and arch."""
        if self.machine is not None:
            return self.machine
        if self.arch in {"x86_64", "i686"}:
            return "q35" if self.firmware == "efi" else "pc"
        return "virt" if self.arch in {"aarch64", "riscv64"} else None

    @property
    def placed_disks(self) -> tuple[DiskSpec, ...]:
        """All disks, that of the source first (a CD last), each with bus and target."""
        first: tuple[DiskSpec, ...] = ()
        last: tuple[DiskSpec, ...] = ()
        source = self.source
        if isinstance(source, ImportImage):
            first = (DiskSpec(source=_existing(source, source.format), bus=source.bus),)
        elif isinstance(source, IsoInstall):
            last = (DiskSpec(source=_existing(source, "raw"), device="cdrom"),)
        machine = self.usual_machine or ""
        has_ide = machine == "pc" or machine.startswith("pc-i440fx")
        is_pc = self.arch in {"x86_64", "i686"}
        drive_bus: Literal["ide", "sata", "scsi"] = (
            "ide" if has_ide else "sata" if is_pc else "scsi"
        )
        return place_disks((*first, *self.disks, *last), drive_bus=drive_bus)

    @property
    def new_volumes(self) -> tuple[NewDiskVolume, ...]:
        """The volumes that must be made before the domain is defined.

        Raises:
            SpecError: a volume has no name yet; :meth:`filled` names them.
        """
        made = []
        for disk in self.placed_disks:
            source = disk.source
            if not isinstance(source, NewVolume):
                continue
            if source.name is None:
                problem = Problem("disks", disk.target or "", "the new volume has no name yet")
                raise SpecError(f"domain {self.name}", (problem,), hint="spec.filled()")
            volume = VolumeSpec(
                name=source.name,
                capacity=source.size,
                format=source.format,
                allocation=source.allocation,
                backing_path=source.backing_path,
                backing_format=source.backing_format,
            )
            made.append(NewDiskVolume(source.pool, volume, disk.target or ""))
        return tuple(made)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but probably not wanted, one sentence each."""
        return checks.warnings_of(self)

    def filled(
        self,
        taken_macs: Collection[str] = (),
        taken_uuids: Collection[str] = (),
        rng: random.Random | None = None,
        *,
        virt: Literal["kvm", "qemu"] | None = None,
        default_interface: InterfaceSpec | None = None,
        default_pool: str | None = None,
    ) -> Self:
        """Return the spec with everything decided that was left open.

        Args:
            taken_macs: MAC addresses in use on the host.
            taken_uuids: UUIDs in use on the host.
            rng: source of randomness; the system's own when None.
            virt: what ``auto`` becomes; None leaves it.
            default_interface: what interfaces of kind ``default`` become; None leaves them.
            default_pool: the pool of new volumes that name none; None leaves them.

        Raises:
            SpecError: the spec names a MAC address or UUID that is taken.
        """
        self._refuse_taken(taken_macs, taken_uuids)
        changes: dict[str, Any] = {"uuid": self.uuid or new_uuid(taken_uuids, rng)}
        if virt is not None and self.virt == "auto":
            changes["virt"] = virt
        used = {*taken_macs, *(one.mac for one in self.interfaces if one.mac)}
        interfaces = []
        for one in self.interfaces:
            nic = one
            if one.kind == "default" and default_interface is not None:
                given = {name: getattr(one, name) for name in one.model_fields_set - {"kind"}}
                nic = default_interface.replace(**{"mac": None, **given})
            if nic.mac is None:
                nic = nic.replace(mac=new_mac(taken=used, rng=rng))
                used.add(nic.mac or "")
            interfaces.append(nic)
        changes["interfaces"] = tuple(interfaces)
        changes["disks"] = self._filled_disks(default_pool)
        return self.replace(**changes)

    def with_media(self, media: Media) -> Self:
        """Return the spec that boots what was built for its source.

        A kernel is booted directly, with ``hostname=`` on its command line; a disk becomes the
        backing image of a new first disk, and is never written to.

        Raises:
            SpecError: the domain has less memory than the media need.
        """
        if self.memory < media.minimum_memory:
            why = f"is too little: the guest boots with {media.minimum_memory} or more"
            problem = Problem("memory", str(self.memory), why)
            raise SpecError(f"domain {self.name}", (problem,))
        if media.kernel is not None:
            words = (media.cmdline, f"hostname={self.name}")
            line = " ".join(word for word in words if word)
            boot = KernelBoot(kernel=media.kernel, initrd=media.initrd, cmdline=line)
            return self.replace(source=boot)
        made = NewVolume(backing_path=media.disk, backing_format=media.disk_format)
        first = DiskSpec(source=made, target="vda" if self._is_free("vda") else None)
        return self.replace(source=None, disks=(first, *self.disks))

    def domain_xml(self) -> DomainXml:
        """Return the definition as a document that can be edited.

        Raises:
            SpecError: something is still open: ``virt``, media, or the name of a volume.
        """
        return build.domain_xml(self)

    def to_xml(self) -> str:
        """Return the definition as libvirt reads it.

        Raises:
            SpecError: something is still open: ``virt``, media, or the name of a volume.
        """
        return self.domain_xml().text()

    def _is_free(self, target: str) -> bool:
        return all(disk.target != target for disk in self.disks)

    def _filled_disks(self, default_pool: str | None) -> tuple[DiskSpec, ...]:
        """Return the disks, without that of the source, placed and with names for new volumes."""
        placed = self.placed_disks
        start = 1 if isinstance(self.source, ImportImage) else 0
        filled = []
        for disk in placed[start : start + len(self.disks)]:
            source = disk.source
            if isinstance(source, NewVolume):
                name = source.name or f"{self.name}-{disk.target}.{source.format}"
                pool = source.pool or default_pool
                filled.append(disk.replace(source=source.replace(name=name, pool=pool)))
            else:
                filled.append(disk)
        return tuple(filled)

    def _refuse_taken(self, macs: Collection[str], uuids: Collection[str]) -> None:
        used = {normal_mac(mac, unicast=False) for mac in macs}
        problems = [
            Problem(f"interfaces[{place}].mac", one.mac, "is in use on this host", "leave it out")
            for place, one in enumerate(self.interfaces)
            if one.mac is not None and one.mac in used
        ]
        if self.uuid is not None and self.uuid in {normal_uuid(one) for one in uuids}:
            problems.append(Problem("uuid", self.uuid, "is in use on this host", "leave it out"))
        if problems:
            raise SpecError(f"domain {self.name}", problems)


def _existing(image: ImportImage | IsoInstall, image_format: str) -> FileSource | VolumeSource:
    """Return the image of a source as the source of a disk."""
    fields = {"format": image_format}
    if image.path is not None:
        return FileSource.model_validate({"path": image.path, **fields})
    return VolumeSource.model_validate({"pool": image.pool, "name": image.volume, **fields})
