"""What a host has already, and what a newcomer must therefore not bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import domain as domains
from labvirt.errors import ConflictError, NotFoundError
from labvirt.host.actions import require_new_domain
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.host import Host
    from labvirt.model.domain import DomainSpec

__all__ = ["Present", "twins"]


class Present:
    """What the host has already: names, UUIDs and MAC addresses with their owners."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.uuids: dict[str, str] = {}
        self.macs: dict[str, str] = {}
        for record in domains.list_all(host.connection):
            self.uuids[record.uuid] = record.name
            try:
                document = DomainXml.parse(domains.xml(host.connection, record.uuid))
            except NotFoundError:
                continue
            self.macs |= {i.mac: record.name for i in document.interfaces if i.mac}

    def refuse_twins(self, spec: DomainSpec) -> None:
        """Refuse a name, UUID or MAC address that a domain of the host has already.

        Raises:
            ConflictError: says who has it.
        """
        require_new_domain(self._host, spec.name)
        taken = {"UUID": self.uuids.get(str(spec.uuid))} if spec.uuid else {}
        for interface in spec.interfaces:
            if interface.mac in self.macs:
                taken[f"MAC address {interface.mac}"] = self.macs[interface.mac]
        for what, owner in taken.items():
            if owner is not None:
                raise ConflictError(
                    f"create domain {spec.name}",
                    uri=self._host.label,
                    libvirt_text=f"the {what} belongs to domain {owner}",
                    hint="leave it out: a free one is made",
                )


def twins(host: Host, document: DomainXml, uuid: str | None) -> Iterator[str]:
    """Yield what of a domain's XML another domain has already: MAC addresses and images.

    Args:
        host: where to look.
        document: the XML, of a domain or of a part of one.
        uuid: the domain itself; its own images are no matter. None for a new domain.
    """
    present = Present(host)
    own = next((name for known, name in present.uuids.items() if known == uuid), None)
    for interface in document.interfaces:
        owner = present.macs.get(interface.mac or "")
        if owner not in (None, own):
            yield f"the MAC address {interface.mac} belongs to domain {owner}"
    for disk in document.disks:
        if disk.source_path is None or disk.readonly or disk.shareable or disk.device == "cdrom":
            continue
        users = [name for name in host.users_of(disk.source_path) if name != own]
        if users:
            yield f"{disk.source_path} belongs to {', '.join(users)}"
