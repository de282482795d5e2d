"""Retention: how much of a recording is kept, and how the oldest is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labvirt.errors import SpecError
from labvirt.history.format import PAGE

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Retention", "retain", "vacuum"]

#: Chunks removed after one fold, so that no tick waits long and a clock that is wrong for a moment
#: does not cost the whole recording.
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a recording is kept; what is older is removed, oldest first.

    Attributes:
        age_s: seconds before the newest sample; None keeps all.
        size_bytes: size of the file (beside it SQLite keeps up to 40 MiB while it is written);
            None does not limit it.
    """

    age_s: float | None = None
    size_bytes: int | None = None

    def __post_init__(self) -> None:
        """Check.

        Raises:
            SpecError: less than a minute or 4 MiB.
        """
        if self.age_s is not None and not self.age_s >= 60:
            raise SpecError(f"retention: {self.age_s!r} s is too short", hint="at least 60 s")
        if self.size_bytes is not None and not self.size_bytes >= 4 * 2**20:
            raise SpecError(
                f"retention: {self.size_bytes!r} bytes is too little", hint="at least 4 MiB"
            )


def retain(db: sqlite3.Connection, retention: Retention) -> bool:
    """Remove the oldest chunks that are too many; tell whether there were any."""
    age, size = retention.age_s, retention.size_bytes
    newest = db.execute("SELECT max(last) FROM chunks").fetchone()[0]
    rows = db.execute("SELECT id, last FROM chunks ORDER BY id LIMIT ?", (_AT_ONCE,)).fetchall()
    gone = False
    for chunk, last in rows:
        old = age is not None and last < newest - age
        if not old and (size is None or _size(db) <= size):
            break
        db.execute("DELETE FROM chunks WHERE id = ?", (chunk,))
        db.execute("DELETE FROM tables WHERE id BETWEEN ? AND ?", (chunk * 8, chunk * 8 + 7))
        first = chunk * 1024
        db.execute("DELETE FROM columns WHERE id BETWEEN ? AND ?", (first, first + 1023))
        gone = True
    oldest = db.execute("SELECT min(first) FROM chunks").fetchone()[0] if gone else None
    if oldest is not None:
        db.execute("DELETE FROM marks WHERE at < ?", (oldest,))
        last_of = "SELECT max(id) FROM stalls GROUP BY host"
        db.execute(f"DELETE FROM stalls WHERE at < ? AND id NOT IN ({last_of})", (oldest,))  # noqa: S608 - our own words
    return gone


def vacuum(db: sqlite3.Connection, pages: int) -> None:
    """Give free pages back to the disk."""
    # A row without columns for each page: `execute` would stop after the first.
    db.executescript(f"PRAGMA incremental_vacuum({pages})")


def _size(db: sqlite3.Connection) -> int:
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    free = db.execute("PRAGMA freelist_count").fetchone()[0]
    return int(pages - free) * PAGE
