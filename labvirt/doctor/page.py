"""The report as one HTML page: no kernel, no network, no JavaScript; light and dark.

`Findings._repr_html_` is the short form, for a notebook.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from labvirt.doctor.checks import SUBJECTS
from labvirt.status.finding import VERDICTS, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labvirt.doctor.report import Report
    from labvirt.status.finding import Finding

__all__ = ["page"]

_MARKS: Final = {"fail": "✗", "warning": "!", "unknown": "?", "ok": "✓", "n/a": "-"}
_TITLES: Final = {
    "connection": "Connection",
    "host": "Host",
    "network": "Networks",
    "storage": "Storage",
    "domain": "Domains",
    "disk": "Disks",
    "interface": "Interfaces",
    "guest": "Guests",
}
_STYLE: Final = """
:root { color-scheme: light dark; --fg: #1a1a1a; --bg: #fff; --soft: #f2f3f5; --line: #c9ccd1;
  --fail: #b00020; --warning: #7a4f00; --unknown: #555; --ok: #1b6e20; --na: #666; }
@media (prefers-color-scheme: dark) { :root { --fg: #e8e8e8; --bg: #16181c; --soft: #22252b;
  --line: #444a54; --fail: #ff8a93; --warning: #ffc55c; --unknown: #b8bcc4; --ok: #7fd486;
  --na: #a0a4ac; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--fg); background: var(--bg);
  max-width: 70em; margin: 1.5em auto; padding: 0 1em; }
h1 { font-size: 1.4em; margin-bottom: .2em; }
details { margin: .25em 0 .25em 1em; } main > details { margin-left: 0;
  border-top: 1px solid var(--line); padding-top: .4em; }
summary { cursor: pointer; overflow-wrap: anywhere; } .title { font-weight: 600; }
.fail { color: var(--fail); } .warning { color: var(--warning); } .unknown { color: var(--unknown); }
.ok { color: var(--ok); } .na { color: var(--na); }
.mark { display: inline-block; width: 1.2em; font-weight: 700; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15em 1em; margin: .3em 0 .6em 1.4em; }
dt { color: var(--na); } dd { margin: 0; overflow-wrap: anywhere; white-space: pre-wrap; }
code { font: 13px/1.4 ui-monospace, monospace; background: var(--soft); padding: .1em .3em; }
@media (max-width: 40em) { dl { grid-template-columns: 1fr; } }
"""


def page(report: Report, *, language: str = "en") -> str:
    """Return a report as a whole HTML document: a tree by subject and thing, what is well folded.

    Args:
        report: the report.
        language: of the document's own texts, for readers aloud; findings are in English.
    """
    body = "".join(
        _subject(subject, [one for one in report if _subject_of(one) == subject])
        for subject in dict.fromkeys([*SUBJECTS, *map(_subject_of, report)])
    )
    title = escape(report.title)
    took = f", in {report.seconds:.1f} s" if report.seconds else ""
    return (
        f"<!DOCTYPE html><html lang='{escape(language, quote=True)}'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>labvirt doctor: {title}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{title}</h1><p>{_counts(report)}{escape(took)}</p><main>{body}</main></body></html>\n"
    )


def _subject_of(finding: Finding) -> str:
    return finding.kind.partition(".")[0]


def _counts(findings: Iterable[Finding]) -> str:
    held = [one.verdict for one in findings]
    told = (
        f"<span class='{_css(each)}'>{held.count(each)} {escape(each)}</span>"
        for each in VERDICTS
        if each in held
    )
    return ", ".join(told) or "nothing was asked"


def _subject(subject: str, findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    things: dict[str, list[Finding]] = {}
    for one in findings:
        things.setdefault(one.id.partition(":")[2], []).append(one)
    inner = "".join(
        _fold(name, held, "".join(map(_finding, held))) if name else "".join(map(_finding, held))
        for name, held in things.items()
    )
    return _fold(_TITLES.get(subject, subject.capitalize()), findings, inner)


def _fold(title: str, findings: Sequence[Finding], inner: str) -> str:
    """Return a branch; open where something is not well."""
    verdict = worst(findings)
    opened = " open" if verdict in {"fail", "warning"} else ""
    return (
        f"<details{opened}><summary>{_mark(verdict)}<span class='title'>{escape(title)}</span> "
        f"({_counts(findings)})</summary>{inner}</details>"
    )


def _finding(one: Finding) -> str:
    rows = (
        ("Evidence", escape(one.evidence)),
        ("Cause", escape(one.cause)),
        ("Remedy", f"<code>{escape(one.remedy)}</code>" if one.remedy else ""),
        ("Guide", escape(one.guide)),
        ("Check", escape(one.id)),
    )
    told = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows if text)
    opened = " open" if one.verdict == "fail" else ""
    return (
        f"<details{opened}><summary>{_mark(one.verdict)}{escape(one.question)} "
        f"<span class='{_css(one.verdict)}'>{escape(one.verdict)}</span></summary>"
        f"<dl>{told}</dl></details>"
    )


def _mark(verdict: str) -> str:
    return f"<span class='mark {_css(verdict)}' aria-hidden='true'>{_MARKS[verdict]}</span>"


def _css(verdict: str) -> str:
    return verdict.replace("/", "")
