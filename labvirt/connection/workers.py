"""Workers: daemon threads on which blocking calls run, so that their callers stay free to leave."""

from __future__ import annotations

import threading
import traceback
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Task", "Workers"]

T = TypeVar("T")
#: So many wait for the next call; the others of a rush end with their call.
_MOST_IDLE: Final = 16


class Task(Generic[T]):
    """One piece of work on a worker, and its outcome.

    Attributes:
        left_behind: set when the caller has gone without waiting for the end; work in steps
            should look at it between them.
    """

    def __init__(
        self, work: Callable[[Task[T]], T], late: Callable[[T], object] | None = None
    ) -> None:
        self._work = work
        self._late = late
        self._done = threading.Lock()
        self._done.acquire()
        self._outcome = threading.Lock()
        self._finished = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self.left_behind = False

    def run(self) -> None:
        """Do the work; called on the worker's thread."""
        try:
            self._value = self._work(self)
        except BaseException as error:  # noqa: BLE001 - handed to the caller as it is
            _drop_frames(error)
            self._error = error
        with self._outcome:
            self._finished = True
            nobody_waits = self.left_behind
        if nobody_waits:
            self._hand_over_late()
        self._done.release()

    def _hand_over_late(self) -> None:
        if self._error is None and self._late is not None:
            self._late(self._value)  # type: ignore[arg-type] # None is a T when the work gives None
        self._value = None
        self._error = None

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for the end; KeyboardInterrupt and the like come through at once.

        Returns:
            Whether it has ended. When False, or when the wait is broken off, the work goes on
            alone and its late result is given to `late`.
        """
        try:
            ended = self._done.acquire(timeout=-1 if timeout_s is None else max(0.0, timeout_s))
        except BaseException:
            self._leave()
            raise
        if ended:
            self._done.release()
            return True
        return not self._leave()

    def ended(self, timeout_s: float) -> bool:
        """Wait without leaving; whether the work has ended."""
        if not self._done.acquire(timeout=timeout_s):
            return False
        self._done.release()
        return True

    def _leave(self) -> bool:
        with self._outcome:
            if self._finished:
                return False
            self.left_behind = True
            return True

    def result(self) -> T:
        """Return what the work returned, or raise what it raised."""
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # else frame and error hold each other until the next collection
        return self._value  # type: ignore[return-value] # None is a T when the work gives None


def _drop_frames(error: BaseException) -> None:
    """Empty the frames an error came through: they would keep libvirt's handles alive.

    A handle that lives on in a kept error keeps the socket of a closed connection open.
    """
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__cause__ or seen.__context__


class Workers:
    """Idle threads that wait for the next call, and as many new ones as are needed.

    Threads that nobody joins are daemons, so a call that never comes back cannot hold up the end
    of the process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[Task[Any] | None]] = []
        self._threads: set[threading.Thread] = set()
        self._closed = False

    def start(
        self, work: Callable[[Task[T]], T], late: Callable[[T], object] | None = None
    ) -> Task[T]:
        """Begin some work and return at once.

        Args:
            work: what to do; gets its own task.
            late: gets the result when the caller no longer waits for it.
        """
        task = Task(work, late)
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            thread = threading.Thread(
                target=self._serve, args=(inbox,), name=f"{self._name} call", daemon=True
            )
            with self._lock:
                self._threads.add(thread)
            thread.start()
        inbox.put(task)
        return task

    def _serve(self, inbox: SimpleQueue[Task[Any] | None]) -> None:
        while (task := inbox.get()) is not None:
            task.run()
            del task
            with self._lock:
                if self._closed or len(self._idle) >= _MOST_IDLE:
                    break
                self._idle.append(inbox)
        with self._lock:
            self._threads.discard(threading.current_thread())

    def close(self, wait_s: float = 0.5) -> None:
        """End the idle threads; a busy one ends with its call. Safe to call twice."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            count = len(idle)
            threads = list(self._threads)
        for inbox in idle:
            inbox.put(None)
        if count:
            for thread in threads:
                if thread is not threading.current_thread():
                    thread.join(wait_s / len(threads))
