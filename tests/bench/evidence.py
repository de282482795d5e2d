"""What others say of a guest: the kernel of the host, the guest's own, libvirt asked directly."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import labvirt as lv

_USER_HZ = 100
_NS = 1e9
#: A file that the guest's busy loop looks at: it ends when the file is gone.
_BUSY = "/run/busy"


def shell(domain: lv.Domain, text: str, timeout_s: float = 60) -> str:
    """Run a line inside the guest and return what it prints."""
    done = domain.run(["/bin/sh", "-c", text], timeout_s=timeout_s)
    assert done.exit_code == 0, (text, done)
    return done.stdout


def qemu_pid(domain: lv.Domain) -> int:
    """Return the process of a domain's QEMU, found by the UUID on its command line."""
    uuid = domain.uuid.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"-uuid" in words and uuid in words:
            return int(folder.name)
    raise AssertionError(f"{domain.name} has no process")


def vcpu_ns(pid: int) -> float:
    """Return the nanoseconds that the vCPU threads have run (``/proc/PID/task/*/schedstat``)."""
    return sum(_ran_ns(task) for task in _tasks(pid) if _is_vcpu(task))


def qemu_ns(pid: int) -> float:
    """Return the nanoseconds that all threads of QEMU have run, as long as they live."""
    return sum(_ran_ns(task) for task in _tasks(pid))


def qemu_stat_ns(pid: int) -> float:
    """Return user and system time of QEMU from ``/proc/PID/stat``: steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _NS / _USER_HZ


def waited_ns(pid: int) -> float:
    """Return the nanoseconds that the vCPU threads waited for a CPU of the host."""
    return sum(
        float((task / "schedstat").read_text().split()[1]) for task in _tasks(pid) if _is_vcpu(task)
    )


def _tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").glob("[0-9]*"))


def _is_vcpu(task: Path) -> bool:
    return (task / "comm").read_text().startswith("CPU ")


def _ran_ns(task: Path) -> float:
    try:
        return float((task / "schedstat").read_text().split()[0])
    except OSError:
        return 0.0  # a worker thread that ended


def qemu_io(pid: int) -> tuple[int, int]:
    """Return the bytes that QEMU has read and written by any system call."""
    told = dict(
        line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().strip().splitlines()
    )
    return int(told["rchar"]), int(told["wchar"])


def taps(pid: int) -> dict[str, tuple[int, int, int, int]]:
    """Return bytes and packets to the guest and from it, by tap device in QEMU's network."""
    found = {}
    for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]:
        name, _, rest = line.partition(":")
        fields = [int(field) for field in rest.split()]
        # What the host received on a tap is what the guest sent.
        found[name.strip()] = (fields[8], fields[9], fields[0], fields[1])
    return found


def guest_busy_s(domain: lv.Domain) -> float:
    """Return the seconds that the guest's CPUs have worked, by its own kernel."""
    fields = shell(domain, "head -1 /proc/stat").split()[1:]
    busy = [int(field) for at, field in enumerate(fields) if at not in (3, 4, 7)]
    return sum(busy[:7]) / _USER_HZ


def guest_disk(domain: lv.Domain, disk: str = "vda") -> tuple[int, int]:
    """Return the bytes that the guest has read from and written to a disk, by its own kernel."""
    fields = shell(domain, f"cat /sys/block/{disk}/stat").split()
    return int(fields[2]) * 512, int(fields[6]) * 512


def guest_card(domain: lv.Domain, card: str = "eth0") -> tuple[int, int, int, int]:
    """Return bytes and packets that a card received and sent, by the guest's own kernel."""
    told = shell(
        domain,
        f"cd /sys/class/net/{card}/statistics; cat rx_bytes rx_packets tx_bytes tx_packets",
    )
    first, second, third, fourth = (int(word) for word in told.split())
    return first, second, third, fourth


def guest_available(domain: lv.Domain) -> tuple[int, int]:
    """Return the guest's own MemTotal and MemAvailable, in bytes."""
    told = dict(line.split(":") for line in shell(domain, "cat /proc/meminfo").splitlines())
    return tuple(int(told[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))


def burn(domain: lv.Domain, percent: int, *, cpus: int = 1, period_ms: int = 200) -> None:
    """Keep some vCPUs busy for a share of the time, until `rest`.

    A program that never waits is stopped and continued by turns.
    """
    on, off = period_ms * percent // 100, period_ms - period_ms * percent // 100
    turns = f"kill -CONT $p; usleep {on * 1000}; kill -STOP $p; usleep {off * 1000}"
    loop = (
        f"touch {_BUSY}; "
        f"( while :; do :; done & p=$!; while [ -e {_BUSY} ]; do "
        + (turns if off else "usleep 200000")
        + "; done; kill -CONT $p; kill -9 $p ) >/dev/null 2>&1 & "
    )
    shell(domain, loop * cpus)


def rest(domain: lv.Domain) -> None:
    """End what `burn` began."""
    shell(domain, f"rm -f {_BUSY}; sleep 0.5")


def domstats(uri: str, name: str, *groups: str) -> dict[str, float]:
    """Return what ``virsh domstats`` prints of one domain, as numbers."""
    argv = ["virsh", "-q", "-c", uri, "domstats", *(f"--{group}" for group in groups), name]
    text = subprocess.run(argv, check=True, capture_output=True, timeout=60, text=True).stdout
    found = {}
    for line in text.splitlines()[1:]:
        key, _, value = line.strip().partition("=")
        try:
            found[key] = float(value)
        except ValueError:
            continue
    return found


def clock() -> float:
    """Return seconds of the clock that the rates are taken by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
