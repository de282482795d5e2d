"""Samples of one guest, kept with what was true when each was taken."""

from __future__ import annotations

import itertools
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from labvirt.status.sample import COUNTERS
from labvirt.status.series import find_series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import labvirt as lv
    from labvirt.status.sample import Sample


@dataclass(frozen=True)
class Taken:
    """A sample and the evidence of its moment."""

    sample: Sample
    clock: float
    beside: Any


class Collect:
    """Listens to a host's sampler; a context manager.

    Args:
        host: whose sampler.
        guest: the domain of interest.
        groups: what is asked for.
        beside: is called with each sample, on the sampler's thread: what is true at that moment.
    """

    def __init__(
        self,
        host: lv.Host,
        guest: lv.Domain,
        *,
        groups: Sequence[str],
        beside: Callable[[], Any] = lambda: None,
    ) -> None:
        self.host, self.uuid = host, guest.uuid
        self._groups, self._beside = tuple(groups), beside
        self.samples: list[Taken] = []
        self._new = threading.Condition()

    def __enter__(self) -> Self:
        self._listening = self.host.sampler.listen(
            self._take, groups=self._groups, domains=(self.uuid,), backlog=100
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _take(self, sample: Sample) -> None:
        taken = Taken(sample, time.clock_gettime(time.CLOCK_BOOTTIME), self._beside())
        with self._new:
            self.samples.append(taken)
            self._new.notify_all()

    @property
    def count(self) -> int:
        return len(self.samples)

    def wait(self, count: int, timeout_s: float = 60) -> None:
        """Wait until there are that many samples."""
        self.wait_until(lambda: len(self.samples) >= count, timeout_s)

    def wait_until(self, claim: Callable[[], bool], timeout_s: float = 60) -> None:
        """Wait until a claim holds after a sample."""
        with self._new:
            assert self._new.wait_for(claim, timeout_s), f"waited {timeout_s} s: {self.count}"

    def row(self, sample: Sample, kind: str, device: str = "") -> Any:
        """Return a row of a sample's table, None when it has none."""
        table = sample.tables.get(kind)
        if table is not None:
            for subject, values in zip(table.subjects, table.values, strict=True):
                if (subject.uuid, subject.device) == (self.uuid, device):
                    return values
        return None

    def values(
        self, kind: str, name: str, device: str = "", taken: Sequence[Taken] | None = None
    ) -> list[float]:
        """Return one series, a value for each sample (NaN where it has none)."""
        column = find_series(kind, name)
        rows = [
            self.row(each.sample, kind, device)
            for each in (self.samples if taken is None else taken)
        ]
        return [math.nan if row is None else float(row[column]) for row in rows]

    def newest(self, kind: str, name: str, device: str = "") -> float:
        """Return the last value of a series."""
        values = self.values(kind, name, device)
        return values[-1] if values else math.nan

    def mean(self, kind: str, name: str, taken: Sequence[Taken], device: str = "") -> float:
        """Return the mean over the time between the first and the last of some samples."""
        values = self.values(kind, name, device, taken)[1:]
        clocks = [each.clock for each in taken]
        steps = [b - a for a, b in itertools.pairwise(clocks)]
        return sum(v * s for v, s in zip(values, steps, strict=True)) / sum(steps)

    def integral(self, kind: str, name: str, first: int, device: str = "") -> float:
        """Return a rate times time, from the sample number `first` on.

        The time is that of the ticks: on a busy machine the listener hears of some of them late.
        """
        taken = self.samples[max(0, first - 1) :]
        values = self.values(kind, name, device, taken)[1:]
        clocks = [each.sample.at for each in taken]
        steps = [b - a for a, b in itertools.pairwise(clocks)]
        return sum(v * s for v, s in zip(values, steps, strict=True) if not math.isnan(v))

    def device(self, kind: str) -> str:
        """Return the first device of the guest of that kind."""
        return min(
            subject.device
            for subject in self.samples[-1].sample.tables[kind].subjects
            if subject.uuid == self.uuid
        )

    def counters(self, kind: str, device: str) -> dict[str, float]:
        """Return the newest raw counters of a device."""
        reading = self.host.sampler.counters(kind)
        if reading is not None:
            for subject, row in zip(reading.subjects, reading.counters, strict=True):
                if (subject.uuid, subject.device) == (self.uuid, device):
                    return dict(zip(COUNTERS[kind], row.tolist(), strict=True))
        return {}

    def settled(self, kind: str, device: str, timeout_s: float = 30) -> dict[str, float]:
        """Return the raw counters after they have been read again twice and do not move."""
        deadline = time.monotonic() + timeout_s
        started = time.clock_gettime(time.CLOCK_BOOTTIME)
        before: dict[str, float] = {}
        while time.monotonic() < deadline:
            now = self.counters(kind, device)
            if now and now == before and self._read_at(kind, device) > started:
                # One more sample shows the rate of the quiet time.
                self.wait(self.count + 2)
                return now
            before = now
            self.wait(self.count + 1)
        raise AssertionError(f"the counters of {device} do not settle: {before}")

    def _read_at(self, kind: str, device: str) -> float:
        reading = self.host.sampler.counters(kind)
        for subject, clock in zip(reading.subjects, reading.clocks, strict=True):
            if (subject.uuid, subject.device) == (self.uuid, device):
                return float(clock)
        return 0.0
