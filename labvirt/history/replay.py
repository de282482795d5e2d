"""Replay: a recording that plays as if it were a sampler, so that the same charts show it."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

from labvirt.errors import LabvirtError, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from labvirt.history.recording import Recording
    from labvirt.history.source import Form, Window
    from labvirt.status.sample import Mark, Sample, Subject
    from labvirt.status.series import Group, Kind

__all__ = ["Replay", "ReplayListening"]

_log = logging.getLogger("labvirt")

#: A pause in the recording is not waited for longer than this, in seconds.
_LONGEST_S = 2.0


class ReplayListening:
    """One who listens to a replay. Close it, or use it in a ``with`` block."""

    def __init__(self, replay: Replay, fn: Callable[[Sample], None]) -> None:
        self._replay = replay
        self.fn = fn

    def close(self) -> None:
        """End the listening; the last one pauses the replay. Calling it twice is harmless."""
        self._replay.drop(self)

    def __enter__(self) -> ReplayListening:  # noqa: PYI034 - nobody inherits from it
        """Return the listening itself."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Replay:
    """A recording, played: hands its samples to listeners in their own pace times `speed`.

    It is a `Source` too, of what has been played so far, so a chart that is opened in the middle
    begins with the past. It plays while somebody listens, and waits at its place while nobody does.

    Args:
        recording: what is played.
        speed: seconds of the recording in one second; may be set while it plays.
        start: from when, seconds since 1970; None from the beginning.

    Raises:
        SpecError: the speed is not above zero.
    """

    def __init__(
        self, recording: Recording, *, speed: float = 1.0, start: float | None = None
    ) -> None:
        self.recording = recording
        self.interval_s = 1.0
        self.stalled: Mapping[str, float] = {}
        self._speed = _checked(speed)
        self._wake = threading.Condition()
        self._listeners: list[ReplayListening] = []
        self._thread: threading.Thread | None = None
        self._paused = False
        self._turn = 0
        self._now: float | None = None
        self._next = start
        self._ended = False

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Replay of {self.recording.path} x{self._speed:g}: {self.state}>"

    @property
    def state(self) -> str:
        """Return ``playing``, ``paused``, ``waiting`` (nobody listens) or ``ended``."""
        if self._ended:
            return "ended"
        if self._paused:
            return "paused"
        return "playing" if self.is_running else "waiting"

    @property
    def is_running(self) -> bool:
        """True while somebody listens and the end is not reached."""
        return self._thread is not None

    @property
    def now(self) -> float | None:
        """Time up to which it has been played, seconds since 1970; None before the first."""
        return self._now

    @property
    def history(self) -> Replay:
        """What has been played so far: this itself, as a `Source`."""
        return self

    @property
    def speed(self) -> float:
        """Seconds of the recording in one second."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        self._speed = _checked(value)
        with self._wake:
            self._wake.notify_all()

    def listen(
        self,
        fn: Callable[[Sample], None],
        groups: Sequence[Group] = (),
        domains: Iterable[str] | None = None,
    ) -> ReplayListening:
        """Call `fn` with every sample, on the replay's own thread, as a sampler does.

        Args:
            fn: who listens.
            groups: what is needed; everything that was recorded is there anyway.
            domains: likewise.
        """
        del groups, domains
        listening = ReplayListening(self, fn)
        with self._wake:
            self._listeners.append(listening)
            self._begin()
        return listening

    def drop(self, listening: ReplayListening) -> None:
        """End a listening; see `ReplayListening.close`."""
        with self._wake:
            if listening in self._listeners:
                self._listeners.remove(listening)
            thread = None if self._listeners else self._thread
            self._wake.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(5)

    def pause(self) -> None:
        """Stop at this place."""
        with self._wake:
            self._paused = True

    def resume(self) -> None:
        """Go on from this place; after the end, from the beginning."""
        with self._wake:
            if self._ended:
                self._now, self._next, self._ended = None, None, False
                self._turn += 1
            self._paused = False
            self._begin()
            self._wake.notify_all()

    def seek(self, at: float) -> None:
        """Go on from another time, seconds since 1970; charts are to ask for their window again."""
        with self._wake:
            self._now, self._next, self._ended = math.nextafter(at, -math.inf), at, False
            self._turn += 1
            self._begin()
            self._wake.notify_all()

    def close(self) -> None:
        """End all listenings."""
        for each in tuple(self._listeners):
            each.close()

    # -- as a Source of what has been played --------------------------------------------------

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first sample and the last one played; None when it is empty."""
        span = self.recording.span()
        if span is None:
            return None
        return span[0], min(span[1], max(span[0], self._until(None)))

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom the recording tells of."""
        return self.recording.subjects(kind)

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain, its UUID when none is known."""
        return self.recording.name(uuid)

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject; see `Source.window`.

        Raises:
            SpecError: there is no such series.
        """
        return self.recording.window(kind, subject, fields, start=start, end=self._until(end))

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time."""
        return self.recording.marks(start=start, end=self._until(end))

    def df(
        self,
        kind: Kind = "domain",
        *,
        fields: Sequence[str] | None = None,
        domains: Iterable[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        form: Form = "long",
    ) -> pd.DataFrame:
        """Return samples as a table; see `Source.df`.

        Raises:
            SpecError: there is no such series, kind or form.
        """
        return self.recording.df(
            kind, fields=fields, domains=domains, start=start, end=self._until(end), form=form
        )

    def _until(self, end: float | None) -> float:
        now = -math.inf if self._now is None else self._now
        return now if end is None else min(now, end)

    # -- its thread -------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._listeners and not self.is_running and not self._ended:
            name = f"labvirt-replay {self.recording.path.name}"[:60]
            self._thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._play(self.recording.samples(start=self._next), self._turn)
            except LabvirtError:
                _log.exception("the replay of %s ends", self.recording.path)
                self._ended = True
            with self._wake:
                if self._ended or not self._listeners:
                    self._thread = None
                    return

    def _play(self, samples: Iterator[Sample], turn: int) -> None:
        """Play on until the end, until nobody listens, or until it is to go on elsewhere."""
        last, due = self._now, time.monotonic()
        for sample in samples:
            gap = 0.0 if last is None else sample.at - last
            due = max(due, time.monotonic() - 0.5) + min(gap / self._speed, _LONGEST_S)
            if not self._wait(due, turn, sample):
                return
            last = sample.at
            self._hand(sample)
        with self._wake:
            self._ended = self._turn == turn

    def _wait(self, due: float, turn: int, sample: Sample) -> bool:
        """Wait for the time of a sample and move there; False when it is not its turn any more."""
        with self._wake:
            while self._listeners and self._turn == turn:
                left = due - time.monotonic()
                if not self._paused and left <= 0:
                    self._now, self._next = sample.at, math.nextafter(sample.at, math.inf)
                    self.interval_s, self.stalled = sample.interval_s, sample.stalled
                    return True
                self._wake.wait(None if self._paused else left)
            return False

    def _hand(self, sample: Sample) -> None:
        for each in tuple(self._listeners):
            try:
                each.fn(sample)
            except Exception:  # noqa: BLE001 - a broken view must not break the others
                _log.exception("a listener of the replay failed")


def _checked(speed: object) -> float:
    if isinstance(speed, int | float) and not isinstance(speed, bool) and 0 < speed < math.inf:
        return float(speed)
    raise SpecError(
        f"speed: {speed!r} is not above zero", hint="1 is as recorded, 60 an hour in a minute"
    )
