"""What the overview knows of hosts and domains beside their numbers, from records kept by events."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from labvirt.errors import LabvirtError
from labvirt.status.filtering import has_of
from labvirt.widgets.rows import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.host.host import Host
    from labvirt.status import DomainRecord

__all__ = ["HostRows"]


class HostRows:
    """The rows of one host: itself and its domains, active or not.

    What is asked of the host is asked once; afterwards its news are enough.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self._machine: tuple[int, int] | None = None
        self._leased: dict[str, tuple[str, ...]] = {}

    def read(self) -> tuple[Row, ...]:
        """Ask the host for its domains and machine, and return the rows."""
        if self._machine is None:
            try:
                info = self.host.info()
                self._machine = (info.cpus, int(info.memory))
            except LabvirtError:
                self._machine = None
        # Where the link is lost, the host's row says so, and the domains are those of before.
        with contextlib.suppress(LabvirtError):
            _ = self.host.domains.records
        return self.rows()

    def rows(self) -> tuple[Row, ...]:
        """Return the rows by the records last read; asks nobody."""
        host = self.host
        stale = host.stale_since.timestamp() if host.stale_since else None
        cpus, memory = self._machine or (0, 0)
        own = Row(
            host.name,
            name=host.name,
            state=host.state,
            text=host.state,
            vcpus=cpus,
            memory_bytes=memory,
            active=host.state == "connected",
            stale_since=stale,
        )
        leased = self._leased
        known = host.news.records("domain")
        return own, *(_domain(host.name, each, stale, leased) for each in known)

    def look(self) -> bool:
        """Ask the host's networks who has which address; returns whether that is news.

        It is one call for each active network, however many domains there are.
        """
        found: dict[str, tuple[str, ...]] = {}
        with contextlib.suppress(LabvirtError, AttributeError):
            for network in self.host.networks:
                if network.is_active:
                    for lease in network.leases():
                        found[lease.mac] = (*found.get(lease.mac, ()), lease.address)
            changed, self._leased = found != self._leased, found
            return changed
        return False


def _domain(
    host: str, record: DomainRecord, stale: float | None, leased: Mapping[str, tuple[str, ...]]
) -> Row:
    # A guest that is off keeps its lease for a while, but not its address.
    macs = record.macs if record.is_active else ()
    addresses = tuple(address for mac in macs for address in leased.get(mac, ()))
    return Row(
        host,
        record.uuid,
        record.name,
        id=record.id,
        state=record.state.value,
        text=record.state.text,
        reason=record.reason,
        vcpus=record.vcpus,
        memory_bytes=int(record.memory),
        tags=record.tags,
        active=record.is_active,
        stale_since=stale,
        title=record.title,
        description=record.description[:2000],
        os=record.os,
        addresses=addresses,
        macs=record.macs,
        has=has_of(record, addresses),
        autostart=record.autostart,
        persistent=record.persistent,
    )
