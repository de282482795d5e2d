"""What a manager says of its selection, and of the buttons that are off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.status import DomainState
from labvirt.widgets.i18n import _
from labvirt.widgets.managing.actions import ACTIONS
from labvirt.widgets.managing.parts import reasons_list

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
    """Return why buttons are off, folded, as HTML."""
    return reasons_list((_(act.label), reasons[act.key]) for act in ACTIONS)
