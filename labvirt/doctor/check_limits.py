"""Checks of what the host has and what its guests may take: memory, swap, CPUs, space (17.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.host import examined
from labvirt.model.capacity import (
    MOST_VCPUS_PER_CPU,
    memory_ratio,
    ratio_by_guests,
    swap_today,
    swap_wanted,
    vcpu_ratio,
)
from labvirt.status.finding import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labvirt.doctor.case import Case
    from labvirt.status import DomainRecord

__all__: list[str] = []

#: Of the free memory: below this part of all the host is about to swap.
_LITTLE: Final = 0.05
#: A guest is not made smaller than this.
_USEFUL_MIB: Final = 256


def _records(case: Case) -> list[DomainRecord]:
    return [case.patient.record(domain) for domain in case.patient.domains]


def _running(case: Case) -> list[DomainRecord]:
    return [one for one in _records(case) if one.is_active]


def _most(records: Sequence[DomainRecord]) -> int:
    return sum(int(one.max_memory) for one in records)


def _listed(records: Sequence[DomainRecord]) -> str:
    """Return the largest by name, with what they may take."""
    largest = sorted(records, key=lambda one: -int(one.max_memory))[:3]
    return ", ".join(f"{one.name} {amount(int(one.max_memory))}" for one in largest)


@check("host.memory", "Has the host memory for what its guests may take?", guide="G17.4-03")
def memory(case: Case) -> Iterator[Seen]:
    """Compare what running guests may take with memory and swap (G17.4-01 to G17.4-03)."""
    have = int(case.patient.node.memory)
    running = _running(case)
    most, now = _most(running), sum(int(one.memory) for one in running)
    info = reading.meminfo(case)
    swap = info.get("SwapTotal", 0)
    seen = f"{len(running)} running may take {amount(most)} of {amount(have)}, swap {amount(swap)}"
    if running:
        seen += f"; largest: {_listed(running)}"
    ratio = memory_ratio(have, most)
    if now > have + swap:
        yield fail(
            seen,
            f"memory is overcommitted by {ratio:.0%}, beyond memory and swap together: the kernel "
            "(OOM killer) ends guests when they take it",
            f"virsh setmem {_largest(running)} SIZE --live (its balloon driver must help), virsh "
            f"managedsave {_largest(running)} (it goes on from there at its next start), or add "
            f"{amount(now - have - swap)} of swap at least: fallocate, mkswap, swapon",
            fix=_relief(case, running, now - have),
        )
    elif most > have + swap:
        yield warning(
            f"{seen}; by their balloons now {amount(now)}",
            f"memory is promised {ratio:.0%} beyond what there is, swap included: when their balloons "
            "are let out, the kernel (OOM killer) ends guests",
            f"virsh setmaxmem {_largest(running)} SIZE --config; counts from its next start",
        )
    elif most > have:
        yield warning(
            seen,
            f"memory is overcommitted by {ratio:.0%}: guests that take it live on swap, which is slow",
            "fewer or smaller guests; see host.swap",
        )
    else:
        yield ok(seen)
    yield from _boot_memory(case, have, swap)
    available = info.get("MemAvailable")
    if available is not None and available < _LITTLE * have:
        yield warning(
            f"{amount(available)} of {amount(have)} can be had now",
            "the host is short of memory and will swap",
            "virsh domstats --balloon shows who takes it; virsh setmem NAME SIZE --live",
            about="available",
        )


def _largest(records: Sequence[DomainRecord]) -> str:
    return max(records, key=lambda one: int(one.max_memory)).name


def _relief(case: Case, running: Sequence[DomainRecord], excess: int) -> Callable[[], Any] | None:
    """Return what makes the plan that takes the excess away; None when no guest alone can give it.

    A guest whose balloon driver answers gets less memory; else one is put aside with its memory.
    """
    largest = max(running, key=lambda one: int(one.memory))
    left = (int(largest.memory) - excess) >> 20
    enough = [one for one in running if one.persistent and int(one.memory) >= excess]
    aside = min(enough, key=lambda one: int(one.memory), default=None)

    def plan() -> Any:
        if left >= _USEFUL_MIB and (aside is None or examined.has_balloon(case.host, largest.uuid)):
            return case.host.domains[largest.name].set_memory.plan(f"{left} MiB", live=True)
        assert aside is not None
        return case.host.domains[aside.name].managed_save.plan()

    return plan if aside is not None or left >= _USEFUL_MIB else None


def _boot_memory(case: Case, have: int, swap: int) -> Iterator[Seen]:
    """Look at what starts by itself after the next boot of the host."""
    started = [one for one in _records(case) if one.autostart]
    most = _most(started)
    if most > have + swap and _most(_running(case)) <= have + swap:
        seen = f"{len(started)} start with the host and may take {amount(most)}: {_listed(started)}"
        cause = f"that is more than memory and swap ({amount(have + swap)}) after the next boot"
        yield warning(
            seen, cause, f"virsh autostart --disable {_largest(started)}", about="autostart"
        )


@check("host.swap", "Has the host swap for what it has promised?", guide="G17.4-04")
def swap(case: Case) -> Iterator[Seen]:
    """Compare swap with the guide's formula: (0.5 x memory) + (overcommit ratio x memory)."""
    info = reading.meminfo(case)
    if "SwapTotal" not in info:
        yield unknown("/proc/meminfo cannot be read")
        return
    have, total = int(case.patient.node.memory), info["SwapTotal"]
    running = _running(case)
    ratio = memory_ratio(have, _most(running))
    wanted, today = int(swap_wanted(have, ratio)), int(swap_today(have))
    seen = (
        f"swap {amount(total)}, free {amount(info.get('SwapFree', 0))}; guide: 0.5 x {amount(have)} "
        f"+ {ratio:.2f} x {amount(have)} = {amount(wanted)}; today's advice: {amount(today)} and "
        "what is overcommitted"
    )
    if ratio > 0:
        percent, times = ratio_by_guests(len(running))
        seen += (
            f"; ratio by the guide's other way, guests x 10: {percent:.2f} in per cent "
            f"({times:g} as a factor, which cannot be meant)"
        )
    needed = min(wanted, today + round(ratio * have))
    if ratio > 0 and total < needed:
        yield warning(
            seen,
            f"guests may take {ratio:.0%} more memory than there is, and swap is short of "
            f"{amount(needed - total)}",
            f"fallocate -l {-(-(needed - total) >> 20)}M /swapfile; chmod 600 /swapfile; "
            "mkswap /swapfile; swapon /swapfile; echo '/swapfile none swap sw 0 0' >> /etc/fstab",
        )
        return
    if total and info.get("SwapFree", 0) < 0.1 * total:
        yield warning(
            seen,
            "swap is nearly full: the OOM killer is next",
            "find who lives there: grep VmSwap /proc/[0-9]*/status | sort -k2 -n",
        )
        return
    if total < wanted:
        seen += "; less than the guide's, which is no fault while nothing is overcommitted"
    yield ok(seen)


