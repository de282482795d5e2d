"""The libvirtd of one host: running, stopped on purpose, or started again after a crash."""

from __future__ import annotations

import collections
import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labvirt.lab.backend import Backend
    from labvirt.lab.loop import Loop
    from labvirt.lab.records import HostRecord

__all__ = ["Daemon"]

_RESTART_DELAY_S = 0.1
_RESTARTS, _WITHIN_S = 6, 30.0
_PATIENCE_S = 5.0


class Daemon:
    """Keeps a host's libvirtd as it is wanted.

    Args:
        host: the host.
        backend: what starts it.
        loop: the keeper's loop, for the delays.
    """

    def __init__(self, host: HostRecord, backend: Backend, loop: Loop) -> None:
        self.host = host
        self._backend = backend
        self._loop = loop
        self._exits: collections.deque[float] = collections.deque(maxlen=_RESTARTS)
        self.pid: int | None = None
        self.state = "stopped"
        self.restarts = 0

    def start(self) -> None:
        """Start it unless it runs; also after it was given up.

        One that is just ending on purpose is started again when it has ended.
        """
        self.state = "running"
        self._exits.clear()
        if self.pid is None:
            self.pid = self._backend.launch(self.host)

    def stop(self) -> None:
        """End it on purpose; guests run on. It is killed when it does not end by itself."""
        self.state = "stopped"
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            # A stopped process would never see the request to end.
            os.kill(pid, signal.SIGCONT)
            self._loop.later(_PATIENCE_S, lambda: self._kill_if(pid))

    def send(self, number: int) -> None:
        """Send it a signal, as a fault would; it is not meant to stay away."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def exited(self) -> None:
        """Take note of its end and, when it was not wanted, start it again a little later."""
        self.pid = None
        if self.state == "stopped":
            return
        now = time.monotonic()
        self._exits.append(now)
        if len(self._exits) == _RESTARTS and now - self._exits[0] < _WITHIN_S:
            self.state = "failed"
            return
        self.state = "restarting"
        self._loop.later(_RESTART_DELAY_S, self._restart)

    def forget(self) -> None:
        """Take note that everything was killed; nothing is started again."""
        self.pid = None
        self.state = "stopped"

    def _restart(self) -> None:
        if self.state == "restarting":
            self.state = "running"
            self.restarts += 1
            self.pid = self._backend.launch(self.host)

    def _kill_if(self, pid: int) -> None:
        # Not reaped yet, so the pid is still this very process.
        if self.pid == pid and self.state == "stopped":
            os.kill(pid, signal.SIGKILL)
