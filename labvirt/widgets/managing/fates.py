"""What has become of each of many, as a list that grows while they are under way."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from labvirt.errors import CancelledError
from labvirt.host.bulk import Fate, Together
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.plan import Plan

__all__ = ["fates_text", "left_out"]


def _many(plans: Sequence[Plan[Any]]) -> Iterator[Together]:
    for plan in plans:
        for action in getattr(plan, "actions", ()):
            if isinstance(action, Together):
                yield action


def left_out(plans: Sequence[Plan[Any]]) -> bool:
    """Return whether some of many could not even be planned."""
    return any(action.left_out for action in _many(plans))


def fates_text(plans: Sequence[Plan[Any]]) -> str:
    """Return the list as HTML; nothing where the plans are of one each.

    What failed comes first, with the reason; what is done is counted.
    """
    known: dict[str, Fate | None] = {}
    for action in _many(plans):
        known |= dict.fromkeys((name for name, _plan in action.plans), None)
        known |= {fate.name: fate for fate in tuple(action.fates)}
    if not known:
        return ""
    ended = [fate for fate in known.values() if fate is not None]
    failed = [fate for fate in ended if fate.error is not None]
    done = [fate.name for fate in ended if fate.error is None]
    waiting = [name for name, fate in known.items() if fate is None]
    counts = _("{done} done, {failed} failed, {waiting} to come").format(
        done=len(done), failed=len(failed), waiting=len(waiting)
    )
    lines = [f"✖ {fate.name}: {_why(fate)}" for fate in failed]
    if done:
        lines.append("✔ " + _names(done))
    if waiting:
        lines.append("… " + _names(waiting))
    items = "".join(f"<li style='overflow-wrap:anywhere'>{escape(each)}</li>" for each in lines)
    return (
        f"<div class='labvirt-fates' style='line-height:1.4'>{escape(counts)}"
        f"<ul style='list-style:none;margin:2px 0;padding:0;max-height:14em;overflow:auto'"
        f" tabindex='0'>{items}</ul></div>"
    )


def _why(fate: Fate) -> str:
    if isinstance(fate.error, CancelledError):
        return _("cancelled")
    return str(fate.error) if fate.error is not None else ""


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:40])
    more = len(names) - 40
    if more <= 0:
        return shown
    return shown + " " + _("and {count} more").format(count=more)
