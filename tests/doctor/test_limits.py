"""Memory, swap, CPUs, space: each check where it is well and where it is not (guide 17.4)."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model.capacity import ratio_by_guests, swap_today, swap_wanted

GIB = 1 << 30


def meminfo(*, swap="0", free=None, available="20000000", **more):
    lines = {
        "MemTotal": "25165824 kB",
        "MemAvailable": f"{available} kB",
        "SwapTotal": f"{swap} kB",
        "SwapFree": f"{swap if free is None else free} kB",
    } | more
    return {"/proc/meminfo": "".join(f"{name}: {value}\n" for name, value in lines.items())}


def verdicts(found):
    return {one.about: one.verdict for one in found}


def test_the_guides_formulae():
    assert int(swap_wanted(32 * GIB, 0.5)) == 32 * GIB
    assert int(swap_wanted(32 * GIB, 0)) == 16 * GIB
    with pytest.raises(SpecError, match="negative"):
        swap_wanted(32 * GIB, -0.1)
    assert ratio_by_guests(3) == (0.3, 30.0)
    with pytest.raises(SpecError, match="negative"):
        ratio_by_guests(-1)
    assert [int(swap_today(one * GIB)) // GIB for one in (1, 2, 4, 8, 24, 256)] == [
        2,
        4,
        4,
        8,
        4,
        4,
    ]
    with pytest.raises(SpecError, match="negative"):
        swap_today(-1)


def test_memory_that_is_there(ask, machine, stand_in):
    host = stand_in.host(domains=[stand_in.domain("a", memory="16 GiB")])
    (seen,) = ask("host.memory", machine(meminfo()), host=host)
    assert seen.verdict == "ok"
    assert "1 running may take 16 GiB of 24 GiB" in seen.evidence


def test_three_guests_of_16_gib_on_24_gib_are_an_alarm(ask, machine, stand_in):
    guests = [stand_in.domain(name, memory="16 GiB") for name in "abc"]
    host = stand_in.host(domains=guests)
    (seen,) = ask("host.memory", machine(meminfo(swap="4194304")), host=host)
    assert seen.verdict == "fail"
    assert "48 GiB of 24 GiB, swap 4 GiB" in seen.evidence
    assert "100%" in seen.cause
    assert "OOM killer" in seen.cause
    # With enough swap it is slow, but nobody is killed.
    (seen,) = ask("host.memory", machine(meminfo(swap=str(24 << 20))), host=host)
    assert seen.verdict == "warning"
    assert "slow" in seen.cause


def test_memory_that_a_balloon_holds_back_is_only_promised(ask, machine, stand_in):
    guests = [stand_in.domain(name, memory="2 GiB", maximum="16 GiB") for name in "ab"]
    (seen,) = ask("host.memory", machine(meminfo()), host=stand_in.host(domains=guests))
    assert seen.verdict == "warning"
    assert "balloons now 4 GiB" in seen.evidence


def test_guests_that_start_with_the_host_count_too(ask, machine, stand_in):
    guests = [stand_in.domain(n, memory="16 GiB", on=False, autostart=True) for n in "ab"]
    found = ask("host.memory", machine(meminfo()), host=stand_in.host(domains=guests))
    assert verdicts(found) == {"": "ok", "autostart": "warning"}
    off = [stand_in.domain(n, memory="16 GiB", on=False) for n in "ab"]
    found = ask("host.memory", machine(meminfo()), host=stand_in.host(domains=off))
    assert verdicts(found) == {"": "ok"}


def test_a_host_that_is_short_of_memory_now(ask, machine):
    found = ask("host.memory", machine(meminfo(available="200000")))
    assert verdicts(found) == {"": "ok", "available": "warning"}


def test_what_mends_overcommitted_memory(ask, machine, stand_in):
    guests = [stand_in.domain("small", memory="1 GiB"), stand_in.domain("big", memory="30 GiB")]
    host = stand_in.host(domains=guests)
    (seen,) = ask("host.memory", machine(meminfo()), host=host)
    assert seen.verdict == "fail"
    assert "virsh setmem big" in seen.remedy
    assert seen.fix is not None


@pytest.mark.parametrize(
    ("guests", "swap", "verdict", "words"),
    [
        ((), "0", "ok", "0.5 x 24 GiB + 0.00 x 24 GiB = 12 GiB"),
        (("16 GiB",), "0", "ok", "no fault while nothing is overcommitted"),
        (("36 GiB",), "0", "warning", "0.5 x 24 GiB + 0.50 x 24 GiB = 24 GiB"),
        (("18 GiB", "18 GiB"), "0", "warning", "0.20 in per cent (20 as a factor"),
        (("36 GiB",), str(24 << 20), "ok", "swap 24 GiB"),
    ],
)
def test_swap_by_the_guides_formula(ask, machine, stand_in, guests, swap, verdict, words):
    domains = [stand_in.domain(f"d{n}", memory=size) for n, size in enumerate(guests)]
    (seen,) = ask("host.swap", machine(meminfo(swap=swap)), host=stand_in.host(domains=domains))
    assert seen.verdict == verdict
    assert words in seen.evidence
    if verdict == "warning":
        # Half of what there is must be able to go, and 4 GiB beside: today's, the smaller figure.
        assert "fallocate -l 16384M /swapfile" in seen.remedy


def test_swap_that_is_nearly_full(ask, machine):
    (seen,) = ask("host.swap", machine(meminfo(swap="8388608", free="1000")))
    assert seen.verdict == "warning"
    assert ask("host.swap", machine())[0].verdict == "unknown"


def test_cpus_five_light_ones_a_core_and_none_wider_than_the_host(ask, machine, stand_in):
    def of(*vcpus, **host):
        domains = [stand_in.domain(f"d{n}", vcpus=count) for n, count in enumerate(vcpus)]
        return ask("host.cpus", machine(), host=stand_in.host(domains=domains, **host))

    assert verdicts(of(1, 2)) == {"": "ok"}
    assert verdicts(of(*[1] * 10)) == {"": "ok"}
    assert verdicts(of(*[1] * 11)) == {"": "warning"}
    found = of(4)
    assert verdicts(found) == {"": "ok", "d0": "warning"}
    assert "4 virtual CPUs, 2 cores" in found[1].evidence
    assert found[1].fix is not None
    assert verdicts(of(4, cpus=4)) == {"": "ok"}
    assert "4 threads" in of(4, cpus=4, threads=2)[1].evidence
    (seen,) = of(1, 1, 1, uri="xen:///system")
    assert "Xen" in seen.cause


def test_huge_pages(ask, machine, stand_in):
    none = {"HugePages_Total": "0", "HugePages_Free": "0", "Hugepagesize": "2048 kB"}
    some = none | {"HugePages_Total": "1024", "HugePages_Free": "1024"}
    backed = "<memoryBacking><hugepages/></memoryBacking>"
    asking = stand_in.host(domains=[stand_in.domain("huge", on=False, inside=backed)])
    greedy = [stand_in.domain("huge", memory="4 GiB", on=False, inside=backed)]

    def of(pages, host=None):
        return ask("host.hugepages", machine(meminfo(**pages)), host=host)[0]

    assert of(none).verdict == "ok"
    assert of(none, asking).verdict == "fail"
    assert "vm.nr_hugepages=512" in of(none, asking).remedy
    assert of(some, asking).verdict == "ok"
    assert "vm.nr_hugepages=2048" in of(some, stand_in.host(domains=greedy)).remedy
    assert of(some).verdict == "warning"
    assert of({}).verdict == "n/a"


def test_ksm(ask, machine):
    folder = "/sys/kernel/mm/ksm"
    made = machine({f"{folder}/run": "1\n", f"{folder}/pages_sharing": "262144\n"})
    assert "saves 1 GiB" in ask("host.ksm", made)[0].evidence
    off = machine({f"{folder}/run": "0\n", f"{folder}/pages_sharing": "0\n"})
    assert "off" in ask("host.ksm", off)[0].evidence
    assert ask("host.ksm", machine())[0].verdict == "n/a"


@pytest.mark.parametrize(
    ("free", "inodes", "verdict"),
    [
        (60 * GIB, 9000, "ok"),
        (GIB, 9000, "warning"),
        (100 << 20, 9000, "fail"),
        (GIB * 60, 0, "fail"),
    ],
)
def test_space(ask, machine, stand_in, free, inodes, verdict):
    head = "Filesystem 1-blocks Used Available Capacity Mounted\n"
    answers = {
        "df -PB1": f"{head}/dev/vdb {100 * GIB} 1 {free} 40% /data\n",
        "df -Pi": f"{head}/dev/vdb 10000 1000 {inodes} 10% /data\n",
    }
    host = stand_in.host(pools=[stand_in.pool("data", "/data/images")])
    (seen,) = ask("host.space", machine({"/data/images": None}, answers), host=host)
    assert seen.verdict == verdict
    assert seen.about == "/data/images"


def test_loop_devices(ask, machine):
    used = {f"/sys/block/loop{n}/loop/backing_file": "/x.img" for n in range(8)}
    limit = {"/sys/module/loop/parameters/max_loop": "8\n"}
    (seen,) = ask("host.loop-devices", machine(used | limit))
    assert seen.verdict == "warning"
    assert "8 of 8" in seen.evidence
    assert "options loop max_loop=64" in seen.remedy
    (seen,) = ask("host.loop-devices", machine(used | limit | {"/dev/loop-control": ""}))
    assert seen.verdict == "ok"
    free = {f"/sys/block/loop{n}/size": "0" for n in range(8)}
    assert ask("host.loop-devices", machine(free | limit))[0].verdict == "ok"
    assert ask("host.loop-devices", machine())[0].verdict == "n/a"


@pytest.mark.parametrize(
    ("limit", "files", "guests", "verdict"),
    [("1024", 20, 1, "ok"), ("256", 20, 1, "warning"), ("1024", 900, 1, "fail"),
     ("1024", 20, 60, "warning"), ("unlimited", 20, 1, "n/a")],
)  # fmt: skip
def test_files(ask, machine, stand_in, limit, files, guests, verdict):
    proc = {f"/proc/77/fd/{n}": "" for n in range(files)}
    proc["/proc/77/limits"] = f"Max open files            {limit}    {limit}    files\n"
    host = stand_in.host(domains=[stand_in.domain(f"d{n}") for n in range(guests)])
    made = machine(proc, {"pgrep -o -x libvirtd": "77\n", "pgrep -o -x virtqemud": (1, "", "")})
    assert ask("host.files-limit", made, host=host)[0].verdict == verdict
