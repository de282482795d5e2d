"""Words of the doctor's view, in the views' language."""

from __future__ import annotations

from typing import Any

from labvirt.status.finding import VERDICTS
from labvirt.widgets.doctoring.tree import MARKS, VERDICT_WORDS
from labvirt.widgets.i18n import _

__all__ = ["words"]


def words() -> dict[str, Any]:
    """Return every text that the page puts together by itself."""
    return {
        "again": _("Run again"),
        "again_tip": _("Look at everything once more; nothing is changed by looking"),
        "cancel": _("Cancel"),
        "cancel_tip": _("Break off; what was found so far stays"),
        "deep": _("Deep"),
        "deep_tip": _("Also what takes long: read whole images, ask guests"),
        "search": _("Search in what was found"),
        "filter": _("Show only"),
        "count": _("{shown} of {all} shown"),
        "unfold": _("Unfold all"),
        "fold": _("Fold all"),
        "looking": _("How far the examination is"),
        "progress": _("{done} of {all} looked at"),
        "well": _("{count} without a fault"),
        "evidence": _("What was seen"),
        "cause": _("Cause"),
        "remedy": _("Remedy"),
        "copy": _("Copy"),
        "copy_tip": _("Copy the remedy"),
        "copied": _("Copied."),
        "fix": _("Mend …"),
        "fix_tip": _("Show the plan that mends it, before anything is changed"),
        "json_tip": _("Save what was found as JSON"),
        "html_tip": _("Save what was found as a page that needs nothing else"),
        "nothing": _("Nothing was found: no check applies here."),
        "nothing_shown": _("Nothing of this kind. Press the buttons again to show everything."),
        "lost": _(
            "Disconnected: the kernel gives no answer. What is shown is what was found last."
        ),
        "tree": _("What was found"),
        "verdicts": {
            each: {"mark": MARKS[each], "word": _(VERDICT_WORDS[each])} for each in VERDICTS
        },
    }
