"""Bundle: charts as an output that every reader of a notebook can show, without a kernel.

Live in JupyterLab (plotly's MIME type), a picture and a table in every page (HTML that needs no
script), and lines that ``grep`` finds (plain text).
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from lxml import etree

from labvirt.widgets.figures import CONFIG, MIME, figure_of
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.quantity import shown
from labvirt.widgets.svg import plain, svg_of
from labvirt.widgets.tracks import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.history.source import Source
    from labvirt.widgets.panels import Panel
    from labvirt.widgets.tracks import Board, Track

__all__ = ["bundle", "bundle_of", "page_of", "still", "text_of"]

_HEADINGS: Final = (
    *(N_("series"), N_("newest"), N_("min"), N_("mean"), N_("max"), N_("definition")),
)


def bundle(
    panels: Sequence[Panel],
    source: Source,
    *,
    start: float | None = None,
    end: float | None = None,
    title: str = "",
) -> dict[str, Any]:
    """Return charts by MIME type, for ``display(..., raw=True)``.

    Args:
        panels: what is shown.
        source: where the samples are.
        start: from when, seconds since 1970, UTC; None from the first.
        end: until when.
        title: a heading.

    Raises:
        SpecError: the source has no such series.
    """
    return bundle_of(read(panels, source, start=start, end=end), title=title)


def bundle_of(board: Board, *, title: str = "") -> dict[str, Any]:
    """Return the bundle of a board that was read; see `bundle`."""
    figure = json.loads(figure_of(board, title=title, compact=True).to_json())
    return {
        MIME: figure | {"config": CONFIG},
        "text/html": page_of(board, title=title),
        "text/plain": text_of(board, title=title),
    }


def still(
    panels: Sequence[Panel],
    source: Source,
    *,
    start: float | None = None,
    end: float | None = None,
    title: str = "",
) -> dict[str, str]:
    """Return what stands beside a live view, for readers without its kernel; see `bundle`."""
    board = read(panels, source, start=start, end=end)
    if not all(chart.is_empty() for chart in board.charts):
        return {"text/html": page_of(board, title=title), "text/plain": text_of(board, title=title)}
    words = _("Live charts of {title}: nothing was kept of them in this file.").format(title=title)
    root = etree.Element("p")
    root.text = plain(words)
    return {
        "text/html": str(etree.tostring(root, encoding="unicode", method="html")),
        "text/plain": " ".join(plain(words).split()),
    }


def page_of(board: Board, *, title: str = "") -> str:
    """Return heading, picture and table of a board as HTML without script, style sheet or class."""
    root = etree.Element("div")
    if title:
        etree.SubElement(root, "h4").text = plain(title)
    picture = base64.b64encode(svg_of(board).encode()).decode()
    names = ", ".join(_(chart.panel.title) for chart in board.charts)
    etree.SubElement(
        root,
        "img",
        alt=plain(
            _("Charts of {title}, {span}; the numbers are in the table").format(
                title=title or names, span=_told_span(board)
            )
        ),
        src=f"data:image/svg+xml;base64,{picture}",
        style="max-width: 100%",
    )
    details = etree.SubElement(root, "details", open="open")
    etree.SubElement(details, "summary").text = plain(
        _("Numbers, {span}").format(span=_told_span(board))
    )
    table = etree.SubElement(details, "table")
    heads = etree.SubElement(etree.SubElement(table, "thead"), "tr")
    for words in _HEADINGS:
        etree.SubElement(heads, "th", scope="col").text = _(words)
    body = etree.SubElement(table, "tbody")
    for panel_title, track in _rows(board):
        row = etree.SubElement(body, "tr")
        label = f"{_(panel_title)}: {track.line.label}"
        etree.SubElement(row, "th", scope="row", style="text-align: left").text = plain(label)
        for number in _numbers(track):
            cell = etree.SubElement(row, "td", style="text-align: right; white-space: nowrap")
            known = np.isfinite(number)
            cell.text = shown(number, track.line.series.unit) if known else _("no data")
        definition = etree.SubElement(row, "td", style="text-align: left")
        definition.text = plain(track.line.series.definition)
    _list_marks(details, board)
    return str(etree.tostring(root, encoding="unicode", method="html"))


def text_of(board: Board, *, title: str = "") -> str:
    """Return one line of text per line of the charts, and one per mark."""
    lines = [" ".join(plain(part).split()) for part in (title, _span(board)) if part]
    for panel_title, track in _rows(board):
        unit = track.line.series.unit
        newest, low, mean, high = (shown(one, unit) for one in _numbers(track))
        samples = int(np.isfinite(track.values).sum())
        lines.append(
            f"{panel_title}: {track.line.label}: newest {newest}, min {low}, mean {mean}, "
            f"max {high}, {samples} samples"
        )
    lines += [f"{_when(mark.at, board)} {mark.kind}: {mark.text}" for mark in board.marks]
    return "\n".join(" ".join(plain(line).split()) for line in lines)


def _rows(board: Board) -> Iterator[tuple[str, Track]]:
    for chart in board.charts:
        for track in chart.tracks:
            yield chart.panel.title, track


def _numbers(track: Track) -> tuple[float, float, float, float]:
    """Return newest, lowest, mean and highest value; NaN where there is none."""
    known = track.values[np.isfinite(track.values)]
    if not known.size:
        return (np.nan,) * 4
    return float(track.values[-1]), float(known.min()), float(known.mean()), float(known.max())


def _list_marks(parent: etree._Element, board: Board) -> None:
    if not board.marks:
        return
    rows = etree.SubElement(parent, "ul")
    for mark in board.marks:
        words = f"{_when(mark.at, board)} {mark.kind}: {mark.text}"
        etree.SubElement(rows, "li").text = plain(words)


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))


def _when(at: float, board: Board) -> str:
    return f"{at:.1f} s" if board.clock == "elapsed" else _moment(at)


def _span(board: Board) -> str:
    return f"{_when(board.start, board)} to {_when(board.end, board)}"


def _told_span(board: Board) -> str:
    start, end = _when(board.start, board), _when(board.end, board)
    return _("{start} to {end}").format(start=start, end=end)
