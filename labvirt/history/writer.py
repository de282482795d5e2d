"""Writer: puts samples into the file of a recording, folds ticks into chunks, forgets the oldest."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.errors import ConflictError, LabvirtError
from labvirt.history import format as form
from labvirt.history.lease import Lease
from labvirt.history.retention import retain, vacuum
from labvirt.status.sample import Mark
from labvirt.status.series import KINDS, series_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from labvirt.history.retention import Retention
    from labvirt.status.sample import Sample, Subject, Table
    from labvirt.status.series import Kind

__all__ = ["Writer"]

#: Ticks of one chunk.
TICKS: Final = 60


@dataclass(slots=True)
class _Tick:
    at: float
    interval_s: float
    tables: dict[Kind, tuple[int, NDArray[np.float32]]] = field(default_factory=dict)


class Writer:
    """Writes one recording; used from one thread at a time.

    Args:
        path: the file; made when it is absent, gone on with when it is a recording.
        retention: what is kept.

    Raises:
        SpecError: something else stands there.
        ConflictError: another recorder writes it.
        AccessDeniedError: it cannot be written.
    """

    def __init__(self, path: Path, retention: Retention) -> None:
        self.path = path
        self._retention = retention
        if not path.exists() and not path.is_symlink():
            with contextlib.suppress(ConflictError):  # somebody else was faster; the lease decides
                form.make(path)
        form.require_recording(path)
        self._db = form.writing(path)
        self._inode = _inode(path)
        self._lease = Lease(path)
        self._pending: dict[str, list[_Tick]] = {}
        self._subjects: dict[tuple[str, Subject], int] = {}
        self._layouts: dict[bytes, int] = {}
        self._last: dict[tuple[str, Kind], tuple[tuple[Subject, ...], int]] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._stalls: dict[str, dict[str, float]] = {}
        self._seen: dict[str, float] = {}
        try:
            self._begin()
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.Error):
                raise form.told(error, path, "record to") from None
            raise

    # -- what the recorder calls ------------------------------------------------------------

    def write(self, samples: Iterable[Sample], marks: Iterable[Mark] = ()) -> None:
        """Write samples and marks as one transaction; with none of them, show that we live.

        Raises:
            LabvirtError: nothing of it was written; says why.
        """
        if _inode(self.path) != self._inode:
            raise LabvirtError(f"record to {self.path} failed: the file was moved or removed")
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._lease.keep(self._db)
                for sample in samples:
                    self._take(sample)
                self._put_marks(marks)
                folded = [self._fold(h) for h, t in self._pending.items() if len(t) >= TICKS]
                if folded:
                    self._retain()
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            if folded:
                vacuum(self._db, 512)
        except (sqlite3.Error, OSError) as error:
            raise form.told(error, self.path, "record to") from None

    def close(self, *, whole: bool = True) -> None:
        """Fold what is left and close the file; never raises.

        Args:
            whole: False after an error: give the file up as it is.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if whole:
                self._lease.keep(self._db)
                for host in self._pending:
                    self._fold(host)
                self._retain()
            self._lease.drop(self._db)
            self._db.execute("COMMIT")
            vacuum(self._db, 2**30)
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except Exception:  # noqa: BLE001, S110 - what is in the tail stays there and can be read
            pass
        finally:
            self._db.close()

    # -- beginning --------------------------------------------------------------------------

    def _begin(self) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        self._lease.take(db)
        self._positions = {kind: self._learn_series(kind) for kind in KINDS}
        for number, kind, *subject in db.execute(
            "SELECT id, kind, host, uuid, device FROM subjects"
        ):
            self._subjects[kind, tuple(subject)] = number  # type: ignore[index]
        self._layouts = {data: number for number, data in db.execute("SELECT * FROM layouts")}
        for host, uuid, name in db.execute("SELECT host, uuid, name FROM names ORDER BY id"):
            self._names.setdefault(host, {})[uuid] = name
        for host, stalled in db.execute("SELECT host, stalled FROM stalls ORDER BY id"):
            self._stalls[host] = json.loads(stalled)
        self._seen = dict(db.execute("SELECT host, max(last) FROM chunks GROUP BY host"))
        self._adopt_tail()
        db.execute("COMMIT")

    def _learn_series(self, kind: Kind) -> NDArray[np.intp]:
        """Return the position in the file of each of our columns; new ones are put at the end."""
        known = dict(self._db.execute("SELECT name, position FROM series WHERE kind = ?", (kind,)))
        found = []
        for each in series_of(kind):
            if each.name not in known:
                known[each.name] = max(known.values(), default=-1) + 1
                self._db.execute(
                    "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?)",
                    (kind, known[each.name], each.name, each.title, each.unit, each.definition),
                )
            found.append(known[each.name])
        return np.array(found, dtype=np.intp)

    def _adopt_tail(self) -> None:
        """Fold what a recorder that was killed left."""
        sizes = {number: len(data) // 4 for data, number in self._layouts.items()}
        ticks: dict[tuple[str, float], _Tick] = {}
        for host, at, interval_s, kind, layout, data in self._db.execute(
            "SELECT host, at, interval_s, kind, layout, data FROM tail ORDER BY id"
        ):
            tick = ticks.setdefault((host, at), _Tick(at, interval_s))
            width = len(data) // 4 // max(sizes[layout], 1)
            values = np.frombuffer(data, dtype="<f4").reshape(sizes[layout], width)
            tick.tables[kind] = (layout, values)
        for (host, at), tick in ticks.items():
            self._pending.setdefault(host, []).append(tick)
            self._seen[host] = max(at, self._seen.get(host, at))
        for host in self._pending:
            self._fold(host)

    # -- one tick ---------------------------------------------------------------------------

    def _take(self, sample: Sample) -> None:
        host = sample.host
        last = self._seen.pop(host, None)
        if last is not None:
            words = f"nothing was recorded for {max(0.0, sample.at - last):.0f} s"
            self._put_marks((Mark(sample.at, "gap", host, text=words),))
        waiting = self._pending.get(host)
        if waiting and sample.at <= waiting[-1].at:
            self._fold(host)  # the clock was set back: times of a chunk rise
        tick = _Tick(sample.at, sample.interval_s)
        for kind, table in sample.tables.items():
            layout = self._layout_of(host, table)
            values = np.ascontiguousarray(self._spread(kind, table.values))
            tick.tables[kind] = (layout, values)
            self._db.execute(
                "INSERT INTO tail (host, at, interval_s, kind, layout, data)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (host, sample.at, sample.interval_s, kind, layout, values.data),
            )
        self._pending.setdefault(host, []).append(tick)
        self._note(sample)

    def _spread(self, kind: Kind, values: NDArray[np.float64]) -> NDArray[np.float32]:
        positions = self._positions[kind]
        with np.errstate(over="ignore"):
            if np.array_equal(positions, np.arange(len(positions))):
                return values.astype("<f4")
            out = np.full((len(values), int(positions.max()) + 1), np.nan, dtype="<f4")
            out[:, positions] = values
            return out

    def _layout_of(self, host: str, table: Table) -> int:
        last = self._last.get((host, table.kind))
        if last is not None and (last[0] is table.subjects or last[0] == table.subjects):
            return last[1]
        numbers = [self._subject(table.kind, each) for each in table.subjects]
        layout = self._layout(np.array(numbers, dtype="<i4").tobytes())
        self._last[host, table.kind] = (table.subjects, layout)
        return layout

    def _subject(self, kind: Kind, subject: Subject) -> int:
        number = self._subjects.get((kind, subject))
        if number is None:
            number = self._add("subjects", (kind, *subject))
            self._subjects[kind, subject] = number
        return number

    def _layout(self, data: bytes) -> int:
        number = self._layouts.get(data)
        if number is None:
            number = self._layouts[data] = self._add("layouts", (data,))
        return number

    def _add(self, table: str, values: tuple[Any, ...]) -> int:
        holes = ", ".join("?" * len(values))
        done = self._db.execute(f"INSERT INTO {table} VALUES (NULL, {holes})", values)  # noqa: S608 - our own names
        return int(done.lastrowid or 0)

    def _note(self, sample: Sample) -> None:
        """Write down how domains are called and which are stalled, when that is news."""
        host, at = sample.host, sample.at
        known = self._names.setdefault(host, {})
        if sample.names != known:
            for uuid, name in sample.names.items():
                if known.get(uuid) != name:
                    known[uuid] = name
                    self._add("names", (at, host, uuid, name))
        if dict(sample.stalled) != self._stalls.get(host, {}):
            self._stalls[host] = dict(sample.stalled)
            self._add("stalls", (at, host, json.dumps(self._stalls[host])))

    def _put_marks(self, marks: Iterable[Mark]) -> None:
        for each in marks:
            self._add("marks", (each.at, each.kind, each.host, each.uuid, each.text))

    # -- chunks -----------------------------------------------------------------------------

    def _fold(self, host: str) -> bool:
        """Make one chunk of the ticks of a host."""
        ticks, self._pending[host] = self._pending[host], []
        if not ticks:
            return False
        times = np.array([tick.at for tick in ticks], dtype="<f8")
        row = (host, times.min(), times.max(), ticks[-1].interval_s, times.tobytes())
        chunk = self._add("chunks", row)
        for kind in KINDS:
            found = [(n, *t.tables[kind]) for n, t in enumerate(ticks) if kind in t.tables]
            if found:
                self._fold_kind(chunk, kind, len(ticks), found)
        self._db.execute("DELETE FROM tail WHERE host = ?", (host,))
        return True

    def _fold_kind(
        self, chunk: int, kind: Kind, ticks: int, found: list[tuple[int, int, NDArray[np.float32]]]
    ) -> None:
        layouts = {layout for _, layout, _ in found}
        series = max(values.shape[1] for _, _, values in found)
        if len(layouts) == 1 and len(found) == ticks:
            layout = layouts.pop()
            block = np.stack([values for _, _, values in found], axis=-1).transpose(1, 0, 2)
        else:
            layout, block = self._union(layouts, series, ticks, found)
        self._db.execute("INSERT INTO tables VALUES (?, ?)", (form.table_id(chunk, kind), layout))
        for position in range(series):
            column = np.ascontiguousarray(block[position])
            if not np.isnan(column).all():
                self._db.execute(
                    "INSERT INTO columns VALUES (?, ?)",
                    (form.column_id(chunk, kind, position), form.pack(column)),
                )

    def _union(
        self,
        layouts: set[int],
        series: int,
        ticks: int,
        found: list[tuple[int, int, NDArray[np.float32]]],
    ) -> tuple[int, NDArray[np.float32]]:
        """Return one layout of all subjects, and their values with NaN where they were not there."""
        data = {number: raw for raw, number in self._layouts.items() if number in layouts}
        numbers = {number: np.frombuffer(raw, dtype="<i4") for number, raw in data.items()}
        everyone = np.unique(np.concatenate(list(numbers.values())))
        block = np.full((series, len(everyone), ticks), np.nan, dtype="<f4")
        places = {number: np.searchsorted(everyone, who) for number, who in numbers.items()}
        for tick, layout, values in found:
            block[: values.shape[1], places[layout], tick] = values.T
        return self._layout(everyone.tobytes()), block

    def _retain(self) -> None:
        """Remove what is too old or too much, and the layouts that nobody needs any more."""
        if not retain(self._db, self._retention):
            return
        used = {number for (number,) in self._db.execute("SELECT layout FROM tables")}
        used |= {number for (number,) in self._db.execute("SELECT layout FROM tail")}
        used |= {layout for _, layout in self._last.values()}
        for data, number in list(self._layouts.items()):
            if number not in used:
                self._db.execute("DELETE FROM layouts WHERE id = ?", (number,))
                del self._layouts[data]


def _inode(path: Path) -> tuple[int, int] | None:
    """Return which file stands there: one that was removed can be written, but never found."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
