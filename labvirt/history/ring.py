"""Ring: the newest values of all subjects of one kind, in columns, in memory that is bounded.

``float32 [fields, time, slots]`` in blocks of `LANES` slots that are made when they are needed. A
subject has a slot; when it is gone its slot fills with NaN and is given to somebody else once all
that was its own has scrolled out. Not thread-safe: `History` holds the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labvirt.status.sample import Subject, Table

__all__ = ["LANES", "Axis", "Ring"]

#: Slots of a block: a host with few domains takes little.
LANES = 16


def _places(first: int, end: int, capacity: int) -> list[slice]:
    """Return where the ticks ``first`` to ``end - 1`` stand: one piece, or two at the turn."""
    if end <= first:
        return []
    a, b = first % capacity, (end - 1) % capacity + 1
    return [slice(a, b)] if a < b else [slice(a, capacity), slice(0, b)]


class Axis:
    """The times of the newest ticks, shared by all kinds.

    Attributes:
        capacity: ticks that are kept.
        count: ticks so far; the newest is ``count - 1``.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.count = 0
        self._begin = 0
        self._times = np.empty(capacity)

    @property
    def first(self) -> int:
        """The oldest tick that is kept."""
        return max(self._begin, self.count - self.capacity)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(self._times.nbytes)

    def times(self, first: int, end: int) -> NDArray[np.float64]:
        """Return the times of some ticks that are kept; a copy."""
        pieces = [self._times[each] for each in _places(first, end, self.capacity)]
        return np.concatenate(pieces) if pieces else np.empty(0)

    def at(self, tick: int) -> float:
        """Return the time of a tick that is kept."""
        return float(self._times[tick % self.capacity])

    def append(self, at: float) -> None:
        """Begin a tick."""
        self._times[self.count % self.capacity] = at
        self.count += 1

    def shift(self, seconds: float) -> None:
        """Move every time that is kept."""
        self._times += seconds

    def resize(self, capacity: int) -> None:
        """Keep more or fewer ticks from now on."""
        kept = np.arange(max(self.first, self.count - capacity), self.count)
        times = np.empty(capacity)
        times[kept % capacity] = self._times[kept % self.capacity]
        self._begin = self.first
        self._times, self.capacity = times, capacity

    def find(self, start: float | None, end: float | None, first: int) -> tuple[int, int]:
        """Return the ticks, from `first` on, from `start` to `end`, both included."""
        times = self.times(first, self.count)
        low = 0 if start is None else int(np.searchsorted(times, start, "left"))
        high = len(times) if end is None else int(np.searchsorted(times, end, "right"))
        return first + low, first + max(low, high)


