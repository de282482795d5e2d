"""SVG of charts, in pure Python: readable on light and dark pages, harmless in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from lxml import etree

from labvirt.widgets.i18n import _
from labvirt.widgets.scene import THEMES, Path, Text, scene
from labvirt.widgets.tracks import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.widgets.panels import Panel
    from labvirt.widgets.scene import Area, Theme
    from labvirt.widgets.tracks import Board

__all__ = ["plain", "svg", "svg_of"]

_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_FONT: Final = "system-ui, 'DejaVu Sans', 'Liberation Sans', Arial, sans-serif"


def svg(
    panels: Sequence[Panel],
    source: Source,
    *,
    start: float | None = None,
    end: float | None = None,
    theme: Theme | None = None,
    title: str = "",
) -> str:
    """Return the SVG document of some panels.

    Args:
        panels: what is drawn.
        source: where the samples are.
        start: from when, seconds since 1970, UTC; None from the first.
        end: until when.
        theme: ``light`` or ``dark``; None follows the reader's page.
        title: a heading on the drawing.

    Raises:
        SpecError: the source has no such series.
    """
    return svg_of(read(panels, source, start=start, end=end), theme=theme, title=title)


def svg_of(board: Board, *, theme: Theme | None = None, title: str = "") -> str:
    """Return the SVG document of a board that was read; see `svg`."""
    drawing = scene(board, title=title)
    root = etree.Element(
        "svg",
        {
            "viewBox": f"0 0 {drawing.width:.0f} {drawing.height:.0f}",
            "width": f"{drawing.width:.0f}",
            "height": f"{drawing.height:.0f}",
            "font-family": _FONT,
            "role": "img",
        },
        nsmap={None: _NAMESPACE},  # type: ignore[dict-item]
    )
    etree.SubElement(root, "title").text = plain(title or _summary(board))
    etree.SubElement(root, "style").text = _styles(theme)
    etree.SubElement(root, "rect", {"class": "f-paper", "width": "100%", "height": "100%"})
    for part in drawing.parts:
        _part(root, part)
    return str(etree.tostring(root, encoding="unicode"))


def plain(text: str) -> str:
    """Return text without the characters that XML and HTML cannot hold."""
    return "".join(
        one if one in "\t\n" or (" " <= one < "\ud800") or one > "\udfff" else "\ufffd"
        for one in text
        if one not in "\ufffe\uffff"
    ).translate(dict.fromkeys(range(0x7F, 0xA0), "\ufffd"))


def _summary(board: Board) -> str:
    return ", ".join(_(chart.panel.title) for chart in board.charts) or _("Charts")


def _styles(theme: Theme | None) -> str:
    """Return colours by role; without a theme the page decides."""
    if theme is not None:
        return _colours(theme)
    return _colours("light") + "@media (prefers-color-scheme:dark){" + _colours("dark") + "}"


def _colours(theme: Theme) -> str:
    return "".join(
        f".f-{role}{{fill:{colour}}}.s-{role}{{stroke:{colour}}}"
        for role, colour in THEMES[theme].items()
    )


def _part(root: etree._Element, part: Path | Area | Text) -> None:
    if isinstance(part, Text):
        attributes = {"x": f"{part.x:.1f}", "y": f"{part.y:.1f}", "font-size": f"{part.size:g}"}
        if part.anchor != "start":
            attributes["text-anchor"] = part.anchor
        if part.bold:
            attributes["font-weight"] = "600"
        etree.SubElement(root, "text", attributes | _painted("f", part.colour)).text = plain(
            part.text
        )
    elif isinstance(part, Path):
        attributes = {"d": _points(part.points), "stroke-width": f"{part.width:g}"}
        if part.dash:
            attributes["stroke-dasharray"] = ",".join(f"{one:g}" for one in part.dash)
        attributes |= {"fill": "none", "stroke-linejoin": "round"}
        etree.SubElement(root, "path", attributes | _painted("s", part.colour))
    else:
        attributes = {"d": _points(part.points), "fill-opacity": f"{part.opacity:g}"}
        etree.SubElement(root, "path", attributes | _painted("f", part.colour))


def _painted(use: str, colour: str) -> dict[str, str]:
    if colour.startswith("#"):
        return {"fill" if use == "f" else "stroke": colour}
    return {"class": f"{use}-{colour}"}


def _points(points: NDArray[np.float64]) -> str:
    """Return points as a path: each by its distance from the one before, in tenths of a pixel."""
    tenths = np.round(points * 10).astype(np.int64)
    # A point on a level line between its neighbours shows nothing.
    level = (np.diff(tenths[:-1, 1]) == 0) & (np.diff(tenths[1:, 1]) == 0)
    tenths = tenths[np.concatenate([[True], ~level, [True]])] if len(tenths) > 2 else tenths
    steps = np.diff(tenths, axis=0, prepend=np.zeros((1, 2), dtype=np.int64)) / 10
    words = [f"{x:g},{y:g}" for x, y in steps.tolist()]
    return "m" + words[0] + "l" + " ".join(words[1:])
