"""Storage pools: reading, defining, building, starting, stopping, refreshing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, bits, find_uuid, flag, on_pool, size_of
from labvirt.connection.xmlfacts import element_text
from labvirt.errors import HostError
from labvirt.status.pool import PoolRecord, PoolState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from labvirt.connection.connection import Connection

__all__ = [
    "build",
    "capabilities",
    "create",
    "define",
    "delete",
    "find",
    "find_sources",
    "list_all",
    "read",
    "refresh",
    "set_autostart",
    "start",
    "stop",
    "undefine",
    "xml",
]

#: Volumes are made in less, unless they are written in full; then a refresh has to wait anyhow.
_PATIENCE_S = 20.0


def list_all(conn: Connection) -> tuple[PoolRecord, ...]:
    """Read every storage pool of the host, active or not (``virsh pool-list --all``)."""
    records = conn.call("list pools", lambda raw: tuple(_all(raw, conn.now())))
    for record in records:
        conn.learn(record.uuid, record.name)
    return records


def _all(raw: Any, now: datetime) -> Iterator[PoolRecord]:
    try:
        pools = raw.listAllStoragePools(0)
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT"):
            return  # this driver has no pools
        raise
    for pool in pools:
        try:
            yield _record(pool, now)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_STORAGE_POOL"):
                raise


def _record(pool: Any, now: datetime) -> PoolRecord:
    state, capacity, allocation, available = pool.info()
    kind, path = element_text(pool.XMLDesc(0), "@type", "target/path")
    persistent = bool(pool.isPersistent())
    return PoolRecord(
        uuid=pool.UUIDString(),
        name=pool.name(),
        type=kind,
        state=PoolState.of(state),
        persistent=persistent,
        autostart=bool(persistent and pool.autostart()),
        capacity=size_of(capacity),
        allocation=size_of(allocation),
        available=size_of(available),
        path=path,
        read_at=now,
    )


def read(conn: Connection, uuid: str) -> PoolRecord:
    """Read one pool.

    Raises:
        NotFoundError: it is gone.
    """
    record = on_pool(conn, uuid, "read", lambda pool: _record(pool, conn.now()))
    conn.learn(record.uuid, record.name)
    return record


def find(conn: Connection, key: str) -> str:
    """Return the UUID of the pool with a name or a UUID, dashed or not.

    Raises:
        NotFoundError: there is none; suggests the nearest name and the right case.
    """
    return find_uuid(
        conn,
        key,
        "pool",
        by_name=lambda raw, name: raw.storagePoolLookupByName(name),
        by_uuid=lambda raw, text: raw.storagePoolLookupByUUIDString(text),
        by_id=None,
        names=lambda raw: [pool.name() for pool in raw.listAllStoragePools(0)],
        missing="NO_STORAGE_POOL",
    )


def xml(conn: Connection, uuid: str, *, inactive: bool = False) -> str:
    """Return a pool's XML (``virsh pool-dumpxml``).

    Args:
        conn: the connection.
        uuid: which pool.
        inactive: what it will be at its next start, instead of what it is.
    """
    flags = bits(STORAGE_XML_INACTIVE=inactive)
    return on_pool(conn, uuid, "read the XML of", lambda pool: str(pool.XMLDesc(flags)))


def define(conn: Connection, xml: str) -> str:
    """Store a pool's definition, checked against libvirt's schema.

    Returns:
        Its UUID.

    Raises:
        SpecError: libvirt does not accept the XML.
        ConflictError: the name, the UUID or the place is another pool's.
    """
    flags = flag("STORAGE_POOL_DEFINE_VALIDATE")

    def make(raw: Any) -> tuple[str, str]:
        pool = raw.storagePoolDefineXML(xml, flags)
        return pool.UUIDString(), pool.name()

    uuid, name = conn.call("define a pool", make, timeout_s=SLOW_S)
    conn.learn(uuid, name)
    return uuid


def create(conn: Connection, xml: str) -> str:
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


def build(
    conn: Connection, uuid: str, *, overwrite: bool = False, no_overwrite: bool = False
) -> None:
    """Make the place a pool needs: a folder, a file system, a volume group.

    Args:
        conn: the connection.
        uuid: which pool.
        overwrite: format a device that has data on it; they are lost.
        no_overwrite: format a device, but only an empty one.

    Raises:
        ConflictError: there are data on the device, or the pool is built already.
    """
    flags = bits(
        STORAGE_POOL_BUILD_OVERWRITE=overwrite, STORAGE_POOL_BUILD_NO_OVERWRITE=no_overwrite
    )
    on_pool(conn, uuid, "build", lambda pool: pool.build(flags))


def delete(conn: Connection, uuid: str) -> None:
    """Remove the place of a pool that is stopped: an empty folder, a volume group.

    Raises:
        ConflictError: it is active.
        HostError: the folder is not empty.
    """
    on_pool(conn, uuid, "delete", lambda pool: pool.delete(0))


def capabilities(conn: Connection) -> str:
    """Return which pools this libvirt has, as XML (``virsh pool-capabilities``)."""
    return str(
        conn.call("read the pool capabilities", lambda raw: raw.getStoragePoolCapabilities(0))
    )


def find_sources(conn: Connection, kind: str, source_xml: str | None) -> str:
    """Look for sources of pools, as XML (``virsh find-storage-pool-sources``).

    Args:
        conn: the connection.
        kind: netfs, iscsi, iscsi-direct, logical, gluster.
        source_xml: where to look: ``<source>`` with a host; None for this machine.

    Raises:
        UnsupportedError: libvirt cannot look for this kind.
    """
    return str(
        conn.call(
            f"look for sources of {kind} pools",
            lambda raw: raw.findStoragePoolSources(kind, source_xml, 0),
            timeout_s=SLOW_S,
        )
    )


def start(conn: Connection, uuid: str) -> None:
    """Start a pool that is defined, so that its volumes can be used.

    Raises:
        ConflictError: it is active.
        NotFoundError: its place does not exist; `build` makes it.
    """
    on_pool(conn, uuid, "start", lambda pool: pool.create(0))


def stop(conn: Connection, uuid: str) -> None:
    """Stop a pool; its definition and its volumes stay."""
    on_pool(conn, uuid, "stop", lambda pool: pool.destroy())


def undefine(conn: Connection, uuid: str) -> None:
    """Remove a pool's definition; its volumes stay.

    Raises:
        ConflictError: it is active.
    """
    on_pool(conn, uuid, "undefine", lambda pool: pool.undefine())


def refresh(conn: Connection, uuid: str) -> None:
    """Look at a pool's place again, for volumes made or removed without libvirt.

    While somebody makes a volume there libvirt refuses, so it is tried again for a while.

    Raises:
        HostError: libvirt refused; also when volumes were made all the time.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            on_pool(conn, uuid, "refresh", lambda pool: pool.refresh(0))
        except HostError as error:
            if "asynchronous jobs" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def set_autostart(conn: Connection, uuid: str, on: bool) -> None:  # noqa: FBT001 - the value itself
    """Start a pool with the host's daemon, or no longer."""
    on_pool(conn, uuid, "set autostart of", lambda pool: pool.setAutostart(int(on)))
