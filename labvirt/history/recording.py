"""Recording: what a recorder has written, read as any history, also while it is being written."""

from __future__ import annotations

import json
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from labvirt.history import format as layout
from labvirt.history.frames import columns_of, find_domains, frame
from labvirt.history.reader import Reader, all_fields
from labvirt.history.windows import Loaded, joined, limits
from labvirt.status.sample import Mark, Sample, Subject, Table
from labvirt.status.series import KINDS, series_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    import pandas as pd
    from numpy.typing import NDArray

    from labvirt.history.reader import Chunk, Tick
    from labvirt.history.replay import Replay
    from labvirt.history.source import Form, Window
    from labvirt.status.series import Kind

__all__ = ["Recording"]

#: Chunks whose columns are read from the file together.
_AT_ONCE: Final = 20

_Array: TypeAlias = "NDArray[np.float64]"
#: A tick as it is told on: time, interval, tables.
_Told: TypeAlias = "tuple[float, float, dict[Kind, Table]]"


class Recording:
    """A file that a `Recorder` wrote; a `Source`. Nothing in it is ever changed.

    A file that is damaged or cut off is read as far as it goes: `problems` says what is missing.

    Args:
        path: the file.

    Raises:
        NotFoundError: there is no such file.
        SpecError: it is no recording, or was written by a later labvirt.
        AccessDeniedError: it cannot be read.
        LabvirtError: it is damaged so much that nothing can be read.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        self._reader = Reader(self.path)

    def __repr__(self) -> str:
        """Return one line."""
        span = self.span()
        words = f"{layout.clock(span[0])} to {layout.clock(span[1])}" if span else "empty"
        missing = f", {len(self.problems)} problems" if self.problems else ""
        return f"<Recording {self.path}: {words}{missing}>"

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read so far, in words; empty for a sound file. See also `check`."""
        return tuple(self._reader.problems)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names of the hosts that were recorded."""
        with self._reader.lock:
            self._reader.refresh()
            return tuple(sorted({who.host for _, who in self._reader.subjects.values()}))

    @property
    def identity(self) -> str:
        """What tells this recording from all others; also in a copy of the file."""
        rows = self._reader.ask("SELECT value FROM about WHERE key = 'id'")
        return str(rows[0][0]) if rows else ""

    @property
    def size_bytes(self) -> int:
        """Size of the file and of what SQLite keeps beside it, in bytes."""
        wal = self.path.with_name(self.path.name + "-wal")
        return self.path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)

    def series(self) -> pd.DataFrame:
        """Return what the file says of its series: kind, name, title, unit, definition."""
        import pandas as pd

        names = ["kind", "name", "title", "unit", "definition"]
        rows = self._reader.ask(
            "SELECT kind, name, title, unit, definition FROM series ORDER BY rowid"
        )
        return pd.DataFrame(rows, columns=names)

    # -- as a Source ------------------------------------------------------------------------

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and last sample; None when there is none."""
        with self._reader.lock:
            tail = self._reader.ask("SELECT min(at), max(at) FROM tail")
            self._reader.refresh()
            ends = [(each.first, each.last) for each in self._reader.chunks]
        ends += [(first, last) for first, last in tail if first is not None]
        if not ends:
            return None
        return min(first for first, _ in ends), max(last for _, last in ends)

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are samples of, those that are gone included."""
        columns_of(kind, None)
        with self._reader.lock:
            self._reader.refresh()
            return tuple(who for each, who in self._reader.subjects.values() if each == kind)

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain, its UUID when none is known."""
        rows = self._reader.ask(
            "SELECT name FROM names WHERE uuid = ? ORDER BY id DESC LIMIT 1", (uuid,)
        )
        return str(rows[0][0]) if rows else uuid

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject; see `Source.window`.

        Raises:
            SpecError: there is no such series.
        """
        columns_of(kind, fields)
        low, high = limits(start, end)
        return self._windows(kind, [subject], fields, low, high)[subject]

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time."""
        rows = self._reader.ask(
            "SELECT at, kind, host, uuid, text FROM marks WHERE at BETWEEN ? AND ? ORDER BY at, id",
            limits(start, end),
        )
        return tuple(Mark(*row) for row in rows)

    def df(
        self,
        kind: Kind = "domain",
        *,
        fields: Sequence[str] | None = None,
        domains: Iterable[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        form: Form = "long",
    ) -> pd.DataFrame:
        """Return samples as a table; see `Source.df`.

        Raises:
            SpecError: there is no such series, kind or form.
        """
        names = [series_of(kind)[column].name for column in columns_of(kind, fields)]
        wanted = find_domains(self, kind, domains)
        loaded = Loaded(self, lambda: self._windows(kind, wanted, names, start, end))
        return frame(loaded, kind, fields=names, domains=domains, start=start, end=end, form=form)

    # -- all of it --------------------------------------------------------------------------

    def samples(self, *, start: float | None = None, end: float | None = None) -> Iterator[Sample]:
        """Return the samples again, in order of time, those of all hosts mixed."""
        low, high = limits(start, end)
        ways = [self._samples(host, low, high) for host in self.hosts]
        return merge(*ways, key=lambda sample: sample.at)

    def replay(self, *, speed: float = 1.0, start: float | None = None) -> Replay:
        """Return the recording as something that plays like a sampler.

        Args:
            speed: seconds of the recording in one second.
            start: from when, seconds since 1970; None from the beginning.

        Raises:
            SpecError: the speed is not above zero.
        """
        from labvirt.history.replay import Replay

        return Replay(self, speed=speed, start=start)

    def check(self) -> tuple[str, ...]:
        """Read everything once, and return what is missing, in words."""
        for row in self._reader.ask("PRAGMA quick_check(3)"):
            if row[0] != "ok":
                self._reader.problem(f"SQLite says: {row[0].splitlines()[-1]}")
        for _ in self.samples():
            pass
        return self.problems

    def close(self) -> None:
        """Do nothing: the file is open while it is read only. For those who close what they opened."""

    def __enter__(self) -> Recording:  # noqa: PYI034 - nobody inherits from it
        """Return the recording itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- inside -----------------------------------------------------------------------------

    def _windows(
        self,
        kind: Kind,
        subjects: Sequence[Subject],
        fields: Sequence[str],
        start: float | None,
        end: float | None,
    ) -> dict[Subject, Window]:
        """Return windows of several subjects; each packed column is opened once."""
        reader = self._reader
        low, high = limits(start, end)
        pieces: dict[Subject, list[tuple[_Array, _Array]]] = {each: [] for each in subjects}
        with reader.lock:
            # The tails first: what is folded between the two is then read twice, not never.
            hosts = {each.host for each in subjects}
            tails = {host: reader.tail(host, low, high) for host in hosts}
            reader.refresh()
            numbers = {n: each for each in subjects if (n := reader.numbers.get((kind, each)))}
            for host in hosts:
                chunks = reader.between(host, low, high)
                for who, times, cells in self._of_chunks(chunks, kind, numbers, fields):
                    pieces[who].append((times, cells))
                places = reader.places(kind, fields)
                for tick in tails[host]:
                    if tick.kind == kind:
                        cells = _picked(tick, places)
                        for number, row in reader.rows(tick.layout).items():
                            if number in numbers:
                                now = np.array([tick.at]), cells[row][:, None]
                                pieces[numbers[number]].append(now)
        return {
            who: joined([t for t, _ in found], [v for _, v in found], len(fields), low, high)
            for who, found in pieces.items()
        }

    def _of_chunks(
        self,
        chunks: Sequence[Chunk],
        kind: Kind,
        numbers: Mapping[int, Subject],
        fields: Sequence[str],
    ) -> Iterator[tuple[Subject, _Array, _Array]]:
        """Return subject, times and values by field, chunk after chunk."""
        reader = self._reader
        layouts = reader.layouts(chunks, kind)
        places = reader.places(kind, fields)
        here = []
        for chunk in chunks:
            rows = reader.rows(layouts.get(chunk.number, 0))
            found = [(numbers[n], rows[n]) for n in numbers if n in rows]
            if found:
                here.append((chunk, len(rows), found))
        for part in range(0, len(here), _AT_ONCE):
            some = here[part : part + _AT_ONCE]
            packed = reader.columns(
                (c, kind, p) for c, _, _ in some for p in places if p is not None
            )
            for chunk, count, found in some:
                picked = [row for _, row in found]
                out = np.full((len(found), len(fields), len(chunk.times)), np.nan)
                for field, place in enumerate(places):
                    data = packed.get(layout.column_id(chunk.number, kind, place or 0))
                    if place is None or data is None:
                        continue
                    column = reader.unpack(data, count, chunk)
                    if column is not None:
                        out[:, field] = column[picked]
                for number, (who, _) in enumerate(found):
                    yield who, chunk.times, out[number]

    def _samples(self, host: str, low: float, high: float) -> Iterator[Sample]:
        reader = self._reader
        with reader.lock:
            tail = reader.tail(host, low, high)
            reader.refresh()
            chunks = reader.between(host, low, high)
            names = reader.ask(
                "SELECT at, uuid, name FROM names WHERE host = ? ORDER BY id", (host,)
            )
            stalls = reader.ask(
                "SELECT at, stalled FROM stalls WHERE host = ? ORDER BY id", (host,)
            )
        called: dict[str, str] = {}
        stalled: dict[str, float] = {}
        number, done = 0, -np.inf
        for at, interval_s, tables in self._ticks(chunks, tail):
            if at <= done or not low <= at <= high:
                continue
            while names and names[0][0] <= at:
                _, uuid, name = names.pop(0)
                called = {**called, uuid: name}
            while stalls and stalls[0][0] <= at:
                stalled = json.loads(stalls.pop(0)[1])
            number, done = number + 1, at
            yield Sample(host, number, at, interval_s, tables, called, stalled)

    def _ticks(self, chunks: Iterable[Chunk], tail: Sequence[Tick]) -> Iterator[_Told]:
        """Return all ticks in order of time. Where the clock was set back, pieces overlap."""
        pieces = [(chunk.first, chunk.last, self._of_chunk(chunk)) for chunk in chunks]
        if tail:
            ats = [tick.at for tick in tail]
            pieces.append((min(ats), max(ats), self._of_tail(tail)))
        together: list[Iterator[_Told]] = []
        until = -np.inf
        for first, last, ticks in sorted(pieces, key=itemgetter(0, 1)):
            if first > until:
                yield from merge(*together, key=itemgetter(0))
                together = []
            together.append(ticks)
            until = max(until, last)
        yield from merge(*together, key=itemgetter(0))

    def _of_chunk(self, chunk: Chunk) -> Iterator[_Told]:
        with self._reader.lock:
            blocks = [(kind, *block) for kind in KINDS if (block := self._block(chunk, kind))]
        for tick in np.argsort(chunk.times, kind="stable"):
            tables = (_table(kind, who, values[:, :, tick]) for kind, who, values in blocks)
            found = {table.kind: table for table in tables if table is not None}
            yield float(chunk.times[tick]), chunk.interval_s, found

    def _of_tail(self, tail: Iterable[Tick]) -> Iterator[_Told]:
        ticks: dict[float, tuple[float, dict[Kind, Table]]] = {}
        for each in tail:
            with self._reader.lock:
                places = self._reader.places(each.kind, all_fields(each.kind))
                who = self._reader.who(each.layout)
            table = Table(each.kind, who, _picked(each, places))
            ticks.setdefault(each.at, (each.interval_s, {}))[1][each.kind] = table
        for at in sorted(ticks):
            yield at, *ticks[at]

    def _block(
        self, chunk: Chunk, kind: Kind
    ) -> tuple[tuple[Subject, ...], NDArray[np.float64]] | None:
        """Return one kind of a chunk: subjects, and values by subject, series and tick."""
        reader = self._reader
        number = reader.layouts([chunk], kind).get(chunk.number)
        if number is None:
            return None
        who = reader.who(number)
        fields = all_fields(kind)
        out = np.full((len(who), len(fields), len(chunk.times)), np.nan)
        places = reader.places(kind, fields)
        packed = reader.columns([(chunk, kind, place) for place in places if place is not None])
        for field, place in enumerate(places):
            data = packed.get(layout.column_id(chunk.number, kind, place or 0))
            if place is not None and data is not None:
                column = reader.unpack(data, len(who), chunk)
                if column is not None:
                    out[:, field, :] = column
        return who, out


def _picked(tick: Tick, places: Sequence[int | None]) -> NDArray[np.float64]:
    """Return the values of a tick by row and asked field."""
    out = np.full((len(tick.cells), len(places)), np.nan)
    for field, place in enumerate(places):
        if place is not None and place < tick.cells.shape[1]:
            out[:, field] = tick.cells[:, place]
    return out


def _table(kind: Kind, who: tuple[Subject, ...], values: NDArray[np.float64]) -> Table | None:
    """Return a table of those who were there; None when nobody was."""
    there = ~np.isnan(values).all(axis=1).reshape(-1)
    if there.all():
        return Table(kind, who, values) if len(who) else None
    if not there.any():
        return None
    return Table(
        kind, tuple(w for w, is_in in zip(who, there.tolist(), strict=True) if is_in), values[there]
    )
