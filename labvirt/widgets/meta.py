"""Meta: what views have to know beside the values, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.widgets.i18n import N_, _, language, told
from labvirt.widgets.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.status.sample import Mark
    from labvirt.widgets.feed import Driver
    from labvirt.widgets.panels import Line, Panel, Threshold

__all__ = ["line_of", "mark_of", "meta_of", "panel_of", "threshold_of"]


def line_of(line: Line) -> dict[str, Any]:
    """Return what a view has to know of a line."""
    return {
        "key": line.key,
        "label": legend(line.label),
        "colour": line.colour,
        "dash": line.dash,
        "negated": line.negated,
        "title": line.series.title,
        "definition": line.series.definition,
    }


#: Last words of a line's name in the legend; before them stands a name of a disk, card or guest.
_LEGEND: Final = {
    "guest": N_("guest"),
    "steal": N_("waiting for a CPU"),
    "given": N_("given to the guest"),
    "used": N_("used"),
    "read": N_("read"),
    "written": N_("written"),
    "write": N_("writing"),
    "received": N_("received"),
    "sent": N_("sent"),
    "host": N_("the whole host"),
    "its domains": N_("its VMs"),
    "given to domains": N_("given to VMs"),
}


def legend(label: str) -> str:
    """Return the name of a line in the language of the views; names in it stay."""
    if language() == "en":
        return label
    for words, text in sorted(_LEGEND.items(), key=lambda one: -len(one[0])):
        if label == words or label.endswith(f" {words}"):
            return label[: len(label) - len(words)] + _(text)
    return label


def mark_of(mark: Mark) -> dict[str, Any]:
    """Return a mark with the words to be shown."""
    return {"at": mark.at, "kind": mark.kind, "text": mark.text or mark.kind}


def threshold_of(threshold: Threshold) -> dict[str, Any]:
    """Return a level with its words."""
    return {"value": threshold.value, "label": threshold.label}


def panel_of(panel: Panel) -> dict[str, Any]:
    """Return what a view has to know of a panel."""
    return {
        "key": panel.key,
        "title": _(panel.title),
        "unit": panel.unit,
        "style": panel.style,
        "top": panel.top,
        "thresholds": [threshold_of(each) for each in panel.thresholds],
        "lines": [line_of(line) for line in panel.lines],
    }


def meta_of(
    driver: Driver,
    panels: Sequence[Panel],
    *,
    version: int,
    window_s: float,
    state: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the meta of a snapshot.

    Args:
        driver: gives title, pace and marks.
        panels: what is drawn.
        version: another one when views must not keep what they have.
        window_s: seconds that the snapshot covers.
        state: see `Driver.state`.
    """
    return {
        "title": driver.title,
        "version": version,
        "window_s": window_s,
        "interval_s": driver.interval_s,
        "replay": None if driver.span is None else {"span": list(driver.span)},
        "panels": [panel_of(each) for each in panels],
        "marks": [mark_of(each) for each in driver.marks(window_s)],
        "state": dict(state),
        "clock": getattr(driver, "clock", "utc"),
        "words": told(WORDS | getattr(driver, "words", {})),
    }
