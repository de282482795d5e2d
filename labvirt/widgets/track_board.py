"""The board of migrations: which panels show one of them, and which compare several."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from labvirt.widgets.i18n import N_, _
from labvirt.widgets.panels import COLOURS, Line, Panel
from labvirt.widgets.track_source import MOVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from labvirt.widgets.track_source import Run

__all__ = ["TRACK_PANELS", "track_panels"]

_DASHES: Final[tuple[Literal["solid", "dash", "dot"], ...]] = ("solid", "dash", "dot")

#: Key and title of each panel, and what it shows.
TRACK_PANELS: Final = (
    ("left", N_("Left to send"), ("left_bytes", "disk_bytes")),
    ("rates", N_("Sent and written"), ("sent_bytes_s", "dirty_bytes_s")),
    ("predicted", N_("Predicted end, in"), ("seconds_left",)),
    ("downtime", N_("Downtime"), ("downtime_s",)),
    ("rounds", N_("Rounds over the memory"), ("iteration",)),
    ("throttle", N_("Guest slowed down by"), ("throttle_percent",)),
)


def track_panels(runs: Sequence[Run]) -> tuple[Panel, ...]:
    """Return the panels: lines of one migration, or a colour for each of several.

    What is of no matter is left out: disks where none is copied, and the slowing down of guests
    that are not slowed down.

    Args:
        runs: the migrations.
    """
    made = []
    for key, title, names in TRACK_PANELS:
        lines = tuple(_lines(runs, key, names))
        if lines:
            top = 100.0 if key == "throttle" else None
            made.append(Panel(key, title, lines[0].series.unit, lines, top=top))
    return tuple(made)


def _lines(runs: Sequence[Run], key: str, names: Sequence[str]) -> Iterator[Line]:
    for number, run in enumerate(runs):
        shown = [name for name in names if _matters(run, name)]
        for place, name in enumerate(shown):
            series = MOVED[name]
            colour = COLOURS[(number if len(runs) > 1 else place) % len(COLOURS)]
            dash = _DASHES[place % 3 if len(runs) > 1 else 0]
            label = _(series.title) if len(runs) == 1 else run.label
            if len(runs) > 1 and len(shown) > 1:
                label = f"{run.label}, {_(series.title).lower()}"
            yield Line(f"{key}.{run.subject.uuid}.{name}", run.subject, series, label, colour, dash)


def _matters(run: Run, name: str) -> bool:
    samples = run.track.samples
    if name == "disk_bytes":
        return any(each.disk_remaining_bytes > 0 for each in samples)
    if name == "throttle_percent":
        return any(each.throttle_percent > 0 for each in samples)
    if name == "seconds_left":
        return not all(math.isnan(each.remaining_bytes) for each in samples) or not samples
    return True
