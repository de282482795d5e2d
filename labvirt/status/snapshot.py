"""What a snapshot of a domain is at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["SnapshotDisk", "SnapshotRecord"]


@dataclass(frozen=True, slots=True)
class SnapshotDisk:
    """How one disk takes part in a snapshot.

    Attributes:
        target: the disk: ``vda``.
        location: ``internal``, ``external`` or ``no``.
        overlay: the file that an external snapshot made and the domain wrote to afterwards.
        base: the file that holds the state of the disk at the time of the snapshot.
        base_format: its format.
    """

    target: str
    location: str
    overlay: str = ""
    base: str = ""
    base_format: str = ""


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """One snapshot (``virsh snapshot-info``).

    Attributes:
        domain: UUID of its domain.
        name: the name, unique in the domain.
        parent: name of the snapshot it grew from; empty for a root.
        state: what the domain was: ``running``, ``paused``, ``shutoff``, ``disk-snapshot`` ...
        description: any text.
        created: when it was made, UTC.
        location: ``internal``, ``external``, ``mixed``, or ``none`` when no disk takes part.
        memory: ``internal``, ``external`` or ``none``.
        memory_file: file with the memory; empty unless it is external.
        disks: the disks.
        is_current: the domain's disks go on from this one.
        read_at: when it was read, UTC.
    """

    kind: ClassVar[str] = "snapshot"

    domain: str
    name: str
    parent: str
    state: str
    description: str
    created: datetime
    location: str
    memory: str
    memory_file: str
    disks: tuple[SnapshotDisk, ...]
    is_current: bool
    read_at: datetime = field(compare=False)

    @property
    def uuid(self) -> str:
        """Domain and name together: what a collection knows it by."""
        return f"{self.domain}/{self.name}"

    @property
    def is_external(self) -> bool:
        """Whether any part of it lies in files of its own."""
        return self.location in ("external", "mixed") or self.memory == "external"

    @property
    def overlays(self) -> dict[str, str]:
        """The files made by an external snapshot, by disk."""
        return {disk.target: disk.overlay for disk in self.disks if disk.overlay}

    @property
    def bases(self) -> dict[str, str]:
        """The files that hold the state of an external snapshot, by disk."""
        return {
            disk.target: disk.base
            for disk in self.disks
            if disk.location == "external" and disk.base
        }
