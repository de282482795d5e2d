"""The ledger's SQLite file: opened for one operation, made, brought up to date, set aside.

Nothing keeps the file open or locked between two operations, so a killed process leaves no lock.
A file is made complete beside its place and renamed, so nobody ever sees half a ledger.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import logging
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Final, TypeVar

from labvirt.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Database"]

T = TypeVar("T")

_log = logging.getLogger("labvirt")

#: Put into the file's header, so that no other program's database is taken for a ledger.
_APPLICATION: Final = 0x6C766C67
_MIGRATIONS: Final = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, book TEXT NOT NULL, outcome TEXT NOT NULL, host TEXT NOT NULL,
        began TEXT NOT NULL, ended TEXT NOT NULL, seconds REAL NOT NULL, parent TEXT NOT NULL,
        folder TEXT NOT NULL, parameters TEXT NOT NULL, record TEXT NOT NULL
    );
    CREATE INDEX runs_by_time ON runs (began, id);
    CREATE INDEX runs_by_outcome ON runs (outcome);
    CREATE TABLE steps (
        run TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, verdict TEXT NOT NULL,
        began TEXT NOT NULL, seconds REAL NOT NULL, error TEXT NOT NULL,
        PRIMARY KEY (run, position)
    ) WITHOUT ROWID;
    CREATE INDEX steps_by_id ON steps (id);
    """,
)
"""Entry n brings a ledger of version n to n + 1; entries are only ever added."""

_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_MISSING: Final = ("no such table", "no such column")
_SIDES: Final = ("", "-wal", "-shm")
_ROOM: Final = 64 * 1024


class Database:
    """One SQLite file of runs.

    Args:
        path: the file; made when it is absent.
        fill: called with a new, empty database and the file that was set aside (None when there
            was none), to put in what is known from elsewhere; returns how many runs.
        busy_s: how long to wait for other processes, in seconds.
    """

    def __init__(
        self,
        path: Path,
        fill: Callable[[sqlite3.Connection, Path | None], int],
        *,
        busy_s: float = 10.0,
    ) -> None:
        self.path = path
        self._fill = fill
        self._busy_s = busy_s

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` reads; all of it as it was at one moment.

        Raises:
            RunError: the file cannot be read, or is no ledger; its name is told.
        """
        try:
            return self._do(work, "BEGIN")
        except RunError:
            if not self._is_full() or not _size(self.path) or _size(self._beside("-wal")):
                raise
        try:
            # SQLite wants room to read too, and without a list nobody can prune to make some.
            with self._connect(self.path, "ro&immutable=1") as connection:
                return work(connection)
        except sqlite3.Error as error:
            raise self._told(error) from error

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` as one transaction: wholly or not at all.

        Raises:
            RunError: the file is locked, cannot be written, or is no ledger; its name is told.
        """
        return self._do(work, "BEGIN IMMEDIATE")

    def _do(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        """Do `work`; on a damaged file once more, after it was set aside and made anew."""
        try:
            try:
                return self._once(work, begin)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._replace(str(error))
                return self._once(work, begin)
        except (sqlite3.Error, OSError) as error:
            raise self._told(error) from error

    def _once(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        if not self.path.exists() or not self.path.stat().st_size:
            self._replace("")
        with self._connect(self.path) as connection:
            self._require_ours(connection)
            connection.execute(begin)
            try:
                result = work(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return result

    @contextlib.contextmanager
    def _connect(self, path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=self._busy_s,
            isolation_level=None,
        )
        try:
            # A ledger may lose its last second in a power cut, but it must not cost a sync a step.
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection
        finally:
            connection.close()

    def _require_ours(self, connection: sqlite3.Connection) -> None:
        """Bring an older ledger up to date; refuse a newer one and what is none."""
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise RunError(
                f"{self.path} is a database, but no ledger of runs",
                code=2,
                hint="name another file; this one was left as it is",
            )
        if version > len(_MIGRATIONS):
            raise RunError(
                f"the ledger {self.path} was written by a later labvirt (version {version}, "
                f"known up to {len(_MIGRATIONS)})",
                hint="bring labvirt up to date, or set LABVIRT_HOME to another folder",
            )
        if version < len(_MIGRATIONS):
            _migrate(connection)

    def _replace(self, why: str) -> None:
        """Set a damaged file aside, make a new one and fill it, unless somebody else just did."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if self._is_whole():
                return
            aside = self._set_aside()
            new = self.path.with_name(self.path.name + ".new")
            for side in _SIDES:
                new.with_name(new.name + side).unlink(missing_ok=True)
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with self._connect(new) as connection:
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                # Stays with the file. Where it cannot be had (some network disks), the ordinary
                # journal does, with readers that wait for writers.
                connection.execute("PRAGMA journal_mode = WAL")
                _migrate(connection)
                connection.execute("BEGIN IMMEDIATE")
                known = self._fill(connection, aside)
                connection.execute("COMMIT")
            new.replace(self.path)
        if aside is not None:
            _log.warning(
                "the ledger %s was damaged (%s): it is kept as %s, and a new one holds the %d runs "
                "whose records could be read",
                self.path,
                why or "it was cut off",
                aside.name,
                known,
            )
        elif known:
            _log.info("the ledger %s is new and holds %d runs found beside it", self.path, known)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from replacing the file; the lock ends with the process."""
        fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            until = time.monotonic() + 3 * self._busy_s  # a big ledger takes its time to fill
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise sqlite3.OperationalError("database is locked") from None
                    time.sleep(0.02)
            yield
        finally:
            os.close(fd)

    def _is_whole(self) -> bool:
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        try:
            with self._connect(self.path) as connection:
                self._require_ours(connection)
                connection.execute("SELECT id, record FROM runs LIMIT 1").fetchall()
                connection.execute("SELECT run, id FROM steps LIMIT 1").fetchall()
                return bool(connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                return False
            raise

    def _set_aside(self) -> Path | None:
        """Rename the file and what SQLite keeps beside it; return its new name."""
        now = dt.datetime.now(dt.UTC)
        aside = self.path.with_name(f"{self.path.name}.damaged-{now:%Y%m%d-%H%M%S-%f}")
        found = [side for side in _SIDES if self._beside(side).exists()]
        for side in found:
            self._beside(side).rename(aside.with_name(aside.name + side))
        return aside if found else None

    def _beside(self, side: str) -> Path:
        return self.path.with_name(self.path.name + side)

    def _is_full(self) -> bool:
        """Tell whether there is no room on the disk for what SQLite keeps beside the file."""
        with contextlib.suppress(OSError):
            disk = os.statvfs(self.path.parent)
            return disk.f_bavail * disk.f_frsize < _ROOM
        return False

    def _told(self, error: Exception) -> RunError:
        """Return one clear error for what SQLite or the system said."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        text = str(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or "locked" in text:
            return RunError(
                f"the ledger {self.path} has been locked by another process for more than "
                f"{self._busy_s:g} s",
                hint=f"find it with: fuser -v {self.path}",
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            hint = f"look at owner and mode of {self.path} and of its folder, or set LABVIRT_HOME"
            return RunError(
                f"the ledger {self.path} cannot be opened for writing: {text}", hint=hint
            )
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and self._is_full()):
            hint = f"free space on the disk of {self.path.parent}: labvirt runs prune"
            return RunError(
                f"the ledger {self.path} cannot be written: no space left ({text})", hint=hint
            )
        return RunError(f"the ledger {self.path} cannot be used: {text}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in _DAMAGE or str(error).startswith(_MISSING)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the version of this labvirt, one step after the other."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for script in _MIGRATIONS[version:]:
            for statement in script.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