@check("host.cpus", "Has the host CPUs for its guests?", guide="G17.4-06")
def cpus(case: Case) -> Iterator[Seen]:
    """Compare virtual CPUs with real ones: five light ones per core, none wider than the host."""
    node = case.patient.node
    cores = max(1, min(node.cpus, node.nodes * node.sockets * node.cores))
    running = _running(case)
    given = sum(one.vcpus for one in running)
    ratio = vcpu_ratio(cores, given)
    seen = f"{given} virtual CPUs of {len(running)} running on {cores} cores: {ratio:.2g} per core"
    is_xen = case.host.connection.uri.driver == "xen"
    most = 1 if is_xen else MOST_VCPUS_PER_CPU
    if ratio > most:
        cause = (
            "Xen gets unstable when CPUs are overcommitted"
            if is_xen
            else f"more than {MOST_VCPUS_PER_CPU} lightly loaded ones share a core: requests get lost"
        )
        yield warning(seen, cause, "virsh setvcpus NAME 1 --config, or move guests: domain.migrate")
    else:
        yield ok(seen)
    for one in running:
        if one.vcpus > cores:
            said = f"{one.vcpus} virtual CPUs, {cores} cores"
            if cores < node.cpus and one.vcpus <= node.cpus:
                said += f" ({node.cpus} threads: each counts for a part of a core only)"
            cause = "a guest with more CPUs than the host has cores is slower than with fewer"
            remedy = (
                f"virsh setvcpus {one.name} {cores} --maximum --config; counts from its next start"
            )
            fix = _narrower(case, one.name, cores) if one.persistent else None
            yield warning(said, cause, remedy, fix=fix, about=one.name)


