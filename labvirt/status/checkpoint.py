"""What a checkpoint of a domain is at one moment: since when changed blocks are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["CheckpointRecord"]


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """One checkpoint (``virsh checkpoint-dumpxml``).

    Attributes:
        domain: UUID of its domain.
        name: the name, unique in the domain.
        parent: name of the checkpoint before it; empty for the first.
        description: any text.
        created: when it was made, UTC.
        bitmaps: name of the dirty bitmap of each disk that is tracked, by disk.
        read_at: when it was read, UTC.
    """

    kind: ClassVar[str] = "checkpoint"

    domain: str
    name: str
    parent: str
    description: str
    created: datetime
    bitmaps: tuple[tuple[str, str], ...]
    read_at: datetime = field(compare=False)

    @property
    def uuid(self) -> str:
        """Domain and name together: what a collection knows it by."""
        return f"{self.domain}/{self.name}"

    @property
    def targets(self) -> tuple[str, ...]:
        """The disks that are tracked."""
        return tuple(target for target, _ in self.bitmaps)
