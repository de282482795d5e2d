"""Reader: the file of a recording, read piece by piece; of a damaged one, what can be read."""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np

from labvirt.errors import LabvirtError
from labvirt.history import format as form
from labvirt.status.sample import Subject
from labvirt.status.series import KINDS, series_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from labvirt.status.series import Kind

__all__ = ["Chunk", "Reader", "Tick"]

_log = logging.getLogger("labvirt")

_CHUNKS: Final = "SELECT id, host, first, last, interval_s, times FROM chunks WHERE id "
_AT_ONCE: Final = 500
_DIG_LIMIT: Final = 100_000


class Chunk(NamedTuple):
    """Some ticks of one host that were folded together; `times` are not always rising."""

    number: int
    host: str
    first: float
    last: float
    interval_s: float
    times: NDArray[np.float64]


class Tick(NamedTuple):
    """One kind of one tick that has not been folded yet; `cells` by row and position."""

    at: float
    interval_s: float
    kind: Kind
    layout: int
    cells: NDArray[np.float32]


class Reader:
    """Reads one file; used under its `lock`.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.problems: dict[str, None] = {}
        self.chunks: list[Chunk] = []
        self.subjects: dict[int, tuple[Kind, Subject]] = {}
        self.numbers: dict[tuple[Kind, Subject], int] = {}
        self._layouts: dict[int, dict[int, int]] = {}
        self._rescue = False
        form.require_recording(path)
        self.positions = self._learn()

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return rows; of a damaged file those that can be read.

        Raises:
            LabvirtError: the file cannot be read at all; says why.
        """
        rows: list[Any] = []
        try:
            with form.reading(self.path, rescue=self._rescue) as connection:
                rows.extend(connection.execute(sql, values))
        except sqlite3.Error as error:
            if not form.is_damage(error):
                raise form.told(error, self.path, "read the recording") from None
            if not self._rescue:
                self._rescue = True
                self.problem(f"the file is damaged or cut off ({error})")
                return self.ask(sql, values)
        return rows

    def problem(self, what: str) -> None:
        """Remember, and say once, what cannot be read."""
        if what not in self.problems:
            self.problems[what] = None
            _log.warning("the recording %s: %s", self.path, what)

    def refresh(self) -> None:
        """Learn what has been written since the last look, and what retention removed."""
        known = self.chunks[-1].number if self.chunks else 0
        rows = self.ask(_CHUNKS + "> ? ORDER BY id", (known,))
        if self._rescue and not known:
            rows = self._dig(rows)
        for *facts, times in rows:
            self.chunks.append(Chunk._make((*facts, np.frombuffer(times, dtype="<f8"))))
        oldest = self.ask("SELECT min(id) FROM chunks")
        first = oldest[0][0] if oldest else None
        if first is not None and self.chunks and self.chunks[0].number < first:
            self.chunks = [each for each in self.chunks if each.number >= first]
        for number, kind, *who in self.ask(
            "SELECT id, kind, host, uuid, device FROM subjects WHERE id > ? ORDER BY id",
            (max(self.subjects, default=0),),
        ):
            if kind in KINDS:
                self.subjects[number] = (kind, Subject(*who))
                self.numbers[kind, Subject(*who)] = number

    def between(self, host: str, low: float, high: float) -> list[Chunk]:
        """Return the chunks of a host that have ticks in a span of time."""
        return [c for c in self.chunks if c.host == host and c.last >= low and c.first <= high]

    def tail(self, host: str, low: float, high: float) -> list[Tick]:
        """Return what has not been folded yet, in the order of writing."""
        out = []
        for *facts, layout, data in self.ask(
            "SELECT at, interval_s, kind, layout, data FROM tail"
            " WHERE host = ? AND at BETWEEN ? AND ? ORDER BY id",
            (host, low, high),
        ):
            rows = len(self.rows(layout))
            if rows and facts[2] in KINDS:
                values = np.frombuffer(data, dtype="<f4").reshape(rows, -1)
                out.append(Tick._make((*facts, layout, values)))
        return out

    def layouts(self, chunks: Iterable[Chunk], kind: Kind) -> dict[int, int]:
        """Return the layout of one kind by the number of the chunk."""
        found = self._many("tables", "layout", [form.table_id(c.number, kind) for c in chunks])
        return {number // 8: layout for number, layout in found.items()}

    def rows(self, layout: int) -> dict[int, int]:
        """Return the number of a subject to its row in a layout."""
        if layout not in self._layouts:
            found = self.ask("SELECT subjects FROM layouts WHERE id = ?", (layout,))
            numbers = np.frombuffer(found[0][0], dtype="<i4").tolist() if found else []
            self._layouts[layout] = {number: row for row, number in enumerate(numbers)}
        return self._layouts[layout]

    def who(self, layout: int) -> tuple[Subject, ...]:
        """Return the subjects of a layout."""
        unknown = ("domain", Subject("?"))
        return tuple(self.subjects.get(number, unknown)[1] for number in self.rows(layout))

    def places(self, kind: Kind, fields: Iterable[str]) -> list[int | None]:
        """Return where series stand in the file; None for those it does not know."""
        return [self.positions[kind].get(name) for name in fields]

    def columns(self, wanted: Iterable[tuple[Chunk, Kind, int]]) -> dict[int, bytes]:
        """Return packed columns by `form.column_id`."""
        return self._many("columns", "data", [form.column_id(c.number, k, p) for c, k, p in wanted])

    def unpack(self, data: bytes, rows: int, chunk: Chunk) -> NDArray[np.float32] | None:
        """Return a column by subject and tick; None when it is damaged."""
        try:
            return form.unpack(data, rows, len(chunk.times))
        except ValueError:
            self.problem(f"a series from {form.clock(chunk.first)} on is damaged")
            return None

    # -- inside -----------------------------------------------------------------------------

    def _learn(self) -> dict[Kind, dict[str, int]]:
        out: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
        rows = self.ask("SELECT kind, name, position FROM series")
        if not rows:
            told = "; ".join(self.problems) or "its table of series is empty"
            raise LabvirtError(
                f"the recording {self.path} is damaged, and nothing of it can be read: {told}"
            )
        for kind, name, position in rows:
            if kind in out:
                out[cast("Kind", kind)][name] = position
        return out

    def _many(self, table: str, column: str, numbers: Sequence[int]) -> dict[int, Any]:
        out: dict[int, Any] = {}
        for begin in range(0, len(numbers), _AT_ONCE):
            part = numbers[begin : begin + _AT_ONCE]
            holes = ", ".join("?" * len(part))
            rows = self.ask(f"SELECT id, {column} FROM {table} WHERE id IN ({holes})", part)  # noqa: S608 - our own names
            if self._rescue and len(rows) < len(part):
                rows = self._one_by_one(f"SELECT id, {column} FROM {table} WHERE id = ?", part)  # noqa: S608 - our own names
            out.update(rows)
        return out

    def _one_by_one(self, sql: str, numbers: Iterable[int]) -> list[Any]:
        """Return the rows that can be read; a damaged page does not hide the others."""
        rows: list[Any] = []
        lost = 0
        with form.reading(self.path, rescue=True) as connection:
            for number in numbers:
                try:
                    rows.extend(connection.execute(sql, (number,)))
                except sqlite3.DatabaseError:
                    lost += 1
        if lost:
            self.problem(f"some pages are damaged: {lost} rows of {sql.split()[4]} cannot be read")
        return rows

    def _dig(self, rows: list[Any]) -> list[Any]:
        """Look for every chunk by its number: a damaged page hides those behind it from a scan."""
        found = {row[0]: row for row in rows}
        ends = [row[0] for row in rows]
        for sql in (
            "SELECT max(id) FROM chunks",
            "SELECT max(id) / 8 FROM tables",
            "SELECT max(id) / 1024 FROM columns",
        ):
            ends += [row[0] for row in self.ask(sql) if row[0]]
        low, high = min(ends, default=1), max(ends, default=1)
        missing = [n for n in range(max(low, high - _DIG_LIMIT), high + 1) if n not in found]
        found.update({row[0]: row for row in self._one_by_one(_CHUNKS + "= ?", missing)})
        lost = high - low + 1 - len(found)
        if lost:
            self.problem(f"{lost} of {high - low + 1} chunks (of up to 60 ticks each) are lost")
        return [found[number] for number in sorted(found)]


def all_fields(kind: Kind) -> tuple[str, ...]:
    """Return the names of the series of a kind."""
    return tuple(each.name for each in series_of(kind))