def _narrower(case: Case, name: str, cores: int) -> Callable[[], Any]:
    """Return what makes the plan that leaves a domain as many CPUs as there are cores."""
    return lambda: case.host.domains[name].set_vcpus.plan(cores, maximum=True)


@check("host.hugepages", "Do reserved huge pages fit what domains ask for?", guide="G17.4-02")
def hugepages(case: Case) -> Seen:
    """Compare the pool of huge pages with domains that are backed by them."""
    info = reading.meminfo(case)
    if "HugePages_Total" not in info:
        return not_here("this kernel has no pool of huge pages")
    size = info.get("Hugepagesize", 0)
    total, free = info["HugePages_Total"], info.get("HugePages_Free", 0)
    seen = f"{total} of {amount(size)}, {free} free"
    asking = {
        domain.name: int(case.patient.record(domain).max_memory)
        for domain in case.patient.domains
        if case.patient.document(domain).element.find("memoryBacking/hugepages") is not None
    }
    off = {name: one for name, one in asking.items() if name not in _names_running(case)}
    if asking and not total:
        pages = -(-sum(asking.values()) // size) if size else 0
        remedy = f"sysctl -w vm.nr_hugepages={pages}; the same into /etc/sysctl.d/hugepages.conf"
        return fail(f"{seen}; asked for by {', '.join(asking)}", "none are reserved", remedy)
    if off and size and min(off.values()) > free * size:
        least = min(off, key=lambda name: off[name])
        pages = total + -(-(off[least] - free * size) // size)
        said = f"{seen}; {least} needs {amount(off[least])}"
        return warning(said, f"{least} cannot start", f"sysctl -w vm.nr_hugepages={pages}")
    idle = free * size
    if total and not asking and idle > 1 << 30:
        cause = f"{amount(idle)} are set aside and nobody uses them"
        return warning(seen, cause, "sysctl -w vm.nr_hugepages=0")
    return ok(seen + (f"; used by {', '.join(asking)}" if asking else ""))


def _names_running(case: Case) -> set[str]:
    return {one.name for one in _running(case)}


@check("host.ksm", "Are equal pages of guests merged?", guide="G17.4-02", needs="machine")
def ksm(case: Case) -> Seen:
    """Look at the kernel's merging of equal pages; either way is well."""
    run = reading.text(case, "/sys/kernel/mm/ksm/run")
    if run is None:
        return not_here("this kernel cannot merge equal pages")
    sharing = int(reading.text(case, "/sys/kernel/mm/ksm/pages_sharing") or 0)
    state = {"0": "off", "1": "on", "2": "off, being split again"}.get(run.strip(), run.strip())
    saved = f"saves {amount(sharing * 4096)}" if sharing else "saves nothing now"
    hint = "" if run.strip() == "1" else "; to have it: echo 1 > /sys/kernel/mm/ksm/run"
    return ok(f"KSM is {state}, {saved}{hint}")


@check("host.space", "Is there space where images and saved guests are?", guide="G2.2-08")
def space(case: Case) -> Iterator[Seen]:
    """Ask the file systems behind pools, and behind what libvirt writes itself."""
    records = [case.patient.pool_record(pool) for pool in case.patient.pools]
    folders = [one.path for one in records if one.type in {"dir", "fs", "netfs"} and one.path]
    folders.append(f"{reading.state_folder(case)}/qemu/save")
    seen: set[str] = set()
    # In a fixed order: libvirt lists pools in any, and the first of a file system names it.
    for folder in sorted(set(_there(case, folders))):
        sizes = reading.ran(case, "df", "-PB1", folder)
        row = _row(sizes.out) if sizes else None
        if row is None or row[0] in seen:
            continue
        seen.add(row[0])
        yield _judged(case, folder, row)
    if not seen:
        yield not_here("no folder of a pool is there")


def _there(case: Case, folders: Sequence[str]) -> Iterator[str]:
    """Yield the folders, of one that is not there yet the nearest above it."""
    for folder in folders:
        while folder and not case.machine.exists(folder):
            folder = folder.rpartition("/")[0]  # noqa: PLW2901 - up until it is there
        if folder:
            yield folder


def _row(out: str) -> tuple[str, int, int] | None:
    """Return the device (of a file system in memory its place too), size and free bytes of df's last line."""
    words = (out.strip().splitlines() or [""])[-1].split()
    if len(words) < 6 or not words[1].isdigit() or not words[3].isdigit() or words[1] == "0":
        return None
    key = words[0] if words[0].startswith("/") else f"{words[0]} {words[5]}"
    return key, int(words[1]), int(words[3])


def _judged(case: Case, folder: str, row: tuple[str, int, int]) -> Seen:
    _, size, free = row
    told = f"{folder}: {amount(free)} free of {amount(size)}"
    inodes = reading.ran(case, "df", "-Pi", folder)
    words = ((inodes.out.strip().splitlines() if inodes else []) or [""])[-1].split()
    if len(words) >= 6 and words[1].isdigit() and int(words[1]) and words[3] == "0":
        cause = "no file can be made any more: the file system is out of inodes"
        return fail(
            f"{told}; {words[2]} files", cause, f"find {folder} -xdev | wc -l", about=folder
        )
    remedy = f"du -xh {folder} | sort -h | tail; remove what nobody uses, or a larger disk"
    if free < 256 << 20:
        cause = "guests that write are paused with an I/O error, and nothing can be saved"
        return fail(told, cause, remedy, about=folder)
    if free < 2 << 30 and free < 0.05 * size:
        return warning(told, "nearly full: thin images grow", remedy, about=folder)
    return ok(told, about=folder)


@check(
    "host.loop-devices", "Are there loop devices for images that are mounted?", guide="G19.1-01",
    needs="machine",
)  # fmt: skip
def loop_devices(case: Case) -> Seen:
    """Count loop devices and those in use; today the kernel makes more by itself."""
    devices = [one for one in reading.names(case, "/sys/block") if one.startswith("loop")]
    limit = (reading.text(case, "/sys/module/loop/parameters/max_loop") or "").strip()
    if not devices and not limit:
        return not_here("the module loop is not loaded; it is when it is needed: modprobe loop")
    used = [one for one in devices if "loop" in reading.names(case, f"/sys/block/{one}")]
    seen = f"{len(used)} of {len(devices)} in use, max_loop={limit or '?'}"
    if case.machine.exists("/dev/loop-control"):
        return ok(f"{seen}; /dev/loop-control: more are made when they are needed")
    if len(used) < max(1, len(devices) - 1):
        return ok(seen)
    return warning(
        seen,
        "guests on files by loop devices soon find none",
        "echo 'options loop max_loop=64' > /etc/modprobe.d/loop.conf; loop built in: kernel "
        "parameter max_loop=64",
    )


@check("host.files-limit", "May the daemon open enough files?", guide="G17.4-08", needs="machine")
def files_limit(case: Case) -> Seen:
    """Compare the daemon's limit with what it has open."""
    limits = reading.daemon_file(case, "limits")
    line = next(
        (one for one in (limits or "").splitlines() if one.startswith("Max open files")), ""
    )
    words = line.removeprefix("Max open files").split()
    if not words or not words[0].isdigit():
        return not_here("the daemon's process cannot be looked at from here")
    pid, most = reading.daemon_pid(case), int(words[0])
    used = reading.daemon_open_files(case)
    seen = f"process {pid}: {used} of {most} open" if used else f"process {pid}: at most {most}"
    remedy = "systemctl edit libvirtd (virtqemud): [Service] LimitNOFILE=65536; restart it"
    if used and used > 0.8 * most:
        return fail(seen, "the daemon is about to refuse clients and guests", remedy)
    guests = len(case.patient.domains) if case.host.state == "connected" else 0
    if most < 1024 or most < 20 * guests:
        return warning(seen, f"few for {guests} guests: each needs about 10", remedy)
    return ok(seen)