class Ring:
    """Values of one kind on an axis; it may keep fewer ticks than the axis does."""

    def __init__(self, fields: int, axis: Axis, capacity: int) -> None:
        self.capacity = capacity
        self._axis = axis
        self._fields = fields
        self._begin = axis.count
        self._blocks: list[NDArray[np.float32]] = []
        self._slots: dict[Subject, int] = {}
        self._born = np.empty(0, dtype=np.int64)  # first tick of the slot's owner
        self._last = np.empty(0, dtype=np.int64)  # last tick that its owner was in
        self._free: list[int] = []  # falling, so that the lowest goes first
        self._subjects: tuple[Subject, ...] | None = None
        self._rows = np.empty(0, dtype=np.intp)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return sum(block.nbytes for block in self._blocks)

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self._blocks)

    @property
    def tick_bytes(self) -> int:
        """Bytes that a block takes for one tick."""
        return self._fields * LANES * 4

    @property
    def first(self) -> int:
        """The oldest tick that is kept."""
        return max(self._begin, self._axis.count - self.capacity)

    def subjects(self) -> tuple[Subject, ...]:
        """Return whom there are values of, in the order in which they came."""
        first = self.first
        return tuple(each for each, slot in self._slots.items() if self._last[slot] >= first)

    def missing(self, subjects: tuple[Subject, ...], tick: int) -> int:
        """Return how many more blocks these subjects need to be written at a tick."""
        if subjects is self._subjects:
            return 0
        fresh = sum(each not in self._slots for each in subjects)
        if fresh > len(self._free):
            self._expire(tick)
            # One of these may just have been let go.
            fresh = sum(each not in self._slots for each in subjects)
        return max(0, -(-(fresh - len(self._free)) // LANES))

    def write(self, table: Table | None) -> None:
        """Write the newest tick of the axis, which has begun; None when nothing was read."""
        tick = self._axis.count - 1
        row = np.full((self._fields, len(self._blocks) * LANES), np.nan, dtype=np.float32)
        if table is not None:
            if table.subjects is not self._subjects:
                self._seat(table.subjects, tick)
                row = np.full((self._fields, len(self._blocks) * LANES), np.nan, dtype=np.float32)
            row[:, self._rows] = table.values.T
            self._last[self._rows] = tick
        place = tick % self.capacity
        for number, block in enumerate(self._blocks):
            block[:, place, :] = row[:, number * LANES : (number + 1) * LANES]

    def read(
        self, subject: Subject, fields: Sequence[int], first: int, end: int
    ) -> NDArray[np.float32]:
        """Return some fields of some ticks ``[fields, ticks]``; NaN where nothing is known."""
        out = np.full((len(fields), max(0, end - first)), np.nan, dtype=np.float32)
        slot = self._slots.get(subject)
        if slot is None:
            return out
        born = max(first, int(self._born[slot]), self.first)
        block, lane = self._blocks[slot // LANES], slot % LANES
        at = born - first
        for piece in _places(born, end, self.capacity):
            part = block[fields, piece, lane]
            out[:, at : at + part.shape[1]] = part
            at += part.shape[1]
        return out

    def neighbours(self, subjects: Sequence[Subject]) -> list[list[int]]:
        """Return the places of these subjects in groups that are read together."""
        groups: dict[int, list[int]] = {}
        for place, each in enumerate(subjects):
            groups.setdefault(self._slots.get(each, -LANES) // LANES, []).append(place)
        return list(groups.values())

    def read_together(
        self, subjects: Sequence[Subject], fields: Sequence[int], first: int, end: int
    ) -> NDArray[np.float32]:
        """Return ``[subjects, fields, ticks]`` of subjects of one block: it is read once for all."""
        slots = [self._slots.get(each, -1) for each in subjects]
        if len({slot // LANES for slot in slots}) != 1 or min(slots) < 0:
            return np.stack([self.read(each, fields, first, end) for each in subjects])
        block, start = self._blocks[slots[0] // LANES], max(first, self.first)
        out = np.full((len(subjects), len(fields), max(0, end - first)), np.nan, dtype=np.float32)
        lanes, at = [slot % LANES for slot in slots], start - first
        for piece in _places(start, end, self.capacity):
            part = np.stack([np.ascontiguousarray(block[each, piece].T) for each in fields])
            out[:, :, at : at + part.shape[2]] = part[:, lanes].transpose(1, 0, 2)
            at += part.shape[2]
        for place, slot in enumerate(slots):
            out[place, :, : max(0, int(self._born[slot]) - first)] = np.nan
        return out

    def resize(self, capacity: int) -> None:
        """Keep more or fewer ticks from now on; block by block, so that little is held twice."""
        kept = np.arange(max(self.first, self._axis.count - capacity), self._axis.count)
        for number, block in enumerate(self._blocks):
            new = np.empty((self._fields, capacity, LANES), dtype=np.float32)
            new[:, kept % capacity] = block[:, kept % self.capacity]
            self._blocks[number] = new
        self._begin = self.first
        self.capacity = capacity

    def _seat(self, subjects: tuple[Subject, ...], tick: int) -> None:
        """Give every subject a slot."""
        for _ in range(self.missing(subjects, tick)):
            self._free[:0] = range(
                (len(self._blocks) + 1) * LANES - 1, len(self._blocks) * LANES - 1, -1
            )
            block = np.empty((self._fields, self.capacity, LANES), dtype=np.float32)
            self._blocks.append(block)
            self._born = np.append(self._born, np.zeros(LANES, dtype=np.int64))
            self._last = np.append(self._last, np.full(LANES, -1, dtype=np.int64))
        fresh = [each for each in subjects if each not in self._slots]
        for each in fresh:
            slot = self._free.pop()
            self._slots[each] = slot
            self._born[slot] = tick
        self._rows = np.array([self._slots[each] for each in subjects], dtype=np.intp)
        self._subjects = subjects

    def _expire(self, tick: int) -> None:
        """Take back the slots of those who have scrolled out, and blocks that nobody needs."""
        first = tick - self.capacity + 1
        for each in [s for s, slot in self._slots.items() if self._last[slot] < first]:
            self._free.append(self._slots.pop(each))
        self._free.sort(reverse=True)
        used = max(self._slots.values(), default=-1) // LANES + 1
        if used < len(self._blocks):
            del self._blocks[used:]
            self._free = [slot for slot in self._free if slot < used * LANES]
            self._born, self._last = self._born[: used * LANES], self._last[: used * LANES]
        self._subjects = None
