"""What a storage pool is at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

    from labvirt.model.units import Size

__all__ = ["PoolRecord", "PoolState"]


class PoolState(Enum):
    """Libvirt's own states of a storage pool; the value is libvirt's name in lower case."""

    INACTIVE = "inactive"
    BUILDING = "building"
    RUNNING = "running"
    DEGRADED = "degraded"
    INACCESSIBLE = "inaccessible"

    @classmethod
    def of(cls, number: int) -> PoolState:
        """Return the state with libvirt's number; an unknown number reads as INACCESSIBLE."""
        return _BY_NUMBER.get(number, cls.INACCESSIBLE)


_BY_NUMBER = dict(enumerate(PoolState))


@dataclass(frozen=True, slots=True)
class PoolRecord:
    """One storage pool (``virsh pool-info``).

    Attributes:
        uuid: the identity, dashed, lower case.
        name: the name.
        type: libvirt's pool type: ``dir``, ``fs``, ``logical`` ...
        state: libvirt's state.
        persistent: whether a definition remains when it stops.
        autostart: whether it starts with the host's daemon.
        capacity: bytes in all; 0 while inactive.
        allocation: bytes taken; 0 while inactive.
        available: bytes free; 0 while inactive.
        path: its folder or device on the host; empty when it has none.
        read_at: when it was read, aware, UTC.
    """

    kind: ClassVar[str] = "pool"

    uuid: str
    name: str
    type: str
    state: PoolState
    persistent: bool
    autostart: bool
    capacity: Size
    allocation: Size
    available: Size
    path: str
    read_at: datetime = field(compare=False)

    @property
    def is_active(self) -> bool:
        """Whether the pool is started."""
        return self.state is not PoolState.INACTIVE
