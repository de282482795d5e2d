"""Counters to rates for 1,000 domains, and what the history of them takes."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from labvirt.history.history import History
from labvirt.status.gather import Gather
from labvirt.status.rates import Rates
from tests.bench.measure import Goal, Result, interleave, timed

if TYPE_CHECKING:
    from collections.abc import Callable

DOMAINS = 1000
GIB = 2**20  # KiB


def told(number: int, tick: int) -> dict[str, int | str]:
    """Return what libvirt tells of one domain, with 42 figures: all groups of one small guest."""
    n = tick * 1000 + number
    return {
        "state.state": 1,
        "state.reason": 1,
        "cpu.time": n * 1_000_000,
        "cpu.user": n * 600_000,
        "cpu.system": n * 400_000,
        "balloon.current": GIB,
        "balloon.maximum": GIB,
        "balloon.swap_in": 0,
        "balloon.swap_out": 0,
        "balloon.major_fault": n,
        "balloon.minor_fault": n,
        "balloon.unused": GIB // 2,
        "balloon.available": GIB,
        "balloon.usable": GIB // 2,
        "balloon.last-update": 1_700_000_000 + tick,
        "balloon.rss": GIB // 2,
        "vcpu.current": 1,
        "vcpu.maximum": 1,
        "vcpu.0.state": 1,
        "vcpu.0.time": n * 1_000_000,
        "vcpu.0.wait": 0,
        "vcpu.0.delay": n,
        "net.count": 1,
        "net.0.name": f"vnet{number}",
        **{
            f"net.0.{way}.{what}": n
            for way in ("rx", "tx")
            for what in ("bytes", "pkts", "errs", "drop")
        },
        "block.count": 1,
        "block.0.name": "vda",
        "block.0.path": "/images/guest.qcow2",
        **{
            f"block.0.{way}.{what}": n
            for way in ("rd", "wr")
            for what in ("reqs", "bytes", "times")
        },
        "block.0.fl.reqs": n,
        "block.0.fl.times": n,
        "block.0.allocation": n,
        "block.0.capacity": 10**10,
        "block.0.physical": n,
    }


GROWING = [key for key in told(0, 0) if key[:4] in {"cpu.", "net.", "bloc"}]
GROWING = [key for key in GROWING if key[-5:] not in {"count", ".name", ".path", "acity"}]


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def records_of(tick: int) -> list[tuple[str, dict[str, int | str]]]:
    """Return the dicts of a tick, made just now, as libvirt's binding makes them."""
    return [(uuid(n), told(n, tick)) for n in range(DOMAINS)]


def undisturbed(run: Callable[[], None]) -> float:
    """Return the seconds of a call, without garbage collection (as timeit does)."""
    gc.disable()
    try:
        return timed(run)
    finally:
        gc.enable()


def quickest(prepare: Callable[[], None], run: Callable[[], None], times: int) -> float:
    """Return the seconds of the quickest of some calls, each with what was prepared for it."""
    spent = []
    for _ in range(times):
        prepare()
        spent.append(undisturbed(run))
    return min(spent)


def grow(told: dict[str, int | str]) -> None:
    """Let the counters of a domain go on."""
    for key in GROWING:
        told[key] += 1_000


class Ours:
    """Dicts to a sample, tick after tick.

    Args:
        kinds: what is gathered.
        info: with ``info()`` beside the dicts, as the main tick has it.
        fresh: every tick has dicts made just before; else the same ones, with larger counters.
    """

    def __init__(self, kinds: tuple[str, ...], *, info: bool = False, fresh: bool = False) -> None:
        self.info, self.fresh = info, fresh
        self.records = records_of(0)
        self.infos = [[1, GIB, GIB, 1, 0] for _ in self.records]
        self.gather = Gather("h", kinds, info=info)
        self.rates = Rates("h", host_cpus=8, host_memory_bytes=2**40)
        self.tick = 0
        self.run()

    def next(self) -> None:
        """Have the dicts of the next tick."""
        self.tick += 1
        if self.fresh:
            self.records = records_of(self.tick)
        for (_, told), info in zip(self.records, self.infos, strict=True):
            if not self.fresh:
                grow(told)
            info[4] += 10_000_000

    def run(self) -> None:
        readings = self.gather.take(
            self.records, self.tick, infos=self.infos if self.info else None
        )
        self.sample = self.rates.take(readings, at=self.tick, number=self.tick, interval_s=1.0)

    def step(self) -> float:
        return quickest(self.next, self.run, 1 if self.fresh else 5)


