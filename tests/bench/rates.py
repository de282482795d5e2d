"""Counters to rates for 1,000 domains, and what the history of them takes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from labvirt.history.history import History
from labvirt.status.gather import Gather
from labvirt.status.rates import Rates
from tests.bench.measure import Goal, Result, interleave, timed

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


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def records_of(tick: int) -> list[tuple[str, dict[str, int | str]]]:
    """Return the dicts of a tick, made just now, as libvirt's binding makes them."""
    return [(uuid(n), told(n, tick)) for n in range(DOMAINS)]


class Ours:
    """Dicts to a sample, tick after tick; with `info()` as the main tick has it, or without."""

    def __init__(self, kinds: tuple[str, ...], *, info: bool = False) -> None:
        self.info = info
        self.gather = Gather("h", kinds, info=info)
        self.rates = Rates("h", host_cpus=8, host_memory_bytes=2**40)
        self.clock = 0.0
        self.step()

    def step(self) -> float:
        self.clock += 1.0
        records = records_of(int(self.clock))
        number = int(self.clock)
        infos = None
        if self.info:
            infos = [[1, GIB, GIB, 1, told["cpu.time"]] for _, told in records]

        def run() -> None:
            readings = self.gather.take(records, self.clock, infos=infos)
            self.sample = self.rates.take(readings, at=self.clock, number=number, interval_s=1.0)

        return timed(run)


class Naive:
    """Two frames of dicts, and the difference of their numbers."""

    def __init__(self, *, kept: bool = False) -> None:
        self.tick = 1
        self.before = [record for _, record in records_of(1)]
        self.kept = pd.DataFrame(self.before) if kept else None

    def step(self) -> float:
        self.tick += 1
        now = [record for _, record in records_of(self.tick)]

        def run() -> None:
            old = pd.DataFrame(self.before) if self.kept is None else self.kept
            new = pd.DataFrame(now)
            numbers = new.select_dtypes("number").columns
            self.rates = (new[numbers] - old[numbers]) / 1.0
            if self.kept is not None:
                self.kept = new

        spent = timed(run)
        self.before = now
        return spent


def run(rounds: int) -> Result:
    """The charted fields of the main tick, and all that is charted, against all of pandas."""
    main, everything = (
        Ours(("domain", "interface"), info=True),
        Ours(("domain", "interface", "disk")),
    )
    naive, kept = Naive(), Naive(kept=True)
    ways = {
        "labvirt, main tick": main.step,
        "labvirt, all charted": everything.step,
        "pandas, two frames": naive.step,
        "pandas, one frame kept": kept.step,
    }
    goals = (
        Goal("labvirt, main tick", "pandas, two frames", 0.05),
        Goal("labvirt, all charted", "pandas, two frames", 0.1),
    )
    return interleave(f"counters of {DOMAINS} domains to rates", ways, goals, rounds * 5)


def history(rounds: int) -> Result:
    """One tick into a history that is full, against the same by concatenating frames."""
    ours, kept = Ours(("domain", "interface")), History(seconds=120)
    frames: list[pd.DataFrame] = []
    for _ in range(130):
        ours.step()
        kept.take(ours.sample)
        frames.append(pd.DataFrame(ours.sample.tables["domain"].values, dtype=np.float32))
    whole = pd.concat(frames[-120:])

    def take() -> float:
        ours.step()
        return timed(lambda: kept.take(ours.sample))

    def concat() -> float:
        frame = pd.DataFrame(ours.sample.tables["domain"].values, dtype=np.float32)
        return timed(lambda: pd.concat([whole.iloc[DOMAINS:], frame]))

    ways = {"labvirt, domains and interfaces": take, "pandas concat, domains only": concat}
    goals = (Goal(*ways, 0.2),)
    return interleave("one tick into the history", ways, goals, rounds * 5)


def hour() -> str:
    """Fill an hour of 1,000 domains at 1 Hz, with interfaces and disks; tell what it takes."""
    before = _resident()
    ours, kept = Ours(("domain", "interface", "disk")), History()
    began = time.perf_counter()
    for _ in range(3700):
        ours.step()
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
