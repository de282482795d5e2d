"""What qemu-img tells of images, as frozen records; sizes are bytes, times are UTC."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labvirt.model.units import Size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "BenchRecord",
    "CheckRecord",
    "CompareRecord",
    "Extent",
    "ImageRecord",
    "MeasureRecord",
    "SnapshotRecord",
]


@dataclass(frozen=True)
class SnapshotRecord:
    """A snapshot inside an image.

    Attributes:
        id: its number as text.
        name: its name.
        vm_state_size: bytes of the guest's memory kept with it; 0 for a disk snapshot.
        when: when it was made.
    """

    id: str
    name: str
    vm_state_size: Size
    when: dt.datetime

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> SnapshotRecord:
        """Read qemu-img's JSON."""
        seconds = told.get("date-sec", 0) + told.get("date-nsec", 0) / 1e9
        return cls(
            id=str(told["id"]),
            name=str(told["name"]),
            vm_state_size=Size(told.get("vm-state-size", 0)),
            when=dt.datetime.fromtimestamp(seconds, dt.UTC),
        )


@dataclass(frozen=True)
class ImageRecord:
    """An image as it is (``qemu-img info``, G17.3-08).

    Attributes:
        path: the file.
        format: its format.
        virtual_size: what a guest sees.
        actual_size: what it takes on the disk of this machine.
        cluster_size: unit of allocation; None where the format has none.
        encryption: ``luks``, ``aes`` (old, unsafe) or empty.
        dirty: it was not closed in order: its counts may be wrong until it is repaired.
        corrupt: QEMU itself marked it as broken.
        backing: the image below it, as it stands in the header; None when there is none.
        backing_path: the same as a full path.
        backing_format: its format; empty when the header does not say, which QEMU then guesses.
        snapshots: snapshots inside it.
        details: what only this format has.
        chain: the images below it, nearest first.
        in_use: another process has it open for writing; what was read may be changing.
        read_at: when it was read.
    """

    path: str
    format: str
    virtual_size: Size
    actual_size: Size
    cluster_size: int | None
    encryption: str
    dirty: bool
    corrupt: bool
    backing: str | None
    backing_path: str | None
    backing_format: str
    snapshots: tuple[SnapshotRecord, ...]
    read_at: dt.datetime
    details: Mapping[str, Any] = field(default_factory=dict)
    chain: tuple[ImageRecord, ...] = ()
    in_use: bool = False

    @classmethod
    def of(
        cls, told: Sequence[Mapping[str, Any]], *, in_use: bool, now: dt.datetime
    ) -> ImageRecord:
        """Read qemu-img's JSON: the image itself first, then what it stands on."""
        below = tuple(cls._one(one, now=now) for one in told[1:])
        return cls._one(told[0], now=now, chain=below, in_use=in_use)

    @classmethod
    def _one(
        cls,
        told: Mapping[str, Any],
        *,
        now: dt.datetime,
        chain: tuple[ImageRecord, ...] = (),
        in_use: bool = False,
    ) -> ImageRecord:
        details = told.get("format-specific", {}).get("data", {})
        encryption = details.get("encrypt", {}).get("format", "") if told.get("encrypted") else ""
        if told["format"] == "luks":
            encryption = "luks"
        elif told.get("encrypted") and not encryption:
            encryption = "aes"
        backing = told.get("backing-filename")
        return cls(
            path=str(told["filename"]),
            format=str(told["format"]),
            virtual_size=Size(told["virtual-size"]),
            actual_size=Size(told.get("actual-size", 0)),
            cluster_size=told.get("cluster-size"),
            encryption=encryption,
            dirty=bool(told.get("dirty-flag")),
            corrupt=bool(details.get("corrupt")),
            backing=backing,
            backing_path=told.get("full-backing-filename", backing),
            backing_format=told.get("backing-filename-format", ""),
            snapshots=tuple(SnapshotRecord.of(one) for one in told.get("snapshots", ())),
            details=details,
            chain=chain,
            in_use=in_use,
            read_at=now,
        )


@dataclass(frozen=True)
class CheckRecord:
    """What is wrong with an image (``qemu-img check``).

    Attributes:
        path: the file.
        format: its format.
        errors: faults that lose data.
        leaks: clusters that nobody uses: space is lost, no data.
        errors_fixed: faults that were repaired.
        leaks_fixed: clusters that were given back.
        allocated: clusters in use; 0 where the format does not count.
        total: clusters of the image.
        fragmented: clusters that do not follow their neighbour.
        compressed: clusters that are compressed.
    """

    path: str
    format: str
    errors: int
    leaks: int
    errors_fixed: int
    leaks_fixed: int
    allocated: int
    total: int
    fragmented: int
    compressed: int

    @property
    def is_clean(self) -> bool:
        """True when nothing is wrong."""
        return not self.errors and not self.leaks

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> CheckRecord:
        """Read qemu-img's JSON; after a repair it tells what it found as fixed."""
        return cls(
            path=str(told["filename"]),
            format=str(told["format"]),
            errors=told.get("corruptions", 0) + told.get("check-errors", 0),
            leaks=told.get("leaks", 0),
            errors_fixed=told.get("corruptions-fixed", 0),
            leaks_fixed=told.get("leaks-fixed", 0),
            allocated=told.get("allocated-clusters", 0),
            total=told.get("total-clusters", 0),
            fragmented=told.get("fragmented-clusters", 0),
            compressed=told.get("compressed-clusters", 0),
        )


@dataclass(frozen=True)
class MeasureRecord:
    """How much space a converted image would take (``qemu-img measure``).

    Attributes:
        required: bytes for what the image holds now.
        full: bytes when the guest has written every block.
    """

    required: Size
    full: Size


@dataclass(frozen=True)
class CompareRecord:
    """Whether two images show the guest the same (``qemu-img compare``).

    Attributes:
        equal: they do.
        said: what qemu-img said: where the first difference is.
    """

    equal: bool
    said: str


@dataclass(frozen=True)
class BenchRecord:
    """How fast an image answers (``qemu-img bench``).

    Attributes:
        requests: how many were made.
        size: bytes of each.
        seconds: time for all of them.
        writes: they were writes.
    """

    requests: int
    size: Size
    seconds: float
    writes: bool

    @property
    def bytes_per_second(self) -> float:
        """The throughput."""
        return self.requests * self.size / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Extent:
    """A stretch of an image (``qemu-img map``).

    Attributes:
        start: where it begins for the guest.
        length: how long it is.
        depth: which image of the chain holds it: 0 is the image itself.
        present: some image of the chain holds it.
        zero: it reads as zeroes.
        data: bytes are stored for it.
        offset: where they are in the file; None when they cannot be told.
    """

    start: int
    length: int
    depth: int
    present: bool
    zero: bool
    data: bool
    offset: int | None
