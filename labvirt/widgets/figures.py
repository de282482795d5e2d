"""Figures: charts as plotly figures, to explore, to change and to save."""

from __future__ import annotations

import functools
import html
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.widgets.i18n import _
from labvirt.widgets.quantity import scale_of, shown, ticks
from labvirt.widgets.scene import THEMES
from labvirt.widgets.svg import plain
from labvirt.widgets.tracks import common, read, thinned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.status.sample import Mark
    from labvirt.widgets.panels import Panel
    from labvirt.widgets.scene import Theme
    from labvirt.widgets.tracks import Board, Chart, Track

__all__ = ["CONFIG", "MIME", "figure", "figure_of"]

MIME: Final = "application/vnd.plotly.v1+json"

#: plotly.js offers to send a chart to its maker's cloud; a lab's figures stay in the lab.
CONFIG: Final = {"showSendToCloud": False, "displaylogo": False, "responsive": True}

_PANEL_PX, _GAP_PX, _TOP_PX, _BOTTOM_PX = 190, 46, 70, 40
_MOST_POINTS: Final = 4000
_GREY: Final = "#7d8590"  # seen on white and on black


def figure(
    panels: Sequence[Panel],
    source: Source,
    *,
    start: float | None = None,
    end: float | None = None,
    theme: Theme = "light",
    title: str = "",
) -> Any:
    """Return a ``plotly.graph_objects.Figure``: one subplot per panel on one time axis (UTC).

    Values are in the unit that the axis names. What is negated is drawn below the axis and read
    as a positive number. Lines of more than 8000 points are thinned to the lowest and highest.

    Args:
        panels: what is drawn.
        source: where the samples are.
        start: from when, seconds since 1970, UTC; None from the first.
        end: until when.
        theme: ``light`` or ``dark``.
        title: a heading.

    Raises:
        SpecError: the source has no such series.
    """
    return figure_of(read(panels, source, start=start, end=end), theme=theme, title=title)


def figure_of(
    board: Board, *, theme: Theme = "light", title: str = "", compact: bool = False
) -> Any:
    """Return the figure of a board that was read; see `figure`.

    Args:
        board: what is drawn.
        theme: ``light`` or ``dark``.
        title: a heading.
        compact: give even times (within a twentieth of their step) as their first and their step.
    """
    traces: list[dict[str, Any]] = []
    layout = _page(board, theme, title)
    for number, chart in enumerate(board.charts, start=1):
        suffix = "" if number == 1 else str(number)
        divisor, unit = scale_of(chart.panel.unit, max(map(abs, chart.extent())))
        tracks = common(chart.tracks) if chart.panel.style == "stack" else chart.tracks
        for track in tracks:
            trace = _trace(track, chart, suffix, divisor, unit)
            traces.append(_compacted(trace, track.times) if compact else trace)
        if chart.is_empty():
            traces.append(_nothing(board, suffix))
        layout[f"xaxis{suffix}"], layout[f"yaxis{suffix}"] = _axes(board, chart, number)
        layout["shapes"] += _thresholds(chart, suffix, divisor)
        layout["annotations"].append(_heading(chart, suffix, unit))
    marks, words = _marks(board.marks)
    if board.charts:
        layout["shapes"] += marks
        layout["annotations"] += words
    return _class()({"data": traces, "layout": layout})


@functools.cache
def _class() -> Any:
    """Return the kind of our figures: plotly's, with our switches wherever it is shown."""
    from plotly.graph_objects import Figure

    class LabFigure(Figure):  # type: ignore[misc]
        """A plotly figure without upload button and logo."""

        def show(self, *args: Any, **options: Any) -> None:
            options["config"] = CONFIG | (options.get("config") or {})
            super().show(*args, **options)

        def _ipython_display_(self) -> None:
            self.show()

        def to_html(self, *args: Any, **options: Any) -> str:
            options["config"] = CONFIG | (options.get("config") or {})
            return str(super().to_html(*args, **options))

        def write_html(self, *args: Any, **options: Any) -> None:
            options["config"] = CONFIG | (options.get("config") or {})
            super().write_html(*args, **options)

    return LabFigure


def _words(text: str) -> str:
    """Return text that plotly shows letter by letter, not as markup."""
    return html.escape(plain(text), quote=False)


def _page(board: Board, theme: Theme, title: str) -> dict[str, Any]:
    count = len(board.charts)
    height = _TOP_PX + _BOTTOM_PX + max(count, 1) * (_PANEL_PX + _GAP_PX) - _GAP_PX
    return {
        "template": {"layout": _look(theme)},
        "height": height,
        "margin": {"l": 64, "r": 16, "t": _TOP_PX, "b": _BOTTOM_PX},
        "hovermode": "x unified",
        "legend": {"groupclick": "toggleitem", "tracegroupgap": 14, "traceorder": "grouped"},
        "title": {"text": _words(title), "x": 0, "xref": "paper"},
        "shapes": [],
        "annotations": [],
    }


def _look(theme: Theme) -> dict[str, Any]:
    """Return colours as a template, so that a page with colours of its own can put them in."""
    colours = THEMES[theme]
    lines = {"gridcolor": colours["grid"], "zerolinecolor": _GREY, "linecolor": _GREY}
    return {
        "paper_bgcolor": colours["paper"],
        "plot_bgcolor": colours["paper"],
        "font": {"color": colours["ink"], "size": 12},
        "xaxis": lines,
        "yaxis": lines,
    }


