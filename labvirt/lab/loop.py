"""The keeper's event loop: readers, timers, children that ended."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import selectors
import signal
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Loop"]


class Loop:
    """A single-threaded loop; nothing in it may block for long.

    Args:
        child_ended: called with the pid of every child that was reaped, orphans among them.
    """

    def __init__(self, child_ended: Callable[[int], None]) -> None:
        self._child_ended = child_ended
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._running = True
        self._wake, self._waker = socket.socketpair()
        self._wake.settimeout(0)
        self._waker.settimeout(0)
        # A handler must exist for the wake-up descriptor to be written to.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self.add(self._wake.fileno(), self._woken)

    def add(self, fd: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever the descriptor can be read or was hung up."""
        self._selector.register(fd, selectors.EVENT_READ, ready)

    def remove(self, fd: int) -> None:
        """Forget a descriptor; unknown ones are fine."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Call `action` once, after a delay."""
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._order), action))

    def stop(self) -> None:
        """Make `run` return."""
        self._running = False

    def run(self) -> None:
        """Serve until `stop` is called."""
        self.reap()
        while self._running:
            delay = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, _ in self._selector.select(delay):
                # An earlier callback of this round may have removed this one.
                if key.fd in self._selector.get_map():
                    key.data()
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Let go of the loop's own descriptors."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._wake.close()
        self._waker.close()

    def reap(self) -> None:
        """Reap every child that has ended.

        libvirt waits until the pid of a destroyed QEMU is gone, and QEMU is an orphan, so reaping
        at once is what makes ``destroy`` quick.
        """
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._child_ended(pid)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake.recv(4096):
                pass
        self.reap()
