"""The collection of a pool's volumes: names in one call, records in as few as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.host.collection import Collection, Table
from labvirt.host.storage.inventory import inventory
from labvirt.host.storage.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.storage.pool import Pool

__all__ = ["VOLUMES", "volumes_of"]

VOLUMES = Table(
    "volume",
    [
        ("name", "", lambda r: r.name),
        ("format", "", lambda r: r.format),
        ("capacity", "bytes", lambda r: r.capacity),
        ("allocation", "bytes", lambda r: r.allocation),
        ("backing_path", "", lambda r: r.backing_path),
        ("path", "", lambda r: r.path),
        ("read_at", "UTC", lambda r: r.read_at),
    ],
)


class _Volumes(Collection[Volume]):
    """The volumes of one pool; what needs only names asks only for names."""

    pool: Pool

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, key: object) -> bool:
        return key in self.names or (str(key).startswith("/") and super().__contains__(key))

    @property
    def names(self) -> list[str]:
        """Names, sorted: one call, however many there are."""
        if self._only is not None:
            return super().names
        return sorted(volumes.names(self.pool.host.connection, self.pool.uuid))

    def __getitem__(self, key: int | str) -> Volume:
        """Return the volume with this name or path.

        Raises:
            NotFoundError: there is none; suggests the nearest.
        """
        if self._only is not None or not isinstance(key, str) or key.startswith("/"):
            return super().__getitem__(key)
        return Volume(self.pool, volumes.read(self.pool.host.connection, self.pool.uuid, key))


def volumes_of(pool: Pool) -> Collection[Volume]:
    """Return the volumes of a pool."""

    def read() -> Sequence[Any]:
        kind = pools.read(pool.host.connection, pool.uuid).type
        return inventory(pool.host, pool.uuid, pool.name, kind)

    made = _Volumes(
        "volume",
        f"pool {pool.name} of {pool.host.name}",
        records=read,
        wrap=lambda record: Volume(pool, record),
        table=VOLUMES,
        cached=lambda: ((), None),
    )
    made.pool = pool
    return made