def _trace(track: Track, chart: Chart, suffix: str, divisor: float, unit: str) -> dict[str, Any]:
    line, stack = track.line, chart.panel.style == "stack"
    kept = track if stack else thinned(track, _MOST_POINTS)
    values = (kept.values / divisor).astype(np.float32)
    reading = f"%{{y:.4~r}} {unit}".rstrip()
    trace = {
        "type": "scatter",
        "mode": "lines",
        "name": _words(line.label),
        "x": _moments(kept.times),
        "y": values,
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "line": {"color": line.colour, "dash": line.dash, "width": 1.6},
        "connectgaps": False,
        "legendgroup": chart.panel.key,
        "legendgrouptitle": {"text": _words(_(chart.panel.title))},
        "hovertemplate": reading,
    }
    if line.negated:
        trace |= {"y": -values, "customdata": values}
        trace["hovertemplate"] = reading.replace("%{y:", "%{customdata:")
    if stack:
        trace |= {"stackgroup": chart.panel.key, "line": {"color": line.colour, "width": 1}}
    return trace


def _nothing(board: Board, suffix: str) -> dict[str, Any]:
    """Return a trace that shows nothing: plotly leaves a blank place for axes without any."""
    return {
        "type": "scatter",
        "x": _moments(np.array([board.start])),
        "y": [None],
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _compacted(trace: dict[str, Any], times: NDArray[np.float64]) -> dict[str, Any]:
    """Return a trace whose times take a few bytes, where they are even."""
    count = len(trace["x"])
    if count != times.size or count < 3:
        return trace
    step = float(times[-1] - times[0]) / (count - 1)
    even = times[0] + step * np.arange(count)
    if np.abs(times - even).max() > step / 20:
        return trace
    trace["x0"], trace["dx"] = str(_moments(times[:1])[0]), round(step * 1000, 3)
    del trace["x"]
    return trace


def _moments(times: NDArray[np.float64]) -> NDArray[np.datetime64]:
    """Return times as dates, no finer than they are: seconds or milliseconds."""
    thousandths = np.round(times * 1000).astype(np.int64)
    moments = thousandths.astype("datetime64[ms]")
    whole = not np.any(thousandths % 1000)
    return moments.astype("datetime64[s]") if whole else moments


def _domain(number: int, count: int) -> list[float]:
    """Return where a panel stands on the page, from the bottom (0) to the top (1)."""
    whole = count * (_PANEL_PX + _GAP_PX) - _GAP_PX
    top = whole - (number - 1) * (_PANEL_PX + _GAP_PX)
    return [round((top - _PANEL_PX) / whole, 4), round(top / whole, 4)]


def _axes(board: Board, chart: Chart, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    suffix = "" if number == 1 else str(number)
    lowest = number == len(board.charts)
    ends = _moments(np.array([board.start, board.end])).astype(str).tolist()
    across = {
        "type": "date",
        "anchor": f"y{suffix}",
        "range": ends,
        "showticklabels": lowest,
        "hoverformat": "%Y-%m-%d %H:%M:%S UTC",
    }
    if number > 1:
        across["matches"] = "x"
    if lowest:
        across["title"] = {"text": _("time, UTC")}
    if board.clock == "elapsed":
        across |= {"hoverformat": "%H:%M:%S.%L", "tickformat": "%H:%M:%S"}
        if lowest:
            across["title"] = {"text": _("time since the start")}
    low, high = chart.extent()
    divisor, _unit = scale_of(chart.panel.unit, max(high, -low))
    levels = ticks(low / divisor, high / divisor)
    fixed = chart.panel.top is not None and high == chart.panel.top
    last = high / divisor if fixed else levels[-1]
    up = {
        "anchor": f"x{suffix}",
        "domain": _domain(number, len(board.charts)),
        "range": [levels[0], last + (last - levels[0]) * 0.02],
        "zeroline": True,
    }
    if any(line.negated for line in chart.panel.lines):
        finer = ticks(low / divisor, high / divisor, 8)
        up |= {"tickvals": finer, "ticktext": [f"{abs(one):.6g}" for one in finer]}
    return across, up


def _heading(chart: Chart, suffix: str, unit: str) -> dict[str, Any]:
    text = f"<b>{_words(_(chart.panel.title))}</b>" + (f", {unit}" if unit else "")
    return {
        "text": text + ("" if not chart.is_empty() else f" ({_('no data')})"),
        "showarrow": False,
        "x": 0,
        "xref": f"x{suffix} domain",
        "xanchor": "left",
        "y": 1,
        "yref": f"y{suffix} domain",
        "yanchor": "bottom",
    }


def _thresholds(chart: Chart, suffix: str, divisor: float) -> list[dict[str, Any]]:
    return [
        {
            "type": "line",
            "xref": f"x{suffix} domain",
            "yref": f"y{suffix}",
            "x0": 0,
            "x1": 1,
            "y0": level.value / divisor,
            "y1": level.value / divisor,
            "line": {"color": _GREY, "dash": "dash", "width": 1.5},
            "label": {
                "text": _words(level.label or shown(level.value, chart.panel.unit)),
                "textposition": "end",
                "font": {"size": 10},
            },
        }
        for level in chart.panel.thresholds
    ]


def _marks(
    marks: tuple[Mark, ...],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    moments = _moments(np.array([mark.at for mark in marks], dtype=np.float64)).astype(str)
    shapes = [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "line": {"color": _GREY, "dash": "dot", "width": 1},
        }
        for at in moments.tolist()
    ]
    words = [
        {
            "text": _words(mark.kind),
            "hovertext": _words(mark.text or mark.kind),
            "showarrow": False,
            "xref": "x",
            "x": at,
            "xanchor": "left",
            "yref": "paper",
            "y": 0,
            "yanchor": "bottom",
            "font": {"size": 10},
        }
        for mark, at in zip(marks, moments.tolist(), strict=True)
    ]
    return shapes, words
