"""The collections of a host and the small objects in them: networks, pools, volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from labvirt.connection import domain as domains
from labvirt.connection import network as networks
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.host.collection import Collection, Table
from labvirt.host.domain import Domain
from labvirt.model.units import Size

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.status import LeaseRecord, NetworkRecord, PoolRecord, VolumeRecord

__all__ = ["Network", "Pool", "Volume", "domains_of", "networks_of", "pools_of"]

T = TypeVar("T")

DOMAINS = Table(
    "domain",
    [
        ("id", "", lambda r: r.id),
        ("name", "", lambda r: r.name),
        ("state", "", lambda r: r.state.text),
        ("reason", "", lambda r: r.reason),
        ("vcpus", "", lambda r: r.vcpus),
        ("memory", "bytes", lambda r: r.memory),
        ("max_memory", "bytes", lambda r: r.max_memory),
        ("cpu_time_ns", "ns", lambda r: r.cpu_time_ns),
        ("autostart", "", lambda r: r.autostart),
        ("persistent", "", lambda r: r.persistent),
        ("title", "", lambda r: r.title),
        ("tags", "", lambda r: r.tags),
        ("uuid", "", lambda r: r.uuid),
        ("read_at", "UTC", lambda r: r.read_at),
    ],
)
NETWORKS = Table(
    "network",
    [
        ("name", "", lambda r: r.name),
        ("active", "", lambda r: r.is_active),
        ("autostart", "", lambda r: r.autostart),
        ("persistent", "", lambda r: r.persistent),
        ("forward", "", lambda r: r.forward),
        ("bridge", "", lambda r: r.bridge),
        ("uuid", "", lambda r: r.uuid),
        ("read_at", "UTC", lambda r: r.read_at),
    ],
)
POOLS = Table(
    "pool",
    [
        ("name", "", lambda r: r.name),
        ("type", "", lambda r: r.type),
        ("state", "", lambda r: r.state.value),
        ("autostart", "", lambda r: r.autostart),
        ("capacity", "bytes", lambda r: r.capacity),
        ("allocation", "bytes", lambda r: r.allocation),
        ("available", "bytes", lambda r: r.available),
        ("path", "", lambda r: r.path),
        ("uuid", "", lambda r: r.uuid),
        ("read_at", "UTC", lambda r: r.read_at),
    ],
)
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


class _Named:
    """Something of a host with a name and a UUID."""

    def __init__(self, host: Host, record: Any) -> None:
        self.host = host
        self.uuid: str = record.uuid
        self.name: str = record.name

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<{type(self).__name__} {self.name} on {self.host.name}>"


class Network(_Named):
    """A virtual network of a host."""

    def info(self) -> NetworkRecord:
        """Read the network now."""
        return networks.read(self.host.connection, self.uuid)

    def xml(self, *, inactive: bool = False) -> str:
        """Return the network's XML (G15-43)."""
        return networks.xml(self.host.connection, self.uuid, inactive=inactive)

    def leases(self) -> tuple[LeaseRecord, ...]:
        """Return the DHCP leases of the network."""
        return networks.leases(self.host.connection, self.uuid)


class Volume(_Named):
    """A volume of a pool."""

    def __init__(self, pool: Pool, record: VolumeRecord) -> None:
        super().__init__(pool.host, record)
        self.pool = pool
        self.path = record.path

    def info(self) -> VolumeRecord:
        """Read the volume now."""
        return volumes.read(self.host.connection, self.pool.uuid, self.name)

    def users(self) -> tuple[str, ...]:
        """Return the names of the domains that use the volume."""
        return self.host.users_of(self.path)


class Pool(_Named):
    """A storage pool of a host."""

    def info(self) -> PoolRecord:
        """Read the pool now."""
        return pools.read(self.host.connection, self.uuid)

    def xml(self) -> str:
        """Return the pool's XML."""
        return pools.xml(self.host.connection, self.uuid)

    def refresh(self) -> None:
        """Let libvirt look for volumes that came or went behind its back."""
        pools.refresh(self.host.connection, self.uuid)

    @property
    def volumes(self) -> Collection[Volume]:
        """The volumes of the pool, by name."""
        return Collection(
            "volume",
            f"pool {self.name} of {self.host.name}",
            records=lambda: volumes.list_all(self.host.connection, self.uuid),
            wrap=lambda record: Volume(self, record),
            table=VOLUMES,
            cached=lambda: ((), None),
        )

    @property
    def available(self) -> Size:
        """Free space now, in bytes."""
        return Size(self.info().available)


def _collection(
    host: Host, kind: str, calls: Any, wrap: Callable[[Any], T], table: Table
) -> Collection[T]:
    def read() -> Sequence[Any]:
        records: tuple[Any, ...] = calls.list_all(host.connection)
        host.news.note_all(kind, records)
        return records

    def cached() -> tuple[Sequence[Any], dt.datetime | None]:
        return host.news.records(kind), host.stale_since

    return Collection(
        kind, host.name, records=read, wrap=wrap, table=table, cached=cached, host=host
    )


def domains_of(host: Host) -> Collection[Domain]:
    """Return the domains of a host."""
    return _collection(host, "domain", domains, lambda r: Domain(host, r.uuid, r.name), DOMAINS)


def networks_of(host: Host) -> Collection[Network]:
    """Return the virtual networks of a host."""
    return _collection(host, "network", networks, lambda r: Network(host, r), NETWORKS)


def pools_of(host: Host) -> Collection[Pool]:
    """Return the storage pools of a host."""
    return _collection(host, "pool", pools, lambda r: Pool(host, r), POOLS)
