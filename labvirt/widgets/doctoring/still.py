"""A report as every reader of a notebook shows it: a tree that folds without any script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lxml import etree, html

from labvirt.widgets.doctoring.tree import GROUPS, MARKS, VERDICT_WORDS, grouped, summary_of
from labvirt.widgets.i18n import _, language, ngettext
from labvirt.widgets.svg import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.doctor import Report
    from labvirt.status.finding import Finding

__all__ = ["as_html", "as_plain", "page_of"]

_INDENT: Final = "margin-left:1.5em"
_GOOD: Final = frozenset({"ok", "n/a"})
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "summary{cursor:pointer;padding:2px 0}h1{font-size:1.4em}code{overflow-wrap:anywhere}"
)


def as_html(reports: Sequence[Report], notes: Sequence[str] = ()) -> str:
    """Return reports as folded lists; no script, style sheet or class.

    Args:
        reports: what was found.
        notes: sentences above them.
    """
    root = etree.Element("div")
    for note in notes:
        etree.SubElement(root, "p").text = plain(note)
    for report in reports:
        _report(root, report)
    return etree.tostring(root, encoding="unicode", method="html")


def _report(root: Any, report: Report) -> None:
    head = etree.SubElement(root, "p")
    etree.SubElement(head, "b").text = plain(report.title)
    etree.SubElement(head, "br").tail = summary_of(report.findings)
    for group in grouped(report.findings):
        box = _fold(root, f"{MARKS[group.verdict]} {_(GROUPS[group.key])}", group.findings)
        for thing in group.things:
            inner = _fold(box, f"{MARKS[thing.verdict]} {thing.name}", thing.findings) \
                if thing.name else box  # fmt: skip
            ill = [one for one in thing.findings if one.verdict not in _GOOD]
            for one in ill:
                _line(inner, one)
            if well := [one for one in thing.findings if one.verdict in _GOOD]:
                folded = _fold(inner, _well(well), ())
                for one in well:
                    _line(folded, one)


def _well(well: Sequence[Finding]) -> str:
    return ngettext(
        "{count} question without a fault", "{count} questions without a fault", len(well)
    ).format(count=len(well))


def _fold(parent: Any, title: str, findings: Sequence[Finding]) -> Any:
    box = etree.SubElement(parent, "details", style=_INDENT if parent.tag == "details" else "")
    if any(one.verdict == "fail" for one in findings):
        box.set("open", "open")
    told = f"{title}: {summary_of(findings)}" if findings else title
    etree.SubElement(box, "summary").text = plain(told)
    return box


def _line(parent: Any, one: Finding) -> None:
    box = etree.SubElement(parent, "div", style=f"{_INDENT};padding:2px 0")
    mark = etree.SubElement(box, "b")
    mark.text = f"{MARKS[one.verdict]} {_(VERDICT_WORDS[one.verdict])}"
    mark.tail = f" {plain(one.question)}"
    for name, text in ((_("Seen"), one.evidence), (_("Cause"), one.cause)):
        if text:
            etree.SubElement(box, "br").tail = f"{name}: {plain(text)}"
    if one.remedy:
        line = etree.SubElement(box, "br")
        line.tail = f"{_('Remedy')}: "
        etree.SubElement(box, "code", style="white-space:pre-wrap").text = plain(one.remedy)
    if one.guide:
        etree.SubElement(box, "br").tail = f"{one.id} · {one.guide}"


def as_plain(reports: Sequence[Report]) -> str:
    """Return a few lines that a search finds: the counts, and what is not well."""
    lines = []
    for report in reports:
        lines.append(f"{report.title}: {summary_of(report.findings)}")
        for one in report.findings:
            if one.verdict in {"fail", "warning"}:
                told = "; ".join(part for part in (one.cause or one.evidence, one.remedy) if part)
                lines.append(f"  {MARKS[one.verdict]} {one.question} {told}")
    return "\n".join(lines)


def page_of(title: str, body: str) -> str:
    """Return a page that needs nothing else.

    Args:
        title: its title.
        body: HTML of `as_html`.
    """
    root = etree.Element("html", lang=language())
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "meta", charset="utf-8")
    etree.SubElement(head, "title").text = plain(title)
    etree.SubElement(head, "style").text = _STYLE
    box = etree.SubElement(root, "body")
    etree.SubElement(box, "h1").text = plain(title)
    box.append(html.fragment_fromstring(body))
    text = etree.tostring(root, encoding="unicode", method="html")
    return f"<!DOCTYPE html>\n{text}\n"
