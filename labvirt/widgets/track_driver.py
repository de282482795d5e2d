"""The values of migrations as rows for views: live while one runs, as a whole afterwards."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.widgets.feed import Tick
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.picking import lines_of
from labvirt.widgets.track_board import track_panels
from labvirt.widgets.track_source import TrackSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.host.domain import Domain
    from labvirt.host.migrating.track import MigrationTrack
    from labvirt.status.sample import Mark
    from labvirt.widgets.panels import Panel
    from labvirt.widgets.track_source import Run

__all__ = ["TrackDriver"]

#: Seconds between two rows, and between two looks at the tracks.
STEP_S: Final = 0.25
#: Where several migrations are under way, all rows are sent anew so often, seconds.
_ANEW_S: Final = 1.0
#: Words of views that are others where time begins at a start.
_WORDS: Final[dict[str, str]] = {
    "live": N_("Live, {at} since the start"),
    "paused": N_("Paused at {at}"),
    "stale": N_("No new values since {at}"),
    "zone": "",
    "help": N_(
        "Drag over a chart to zoom. Keys: arrows move the cursor (Shift: by ten), + and - zoom, "
        "0 resets, space pauses, t shows the table, Escape hides the cursor. Time is counted from "
        "the start of each migration."
    ),
    "csv_tip": N_("Save what is in this view as comma-separated values; time is in seconds"),
}
_ENDS: Final = {
    "done": N_("Moved: {name}, in {seconds} s"),
    "failed": N_("Failed: {name}, after {seconds} s"),
    "cancelled": N_("Broken off: {name}, after {seconds} s"),
}


class TrackDriver:
    """Looks at the tracks of migrations while somebody looks at the board.

    Rows stand at every quarter of a second, between two samples on the line between them. What
    is over already is drawn as far as the one that runs has come; when all are over, as a whole.

    Args:
        title: heading.
        tracks: migrations that are known.
        domains: whose next migrations are taken in too.
        notice: called after every look, on the thread of this driver.
    """

    clock = "elapsed"
    words = _WORDS
    span: tuple[float, float] | None = None
    interval_s = STEP_S
    domains: tuple[str, ...] | None = None

    def __init__(
        self,
        title: str,
        tracks: Sequence[MigrationTrack],
        domains: Sequence[Domain] = (),
        *,
        notice: Callable[[], object] = lambda: None,
    ) -> None:
        self.title, self.notice = title, notice
        self.source = TrackSource(tracks)
        self._domains = tuple(domains)
        self._lock = threading.RLock()
        self._panels: tuple[Panel, ...] = ()
        self._sent = 0.0
        self._marked = 0
        self._was: tuple[object, ...] = ()
        self._stop: threading.Event | None = None
        self.look()

    # -- what there is ---------------------------------------------------------------------------

    def look(self) -> bool:
        """Take in migrations that have begun; return whether there is one more."""
        found = [track for each in self._domains if (track := each.migration) is not None]
        added = [self.source.add(track) for track in found]
        return any(added)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The migrations."""
        return self.source.runs

    @property
    def going(self) -> list[Run]:
        """Those that are under way."""
        return [run for run in self.runs if not run.track.is_over]

    @property
    def now(self) -> float:
        """Seconds up to which is drawn."""
        ends = [run.end for run in self.going] or [run.end for run in self.runs]
        return max(ends, default=0.0)

    # -- what the feed asks ----------------------------------------------------------------------

    def panels(self) -> tuple[Panel, ...]:
        """Return what is drawn; the same objects again while they are the same."""
        with self._lock:
            made = track_panels(self.runs)
            if made != self._panels:
                self._panels = made
            return self._panels

    def window(self, seconds: float) -> NDArray[np.float64]:
        """Return the rows of the last seconds: float64 ``[1 + lines, n]``."""
        with self._lock:
            self.look()
            self._sent = self.now
            return self._rows(max(0.0, self._sent - seconds), self._sent)

    def marks(self, seconds: float) -> tuple[Mark, ...]:
        """Return what happened in the last seconds."""
        with self._lock:
            found = self.source.marks(end=self.now)
            self._marked = len(found)
            return tuple(mark for mark in found if mark.at >= self.now - seconds)

    def state(self) -> dict[str, Any]:
        """Return why there is nothing yet, or how all of them ended."""
        if not self.runs:
            return {"empty": _("No migration yet")}
        if self.going:
            return {}
        told = []
        for run in self.runs:
            last = run.track.last
            seconds = f"{0.0 if last is None else last.elapsed_s:.1f}"
            told.append(_(_ENDS[run.outcome]).format(name=run.label, seconds=seconds))
        return {"over": "; ".join(told)}

    def since(self, seconds: float) -> float:
        """Return the time so many seconds before the newest; never before the start."""
        return max(0.0, self.now - seconds)

    def control(self, message: Mapping[str, Any]) -> bool:
        """Nothing is played here."""
        del message
        return False

    def start(self, tell: Callable[[Tick], None]) -> None:
        """Look until `stop`."""
        self._stop = stop = threading.Event()
        threading.Thread(
            target=self._run, args=(tell, stop), name="labvirt-observatory", daemon=True
        ).start()

    def stop(self) -> None:
        """Look no more."""
        if self._stop is not None:
            self._stop.set()

    # -- looking ---------------------------------------------------------------------------------

    def _run(self, tell: Callable[[Tick], None], stop: threading.Event) -> None:
        rounds = 0
        while not stop.wait(STEP_S):
            rounds += 1
            tell(self.tick(every=rounds % round(_ANEW_S / STEP_S) == 0))
            self.notice()

    def tick(self, *, every: bool = True) -> Tick:
        """Return what is new since the last row that was given.

        Args:
            every: where all rows have to be sent anew, this is the moment for it.
        """
        with self._lock:
            self.look()
            # What is drawn is another thing: a migration more, a line more, or all are over.
            going = tuple(run.subject for run in self.going)
            keys = tuple(line.key for line in lines_of(self.panels()))
            was, self._was = self._was, (going, keys)
            if was != self._was:
                return Tick(anew=True)
            if len(going) > 1:
                return Tick(anew=every)
            if not going or self.now < self._sent + STEP_S:
                return Tick()
            if self.now < self._sent:
                return Tick(anew=True)
            start, self._sent = self._sent, self.now
            block = self._rows(np.nextafter(start, np.inf), self._sent)
            found = self.source.marks(end=self.now)
            fresh, self._marked = found[self._marked :], len(found)
            return Tick(rows=block.T if block.size else None, marks=fresh)

    def _rows(self, start: float, end: float) -> NDArray[np.float64]:
        """Return the lines between two times, on the grid, and the end of each migration."""
        lines = lines_of(self.panels())
        if not lines or end <= 0:
            return np.empty((1 + len(lines), 0))
        grid = np.arange(np.ceil(start / STEP_S), np.floor(end / STEP_S) + 1) * STEP_S
        ends = [run.end for run in self.runs if start <= run.end <= end]
        times = np.unique(np.concatenate([grid, ends, [end]]))
        times = times[(times >= start) & (times <= end)]
        block = np.full((1 + len(lines), len(times)), np.nan)
        block[0] = times
        for at, line in enumerate(lines, start=1):
            window = self.source.window("domain", line.subject, (line.series.name,))
            known = np.isfinite(window.values[0])
            if known.any():
                block[at] = _between(times, window.times, window.values[0])
        return block


def _between(
    times: NDArray[np.float64], known: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return values on the line between two samples; none where one of the two has none."""
    made = np.interp(times, known, values, left=np.nan, right=np.nan)
    return np.asarray(made, dtype=np.float64)
