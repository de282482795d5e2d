"""The bytes of volumes: uploaded and downloaded through libvirt's streams, also with holes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import libvirt

from labvirt.connection.handles import bits, on_volume
from labvirt.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labvirt.connection.connection import Connection

__all__ = ["PIECE", "Holes", "download", "upload"]

#: Bytes of one message of a stream: libvirt cuts longer ones, and each cut is a copy here.
PIECE = 262120
#: What libvirt's Python binding returns when a hole comes next.
_AT_HOLE = -3


class Holes(Protocol):
    """A source of bytes that knows where its holes are."""

    def here(self) -> tuple[bool, int]:
        """Return whether data come next, and how many bytes of data or hole; 0 at the end."""

    def skip(self, length: int) -> None:
        """Go on behind a hole."""


def upload(
    conn: Connection,
    pool: str,
    name: str,
    reader: Callable[[int], bytes],
    progress: Callable[[int], object] | None = None,
    *,
    offset: int = 0,
    length: int = 0,
    holes: Holes | None = None,
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
        holes: tells where the source has holes: they are made in the volume instead of sent.

    Returns:
        Bytes sent, holes included.
    """
    flags = bits(STORAGE_VOL_UPLOAD_SPARSE_STREAM=holes is not None)

    def move(stream: Any, volume: Any, left: threading.Event) -> int:
        volume.upload(stream, offset, length, flags)
        done = 0
        for piece in _pieces(reader, holes):
            _go_on(left, "upload to")
            if isinstance(piece, int):
                stream.sendHole(piece)
                done += piece
            else:
                done += _send(stream, piece)
            if progress is not None:
                progress(done)
        return done

    return _stream(conn, pool, name, "upload to", move)


def _pieces(reader: Callable[[int], bytes], holes: Holes | None) -> Iterator[bytes | int]:
    """Yield the bytes of a source, and the length of each of its holes."""
    if holes is None:
        while piece := reader(PIECE):
            yield piece
        return
    while (found := holes.here())[1]:
        is_data, length = found
        if not is_data:
            holes.skip(length)
            yield length
        elif piece := reader(min(PIECE, length)):
            yield piece
        else:
            return


def _send(stream: Any, piece: bytes) -> int:
    sent: int = stream.send(piece)
    while sent < len(piece):
        sent += stream.send(piece[sent:])
    return sent


def download(
    conn: Connection,
    pool: str,
    name: str,
    writer: Callable[[bytes], object],
    progress: Callable[[int], object] | None = None,
    *,
    offset: int = 0,
    length: int = 0,
    hole: Callable[[int], object] | None = None,
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
        hole: takes the length of each hole, which then is not sent as zeros.

    Returns:
        Bytes received, holes included.
    """
    flags = bits(STORAGE_VOL_DOWNLOAD_SPARSE_STREAM=hole is not None)
    stop = bits(STREAM_RECV_STOP_AT_HOLE=hole is not None)

    def move(stream: Any, volume: Any, left: threading.Event) -> int:
        volume.download(stream, offset, length, flags)
        done = 0
        while piece := stream.recvFlags(PIECE, stop):
            _go_on(left, "download from")
            if piece == _AT_HOLE and hole is not None:
                skipped = stream.recvHole()
                hole(skipped)
                done += skipped
            else:
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
        return on_volume(conn, pool, name, verb, run, timeout_s=None)
    finally:
        left.set()  # after ^C the worker must not go on moving bytes that nobody wants


def _abort(stream: Any) -> None:
    try:
        stream.abort()
    except libvirt.libvirtError:
        return  # it was never opened, or the link is gone
