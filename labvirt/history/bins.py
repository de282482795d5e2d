"""Bins: the samples of a minute made into one row per subject."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from labvirt.status.series import series_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from labvirt.status.sample import Sample, Subject, Table
    from labvirt.status.series import Kind

__all__ = ["Bin", "Rows", "gather"]


@dataclass(frozen=True, slots=True, eq=False)
class Bin:
    """One kind of one host in one span of time.

    Attributes:
        at: its beginning, seconds since 1970.
        subjects: one per row.
        samples: in how many samples each was there.
        mean: by row and series, NaN where there was no data; likewise `min`, `max` and `last`.
    """

    at: float
    subjects: tuple[Subject, ...]
    samples: NDArray[np.int32]
    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    last: NDArray[np.float64]


def gather(samples: Iterable[Sample], every_s: float) -> Iterator[tuple[Kind, Bin]]:
    """Return the bins of samples that come in order of time."""
    for number, group in groupby(samples, key=lambda sample: sample.at // every_s):
        tables: dict[tuple[str, Kind], list[Table]] = {}
        for sample in group:
            for kind, table in sample.tables.items():
                tables.setdefault((sample.host, kind), []).append(table)
        for (_, kind), found in tables.items():
            yield kind, _bin(number * every_s, found)


def _bin(at: float, tables: Sequence[Table]) -> Bin:
    subjects = tuple(dict.fromkeys(who for table in _distinct(tables) for who in table.subjects))
    place = {who: row for row, who in enumerate(subjects)}
    shape = (len(subjects), tables[0].values.shape[1])
    seen = np.zeros(len(subjects), dtype=np.int32)
    known = np.zeros(shape)
    total = np.zeros(shape)
    low, high, last = (np.full(shape, np.nan) for _ in range(3))
    rows: NDArray[np.intp] = np.arange(len(subjects))
    before: tuple[Subject, ...] = ()
    for table in tables:
        if table.subjects is not before:
            before = table.subjects
            rows = np.array([place[who] for who in before], dtype=np.intp)
        cells = table.values
        is_known = ~np.isnan(cells)
        seen[rows] += 1
        known[rows] += is_known
        total[rows] += np.where(is_known, cells, 0.0)
        low[rows] = np.fmin(low[rows], cells)
        high[rows] = np.fmax(high[rows], cells)
        last[rows] = np.where(is_known, cells, last[rows])
    mean = np.divide(total, known, out=np.full(shape, np.nan), where=known > 0)
    return Bin(at, subjects, seen, mean, low, high, last)


def _distinct(tables: Sequence[Table]) -> Iterator[Table]:
    """Return the tables whose rows are not those of the one before."""
    before: tuple[Subject, ...] = ()
    for table in tables:
        if table.subjects is not before:
            before = table.subjects
            yield table


class Rows:
    """The bins of one kind, as columns for a file."""

    def __init__(self, kind: Kind) -> None:
        self.count = 0
        self._kind = kind
        self._bins: list[Bin] = []
        self._names: dict[str, str] = {}

    def add(self, found: Bin, name: Callable[[str], str]) -> None:
        """Take a bin.

        Args:
            found: the bin.
            name: gives the name of a domain.
        """
        self._bins.append(found)
        self.count += len(found.subjects)
        for who in found.subjects:
            if who.uuid not in self._names:
                self._names[who.uuid] = name(who.uuid) if who.uuid else ""

    def columns(self) -> dict[str, Any]:
        """Return the columns: whom, when, how many samples, and four per series as float32."""
        who = [subject for each in self._bins for subject in each.subjects]
        times = np.repeat([each.at for each in self._bins], [len(b.subjects) for b in self._bins])
        out: dict[str, Any] = {
            "time": np.round(times * 1e6).astype("int64").view("datetime64[us]"),
            "host": [each.host for each in who],
            "domain": [self._names[each.uuid] for each in who],
            "uuid": [each.uuid for each in who],
            "device": [each.device for each in who],
            "samples": np.concatenate([each.samples for each in self._bins]),
        }
        for column, series in enumerate(series_of(self._kind)):
            for statistic in ("mean", "min", "max", "last"):
                parts = [getattr(each, statistic)[:, column] for each in self._bins]
                out[f"{series.name}_{statistic}"] = np.concatenate(parts).astype("f4")
        return out
