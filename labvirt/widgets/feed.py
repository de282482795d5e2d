"""Feed: the kernel's end of a board's stream, whoever listens and whatever draws.

Messages to the views, all of them to all views of the board:

``snap``  seq, meta; one buffer of float64 ``[times, line 1, line 2 ...]``, column after column
``d``     seq; one buffer of float64 rows ``[time, value 1, value 2 ...]``: the whole board's tick
``marks`` marks; ``state`` (see `Driver.state`); ``thresholds`` panel, thresholds; ``alive`` seq

From the views, each with its ``view``: ``hello`` asks for a snapshot, ``beat`` is a sign of life,
``pause`` on (its page is hidden), ``bye``, ``window`` seconds, ``play`` on and speed, ``seek`` at.

A view that misses a number says hello again; a reload, a second tab and a laptop that wakes take
the same way. Nothing is sent twice, and nothing is read from the host while nobody looks.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from labvirt.errors import LabvirtError
from labvirt.widgets.meta import mark_of, meta_of, threshold_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.status.sample import Mark
    from labvirt.widgets.panels import Panel, Threshold

    Send = Callable[[dict[str, Any], list[bytes]], None]

__all__ = ["BEAT_LIMIT_S", "Driver", "Feed", "Tick"]

#: A view that gives no sign of life for so long is gone.
BEAT_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """What a driver has to say at one moment.

    Attributes:
        rows: float64 ``[k, 1 + lines]``, the time first; None when there are no new values.
        anew: the lines are other ones, or time went back: views need a snapshot.
        marks: what happened meanwhile.
    """

    rows: NDArray[np.float64] | None = None
    anew: bool = False
    marks: tuple[Mark, ...] = ()


class Driver(Protocol):
    """Where a board's values come from: a sampler, or a recording that is played."""

    title: str
    #: First and last time of a recording; None when the values are live.
    span: tuple[float, float] | None
    #: UUIDs that the board is about; None for all.
    domains: tuple[str, ...] | None

    @property
    def source(self) -> Source:
        """Return where its values are kept."""
        ...

    @property
    def interval_s(self) -> float:
        """Return the seconds between two rows."""
        ...

    def start(self, tell: Callable[[Tick], None]) -> None:
        """Begin; ``tell`` is called on the driver's thread."""
        ...

    def stop(self) -> None:
        """End; may be called on the driver's own thread, and twice."""
        ...

    def panels(self) -> tuple[Panel, ...]:
        """Return what is drawn now."""
        ...

    def window(self, seconds: float) -> NDArray[np.float64]:
        """Return what is known of the last seconds: float64 ``[1 + lines, n]``, times first."""
        ...

    def marks(self, seconds: float) -> tuple[Mark, ...]:
        """Return what happened in the last seconds."""
        ...

    def state(self) -> dict[str, Any]:
        """Return ``empty``, ``error`` (texts), ``stalled`` (name, since), ``notes`` (by panel)."""
        ...

    def since(self, seconds: float) -> float:
        """Return the time so many seconds before now, or before the place in a recording."""
        ...

    def control(self, message: Mapping[str, Any]) -> bool:
        """Obey ``play`` and ``seek``; return whether views need a snapshot."""
        ...


@dataclass(slots=True)
class _View:
    seen: float
    hidden: bool = False
    window_s: float = 0.0


@dataclass(slots=True)
class _Sent:
    """What views were told last."""

    seq: int = 0
    version: int = 0
    panels: tuple[Panel, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)


