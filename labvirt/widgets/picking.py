"""Picking: from tables and histories to the rows that the lines of a board need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labvirt.status.series import find_series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.status.sample import Sample, Subject
    from labvirt.status.series import Kind
    from labvirt.widgets.panels import Line, Panel

__all__ = ["Picker", "lines_of", "window_of"]


def lines_of(panels: Sequence[Panel]) -> tuple[Line, ...]:
    """Return the lines of all panels, in the order in which views get them."""
    return tuple(line for panel in panels for line in panel.lines)


class Picker:
    """Takes the values of some lines out of samples; remembers where each one stands."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = tuple(lines)
        self._places: dict[tuple[str, Kind], tuple[object, tuple[NDArray[np.intp], ...]]] = {}

    def row(self, samples: Mapping[str, Sample], at: float) -> NDArray[np.float64]:
        """Return ``[at, value 1, value 2 ...]``; a line whose subject is not there is NaN.

        Args:
            samples: by the name of the host.
            at: the time of the row.
        """
        row = np.full(1 + len(self.lines), np.nan)
        row[0] = at
        for host, sample in samples.items():
            for kind, table in sample.tables.items():
                to, rows, columns = self._place(host, kind, table.subjects)
                row[to] = table.values[rows, columns]
        return row

    def _place(
        self, host: str, kind: Kind, subjects: tuple[Subject, ...]
    ) -> tuple[NDArray[np.intp], ...]:
        known = self._places.get((host, kind))
        if known is not None and known[0] is subjects:
            return known[1]
        index = {subject: row for row, subject in enumerate(subjects)}
        found = [
            (1 + at, index[line.subject], find_series(kind, line.series.name))
            for at, line in enumerate(self.lines)
            if line.series.kind == kind and line.subject in index
        ]
        place = tuple(np.array(found, dtype=np.intp).reshape(-1, 3).T)
        self._places[host, kind] = (subjects, place)
        return place


def window_of(
    lines: Sequence[Line],
    source: Source,
    *,
    start: float | None,
    end: float | None,
    interval_s: float,
) -> NDArray[np.float64]:
    """Return what histories have of some lines: float64 ``[1 + lines, n]``, times first.

    Times of several hosts that are less than half an interval apart become one.

    Args:
        lines: whose values.
        source: where the values are.
        start: from when, None from the first.
        end: until when.
        interval_s: seconds between two rows.
    """
    asked: dict[tuple[Kind, Subject], list[int]] = {}
    for at, line in enumerate(lines):
        asked.setdefault((line.series.kind, line.subject), []).append(at)
    windows = []
    for (kind, subject), places in asked.items():
        fields = [lines[at].series.name for at in places]
        window = source.window(kind, subject, fields, start=start, end=end)
        windows.append((places, window))
    found = [window.times for _, window in windows if len(window.times)]
    times = np.unique(np.concatenate(found)) if found else np.empty(0)
    hosts = {line.subject.host for line in lines}
    if len(hosts) > 1 and len(times):
        times = times[np.concatenate(([True], np.diff(times) > interval_s / 2))]
    block = np.full((1 + len(lines), len(times)), np.nan)
    block[0] = times
    for places, window in windows:
        if len(window.times):
            # The last of the times that is not later: the first of those that became one.
            to = np.clip(np.searchsorted(times, window.times, side="right") - 1, 0, None)
            for at, values in zip(places, window.values, strict=True):
                block[1 + at, to] = values
    return block
