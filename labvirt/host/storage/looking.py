"""One look at the pools of a host and at the volumes of a pool: space, promises, chains, users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.errors import LabvirtError
from labvirt.host.storage.inventory import inventory
from labvirt.host.storage.users import Sight
from labvirt.model.units import Size

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.host.storage.pool import Pool
    from labvirt.host.storage.users import FileUser
    from labvirt.status import PoolRecord, VolumeRecord

__all__ = ["PoolLook", "VolumeLook", "look_at_pools", "look_at_volumes"]

#: A chain longer than this goes round in circles.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class PoolLook:
    """A pool with what its volumes may need.

    Attributes:
        record: the record.
        volumes: how many volumes it has; None when that is not known: it is stopped.
        promised: what its volumes may grow to together; None likewise.
    """

    record: PoolRecord
    volumes: int | None = None
    promised: Size | None = None

    @property
    def taken(self) -> float | None:
        """The share of its space that is taken, 0 to 1; None when it tells no capacity."""
        return self.record.allocation / self.record.capacity if self.record.capacity else None

    @property
    def overcommit(self) -> float | None:
        """What is promised, as a multiple of the capacity; above 1 the pool can become full."""
        if self.promised is None or not self.record.capacity:
            return None
        return self.promised / self.record.capacity


@dataclass(frozen=True, slots=True)
class VolumeLook:
    """A volume with what lies below it and who uses it.

    Attributes:
        record: the record.
        kind: type of its pool.
        chain: paths of the images below it, nearest first; what is known without opening them.
        users: who uses it: domains, snapshots, volumes laid over it.
    """

    record: VolumeRecord
    kind: str
    chain: tuple[str, ...] = ()
    users: tuple[FileUser, ...] = ()


def look_at_pools(host: Host) -> tuple[PoolLook, ...]:
    """Read all pools of a host, and what the volumes of each may need; by name.

    Raises:
        LabvirtError: the host gives no answer.
    """
    return tuple(
        _look(host, record) for record in sorted(host.pools.records, key=lambda one: one.name)
    )


def _look(host: Host, record: PoolRecord) -> PoolLook:
    if not record.is_active:
        return PoolLook(record)
    try:
        found = inventory(host, record.uuid, record.name, record.type)
    except LabvirtError:
        return PoolLook(record)  # stopped meanwhile, or its server is away
    return PoolLook(record, len(found), Size(sum(one.capacity for one in found)))


def look_at_volumes(pool: Pool) -> tuple[VolumeLook, ...]:
    """Read the volumes of a pool with chains and users; by name.

    Raises:
        ConflictError: the pool is stopped.
        LabvirtError: the host gives no answer.
    """
    kind = pool.info().type
    records = sorted(pool.volumes.records, key=lambda one: one.name)
    if not records:
        return ()
    sight = Sight(pool.host)
    below = {one.path: one.backing_path for one in records}
    return tuple(
        VolumeLook(one, kind, _chain(one.path, below), sight.users(one.path)) for one in records
    )


def _chain(path: str, below: dict[str, str]) -> tuple[str, ...]:
    found: list[str] = []
    while (path := below.get(path, "")) and path not in found and len(found) < _LONGEST:
        found.append(path)
    return tuple(found)
