"""What a serial console showed, as plain text and as HTML that needs no script."""

from __future__ import annotations

import re

from lxml import etree

from labvirt.widgets.svg import plain

__all__ = ["page_of_screen", "screen_text"]

#: Colours, titles, cursor movements: what a terminal does not show.
_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)"
    r"|\x1b[PX^_].*?(?:\x1b\\|$)"
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_CLEARED = re.compile(r"\x1b\[[23]J|\x1bc")
#: What a saved notebook keeps at most.
_LINES, _WIDTH = 60, 240


def screen_text(data: bytes, lines: int = _LINES) -> str:
    """Return the newest lines that were printed, without control sequences.

    Cursor movements within a screen (a menu, an editor) are not followed: their text is kept in the
    order in which it came.

    Args:
        data: what came over the line.
        lines: the most lines.
    """
    text = _CLEARED.split(data.decode(errors="replace"))[-1]
    shown = [_overtyped(line) for line in _CONTROL.sub("", text).split("\n")]
    while shown and not shown[-1].strip():
        shown.pop()
    return "\n".join(line[:_WIDTH].rstrip() for line in shown[-lines:])


def _overtyped(line: str) -> str:
    """Return what is seen of a line in which the cursor went back."""
    cells: list[str] = []
    at = 0
    for one in line.rstrip("\r"):
        if one == "\r":
            at = 0
        elif one == "\b":
            at = max(0, at - 1)
        elif one == "\t" or one >= " ":
            cells[at : at + 1] = one
            at += 1
    return "".join(cells)


def page_of_screen(text: str, title: str) -> str:
    """Return a heading and the text as HTML; nothing in it is interpreted."""
    root = etree.Element("figure", style="margin: 0")
    etree.SubElement(root, "figcaption").text = plain(title)
    style = "max-height: 30em; overflow: auto; padding: 6px; border: 1px solid #888"
    # The pages of nbconvert take the font of outputs for what stands in them.
    style += "; font-family: monospace"
    pre = etree.SubElement(root, "pre", style=style)
    pre.text = plain(text) or "\u2026"
    return str(etree.tostring(root, encoding="unicode", method="html"))
