"""Who is on a virtual network: the interfaces of domains that are connected to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from labvirt.connection import domain as domains
from labvirt.errors import NotFoundError
from labvirt.host.collection import Table
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from labvirt.host.host import Host
    from labvirt.model.xml.devices import InterfaceXml
    from labvirt.status import DomainRecord, NetworkRecord

__all__ = ["LEASES", "NetworkGuest", "Rows", "guests_by_network", "guests_of"]

T = TypeVar("T")


@dataclass(frozen=True)
class NetworkGuest:
    """One interface of a domain on a network.

    Attributes:
        domain: name of the domain.
        uuid: UUID of the domain.
        is_active: whether the domain has a process now.
        mac: hardware address of the interface.
        device: the host's tap device; empty while the domain is off.
        model: the card the guest sees.
        portgroup: port group it names; empty when none.
        link_up: whether the cable is plugged in.
    """

    domain: str
    uuid: str
    is_active: bool
    mac: str
    device: str
    model: str
    portgroup: str
    link_up: bool


class Rows(tuple[T, ...]):
    """Records that show themselves as a table."""

    __slots__ = ()
    table: Table

    @property
    def df(self) -> pd.DataFrame:
        """All as a DataFrame: one row each, times in UTC."""
        return self.table.frame(self)

    def _repr_html_(self) -> str:
        return self.table.html(list(self), f"{len(self)} {self.table.kind}s")


def rows_of(table: Table) -> type[Rows[Any]]:
    """Return the kind of `Rows` with these columns."""
    return type(
        f"{table.kind.title().replace(' ', '')}s", (Rows,), {"table": table, "__slots__": ()}
    )


GUESTS = rows_of(
    Table(
        "guest",
        [
            ("domain", "", lambda r: r.domain),
            ("is_active", "", lambda r: r.is_active),
            ("mac", "", lambda r: r.mac),
            ("device", "", lambda r: r.device),
            ("model", "", lambda r: r.model),
            ("portgroup", "", lambda r: r.portgroup),
            ("link_up", "", lambda r: r.link_up),
            ("uuid", "", lambda r: r.uuid),
        ],
    )
)
LEASES = rows_of(
    Table(
        "lease",
        [
            ("hostname", "", lambda r: r.hostname),
            ("mac", "", lambda r: r.mac),
            ("address", "", lambda r: r.address),
            ("prefix", "bits", lambda r: r.prefix),
            ("family", "", lambda r: r.family),
            ("client_id", "", lambda r: r.client_id),
            ("expires_at", "UTC", lambda r: r.expires_at),
        ],
    )
)


def guests_of(
    host: Host, network: NetworkRecord, *, active_only: bool = False
) -> Rows[NetworkGuest]:
    """Return the interfaces of domains on a network: those that run, and those that would.

    An interface on the network's bridge by name counts too.

    Args:
        host: the host.
        network: which network.
        active_only: only domains with a process.
    """
    return guests_by_network(host, (network,), active_only=active_only)[network.uuid]


def guests_by_network(
    host: Host, networks: Sequence[NetworkRecord], *, active_only: bool = False
) -> dict[str, Rows[NetworkGuest]]:
    """Return the same of several networks, by their UUIDs; every domain is read once."""
    found: dict[str, list[NetworkGuest]] = {one.uuid: [] for one in networks}
    for record in domains.list_all(host.connection):
        if active_only and record.id is None:
            continue
        try:
            document = DomainXml.parse(domains.xml(host.connection, record.uuid))
        except NotFoundError:
            continue
        for one in document.interfaces:
            for network in networks:
                if _is_on(one, network):
                    found[network.uuid].append(_guest(record, one))
    return {uuid: GUESTS(guests) for uuid, guests in found.items()}


def _is_on(one: InterfaceXml, network: NetworkRecord) -> bool:
    on_bridge = bool(network.bridge) and one.source_bridge == network.bridge
    return one.source_network == network.name or (one.type == "bridge" and on_bridge)


def _guest(record: DomainRecord, one: InterfaceXml) -> NetworkGuest:
    return NetworkGuest(
        domain=record.name,
        uuid=record.uuid,
        is_active=record.id is not None,
        mac=one.mac or "",
        device=one.target_dev or "",
        model=one.model or "",
        portgroup=one.source_portgroup or "",
        link_up=one.link_state != "down",
    )
