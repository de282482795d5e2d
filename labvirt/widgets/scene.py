"""Scene: charts laid out as lines, areas and words, for SVG and PNG alike."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from labvirt.widgets.i18n import _
from labvirt.widgets.quantity import clock_ticks, scale_of, shown, ticks
from labvirt.widgets.tracks import Track, stacked, thinned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labvirt.status.sample import Mark
    from labvirt.widgets.tracks import Board, Chart

__all__ = ["THEMES", "Area", "Path", "Scene", "Text", "Theme", "scene"]

Theme = Literal["light", "dark"]

#: Colours of everything that is not data, by role. Lines of data keep theirs on both.
THEMES: Final[dict[Theme, dict[str, str]]] = {
    "light": {"paper": "#ffffff", "ink": "#1b1f24", "soft": "#57606a", "grid": "#dfe3e8"},
    "dark": {"paper": "#14181d", "ink": "#e8ecf1", "soft": "#a3adb8", "grid": "#323941"},
}
_WIDTH, _PANEL, _LEFT, _RIGHT, _ROW = 900.0, 170.0, 74.0, 16.0, 17.0
_NARROW: Final = 0.6  # mean width of a letter, in sizes of the font
_LEGEND: Final = 12
DASHES: Final = {"solid": (), "dash": (7.0, 4.0), "dot": (2.0, 3.0)}


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A line through points ``[n, 2]``; `colour` is ``#rrggbb`` or a role of `THEMES`."""

    points: NDArray[np.float64]
    colour: str
    width: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """A filled outline; see `Path`."""

    points: NDArray[np.float64]
    colour: str
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """Words; `y` is the line that letters stand on."""

    x: float
    y: float
    text: str
    size: float = 11.0
    colour: str = "soft"
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


