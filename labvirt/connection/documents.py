"""Every definition of every domain at once: live, stored and of its snapshots, in one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, flag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.connection.connection import Connection

__all__ = ["DomainDocuments", "domain_documents"]


@dataclass(frozen=True, slots=True)
class DomainDocuments:
    """What is written about one domain.

    Attributes:
        name: its name.
        uuid: its UUID.
        active: whether it has a process.
        xml: what it is; of an active one the live definition.
        stored: what it will be at its next start; empty when that is `xml`, or there is none.
        snapshots: name and XML of each snapshot.
    """

    name: str
    uuid: str
    active: bool
    xml: str
    stored: str
    snapshots: tuple[tuple[str, str], ...]


def domain_documents(conn: Connection) -> tuple[DomainDocuments, ...]:
    """Read the documents of all domains of a host."""
    return conn.call(
        "read the definitions of all domains", lambda raw: tuple(_all(raw)), timeout_s=SLOW_S
    )


def _all(raw: Any) -> Iterator[DomainDocuments]:
    for domain in raw.listAllDomains(0):
        try:
            yield _documents(domain)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_DOMAIN"):
                raise


def _documents(domain: Any) -> DomainDocuments:
    active = bool(domain.isActive())
    stored = ""
    if active and domain.isPersistent():
        stored = domain.XMLDesc(flag("DOMAIN_XML_INACTIVE"))
    return DomainDocuments(
        name=domain.name(),
        uuid=domain.UUIDString(),
        active=active,
        xml=domain.XMLDesc(0),
        stored=stored,
        snapshots=tuple(_snapshots(domain)),
    )


def _snapshots(domain: Any) -> Iterator[tuple[str, str]]:
    try:
        found = domain.listAllSnapshots(0)
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT"):
            return
        raise
    for snapshot in found:
        yield snapshot.getName(), snapshot.getXMLDesc(0)