class Feed:
    """The stream of one board.

    Args:
        driver: gives the values.
        send: sends a message with its buffers to all views; called from several threads.
        window_s: seconds that a view shows at first.
        clock: seconds that never step back.
        busy: tells whether the kernel is at work, so that no view's sign of life gets through.
    """

    def __init__(
        self,
        driver: Driver,
        send: Send,
        *,
        window_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._driver, self._send, self._clock, self._busy = driver, send, clock, busy
        self._window_s = window_s
        self._views: dict[str, _View] = {}
        self._sent = _Sent()
        self._thresholds: dict[str, tuple[Threshold, ...]] = {}
        self._running = self._held = self._kept = self._closed = False
        self._error = ""
        self._old = True  # what views have is not what the next row continues
        self._lock = threading.RLock()
        self._turn = threading.Lock()  # one begins or ends at a time

    # -- what views say --------------------------------------------------------------------------

    def receive(self, message: Mapping[str, Any]) -> None:
        """Take a message of a view; one that is not understood is left alone."""
        kind = message.get("t")
        if self._closed:
            self._send({"t": "state", "closed": True}, [])
            return
        with self._lock:
            anew = self._heard(str(message.get("view", "")), kind, message)
        self._settle()
        if kind in {"play", "seek"}:
            anew = self._driver.control(message)
            if anew:
                with self._lock:
                    self._anew()
        with self._lock:
            if anew:
                self._snap()
            elif kind == "beat":
                self._send({"t": "alive", "seq": self._sent.seq}, [])
            if kind in {"play", "seek"}:
                self._tell_state()

    def _heard(self, name: str, kind: Any, message: Mapping[str, Any]) -> bool:
        """Note what a view says; return whether it needs a snapshot."""
        if kind == "bye":
            self._views.pop(name, None)
        if kind not in {"hello", "beat", "pause", "window"}:
            return False
        new = name not in self._views
        view = self._views.setdefault(name, _View(self._clock()))
        view.seen = self._clock()
        if kind == "hello":
            self._views.pop("", None)
            view.hidden = False
            return True
        if kind == "pause":
            view.hidden = bool(message.get("on"))
            return False
        before, seconds = self.window_s, message.get("seconds")
        if kind == "window" and isinstance(seconds, (int, float)) and 1 <= seconds <= 86400:
            view.window_s = float(seconds)
        return new or self.window_s > before

    @property
    def window_s(self) -> float:
        """Seconds that the view with the longest window shows."""
        return max([self._window_s, *(view.window_s for view in self._views.values())])

    @property
    def views(self) -> int:
        """How many views are alive."""
        return len(self._views)

    @property
    def is_running(self) -> bool:
        """True while values are read for this board."""
        return self._running

    # -- what the owner says -------------------------------------------------------------------

    def expect(self) -> None:
        """A view is about to come: begin, so that it finds values though the kernel is busy."""
        if self._closed:
            return
        with self._lock:
            self._views.setdefault("", _View(self._clock()))
        self._settle()
        with self._lock:
            self._snap()

    def keep(self) -> None:
        """Read until the feed is closed, though no view ever comes."""
        self._kept = True
        self._settle()

    def panels(self) -> tuple[Panel, ...]:
        """Return what is drawn, with the levels that the owner set."""
        return tuple(
            replace(panel, thresholds=self._thresholds.get(panel.key, panel.thresholds))
            for panel in self._driver.panels()
        )

    def hold(self, on: bool) -> None:  # noqa: FBT001
        """Stop reading for this board, or go on."""
        self._held = on
        self._settle()
        with self._lock:
            if on:
                self._tell_state()
            else:
                self._snap()

    def set_thresholds(self, panel: str, thresholds: Sequence[Threshold]) -> None:
        """Show other levels across a panel."""
        with self._lock:
            self._thresholds[panel] = tuple(thresholds)
            shown = [threshold_of(each) for each in thresholds]
            self._send({"t": "thresholds", "panel": panel, "thresholds": shown}, [])

    def close(self) -> None:
        """End the stream; views say that it is closed. Twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._views.clear()
        self._settle()
        self._send({"t": "state", "closed": True}, [])

    # -- what the driver says ----------------------------------------------------------------------

    def tick(self, tick: Tick) -> None:
        """Pass on what is new."""
        with self._lock:
            self._forget()
            if not self._wanted():
                pass
            elif tick.anew:
                self._anew()
                self._snap()
            elif self._old:
                self._snap()
            else:
                self._pass_on(tick)
        self._settle(wait=False)

    def _pass_on(self, tick: Tick) -> None:
        if tick.rows is not None and len(tick.rows):
            self._sent.seq += 1
            rows = np.ascontiguousarray(tick.rows, dtype=np.float64)
            self._send({"t": "d", "seq": self._sent.seq}, [rows.tobytes()])
        if tick.marks:
            self._send({"t": "marks", "marks": [mark_of(each) for each in tick.marks]}, [])
        self._tell_state()

    # -- inside ------------------------------------------------------------------------------

    def _forget(self) -> None:
        now = self._clock()
        if self._busy():
            # Nobody's sign of life gets through now; their time begins when the kernel is free.
            for view in self._views.values():
                view.seen = now
            return
        for name in [n for n, v in self._views.items() if now - v.seen > BEAT_LIMIT_S]:
            del self._views[name]

    def _wanted(self) -> bool:
        """Read while somebody looks, and not a moment longer."""
        return (
            not self._closed
            and not self._held
            and (self._kept or any(not view.hidden for view in list(self._views.values())))
        )

    def _settle(self, *, wait: bool = True) -> None:
        """Begin or end reading as is wanted now.

        The lock is not held meanwhile: ending waits for the thread that may be in `tick`, which in
        turn must not wait here.
        """
        while self._wanted() != self._running:
            if not self._turn.acquire(blocking=wait):
                return
            try:
                wanted = self._wanted()
                if wanted == self._running:
                    continue
                self._running = wanted
                if wanted:
                    self._begin()
                else:
                    self._driver.stop()
            finally:
                self._turn.release()

    def _begin(self) -> None:
        with self._lock:
            self._anew()
            self._error = ""
        try:
            self._driver.start(self.tick)
        except LabvirtError as error:
            self._error = str(error)

    def _anew(self) -> None:
        """Make every view take the next snapshot; one that has all passes over it otherwise."""
        self._sent.seq += 1
        self._sent.version += 1
        self._old = True

    def _state(self) -> dict[str, Any]:
        state = self._driver.state()
        if self._error:
            state["error"] = self._error
        if self._held:
            state["held"] = True
        return state

    def _tell_state(self) -> None:
        state = self._state()
        if state != self._sent.state:
            self._sent.state = state
            self._send({"t": "state", **state}, [])

    def _snap(self) -> None:
        self._old = False
        panels = self.panels()
        if panels != self._sent.panels:
            self._sent.panels = panels
            self._sent.version += 1
        self._sent.state = self._state()
        meta = meta_of(
            self._driver,
            panels,
            version=self._sent.version,
            window_s=self.window_s,
            state=self._sent.state,
        )
        block = np.ascontiguousarray(self._driver.window(self.window_s), dtype=np.float64)
        self._send({"t": "snap", "seq": self._sent.seq, "meta": meta}, [block.tobytes()])
