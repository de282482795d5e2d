"""Job: anything that takes time, on labvirt's own thread, with progress, waiting and cancelling."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from labvirt.errors import CancelledError, LabvirtError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["CANCELLED", "Job", "JobControl", "Progress"]

T = TypeVar("T")
_log = logging.getLogger("labvirt")

#: What an error says when nothing is known but that somebody asked for the end.
CANCELLED = "cancelled by the user"
#: How long an interrupted caller waits for a job to roll back before it lets go of it.
CANCEL_GRACE_S = 30.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come.

    Attributes:
        stage: what is being done now, in words.
        step: number of the current step, from 1; 0 before the first.
        steps: number of steps, 0 when unknown.
        fraction: part of the current step that is done, 0..1; None when unknown.
    """

    stage: str = ""
    step: int = 0
    steps: int = 0
    fraction: float | None = None


class JobControl:
    """What the work inside a job sees of it: reports progress, notices cancelling."""

    def __init__(self, report: Callable[[Progress], None]) -> None:
        self._report = report
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._abort: Callable[[], None] | None = None

    def report(
        self, stage: str, *, step: int = 0, steps: int = 0, fraction: float | None = None
    ) -> None:
        """Tell everyone who listens what is being done now."""
        self._report(Progress(stage, step, steps, fraction))

    @property
    def cancelled(self) -> bool:
        """True once somebody asked the job to stop."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Stop here when the job was cancelled.

        Raises:
            CancelledError: the job was cancelled.
        """
        if self.cancelled:
            raise CancelledError(CANCELLED)

    def sleep(self, seconds: float) -> None:
        """Wait, but wake up and stop at once when the job is cancelled.

        Raises:
            CancelledError: the job was cancelled.
        """
        self._cancelled.wait(seconds)
        self.check()

    def on_cancel(self, abort: Callable[[], None] | None) -> None:
        """Name what ends the blocking call that comes next (None: nothing does)."""
        with self._lock:
            self._abort = abort
            late = self.cancelled
        if late and abort is not None:
            self._call(abort)

    def cancel(self) -> None:
        """Ask the work to stop; used by the job."""
        with self._lock:
            if self._cancelled.is_set():
                return
            self._cancelled.set()
            abort = self._abort
        if abort is not None:
            self._call(abort)

    @staticmethod
    def _call(abort: Callable[[], None]) -> None:
        try:
            abort()
        except LabvirtError as error:
            # There may be nothing left to abort; the work itself tells how it ended.
            _log.debug("abort: %s", error)


class Job(Generic[T]):
    """Work under way. ``job.result()`` waits, ``await job`` waits without blocking the notebook.

    Args:
        title: what the job does, in words.
        work: the work; gets a `JobControl`, and its return value is the job's result.
    """

    def __init__(self, title: str, work: Callable[[JobControl], T]) -> None:
        self.title = title
        self.progress = Progress()
        self._listeners: list[Callable[[Progress], None]] = []
        self._future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._future.set_running_or_notify_cancel()
        self._control = JobControl(self._on_progress)
        # A daemon thread: a call that a dead host never answers must not keep Python alive.
        self._thread = threading.Thread(
            target=self._run, args=(work,), name=f"labvirt-job {title}"[:60], daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        """Return one line, without any call to a host."""
        return f"<Job {self.title}: {self.state}>"

    @property
    def state(self) -> str:
        """Return ``running``, ``done``, ``failed`` or ``cancelled``."""
        if not self._future.done():
            return "running"
        error = self._future.exception()
        if error is None:
            return "done"
        return "cancelled" if isinstance(error, CancelledError) else "failed"

    def done(self) -> bool:
        """Return True when the job has ended, in whatever way."""
        return self._future.done()

    def result(self, timeout_s: float | None = None) -> T:
        """Wait for the end and return the result.

        Interrupting the wait (``^C``, Jupyter's stop button) cancels the job and waits for its
        roll-back.

        Args:
            timeout_s: limit in seconds; None waits as long as the job's own limits allow.

        Raises:
            WaitTimeoutError: the job has not ended in time; it goes on.
            LabvirtError: what the job ended with.
        """
        try:
            return self._future.result(timeout_s)
        except concurrent.futures.TimeoutError:
            if self._future.done():
                raise
            raise WaitTimeoutError(
                f"the job {self.title!r}",
                timeout_s=timeout_s or 0,
                last_seen=self.progress.stage,
                hint="job.result() waits on, job.cancel() stops it",
            ) from None
        except KeyboardInterrupt:
            self.cancel()
            self._thread.join(CANCEL_GRACE_S)
            raise

    def cancel(self) -> None:
        """Ask the job to stop and undo what it did; returns at once."""
        if not self._future.done():
            self._control.cancel()

    def listen(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """Call `listener` on each progress report, from the job's thread.

        Returns:
            A function that ends the listening; calling it twice is harmless.
        """
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def then(self, callback: Callable[[Job[T]], None]) -> None:
        """Call `callback` with this job when it has ended (at once when it already has)."""
        self._future.add_done_callback(lambda _: callback(self))

    def __await__(self) -> Generator[None, None, T]:
        """Wait in an async cell; widgets stay alive. Cancelling the awaiting task cancels the job."""
        return self._wait().__await__()

    async def _wait(self) -> T:
        try:
            return await asyncio.shield(asyncio.wrap_future(self._future))
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _on_progress(self, progress: Progress) -> None:
        self.progress = progress
        for listener in tuple(self._listeners):
            try:
                listener(progress)
            except Exception:  # noqa: BLE001 - a broken view must not break the work it looks at
                _log.exception("a listener of job %r failed", self.title)

    def _run(self, work: Callable[[JobControl], T]) -> None:
        try:
            result = work(self._control)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
            self._future.set_exception(error)
        else:
            self._future.set_result(result)
