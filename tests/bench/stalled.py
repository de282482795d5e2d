"""One guest of six whose QEMU is stopped by a signal: how the numbers of the others go on."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import libvirt

import labvirt as lv
from tests.bench.evidence import qemu_pid
from tests.bench.truth import Fact, Facts, one_host

if TYPE_CHECKING:
    from collections.abc import Iterator

GUESTS = 6
#: libvirt gives up a call that waits for another one's job after 30 s.
PEER_S = 45.0


@contextmanager
def stopped(domain: lv.Domain) -> Iterator[float]:
    """Stop a domain's QEMU as a hung disk would; gives the time of it (``time.time``)."""
    pid = qemu_pid(domain)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield time.time()
    finally:
        os.kill(pid, signal.SIGCONT)


def run(rounds: int) -> Facts:
    with one_host("session") as host:
        guests = [
            host.plan(
                lv.DomainSpec(
                    name=f"s{number}",
                    memory="32 MiB",
                    disks=(lv.DiskSpec(size="1 MiB"),),
                    interfaces=(),
                    agent=False,
                    rng=False,
                )
            ).apply()
            for number in range(GUESTS)
        ]
        ours = labvirt(host, guests, seconds=max(12, min(rounds, 30)))
        theirs = manager(host, guests)
    return Facts(
        f"one of {GUESTS} guests stopped",
        (
            Fact("widest gap of the others' CPU", "s", ("tick", 1.0),
                 {"cpu_percent": ours["cpu"]}, {f"virt-manager's call (let go on after {PEER_S:g} s)": theirs}, 1.0),
            Fact("widest gap of the others' disks", "s", ("tick", 1.0),
                 {"slow tier, disk counters": ours["disk"]}, {f"virt-manager's call (let go on after {PEER_S:g} s)": theirs},
                 float("nan")),
            Fact("until it is marked as stalled", "s", ("goal", 3.0),
                 {"sampler.stalled": ours["marked"]}, {}, 0.0 if ours["marked"] > 3 else 1.0),
            Fact("until it is known to be well again", "s", ("tick", 1.0),
                 {"sampler.stalled": ours["well"]}, {}, float("nan")),
        ),
    )  # fmt: skip


def labvirt(host: lv.Host, guests: list[lv.Domain], *, seconds: float) -> dict[str, float]:
    """Return the widest gaps of the others, and how long until the hung one is marked."""
    hung, *others = guests
    healthy = {each.uuid for each in others}
    cpu: dict[str, list[float]] = {uuid: [] for uuid in healthy}
    disks: dict[str, list[float]] = {uuid: [] for uuid in healthy}
    marked = threading.Event()
    at: dict[str, float] = {}

    def take(sample: lv.history.Sample) -> None:
        now = time.monotonic()
        for subject in sample.tables["domain"].subjects:
            if subject.uuid in healthy:
                cpu[subject.uuid].append(now)
        reading = host.sampler.counters("disk")
        for subject, clock in zip(reading.subjects, reading.clocks, strict=True) if reading else ():
            if subject.uuid in healthy and float(clock) not in disks[subject.uuid][-1:]:
                disks[subject.uuid].append(float(clock))
        if hung.uuid in sample.stalled and not marked.is_set():
            at["marked"] = time.time()
            marked.set()

    with host.sampler.listen(take, groups=("cpu", "memory", "network", "disk", "balloon")):
        time.sleep(7)
        cpu.update((uuid, times[-1:]) for uuid, times in cpu.items())
        disks.update((uuid, times[-1:]) for uuid, times in disks.items())
        with stopped(hung) as began:
            time.sleep(seconds)
        continued = time.time()
        while hung.uuid in host.sampler.stalled and time.time() < continued + 60:
            time.sleep(0.05)
        well = time.time() - continued
    return {
        "cpu": max(widest(times) for times in cpu.values()),
        "disk": max(widest(times) for times in disks.values()),
        "marked": at.get("marked", float("inf")) - began,
        "well": well,
    }


def widest(times: list[float]) -> float:
    """Return the widest gap between neighbours."""
    return max((b - a for a, b in itertools.pairwise(times)), default=float("inf"))


def manager(host: lv.Host, guests: list[lv.Domain]) -> float:
    """Return the widest gap of virt-manager's way: one call for everything, each second."""
    answers: list[float] = []
    over = threading.Event()
    bare = libvirt.open(host.uri)
    groups = (
        libvirt.VIR_DOMAIN_STATS_STATE
        | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
        | libvirt.VIR_DOMAIN_STATS_VCPU
        | libvirt.VIR_DOMAIN_STATS_BALLOON
        | libvirt.VIR_DOMAIN_STATS_BLOCK
        | libvirt.VIR_DOMAIN_STATS_INTERFACE
    )

    def poll() -> None:
        while not over.wait(1.0):
            try:
                bare.getAllDomainStats(groups, 0)
            except libvirt.libvirtError:
                continue
            answers.append(time.monotonic())

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        time.sleep(4)
        with stopped(guests[0]):
            time.sleep(PEER_S)
        time.sleep(3)
    finally:
        over.set()
        thread.join(60)
        bare.close()
    return widest(answers)
