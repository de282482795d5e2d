"""Checkpoints of domains: reading, making, deleting, redefining."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, bits, on_domain
from labvirt.errors import ConflictError
from labvirt.model.xml.snapshot import CheckpointXml
from labvirt.status.checkpoint import CheckpointRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection.connection import Connection

__all__ = ["create", "delete", "list_all", "read", "redefine", "xml"]


def list_all(conn: Connection, uuid: str) -> tuple[CheckpointRecord, ...]:
    """Read every checkpoint of a domain, parents first (``virsh checkpoint-list``)."""

    def look(domain: Any) -> tuple[CheckpointRecord, ...]:
        flags = libvirt.VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL
        try:
            found = domain.listAllCheckpoints(flags)
        except libvirt.libvirtError as error:
            if is_code(error, "NO_SUPPORT"):
                return ()
            raise
        return tuple(_record(one, uuid, conn.now()) for one in found)

    return on_domain(conn, uuid, "list the checkpoints of", look)


def _record(checkpoint: Any, uuid: str, now: dt.datetime) -> CheckpointRecord:
    flags = bits(DOMAIN_CHECKPOINT_XML_NO_DOMAIN=True)
    document = CheckpointXml.parse(checkpoint.getXMLDesc(flags))
    return CheckpointRecord(
        domain=uuid,
        name=document.name or "",
        parent=document.parent or "",
        description=document.description or "",
        created=dt.datetime.fromtimestamp(document.creation_time or 0, dt.UTC),
        bitmaps=tuple(
            (disk.name or "", disk.bitmap or document.name or "")
            for disk in document.disks
            if disk.checkpoint == "bitmap"
        ),
        read_at=now,
    )


def _on_checkpoint(
    conn: Connection, uuid: str, name: str, verb: str, fn: Callable[[Any], Any]
) -> Any:
    return on_domain(
        conn,
        uuid,
        f"{verb} checkpoint {name} of",
        lambda domain: fn(domain.checkpointLookupByName(name, 0)),
        timeout_s=SLOW_S,
    )


def read(conn: Connection, uuid: str, name: str) -> CheckpointRecord:
    """Read one checkpoint.

    Raises:
        NotFoundError: there is none of that name.
    """
    found: CheckpointRecord = _on_checkpoint(
        conn, uuid, name, "read", lambda one: _record(one, uuid, conn.now())
    )
    return found


def xml(conn: Connection, uuid: str, name: str, *, secure: bool = False) -> str:
    """Return a checkpoint's XML (``virsh checkpoint-dumpxml``)."""
    flags = bits(DOMAIN_CHECKPOINT_XML_SECURE=secure)
    return str(
        _on_checkpoint(conn, uuid, name, "read the XML of", lambda one: one.getXMLDesc(flags))
    )


def create(conn: Connection, uuid: str, xml: str) -> None:
    """Begin to note changed blocks from now on."""
    name = CheckpointXml.parse(xml).name or ""

    def make(domain: Any) -> None:
        if name in {one.getName() for one in domain.listAllCheckpoints(0)}:
            raise ConflictError(
                f"make checkpoint {name}", libvirt_text="a checkpoint of that name exists already"
            )
        domain.checkpointCreateXML(xml, 0)

    on_domain(conn, uuid, f"make checkpoint {name} of", make, timeout_s=SLOW_S)


def redefine(conn: Connection, uuid: str, xml: str) -> None:
    """Give libvirt the description of a checkpoint whose bitmaps are in the images already."""
    flags = bits(DOMAIN_CHECKPOINT_CREATE_REDEFINE=True)
    on_domain(conn, uuid, "redefine a checkpoint of", lambda d: d.checkpointCreateXML(xml, flags))


def delete(
    conn: Connection,
    uuid: str,
    name: str,
    *,
    children: bool = False,
    metadata_only: bool = False,
) -> None:
    """Delete a checkpoint; its changes count for its parent from now on.

    Args:
        conn: the connection.
        uuid: which domain.
        name: which checkpoint.
        children: and all that came after it.
        metadata_only: forget it; the bitmaps stay in the images.
    """
    flags = bits(
        DOMAIN_CHECKPOINT_DELETE_CHILDREN=children,
        DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY=metadata_only,
    )
    _on_checkpoint(conn, uuid, name, "delete", lambda one: one.delete(flags))
