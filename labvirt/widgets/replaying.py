"""Replay: a board's values as a recording has them, played like live ones."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from labvirt.errors import NotFoundError
from labvirt.status.series import KINDS
from labvirt.widgets.boards import Known
from labvirt.widgets.feed import Tick
from labvirt.widgets.picking import lines_of, window_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.status.sample import Mark
    from labvirt.status.series import Group
    from labvirt.widgets.panels import Panel

__all__ = ["ReplayDriver"]

#: Rows are sent so often while a recording is played, however fast: one message each.
_STEP_S = 0.2


class ReplayDriver:
    """Plays a source: it stands at its end at first; `play`, `seek` and `speed` move it.

    Args:
        title: heading of the board.
        source: what is played.
        layout: makes the panels of who is there.
        groups: what is shown.
        domains: UUIDs that are shown.
        clock: seconds that never step back.
    """

    def __init__(
        self,
        title: str,
        source: Source,
        layout: Callable[[Known], tuple[Panel, ...]],
        groups: Sequence[Group],
        *,
        domains: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        span = source.span()
        if span is None:
            raise NotFoundError(f"draw {title or 'a recording'}: it holds no sample")
        self.title, self._source, self._clock = title, source, clock
        self.span: tuple[float, float] | None = span
        self._first, self._last = span
        self.speed = 1.0
        self._at = self._last
        self._is_playing = False
        subjects = {
            kind: [s for s in source.subjects(kind) if not s.uuid or s.uuid in domains]
            for kind in KINDS
        }
        names = {uuid: source.name(uuid) for uuid in domains}
        self.domains: tuple[str, ...] | None = tuple(domains)
        self._panels = layout(Known(subjects, names, frozenset(groups)))
        self._lines = lines_of(self._panels)
        self._interval_s = self._measure()
        self._tell: Callable[[Tick], None] | None = None
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def _measure(self) -> float:
        """Return the usual distance of two samples."""
        block = self._block(self._last - 600, self._last)
        if block.shape[1] < 3:
            return 1.0
        return float(np.median(np.diff(block[0])))

    def _block(self, start: float, end: float) -> NDArray[np.float64]:
        interval = getattr(self, "_interval_s", 1.0)
        return window_of(self._lines, self._source, start=start, end=end, interval_s=interval)

    # -- what the feed asks ----------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """The recording."""
        return self._source

    @property
    def interval_s(self) -> float:
        """Seconds between two rows of the recording."""
        return self._interval_s

    def panels(self) -> tuple[Panel, ...]:
        """Return what is drawn."""
        return self._panels

    def window(self, seconds: float) -> NDArray[np.float64]:
        """Return the recording's rows before the place where it stands."""
        with self._lock:
            return self._block(self._at - seconds, self._at)

    def marks(self, seconds: float) -> tuple[Mark, ...]:
        """Return what happened before the place where it stands."""
        with self._lock:
            return self._marks(self._at - seconds, self._at)

    def _marks(self, start: float, end: float) -> tuple[Mark, ...]:
        found = self._source.marks(start=start, end=end)
        return tuple(each for each in found if not each.uuid or each.uuid in (self.domains or ()))

    def state(self) -> dict[str, Any]:
        """Return whether it plays, and how fast."""
        return {"playing": self._is_playing, "speed": self.speed}

    def since(self, seconds: float) -> float:
        """Return the time so many seconds before the place where it stands."""
        return self._at - seconds

    def start(self, tell: Callable[[Tick], None]) -> None:
        """Have somebody to tell; it plays when it was playing."""
        with self._lock:
            self._tell = tell
            if self._is_playing:
                self._run()

    def stop(self) -> None:
        """Have nobody to tell: the recording stands."""
        with self._lock:
            self._tell = None
            self._wake.set()
            self._thread = None

    # -- what views and callers say ------------------------------------------------------------

    def control(self, message: Mapping[str, Any]) -> bool:
        """Obey ``play`` (on, speed) and ``seek`` (at)."""
        if message.get("t") == "seek":
            at = message.get("at")
            if isinstance(at, (int, float)):
                self.seek(float(at))
                return True
            return False
        speed = message.get("speed")
        at_end = self._at >= self._last
        self.play(bool(message.get("on")), speed=speed if isinstance(speed, (int, float)) else None)
        return at_end and self._is_playing

    def play(self, on: bool = True, *, speed: float | None = None) -> None:  # noqa: FBT001, FBT002
        """Go on, from the beginning when it stands at its end; or stand still.

        Args:
            on: play, or stop.
            speed: seconds of the recording in one second, 0.1 to 3600.
        """
        with self._lock:
            if speed is not None:
                self.speed = min(3600.0, max(0.1, float(speed)))
            if on and self._at >= self._last:
                self._at = self._first
            self._is_playing = on
            if on and self._tell is not None:
                self._run()
            elif not on:
                self._wake.set()
                self._thread = None

    def seek(self, at: float) -> None:
        """Go to a time (seconds since 1970, UTC); outside of the recording: to its nearest end."""
        with self._lock:
            self._at = min(self._last, max(self._first, at))

    # -- the player --------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._thread is not None:
            return
        self._wake = threading.Event()
        self._thread = threading.Thread(
            target=self._play, args=(self._wake,), name="labvirt-replay", daemon=True
        )
        self._thread.start()

    def _play(self, wake: threading.Event) -> None:
        before = self._clock()
        while not wake.wait(_STEP_S):
            now = self._clock()
            with self._lock:
                tell, tick = self._tell, self.advance(now - before)
            before = now
            if tell is None or wake.is_set():
                return
            tell(tick)
            if not self._is_playing:
                return

    def advance(self, seconds: float) -> Tick:
        """Move on by some seconds of play and return what was passed."""
        with self._lock:
            start = self._at
            self._at = min(self._last, start + seconds * self.speed)
            if self._at >= self._last:
                self._is_playing = False
                self._thread = None
            block = self._block(np.nextafter(start, np.inf), self._at)
            return Tick(rows=block.T, marks=self._marks(np.nextafter(start, np.inf), self._at))
