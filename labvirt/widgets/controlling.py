"""Numbers of a migration under way, and the buttons by which it is changed or broken off."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing import parts
from labvirt.widgets.managing.parts import Aside, button, put, show
from labvirt.widgets.quantity import shown
from labvirt.widgets.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.domain import Domain
    from labvirt.host.migrating.track import MigrationTrack
    from labvirt.widgets.track_driver import TrackDriver

__all__ = ["Controls", "numbers_of"]

#: The numbers are read by people: no more often than this, seconds.
_PACE_S: Final = 0.5
_PHASES: Final = {
    "setup": N_("connecting"),
    "precopy": N_("memory is sent; the guest runs here"),
    "postcopy": N_("switched over; the guest runs there, the rest of its memory follows"),
    "done": N_("moved"),
    "failed": N_("failed"),
    "cancelled": N_("broken off"),
}


def numbers_of(track: MigrationTrack) -> list[tuple[str, str]]:
    """Return what is to be said of a migration now: names and values, in the views' language."""
    last = track.last
    found = [(_("Way"), f"{track.source} → {track.destination}, {track.label}")]
    if last is None:
        return found
    left = track.seconds_left
    if track.is_over:
        told = ""
    elif math.isinf(left):
        told = _("never at this pace: the guest writes as fast as is sent")
    elif math.isnan(left):
        told = _("not known yet")
    else:
        told = _("in about {seconds} s").format(seconds=f"{left:.1f}")
    known = (
        (_("Left"), last.remaining_bytes, "B", 1.0),
        (_("Sent"), last.bandwidth_bytes_s, "B/s", 1.0),
        (_("Written"), last.dirty_bytes_s, "B/s", 1.0),
        (_("Downtime"), last.downtime_ms, "s", 0.001),
    )
    found += [
        (name, shown(value * factor, unit))
        for name, value, unit, factor in known
        if math.isfinite(value)
    ]
    found += [(_("Rounds"), str(last.iteration))] if last.iteration else []
    found += [(_("Predicted end"), told)] if told else []
    if last.throttle_percent:
        found.append((_("Guest slowed down by"), f"{last.throttle_percent:.0f} %"))
    return found


