"""Worker: one thread of a form for everything that may wait; the latest wish of a kind counts."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Worker"]

_log = logging.getLogger("labvirt")


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
