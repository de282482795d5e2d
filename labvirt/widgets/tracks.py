"""Tracks: what a board shows, read from a source and ready to be drawn by anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.status.sample import Mark, Subject
    from labvirt.status.series import Kind
    from labvirt.widgets.panels import Line, Panel

    Clock = Literal["utc", "elapsed"]
    _Row = tuple[NDArray[np.float64], NDArray[np.float64]]

__all__ = ["Board", "Chart", "Track", "read", "stacked", "thinned"]

_GAP_STEPS = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One line with its values.

    Attributes:
        line: how it looks.
        times: seconds since 1970, UTC, rising.
        values: in the unit of the series, positive also where the line is negated; NaN is a gap.
    """

    line: Line
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def drawn(self) -> NDArray[np.float64]:
        """The values as they are drawn: below the axis where the line is negated."""
        return -self.values if self.line.negated else self.values


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """One panel with its tracks, in the order of its lines."""

    panel: Panel
    tracks: tuple[Track, ...]

    def extent(self) -> tuple[float, float]:
        """Return the ends of the axis of values; zero is always on it."""
        drawn = stacked(self.tracks) if self.panel.style == "stack" else self.tracks
        ends = [0.0, *(level.value for level in self.panel.thresholds)]
        for track in drawn:
            known = track.drawn[np.isfinite(track.drawn)]
            if known.size:
                ends += [float(known.min()), float(known.max())]
        low, high = min(ends), max(ends)
        if self.panel.top is not None and high <= self.panel.top * 1.02:
            high = self.panel.top
        return (low, high) if high > low else (0.0, 1.0)

    def is_empty(self) -> bool:
        """Tell whether there is nothing to draw."""
        return not any(np.isfinite(track.values).any() for track in self.tracks)


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """All charts of a board, the marks of whom they show, and the span of time (seconds, UTC).

    Where `clock` is ``elapsed``, times are seconds since something began.
    """

    charts: tuple[Chart, ...]
    marks: tuple[Mark, ...]
    start: float
    end: float
    clock: Clock = "utc"


def read(
    panels: Sequence[Panel],
    source: Source,
    *,
    start: float | None = None,
    end: float | None = None,
) -> Board:
    """Read everything that panels show, each subject once.

    Args:
        panels: what is shown.
        source: where the samples are.
        start: from when, seconds since 1970, UTC; None from the first.
        end: until when.

    Raises:
        SpecError: the source has no such series.
    """
    wanted: dict[tuple[Kind, Subject], dict[str, None]] = {}
    for line in (line for panel in panels for line in panel.lines):
        wanted.setdefault((line.series.kind, line.subject), {})[line.series.name] = None
    found: dict[tuple[Kind, Subject, str], _Row] = {}
    for panel in panels:
        for line in panel.lines:
            fields = tuple(wanted.pop((line.series.kind, line.subject), ()))
            if not fields:
                continue
            window = source.window(line.series.kind, line.subject, fields, start=start, end=end)
            times, values = _with_gaps(window.times, window.values)
            for name, row in zip(fields, values, strict=True):
                found[line.series.kind, line.subject, name] = (times, row)
    charts = tuple(
        Chart(
            panel,
            tuple(
                Track(line, *found[line.series.kind, line.subject, line.series.name])
                for line in panel.lines
            ),
        )
        for panel in panels
    )
    return _board(charts, source, start, end)


def _board(
    charts: tuple[Chart, ...], source: Source, start: float | None, end: float | None
) -> Board:
    tracks = [track for chart in charts for track in chart.tracks if track.times.size]
    span = source.span() or (0.0, 1.0)
    first = min((float(one.times[0]) for one in tracks), default=span[0])
    last = max((float(one.times[-1]) for one in tracks), default=span[1])
    start, end = first if start is None else start, last if end is None else end
    hosts = {line.subject.host for chart in charts for line in chart.panel.lines}
    uuids = {line.subject.uuid for chart in charts for line in chart.panel.lines} | {""}
    marks = tuple(
        mark
        for mark in source.marks(start=start, end=end)
        if mark.uuid in uuids and (mark.uuid or mark.host in hosts)
    )
    clock: Clock = getattr(source, "clock", "utc")
    return Board(charts, marks, start, max(end, start + 1.0), clock)


def _with_gaps(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a window with a row of "no data" where samples are missing."""
    times = np.asarray(times, dtype=np.float64)
    values = np.asarray(values, dtype=np.float64)
    if times.size < 3:
        return times, values
    steps = np.diff(times)
    beside = np.minimum(np.append(steps[1:], np.inf), np.insert(steps[:-1], 0, np.inf))
    usual = np.maximum(beside, np.median(steps))
    missing = np.flatnonzero(steps > _GAP_STEPS * usual)
    if not missing.size:
        return times, values
    times_too = np.insert(times, missing + 1, times[missing] + usual[missing])
    return times_too, np.insert(values, missing + 1, np.nan, axis=1)


def stacked(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Return tracks on one time axis, each on top of those before.

    Where a track has no data it counts as nothing; where none has any there is a gap.
    """
    tracks = common(tracks)
    if not tracks:
        return ()
    rows = np.array([track.values for track in tracks])
    sums = np.cumsum(np.nan_to_num(rows), axis=0)
    sums[:, ~np.isfinite(rows).any(axis=0)] = np.nan
    return tuple(
        Track(track.line, track.times, row) for track, row in zip(tracks, sums, strict=True)
    )


def common(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Return tracks with the same times, values between two samples on the line between them."""
    if not tracks:
        return ()
    first = tracks[0].times
    if all(one.times is first or np.array_equal(one.times, first) for one in tracks):
        return tuple(tracks)
    times = np.unique(np.concatenate([one.times for one in tracks]))
    return tuple(
        Track(one.line, times, np.interp(times, one.times, one.values, np.nan, np.nan))
        if one.times.size
        else Track(one.line, times, np.full(times.shape, np.nan))
        for one in tracks
    )


def thinned(track: Track, buckets: int) -> Track:
    """Return a track with at most about two points per bucket: the lowest and the highest of each.

    A gap that fills a bucket stays.
    """
    count = track.times.size
    if count <= 2 * buckets:
        return track
    size = -(-count // buckets)
    whole = -(-count // size) * size
    values = np.concatenate([track.values, np.full(whole - count, np.nan)]).reshape(-1, size)
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).argmin(axis=1)
    high = np.where(known, values, -np.inf).argmax(axis=1)
    base = np.arange(values.shape[0]) * size
    ends = np.array([0, count - 1])
    kept = np.unique(np.concatenate([base + low, base + high, ends]))
    kept = kept[kept < count]
    return Track(track.line, track.times[kept], track.values[kept])
