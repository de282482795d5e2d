"""History: the newest samples of one host, in memory."""

from __future__ import annotations

import bisect
import math
import threading
from typing import TYPE_CHECKING

import numpy as np

from labvirt.errors import Problem, SpecError
from labvirt.history import frames
from labvirt.history.ring import Axis, Ring
from labvirt.history.source import Window
from labvirt.status.sample import Mark
from labvirt.status.series import series_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from labvirt.history.source import Form
    from labvirt.status.sample import Sample, Subject
    from labvirt.status.series import Kind

__all__ = ["BUDGET_BYTES", "History"]

#: What an hour of 1,000 domains at 1 Hz may take.
BUDGET_BYTES = 300_000_000
_DEVICES: tuple[Kind, ...] = ("vcpu", "disk", "interface")
#: Part of the budget that devices have for sure when there is too little.
_FOR_DEVICES = 0.2
_MOST_MARKS = 10_000
_TIDY_TICKS = 300


class History:
    """Samples of the last `seconds`, as far as `budget_bytes` of memory reach; a `Source`.

    What it takes: 4 bytes per value, in blocks of 16 subjects that are made as needed: an hour at
    1 Hz of 1,000 domains is 235 MB, and 297 MB (of `BUDGET_BYTES`) with the last 15 min of a disk and
    an interface of each. When devices (vCPUs, disks, interfaces) would
    not fit into the budget any more, less of their time is kept, and only then of the domains'; a
    ``note`` among the marks says so. It never grows beyond the budget, and gives blocks back when their
    subjects have scrolled out.

    One thread may write while many read. A wall clock that is set back moves all older samples
    back with it, so that times always rise; `Rates` marks the step. Values are float32 inside:
    seven digits.

    Args:
        seconds: how far back.
        interval_s: seconds between two samples; each sample tells its own, so it may change.
        budget_bytes: the most memory for values.

    Raises:
        SpecError: one of them is not a number above 0.
    """

    def __init__(
        self,
        seconds: float = 3600.0,
        interval_s: float = 1.0,
        budget_bytes: int = BUDGET_BYTES,
    ) -> None:
        for field, value in (
            ("seconds", seconds), ("interval_s", interval_s), ("budget_bytes", budget_bytes)
        ):  # fmt: skip
            if not 0 < value < math.inf:
                problem = Problem(field, repr(value), "must be a number above 0")
                raise SpecError("no history can be kept", (problem,))
        self._lock = threading.Lock()
        self._seconds = seconds
        self._is_other = False  # how far back is another one than when room was made
        self._interval_s = interval_s
        self._budget = budget_bytes
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._axis = Axis(self._wanted())
            self._rings: dict[Kind, Ring] = {}
            self._names: dict[str, str] = {}
            self._marks: list[Mark] = []
            self._shortened = 0  # ticks that were told of; 0 when all fits

    @property
    def seconds(self) -> float:
        """How far back it reaches; set to more it reaches further from the next sample on.

        What is set to less holds for room that is made later: nothing that is kept is thrown away.
        """
        return self._seconds

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        if not 0 < seconds < math.inf:
            problem = Problem("seconds", repr(seconds), "must be a number above 0")
            raise SpecError("no history can be kept", (problem,))
        with self._lock:
            self._is_other = self._is_other or seconds != self._seconds
            self._seconds = seconds

    @property
    def nbytes(self) -> int:
        """Bytes of memory that are set aside for values and times."""
        with self._lock:
            return self._axis.nbytes + sum(ring.nbytes for ring in self._rings.values())

    # Writing ----------------------------------------------------------------------------------

    def take(self, sample: Sample) -> None:
        """Keep a sample; marks of the same moment come after it."""
        with self._lock:
            if sample.interval_s > 0 and (sample.interval_s != self._interval_s or self._is_other):
                self._interval_s, self._is_other = sample.interval_s, False
                self._fit(sample, {})
            self._make_room(sample)
            axis = self._axis
            if axis.count:
                back = axis.at(axis.count - 1) + sample.interval_s - sample.at
                if back >= sample.interval_s:
                    axis.shift(-back)
                    self._marks = [_moved(each, -back) for each in self._marks]
            if axis.count % _TIDY_TICKS == 0:
                # Not a generator: every ring shall be tidied.
                fewer = [ring.tidy(axis.count) for ring in self._rings.values()]
                if any(fewer) and self._shortened:
                    self._fit(sample, {})
            axis.append(sample.at)
            for kind, ring in self._rings.items():
                ring.write(sample.tables.get(kind))
            if sample.names:
                self._names.update(sample.names)
            if self._marks and self._marks[0].at < axis.at(axis.first):
                del self._marks[: bisect.bisect_left(self._marks, axis.at(axis.first), key=_at)]

    def mark(self, mark: Mark) -> None:
        """Keep something that happened."""
        with self._lock:
            self._mark(mark)

    def _mark(self, mark: Mark) -> None:
        bisect.insort_right(self._marks, mark, key=_at)
        del self._marks[:-_MOST_MARKS]

    def _wanted(self) -> int:
        ticks = math.ceil(self._seconds / self._interval_s)
        return max(2, min(ticks, self._budget // 16))

    def _make_room(self, sample: Sample) -> None:
        """See to it that the subjects of a sample have blocks, within the budget."""
        more: dict[Kind, int] = {}
        for kind, table in sample.tables.items():
            if kind not in self._rings:
                fields = len(series_of(kind))
                self._rings[kind] = Ring(fields, self._axis, self._axis.capacity)
            missing = self._rings[kind].missing(table.subjects, self._axis.count)
            if missing:
                more[kind] = missing
        if more:
            self._fit(sample, more)

    def _fit(self, sample: Sample, more: dict[Kind, int]) -> None:
        """Choose how many ticks are kept, so that all blocks, these more too, fit the budget."""
        wanted = max(self._wanted(), self._axis.capacity if not self._shortened else 0)
        need = dict.fromkeys(("main", "devices"), 0)
        for kind, ring in self._rings.items():
            part = "devices" if kind in _DEVICES else "main"
            need[part] += ring.tick_bytes * (ring.blocks + more.get(kind, 0))
        reserved = min(need["devices"] * wanted, int(self._budget * _FOR_DEVICES))
        main = _ticks(self._budget - reserved - 8 * wanted, need["main"], wanted)
        left = self._budget - need["main"] * main - 8 * wanted
        devices = _ticks(left, need["devices"], main)
        if devices < wanted and devices < (self._shortened or 2 * wanted) / 2:
            self._note(sample, devices, main, wanted)
            self._shortened = devices
        elif devices >= wanted:
            self._shortened = 0
        for kind, ring in sorted(self._rings.items(), key=lambda each: each[0] not in _DEVICES):
            _resize(ring, devices if kind in _DEVICES else main)
        _resize(self._axis, main)

    def _note(self, sample: Sample, devices: int, main: int, wanted: int) -> None:
        minutes = devices * sample.interval_s / 60
        what = "vCPUs, disks and interfaces" if main >= wanted else "all"
        text = (
            f"history of {what} is kept for {minutes:.1f} min only, "
            f"to stay within {self._budget / 1e6:.0f} MB of memory"
        )
        self._mark(Mark(sample.at, "note", sample.host, text=text))

    # Reading ----------------------------------------------------------------------------------

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and last sample; None when there is none."""
        with self._lock:
            axis = self._axis
            return (axis.at(axis.first), axis.at(axis.count - 1)) if axis.count else None

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are samples of, those that are gone included."""
        with self._lock:
            ring = self._rings.get(frames.check_kind(kind))
            return ring.subjects() if ring is not None else ()

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain, its UUID when none is known."""
        return self._names.get(uuid, uuid)

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject; NaN also while the subject was not there.

        Raises:
            SpecError: there is no such series.
        """
        columns = frames.columns_of(kind, fields)
        with self._lock:
            ring = self._rings.get(kind)
            if ring is None:
                return Window(np.empty(0), np.empty((len(columns), 0)))
            low, high = self._axis.find(start, end, max(self._axis.first, ring.first))
            times = self._axis.times(low, high)
            values = ring.read(subject, columns, low, high)
        return Window(times, values.astype(np.float64))

    def windows(
        self,
        kind: Kind,
        subjects: Sequence[Subject],
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> list[Window]:
        """Return one window per subject, as `window` does, in a fraction of the time.

        Raises:
            SpecError: there is no such series.
        """
        columns = frames.columns_of(kind, fields)
        none = Window(np.empty(0), np.empty((len(columns), 0)))
        with self._lock:
            ring = self._rings.get(kind)
            if ring is None:
                return [none] * len(subjects)
            groups = ring.neighbours(subjects)
        found: dict[int, Window] = {}
        for group in groups:
            with self._lock:  # between two groups the next sample may come
                low, high = self._axis.find(start, end, max(self._axis.first, ring.first))
                times = self._axis.times(low, high)
                its = ring.read_together([subjects[each] for each in group], columns, low, high)
            for place, values in zip(group, its, strict=True):
                found[place] = Window(times, values.astype(np.float64))
        return [found[place] for place in range(len(subjects))]

    def grid(
        self,
        wanted: Sequence[tuple[Kind, Subject, str]],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return many series of many subjects on one time axis, all of the same moment.

        Args:
            wanted: kind, subject and name of series, one per row of the result.
            start: from when.
            end: until when.

        Raises:
            SpecError: there is no such series.
        """
        columns = [frames.columns_of(kind, (field,)) for kind, _, field in wanted]
        with self._lock:
            low, high = self._axis.find(start, end, self._axis.first)
            values = np.full((len(wanted), high - low), np.nan)
            for row, ((kind, subject, _), column) in enumerate(zip(wanted, columns, strict=True)):
                ring = self._rings.get(kind)
                if ring is not None:
                    values[row] = ring.read(subject, column, low, high)[0]
            return Window(self._axis.times(low, high), values)

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time."""
        with self._lock:
            low = 0 if start is None else bisect.bisect_left(self._marks, start, key=_at)
            high = None if end is None else bisect.bisect_right(self._marks, end, key=_at)
            return tuple(self._marks[low:high])

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
        """Return samples as a table: see `Source.df` and `labvirt.history.frames.frame`.

        Raises:
            SpecError: there is no such series, kind, form or domain; names the nearest.
        """
        return frames.frame(
            self, kind, fields=fields, domains=domains, start=start, end=end, form=form
        )


def _at(mark: Mark) -> float:
    return mark.at


def _moved(mark: Mark, seconds: float) -> Mark:
    return Mark(mark.at + seconds, mark.kind, mark.host, mark.uuid, mark.text)


def _ticks(room: int, need: int, most: int) -> int:
    """Return how many ticks of `need` bytes fit, at most `most`."""
    return max(2, min(most, room // need)) if need else most


def _resize(what: Axis | Ring, ticks: int) -> None:
    """Take another capacity; with some to spare when shorter, so that it does not happen often."""
    if ticks < what.capacity:
        what.resize(max(2, ticks * 19 // 20))
    elif ticks > what.capacity * 5 // 4:
        what.resize(ticks)
