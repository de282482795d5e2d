"""labvirt's statistics beside what others say of the same seconds and bytes: values, not times.

A real guest works by a known measure. The kernel of the host counts what QEMU's threads really ran
(to the nanosecond), what passed a tap device and what QEMU read and wrote; the guest's own kernel
counts as well. Beside them: ``virsh domstats``, virt-manager's computation from libvirt's calls, and
labvirt's samples. virt-top is not packaged for Debian 12; virt-manager's formula is the same as its.
"""

from __future__ import annotations

import math
import shutil
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import libvirt

import labvirt as lv
from labvirt.errors import LabError
from tests.bench import evidence
from tests.bench.collect import Collect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.table import Table

MIB = 1 << 20
LIMIT = 0.05


@dataclass(frozen=True)
class Fact:
    """One thing measured by several.

    Attributes:
        case: what was done.
        unit: of the values.
        truth: who is right, and what it says.
        ours: what labvirt says.
        others: what others say, by their name.
        limit: how far labvirt may be off, relative; 0 is exact, NaN is for show.
    """

    case: str
    unit: str
    truth: tuple[str, float]
    ours: Mapping[str, float]
    others: Mapping[str, float] = field(default_factory=dict)
    limit: float = LIMIT

    def off(self, value: float) -> float:
        """Return how far a value is from the truth, relative."""
        return (value - self.truth[1]) / self.truth[1] if self.truth[1] else math.nan

    @property
    def is_met(self) -> bool:
        return all(abs(self.off(value)) <= self.limit for value in self.ours.values())


@dataclass(frozen=True)
class Facts:
    """A table of facts, as `tests.bench.__main__` prints it."""

    title: str
    facts: tuple[Fact, ...]

    @property
    def missed(self) -> int:
        return sum(not (fact.is_met or math.isnan(fact.limit)) for fact in self.facts)

    def add_to(self, table: Table) -> None:
        """Add one row for each value."""
        for fact in self.facts:
            who, truth = fact.truth
            table.add_row(fact.case, who, _said(truth, fact.unit), "", "truth")
            for name, value in fact.ours.items():
                mark = "met" if abs(fact.off(value)) <= fact.limit else "MISSED"
                goal = "exact" if fact.limit == 0 else f"<= {fact.limit:.0%}"
                mark = "" if math.isnan(fact.limit) else f"{goal} {mark}"
                table.add_row(
                    "", f"labvirt {name}", _said(value, fact.unit), f"{fact.off(value):+.2%}", mark
                )
            for name, value in fact.others.items():
                table.add_row("", name, _said(value, fact.unit), f"{fact.off(value):+.2%}", "")