@dataclass
class Scene:
    """A drawing: its size, and what is on it, from back to front."""

    width: float
    height: float
    parts: list[Path | Area | Text] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, **how: object) -> None:
        """Draw a straight line."""
        points = np.array([[x1, y1], [x2, y2]], dtype=np.float64)
        self.parts.append(Path(points, colour, **how))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a chart is drawn, and what its ends mean."""

    left: float
    top: float
    right: float
    bottom: float
    start: float
    end: float
    low: float
    high: float

    def x(self, at: NDArray[np.float64] | float) -> NDArray[np.float64]:
        share = (np.asarray(at, dtype=np.float64) - self.start) / (self.end - self.start)
        return self.left + share * (self.right - self.left)

    def y(self, value: NDArray[np.float64] | float) -> NDArray[np.float64]:
        share = (np.asarray(value, dtype=np.float64) - self.low) / (self.high - self.low)
        return self.bottom - np.clip(share, 0, 1) * (self.bottom - self.top)


def scene(board: Board, *, title: str = "") -> Scene:
    """Lay out a board: panels below each other on one time axis, in two columns from five on.

    Args:
        board: what is drawn.
        title: a heading on the drawing; none when empty.
    """
    columns = 1 if len(board.charts) < 5 else 2
    width = _WIDTH if columns == 1 else 1.4 * _WIDTH
    each = width / columns
    drawing = Scene(width, 0)
    top = 10.0
    if title:
        drawing.parts.append(Text(14, 26, _cut(title, width - 28, 15), 15, "ink", bold=True))
        top = 38.0
    for first in range(0, len(board.charts), columns):
        row = board.charts[first : first + columns]
        heads = [26 + _ROW * len(_legend_rows(chart, each)) for chart in row]
        bottom = top + max(heads) + _PANEL
        for number, chart in enumerate(row):
            left = number * each
            _chart(drawing, chart, board, (left, top, left + each, bottom))
        top = bottom + 40
    drawing.height = top if board.charts else 80.0
    if not board.charts:
        drawing.parts.append(Text(width / 2, 50, "nothing to draw", 13, anchor="middle"))
    return drawing


def _chart(
    drawing: Scene, chart: Chart, board: Board, box: tuple[float, float, float, float]
) -> None:
    left, top, right, bottom = box
    low, high = chart.extent()
    divisor, unit = scale_of(chart.panel.unit, max(high, -low))
    levels = ticks(low / divisor, high / divisor)
    fixed = chart.panel.top is not None and high == chart.panel.top
    rows = _legend_rows(chart, right - left)
    frame = _Frame(
        left + _LEFT,
        top + 26 + _ROW * len(rows),
        right - _RIGHT,
        bottom,
        board.start,
        board.end,
        levels[0] * divisor,
        high if fixed else levels[-1] * divisor,
    )
    heading = _(chart.panel.title) + (f", {unit}" if unit else "")
    heading = _cut(heading, right - left - 30, 13)
    drawing.parts.append(Text(left + 14, top + 15, heading, 13, "ink", bold=True))
    _legend(drawing, rows, left + 14, top + 32)
    _axes(drawing, frame, levels, divisor, elapsed=board.clock == "elapsed")
    if chart.panel.style == "stack":
        _stack(drawing, frame, chart)
    else:
        _lines(drawing, frame, chart)
    _thresholds(drawing, frame, chart)
    _marks(drawing, frame, board.marks)
    if chart.is_empty():
        middle = (frame.left + frame.right) / 2
        drawing.parts.append(
            Text(middle, (frame.top + frame.bottom) / 2, _("no data"), 13, anchor="middle")
        )


def _axes(
    drawing: Scene, frame: _Frame, levels: list[float], divisor: float, *, elapsed: bool
) -> None:
    digits = 0 if all(abs(one - round(one)) < 1e-9 for one in levels) else 2
    for level in levels:
        if level * divisor > frame.high * 1.001:
            continue
        y = float(frame.y(level * divisor))
        drawing.line(frame.left, y, frame.right, y, "soft" if level == 0 else "grid")
        number = f"{abs(level):.{digits}f}"
        number = number.rstrip("0").rstrip(".") if digits else number
        drawing.parts.append(Text(frame.left - 7, y + 4, number, anchor="end"))
    moments, form = clock_ticks(frame.start, frame.end, 8 if frame.right - frame.left > 700 else 6)
    for at in moments:
        x = float(frame.x(at))
        drawing.line(x, frame.top, x, frame.bottom, "grid")
        if frame.left + 12 <= x <= frame.right - 12:
            words = time.strftime(form, time.gmtime(at))
            drawing.parts.append(Text(x, frame.bottom + 15, words, anchor="middle"))
    day = time.strftime("%Y-%m-%d, UTC", time.gmtime(frame.start))
    day = _("time since the start") if elapsed else day
    drawing.parts.append(Text(frame.right, frame.bottom + 30, day, 10, anchor="end"))


def _lines(drawing: Scene, frame: _Frame, chart: Chart) -> None:
    for track in chart.tracks:
        kept = thinned(track, int(frame.right - frame.left))
        points = np.column_stack([frame.x(kept.times), frame.y(kept.drawn)])
        for run in _runs(points):
            drawing.parts.append(Path(run, track.line.colour, 1.7, DASHES[track.line.dash]))


def _stack(drawing: Scene, frame: _Frame, chart: Chart) -> None:
    width = int(frame.right - frame.left)
    sums = stacked(chart.tracks)
    below: Track | None = None
    for whole in sums:
        # One choice of moments for all, so that areas meet.
        kept = thinned(Track(whole.line, sums[-1].times, sums[-1].values), width).times
        chosen = np.isin(whole.times, kept)
        track = Track(whole.line, whole.times[chosen], whole.values[chosen])
        xs, tops = frame.x(track.times), frame.y(track.values)
        floor = frame.y(0.0 if below is None else below.values) * np.ones_like(xs)
        for run in _spans(np.isfinite(tops)):
            upper = np.column_stack([xs[run], tops[run]])
            lower = np.column_stack([xs[run], floor[run]])[::-1]
            drawing.parts.append(Area(np.vstack([upper, lower]), track.line.colour, 0.55))
            drawing.parts.append(Path(upper, track.line.colour, 1.3))
        below = track


def _thresholds(drawing: Scene, frame: _Frame, chart: Chart) -> None:
    for level in chart.panel.thresholds:
        y = float(frame.y(level.value))
        drawing.line(frame.left, y, frame.right, y, "ink", width=1.2, dash=(9.0, 5.0))
        words = _cut(level.label or shown(level.value, chart.panel.unit), 240, 10)
        above = y - 4 if y - frame.top > 16 else y + 12
        drawing.parts.append(Text(frame.right - 4, above, words, 10, "ink", "end"))


def _marks(drawing: Scene, frame: _Frame, marks: tuple[Mark, ...]) -> None:
    free = frame.left
    for mark in marks:
        if not frame.start <= mark.at <= frame.end:
            continue
        x = float(frame.x(mark.at))
        drawing.line(x, frame.top, x, frame.bottom, "soft", dash=(2.0, 3.0))
        words = _cut(mark.kind, 90, 10)
        wide = len(words) * 10 * _NARROW + 8
        left = x if x + wide <= frame.right else x - wide
        if left >= free - 1:
            drawing.parts.append(Text(left + 3, frame.bottom - 5, words, 10))
            free = left + wide


def _legend_rows(chart: Chart, width: float) -> list[list[tuple[float, Track | None, str]]]:
    """Return the entries of a legend, row by row, each with its distance from the left."""
    tracks = list(chart.tracks)
    more = len(tracks) - _LEGEND + 1 if len(tracks) > _LEGEND else 0
    entries: list[tuple[Track | None, str]] = [
        (track, _cut(track.line.label, width / 3, 11))
        for track in (tracks[: _LEGEND - 1] if more else tracks)
    ]
    if more:
        entries.append((None, f"and {more} more"))
    rows: list[list[tuple[float, Track | None, str]]] = [[]]
    at = 0.0
    for track, words in entries:
        wide = 30 + len(words) * 11 * _NARROW + 14
        if at + wide > width - 30 and rows[-1]:
            rows.append([])
            at = 0.0
        rows[-1].append((at, track, words))
        at += wide
    return rows


def _legend(
    drawing: Scene, rows: list[list[tuple[float, Track | None, str]]], left: float, top: float
) -> None:
    for number, row in enumerate(rows):
        y = top + number * _ROW
        for offset, track, words in row:
            x = left + offset
            if track is not None:
                dash = DASHES[track.line.dash]
                drawing.line(x, y - 4, x + 24, y - 4, track.line.colour, width=3.0, dash=dash)
            drawing.parts.append(Text(x + (30 if track else 0), y, words, colour="ink"))


def _runs(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the pieces of a line between its gaps; a lone point becomes a short dash."""
    pieces = []
    for span in _spans(np.isfinite(points[:, 1])):
        run = points[span]
        if len(run) == 1:
            run = run + np.array([[-1.0, 0.0], [1.0, 0.0]])
        pieces.append(run)
    return pieces


def _spans(known: NDArray[np.bool_]) -> list[slice]:
    """Return where a row of flags is true, piece by piece."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _cut(text: str, width: float, size: float) -> str:
    """Return words that fit a width."""
    room = max(int(width / (size * _NARROW)), 3)
    text = " ".join(text.split())
    return text if len(text) <= room else text[: room - 1] + "…"
