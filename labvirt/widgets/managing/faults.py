"""An error as a view shows it: its own words, the cause in a line, and what to do, folded."""

from __future__ import annotations

from html import escape

from labvirt.doctor.catalogue import filled
from labvirt.doctor.explaining import explain
from labvirt.widgets.i18n import _
from labvirt.widgets.managing.parts import alert, told

__all__ = ["fault"]


def fault(error: BaseException, *, more: str = "") -> str:
    """Return an error as HTML; nothing is asked of a host for it.

    Args:
        error: the error.
        more: what the view itself has to say about it.
    """
    shown = alert(told(error) + (f"\n{more}" if more else ""))
    found = explain(error)
    if not found.is_known:
        return shown
    cause = filled(_(found.template), found.caught) if found.template else found.cause
    lines = [f"<code>{escape(each)}</code>" for each in found.commands]
    rows = "".join(f"<li>{each}</li>" for each in lines)
    rows += f"<li><b>{escape(_('Next:'))}</b> {escape(found.next)}</li>" if found.next else ""
    return (
        f"{shown}<div style='line-height:1.4;overflow-wrap:anywhere;padding-left:11px'>"
        f"<b>{escape(_('Cause:'))}</b> {escape(cause)}<details>"
        f"<summary>{escape(_('What shows it, what to do next'))}</summary>"
        f"<ul style='margin:2px 0 2px 1.5em'>{rows}</ul></details></div>"
    )
