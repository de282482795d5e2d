"""Newest: the last counters of every subject, put together from main ticks and slices."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from labvirt.status.sample import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from labvirt.status.sample import Subject
    from labvirt.status.series import Kind

__all__ = ["Newest"]

_Row = tuple[float, "NDArray[np.float64]"]


class Newest:
    """Keeps the newest reading of each kind; those that come in slices are put together.

    Args:
        hold_s: figures of slices that are so much older than a main tick do not join it.
    """

    def __init__(self, hold_s: float) -> None:
        self.hold_s = hold_s
        self._lock = threading.Lock()
        self._whole: dict[Kind, Reading] = {}
        self._parts: dict[Kind, dict[Subject, _Row]] = {}

    def take(self, readings: Iterable[Reading]) -> None:
        """Note what was read."""
        with self._lock:
            for reading in readings:
                if reading.complete:
                    self._whole[reading.kind] = reading
                else:
                    self._note_slice(reading)
            domains = self._whole.get("domain")
            if domains is not None and self._parts:
                known = {subject.uuid for subject in domains.subjects}
                for kind, rows in self._parts.items():
                    if any(subject.uuid not in known for subject in rows):
                        kept = {s: row for s, row in rows.items() if s.uuid in known}
                        self._parts[kind] = kept

    def _note_slice(self, reading: Reading) -> None:
        rows = self._parts.setdefault(reading.kind, {})
        if reading.kind != "domain":  # a disk that was taken out is not in its domain's slice
            told = {subject.uuid for subject in reading.subjects}
            for subject in [subject for subject in rows if subject.uuid in told]:
                del rows[subject]
        for place, subject in enumerate(reading.subjects):
            rows[subject] = (float(reading.clocks[place]), reading.counters[place])

    def get(self, kind: Kind) -> Reading | None:
        """Return the newest counters of a kind, each row with its own clock; None before any."""
        with self._lock:
            whole, parts = self._whole.get(kind), dict(self._parts.get(kind, {}))
        if whole is None:
            if not parts:
                return None
            clocks = np.array([row[0] for row in parts.values()])
            counters = np.array([row[1] for row in parts.values()])
            return Reading(kind, tuple(parts), clocks, counters, complete=False)
        if not parts:
            return whole
        counters = whole.counters.copy()
        for place, subject in enumerate(whole.subjects):
            row = parts.get(subject)
            if row is not None and whole.clocks[place] - row[0] <= self.hold_s:
                counters[place] = np.where(np.isnan(counters[place]), row[1], counters[place])
        return Reading(kind, whole.subjects, whole.clocks, counters)
