"""One look at all networks of a host: addresses, DHCP, leases, and who is connected to each."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.connection import network as networks
from labvirt.errors import LabvirtError
from labvirt.host.networks.network_guests import NetworkGuest, guests_by_network
from labvirt.model.xml.network import NetworkXml

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.status import LeaseRecord, NetworkRecord

__all__ = ["NetworkLook", "look_at_networks"]


@dataclass(frozen=True, slots=True)
class NetworkLook:
    """A network with what is known of it besides its record.

    Attributes:
        record: the record.
        addresses: addresses of the host in it, with prefix: ``192.168.122.1/24``.
        ranges: what DHCP hands out: ``192.168.122.2 - 192.168.122.254``.
        device: the host's device that it goes out by; empty when it is not bound to one.
        domain: its DNS domain; empty when it has none.
        leases: its DHCP leases; empty while it is stopped.
        guests: the interfaces of domains that are connected to it, running or not.
    """

    record: NetworkRecord
    addresses: tuple[str, ...] = ()
    ranges: tuple[str, ...] = ()
    device: str = ""
    domain: str = ""
    leases: tuple[LeaseRecord, ...] = ()
    guests: tuple[NetworkGuest, ...] = ()

    def holder(self, lease: LeaseRecord) -> str:
        """Return the name of the domain that holds a lease; empty when none is known."""
        if not lease.mac:
            return ""
        return next((one.domain for one in self.guests if one.mac == lease.mac), "")

    @property
    def domains(self) -> dict[str, bool]:
        """The domains that are connected to it, and whether each runs."""
        return {one.domain: one.is_active for one in self.guests}


def look_at_networks(host: Host) -> tuple[NetworkLook, ...]:
    """Read all networks of a host with leases and guests; by name.

    Raises:
        LabvirtError: the host gives no answer.
    """
    records = sorted(host.networks.records, key=lambda one: one.name)
    guests = guests_by_network(host, records) if records else {}
    return tuple(_look(host, record, guests.get(record.uuid, ())) for record in records)


def _look(host: Host, record: NetworkRecord, guests: tuple[NetworkGuest, ...]) -> NetworkLook:
    link = host.connection
    try:
        document = NetworkXml.parse(networks.xml(link, record.uuid))
    except LabvirtError:
        return NetworkLook(record, guests=guests)  # gone meanwhile, or nothing that we can read
    leases: tuple[LeaseRecord, ...] = ()
    if record.is_active:
        # It may stop between the look and the call; some drivers know no leases.
        with contextlib.suppress(LabvirtError):
            leases = tuple(networks.leases(link, record.uuid))
    return NetworkLook(
        record,
        addresses=tuple(str(one.interface) for one in document.ips if one.interface is not None),
        ranges=tuple(f"{one.start} - {one.end}" for ip in document.ips for one in ip.ranges),
        device=document.forward_dev or "",
        domain=document.domain or "",
        leases=leases,
        guests=guests,
    )
