"""Disks and drives of a domain that is asked for, and the volumes that are made for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, ObjectName
from labvirt.model.source import DiskFormat
from labvirt.model.spec import Spec
from labvirt.model.units import Size
from labvirt.model.xml.devices import DiskXml

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BlockSource",
    "CdromSpec",
    "DiskSource",
    "DiskSpec",
    "FileSource",
    "FloppySpec",
    "NewVolume",
    "VolumeSource",
    "place_disk",
    "place_disks",
]

Bus = Literal["virtio", "scsi", "sata", "ide", "usb", "fdc"]

_PREFIX: Final[Mapping[Bus, str]] = {
    "virtio": "vd",
    "scsi": "sd",
    "sata": "sd",
    "usb": "sd",
    "ide": "hd",
    "fdc": "fd",
}
_PLACES: Final[Mapping[Bus, int]] = {
    "ide": 4,
    "fdc": 2,
}  # two IDE channels of two; one floppy controller of two


class NewVolume(Spec):
    """A volume that is made for the disk, and belongs to the plan that made it."""

    kind: Literal["new-volume"] = "new-volume"
    size: Size | None = Field(
        None,
        gt=0,
        description="capacity; may be left out above a backing image",
        examples=["20 GiB"],
    )
    pool: ObjectName | None = Field(None, description="pool; the host's usual one when left out")
    name: ObjectName | None = Field(None, description="name; made of domain and target if left out")
    format: Literal["qcow2", "raw"] = Field("qcow2", description="format of the image")
    allocation: Size | None = Field(
        None, description="space taken at once; left out means none for qcow2, all for raw"
    )
    backing_path: AbsolutePath | None = Field(None, description="image that it starts as a copy of")
    backing_format: DiskFormat | None = Field(None, description="format of the backing image")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.size is None and self.backing_path is None:
            problems.append(Problem("size", "", "is missing", "e.g. '20 GiB'"))
        if self.backing_path is not None and self.backing_format is None:
            why = "is missing; a format that is guessed can be forged by the guest"
            problems.append(Problem("backing_format", "", why, "qcow2 or raw"))
        if self.backing_path is not None and self.format == "raw":
            problems.append(Problem("format", "raw", "has no backing image", "qcow2"))
        if self.size is not None and self.allocation is not None and self.allocation > self.size:
            why = f"is more than the capacity {self.size}"
            problems.append(Problem("allocation", str(self.allocation), why))
        if problems:
            raise SpecError("NewVolume", problems)
        return self


class VolumeSource(Spec):
    """A volume that exists."""

    kind: Literal["volume"] = "volume"
    pool: ObjectName = Field(description="name of the pool")
    name: ObjectName = Field(description="name of the volume")
    format: DiskFormat = Field("qcow2", description="format of the image")


class FileSource(Spec):
    """An image file that exists on the host."""

    kind: Literal["file"] = "file"
    path: AbsolutePath = Field(description="path on the host")
    format: DiskFormat = Field("qcow2", description="format of the image")


class BlockSource(Spec):
    """A block device of the host: a partition, a logical volume, a LUN."""

    kind: Literal["block"] = "block"
    path: AbsolutePath = Field(description="path on the host", examples=["/dev/vg0/web1"])


DiskSource = Annotated[
    NewVolume | VolumeSource | FileSource | BlockSource, Field(discriminator="kind")
]

# What may be written without `source`, and to which source it belongs.
_SHORT: Final[Mapping[str, type[Spec]]] = {"size": NewVolume, "path": FileSource}
_SHORT_EXTRA: Final = ("format", "pool", "name", "allocation")


class DiskSpec(Spec):
    """A disk, CD drive or floppy drive.

    Short forms: ``DiskSpec(size="2 GiB")`` is a new volume, ``DiskSpec(path="/images/a.qcow2")``
    an existing file; ``format``, ``pool`` and ``name`` may stand beside them.
    """

    source: DiskSource | None = Field(None, description="what is in it; None is an empty drive")
    device: Literal["disk", "cdrom", "floppy"] = Field("disk", description="what the guest sees")
    bus: Bus | None = Field(
        None, description="bus; left out: virtio for disks, what the machine has for drives"
    )
    target: Annotated[str, Field(pattern=r"^(fd|hd|sd|vd|xvd)[a-z]{1,3}$")] | None = Field(
        None, description="name; the next free one when left out", examples=["vda"]
    )
    readonly: bool | None = Field(None, description="left out: true for CD drives")
    shareable: bool = Field(default=False, description="several domains may use it at once")
    cache: (
        Literal["default", "none", "writethrough", "writeback", "directsync", "unsafe"] | None
    ) = Field(None, description="cache mode")
    io: Literal["threads", "native", "io_uring"] | None = Field(None, description="I/O mode")
    discard: Literal["unmap", "ignore"] | None = Field(None, description="what discard does")
    serial: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+ -]{1,36}$")] | None = Field(
        None, description="serial number that the guest sees"
    )
    bytes_per_s: Size | None = Field(
        None, gt=0, description="limit of reading and writing in a second", examples=["50 MiB"]
    )
    iops: int | None = Field(
        None, ge=1, description="limit of reading and writing, operations in a second"
    )
    boot_order: int | None = Field(None, ge=1, description="place in the boot order, from 1")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        if isinstance(data, str):
            is_drive = cls.model_fields["device"].default != "disk"
            data = {"path" if is_drive else "size": data}
        if not isinstance(data, Mapping) or data.get("source") is not None:
            return data
        for key, kind in _SHORT.items():
            if key in data:
                taken = {
                    name: data[name]
                    for name in (key, *_SHORT_EXTRA)
                    if name in data and name in kind.model_fields
                }
                rest = {name: value for name, value in data.items() if name not in taken}
                usual = cls.model_fields["device"].default
                if kind is FileSource and data.get("device", usual) != "disk":
                    taken.setdefault("format", "raw")
                return {**rest, "source": {**taken, "kind": kind.model_fields["kind"].default}}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.device == "disk" and self.source is None:
            problems.append(Problem("source", "", "is missing", "DiskSpec(size='20 GiB')"))
        if self.device != "disk" and isinstance(self.source, NewVolume):
            why = f"a {self.device} is filled with an existing image, not a new volume"
            problems.append(Problem("source", "new-volume", why))
        if self.device == "cdrom" and self.readonly is False:
            problems.append(Problem("readonly", "False", "a CD can only be read"))
        if self.device == "cdrom" and self.bus in {"virtio", "fdc"}:
            problems.append(
                Problem("bus", str(self.bus), "has no CD drives", "allowed: ide, sata, scsi, usb")
            )
        if (self.device == "floppy") != (self.bus == "fdc") and self.bus is not None:
            problems.append(Problem("bus", self.bus, f"does not go with a {self.device}"))
        if self.device == "disk" and self.readonly and self.bus in {"ide", "sata"}:
            why = f"{self.bus} has no read-only disks"
            problems.append(Problem("readonly", "True", why, "bus virtio or scsi"))
        if self.bus and self.target and not self.target.startswith(_PREFIX[self.bus]):
            why = f"disks on bus {self.bus} are called {_PREFIX[self.bus]}a, {_PREFIX[self.bus]}b"
            problems.append(Problem("target", self.target, why))
        if problems:
            raise SpecError("DiskSpec", problems)
        return self

    def device_xml(self) -> DiskXml:
        """Return the ``<disk>`` element; the target must be known (:func:`place_disks`).

        Raises:
            SpecError: target or volume name are not decided yet.
        """
        disk = DiskXml.new(type="file", device=self.device)
        self._describe_source(disk)
        is_image = not isinstance(self.source, BlockSource)
        disk.driver_name = "qemu"
        disk.driver_type = getattr(self.source, "format", "raw") if is_image else "raw"
        disk.set(cache=self.cache, io=self.io, discard=self.discard)
        # A target such as vdb tells the bus, as in virsh attach-disk.
        bus = self.bus or (_usual_bus(self, "sata") if self.target else None)
        if self.target is None or bus is None:
            why = "is not decided yet"
            raise SpecError("this disk has no place", (Problem("target", "", why, "vda"),))
        disk.set(target=self.target, bus=bus)
        disk.readonly = self.device == "cdrom" if self.readonly is None else self.readonly
        disk.shareable = self.shareable
        disk.set(serial=self.serial, boot_order=self.boot_order)
        limit = None if self.bytes_per_s is None else int(self.bytes_per_s)
        disk.set(total_bytes_s=limit, total_iops=self.iops)
        return disk

    def to_xml(self) -> str:
        """Return the ``<disk>`` element as text, e.g. to attach it.

        Raises:
            SpecError: target or volume name are not decided yet.
        """
        return self.device_xml().text()

    def _describe_source(self, disk: DiskXml) -> None:
        source = self.source
        if isinstance(source, FileSource):
            disk.source_file = source.path
        elif isinstance(source, BlockSource):
            disk.set(type="block", source_dev=source.path)
        elif isinstance(source, VolumeSource):
            disk.set(type="volume", source_pool=source.pool, source_volume=source.name)
        elif isinstance(source, NewVolume):
            if source.name is None:
                why = "the new volume has no name yet"
                raise SpecError("DiskSpec", (Problem("source.name", "", why, "use .filled()"),))
            pool = source.pool or "default"
            disk.set(type="volume", source_pool=pool, source_volume=source.name)


class CdromSpec(DiskSpec):
    """A CD drive, with a disc in it or empty: ``CdromSpec(path="/isos/debian.iso")``."""

    device: Literal["cdrom"] = Field("cdrom", description="what the guest sees")


class FloppySpec(DiskSpec):
    """A floppy drive: ``FloppySpec(path="/images/drivers.img")``."""

    device: Literal["floppy"] = Field("floppy", description="what the guest sees")


def place_disks(disks: Iterable[DiskSpec], *, drive_bus: Bus = "ide") -> tuple[DiskSpec, ...]:
    """Return the disks, each with a bus and a target of its own; the order is kept.

    Args:
        disks: the disks; those with a target keep it.
        drive_bus: the bus of CD drives that name none: ``ide`` for machine pc, else ``sata``.

    Raises:
        SpecError: a target is used twice, or a bus has no place left.
    """
    given = tuple(disks)
    problems = [
        Problem("disks", target, "is the target of two disks")
        for target, count in Counter(one.target for one in given if one.target).items()
        if count > 1
    ]
    taken = {one.target for one in given if one.target}
    placed = []
    for disk in given:
        bus = disk.bus or _usual_bus(disk, drive_bus)
        target = disk.target or _free_target(_PREFIX[bus], taken)
        taken.add(target)
        placed.append(disk.replace(bus=bus, target=target))
    for bus, places in _PLACES.items():
        used = sum(1 for disk in placed if disk.bus == bus)
        if used > places:
            why = f"{used} disks on bus {bus}, which has {places} places"
            problems.append(Problem("disks", bus, why, "use another bus, e.g. virtio or sata"))
    if problems:
        raise SpecError("the disks cannot be placed", problems)
    return tuple(placed)


def place_disk(disk: DiskSpec, taken: Iterable[str], *, drive_bus: Bus = "ide") -> DiskSpec:
    """Return one more disk of a domain, with a bus and the next free target.

    Args:
        disk: the disk; a target that it has stays.
        taken: the targets of the domain.
        drive_bus: the bus of a CD drive that names none.
    """
    bus = disk.bus or _usual_bus(disk, drive_bus)
    return disk.replace(bus=bus, target=disk.target or _free_target(_PREFIX[bus], set(taken)))


def _usual_bus(disk: DiskSpec, drive_bus: Bus) -> Bus:
    for bus, prefix in _PREFIX.items():
        # A target names its bus, as in virsh attach-disk; sd is shared by three.
        if disk.target and prefix != "sd" and disk.target.startswith(prefix):
            return bus
    if disk.device == "floppy":
        return "fdc"
    if disk.target and disk.target.startswith("sd"):
        return "sata" if disk.device == "cdrom" else "scsi"
    return drive_bus if disk.device == "cdrom" else "virtio"


def _free_target(prefix: str, taken: set[str]) -> str:
    number = 0
    while (name := prefix + _letters(number)) in taken:
        number += 1
    return name


def _letters(number: int) -> str:
    """Return a, b ... z, aa, ab ... as Linux names its disks."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
