"""A lab as text and as HTML, from what is known of it already."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labvirt.lab.records import LabRecord, Outcome

__all__ = ["as_html", "as_text"]


def as_text(name: str, record: LabRecord | None, outcome: Outcome | None) -> str:
    """Return a lab as one line.

    Args:
        name: its name.
        record: what was asked for, if that is known.
        outcome: what came of its start, if it came up.
    """
    if record is None or outcome is None:
        return f"<Lab {name}: never came up>"
    mode = " rootless" if outcome.rootless else ""
    return f"<Lab {name}: {', '.join(record.names)} ({outcome.backend}{mode})>"


def as_html(name: str, record: LabRecord | None, outcome: Outcome | None) -> str:
    """Return a lab as a table of its hosts and a list of its limits.

    Args:
        name: its name.
        record: what was asked for, if that is known.
        outcome: what came of its start, if it came up.
    """
    if record is None or outcome is None:
        return f"<p>Lab <b>{escape(name)}</b> never came up.</p>"
    mode = ", rootless" if outcome.rootless else ""
    rows = "".join(
        f"<tr><th scope='row'>{escape(host)}</th><td><code>{escape(uri)}</code></td></tr>"
        for host, uri in outcome.uris.items()
    )
    limits = "".join(
        f"<li><b>{escape(limit.what)}</b>: {escape(limit.why)}"
        + (f". Try: {escape(limit.remedy)}" if limit.remedy else "")
        + "</li>"
        for limit in outcome.limits
    )
    what_not = (
        f"<details><summary>What it cannot do here ({len(outcome.limits)})</summary>"
        f"<ul>{limits}</ul></details>"
        if limits
        else ""
    )
    return (
        f"<table><caption>Lab <b>{escape(name)}</b>, {escape(outcome.backend)} back end{mode},"
        f" started {escape(record.created)}</caption>"
        f"<thead><tr><th scope='col'>Host</th><th scope='col'>URI</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{what_not}"
    )
