"""Storage volumes: reading, creating, changing and deleting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import bits, flag, on_pool, on_volume, size_of
from labvirt.connection.volume_stream import download, upload
from labvirt.connection.xmlfacts import element_text, name_in
from labvirt.status.volume import VolumeRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from labvirt.connection.connection import Connection

__all__ = [
    "WIPES",
    "by_path",
    "clone",
    "clone_path",
    "create",
    "delete",
    "download",
    "list_all",
    "names",
    "paths",
    "read",
    "resize",
    "upload",
    "wipe",
    "xml",
]


#: Ways to wipe a volume, by libvirt's numbers (``virStorageVolWipeAlgorithm``).
WIPES = (
    "zero",
    "nnsa",
    "dod",
    "bsi",
    "gutmann",
    "schneier",
    "pfitzner7",
    "pfitzner33",
    "random",
    "trim",
)


def list_all(conn: Connection, pool: str) -> tuple[VolumeRecord, ...]:
    """Read every volume of a pool (``virsh vol-list``).

    Args:
        conn: the connection.
        pool: UUID of the pool.

    Raises:
        ConflictError: the pool is not active.
    """

    def look(handle: Any) -> tuple[VolumeRecord, ...]:
        return tuple(_all(handle, conn.now()))

    return on_pool(conn, pool, "list the volumes of", look)


def _all(pool: Any, now: datetime) -> Iterator[VolumeRecord]:
    for volume in pool.listAllVolumes(0):
        try:
            yield _record(volume, pool.name(), now)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_STORAGE_VOL"):
                raise


def _record(volume: Any, pool_name: str, now: datetime) -> VolumeRecord:
    # The XML has everything: virStorageVolGetInfo would be a second call for the same facts.
    kind, capacity, allocation, form, backing, backing_form = element_text(
        volume.XMLDesc(0),
        "@type",
        "capacity",
        "allocation",
        "target/format@type",
        "backingStore/path",
        "backingStore/format@type",
    )
    return VolumeRecord(
        pool=pool_name,
        name=volume.name(),
        key=volume.key(),
        path=volume.path(),
        type=kind,
        format=form,
        capacity=size_of(int(capacity or 0)),
        allocation=size_of(int(allocation or 0)),
        backing_path=backing,
        backing_format=backing_form if backing else "",
        read_at=now,
    )


def names(conn: Connection, pool: str) -> tuple[str, ...]:
    """Return the names of a pool's volumes: one call, however many there are.

    Raises:
        ConflictError: the pool is not active.
    """
    return on_pool(conn, pool, "list the volumes of", lambda handle: tuple(handle.listVolumes()))


def paths(conn: Connection, pool: str) -> tuple[tuple[str, str, str], ...]:
    """Return name, key and path of a pool's volumes: one call, however many there are.

    Raises:
        ConflictError: the pool is not active.
    """

    def look(handle: Any) -> tuple[tuple[str, str, str], ...]:
        # The path of a file is its key; other kinds of volumes would cost a call each.
        found = handle.listAllVolumes(0)
        return tuple((one.name(), one.key(), one.key()) for one in found)

    return on_pool(conn, pool, "list the volumes of", look)


def read(conn: Connection, pool: str, name: str) -> VolumeRecord:
    """Read one volume (``virsh vol-info``).

    Args:
        conn: the connection.
        pool: UUID of the pool.
        name: name of the volume.

    Raises:
        NotFoundError: there is none of that name; suggests the nearest.
    """
    label = conn.label(pool)

    def look(_: Any, volume: Any) -> VolumeRecord:
        pool_name = volume.storagePoolLookupByVolume().name() if label == pool else label
        return _record(volume, pool_name, conn.now())

    return on_volume(conn, pool, name, "read", look)


def by_path(conn: Connection, path: str) -> VolumeRecord:
    """Read the volume at a path of the host.

    Raises:
        NotFoundError: no active pool has it.
    """

    def look(raw: Any) -> VolumeRecord:
        volume = raw.storageVolLookupByPath(path)
        return _record(volume, volume.storagePoolLookupByVolume().name(), conn.now())

    return conn.call(f"find the volume at {path}", look)


def xml(conn: Connection, pool: str, name: str) -> str:
    """Return a volume's XML (``virsh vol-dumpxml``)."""
    return on_volume(conn, pool, name, "read the XML of", lambda _, v: str(v.XMLDesc(0)))


