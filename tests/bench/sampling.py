"""What it costs to read the numbers of a host: labvirt's tiers, virt-manager, virsh, an exporter.

``python -m tests.bench.sampling [rounds] [guests ...]`` does it for other numbers of guests; 1000
are simulated. Wall time and CPU time of everybody who works: client, daemon, hypervisors.
"""

from __future__ import annotations

import contextlib
import functools
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import libvirt
from rich.console import Console
from rich.table import Table

import labvirt as lv
from labvirt.connection import sampling
from labvirt.connection.stats_link import Line, StatsLink
from labvirt.history.history import History
from labvirt.host.sampling.asking import SLICE, Asker
from labvirt.host.sampling.machine import UNKNOWN
from labvirt.host.sampling.readings import Maker
from labvirt.host.sampling.rota import TURN_S, Rota, slices
from labvirt.status.rates import Rates
from tests.bench.measure import Goal, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GUESTS = 50
MAIN, SLOW = "labvirt main tick", "labvirt disks and balloons, of one second"
MANAGER, BARE = "virt-manager's tick", "bare getAllDomainStats"
VIRSH, EXPORTER = "virsh domstats", "prometheus-libvirt-exporter"
GOALS = (Goal(MAIN, MANAGER, 0.1), Goal(SLOW, MANAGER, 0.25))


@dataclass
class Spent:
    """Seconds of every round: on the wall, of this process, of the daemon, of all hypervisors."""

    wall: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    daemon: list[float] = field(default_factory=list)
    guests: list[float] = field(default_factory=list)

    @property
    def total(self) -> list[float]:
        rows = zip(self.client, self.daemon, self.guests, strict=True)
        return [sum(row) for row in rows]


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, of all its threads, to the nanosecond."""
    spent = 0
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1e9


def own_cpu_s() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


# -- the ways --------------------------------------------------------------------------------------


class Ours:
    """The parts of a sampler, driven by hand, one tick at a time."""

    def __init__(self, host: lv.Host) -> None:
        self.line = Line(host.connection, "bench")
        self.asker = Asker(host.connection, "bench slow", lambda *_: None)
        self.rota = Rota(5.0)
        self.maker = Maker(host.name, 2)
        self.rates = Rates(host.name, host_cpus=2, host_memory_bytes=1 << 34)
        self.history = History()
        self.names: dict[str, str] = {}
        self.number = 0
        self.slow: list[sampling.Slow] = []
        self.now = 0.0

    def main(self) -> None:
        fast = self.line.run("read", sampling.read_fast, 30.0)
        self.names = fast.names
        readings = self.maker.fast(fast, network=True, vcpu=False, machine=UNKNOWN)
        for slow in self.slow:
            readings += self.maker.slow(slow, fast.names)
        self.slow = []
        self.number += 1
        sample = self.rates.take(
            readings, at=time.time(), number=self.number, interval_s=1.0, names=fast.names
        )
        self.history.take(sample)

    def second(self) -> None:
        """Two turns of the slow tier, without the rest between them."""
        for _ in range(round(1.0 / TURN_S)):
            self.now += TURN_S
            for few in slices(self.rota.pick(self.now, self.names.keys(), set()), SLICE):
                slow = self.asker.read(few, {"disk", "balloon"})
                assert slow is not None
                self.slow.append(slow)

    def close(self) -> None:
        self.line.close()
        self.asker.close()


_MANAGER = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_BLOCK
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
)


def virt_manager(raw: libvirt.virConnect) -> dict[str, tuple[int, ...]]:
    """Do what virt-manager does each second: list, six groups of all, keys by regex."""
    raw.listAllDomains()
    told = {domain.UUIDString(): stats for domain, stats in raw.getAllDomainStats(_MANAGER, 0)}
    made = {}
    for name, stats in told.items():
        rx = tx = rd = wr = 0
        for key, value in stats.items():
            if re.match(r"net.[0-9]+.rx.bytes", key):
                rx += value
            if re.match(r"net.[0-9]+.tx.bytes", key):
                tx += value
        for key, value in stats.items():
            if re.match(r"block.[0-9]+.rd.bytes", key):
                rd += value
            if re.match(r"block.[0-9]+.wr.bytes", key):
                wr += value
        cpu, cpus = stats.get("cpu.time", 0), stats.get("vcpu.current", 1)
        made[name] = (cpu, cpus, stats.get("balloon.current", 0), rx, tx, rd, wr)
    return made


@contextlib.contextmanager
def exporter(uri: str) -> Iterator[tuple[Callable[[], None], int] | None]:
    """Run Debian's exporter; give a scrape of it and its pid, None when it is not installed."""
    program = shutil.which("prometheus-libvirt-exporter")
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [program, f"--libvirt.uri={uri}", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def scrape() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            assert b"libvirt_domain_info" in answer.read()

    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                scrape()
                break
            time.sleep(0.1)
        yield scrape, process.pid
    finally:
        process.kill()
        process.wait()


# -- real guests -----------------------------------------------------------------------------------


def start(host: lv.Host, count: int, folder: Path) -> list[int]:
    """Start paused guests of 64 MiB with a disk each; return the pids of their processes."""

    def one(number: int) -> None:
        path = folder / f"s{number}.img"
        path.write_bytes(b"\0" * 4096)
        path.chmod(0o666)
        spec = lv.DomainSpec(
            name=f"s{number}",
            memory="64 MiB",
            virt="qemu",
            disks=(lv.DiskSpec(source=lv.model.FileSource(path=str(path), format="raw")),),
            interfaces=(),
            agent=False,
            rng=False,
            graphics=lv.GraphicsSpec(kind="vnc", listen="none"),
        )
        raw = libvirt.open(host.uri)
        raw.createXML(spec.filled().to_xml(), libvirt.VIR_DOMAIN_START_PAUSED)
        raw.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(count)))
    run = Path(host.connection.uri.param("socket") or "").parent / "qemu/run"
    return [int((run / f"s{number}.pid").read_text()) for number in range(count)]


