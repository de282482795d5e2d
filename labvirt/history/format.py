"""The file of a recording: its tables, how columns are packed, and how the file is opened.

One SQLite file in WAL mode. Each tick is at once a row of ``tail`` (nothing of it is lost when the
process dies); sixty ticks are folded into one chunk, in which each series is one packed float32
column of all subjects. Every series stands in the file with its title, unit and definition, so a
recording explains itself. A recording is known by SQLite's application id; nothing else is ever
opened for writing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import struct
import uuid
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.errors import AccessDeniedError, ConflictError, LabvirtError, NotFoundError, SpecError
from labvirt.status.series import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from labvirt.status.series import Kind

__all__ = [
    "SCHEMA",
    "VERSION",
    "clock",
    "column_id",
    "is_damage",
    "make",
    "pack",
    "reading",
    "require_recording",
    "table_id",
    "told",
    "unpack",
    "writing",
]

APPLICATION: Final = 0x6C767263
VERSION: Final = 1
PAGE: Final = 16384
SCHEMA: Final = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE series (
    kind TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,
    unit TEXT NOT NULL, definition TEXT NOT NULL, PRIMARY KEY (kind, position)
);
CREATE TABLE subjects (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, host TEXT NOT NULL, uuid TEXT NOT NULL,
    device TEXT NOT NULL
);
CREATE TABLE layouts (id INTEGER PRIMARY KEY, subjects BLOB NOT NULL);
CREATE TABLE names (id INTEGER PRIMARY KEY, at REAL NOT NULL, host TEXT NOT NULL,
    uuid TEXT NOT NULL, name TEXT NOT NULL);
CREATE TABLE stalls (id INTEGER PRIMARY KEY, at REAL NOT NULL, host TEXT NOT NULL,
    stalled TEXT NOT NULL);
CREATE TABLE marks (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL,
    host TEXT NOT NULL, uuid TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE chunks (id INTEGER PRIMARY KEY, host TEXT NOT NULL, first REAL NOT NULL,
    last REAL NOT NULL, interval_s REAL NOT NULL, times BLOB NOT NULL);
CREATE TABLE tables (id INTEGER PRIMARY KEY, layout INTEGER NOT NULL);
CREATE TABLE columns (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE tail (id INTEGER PRIMARY KEY, host TEXT NOT NULL, at REAL NOT NULL,
    interval_s REAL NOT NULL, kind TEXT NOT NULL, layout INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE writer (token TEXT NOT NULL, pid INTEGER NOT NULL, began TEXT NOT NULL,
    machine TEXT NOT NULL, beat REAL NOT NULL);
"""

_MAGIC: Final = b"SQLite format 3\0"
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR)
_KIND: Final = {kind: number for number, kind in enumerate(KINDS)}


def table_id(chunk: int, kind: Kind) -> int:
    """Return the row of ``tables`` of one kind in a chunk (no index: damage stays local)."""
    return chunk * 8 + _KIND[kind]


def column_id(chunk: int, kind: Kind, position: int) -> int:
    """Return the row of ``columns`` of one series in a chunk; a chunk has rows 1024 n .. + 1023."""
    return chunk * 1024 + _KIND[kind] * 128 + position


def pack(values: NDArray[Any]) -> bytes:
    """Pack numbers as float32, byte planes apart (signs and exponents repeat), zlib."""
    planes = np.ascontiguousarray(
        np.ascontiguousarray(values, dtype="<f4").view(np.uint8).reshape(-1, 4).T
    )
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return packer.compress(planes.tobytes()) + packer.flush()


def unpack(data: bytes, rows: int, columns: int) -> NDArray[np.float32]:
    """Undo `pack`.

    Raises:
        ValueError: it is damaged, or of another shape.
    """
    try:
        planes = np.frombuffer(zlib.decompress(data), dtype=np.uint8)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return np.ascontiguousarray(planes.reshape(4, -1).T).view("<f4").reshape(rows, columns)


