"""Snapshots of domains: reading, making, reverting to, deleting; freezing the guest meanwhile."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, bits, on_domain
from labvirt.errors import ConflictError
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.snapshot import SnapshotXml
from labvirt.status.snapshot import SnapshotDisk, SnapshotRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection.connection import Connection

__all__ = [
    "create",
    "delete",
    "freeze",
    "list_all",
    "read",
    "redefine",
    "revert",
    "thaw",
    "xml",
]


def list_all(conn: Connection, uuid: str) -> tuple[SnapshotRecord, ...]:
    """Read every snapshot of a domain, parents before their children (``virsh snapshot-list``)."""

    def look(domain: Any) -> tuple[SnapshotRecord, ...]:
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL
        try:
            found = domain.listAllSnapshots(flags)
        except libvirt.libvirtError as error:
            if is_code(error, "NO_SUPPORT"):
                return ()  # this driver has no snapshots
            raise
        return tuple(_record(one, uuid, conn.now()) for one in found)

    return on_domain(conn, uuid, "list the snapshots of", look)


def _record(snapshot: Any, uuid: str, now: dt.datetime) -> SnapshotRecord:
    return record_of(
        SnapshotXml.parse(snapshot.getXMLDesc(0)),
        uuid,
        is_current=bool(snapshot.isCurrent(0)),
        now=now,
    )


def record_of(
    document: SnapshotXml, uuid: str, *, is_current: bool, now: dt.datetime
) -> SnapshotRecord:
    """Return the record of a snapshot from its XML."""
    bases = {}
    element = document.element.find("domain")
    if element is not None:
        bases = {
            disk.target: (disk.source_path or "", disk.driver_type or "raw")
            for disk in DomainXml(element, document.doc).disks
        }
    disks = []
    for disk in document.disks:
        target, location = disk.name or "", disk.snapshot or "no"
        base, base_format = bases.get(target, ("", ""))
        overlay = (disk.source_file or disk.source_dev or "") if location == "external" else ""
        disks.append(SnapshotDisk(target, location, overlay, base, base_format))
    kinds = {disk.location for disk in disks if disk.location != "no"}
    memory = document.memory or "no"
    return SnapshotRecord(
        domain=uuid,
        name=document.name or "",
        parent=document.parent or "",
        state=document.state or "",
        description=document.description or "",
        created=dt.datetime.fromtimestamp(document.creation_time or 0, dt.UTC),
        location=kinds.pop() if len(kinds) == 1 else ("mixed" if kinds else "none"),
        memory="none" if memory == "no" else memory,
        memory_file=document.memory_file or "",
        disks=tuple(disks),
        is_current=is_current,
        read_at=now,
    )


def _on_snapshot(
    conn: Connection,
    uuid: str,
    name: str,
    verb: str,
    fn: Callable[[Any], Any],
    *,
    timeout_s: float | None = SLOW_S,
) -> Any:
    return on_domain(
        conn,
        uuid,
        f"{verb} snapshot {name} of",
        lambda domain: fn(domain.snapshotLookupByName(name, 0)),
        timeout_s=timeout_s,
    )


def read(conn: Connection, uuid: str, name: str) -> SnapshotRecord:
    """Read one snapshot.

    Raises:
        NotFoundError: there is none of that name.
    """
    found: SnapshotRecord = _on_snapshot(
        conn, uuid, name, "read", lambda one: _record(one, uuid, conn.now())
    )
    return found


def xml(conn: Connection, uuid: str, name: str, *, secure: bool = False) -> str:
    """Return a snapshot's XML (``virsh snapshot-dumpxml``); with passwords when `secure`."""
    flags = bits(DOMAIN_SNAPSHOT_XML_SECURE=secure)
    return str(_on_snapshot(conn, uuid, name, "read the XML of", lambda one: one.getXMLDesc(flags)))


