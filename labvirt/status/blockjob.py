"""What a block job of a disk is at one moment: commit, pull, copy or backup under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

    from labvirt.model.units import Size

__all__ = ["BlockJobRecord"]


@dataclass(frozen=True, slots=True)
class BlockJobRecord:
    """One block job (``virsh blockjob``).

    Attributes:
        domain: UUID of the domain.
        target: the disk: ``vda``.
        type: ``pull``, ``copy``, ``commit``, ``active-commit`` or ``backup``.
        done: bytes worked through.
        total: bytes to work through; grows when the guest writes meanwhile.
        limit: most bytes per second; 0 for no limit.
        is_ready: a copy or an active commit has caught up, and may be ended or pivoted.
        read_at: when it was read, UTC.
    """

    kind: ClassVar[str] = "blockjob"

    domain: str
    target: str
    type: str
    done: Size
    total: Size
    limit: Size
    is_ready: bool
    read_at: datetime = field(compare=False)

    @property
    def fraction(self) -> float:
        """Part that is done, 0..1."""
        return self.done / self.total if self.total else 0.0

    def __str__(self) -> str:
        ready = ", ready" if self.is_ready else ""
        return f"{self.type} of {self.target}: {self.done} of {self.total}{ready}"
