"""Making HTML of notebooks harmless: what a guest printed must not run, fetch, or pose as ours."""

from __future__ import annotations

import base64
import functools
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Headings", "clean_html", "has_content", "is_deep"]

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "meter",
        "ol",
        "p",
        "pre",
        "progress",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "u",
        "ul",
        "var",
        "wbr",
    ]
)
_CONTENT_TOO = frozenset(
    ("script", "style", "title", "template", "noscript", "iframe", "object", "svg", "math")
)
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "title", "dir", "lang"},
    "a": {"href"},
    "details": {"open"},
    "img": {"src", "alt", "width", "height"},
    "li": {"value"},
    "meter": {"value", "min", "max", "aria-label"},
    "ol": {"start", "reversed"},
    "progress": {"value", "max", "aria-label"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
#: Nothing that could leave its place: no position, no size of boxes, no pictures.
_STYLES = frozenset(
    [
        "background-color",
        "color",
        "font-style",
        "font-weight",
        "text-align",
        "text-decoration",
        "vertical-align",
        "white-space",
        "width",
    ]
)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml)[;,]", re.IGNORECASE)
_CODE_CLASSES = re.compile(r"highlight|hl-[\w+-]+|[a-z]{1,3}\d?")
_IMG = re.compile(r"<img(?: [^<>]*)?>")
_HEADING = re.compile(r"<(/?)h([1-6])((?: [^<>]*)?)>")
_EMPTY_HEADER = re.compile(r"<th(?: [^<>]*)?>\s*</th>")
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
#: These end by themselves where the next one begins.
_SHALLOW = frozenset(
    [
        "br",
        "col",
        "dd",
        "dt",
        "hr",
        "img",
        "input",
        "li",
        "link",
        "meta",
        "p",
        "source",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "wbr",
    ]
)
_SVG = re.compile(r"<svg\b", re.IGNORECASE)
_SVG_END = re.compile(r"</svg\s*>", re.IGNORECASE)
_SVG_LABEL = re.compile(r"""\saria-label=(?:"([^"<>]*)"|'([^'<>]*)')|<title[^>]*>([^<>]*)<""")
_VISIBLE = re.compile(r"<(?:img|hr|meter|progress)\b|>\s*[^<\s]|\A\s*[^<\s]")


@dataclass
class Headings:
    """The levels of headings in the document: none is skipped, and the title alone is the first.

    Attributes:
        last: level of the heading before.
    """

    last: int = 1

    def level(self, wanted: int) -> int:
        """Return the level for the next heading."""
        self.last = min(max(wanted, 2), self.last + 1)
        return self.last


def clean_html(html: str, headings: Headings, *, picture: str, prose: bool = False) -> str:
    """Return HTML without anything that runs, fetches or covers other parts of the page.

    Args:
        html: HTML of any origin.
        headings: the headings so far; those in `html` are put in order behind them.
        picture: text for pictures that have none of their own.
        prose: it is the author's text, not an output: names of headings and classes of code stay.
    """
    text = str(_cleaner(prose).clean(_with_pictures(html)))
    text = _EMPTY_HEADER.sub(lambda found: found[0].replace("th", "td"), text)
    text = _IMG.sub(functools.partial(_described, picture), text)
    levels: list[int] = []

    def place(found: re.Match[str]) -> str:
        if found[1]:
            return "</h" + str(levels.pop() if levels else headings.last) + ">"
        levels.append(headings.level(int(found[2])))
        return "<h" + str(levels[-1]) + found[3] + ">"

    return _HEADING.sub(place, text)


def is_deep(html: str, limit: int = 200) -> bool:
    """Tell whether HTML is nested so deep that cleaning it would take very long."""
    depth = 0
    for found in _ANY_TAG.finditer(html):
        if found[2].lower() not in _SHALLOW:
            depth = max(depth + (-1 if found[1] else 1), 0)
            if depth > limit:
                return True
    return False


def has_content(html: str) -> bool:
    """Tell whether cleaned HTML shows anything."""
    return bool(_VISIBLE.search(html))


@functools.cache
def _cleaner(prose: bool) -> Any:  # noqa: FBT001 - the cache wants it by position
    import nh3

    attributes = {tag: set(names) for tag, names in _ATTRIBUTES.items()}
    if prose:
        attributes["*"] |= {"id", "class"}
    return nh3.Cleaner(
        tags=set(_TAGS),
        clean_content_tags=set(_CONTENT_TOO),
        attributes=attributes,
        attribute_filter=_filtered,
        url_schemes={"http", "https", "mailto", "data"},
        filter_style_properties=set(_STYLES),
        link_rel="noopener noreferrer",
    )


def _filtered(tag: str, name: str, value: str) -> str | None:
    """Return the value that an attribute may have, None to leave it out."""
    if "<" in value or ">" in value:
        # So that a tag ends where its bracket is.
        value = value.replace("<", "(").replace(">", ")")
    if name == "src":
        return value if _PICTURE.match(value) else None
    if name == "href":
        if value.startswith("#"):
            return f"#md-{value[1:]}"
        return None if value.lower().lstrip().startswith("data:") else value
    if name == "id":
        return f"md-{value}"
    if name == "class":
        kept = [one for one in value.split() if tag in ("div", "span")]
        return " ".join(one for one in kept if _CODE_CLASSES.fullmatch(one)) or None
    return value


def _with_pictures(html: str) -> str:
    """Return HTML with its drawings as pictures: what is inside one can neither run nor fetch."""
    parts, at = [], 0
    while (start := _SVG.search(html, at)) and (end := _SVG_END.search(html, start.end())):
        parts += [html[at : start.start()], _picture(html[start.start() : end.end()])]
        at = end.end()
    return "".join(parts) + html[at:]


def _picture(source: str) -> str:
    """Return a drawing as the tag of a picture."""
    if "xmlns=" not in source[: source.find(">")]:
        source = source[:4] + ' xmlns="http://www.w3.org/2000/svg"' + source[4:]
    label = _SVG_LABEL.search(source, 0, 10_000)
    alt = next((part for part in label.groups() if part), "") if label else ""
    data = base64.b64encode(source.encode(errors="replace")).decode()
    alt = alt.replace('"', "&quot;")
    return '<img alt="' + alt + '" src="data:image/svg+xml;base64,' + data + '">'


def _described(picture: str, found: re.Match[str]) -> str:
    """Give a picture its text; leave out one whose source was taken away."""
    tag = found[0]
    if " src=" not in tag:
        return "<em>[a picture that is not in this file]</em>"
    if re.search(r' alt="[^"]', tag):
        return tag
    plain = re.sub(r' alt(?:="")?(?=[ >])', "", tag)
    return plain[:-1] + ' alt="' + picture + '">'
