"""Track: the newest counters of all rows of one kind, and how fast each of them grew.

The rules by which two readings become a rate stand at `Track.update`. Pure: no clock is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labvirt.status.sample import COUNTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labvirt.status.sample import Reading, Subject
    from labvirt.status.series import Kind

__all__ = ["GROUPS_OF", "SHORTEST_S", "Track"]

#: Columns that are read together and have a clock of their own, by kind: first, last + 1, and of
#: these the first and last + 1 that only ever grow; the others are levels.
GROUPS_OF: dict[Kind, tuple[tuple[int, int, int, int], ...]] = {
    "domain": ((0, 5, 4, 5), (5, 6, 5, 6), (6, 9, 9, 9)),  # main tick; steal; balloon
    "vcpu": ((0, 2, 1, 2),),
    "disk": ((0, 10, 0, 8),),
    "interface": ((0, 8, 0, 8),),
    "host": ((0, 12, 1, 12),),
}
#: Two readings nearer than this give no rate.
SHORTEST_S = 0.001

_WRAP = 2.0**32
#: The most that a 32-bit counter is believed to have run on beyond its end: 10 Gbit/s, and the
#: packets of 64 bytes that fit into it.
_BYTES_S, _PACKETS_S = 1.25e9, 14.9e6
_CEILING = np.array(
    [[_BYTES_S if "bytes" in name else _PACKETS_S] for name in COUNTERS["interface"]]
)


def _wrapped(old: NDArray[np.float64], delta: NDArray[np.float64], dt: NDArray[np.float64]) -> None:
    """Mend, in place, growth of interface counters that ran over at 32 bits; ``[columns, rows]``.

    Believed when the counter was in the upper half of 32 bits, the growth is one that a card can
    do, and some counter of the same interface shows that it was not reset: none fell but those
    that ran over, and one that is not zero did not fall.
    """
    rows = np.flatnonzero(np.asarray(delta < 0).any(axis=0))
    old, grown = old[:, rows], delta[:, rows]
    back, over = np.asarray(grown < 0), grown + _WRAP
    plausible = back & (old >= _WRAP / 2) & (old < _WRAP) & (over <= _CEILING * dt[rows])
    witness = ((old > 0) & (grown >= 0)).any(axis=0)
    sure: NDArray[np.bool_] = np.asarray(~(back & ~plausible).any(axis=0) & witness)
    delta[:, rows] = np.where(plausible & sure, over, grown)


class Track:
    """Rows of one kind: newest counters, their clocks, and growth per second.

    Attributes:
        kind: what the rows are.
        subjects: one per row.
        counters: ``[columns, rows]``, columns as in `COUNTERS`; NaN is "not known".
        rates: growth per second of each column that grows; NaN is "no data".
        clocks: ``[groups, rows]``: when each group of columns was read; NaN is never.
        epochs: of which life of its domain the row tells.
        notes: ``[2, rows]``: what `Rates` writes down about each row.
        newest: when it was last read, if only a few rows or none.
        groups: the groups that were ever read.
        index: row of each subject.
    """

    def __init__(self, kind: Kind) -> None:
        columns = len(COUNTERS[kind])
        self.kind = kind
        self.subjects: tuple[Subject, ...] = ()
        self.counters = np.empty((columns, 0))
        self.rates = np.empty((columns, 0))
        self.clocks = np.empty((len(GROUPS_OF[kind]), 0))
        self.epochs = np.empty(0, dtype=np.int64)
        self.notes = np.empty((2, 0))
        self.newest = -np.inf
        self.groups: set[int] = set()
        self.index: dict[Subject, int] = {}

    def align(self, reading: Reading) -> slice | NDArray[np.intp]:
        """Give every subject of a reading a row, take away those that are gone; return the rows.

        A complete reading says who is there. A slice says so for the domains that it names: a
        device of such a domain that is not in it is gone.
        """
        wanted = reading.subjects
        if wanted is self.subjects or wanted == self.subjects:
            return slice(None)
        if reading.complete:
            self.become(wanted)
            return slice(None)
        if self.kind != "domain":
            named, present = {each.uuid for each in wanted}, set(wanted)
            kept = [s for s in self.subjects if s.uuid not in named or s in present]
        else:
            kept = list(self.subjects)
        fresh = [each for each in wanted if each not in self.index]
        if fresh or len(kept) < len(self.subjects):
            self.become((*kept, *fresh))
        return np.array([self.index[each] for each in wanted], dtype=np.intp)

    def become(self, subjects: Sequence[Subject]) -> None:
        """Have these rows; who was there keeps what is known, who is new knows nothing."""
        source = np.array([self.index.get(each, -1) for each in subjects], dtype=np.intp)
        old = source >= 0

        def moved(values: NDArray[np.float64]) -> NDArray[np.float64]:
            out = np.full((len(values), len(source)), np.nan)
            out[:, old] = values[:, source[old]]
            return out

        self.counters = moved(self.counters)
        self.rates = moved(self.rates)
        self.clocks = moved(self.clocks)
        self.notes = moved(self.notes)
        epochs = np.full(len(source), -1, dtype=np.int64)
        epochs[old] = self.epochs[source[old]]
        self.epochs = epochs
        self.subjects = tuple(subjects)
        self.index = {each: row for row, each in enumerate(self.subjects)}

    def forget(self, rows: NDArray[np.bool_]) -> None:
        """Begin anew with these rows: the next reading is their first."""
        for each in (self.counters, self.rates, self.clocks, self.notes):
            each[:, rows] = np.nan

    def update(self, reading: Reading, rows: slice | NDArray[np.intp]) -> NDArray[np.bool_] | None:
        """Take a reading in; return in which of its rows the first group was reset, if in any.

        Rules:
            * A group of columns that is NaN throughout was not read; it keeps value and clock.
            * Rate = growth / time between the two clocks of that row. A first reading, and one
              less than a millisecond after the last or before it, gives no data.
            * A counter that went back means that it began anew (start, migration, restart of the
              hypervisor): no data for that row and group this once, and it goes on from there.
            * An interface counter that ran over at 32 bits is mended: see `_wrapped`.
            * A long time between two readings is averaged over: the growth is real.
        """
        reset: NDArray[np.bool_] | None = None
        counters = reading.counters.T
        for group, (first, end, *_) in enumerate(GROUPS_OF[self.kind]):
            unread = np.isnan(counters[first])
            if not unread.any():
                back = self._take(group, rows, counters, reading.clocks)
            else:
                unread = np.asarray(np.isnan(counters[first:end]).all(axis=0))
                if unread.all():
                    continue
                place = np.arange(len(self.subjects))[rows]
                some = self._take(
                    group, place[~unread], counters[:, ~unread], reading.clocks[~unread]
                )
                back = None
                if some is not None:
                    back = np.zeros(len(unread), dtype=bool)
                    back[~unread] = some
            self.groups.add(group)
            if not group:
                reset = back
        return reset

    def _take(
        self,
        group: int,
        rows: slice | NDArray[np.intp],
        counters: NDArray[np.float64],
        clocks: NDArray[np.float64],
    ) -> NDArray[np.bool_] | None:
        first, end, grows, grown = GROUPS_OF[self.kind][group]
        reset: NDArray[np.bool_] | None = None
        if grows < grown:
            dt = clocks - self.clocks[group, rows]
            delta = counters[grows:grown] - self.counters[grows:grown, rows]
            # On the host each counter is judged alone: a card may go away, iowait may fall.
            if self.kind != "host" and (delta < 0).any():
                if self.kind == "interface":
                    _wrapped(self.counters[:, rows], delta, dt)
                reset = np.asarray(np.asarray(delta < 0).any(axis=0))
                dt[reset] = np.nan
            if not dt.min(initial=np.inf) >= SHORTEST_S:
                dt[~(dt >= SHORTEST_S)] = np.nan
            delta /= dt
            self.rates[grows:grown, rows] = delta
        self.counters[first:end, rows] = counters[first:end]
        self.clocks[group, rows] = clocks
        return reset