@functools.cache
def measured(rounds: int, count: int) -> dict[str, Spent]:
    """Measure all ways in turn with `count` real guests."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        host = lab["alpha"]
        pids = start(host, count, Path(host.pools["default"].info().path))
        daemon = lab.status().hosts[0].daemon_pid
        assert daemon is not None
        raw = libvirt.open(host.uri)
        ours = Ours(host)
        groups = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_INTERFACE
        virsh = ["virsh", "-q", "-c", host.uri, "domstats"]
        with exporter(host.uri) as found:
            scrape, extra = found or (None, 0)
            ways: dict[str, Callable[[], object]] = {
                MAIN: ours.main,
                SLOW: ours.second,
                BARE: lambda: raw.getAllDomainStats(groups),
                MANAGER: lambda: virt_manager(raw),
                VIRSH: lambda: subprocess.run(virsh, check=True, stdout=subprocess.DEVNULL),
            }
            if scrape is not None:
                ways[EXPORTER] = scrape
            spent = {way: Spent() for way in ways}

            def others() -> tuple[float, float, float]:
                return cpu_s(extra) if extra else 0.0, cpu_s(daemon), sum(map(cpu_s, pids))

            def measure(do: Callable[[], object], into: Spent) -> None:
                # Looking costs CPU time too: ours is read last before, and first after.
                before = others()
                own, began = own_cpu_s(), time.perf_counter()
                do()
                wall = time.perf_counter() - began
                own = own_cpu_s() - own
                time.sleep(0.02)  # the daemon tidies up after the answer
                extra_s, daemon_s, guests_s = (b - a for a, b in zip(before, others(), strict=True))
                into.wall.append(wall)
                into.client.append(own + extra_s)
                into.daemon.append(daemon_s)
                into.guests.append(guests_s)

            for number in range(rounds + 1):
                for way, do in ways.items():
                    measure(do, spent[way] if number else Spent())
        ours.close()
        raw.close()
    return spent


def wall(rounds: int) -> Result:
    """Wall time with 50 guests."""
    spent = measured(rounds, GUESTS)
    title = f"sampling {GUESTS} guests, wall"
    return Result(title, {way: each.wall for way, each in spent.items()}, GOALS[:1])


def cpu(rounds: int) -> Result:
    """CPU time of client, daemon and hypervisors together with 50 guests."""
    spent = measured(rounds, GUESTS)
    title = f"sampling {GUESTS} guests, CPU of all"
    return Result(title, {way: each.total for way, each in spent.items()}, GOALS)


# -- a thousand simulated ones ---------------------------------------------------------------------


class FakeDomain:
    """A domain of a daemon that costs nothing."""

    def __init__(self, number: int) -> None:
        self._uuid = str(uuid.UUID(int=number + 1))
        self._name = f"f{number}"

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's name
        return self._uuid

    def name(self) -> str:
        return self._name

    def info(self) -> list[int]:
        return [1, 1 << 20, 1 << 20, 1, time.monotonic_ns()]


class FakeRaw:
    """A ``libvirt.virConnect`` with many domains of one disk and one interface."""

    def __init__(self, count: int) -> None:
        self._domains = [FakeDomain(number) for number in range(count)]
        net = {
            f"net.0.{way}.{what}": 7
            for way in ("rx", "tx")
            for what in ("bytes", "pkts", "errs", "drop")
        }
        net |= {"net.count": 1, "net.0.name": "t0"}
        block = {
            f"block.0.{way}.{what}": 7
            for way in ("rd", "wr", "fl")
            for what in ("bytes", "reqs", "times")
        }
        self._few = {"state.state": 1, "state.reason": 1, **net}
        self._many = {
            **self._few, **block, "block.count": 1, "block.0.name": "vda", "cpu.time": 7,
            "cpu.user": 7, "cpu.system": 7, "vcpu.current": 1, "vcpu.maximum": 1,
            "vcpu.0.state": 1, "vcpu.0.time": 7, "balloon.current": 7, "balloon.maximum": 7,
        }  # fmt: skip

    def listAllDomains(self, flags: int = 0) -> list[FakeDomain]:  # noqa: N802
        return list(self._domains)

    def getAllDomainStats(self, groups: int, flags: int = 0) -> list[tuple[FakeDomain, dict]]:  # noqa: N802
        stats = self._many if groups == _MANAGER else self._few
        return [(domain, dict(stats)) for domain in self._domains]


def simulated(rounds: int, count: int = 1000) -> Result:
    """CPU of the client alone, with a daemon that costs nothing."""
    raw = FakeRaw(count)
    link = StatsLink(raw, "fake:///", None)
    maker = Maker("fake", 2)
    rates = Rates("fake", host_cpus=2, host_memory_bytes=1 << 34)
    history = History()
    numbers = iter(range(1, 1 << 30))

    def ours() -> float:
        began = time.process_time()
        fast = sampling.read_fast(link)
        readings = maker.fast(fast, network=True, vcpu=False, machine=UNKNOWN)
        number = next(numbers)
        sample = rates.take(
            readings, at=1e9 + number, number=number, interval_s=1.0, names=fast.names
        )
        history.take(sample)
        return time.process_time() - began

    def theirs() -> float:
        began = time.process_time()
        virt_manager(raw)
        return time.process_time() - began

    seconds: dict[str, list[float]] = {MAIN: [], MANAGER: []}
    for number in range(rounds + 1):
        for way, run in ((MAIN, ours), (MANAGER, theirs)):
            spent = run()
            if number:
                seconds[way].append(spent)
    goals = (Goal(MAIN, MANAGER, 1.0),)
    return Result(f"sampling {count} simulated guests, CPU of the client", seconds, goals)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    table = Table(title=f"ms a tick, medians of {rounds} interleaved rounds")
    headings = (
        "Guests",
        "Way",
        "Wall",
        "Min",
        "Client CPU",
        "Daemon",
        "QEMU",
        "All CPU",
        "Of virt-manager",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "Way" else "right")
    for count in [int(word) for word in sys.argv[2:]] or [GUESTS]:
        spent = measured(rounds, count)
        peer = spent[MANAGER]
        for way, each in spent.items():
            wall = statistics.median(a / b for a, b in zip(each.wall, peer.wall, strict=True))
            cpu = statistics.median(a / b for a, b in zip(each.total, peer.total, strict=True))
            cells = [statistics.median(each.wall), min(each.wall)]
            cells += [
                statistics.median(s) for s in (each.client, each.daemon, each.guests, each.total)
            ]
            row = [f"{seconds * 1000:.2f}" for seconds in cells]
            table.add_row(str(count), way, *row, f"{wall:.3f} wall, {cpu:.3f} CPU")
    Console(width=150).print(table)
    result = simulated(rounds)
    for way in result.seconds:
        print(f"{result.title}: {way}: {result.median(way) * 1000:.2f} ms")


if __name__ == "__main__":
    main()
