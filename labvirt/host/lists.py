"""The collections of a host, and its networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from labvirt.connection import domain as domains
from labvirt.connection import network as networks
from labvirt.connection import pool as pools
from labvirt.host.collection import Collection, Table
from labvirt.host.domain import Domain
from labvirt.host.networks.network import Network
from labvirt.host.storage.pool import Pool

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.status import NetworkRecord

__all__ = ["domains_of", "networks_of", "pools_of"]

T = TypeVar("T")
_TRIES = 3

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

    def read() -> tuple[NetworkRecord, ...]:
        # Events keep the records up to date: what of a network needs its XML is read once. An
        # event that comes meanwhile makes the reading worthless.
        records: tuple[NetworkRecord, ...] = ()
        for _ in range(_TRIES):
            mark, known = host.news.settled("network")
            records = networks.list_all(host.connection, known)
            if host.news.note_all_since("network", records, mark):
                return records
        return networks.list_all(host.connection)

    return Collection(
        "network",
        host.name,
        records=read,
        wrap=lambda record: Network(host, record),
        table=NETWORKS,
        cached=lambda: (host.news.records("network"), host.stale_since),
    )


def pools_of(host: Host) -> Collection[Pool]:
    """Return the storage pools of a host."""
    return _collection(host, "pool", pools, lambda r: Pool(host, r.uuid, r.name), POOLS)