def require_recording(path: Path) -> None:
    """Refuse what is no recording, by its first hundred bytes; nothing is opened or changed.

    Raises:
        NotFoundError: there is no such file.
        AccessDeniedError: it may not be read.
        SpecError: it is something else, cut off, or written by a later labvirt.
    """
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        raise NotFoundError(f"open the recording {path}", libvirt_text="no such file") from None
    except IsADirectoryError:
        raise SpecError(f"{path} is a folder, no recording") from None
    except OSError as error:
        raise AccessDeniedError(
            f"open the recording {path}", libvirt_text=error.strerror or str(error)
        ) from None
    if len(head) < 100 or not head.startswith(_MAGIC):
        what = "is empty" if not head else "is no SQLite file"
        raise SpecError(
            f"{path} is no recording: it {what}", hint="name another file; this one was left as is"
        )
    version, application = struct.unpack(">i", head[60:64])[0], struct.unpack(">i", head[68:72])[0]
    if application != APPLICATION:
        raise SpecError(
            f"{path} is a database, but no recording of labvirt",
            hint="name another file; this one was left as it is",
        )
    if version > VERSION:
        raise SpecError(
            f"{path} was recorded by a later labvirt (version {version}, known up to {VERSION})",
            hint="bring labvirt up to date",
        )


def make(path: Path) -> None:
    """Make an empty recording, complete beside its place, never over something.

    Raises:
        ConflictError: something is there already.
        AccessDeniedError: the folder may not be written or does not exist.
    """
    new = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        new.unlink(missing_ok=True)
        connection = sqlite3.connect(new, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.executescript(SCHEMA)
            connection.execute("INSERT INTO about VALUES ('id', ?)", (uuid.uuid4().hex,))
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        _place(new, path)
    except FileExistsError:
        raise ConflictError(f"record to {path}", libvirt_text="it exists already") from None
    except (OSError, sqlite3.Error) as error:
        raise told(error, path, "record to") from None
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def _place(new: Path, path: Path) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        new.rename(path)


@contextlib.contextmanager
def reading(path: Path, *, rescue: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a recording to read for a moment; nothing stays open or locked.

    Args:
        path: the file.
        rescue: read what can be read of a file that is cut off.
    """
    connection = _open_reading(path)
    try:
        if rescue:
            # Without it SQLite refuses a file that is shorter than its header says.
            connection.execute("PRAGMA writable_schema = ON")
        yield connection
    finally:
        connection.close()


def _open_reading(path: Path) -> sqlite3.Connection:
    address = path.absolute().as_uri()
    wal = path.with_name(path.name + "-wal")
    if not wal.exists():
        # Nobody writes it. An ordinary reader would leave files beside it, or fail where it cannot.
        return sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True, isolation_level=None)
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=5, isolation_level=None)
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return connection
        connection.close()
        raise AccessDeniedError(
            f"read the recording {path}",
            libvirt_text=f"its recorder left {wal.name}, which cannot be brought in here ({error})",
            hint="copy both files to a folder that you may write, and open the copy",
        ) from None
    return connection


def writing(path: Path) -> sqlite3.Connection:
    """Open a recording for its recorder.

    Raises:
        LabvirtError: it cannot be opened; says why.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=5,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {24 * 2**20 // PAGE}")
        connection.execute(f"PRAGMA journal_size_limit = {32 * 2**20}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        raise told(error, path, "record to") from None
    return connection


def is_damage(error: Exception) -> bool:
    """Tell whether SQLite says that the file is damaged or cut off."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in _DAMAGE or str(error).startswith(("no such table", "no such column"))


def told(error: Exception, path: Path, asked: str) -> LabvirtError:
    """Return one clear error for what SQLite or the system said of a recording."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    text = str(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ConflictError(f"{asked} {path}", libvirt_text="another process has locked it")
    if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno == 28):
        return LabvirtError(
            f"{asked} {path} failed: no space left on its disk", hint="free space, or record less"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM) or (
        isinstance(error, OSError)
    ):
        folder = path.parent
        why = text if folder.is_dir() else f"there is no folder {folder}"
        return AccessDeniedError(
            f"{asked} {path}", libvirt_text=why, hint=f"look at the rights of {folder}"
        )
    if is_damage(error):
        return LabvirtError(
            f"{asked} {path} failed: the file is damaged ({text})",
            hint="record to another file; labvirt.history.open() reads what can be read of this",
        )
    return LabvirtError(f"{asked} {path} failed: {text}")


def clock(at: float) -> str:
    """Return a time for people."""
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
