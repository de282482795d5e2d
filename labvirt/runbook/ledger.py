"""The ledger: what was run, with what, how it went, where its files are.

One SQLite file for all processes of a user. Every record is also in the folder of its run
(``run.json``), so a lost ledger is made again from the folders. Secrets never come here: a record
has their references only.
"""

from __future__ import annotations

import contextlib
import difflib
from typing import TYPE_CHECKING, Any, Final

from labvirt import places
from labvirt.errors import RunError
from labvirt.runbook.database import Database
from labvirt.runbook.fate import is_gone, read_record, truth
from labvirt.runbook.prune import choose, remove
from labvirt.runbook.rows import WITH_PARAMETER, as_text, drop, put, read, salvage, utc

if TYPE_CHECKING:
    import datetime as dt
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from labvirt.runbook.records import RunRecord

__all__ = ["Ledger"]


class Ledger:
    """All runs of this user (or of another file).

    Args:
        path: the SQLite file; ``runs.sqlite`` in `places.home()` when None. Made when absent.
        folder: where the folders of the runs are; ``runs`` beside the file when None.
        busy_s: how long to wait for a lock of another process, in seconds.
    """

    def __init__(
        self, path: Path | None = None, *, folder: Path | None = None, busy_s: float = 10.0
    ) -> None:
        self.path = (path if path is not None else places.home() / "runs.sqlite").absolute()
        self.folder = folder if folder is not None else self.path.parent / places.runs().name
        self._database = Database(self.path, self._fill, busy_s=busy_s)

    def begin(self, record: RunRecord) -> None:
        """Write a new run down.

        Raises:
            RunError: the ledger cannot be written, or has another run with this id.
        """

        def work(connection: sqlite3.Connection) -> None:
            query = "SELECT folder, began FROM runs WHERE id = ?"
            there = connection.execute(query, [record.id]).fetchone()
            # A ledger that was just made again has this very run from its folder.
            if there not in (None, (str(record.folder), utc(record.began))):
                raise RunError(f"there is another run {record.id} in the ledger already", code=2)
            put(connection, record)

        self._database.write(work)

    def update(self, record: RunRecord) -> None:
        """Replace a run and its steps by what is known now; cheap enough for the end of a step.

        Raises:
            RunError: the ledger cannot be written.
        """
        self._database.write(lambda c: put(c, record))

    def end(self, record: RunRecord) -> None:
        """Write down how a run ended.

        Raises:
            RunError: the ledger cannot be written.
        """
        self.update(record)

    def get(self, wanted: str) -> RunRecord:
        """Return one run.

        Args:
            wanted: its id, the beginning or the end of it that no other run has, or ``last``.

        Raises:
            RunError: no run fits (nearest ids are named), or several do; code 2.
        """
        self._look()
        if wanted == "last":
            newest = self.runs(limit=1)
            if not newest:
                raise RunError(f"the ledger {self.path} has no runs yet", code=2)
            return newest[0]
        ids = self._fitting(wanted)
        if not ids and self._adopt(wanted):
            ids = self._fitting(wanted)
        if len(ids) != 1:
            raise self._none_or_many(wanted, ids)
        found = self._select("WHERE id = ?", [ids[0]])
        record = next(found, None)
        if record is None:
            raise RunError(f"the record of the run {ids[0]} cannot be read", code=1)
        return record

    def runs(
        self,
        *,
        book: str | None = None,
        outcome: str | None = None,
        host: str | None = None,
        since: dt.datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> tuple[RunRecord, ...]:
        """Return the runs that fit, newest first.

        Args:
            book: name of the runbook.
            outcome: one of `OUTCOMES`.
            host: value of the parameter ``host``.
            since: begun at this time or later; UTC when it has no time zone.
            parameters: values that they were given, typed or as text.
            limit: how many at most.
        """
        self._look()
        wheres: list[str] = []
        values: list[Any] = []
        for column, value in (("book", book), ("outcome", outcome), ("host", host)):
            if value is not None:
                wheres.append(f"{column} = ?")
                values.append(value)
        if since is not None:
            wheres.append("began >= ?")
            values.append(utc(since.isoformat()))
        for name, value in (parameters or {}).items():
            wheres.append(WITH_PARAMETER)
            values += [name, as_text(value)]
        where = "WHERE " + " AND ".join(wheres) if wheres else ""
        values.append(-1 if limit is None else limit)
        return tuple(self._select(f"{where} ORDER BY began DESC, id DESC LIMIT ?", values))

    def df(self, **fitting: Any) -> pd.DataFrame:
        """Return the runs as a DataFrame, newest first.

        Args:
            fitting: as for `runs`.

        Returns:
            One row per run. Columns: ``id book outcome exit_code began ended`` (UTC, NaT when
            unknown) ``seconds host steps steps_done last_good_step error parent relation user
            machine book_hash folder parameters`` (a dict).
        """
        import pandas as pd

        rows = [_row(record) for record in self.runs(**fitting)]
        frame = pd.DataFrame(rows, columns=_FRAME)
        for name in ("began", "ended"):
            frame[name] = _times(frame[name])
        return frame

    def steps_df(self, **fitting: Any) -> pd.DataFrame:
        """Return the steps of the runs as a DataFrame: which step is slow, which one fails.

        Args:
            fitting: as for `runs`.

        Returns:
            One row per step: ``run book position id verdict began seconds error``.
        """
        import pandas as pd

        rows = [
            (run.id, run.book, i, s.id, s.verdict, s.began, s.seconds, s.error)
            for run in self.runs(**fitting)
            for i, s in enumerate(run.steps)
        ]
        names = ["run", "book", "position", "id", "verdict", "began", "seconds", "error"]
        frame = pd.DataFrame(rows, columns=names)
        frame["began"] = _times(frame["began"])
        return frame

    def prune(
        self,
        *,
        older_than: dt.timedelta | None = None,
        keep: int | None = None,
        confirm: bool = False,
    ) -> tuple[RunRecord, ...]:
        """Remove old runs: their rows, and their folders below `folder`.

        A run that still runs stays, and so does the run that it goes on from. Of a run whose
        folder was chosen by its user only the row goes.

        Args:
            older_than: only runs that ended longer ago than this.
            keep: how many of the newest runs to keep.
            confirm: that the runs may really be destroyed.

        Returns:
            What was removed, newest first.

        Raises:
            ConfirmationError: there is something to remove and `confirm` is False; names it.
            RunError: neither limit is given, one is negative, or a folder cannot be removed.
        """
        chosen = choose(self.runs(), older_than=older_than, keep=keep)
        for record in remove(chosen, self.folder, confirm=confirm):
            self._database.write(lambda c, gone=record.id: drop(c, gone))  # type: ignore[misc]
        return chosen

    def forget_dead(self) -> tuple[RunRecord, ...]:
        """Write down the truth about runs that were killed; done before every read.

        Returns:
            The runs that the ledger took for running until now.
        """
        return tuple(told for one in self._gone() if (told := self._tell(one)) is not None)

    def _look(self) -> None:
        """Forget the dead before a read; a ledger that cannot be written is still read."""
        gone = self._gone()
        with contextlib.suppress(RunError):
            for one in gone:
                self._tell(one)

    def _gone(self) -> list[str]:
        query = "SELECT id, folder, record FROM runs WHERE outcome = 'running'"
        rows = self._database.read(lambda c: c.execute(query).fetchall())
        return [row[0] for row in rows if (run := read(row)) is not None and is_gone(run)]

    def _tell(self, gone: str) -> RunRecord | None:
        def work(connection: sqlite3.Connection) -> RunRecord | None:
            # Read again under the lock: it may have ended, or been told, since.
            for row in connection.execute(
                "SELECT id, folder, record FROM runs WHERE id = ?", [gone]
            ):
                record = read(row)
                if record is not None and is_gone(record):
                    told = truth(record)
                    put(connection, told)
                    return told
            return None

        return self._database.write(work)

    def _select(self, tail: str, values: list[Any]) -> Iterator[RunRecord]:
        query = f"SELECT id, folder, record FROM runs {tail}"  # noqa: S608 - values are bound
        rows = self._database.read(lambda c: c.execute(query, values).fetchall())
        # The truth also where it could not be written down.
        return (truth(record) for row in rows if (record := read(row)) is not None)

    def _fitting(self, wanted: str) -> list[str]:
        if not wanted:
            return []
        query = (
            "SELECT id FROM runs WHERE id = ?1 OR substr(id, 1, length(?1)) = ?1 "
            "OR substr(id, -length(?1)) = ?1 ORDER BY began DESC"
        )
        rows = self._database.read(lambda c: c.execute(query, [wanted]).fetchall())
        ids = [row[0] for row in rows]
        return [wanted] if wanted in ids else ids

    def _none_or_many(self, wanted: str, ids: list[str]) -> RunError:
        if ids:
            shown = ", ".join(ids[:5]) + (" ..." if len(ids) > 5 else "")
            return RunError(
                f"{len(ids)} runs fit {wanted!r}: {shown}", code=2, hint="write more of it"
            )
        query = "SELECT id FROM runs ORDER BY began DESC LIMIT 1000"
        known = [row[0] for row in self._database.read(lambda c: c.execute(query).fetchall())]
        near = difflib.get_close_matches(wanted, known, n=3) or known[:3]
        hint = ("near ones: " + ", ".join(near)) if near else "there are no runs yet"
        return RunError(f"there is no run {wanted!r} in the ledger {self.path}", code=2, hint=hint)

    def _adopt(self, wanted: str) -> bool:
        """Take in runs whose folder is there but whose row was never written."""
        found = [
            record
            for place in self._places()
            if place.name.startswith(wanted) and (record := read_record(place)) is not None
        ]
        for record in found:
            self._database.write(lambda c, one=record: put(c, one))  # type: ignore[misc]
        return bool(found)

    def _places(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            yield from sorted(place for place in self.folder.iterdir() if place.is_dir())

    def _fill(self, connection: sqlite3.Connection, damaged: Path | None) -> int:
        """Put into a new ledger what the folders tell, and what a damaged one still does."""
        found: dict[str, RunRecord] = {}
        if damaged is not None:
            for row in salvage(damaged):
                record = read(row)
                if record is not None:
                    found[record.id] = record
        for place in self._places():
            record = read_record(place)
            if record is not None:
                found[record.id] = record
        for record in found.values():
            put(connection, record)
        return len(found)


_FRAME: Final = [
    "id", "book", "outcome", "exit_code", "began", "ended", "seconds", "host", "steps",
    "steps_done", "last_good_step", "error", "parent", "relation", "user", "machine",
    "book_hash", "folder", "parameters",
]  # fmt: skip


def _row(record: RunRecord) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in _FRAME if name != "steps_done"}
    row["steps"] = len(record.steps)
    row["steps_done"] = sum(step.verdict in ("ok", "kept") for step in record.steps)
    row["folder"] = str(record.folder)
    return row


def _times(texts: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    moments = pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601")
    return moments.astype("datetime64[us, UTC]")
