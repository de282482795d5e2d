"""Copying a volume inside the host, by libvirt itself: for hosts whose files cannot be seen here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection.handles import bits

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = ["copy", "create_pool"]


def copy(conn: Connection, pool: str, xml: str, source_path: str) -> None:
    """Make a volume that holds what another one holds (``virsh vol-create-from``); blocks to the end.

    Args:
        conn: the connection.
        pool: UUID of the pool of the new volume.
        xml: the new volume's XML.
        source_path: path of the volume to copy, in any active pool.

    Raises:
        NotFoundError: no active pool has the source.
        ConflictError: the name is taken.
    """

    def make(raw: Any) -> None:
        source = raw.storageVolLookupByPath(source_path)
        raw.storagePoolLookupByUUIDString(pool).createXMLFrom(xml, source, bits())

    conn.call(f"copy the volume {source_path}", make, timeout_s=None)


def create_pool(conn: Connection, xml: str) -> str:
    """Start a pool that is forgotten when it is stopped, and return its UUID.

    Raises:
        ConflictError: another pool has its place.
    """

    def make(raw: Any) -> tuple[str, str]:
        pool = raw.storagePoolCreateXML(xml, 0)
        return pool.UUIDString(), pool.name()

    uuid, name = conn.call("start a passing pool", make)
    conn.learn(uuid, name)
    return uuid
