"""The track of a migration: its samples and what happened, readable while it runs and after."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from labvirt.host.migrating.kept import packed, unpacked
from labvirt.status.migration import MigrationSample, seconds_left

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from labvirt.status.migration import Phase

__all__ = ["MigrationMark", "MigrationTrack"]

_log = logging.getLogger("labvirt")
#: A migration that takes a day at five looks a second would hold 432,000 samples.
MOST_SAMPLES = 100_000
_RECENT = 64


@dataclass(frozen=True, slots=True)
class MigrationMark:
    """Something that happened: ``iteration 3``, ``speed 50 MiB/s``, ``switched over``.

    Attributes:
        elapsed_s: when, on the same axis as the samples.
        what: kind of it, one word.
        text: in words.
    """

    elapsed_s: float
    what: str
    text: str


class MigrationTrack:
    """All that was seen of one migration; safe to read from any thread.

    Attributes:
        name: the domain.
        source: name of the host it leaves.
        destination: name of the host it goes to.
        label: what was asked, in short: ``pre-copy``, ``auto-converge``, ``post-copy`` ...
        switched: the guest was switched over to post-copy: it runs on the destination.
    """

    def __init__(self, name: str, source: str, destination: str, label: str = "pre-copy") -> None:
        self.name, self.source, self.destination, self.label = name, source, destination, label
        self._samples: list[MigrationSample] = []
        self._marks: list[MigrationMark] = []
        self._listeners: list[Callable[[MigrationTrack], object]] = []
        self._lock = threading.Lock()
        self.switched = False

    def __repr__(self) -> str:
        """Return one line."""
        return f"<MigrationTrack {self.name} {self.source} -> {self.destination}: {self.phase}>"

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._samples)

    @property
    def samples(self) -> tuple[MigrationSample, ...]:
        """Return the samples, oldest first."""
        with self._lock:
            return tuple(self._samples)

    @property
    def marks(self) -> tuple[MigrationMark, ...]:
        """Return what happened, oldest first."""
        with self._lock:
            return tuple(self._marks)

    @property
    def last(self) -> MigrationSample | None:
        """Return the newest sample."""
        return self._samples[-1] if self._samples else None

    @property
    def phase(self) -> Phase:
        """Return where it stands."""
        last = self.last
        return last.phase if last is not None else "setup"

    @property
    def is_over(self) -> bool:
        """Return True when it has ended, in whatever way."""
        return self.phase in {"done", "failed", "cancelled"}

    @property
    def seconds_left(self) -> float:
        """Return in how many seconds it converges at this pace; infinity: never; NaN: unknown."""
        with self._lock:
            # Enough for a pace; a day's samples need not be copied five times a second.
            recent = tuple(self._samples[-_RECENT:])
        return seconds_left(recent)

    def df(self) -> pd.DataFrame:
        """Return the samples as a table, a row each, columns as in `MigrationSample`."""
        import pandas as pd

        names = list(MigrationSample.__dataclass_fields__)
        frame = pd.DataFrame([each.as_dict() for each in self.samples], columns=names)
        return frame.set_index("elapsed_s")

    def to_json(self) -> str:
        """Return all of it as JSON: for a record, a report, another process."""
        head = {
            "name": self.name,
            "source": self.source,
            "destination": self.destination,
            "label": self.label,
        }
        marks = [(each.elapsed_s, each.what, each.text) for each in self.marks]
        return packed(head, self.samples, marks)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the track that `to_json` wrote.

        Raises:
            SpecError: it is no such text.
        """
        head, samples, marks = unpacked(text)
        made = cls(**head)
        made._samples = samples
        made._marks = [MigrationMark(*each) for each in marks]
        return made

    def add(self, sample: MigrationSample) -> None:
        """Take a sample in; marks a new iteration, slowing down and a new phase."""
        with self._lock:
            before = self._samples[-1] if self._samples else None
            if len(self._samples) >= MOST_SAMPLES:
                del self._samples[1::2]
            self._samples.append(sample)
            self._marks += _noticed(before, sample)
        self._tell()

    def mark(self, what: str, text: str) -> None:
        """Write down that something happened now."""
        with self._lock:
            at = self._samples[-1].elapsed_s if self._samples else 0.0
            self._marks.append(MigrationMark(at, what, text))
        self._tell()

    def switch(self) -> None:
        """Write down that the guest was switched over to post-copy."""
        self.switched = True
        self.mark("postcopy", "switched over: it runs on the other host")

    def listen(self, fn: Callable[[MigrationTrack], object]) -> Callable[[], None]:
        """Call `fn` after every change, on the thread that made it; return what ends that."""
        self._listeners.append(fn)

        def stop() -> None:
            if fn in self._listeners:
                self._listeners.remove(fn)

        return stop

    def _tell(self) -> None:
        for fn in tuple(self._listeners):
            try:
                fn(self)
            except Exception:  # noqa: BLE001 - a broken view must not break what it looks at
                _log.exception("a listener of the migration of %s failed", self.name)


def _noticed(before: MigrationSample | None, now: MigrationSample) -> list[MigrationMark]:
    found = []
    if before is None or before.phase != now.phase:
        found.append(MigrationMark(now.elapsed_s, "phase", now.phase))
    if before is None or now.iteration > before.iteration > 0:
        found.append(MigrationMark(now.elapsed_s, "iteration", f"iteration {now.iteration}"))
    if before is not None and now.throttle_percent != before.throttle_percent:
        text = f"slowed down by {now.throttle_percent:.0f} %"
        found.append(MigrationMark(now.elapsed_s, "throttle", text))
    return found
