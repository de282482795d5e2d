"""Recorder: keeps the samples of hosts in a file while they are taken."""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from collections import deque
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self

from labvirt.errors import LabvirtError, WaitTimeoutError
from labvirt.history.lease import BEAT_S
from labvirt.history.retention import Retention
from labvirt.history.writer import Writer
from labvirt.status.sample import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from os import PathLike
    from types import TracebackType

    from labvirt.history.source import Source
    from labvirt.status.sample import Sample
    from labvirt.status.series import Group

__all__ = ["RECORDED", "Listenable", "Recorder"]

_log = logging.getLogger("labvirt")

#: What is recorded when nothing else is asked for.
RECORDED: Final[tuple[Group, ...]] = ("cpu", "memory", "network", "host", "disk", "balloon")
#: Samples that wait while the disk does not take them; then the oldest are dropped.
_WAITING: Final = 300
#: Ticks of so many seconds are written together: pages of the disk are larger than ticks.
_GATHER_S: Final = 2.0
#: Recording ends before the disk is full, so that the file can be closed and read.
_ROOM: Final = 32 * 2**20

#: A mark may be told of this long after it happened, in seconds.
_LATE_S: Final = 60.0

State = Literal["recording", "stopped", "closed"]


class Listening(Protocol):
    """What a sampler hands out to its listeners."""

    def close(self) -> None:
        """End the listening."""


class Listenable(Protocol):
    """What samples can be had from: a sampler, or a replay."""

    def listen(
        self,
        fn: Callable[[Sample], None],
        groups: Sequence[Group] = ...,
        domains: Iterable[str] | None = None,
    ) -> Listening:
        """Call `fn` with every sample."""
        ...