def create(
    conn: Connection,
    uuid: str,
    xml: str,
    *,
    disk_only: bool = False,
    live: bool = False,
    remembered: bool = True,
    quiesce: bool = False,
) -> None:
    """Make a snapshot; all disks together or none. Blocks to the end.

    Args:
        conn: the connection.
        uuid: which domain.
        xml: what is asked for.
        disk_only: keep no memory of a domain that runs.
        live: let it run while external memory is written.
        remembered: libvirt keeps it in its list; else only the disks get their new files.
        quiesce: let the guest agent write everything out and hold still meanwhile.

    Raises:
        ConflictError: the name is taken, or the agent does not answer.
    """
    flags = bits(
        DOMAIN_SNAPSHOT_CREATE_DISK_ONLY=disk_only,
        DOMAIN_SNAPSHOT_CREATE_ATOMIC=disk_only,
        DOMAIN_SNAPSHOT_CREATE_LIVE=live,
        DOMAIN_SNAPSHOT_CREATE_VALIDATE=True,
        DOMAIN_SNAPSHOT_CREATE_NO_METADATA=not remembered,
        DOMAIN_SNAPSHOT_CREATE_QUIESCE=quiesce,
    )
    name = SnapshotXml.parse(xml).name or ""

    def make(domain: Any) -> None:
        if name in domain.snapshotListNames(0):
            raise ConflictError(
                f"make snapshot {name}", libvirt_text="a snapshot of that name exists already"
            )
        domain.snapshotCreateXML(xml, flags)

    on_domain(conn, uuid, f"make snapshot {name} of", make, timeout_s=None)


def redefine(
    conn: Connection, uuid: str, xml: str, *, current: bool = False, validate: bool = True
) -> None:
    """Give libvirt the description of a snapshot whose data exist; an old one is replaced.

    Args:
        conn: the connection.
        uuid: which domain.
        xml: the whole XML, as `xml` gave it with ``secure=True``.
        current: the domain goes on from it.
        validate: check it against libvirt's schema.
    """
    flags = bits(
        DOMAIN_SNAPSHOT_CREATE_REDEFINE=True,
        DOMAIN_SNAPSHOT_CREATE_CURRENT=current,
        DOMAIN_SNAPSHOT_CREATE_VALIDATE=validate,
    )
    on_domain(
        conn, uuid, "redefine a snapshot of", lambda domain: domain.snapshotCreateXML(xml, flags)
    )


def revert(
    conn: Connection,
    uuid: str,
    name: str,
    *,
    running: bool = False,
    paused: bool = False,
    force: bool = False,
) -> None:
    """Put a domain back to a snapshot; what came after is lost. Blocks to the end.

    Args:
        conn: the connection.
        uuid: which domain.
        name: which snapshot.
        running: run afterwards, whatever it was then.
        paused: be paused afterwards, whatever it was then.
        force: also when the hypervisor must be started anew for it.
    """
    flags = bits(
        DOMAIN_SNAPSHOT_REVERT_RUNNING=running,
        DOMAIN_SNAPSHOT_REVERT_PAUSED=paused,
        DOMAIN_SNAPSHOT_REVERT_FORCE=force,
    )
    _on_snapshot(
        conn,
        uuid,
        name,
        "revert to",
        lambda one: one.getDomain().revertToSnapshot(one, flags),
        timeout_s=None,
    )


def delete(
    conn: Connection,
    uuid: str,
    name: str,
    *,
    children: bool = False,
    children_only: bool = False,
    metadata_only: bool = False,
) -> None:
    """Delete a snapshot; an external one is merged into the file below. Blocks to the end.

    Args:
        conn: the connection.
        uuid: which domain.
        name: which snapshot.
        children: and all that grew from it.
        children_only: only what grew from it.
        metadata_only: forget it; the data stay.
    """
    flags = bits(
        DOMAIN_SNAPSHOT_DELETE_CHILDREN=children,
        DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY=children_only,
        DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY=metadata_only,
    )
    _on_snapshot(conn, uuid, name, "delete", lambda one: one.delete(flags), timeout_s=None)


def freeze(conn: Connection, uuid: str) -> int:
    """Freeze the guest's file systems through its agent (``virsh domfsfreeze``).

    Returns:
        How many were frozen.

    Raises:
        ConflictError: no agent answers.
    """
    return on_domain(conn, uuid, "freeze the file systems of", lambda d: int(d.fsFreeze()))


def thaw(conn: Connection, uuid: str) -> int:
    """Thaw the guest's file systems; harmless when they are not frozen.

    Returns:
        How many were thawed.
    """
    return on_domain(conn, uuid, "thaw the file systems of", lambda d: int(d.fsThaw()))
