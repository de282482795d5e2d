"""Runs as rows of the ledger's tables, both ways."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.runbook.fate import read_record
from labvirt.runbook.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["WITH_PARAMETER", "as_text", "drop", "put", "read", "salvage", "utc"]

_log = logging.getLogger("labvirt")

_COLUMNS: Final = (
    "id", "book", "outcome", "host", "began", "ended", "seconds", "parent", "folder",
    "parameters", "record",
)  # fmt: skip
_INSERT: Final = (
    f"INSERT OR REPLACE INTO runs ({', '.join(_COLUMNS)}) "  # noqa: S608 - names from the table above
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)
#: One parameter as text, as `as_text` writes it.
WITH_PARAMETER: Final = """
    CASE WHEN json_valid(parameters) THEN EXISTS (
        SELECT 1 FROM json_each(runs.parameters) AS given WHERE given.key = ? AND
        CASE given.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
            ELSE CAST(given.value AS TEXT) END = ?
    ) ELSE 0 END"""


def put(connection: sqlite3.Connection, record: RunRecord) -> None:
    """Write a run and its steps, in place of what was there.

    Args:
        connection: inside of a transaction.
        record: the run.
    """
    values = (
        record.id,
        record.book,
        record.outcome,
        record.host,
        utc(record.began),
        utc(record.ended),
        record.seconds,
        record.parent,
        str(record.folder),
        _compact(record.parameters),
        json.dumps(record.to_dict(), separators=(",", ":")),
    )
    connection.execute(_INSERT, [_plain(value) for value in values])
    connection.execute("DELETE FROM steps WHERE run = ?", [record.id])
    connection.executemany(
        "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (record.id, i, s.id, s.verdict, utc(s.began), s.seconds, _plain(s.error))
            for i, s in enumerate(record.steps)
        ],
    )


def drop(connection: sqlite3.Connection, gone: str) -> None:
    """Remove the run with this id and its steps."""
    connection.execute("DELETE FROM steps WHERE run = ?", [gone])
    connection.execute("DELETE FROM runs WHERE id = ?", [gone])


def read(row: tuple[str, str, str]) -> RunRecord | None:
    """Return the record of a row; the folder's own when the row's text is damaged."""
    number, folder, text = row
    try:
        return RunRecord.from_dict(json.loads(text))
    except (ValueError, TypeError, AttributeError):
        left = read_record(Path(folder)) if folder else None
        if left is not None and left.id == number:
            return left
        _log.warning("the ledger's record of the run %s cannot be read; it is left out", number)
        return None


def salvage(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of a damaged file as far as they can be read."""
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with (
        contextlib.suppress(sqlite3.Error, ValueError),
        contextlib.closing(sqlite3.connect(uri, uri=True)) as connection,
    ):
        for row in connection.execute("SELECT id, folder, record FROM runs"):
            if all(isinstance(value, str) for value in row):
                yield row


def utc(text: str) -> str:
    """Return a time so that the order of texts is the order of times."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")


def _plain(value: Any) -> Any:
    """Return text that SQLite can store: names of files may hold bytes that are no text."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _compact(value: Any) -> str:
    # SQLite knows no NaN in JSON; it would refuse to search the whole column.
    strict = json.loads(json.dumps(value), parse_constant=str)
    return json.dumps(strict, separators=(",", ":"))


def as_text(value: Any) -> str:
    """Return a parameter's value as `WITH_PARAMETER` compares it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
