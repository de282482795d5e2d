"""Tracks of migrations as a source of samples, so that every renderer of charts can draw them.

Time is counted from the start of each migration, so that several of them lie over each other.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from labvirt.errors import SpecError
from labvirt.history.source import Window
from labvirt.status.migration import seconds_left
from labvirt.status.sample import Mark, Subject
from labvirt.status.series import Series
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from labvirt.history.source import Form
    from labvirt.host.migrating.track import MigrationTrack
    from labvirt.status.migration import Phase
    from labvirt.status.series import Kind

__all__ = ["MOVED", "OUTCOMES", "Run", "TrackSource"]

#: Name, title, unit and definition of what is charted of a migration.
_TABLE: Final = (
    ("memory_bytes", N_("Memory left"), "B", N_("memory of the guest that is still to be sent")),
    ("disk_bytes", N_("Disks left"), "B", N_("disks that are copied: what is still to be sent")),
    ("left_bytes", N_("Left"), "B", N_("memory and disks that are still to be sent")),
    ("sent_bytes_s", N_("Sent"), "B/s", N_("how fast memory is sent")),
    ("dirty_bytes_s", N_("Written"), "B/s", N_("how fast the guest writes to memory sent already")),
    (
        "seconds_left",
        N_("Predicted"),
        "s",
        N_("what is left, by what is sent less what is written; nothing: it never ends so"),
    ),
    (
        "downtime_s",
        N_("Downtime"),
        "s",
        N_("how long the guest will stand still, as QEMU expects; at the end: how long it did"),
    ),
    ("iteration", N_("Rounds"), "", N_("how often memory was gone over")),
    (
        "throttle_percent",
        N_("Slowed down"),
        "%",
        N_("part of the guest's CPU time that auto-converge takes away"),
    ),
)
#: By name. They tell of a domain; they are of no sampler's group, and no sampler is asked for them.
MOVED: Final[dict[str, Series]] = {
    name: Series("domain", name, title, unit, "network", definition)
    for name, title, unit, definition in _TABLE
}
_NAMES: Final = tuple(MOVED)
#: How many samples the prediction looks back for what was sent, at most.
_BACK: Final = 40
#: Where a migration stands, in words.
OUTCOMES: Final = {
    "setup": N_("begins"),
    "precopy": N_("under way"),
    "postcopy": N_("switched over"),
    "done": N_("moved"),
    "failed": N_("failed"),
    "cancelled": N_("broken off"),
}
#: Marks that a panel of their own tells of.
_QUIET: Final = frozenset({"iteration", "throttle"})


class Run:
    """One migration: its track, and its samples as columns; safe to use from several threads.

    Attributes:
        track: what is seen of it.
        subject: stands for it on the board.
    """

    def __init__(self, track: MigrationTrack, number: int) -> None:
        self.track = track
        self.subject = Subject(track.source, f"run{number}")
        self._seen = 0
        self._rows: list[tuple[float, ...]] = []
        self._times: list[float] = []
        self._lock = threading.Lock()

    @property
    def label(self) -> str:
        """What it is called beside others."""
        return f"{self.track.name}: {self.track.label}"

    @property
    def end(self) -> float:
        """Seconds from its start to the newest sample."""
        self.columns()
        return self._times[-1] if self._times else 0.0

    @property
    def outcome(self) -> Phase:
        """Where it stands; one that was broken off by whoever is ``cancelled``."""
        phase = self.track.phase
        if phase == "failed" and any(each.what == "cancel" for each in self.track.marks):
            return "cancelled"
        return phase

    def columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return times ``[n]``, rising, and values ``[series, n]``."""
        samples = self.track.samples
        with self._lock:
            if len(samples) < self._seen:  # a track that grew too long was thinned
                self._seen, self._rows, self._times = 0, [], []
            for at in range(self._seen, len(samples)):
                self._take(samples[max(0, at - _BACK) : at + 1])
            self._seen = len(samples)
            times = np.array(self._times, dtype=np.float64)
            values = np.array(self._rows, dtype=np.float64).reshape(-1, len(_NAMES)).T
            return times, values

    def _take(self, samples: Sequence[Any]) -> None:
        sample = samples[-1]
        over = sample.phase in {"done", "failed", "cancelled"}
        left = math.nan if over else seconds_left(samples)
        row: tuple[float, ...] = (
            sample.memory_remaining_bytes,
            sample.disk_remaining_bytes,
            sample.remaining_bytes,
            sample.bandwidth_bytes_s,
            sample.dirty_bytes_s,
            0.0 if sample.phase == "done" else left if math.isfinite(left) else math.nan,
            sample.downtime_ms / 1000,
            float(sample.iteration),
            float(sample.throttle_percent),
        )
        if over and sample.phase != "done" and math.isnan(sample.remaining_bytes):
            return  # how it ended is a mark; no numbers came with it
        if sample.phase == "setup":
            row = (math.nan,) * len(_NAMES)  # its zeros mean that nothing is known yet
        last = self._times[-1] if self._times else -1.0
        at = float(sample.elapsed_s)
        if at <= last:
            if not over:
                return
            at = last + 1e-3
        self._times.append(at)
        self._rows.append(row)

    def marks(self) -> list[Mark]:
        """Return what happened, without what the charts themselves tell."""
        return [
            Mark(
                each.elapsed_s,
                each.what,
                self.subject.host,
                self.subject.uuid,
                _(OUTCOMES[each.text]) if each.what == "phase" else spoken(each.text),
            )
            for each in self.track.marks
            if each.what not in _QUIET and each.text not in {"setup", "precopy"}
        ]


