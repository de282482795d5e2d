"""Reconnecting: when to try again after a link was lost, and on which thread."""

from __future__ import annotations

import threading
import time
from enum import Enum
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection.workers import Task, Workers

__all__ = ["LinkState", "Reconnector"]

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0
_ATTEMPT_S = 15.0
#: Tries that may hang at a time: each holds a thread and a place in the daemon's queue.
_HANGING = 3


class LinkState(Enum):
    """State of a connection's link.

    ``connected -> lost -> reconnecting -> connected``, and ``lost`` again when a try fails;
    ``closed`` from everywhere, for good.
    """

    CONNECTED = "connected"
    LOST = "lost"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


class Reconnector:
    """Tries to make a link again, after 0.5 s, then twice as long each time, up to 30 s.

    Args:
        name: for the thread.
        workers: where tries run, so that a hung one does not hold up the end.
        establish: makes a link or raises ``LabvirtError``.
        dispose: closes a link for good.
    """

    def __init__(
        self,
        name: str,
        workers: Workers,
        establish: Callable[[], Any],
        dispose: Callable[[Any], None],
    ) -> None:
        self._name = f"{name} reconnect"
        self._workers = workers
        self._establish = establish
        self._dispose = dispose
        self._wake = threading.Condition()
        self._hurry = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._next_at: float | None = None
        self._hanging: list[Task[Any]] = []
        self.last_failure = ""

    @property
    def next_attempt_s(self) -> float | None:
        """Seconds until the next try, 0 while one is under way, None when none is planned."""
        at = self._next_at
        return None if at is None else max(0.0, at - time.monotonic())

    @property
    def outlook(self) -> str:
        """When the next try comes and how the last one ended, in words."""
        left = self.next_attempt_s
        when = "trying now" if not left else f"next attempt in {left:.1f} s"
        return f"{when} (last: {self.last_failure})" if self.last_failure else when

    def start(
        self,
        clean: Callable[[], None],
        tell: Callable[[LinkState], None],
        adopt: Callable[[Any], bool],
    ) -> None:
        """Begin to try; returns at once.

        Args:
            clean: closes what is left of the broken link; called first.
            tell: is told LOST and RECONNECTING.
            adopt: takes the new link; False when it is no longer wanted.
        """
        with self._wake:
            if self._closed:
                return
            before = self._thread
            self._next_at = time.monotonic() + _FIRST_DELAY_S
            self._thread = threading.Thread(
                target=self._run, args=(before, clean, tell, adopt), name=self._name, daemon=True
            )
            self._thread.start()

    def _run(
        self,
        before: threading.Thread | None,
        clean: Callable[[], None],
        tell: Callable[[LinkState], None],
        adopt: Callable[[Any], bool],
    ) -> None:
        if before is not None:
            before.join()
        clean()
        delay_s = _FIRST_DELAY_S
        while self._sleep(delay_s):
            tell(LinkState.RECONNECTING)
            raw = self._try()
            if raw is not None:
                self._next_at = None
                self.last_failure = ""
                if not adopt(raw):
                    self._dispose(raw)
                return
            tell(LinkState.LOST)
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)

    def _sleep(self, delay_s: float) -> bool:
        self._next_at = time.monotonic() + delay_s
        with self._wake:
            self._wake.wait_for(lambda: self._hurry or self._closed, delay_s)
            self._hurry = False
            return not self._closed

    def _try(self) -> Any | None:
        self._hanging = [task for task in self._hanging if not task.ended(0)]
        if len(self._hanging) >= _HANGING:
            return None
        task = self._workers.start(lambda _: self._establish(), late=self._dispose)
        deadline = time.monotonic() + _ATTEMPT_S
        while not task.ended(0.1):
            if self._closed or time.monotonic() > deadline:
                break
        if not task.wait(0):
            self._hanging.append(task)
            self.last_failure = f"no answer within {_ATTEMPT_S:g} s"
            return None
        try:
            return task.result()
        except LabvirtError as error:
            self.last_failure = getattr(error, "libvirt_text", "") or error.what
            return None

    def hurry(self) -> None:
        """Try now instead of later."""
        with self._wake:
            if self._next_at is not None:
                self._hurry = True
                self._wake.notify_all()

    def close(self, wait_s: float = 1.0) -> None:
        """Give up. Safe to call twice."""
        with self._wake:
            self._closed = True
            self._hurry = True
            thread = self._thread
            self._wake.notify_all()
        self._next_at = None
        if thread is not None and thread is not threading.current_thread():
            thread.join(wait_s)
