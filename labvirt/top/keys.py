"""Keys: single key presses from a terminal that is as it was afterwards, whatever happens."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import time
import tty
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Keys"]


class Keys:
    """Reads keys without Enter while its ``with`` block lasts; Ctrl-C still interrupts.

    Args:
        fd: the terminal; standard input when None. One that is no terminal gives no keys.
    """

    def __init__(self, fd: int | None = None) -> None:
        self._fd = -1
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._fd = sys.stdin.fileno() if fd is None else fd
        # A background job must not read from its terminal: the kernel would stop it.
        if self._fd >= 0 and not (os.isatty(self._fd) and _is_in_front(self._fd)):
            self._fd = -1
        self._before: list[object] | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def __enter__(self) -> Self:
        if self._fd >= 0:
            self._before = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd, termios.TCSANOW)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSANOW, self._before)  # type: ignore[arg-type]
            self._before = None
        write, self._wake_write = self._wake_write, -1
        os.close(write)
        os.close(self._wake_read)

    @property
    def is_open(self) -> bool:
        """True when there is a terminal to read from."""
        return self._fd >= 0

    def wake(self) -> None:
        """End the wait of `wait`; may be called from any thread."""
        with contextlib.suppress(OSError):
            os.write(self._wake_write, b".")

    def wait(self, seconds: float) -> str:
        """Wait for a key, a call of `wake`, or until the time is over.

        Returns:
            The keys that were pressed, usually one; empty when there was none.
        """
        until = time.monotonic() + max(seconds, 0)
        watched = [self._wake_read] + ([self._fd] if self._fd >= 0 else [])
        ready, _, _ = select.select(watched, [], [], max(until - time.monotonic(), 0))
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        if self._fd < 0 or self._fd not in ready:
            return ""
        try:
            pressed = os.read(self._fd, 64)
        except OSError:
            pressed = b""
        if not pressed:
            # The terminal is gone; asking again would never wait.
            self._fd, self._before = -1, None
        return pressed.decode(errors="ignore")


def _is_in_front(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
