"""Storage volumes: reading, creating, deleting, and moving their bytes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, bits, close_names, on_pool, size_of
from labvirt.connection.xmlfacts import element_text, name_in
from labvirt.errors import ConflictError, NotFoundError
from labvirt.status.volume import VolumeRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from labvirt.connection.connection import Connection

__all__ = [
    "by_path",
    "clone",
    "create",
    "delete",
    "download",
    "list_all",
    "read",
    "upload",
    "xml",
]

T = TypeVar("T")
_TYPES = ("file", "block", "dir", "network", "netdir", "ploop")
_PIECE = 1 << 20


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
    kind, capacity, allocation = volume.info()
    form, backing, backing_form = element_text(
        volume.XMLDesc(0), "target/format@type", "backingStore/path", "backingStore/format@type"
    )
    return VolumeRecord(
        pool=pool_name,
        name=volume.name(),
        key=volume.key(),
        path=volume.path(),
        type=_TYPES[kind] if 0 <= kind < len(_TYPES) else str(kind),
        format=form,
        capacity=size_of(capacity),
        allocation=size_of(allocation),
        backing_path=backing,
        backing_format=backing_form if backing else "",
        read_at=now,
    )


def _on_volume(  # the shape of Connection.call
    conn: Connection,
    pool: str,
    name: str,
    verb: str,
    fn: Callable[[Any, Any], T],
    *,
    timeout_s: float | None = SLOW_S,
) -> T:
    asked = f"{verb} volume {name} of pool {conn.label(pool)}"

    def look(raw: Any) -> T:
        handle = raw.storagePoolLookupByUUIDString(pool)
        try:
            volume = handle.storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_STORAGE_VOL"):
                raise
            near = close_names(name, handle.listVolumes())
            hint = f"did you mean {near[0]!r}?" if near else "refresh the pool if it is new"
            raise NotFoundError(
                asked,
                uri=conn.uri.redacted(),
                code=error.get_error_code() or 0,
                domain=error.get_error_domain() or 0,
                libvirt_text=str(error),
                hint=hint,
            ) from error
        return fn(raw, volume)

    return conn.call(asked, look, timeout_s=timeout_s)


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

    return _on_volume(conn, pool, name, "read", look)


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
    return _on_volume(conn, pool, name, "read the XML of", lambda _, v: str(v.XMLDesc(0)))


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
    _on_volume(conn, pool, name, "delete", lambda _, volume: volume.delete(0))


def upload(
    conn: Connection,
    pool: str,
    name: str,
    reader: Callable[[int], bytes],
    progress: Callable[[int], object] | None = None,
    *,
    offset: int = 0,
    length: int = 0,
) -> int:
    """Write bytes into a volume; blocks to the end, ``^C`` breaks it off.

    Args:
        conn: the connection.
        pool: UUID of the pool.
        name: name of the volume.
        reader: gives up to so many bytes, nothing at the end: ``open(path, "rb").read``.
        progress: told after each piece how many bytes are sent; what it raises ends the upload.
        offset: where in the volume to begin, bytes.
        length: most bytes to write; 0 for no limit but the volume's own.

    Returns:
        Bytes sent.
    """

    def move(stream: Any, volume: Any, left: threading.Event) -> int:
        volume.upload(stream, offset, length, 0)
        done = 0
        while piece := reader(_PIECE):
            _go_on(left, "upload to")
            view = memoryview(piece)
            while view:
                sent = stream.send(bytes(view))
                done += sent
                view = view[sent:]
            if progress is not None:
                progress(done)
        return done

    return _stream(conn, pool, name, "upload to", move)


def download(
    conn: Connection,
    pool: str,
    name: str,
    writer: Callable[[bytes], object],
    progress: Callable[[int], object] | None = None,
    *,
    offset: int = 0,
    length: int = 0,
) -> int:
    """Read the bytes of a volume; blocks to the end, ``^C`` breaks it off.

    Args:
        conn: the connection.
        pool: UUID of the pool.
        name: name of the volume.
        writer: takes each piece: ``open(path, "wb").write``.
        progress: told after each piece how many bytes have come; what it raises ends the download.
        offset: where in the volume to begin, bytes.
        length: most bytes to read; 0 for all.

    Returns:
        Bytes received.
    """

    def move(stream: Any, volume: Any, left: threading.Event) -> int:
        volume.download(stream, offset, length, 0)
        done = 0
        while piece := stream.recv(_PIECE):
            _go_on(left, "download from")
            writer(piece)
            done += len(piece)
            if progress is not None:
                progress(done)
        return done

    return _stream(conn, pool, name, "download from", move)


def _go_on(left: threading.Event, verb: str) -> None:
    if left.is_set():
        raise ConflictError(f"{verb} a volume", hint="it was interrupted")


def _stream(
    conn: Connection,
    pool: str,
    name: str,
    verb: str,
    move: Callable[[Any, Any, threading.Event], int],
) -> int:
    left = threading.Event()

    def run(raw: Any, volume: Any) -> int:
        stream = raw.newStream(0)
        try:
            done = move(stream, volume, left)
            stream.finish()
        except BaseException:
            _abort(stream)
            raise
        return done

    try:
        return _on_volume(conn, pool, name, verb, run, timeout_s=None)
    finally:
        left.set()  # after ^C the worker must not go on moving bytes that nobody wants


def _abort(stream: Any) -> None:
    try:
        stream.abort()
    except libvirt.libvirtError:
        return  # it was never opened, or the link is gone


def clone(conn: Connection, pool: str, xml: str, from_pool: str, from_name: str) -> VolumeRecord:
    """Make a volume with the data of another one (``virsh vol-create-from``); blocks to the end.

    Args:
        conn: the connection.
        pool: UUID of the pool that gets it.
        xml: the new volume; its format may be another.
        from_pool: UUID of the pool of the other one.
        from_name: its name.

    Raises:
        ConflictError: the name is taken.
    """

    def make(raw: Any, source: Any) -> VolumeRecord:
        target = raw.storagePoolLookupByUUIDString(pool)
        return _record(target.createXMLFrom(xml, source, 0), target.name(), conn.now())

    return _on_volume(conn, from_pool, from_name, "copy", make, timeout_s=None)