class Naive:
    """Two frames of dicts, and the difference of their numbers."""

    def __init__(self, *, columns: list[str] | None = None, fresh: bool = False) -> None:
        self.columns, self.fresh, self.tick = columns, fresh, 1
        self.two = [[each for _, each in records_of(tick)] for tick in (0, 1)]

    def run(self) -> None:
        old = pd.DataFrame(self.two[0], columns=self.columns)
        new = pd.DataFrame(self.two[1], columns=self.columns)
        numbers = new.select_dtypes("number").columns
        self.rates = (new[numbers] - old[numbers]) / 1.0

    def next(self) -> None:
        """Have the dicts of the next tick."""
        self.tick += 1
        if self.fresh:
            self.two = [self.two[1], [each for _, each in records_of(self.tick)]]
        else:
            for each in (*self.two[0], *self.two[1]):
                grow(each)

    def step(self) -> float:
        return quickest(self.next, self.run, 1 if self.fresh else 5)


CHARTED = ["state.state", "vcpu.current", "balloon.maximum", "balloon.current", "cpu.time"]
CHARTED += [
    f"net.0.{way}.{what}" for way in ("rx", "tx") for what in ("bytes", "pkts", "errs", "drop")
]


def run(rounds: int) -> Result:
    """Dicts of 42 figures each to the charted rates, against pandas with all of them.

    Beside it, for honesty: pandas with the charted columns only, and both with dicts that the
    processor has not in its cache.
    """
    ways = {
        "labvirt, main tick": Ours(("domain", "interface"), info=True).step,
        "labvirt, disks and balloon too": Ours(("domain", "interface", "disk")).step,
        "pandas, two frames": Naive().step,
        "pandas, charted columns": Naive(columns=CHARTED).step,
        "labvirt, main tick, fresh": Ours(("domain", "interface"), info=True, fresh=True).step,
        "pandas, two frames, fresh": Naive(fresh=True).step,
    }
    goals = (
        Goal("labvirt, main tick", "pandas, two frames", 0.05),
        Goal("labvirt, disks and balloon too", "pandas, two frames", 0.1),
        Goal("labvirt, main tick", "pandas, charted columns", 0.25),
        Goal("labvirt, main tick, fresh", "pandas, two frames, fresh", 0.15),
    )
    return interleave(f"counters of {DOMAINS} domains to rates", ways, goals, rounds * 3)


def history(rounds: int) -> Result:
    """One tick into a history that is full, against the same by concatenating frames."""
    ours, kept = Ours(("domain", "interface")), History(seconds=120)
    for _ in range(130):
        ours.next()
        ours.run()
        kept.take(ours.sample)
    frame = pd.DataFrame(np.ones((DOMAINS, 16), np.float32))
    whole = pd.concat([frame] * 120)

    def take() -> float:
        ours.next()
        ours.run()
        return undisturbed(lambda: kept.take(ours.sample))

    def concat() -> float:
        return undisturbed(lambda: pd.concat([whole.iloc[DOMAINS:], frame]))

    ways = {"labvirt, domains and interfaces": take, "pandas concat, domains only": concat}
    return interleave("one tick into the history", ways, (Goal(*ways, 0.5),), rounds * 5)


def hour() -> str:
    """Fill an hour of 1,000 domains at 1 Hz, with interfaces and disks; tell what it takes."""
    before = _resident()
    ours, kept = Ours(("domain", "interface", "disk")), History()
    began = time.perf_counter()
    for _ in range(3700):
        ours.next()
        ours.run()
        kept.take(ours.sample)
    spent = time.perf_counter() - began
    first, last = kept.span() or (0.0, 0.0)
    disk = kept.subjects("disk")[0]
    return (
        f"{last - first + 1:.0f} s of {DOMAINS} domains: {kept.nbytes / 1e6:.1f} MB set aside, "
        f"{(_resident() - before) / 1e6:.1f} MB more resident; devices "
        f"{len(kept.window('disk', disk, ['read_bytes_s']).times)} s; {spent:.1f} s to fill"
    )


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


if __name__ == "__main__":
    print(hour())
