"""A pool of runs that have begun before they are asked for: process and kernel wait, used once."""

from __future__ import annotations

import collections
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Self

from labvirt.errors import RunError, SpecError
from labvirt.runbook.execute import ask
from labvirt.runbook.handle import Run
from labvirt.runbook.server import RunServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from labvirt.runbook.events import Event
    from labvirt.runbook.handle import Asked
    from labvirt.runbook.records import RunRecord
    from labvirt.runbook.server import Forked

__all__ = ["RunPool"]

_END_S = 10.0


class RunPool:
    """Keeps processes with started kernels at hand, each for one run. Close it, or use ``with``.

    A run from the pool saves the start of process and kernel, most of the time of a short book.
    Each waiting pair takes about 120 MiB of memory.

    Args:
        size: how many wait.

    Raises:
        SpecError: `size` is not from 1 to 32.
    """

    def __init__(self, size: int = 2) -> None:
        if type(size) is not int or not 1 <= size <= 32:
            raise SpecError(f"a pool of {size!r} runs", hint="1 to 32")
        self._lock = threading.Lock()
        self._waiting: collections.deque[Forked] = collections.deque()
        self._server = RunServer()
        self._size = size
        self._closed = False
        self._fill()

    def _fill(self) -> None:
        with self._lock:
            while not self._closed and len(self._waiting) < self._size:
                self._waiting.append(self._server.worker(standby=True))

    def __enter__(self) -> Self:
        """Return the pool itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that wait; runs that go on are not touched. Twice is harmless."""
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for process in waiting:
            process.close()
        for process in waiting:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        self._server.close()

    def start(self, asked: Asked, *, on_event: Callable[[Event], None] | None = None) -> Run:
        """Begin a run in a process that waits for one.

        Raises:
            RunError: the pool is closed.
        """
        with self._lock:
            if self._closed:
                raise RunError("the pool of runs is closed")
            ready = [self._waiting.popleft()] if self._waiting else []
        process = ready[0] if ready else self._server.worker()
        if process.poll() is not None:
            process.close()
            process = self._server.worker()
        going = Run(asked, process, on_event)
        # The next one starts when this one is over: a start takes all of a core.
        going.on_over(self._fill)
        return going

    def run(
        self,
        book: str | Path,
        parameters: Mapping[str, Any] | None = None,
        *,
        html: bool = True,
        on_event: Callable[[Event], None] | None = None,
        **named: Any,
    ) -> RunRecord:
        """Execute a runbook; see `labvirt.run`."""
        asked = ask(book, {**(parameters or {}), **named}, html=html)
        return self.start(asked, on_event=on_event).result()