def _said(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if unit == "B" else f"{value:.4g} {unit}"


@contextmanager
def one_host(backend: str) -> Iterator[lv.Host]:
    """A lab of one host."""
    name = f"bench-{uuid.uuid4().hex[:6]}"
    with lv.Lab.start(name, hosts=1, backend=backend, ephemeral=True) as lab:
        yield lab["alpha"]
        if backend == "system":
            lab.stop()


def make_guest(host: lv.Host, name: str, **options: object) -> lv.Domain:
    """Return a tiny guest whose agent answers, and that has done with booting."""
    spec = lv.DomainSpec(name=name, memory="128 MiB", source=lv.TinyGuest(), **options)
    domain = host.plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    return domain


def cpu(rounds: int) -> Facts:
    """A guest of 1 and of 2 vCPUs that works 30, 60 and 100 % of the time."""
    seconds = max(3, min(rounds, 20))
    facts = []
    with one_host("session") as host:
        for vcpus in (1, 2):
            guest = make_guest(host, f"g{vcpus}", vcpus=vcpus, interfaces=())
            time.sleep(2)
            for percent in (30, 60, 100):
                facts += burned(host, guest, vcpus, percent, seconds)
            guest.destroy(confirm=True)
    return Facts("CPU against truth", tuple(facts))


def burned(host: lv.Host, guest: lv.Domain, vcpus: int, percent: int, seconds: int) -> list[Fact]:
    """Keep one vCPU busy for `percent` of the time and compare what everybody says of it."""
    pid = evidence.qemu_pid(guest)

    def truth() -> tuple[float, ...]:
        return (
            evidence.clock() * 1e9,
            evidence.qemu_ns(pid),
            evidence.vcpu_ns(pid),
            evidence.qemu_stat_ns(pid),
            evidence.waited_ns(pid),
        )

    evidence.burn(guest, percent)
    with ExitStack() as stack:
        bare = libvirt.open(host.uri)
        stack.callback(bare.close)
        stack.callback(evidence.rest, guest)
        time.sleep(0.5)
        collect = stack.enter_context(
            Collect(host, guest, groups=("cpu", "vcpu", "steal"), beside=truth)
        )
        collect.wait(2)
        managers = [_managers_view(bare, guest)]
        virsh = [_virsh_view(host, guest)] if shutil.which("virsh") else []
        inside = [(time.monotonic(), evidence.guest_busy_s(guest))]
        began = collect.count
        collect.wait(began + seconds)
        managers.append(_managers_view(bare, guest))
        virsh += [_virsh_view(host, guest)] if shutil.which("virsh") else []
        inside.append((time.monotonic(), evidence.guest_busy_s(guest)))
        samples = collect.samples[began - 1 : began + seconds]
    before, after = samples[0].beside, samples[-1].beside
    passed, ran, vcpu_ran, stat_ran, waited = (b - a for a, b in zip(before, after, strict=True))
    rated = collect.mean("domain", "cpu_percent", samples)
    parts = [
        collect.mean("vcpu", "cpu_percent", samples, device=str(number)) for number in range(vcpus)
    ]
    others = {
        "QEMU's vCPU threads alone": vcpu_ran / passed / vcpus * 100,
        "/proc/PID/stat (10 ms steps)": stat_ran / passed / vcpus * 100,
        "the guest's own /proc/stat": _slope(inside) / vcpus * 100,
        "asked for": percent / vcpus,
        "virt-manager's formula": _slope(managers) / vcpus * 100,
    }
    if virsh:
        others["virsh domstats --cpu-total"] = _slope(virsh) / vcpus * 100
    case = f"{vcpus} vCPU{'s' * (vcpus > 1)}, one busy {percent} %, {seconds} s"
    return [
        Fact(case, "%", ("all threads of QEMU (schedstat)", ran / passed / vcpus * 100),
             {"cpu_percent": rated}, others),
        Fact(case, "%", ("vCPU threads of QEMU (schedstat)", vcpu_ran / passed / vcpus * 100),
             {"mean of its vCPUs": sum(parts) / vcpus}),
        Fact(case, "%", ("vCPU threads waited (schedstat)", waited / passed / vcpus * 100),
             {"cpu_steal_percent": collect.mean("domain", "cpu_steal_percent", samples)},
             {}, math.nan),
    ]  # fmt: skip


def _slope(points: list[tuple[float, float]]) -> float:
    (began, first), (ended, last) = points[0], points[-1]
    return (last - first) / (ended - began)


def _managers_view(bare: libvirt.virConnect, guest: lv.Domain) -> tuple[float, float]:
    """Return time and CPU seconds as virt-manager's statistics manager takes them."""
    groups = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    now = time.time()
    for domain, told in bare.getAllDomainStats(groups, 0):
        if domain.UUIDString() == guest.uuid:
            return now, told["cpu.time"] / 1e9
    raise AssertionError("not found")


def _virsh_view(host: lv.Host, guest: lv.Domain) -> tuple[float, float]:
    began = time.monotonic()
    told = evidence.domstats(host.uri, guest.name, "cpu-total")
    return (began + time.monotonic()) / 2, told["cpu.time"] / 1e9


#: Size of a request and how many of them.
REQUESTS = ((4096, 200), (64 * 1024, 64), (MIB, 16))


def disk(_rounds: int) -> Facts:
    """Known numbers of bytes, written and read back past the guest's cache."""
    facts: list[Fact] = []
    with one_host("session") as host:
        options = {"disks": (lv.DiskSpec(size="32 MiB", format="raw"),), "interfaces": ()}
        guest = make_guest(host, "disk", **options)
        for size, count in REQUESTS:
            facts += moved(host, guest, size, count)
    return Facts("Disk against truth", tuple(facts))


def moved(host: lv.Host, guest: lv.Domain, size: int, count: int) -> list[Fact]:
    """Write and read `count` requests of `size` bytes; compare bytes and requests."""
    pid = evidence.qemu_pid(guest)
    lines = {
        "write": f"dd if=/dev/zero of=/dev/vda bs={size} count={count} oflag=direct 2>/dev/null",
        "read": f"dd of=/dev/null if=/dev/vda bs={size} count={count} iflag=direct 2>/dev/null",
    }
    facts = []
    with Collect(host, guest, groups=("disk",)) as collect:
        for verb, line in lines.items():
            at = 0 if verb == "read" else 1
            collect.settled("disk", "vda")
            began, inside = len(collect.samples), evidence.guest_disk(guest)[at]
            raw, io = collect.counters("disk", "vda"), evidence.qemu_io(pid)[at]
            evidence.shell(guest, line)
            now = collect.settled("disk", "vda")
            inside = evidence.guest_disk(guest)[at] - inside
            io = evidence.qemu_io(pid)[at] - io
            prefix = f"block.0.{verb[0:1]}{'r' if verb == 'write' else 'd'}"
            others = {"the guest's /sys/block": inside, "/proc/PID/io, everything": io}
            told = evidence.domstats(host.uri, guest.name, "block") if shutil.which("virsh") else {}
            if told:
                others["virsh domstats, in all"] = told[f"{prefix}.bytes"]
                others["labvirt counter, in all"] = now[f"{verb}_bytes"]
            volume = float(size * count)
            case = f"{count} x {size} B {verb}"
            facts += [
                Fact(case, "B", ("dd", volume),
                     {f"counter {verb}_bytes": now[f"{verb}_bytes"] - raw[f"{verb}_bytes"]},
                     others, 0.0),
                Fact(case, "B", ("dd", volume),
                     {"rate times time": collect.integral("disk", f"{verb}_bytes_s", began, "vda"),
                      "same of the domain":
                          collect.integral("domain", f"disk_{verb}_bytes_s", began)}),
                Fact(case, "requests", ("dd", float(count)),
                     {f"counter {verb}_ops": now[f"{verb}_ops"] - raw[f"{verb}_ops"]}, {}, 0.0),
            ]  # fmt: skip
    return facts


def network(_rounds: int) -> Facts:
    """Echoes of a known length, to the bridge of a network and back."""
    try:
        with one_host("system") as host:
            guest = make_guest(host, "net", interfaces=("network:default",))
            guest.wait_for("network", timeout_s=60)
            time.sleep(2)
            return Facts("Network against truth", tuple(_echoes(host, guest)))
    except LabError as error:
        print(f"no network: {error.what.splitlines()[0]}")
        return Facts("Network against truth", ())


def _echoes(host: lv.Host, guest: lv.Domain, size: int = 1400, count: int = 300) -> list[Fact]:
    with Collect(host, guest, groups=("network",)) as collect:
        collect.wait(2)
        first = quiet_card(guest, collect)
        began = collect.count
        evidence.shell(guest, f"ping -q -c {count} -s {size} -i 0.01 192.168.122.1")
        last = quiet_card(guest, collect)
        told = evidence.domstats(host.uri, guest.name, "interface") if shutil.which("virsh") else {}
        facts = []
        for at, way in enumerate(("rx", "tx")):
            outside, inside = (last[who][2 * at] - first[who][2 * at] for who in ("tap", "card"))
            packets = last["tap"][2 * at + 1] - first["tap"][2 * at + 1]
            ours = {
                name: last["labvirt"][f"{way}_{name}"] - first["labvirt"][f"{way}_{name}"]
                for name in ("bytes", "packets")
            }
            others = {
                "the guest's card": inside,
                "payload and headers (42 B)": count * (size + 42),
            }
            if told:
                others["virsh domstats, in all"] = told[f"net.0.{way}.bytes"]
                others["labvirt counter, in all"] = last["labvirt"][f"{way}_bytes"]
            rated = collect.integral(
                "interface", f"{way}_bytes_s", began, collect.device("interface")
            )
            case, truth = f"{count} echoes of {size} B, {way}", "the tap device (/proc/net/dev)"
            facts += [
                Fact(case, "B", (truth, float(outside)),
                     {f"counter {way}_bytes": ours["bytes"]}, others, 0.0),
                Fact(case, "B", (truth, float(outside)),
                     {"rate times time": rated,
                      "same of the domain":
                          collect.integral("domain", f"net_{way}_bytes_s", began)}),
                Fact(case, "packets", (truth, float(packets)),
                     {f"counter {way}_packets": ours["packets"]}, {}, 0.0),
            ]  # fmt: skip
    return facts


def quiet_card(guest: lv.Domain, collect: Collect, timeout_s: float = 60) -> dict[str, Any]:
    """Return what tap, guest and labvirt have counted, at a moment when nothing passes."""
    pid = evidence.qemu_pid(guest)
    tap = collect.device("interface")
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        before = evidence.taps(pid)[tap], evidence.guest_card(guest)
        ours = collect.settled("interface", tap)
        if before == (evidence.taps(pid)[tap], evidence.guest_card(guest)):
            return {"tap": before[0], "card": before[1], "labvirt": ours}
    raise AssertionError(f"{tap} is never quiet")


def memory(_rounds: int) -> Facts:
    """Memory used by the balloon's word, against the guest's own."""
    facts = []
    with one_host("session") as host:
        guest = make_guest(host, "mem", interfaces=())
        for case, line in (
            ("idle", "true"),
            ("40 MiB in a RAM disk",
             "mkdir -p /t; mount -t tmpfs t /t; dd if=/dev/zero of=/t/f bs=1M count=40 2>/dev/null"),
        ):  # fmt: skip
            evidence.shell(guest, line)
            facts.append(remembered(host, guest, case))
    return Facts("Memory against truth", tuple(facts))


def remembered(host: lv.Host, guest: lv.Domain, case: str) -> Fact:
    """Compare memory used with what the guest's own kernel says."""
    with Collect(host, guest, groups=("memory", "balloon")) as collect:
        collect.wait_until(
            lambda: not math.isnan(collect.newest("domain", "memory_used_bytes")), 20
        )
        # Two rounds of the balloon later: what it tells has been asked for after our change.
        collect.wait(collect.count + 5)
        used = collect.newest("domain", "memory_used_bytes")
        total, available = evidence.guest_available(guest)
        told = evidence.domstats(host.uri, guest.name, "balloon") if shutil.which("virsh") else {}
    configured = 128 * MIB
    others = {"the guest's MemTotal - MemAvailable": float(total - available)}
    if told:
        others["virsh domstats, current - usable"] = (
            told["balloon.current"] - told["balloon.usable"]
        ) * 1024
        others["virt-manager's (current - unused)"] = (
            told["balloon.current"] - told["balloon.unused"]
        ) * 1024
    return Fact(
        f"memory used, {case}",
        "B",
        ("128 MiB less the guest's MemAvailable", float(configured - available)),
        {"memory_used_bytes": used},
        others,
    )


def latency(_rounds: int) -> Facts:
    """A disk of 20 requests a second: each takes 50 ms when one waits for the other."""
    with one_host("session") as host:
        slow = lv.DiskSpec(size="8 MiB", format="raw", iops=20)
        guest = make_guest(host, "slow", disks=(slow,), interfaces=())
        return Facts("Latency against truth", tuple(delayed(host, guest, 100)))


def delayed(host: lv.Host, guest: lv.Domain, count: int) -> list[Fact]:
    """Write one request after another to a disk with a known limit."""
    with Collect(host, guest, groups=("disk",)) as collect:
        collect.settled("disk", "vda")
        began = time.monotonic()
        evidence.shell(
            guest, f"dd if=/dev/zero of=/dev/vda bs=4096 count={count} oflag=direct 2>/dev/null"
        )
        spent = (time.monotonic() - began) / count
        # The middle of it: a limit lets a burst through at first.
        values = [
            value
            for value in collect.values("disk", "write_latency_s", "vda")
            if not math.isnan(value)
        ]
        rates = collect.values("disk", "write_ops_s", "vda")
    middle = sorted(values)[len(values) // 2]
    rate = sorted(rate for rate in rates if rate > 1)
    return [
        Fact(f"{count} writes, 20 allowed a second", "s", ("1 / limit", 1 / 20),
             {"write_latency_s": middle}, {"time of dd for each": spent}, 0.05),
        Fact(f"{count} writes, 20 allowed a second", "1/s", ("the limit", 20.0),
             {"write_ops_s": rate[len(rate) // 2]}, {}, 0.05),
    ]  # fmt: skip
