"""The line between a lab's starter and its keeper: progress, outcome, and who is still there.

Each side holds one end of a socket pair. JSON lines go one way; that the other end closes tells
the keeper that its starter is gone, even when that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from typing import TYPE_CHECKING, Any

from labvirt.lab.refusal import StarterGoneError

if TYPE_CHECKING:
    import socket

__all__ = ["Reporter"]


class Reporter:
    """The keeper's end of the line.

    Args:
        line: its socket.
        starter: pidfd of the starter, -1 when the kernel has none.
    """

    def __init__(self, line: socket.socket, starter: int) -> None:
        self._line = line
        self.starter = starter
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @property
    def handles(self) -> tuple[int, ...]:
        """Descriptors that become readable when the starter ends."""
        return tuple(fd for fd in (self._line.fileno(), self.starter) if fd >= 0)

    def say(self, **message: Any) -> None:
        """Tell the starter something."""
        with contextlib.suppress(OSError):
            self._line.sendall(json.dumps(message).encode() + b"\n")

    def stage(self, text: str) -> None:
        """Tell the starter what is being done now."""
        self.say(stage=text)

    def done(self, stage: str) -> None:
        """Note how long a stage took."""
        now = time.monotonic()
        self.seconds[stage] = round(now - self._began, 4)
        self._began = now

    def check(self, wait_s: float = 0.0) -> None:
        """Wait a little, at most until the starter ends.

        Raises:
            StarterGoneError: it has ended.
        """
        if self.handles:
            ready, _, _ = select.select(self.handles, [], [], wait_s)
            if ready:
                raise StarterGoneError
        elif wait_s:
            time.sleep(wait_s)

    def hang_up(self) -> None:
        """Close the line: the lab no longer depends on its starter."""
        self._line.close()
        if self.starter >= 0:
            os.close(self.starter)
            self.starter = -1
