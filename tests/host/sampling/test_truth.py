"""The numbers are right: beside the kernel of the host, the guest's own, and known amounts."""

from __future__ import annotations

import itertools
import math
import statistics
import time

import pytest

import labvirt as lv
from tests.bench import evidence
from tests.bench.collect import Collect
from tests.bench.truth import quiet_card

pytestmark = pytest.mark.lab
MIB = 1 << 20


@pytest.fixture(autouse=True)
def pace(request):
    host = request.getfixturevalue("host" if "web" in request.fixturenames else "alpha")
    host.sampler.interval_s = 0.5
    yield
    host.sampler.interval_s = 1.0
    assert not host.sampler.is_running


@pytest.fixture(scope="module")
def worker(lab):
    """A guest of two vCPUs with a disk and a slow one."""
    spec = lv.DomainSpec(
        name="worker",
        memory="128 MiB",
        vcpus=2,
        source=lv.TinyGuest(),
        disks=(
            lv.DiskSpec(size="8 MiB", format="raw"),
            lv.DiskSpec(size="8 MiB", format="raw", iops=20),
        ),
        interfaces=(),
    )
    domain = lab["alpha"].plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    yield domain
    domain.destroy(confirm=True)
    domain.undefine(confirm=True)


def test_cpu_is_what_the_kernel_gave_to_qemu(alpha, worker):
    pid = evidence.qemu_pid(worker)

    def truth():
        return evidence.clock() * 1e9, evidence.qemu_ns(pid), evidence.vcpu_ns(pid)

    evidence.burn(worker, 60)
    try:
        with Collect(alpha, worker, groups=("cpu", "vcpu"), beside=truth) as collect:
            collect.wait(8)
            taken = collect.samples[1:]
    finally:
        evidence.rest(worker)
    before, after = taken[0].beside, taken[-1].beside
    passed, all_ns, vcpu_ns = (b - a for a, b in zip(before, after, strict=True))
    # The kernel counts QEMU's time in steps of 10 ms, and reads are a moment apart.
    near = {"rel": 0.05, "abs": 1.0}
    cpu = collect.mean("domain", "cpu_percent", taken)
    assert cpu == pytest.approx(all_ns / passed / 2 * 100, **near)
    vcpus = [collect.mean("vcpu", "cpu_percent", taken, str(number)) for number in range(2)]
    assert sum(vcpus) == pytest.approx(vcpu_ns / passed * 100, **near)
    assert sum(vcpus) > 20, "it did work"
    host = collect.mean("domain", "cpu_host_percent", taken)
    assert host == pytest.approx(cpu * 2 / alpha.info().cpus, rel=0.001)


def test_every_byte_of_a_disk_is_counted(alpha, worker):
    # Requests of two sizes, so that a mean of them would be noticed.
    amounts = ((4096, 50), (MIB, 3))
    total, requests = sum(size * count for size, count in amounts), sum(n for _, n in amounts)
    write, read = "if=/dev/zero of=/dev/vda oflag=direct", "of=/dev/null if=/dev/vda iflag=direct"
    with Collect(alpha, worker, groups=("disk",)) as collect:
        before, began = collect.settled("disk", "vda"), collect.count
        for size, count in amounts:
            for way in (write, read):
                evidence.shell(worker, f"dd {way} bs={size} count={count} 2>/dev/null")
        after = collect.settled("disk", "vda")
        for verb in ("write", "read"):
            assert after[f"{verb}_bytes"] - before[f"{verb}_bytes"] == total
            assert after[f"{verb}_ops"] - before[f"{verb}_ops"] == requests
            # A rate is shown from tick to tick, and disks are read a moment after it: on a busy
            # machine at another moment each time. `tests.bench truth` shows how near it is.
            rated = collect.integral("disk", f"{verb}_bytes_s", began, "vda")
            assert rated == pytest.approx(total, rel=0.2)
            same = collect.integral("domain", f"disk_{verb}_bytes_s", began)
            assert same == pytest.approx(rated, rel=0.001)
    assert evidence.guest_disk(worker)[1] == after["write_bytes"]
    assert after["capacity_bytes"] == 8 * MIB


def test_latency_is_what_a_limit_makes_it(alpha, worker):
    with Collect(alpha, worker, groups=("disk",)) as collect:
        collect.settled("disk", "vdb")
        evidence.shell(
            worker, "dd if=/dev/zero of=/dev/vdb bs=4096 count=60 oflag=direct 2>/dev/null"
        )
        # The first ones go through at once: a limit lets a burst pass.
        latencies = [
            value
            for value in collect.values("disk", "write_latency_s", "vdb")
            if not math.isnan(value) and value > 0.01
        ]
        rates = [value for value in collect.values("disk", "write_ops_s", "vdb") if value > 5]
    # A busy guest takes some time between two requests, which is no latency.
    assert 0.7 / 20 <= statistics.median(latencies) <= 1.05 / 20
    assert statistics.median(rates) == pytest.approx(20, rel=0.1)


def test_memory_used_is_what_the_guest_cannot_use(alpha, worker):
    with Collect(alpha, worker, groups=("memory", "balloon")) as collect:

        def near():
            used = collect.newest("domain", "memory_used_bytes")
            return used == pytest.approx(128 * MIB - available, rel=0.05)

        available = evidence.guest_available(worker)[1]
        collect.wait_until(near, 15)
        evidence.shell(worker, "mkdir -p /t; mount -t tmpfs t /t; head -c 30000000 /dev/zero >/t/f")
        available = evidence.guest_available(worker)[1]
        assert not near()
        collect.wait_until(near, 15)
        evidence.shell(worker, "umount /t")
    assert collect.newest("domain", "memory_bytes") == 128 * MIB


@pytest.mark.slow(seconds=15)
def test_every_byte_of_a_network_is_counted(host, web):
    with Collect(host, web, groups=("network",)) as collect:
        collect.wait(2)
        first, began = quiet_card(web, collect), collect.count
        evidence.shell(web, "ping -q -c 50 -s 1000 -i 0.01 192.168.150.1")
        last = quiet_card(web, collect)
        device = collect.device("interface")
        for at, way in enumerate(("rx", "tx")):
            counted = [last["labvirt"][f"{way}_{what}"] for what in ("bytes", "packets")]
            assert counted == list(last["tap"][2 * at : 2 * at + 2])
            passed = counted[0] - first["labvirt"][f"{way}_bytes"]
            assert passed >= 50 * 1042
            assert collect.integral("interface", f"{way}_bytes_s", began, device) == pytest.approx(
                passed, rel=0.1
            )
    times = [each.sample.at for each in collect.samples]
    assert max(b - a for a, b in itertools.pairwise(times)) < 3
    assert time.time() == pytest.approx(collect.samples[-1].sample.at, abs=5)