class Controls:
    """Phase, numbers, and for one domain the buttons; each is a verb of it.

    Args:
        driver: what is looked at.
        domain: whose migration the buttons change; None: there are none.
    """

    def __init__(self, driver: TrackDriver, domain: Domain | None) -> None:
        self._driver, self.domain = driver, domain
        self._aside = Aside("labvirt-observatory")
        self._paced = 0.0
        self.phase, self.numbers, self.said = w.HTML(), w.HTML(), w.HTML()
        self.abort = button(
            _("Break off"), _("The guest goes on where it is"), self._abort, kind="warning"
        )
        self.speed = self._number(_("Bandwidth, MiB/s"), _("Limit of what is sent"), 100)
        self.set_speed = button(
            _("Set bandwidth"), _("Limit what is sent from now on"), self._speed
        )
        self.downtime = self._number(
            _("Downtime, ms"), _("How long the guest may stand still at the end"), 300
        )
        self.set_downtime = button(
            _("Set downtime"), _("Allow that from now on: more lets it end sooner"), self._downtime
        )
        self.switch = button(
            _("Switch over"),
            _("Post-copy: the guest runs there at once, and the rest of its memory follows"),
            lambda: self._ask(on=True),
        )
        self.sure = button(
            _("Switch over now"), _("There is no way back"), self._postcopy, kind="danger"
        )
        self.back = button(_("Not yet"), _("Go on as before"), lambda: self._ask(on=False))
        risk = _("From then on its memory is on both hosts: if one of them fails, it is lost.")
        self.question = w.HBox([w.HTML(parts.status(risk)), self.sure, self.back])
        show(self.question, on=False)
        wrap = w.Layout(flex_flow="row wrap", align_items="center")
        self.bar = w.HBox(
            [
                *(self.abort, self.speed, self.set_speed),
                *(self.downtime, self.set_downtime, self.switch),
            ],
            layout=wrap,
        )
        self.bar.add_class("labvirt-toolbar")
        shown_parts = [self.phase, self.numbers]
        if domain is not None:
            shown_parts += [self.bar, self.question, self.said]
        self.box = w.VBox(shown_parts)
        self.refresh(now=True)

    @staticmethod
    def _number(label: str, tip: str, value: int) -> Any:
        return w.BoundedIntText(
            value=value,
            min=1,
            max=2_000_000,
            description=label,
            tooltip=tip,
            style={"description_width": "initial"},
            layout=w.Layout(width="24em" if len(label) > 18 else "15em"),
        )

    @property
    def track(self) -> MigrationTrack | None:
        """The newest migration that is looked at."""
        runs = self._driver.runs
        return runs[-1].track if runs else None

    # -- shown -----------------------------------------------------------------------------------

    def refresh(self, *, now: bool = False) -> None:
        """Show what is known now; no more than twice a second."""
        if not now and time.monotonic() - self._paced < _PACE_S:
            return
        self._paced = time.monotonic()
        track = self.track
        if track is None:
            put(self.phase, value=parts.status(_("No migration yet")))
        elif len(self._driver.runs) == 1 or self.domain is not None:
            words = f"{track.name}: {_(_PHASES[self._driver.runs[-1].outcome])}"
            put(self.phase, value=parts.status(words))
            put(self.numbers, value=parts.facts(numbers_of(track)))
        else:
            put(self.phase, value=parts.status(self._several()))
        self._enable(track)

    def _several(self) -> str:
        going = len(self._driver.going)
        text = _("{count} migrations, {going} under way")
        return text.format(count=len(self._driver.runs), going=going)

    def _enable(self, track: MigrationTrack | None) -> None:
        if self.domain is None:
            return
        goes = track is not None and not track.is_over
        here = goes and track is not None and track.phase != "postcopy"
        why = "" if goes else _("no migration is under way")
        late = why or ("" if here else _("it runs on the other host already"))
        for each, reason, tip in (
            (self.abort, late, _("The guest goes on where it is")),
            (self.set_speed, why, _("Limit what is sent from now on")),
            (self.set_downtime, late, _("Allow that from now on: more lets it end sooner")),
            (
                self.switch,
                late or ("" if self._may_switch(track) else _("begin it with postcopy=True")),
                _("Post-copy: the guest runs there at once, and the rest of its memory follows"),
            ),
        ):
            put(each, disabled=bool(reason), tooltip=reason or tip)
        if not here:
            show(self.question, on=False)

    @staticmethod
    def _may_switch(track: MigrationTrack | None) -> bool:
        return track is not None and "post-copy" in track.label

    # -- done ------------------------------------------------------------------------------------

    def _do(self, what: str, verb: Callable[[Domain], Any]) -> None:
        """Call a verb aside, and say what came of it."""
        domain = self.domain
        if domain is None:
            return
        self._aside.run(
            what,
            lambda: verb(domain),
            lambda _result: self._say(parts.status(_("Done: {what}").format(what=what))),
            lambda error: self._say(parts.alert(spoken(parts.told(error)))),
        )

    def _say(self, html: str) -> None:
        put(self.said, value=html)
        self.refresh(now=True)

    def _abort(self) -> None:
        self._do(_("Break off"), lambda domain: domain.abort_migration())

    def _speed(self) -> None:
        value = int(self.speed.value)
        what = _("bandwidth {value} MiB/s").format(value=value)
        self._do(what, lambda domain: domain.set_migration_speed(value))

    def _downtime(self) -> None:
        value = int(self.downtime.value)
        what = _("downtime {value} ms").format(value=value)
        self._do(what, lambda domain: domain.set_migration_downtime(value))

    def _ask(self, *, on: bool) -> None:
        show(self.question, on=on)

    def _postcopy(self) -> None:
        self._ask(on=False)
        self._do(_("Switch over"), lambda domain: domain.switch_to_postcopy())

    def close(self) -> None:
        """Begin nothing more."""
        self._aside.close()
