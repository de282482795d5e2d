"""What a manager says of its selection, and of the buttons that are off."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from labvirt.status import DomainState
from labvirt.widgets.i18n import _
from labvirt.widgets.managing.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.widgets.managing.actions import Facts

__all__ = ["selected_text", "why_list"]


def selected_text(chosen: Sequence[Facts]) -> str:
    """Return who is selected, in words."""
    if not chosen:
        return _("No VM is selected. Space or a click selects one.")
    shown = [f"{each.name} ({_(DomainState(each.state).text)}, {each.host})" for each in chosen[:5]]
    more = _("and {count} more").format(count=len(chosen) - 5) if len(chosen) > 5 else ""
    return _("Selected: {names}").format(names=", ".join([*shown, more] if more else shown))


def why_list(reasons: Mapping[str, str]) -> str:
    """Return why buttons are off, folded, as HTML; a tooltip alone is out of the keyboard's reach."""
    off: dict[str, list[str]] = {}
    for act in ACTIONS:
        if reasons[act.key]:
            off.setdefault(reasons[act.key], []).append(_(act.label))
    if not off:
        return ""
    lines = [f"<li>{escape(', '.join(names))}: {escape(why)}</li>" for why, names in off.items()]
    title = escape(_("Why are some buttons off?"))
    items = "".join(lines)
    return f"<details><summary>{title}</summary><ul style='margin:2px 0 2px 1.5em'>{items}</ul></details>"