class _Marked:
    """The marks of one history that were not taken yet."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._since = time.time() - _LATE_S
        self._taken = set(source.marks(start=self._since))

    def news(self) -> list[Mark]:
        """Return what came since the last call; what came late stands before newer ones."""
        found = self._source.marks(start=self._since)
        new = [mark for mark in found if mark not in self._taken]
        self._since = time.time() - _LATE_S
        self._taken = {mark for mark in found if mark.at >= self._since}
        return new


class Recorder:
    """Writes samples to a file on a thread of its own; the sampler never waits for the disk.

    What was taken is in the file two seconds later at the latest, also when this process is
    killed. When the disk is full or the file cannot be written any more, recording stops, `error`
    says why, a mark tells it on the charts, and everything else goes on. Use it in a ``with``
    block, or close it.

    Args:
        path: the file (``.sqlite``); a recording that is there already is gone on with.
        retention: what is kept of it.
        tell: called with the mark that tells of a stop; for the history of the charts.
        room_bytes: space on the disk that is left to others.

    Raises:
        SpecError: something that is no recording stands there; it is left as it is.
        ConflictError: another recorder writes this file.
        AccessDeniedError: it cannot be written.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        retention: Retention | None = None,
        tell: Callable[[Mark], None] | None = None,
        room_bytes: int = _ROOM,
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self.samples = 0
        self.lost = 0
        self.error: LabvirtError | None = None
        self._tell = tell
        self._room = room_bytes
        self._require_room("recording to {} cannot begin")
        self._writer = Writer(self.path, retention or Retention())
        self._queue: deque[Sample] = deque()
        self._marks: deque[Mark] = deque()
        self._wake = threading.Condition()
        self._under_way = 0
        self._wrote = -math.inf
        self._hurry = False
        self._closing = False
        self._hosts: set[str] = set()
        self._following: list[Listening] = []
        self._marked: list[_Marked] = []
        self._thread = threading.Thread(
            target=self._run, name=f"labvirt-record {self.path.name}"[:60], daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        """Return one line."""
        lost = f", {self.lost} lost" if self.lost else ""
        return f"<Recorder {self.path} {self.state}: {self.samples} samples{lost}>"

    def _repr_html_(self) -> str:
        why = f"<br>{escape(str(self.error))}" if self.error else ""
        return (
            f"<b>recorder</b> <code>{escape(str(self.path))}</code> {self.state}: "
            f"{self.samples} samples{why}"
        )

    def __enter__(self) -> Self:
        """Return the recorder itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def state(self) -> State:
        """Return ``recording``, ``stopped`` (see `error`) or ``closed``."""
        if self._closing:
            return "closed"
        return "recording" if self.error is None else "stopped"

    # -- what is recorded -------------------------------------------------------------------

    def follow(
        self,
        sampler: Listenable,
        groups: Sequence[Group] = RECORDED,
        domains: Iterable[str] | None = None,
        *,
        marks: Source | None = None,
    ) -> Self:
        """Record what a sampler reads until this recorder is closed; may be called for several.

        Args:
            sampler: whose samples.
            groups: what it is to read.
            domains: of whom the costly groups are wanted; None for all.
            marks: the history that has the marks of that host; what happens from now on is taken.
        """
        if marks is not None:
            self._marked.append(_Marked(marks))
        self._following.append(sampler.listen(self.take, groups=groups, domains=domains))
        return self

    def take(self, sample: Sample) -> None:
        """Record a sample; returns at once. Does nothing once recording has stopped."""
        with self._wake:
            if self._closing or self.error is not None:
                return
            if len(self._queue) >= _WAITING:
                self._queue.popleft()
                self.lost += 1
            self._queue.append(sample)
            self._wake.notify()

    def mark(self, mark: Mark) -> None:
        """Record something that happened; returns at once."""
        with self._wake:
            if not self._closing and self.error is None:
                self._marks.append(mark)
                self._wake.notify()

    def flush(self, timeout_s: float = 10.0) -> None:
        """Wait until everything taken so far is in the file.

        Raises:
            WaitTimeoutError: the disk does not take it in time.
        """
        until = time.monotonic() + timeout_s
        with self._wake:
            while (self._queue or self._marks or self._under_way) and self._thread.is_alive():
                if time.monotonic() > until:
                    raise WaitTimeoutError(
                        f"the disk to take {len(self._queue)} samples of {self.path}",
                        timeout_s=timeout_s,
                        likely_cause="the disk is slow or does not answer",
                    )
                self._hurry = True
                self._wake.notify_all()
                self._wake.wait(0.1)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is left and close the file; calling it twice is harmless.

        Raises:
            WaitTimeoutError: the disk does not answer.
        """
        following, self._following = self._following, []
        for each in following:
            each.close()
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise WaitTimeoutError(
                f"the recorder of {self.path} to write what is left",
                timeout_s=timeout_s,
                likely_cause="the disk does not answer",
            )

    stop = close

    # -- its thread -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - a recorder that fails must not vanish silently
            self._fail(error)
        self._writer.close(whole=self.error is None)

    def _turn(self) -> bool:
        """Write what has come in; False at the end."""
        with self._wake:
            if not (self._queue or self._marks or self._closing):
                self._wake.wait(BEAT_S)
            until = self._wrote + _GATHER_S
            while not (self._closing or self._hurry) and (left := until - time.monotonic()) > 0:
                self._wake.wait(left)
            self._hurry = False
            samples, self._queue = self._queue, deque()
            marks, self._marks = self._marks, deque()
            closing = self._closing
            self._under_way = len(samples) + len(marks)
        self._hosts |= {sample.host for sample in samples}
        for each in self._marked:
            marks.extend(each.news())
        if samples or not closing:
            self._require_room("recording to {} has stopped")
        self._writer.write(samples, marks)
        self._wrote = time.monotonic()
        with self._wake:
            self._under_way = 0
            self.samples += len(samples)
            self._wake.notify_all()
        return not closing

    def _require_room(self, what: str) -> None:
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError:
            return  # the writer tells why
        if free < self._room:
            raise LabvirtError(
                f"{what.format(self.path)}: only {free / 2**20:.3g} MiB are left on its disk, and "
                f"{self._room / 2**20:.3g} MiB stay free for others",
                hint="free space, then record on to the same file",
            )

    def _fail(self, error: Exception) -> None:
        told = (
            error
            if isinstance(error, LabvirtError)
            else LabvirtError(f"recording to {self.path} has stopped: {error!r}")
        )
        with self._wake:
            self.error = told
            self.lost += len(self._queue) + self._under_way
            self._under_way = 0
            self._queue.clear()
            self._marks.clear()
            self._wake.notify_all()
        _log.error("%s", told)
        if self._tell is not None:
            for host in sorted(self._hosts) or [""]:
                self._say(Mark(time.time(), "fault", host, text=told.what))

    def _say(self, mark: Mark) -> None:
        assert self._tell is not None
        try:
            self._tell(mark)
        except Exception:  # noqa: BLE001 - the error itself is told already
            _log.exception("the mark of the stopped recorder")
