"""Who writes a recording: one process at a time, told by the file itself."""

from __future__ import annotations

import os
import socket
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labvirt.errors import ConflictError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Lease"]

BEAT_S: Final = 5.0
#: A writer of another machine (or container) that was silent for so long is taken for dead.
SILENT_S: Final = 60.0

#: Tokens of this process; one that could not be taken out of a full disk's file is not among them.
_ours: set[str] = set()


class Lease:
    """The right to write a recording. It stands in the file, and every transaction looks at it.

    A writer that was killed loses it at once (its process is looked for); one on another machine
    after a minute of silence. Whoever lost it finds out before the next write.

    Args:
        path: the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = uuid.uuid4().hex
        self._beat = 0.0

    def take(self, connection: sqlite3.Connection) -> None:
        """Take it, inside a transaction.

        Raises:
            ConflictError: another recorder writes the file.
        """
        row = connection.execute("SELECT pid, began, machine, beat, token FROM writer").fetchone()
        if row is not None and _lives(*row):
            raise ConflictError(
                f"record to {self._path}",
                libvirt_text=f"process {row[0]} records to it",
                hint="close that recorder, or name another file",
            )
        connection.execute("DELETE FROM writer")
        _ours.add(self._token)
        self._beat = time.time()
        connection.execute(
            "INSERT INTO writer VALUES (?, ?, ?, ?, ?)",
            (self._token, os.getpid(), _began(os.getpid()), _machine(), self._beat),
        )

    def keep(self, connection: sqlite3.Connection) -> None:
        """Make sure inside a transaction that it is still ours, and show that we live.

        Raises:
            ConflictError: another recorder has taken the file over.
        """
        row = connection.execute("SELECT token FROM writer").fetchone()
        if row is None or row[0] != self._token:
            raise ConflictError(
                f"record to {self._path}", libvirt_text="another recorder has taken it over"
            )
        now = time.time()
        if abs(now - self._beat) >= BEAT_S:
            self._beat = now
            connection.execute("UPDATE writer SET beat = ?", (now,))

    def drop(self, connection: sqlite3.Connection) -> None:
        """Give it back."""
        _ours.discard(self._token)
        connection.execute("DELETE FROM writer WHERE token = ?", (self._token,))


def _lives(pid: int, began: str, machine: str, beat: float, token: str) -> bool:
    if machine == _machine():
        if pid == os.getpid():
            return token in _ours
        return _began(pid) == began
    return abs(time.time() - beat) < SILENT_S


def _machine() -> str:
    """Name this boot of this machine and its space of process numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _began(pid: int) -> str:
    """Return when a process began, so that its number given again is not taken for it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
