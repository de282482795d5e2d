"""A form as text that everything can show: a table of parameters, and plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree

from labvirt.widgets.i18n import _
from labvirt.widgets.svg import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.widgets.forms.state import FormState

__all__ = ["as_html", "as_plain", "status_word"]


def status_word(state: str) -> str:
    """Return ``given``, ``default`` or ``missing`` for people."""
    return {"given": _("given"), "default": _("default"), "missing": _("missing")}[state]


def as_html(title: str, state: FormState[Any], errors: Mapping[str, str]) -> str:
    """Return a table of everything that a form asks for now; no script, style sheet or class."""
    root = etree.Element("div")
    etree.SubElement(root, "h4").text = plain(title)
    table = etree.SubElement(root, "table")
    head = etree.SubElement(etree.SubElement(table, "thead"), "tr")
    for text in (_("Parameter"), _("Value"), _("State"), _("What it is")):
        etree.SubElement(head, "th", scope="col", style="text-align:left").text = text
    body = etree.SubElement(table, "tbody")
    for entry in state.entries():
        if entry.state == "default" and not entry.value:
            continue
        row = etree.SubElement(body, "tr")
        etree.SubElement(row, "th", scope="row", style="text-align:left").text = plain(entry.path)
        wrong = errors.get(entry.path, "")
        said = f"{status_word(entry.state)}: {wrong}" if wrong else status_word(entry.state)
        for text in (entry.value or "-", said, _(entry.field.help)):
            etree.SubElement(row, "td", style="text-align:left").text = plain(text)
    return etree.tostring(root, encoding="unicode", method="html")


def as_plain(title: str, state: FormState[Any], errors: Mapping[str, str]) -> str:
    """Return a few lines that a search finds."""
    lines = [title]
    for entry in state.entries():
        if entry.state != "default":
            wrong = errors.get(entry.path, "")
            value = entry.value or f"({status_word(entry.state)})"
            lines.append(f"  {entry.path}: {value}" + (f" - {wrong}" if wrong else ""))
    return "\n".join(lines)
