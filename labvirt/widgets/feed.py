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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from labvirt.widgets.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.status.sample import Mark
    from labvirt.widgets.panels import Line, Panel, Threshold

    Send = Callable[[dict[str, Any], list[bytes]], None]

__all__ = ["BEAT_LIMIT_S", "Driver", "Feed", "Tick", "meta_of"]

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


def meta_of(line: Line) -> dict[str, Any]:
    """Return what a view has to know of a line."""
    return {
        "key": line.key,
        "label": line.label,
        "colour": line.colour,
        "dash": line.dash,
        "negated": line.negated,
        "title": line.series.title,
        "definition": line.series.definition,
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {"at": mark.at, "kind": mark.kind, "text": mark.text or mark.kind}


def _threshold(threshold: Threshold) -> dict[str, Any]:
    return {"value": threshold.value, "label": threshold.label}


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
        self._running = self._held = self._closed = False
        self._lock = threading.RLock()

    # -- what views say --------------------------------------------------------------------------

    def receive(self, message: Mapping[str, Any]) -> None:
        """Take a message of a view; one that is not understood is left alone."""
        name, kind = str(message.get("view", "")), message.get("t")
        with self._lock:
            if self._closed:
                self._send({"t": "state", "closed": True}, [])
                return
            if kind == "bye":
                self._views.pop(name, None)
            elif kind in {"hello", "beat", "pause", "window"}:
                new = name not in self._views
                view = self._views.setdefault(name, _View(self._clock()))
                view.seen = self._clock()
                self._heard(view, message, new=new)
            elif kind in {"play", "seek"}:
                if self._driver.control(message):
                    self._anew()
                    self._snap()
                self._tell_state()
            self._settle()

    def _heard(self, view: _View, message: Mapping[str, Any], *, new: bool) -> None:
        kind = message["t"]
        if kind == "beat" and not new:
            self._send({"t": "alive", "seq": self._sent.seq}, [])
            return
        if kind == "pause":
            view.hidden = bool(message.get("on"))
            return
        if kind == "window":
            before = self.window_s
            seconds = message.get("seconds")
            if isinstance(seconds, (int, float)) and 1 <= seconds <= 86400:
                view.window_s = float(seconds)
            if self.window_s <= before:
                return
        if kind == "hello":
            self._views.pop("", None)
            view.hidden = False
        self._settle()
        self._snap()

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
        with self._lock:
            if not self._closed:
                self._views.setdefault("", _View(self._clock()))
                self._settle()
                self._snap()

    def hold(self, on: bool) -> None:  # noqa: FBT001
        """Stop reading for this board, or go on."""
        with self._lock:
            self._held = on
            self._settle()
            if on:
                self._tell_state()
            else:
                self._snap()

    def set_thresholds(self, panel: str, thresholds: Sequence[Threshold]) -> None:
        """Show other levels across a panel."""
        with self._lock:
            self._thresholds[panel] = tuple(thresholds)
            shown = [_threshold(each) for each in thresholds]
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
            self._settle()
            if not self._running:
                return
            if tick.anew:
                self._anew()
                self._snap()
                return
            self._pass_on(tick)
            self._tell_state()

    # -- inside ------------------------------------------------------------------------------

    def _pass_on(self, tick: Tick) -> None:
        if tick.rows is not None and len(tick.rows):
            self._sent.seq += 1
            rows = np.ascontiguousarray(tick.rows, dtype=np.float64)
            self._send({"t": "d", "seq": self._sent.seq}, [rows.tobytes()])
        if tick.marks:
            self._send({"t": "marks", "marks": [_mark(each) for each in tick.marks]}, [])

    def _forget(self) -> None:
        now = self._clock()
        if self._busy():
            # Nobody's sign of life gets through now; their time begins when the kernel is free.
            for view in self._views.values():
                view.seen = now
            return
        for name in [n for n, v in self._views.items() if now - v.seen > BEAT_LIMIT_S]:
            del self._views[name]

    def _settle(self) -> None:
        """Read while somebody looks, and not a moment longer."""
        wanted = (
            not self._closed
            and not self._held
            and any(not view.hidden for view in self._views.values())
        )
        if wanted != self._running:
            self._running = wanted
            if wanted:
                self._anew()
                self._driver.start(self.tick)
            else:
                self._driver.stop()

    def _anew(self) -> None:
        """Make every view take the next snapshot; one that has all passes over it otherwise."""
        self._sent.seq += 1
        self._sent.version += 1

    def _state(self) -> dict[str, Any]:
        return {**self._driver.state(), **({"held": True} if self._held else {})}

    def _tell_state(self) -> None:
        state = self._state()
        if state != self._sent.state:
            self._sent.state = state
            self._send({"t": "state", **state}, [])

    def _snap(self) -> None:
        panels = self._driver.panels()
        if panels != self._sent.panels:
            self._sent.panels = panels
            self._sent.version += 1
        self._sent.state = self._state()
        block = np.ascontiguousarray(self._driver.window(self.window_s), dtype=np.float64)
        self._send(
            {"t": "snap", "seq": self._sent.seq, "meta": self.meta(panels)}, [block.tobytes()]
        )

    def meta(self, panels: tuple[Panel, ...]) -> dict[str, Any]:
        """Return everything that a view has to know beside the values."""
        driver = self._driver
        return {
            "title": driver.title,
            "version": self._sent.version,
            "window_s": self.window_s,
            "interval_s": driver.interval_s,
            "replay": None if driver.span is None else {"span": list(driver.span)},
            "panels": [
                {
                    "key": panel.key,
                    "title": panel.title,
                    "unit": panel.unit,
                    "style": panel.style,
                    "top": panel.top,
                    "thresholds": [
                        _threshold(each)
                        for each in self._thresholds.get(panel.key, panel.thresholds)
                    ],
                    "lines": [meta_of(line) for line in panel.lines],
                }
                for panel in panels
            ],
            "marks": [_mark(each) for each in driver.marks(self.window_s)],
            "state": self._sent.state,
            "words": WORDS,
        }
