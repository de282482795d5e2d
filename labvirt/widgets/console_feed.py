"""The kernel's end of a serial console in the page: numbered output, credit by view, input by number.

Messages of a view (each carries ``view``, its name):

- ``hello {n}``: begin, or begin again; `n` is the number of the last input that was taken;
- ``ack {at}``: drawn up to this byte;
- ``i {n}`` + bytes: the n-th input; sent again until it is taken;
- ``act {do, confirm}``: a button; ``beat``: a sign of life; ``bye``: gone.

Messages to views: ``snap {view, at, words, skipped}`` + the newest output; ``o {at}`` + output;
``got {view, n, refused}``; ``slow {view}``: your place is lost, a snap follows when you have drawn
what you have; ``who {view}``: say hello; ``state {..}``; ``said {text, good}``; ``alive {at}``.
Output is counted in bytes from the start, so a view sees a hole and says hello again.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ConsoleFeed"]

#: What may be on its way to the slowest view, bytes.
WINDOW: Final = 768 << 10
PIECE: Final = 64 << 10
#: What a new view is given.
RING: Final = 200_000
#: What waits for views before they are taken to the end of it.
BACKLOG: Final = 32 << 20
#: A view that draws nothing for so long does not hold up the others; seconds.
SLOW_S: Final = 3.0
SILENT_S: Final = 30.0
_MOST_VIEWS: Final = 50
_INPUT: Final = 1 << 20


@dataclass(slots=True)
class Seat:
    """One view: how far it has drawn, and which input of it was taken."""

    drawn: int
    heard: float
    moved: float
    got: int
    is_slow: bool = False


class ConsoleFeed:
    """Hands the output of a line to views, and their input to the line. No comm, no libvirt.

    Args:
        send: takes a message to all views; must not block.
        write: takes input; False when it was not taken.
        act: takes the name of a button and whether it was confirmed.
        facts: gives the state of the line and the VM.
        words: gives the texts of the view.
        clock: seconds.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any], list[bytes]], None],
        *,
        write: Callable[[bytes], bool],
        act: Callable[[str, bool], None],
        facts: Callable[[], dict[str, Any]],
        words: Callable[[], dict[str, Any]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._write, self._act = send, write, act
        self._facts, self._words, self._clock = facts, words, clock
        self._lock = threading.RLock()
        # Input keeps its order without the lock that output needs: the line waits for neither.
        self._typing = threading.Lock()
        self._seats: dict[str, Seat] = {}
        self._log = bytearray()
        self._base = 0  # of the first byte of the log
        self._sent = 0
        self._over = False

    # -- from the line ---------------------------------------------------------------------------

    def begin(self, total: int, ring: bytes) -> None:
        """Start with what a line had before."""
        with self._lock:
            self._log = bytearray(ring)
            self._base, self._sent = total - len(ring), total

    def take(self, at: int, data: bytes) -> None:
        """Take output of the line."""
        with self._lock:
            if at != self._total:
                self.begin(at, b"")
            self._log += data
            self._watch()
            self._pump()

    def push_state(self) -> None:
        """Tell every view what the line and the VM are like."""
        if self._seats and not self._over:
            self._send({"t": "state", **self._facts()}, [])

    def say(self, text: str, *, good: bool = True) -> None:
        """Tell every view what came of a button."""
        if not self._over:
            self._send({"t": "said", "text": text, "good": good}, [])

    # -- asked -----------------------------------------------------------------------------------

    @property
    def views(self) -> int:
        """How many views there are."""
        return len(self._seats)

    @property
    def waiting(self) -> int:
        """How many bytes wait for views."""
        return self._total - self._sent

    def newest(self) -> bytes:
        """Return the newest output."""
        with self._lock:
            return bytes(self._log[-RING:])

    def close(self) -> None:
        """Send no more."""
        with self._lock:
            self._over = True
            self._seats.clear()

    @property
    def _total(self) -> int:
        return self._base + len(self._log)

    # -- from views ------------------------------------------------------------------------------

    def receive(self, message: Mapping[str, Any]) -> None:
        """Take a message of a view; what makes no sense is left alone."""
        view, kind = message.get("view"), message.get("t")
        if not isinstance(view, str) or not 0 < len(view) <= 40 or self._over:
            return
        if kind == "bye":
            with self._lock:
                self._seats.pop(view, None)
                self._pump()
        elif kind == "hello":
            self._hello(view, _number(message, "n"))
        elif view not in self._seats:
            self._send({"t": "who", "view": view}, [])
        elif kind == "ack":
            self._ack(view, _number(message, "at"))
        elif kind == "i":
            self._input(view, _number(message, "n"), message.get("bytes"))
        elif kind == "act":
            self._act(str(message.get("do", "")), message.get("confirm") is True)
        elif kind == "beat":
            self._beat(view)

    def _hello(self, view: str, number: int) -> None:
        with self._lock:
            now = self._clock()
            if view not in self._seats and len(self._seats) >= _MOST_VIEWS:
                return
            known = self._seats.get(view)
            got = max(number, known.got if known else 0)
            self._seats[view] = Seat(self._sent, now, now, got)
            self._snap(view)
        self.push_state()

    def _snap(self, view: str, skipped: int = 0) -> None:
        """Give a view the newest of what was sent; what follows comes as to the others."""
        seat = self._seats[view]
        ring = bytes(self._log[: self._sent - self._base][-RING:])
        if len(ring) == RING:
            # Not from the middle of a line, which may be that of an escape sequence.
            ring = ring[ring.find(b"\n", 0, 4096) + 1 :]
        seat.drawn, seat.is_slow, seat.moved = self._sent - len(ring), False, self._clock()
        message = {"t": "snap", "view": view, "at": seat.drawn, "skipped": skipped}
        self._send(message | {"words": self._words()}, [ring])

    def _ack(self, view: str, at: int) -> None:
        with self._lock:
            seat = self._seats[view]
            seat.heard = self._clock()
            if seat.is_slow:
                self._snap(view, max(0, self._sent - RING - seat.drawn))
            elif seat.drawn < at <= self._sent:
                seat.drawn, seat.moved = at, seat.heard
            self._pump()

    def _beat(self, view: str) -> None:
        with self._lock:
            self._seats[view].heard = self._clock()
            self._watch()
            self._pump()
            self._send({"t": "alive", "at": self._sent}, [])

    def _input(self, view: str, number: int, data: Any) -> None:
        with self._typing:
            with self._lock:
                seat = self._seats.get(view)
                if seat is None:
                    return
                seat.heard = self._clock()
                fits = isinstance(data, bytes) and len(data) <= _INPUT
                is_next = number == seat.got + 1 and fits
                seat.got += is_next
            refused = is_next and not self._write(data)
            with self._lock:
                if is_next and b"\x03" in data and self.waiting > PIECE:
                    self._jump()
                self._send({"t": "got", "view": view, "n": seat.got, "refused": refused}, [])

    # -- output ----------------------------------------------------------------------------------

    def _room(self) -> int | None:
        """Return how many bytes may be sent; None when nobody looks on."""
        live = [seat.drawn for seat in self._seats.values() if not seat.is_slow]
        return WINDOW - (self._sent - min(live)) if live else None

    def _pump(self) -> None:
        while self.waiting > 0:
            room = self._room()
            if room is None:
                self._sent = self._total
                break
            if room <= 0:
                break
            start = self._sent - self._base
            piece = bytes(self._log[start : start + min(PIECE, room)])
            self._send({"t": "o", "at": self._sent}, [piece])
            self._sent += len(piece)
        if self.waiting > BACKLOG:
            self._jump()
        surplus = self._sent - self._base - RING
        if surplus > RING:
            del self._log[:surplus]
            self._base += surplus

    def _jump(self) -> None:
        """Take every view to the end; what is left out stays in the transcript."""
        skipped = max(0, self.waiting - RING)
        self._sent = self._total
        for view, seat in self._seats.items():
            if not seat.is_slow:
                self._snap(view, skipped)

    def _watch(self) -> None:
        """Let go of views that are gone, and of one that holds up the others."""
        now = self._clock()
        for view, seat in list(self._seats.items()):
            if now - seat.heard > SILENT_S:
                del self._seats[view]
        live = {view: seat for view, seat in self._seats.items() if not seat.is_slow}
        if not self.waiting or len(live) < 2:
            return
        for view, seat in live.items():
            if self._sent - seat.drawn >= WINDOW and now - seat.moved > SLOW_S:
                if sum(not each.is_slow for each in live.values()) == 1:
                    return
                seat.is_slow = True
                self._send({"t": "slow", "view": view}, [])


def _number(message: Mapping[str, Any], key: str) -> int:
    value = message.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
