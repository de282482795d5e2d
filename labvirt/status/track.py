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
_CEILING = np.array([_BYTES_S if "bytes" in name else _PACKETS_S for name in COUNTERS["interface"]])


def _wrapped(old: NDArray[np.float64], delta: NDArray[np.float64], dt: NDArray[np.float64]) -> None:
    """Mend, in place, growth of interface counters that ran over at 32 bits.

    Believed when the counter was in the upper half of 32 bits, the growth is one that a card can
    do, and some counter of the same interface shows that it was not reset: none fell but those
    that ran over, and one that is not zero did not fall.
    """
    back = np.asarray(delta < 0)
    rows = np.flatnonzero(back.any(axis=1))
    old, grown, back = old[rows], delta[rows], back[rows]
    over = grown + _WRAP
    plausible = back & (old >= _WRAP / 2) & (old < _WRAP) & (over <= _CEILING * dt[rows, None])
    witness = ((old > 0) & (grown >= 0)).any(axis=1)
    sure: NDArray[np.bool_] = np.asarray(~(back & ~plausible).any(axis=1) & witness)
    delta[rows] = np.where(plausible & sure[:, None], over, grown)


class Track:
    """Rows of one kind: newest counters, their clocks, and growth per second.

    Attributes:
        kind: what the rows are.
        subjects: one per row.
        counters: ``[rows, columns]`` as in `COUNTERS`; NaN is "not known".
        rates: growth per second of each column; NaN is "no data".
        clocks: ``[rows, groups]``: when each group of columns was read; NaN is never.
        epochs: of which life of its domain the row tells.
        newest: when it was last read, if only a few rows or none.
        notes: ``[rows, 2]``: what `Rates` writes down about each row.
    """

    def __init__(self, kind: Kind) -> None:
        columns, groups = len(COUNTERS[kind]), len(GROUPS_OF[kind])
        self.kind = kind
        self.subjects: tuple[Subject, ...] = ()
        self.counters = np.empty((0, columns))
        self.rates = np.empty((0, columns))
        self.clocks = np.empty((0, groups))
        self.epochs = np.empty(0, dtype=np.int64)
        self.notes = np.empty((0, 2))
        self.newest = -np.inf
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
        new = source < 0

        def moved(values: NDArray[np.float64]) -> NDArray[np.float64]:
            out = np.full((len(source), values.shape[1]), np.nan)
            out[~new] = values[source[~new]]
            return out

        self.counters = moved(self.counters)
        self.rates = moved(self.rates)
        self.clocks = moved(self.clocks)
        self.notes = moved(self.notes)
        epochs = np.full(len(source), -1, dtype=np.int64)
        epochs[~new] = self.epochs[source[~new]]
        self.epochs = epochs
        self.subjects = tuple(subjects)
        self.index = {each: row for row, each in enumerate(self.subjects)}

    def forget(self, rows: NDArray[np.bool_]) -> None:
        """Begin anew with these rows: the next reading is their first."""
        self.counters[rows] = np.nan
        self.rates[rows] = np.nan
        self.clocks[rows] = np.nan
        self.notes[rows] = np.nan

    def update(self, reading: Reading, rows: slice | NDArray[np.intp]) -> NDArray[np.bool_]:
        """Take a reading in; return in which of its rows the first group was reset.

        Rules:
            * A group of columns that is NaN throughout was not read; it keeps value and clock.
            * Rate = growth / time between the two clocks of that row. A first reading, and one
              less than a millisecond after the last or before it, gives no data.
            * A counter that went back means that it began anew (start, migration, restart of the
              hypervisor): no data for that row and group this once, and it goes on from there.
            * An interface counter that ran over at 32 bits is mended: see `_wrapped`.
            * A long time between two readings is averaged over: the growth is real.
        """
        reset = np.zeros(len(reading.subjects), dtype=bool)
        for group, (first, end, *_) in enumerate(GROUPS_OF[self.kind]):
            new = reading.counters[:, first:end]
            read = ~np.isnan(new[:, 0])
            if not read.all():
                read = np.asarray(~np.isnan(new).all(axis=1))
            if read.all():
                back = self._take(group, rows, reading.counters, reading.clocks)
            elif read.any():
                place = np.arange(len(self.subjects)) if isinstance(rows, slice) else rows
                back = np.zeros(len(read), dtype=bool)
                back[read] = self._take(
                    group, place[read], reading.counters[read], reading.clocks[read]
                )
            else:
                continue
            if not group:
                reset = back
        return reset

    def _take(
        self,
        group: int,
        rows: slice | NDArray[np.intp],
        counters: NDArray[np.float64],
        clocks: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        first, end, grows, grown = GROUPS_OF[self.kind][group]
        dt = clocks - self.clocks[rows, group]
        delta = counters[:, grows:grown] - self.counters[rows, grows:grown]
        reset = np.zeros(len(dt), dtype=bool)
        # On the host each counter is judged alone: a card may go away, iowait may fall a little.
        if self.kind != "host" and (delta < 0).any():
            if self.kind == "interface":
                _wrapped(self.counters[rows], delta, dt)
            reset |= np.asarray(delta < 0).any(axis=1)
        dt[~(dt >= SHORTEST_S) | reset] = np.nan
        delta /= dt[:, None]
        self.rates[rows, grows:grown] = delta
        self.counters[rows, first:end] = counters[:, first:end]
        self.clocks[rows, group] = clocks
        return reset