class TrackSource:
    """The samples of some migrations; see `labvirt.history.source.Source`.

    Times are seconds since the start of each.

    Args:
        tracks: the migrations, oldest first.
    """

    clock: Literal["utc", "elapsed"] = "elapsed"

    def __init__(self, tracks: Iterable[MigrationTrack] = ()) -> None:
        self.runs: tuple[Run, ...] = ()
        for track in tracks:
            self.add(track)

    def add(self, track: MigrationTrack) -> bool:
        """Take a migration in; return whether it is a new one."""
        if any(run.track is track for run in self.runs):
            return False
        self.runs = (*self.runs, Run(track, len(self.runs)))
        return True

    def run(self, uuid: str) -> Run | None:
        """Return a migration by what stands for it."""
        return next((run for run in self.runs if run.subject.uuid == uuid), None)

    def span(self) -> tuple[float, float] | None:
        """Return 0 and the end of the longest; None when there is no sample."""
        ends = [run.end for run in self.runs if len(run.track)]
        return (0.0, max(ends)) if ends else None

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return what stands for each migration."""
        return tuple(run.subject for run in self.runs) if kind == "domain" else ()

    def name(self, uuid: str) -> str:
        """Return what a migration is called."""
        found = self.run(uuid)
        return uuid if found is None else found.label

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one migration.

        Raises:
            SpecError: there is no such series.
        """
        wrong = [name for name in fields if kind != "domain" or name not in MOVED]
        if wrong:
            known = ", ".join(MOVED)
            raise SpecError(f"migrations have no series {wrong[0]!r} of a {kind}", hint=known)
        run = self.run(subject.uuid)
        if run is None:
            return Window(np.empty(0), np.empty((len(fields), 0)))
        times, values = run.columns()
        kept = np.ones(len(times), dtype=bool)
        if start is not None:
            kept &= times >= start
        if end is not None:
            kept &= times <= end
        rows = [_NAMES.index(name) for name in fields]
        return Window(times[kept], values[rows][:, kept])

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time."""
        low = -math.inf if start is None else start
        high = math.inf if end is None else end
        found = [mark for run in self.runs for mark in run.marks() if low <= mark.at <= high]
        return tuple(sorted(found, key=lambda mark: mark.at))

    def df(
        self,
        kind: Kind = "domain",
        *,
        fields: Sequence[str] | None = None,
        domains: Iterable[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        form: Form = "wide",
    ) -> pd.DataFrame:
        """Return the samples as a table, a row for each moment of each migration.

        Args:
            kind: ``domain``.
            fields: names of series; None for all.
            domains: names of domains; None for all.
            start: from when, seconds since the start.
            end: until when.
            form: ``wide``; there is no other.

        Raises:
            SpecError: there is no such series or form.
        """
        import pandas as pd

        if form != "wide":
            raise SpecError(f"the samples of migrations are not kept as {form!r}", hint="wide")
        names = _NAMES if fields is None else tuple(fields)
        frames = []
        for run in self.runs:
            if domains is not None and run.track.name not in set(domains):
                continue
            window = self.window(kind, run.subject, names, start=start, end=end)
            frame = pd.DataFrame(dict(zip(names, window.values, strict=True)))
            frame.insert(0, "elapsed_s", window.times)
            frame.insert(0, "run", run.label)
            frames.append(frame)
        empty = pd.DataFrame(columns=["run", "elapsed_s", *names])
        return pd.concat(frames, ignore_index=True) if frames else empty