def create(
    conn: Connection, pool: str, xml: str, *, preallocate_metadata: bool = False
) -> VolumeRecord:
    """Make a new volume; never touches one that exists.

    Args:
        conn: the connection.
        pool: UUID of the pool.
        xml: the volume's XML.
        preallocate_metadata: lay the tables of a qcow2 image out at once.

    Raises:
        ConflictError: the name is taken.
        HostError: the pool is full.
        SpecError: libvirt does not accept the XML.
    """
    # No VALIDATE here: libvirt 9.0's storage driver refuses its own flag ("unsupported flags (0x4)").
    flags = bits(STORAGE_VOL_CREATE_PREALLOC_METADATA=preallocate_metadata)
    what = f"volume {name}" if (name := name_in(xml)) else "a volume"

    def make(handle: Any) -> VolumeRecord:
        return _record(handle.createXML(xml, flags), handle.name(), conn.now())

    return on_pool(conn, pool, f"create {what} in", make)


def delete(conn: Connection, pool: str, name: str) -> None:
    """Delete a volume and its bytes."""
    on_volume(conn, pool, name, "delete", lambda _, volume: volume.delete(0))


def clone(
    conn: Connection,
    pool: str,
    xml: str,
    source: tuple[str, str],
    *,
    preallocate_metadata: bool = False,
    reflink: bool = False,
    validate: bool = False,
) -> VolumeRecord:
    """Make a new volume with the bytes of another one; blocks to the end.

    Args:
        conn: the connection.
        pool: UUID of the pool that gets it.
        xml: the new volume's XML; the format may be another one.
        source: UUID of the pool and name of the volume whose bytes are taken.
        preallocate_metadata: lay the tables of a qcow2 image out at once.
        reflink: share the blocks with the source (btrfs, XFS); refused elsewhere.
        validate: check the XML against libvirt's schema.

    Raises:
        ConflictError: the name is taken.
        HostError: the pool is full, or the file system has no reflinks.
    """
    flags = bits(
        STORAGE_VOL_CREATE_PREALLOC_METADATA=preallocate_metadata,
        STORAGE_VOL_CREATE_REFLINK=reflink,
        STORAGE_VOL_CREATE_VALIDATE=validate,
    )

    def make(raw: Any, origin: Any) -> VolumeRecord:
        target = raw.storagePoolLookupByUUIDString(pool)
        return _record(target.createXMLFrom(xml, origin, flags), target.name(), conn.now())

    verb = f"clone {name_in(xml)} from"
    return on_volume(conn, *source, verb, make, timeout_s=None)


def clone_path(conn: Connection, pool: str, xml: str, source_path: str) -> None:
    """Make a volume that holds what the one at a path holds; blocks to the end.

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
        raw.storagePoolLookupByUUIDString(pool).createXMLFrom(xml, source, 0)

    conn.call(f"copy the volume {source_path}", make, timeout_s=None)


def resize(
    conn: Connection,
    pool: str,
    name: str,
    capacity: int,
    *,
    shrink: bool = False,
    allocate: bool = False,
) -> None:
    """Give a volume another size (``virsh vol-resize``).

    Args:
        conn: the connection.
        pool: UUID of the pool.
        name: name of the volume.
        capacity: bytes.
        shrink: it may become smaller; what lies behind the new end is lost.
        allocate: take the space at once.

    Raises:
        HostError: the pool is full, or it would become smaller and `shrink` is not given.
        UnsupportedError: this kind of pool cannot.
    """
    flags = bits(STORAGE_VOL_RESIZE_SHRINK=shrink, STORAGE_VOL_RESIZE_ALLOCATE=allocate)
    on_volume(conn, pool, name, "resize", lambda _, volume: volume.resize(capacity, flags))


def wipe(conn: Connection, pool: str, name: str, algorithm: str = "zero") -> None:
    """Overwrite the bytes of a volume (``virsh vol-wipe``); blocks to the end.

    Args:
        conn: the connection.
        pool: UUID of the pool.
        name: name of the volume.
        algorithm: one of `WIPES`; all but zero and trim need ``scrub`` on the host.

    Raises:
        UnsupportedError: this kind of pool has no such way.
    """
    number = flag(f"STORAGE_VOL_WIPE_ALG_{algorithm.upper()}")
    on_volume(
        conn, pool, name, "wipe", lambda _, volume: volume.wipePattern(number, 0), timeout_s=None
    )
