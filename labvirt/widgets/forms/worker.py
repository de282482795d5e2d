"""Worker: one thread of a form for everything that may wait; the latest wish of a kind counts."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Worker"]

_log = logging.getLogger("labvirt")
#: So many forms read one host at the same time; a host does one call after another anyway.
_AT_ONCE: Final = 2
#: How often one that waits for its turn looks whether its form is closed.
_LOOK_S: Final = 0.1
_turns: WeakKeyDictionary[Any, threading.Semaphore] = WeakKeyDictionary()
_turning = threading.Lock()


def _turn_at(whom: Any) -> threading.Semaphore:
    with _turning:
        return _turns.setdefault(whom, threading.Semaphore(_AT_ONCE))


class Worker:
    """Runs functions one after another on a thread that begins with the first of them.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._wanted: dict[str, tuple[float, Callable[[], object]]] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._over = False

    def later(self, key: str, run: Callable[[], object], delay_s: float = 0.0) -> None:
        """Run a function after a time; one of the same key that still waits is forgotten."""
        with self._change:
            if self._over:
                return
            self._wanted[key] = (time.monotonic() + delay_s, run)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._change.notify_all()

    def read(self, key: str, whom: Any, run: Callable[[], object]) -> None:
        """Run what reads a host, in its turn; not at all when the form is closed before.

        Forms that are opened and closed faster than a host answers would pile up else.

        Args:
            key: as that of `later`.
            whom: the host.
            run: reads it.
        """

        def in_turn() -> None:
            turn = _turn_at(whom)
            while not self._over:
                if turn.acquire(timeout=_LOOK_S):
                    try:
                        if not self._over:
                            run()
                    finally:
                        turn.release()
                    return

        self.later(key, in_turn)

    def idle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to do; return whether that came about in time."""
        with self._change:
            return self._change.wait_for(
                lambda: self._over or not (self._wanted or self._busy), timeout_s
            )

    def close(self) -> None:
        """Begin nothing more. What runs now ends by itself; the thread goes with it."""
        with self._change:
            self._over = True
            self._wanted.clear()
            self._change.notify_all()

    def _next(self) -> Callable[[], object] | None:
        with self._change:
            self._busy = False
            self._change.notify_all()
            while not self._over:
                if not self._wanted:
                    self._change.wait()
                    continue
                key = min(self._wanted, key=lambda each: self._wanted[each][0])
                due, run = self._wanted[key]
                left = due - time.monotonic()
                if left <= 0:
                    del self._wanted[key]
                    self._busy = True
                    return run
                self._change.wait(left)
            return None

    def _work(self) -> None:
        while (run := self._next()) is not None:
            try:
                run()
            except Exception:  # noqa: BLE001 - its traceback would land under some other cell
                _log.exception("a form's work failed")
