"""What a storage volume is at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

    from labvirt.model.units import Size

__all__ = ["VolumeRecord"]


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """One volume of a storage pool (``virsh vol-info``).

    Attributes:
        pool: name of its pool.
        name: the name, unique in the pool.
        key: libvirt's key, unique on the host; it takes the place of a UUID.
        path: where domains find it.
        type: ``file``, ``block``, ``dir``, ``network`` ...
        format: ``raw``, ``qcow2`` ...; empty when the pool does not say.
        capacity: bytes a guest sees.
        allocation: bytes taken on the host.
        backing_path: what it is laid over; empty when it stands alone.
        backing_format: format of the backing; empty likewise.
        read_at: when it was read, aware, UTC.
    """

    kind: ClassVar[str] = "volume"

    pool: str
    name: str
    key: str
    path: str
    type: str
    format: str
    capacity: Size
    allocation: Size
    backing_path: str
    backing_format: str
    read_at: datetime = field(compare=False)

    @property
    def uuid(self) -> str:
        """The key, under the name by which the store keeps every kind of record."""
        return self.key
