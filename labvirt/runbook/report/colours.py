"""Terminal colours as HTML: the sixteen that every terminal has, so that each can be read."""

from __future__ import annotations

import re

from markupsafe import Markup
from nbconvert.filters.ansi import ansi2html, strip_ansi

__all__ = ["colours"]

#: A colour out of 256, or of red, green and blue; `3` for the text, `4` for what is behind it.
_EXTENDED = re.compile(r"\b([34])8;(?:5;(\d{1,3})|2;(\d{1,3});(\d{1,3});(\d{1,3}))(?=[;m])")


def colours(text: str) -> Markup:
    """Return text with terminal colours as HTML.

    Other colours than the sixteen become the nearest of these, for which the style sheet has
    readable shades on light and on dark.
    """
    if "\x1b" not in text:
        return Markup.escape(text)
    text = _EXTENDED.sub(_nearest, text)
    try:
        return Markup(ansi2html(text))  # noqa: S704 - it escapes the text
    except (IndexError, ValueError):  # a colour that is cut short
        return Markup.escape(strip_ansi(text))


def _nearest(found: re.Match[str]) -> str:
    red, green, blue = (
        _of_256(int(found[2])) if found[2] else (int(found[3]), int(found[4]), int(found[5]))
    )
    low, high = min(red, green, blue), max(red, green, blue)
    if high - low < 48:  # a grey: the page's own colours suit it best
        return f"{found[1]}9"
    middle = (low + high) / 2
    bits = (red > middle) + 2 * (green > middle) + 4 * (blue > middle)
    return f"{found[1]}{bits}"


def _of_256(number: int) -> tuple[int, int, int]:
    """Return red, green and blue, each 0 to 255, of one of the 256 colours."""
    if number < 16:
        level = 255 if number > 7 else 192
        return level * (number & 1), level * (number >> 1 & 1), level * (number >> 2 & 1)
    if number > 231:
        return (8 + 10 * (number - 232),) * 3
    red, rest = divmod(number - 16, 36)
    green, blue = divmod(rest, 6)
    red, green, blue = (55 + 40 * part if part else 0 for part in (red, green, blue))
    return red, green, blue
