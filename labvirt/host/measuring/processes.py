"""QEMU processes of a host on this machine: whose they are, and what their threads do (G14-10)."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from labvirt.host.collection import Table
from labvirt.host.measuring.readings import Readings, columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

__all__ = ["QemuProcess", "QemuProcesses", "QemuThread", "read_processes"]

_VCPU = re.compile(r"CPU (\d+)/(?:KVM|TCG)")


@dataclass(frozen=True, slots=True)
class QemuThread:
    """One thread of a QEMU process.

    Attributes:
        id: the kernel's number of the thread.
        name: what QEMU calls it: ``CPU 0/KVM``, ``IO mon_iothread``.
        vcpu: number of the vCPU that it runs, None for other work.
        cpu_percent: CPU time over the measured time; 100 % is one CPU of the host.
        cpu_time_s: CPU time since it began.
    """

    id: int
    name: str
    vcpu: int | None
    cpu_percent: float
    cpu_time_s: float


@dataclass(frozen=True, slots=True)
class QemuProcess:
    """The QEMU process of one domain.

    Attributes:
        pid: its number on this machine.
        domain: name of the domain.
        uuid: of the domain.
        user: as whom it runs.
        cpu_percent: CPU time of all its threads; 100 % is one CPU of the host.
        cpu_time_s: CPU time since it began.
        memory_bytes: memory of the host it has (RSS), the guest's included.
        threads: its threads.
    """

    pid: int
    domain: str
    uuid: str
    user: str
    cpu_percent: float
    cpu_time_s: float
    memory_bytes: int
    threads: tuple[QemuThread, ...]


_TABLE = Table("QEMU process", columns_of(QemuProcess, without=("threads",)))
_UNITS = {"cpu_percent": "%", "cpu_time_s": "s"}


class QemuProcesses(Readings[QemuProcess]):
    """The QEMU processes of a host; ``str()`` is a tree, `df` and `threads` are DataFrames.

    ``df`` has one row per process: pid, domain, uuid, user, cpu_percent, cpu_time_s, memory_bytes.
    """

    @property
    def threads(self) -> pd.DataFrame:
        """One row per thread: pid, domain, id, name, vcpu (``<NA>``: none), cpu_percent, cpu_time_s."""
        import pandas as pd

        names = ("id", "name", "vcpu", "cpu_percent", "cpu_time_s")
        rows = [
            (process.pid, process.domain, *(getattr(thread, name) for name in names))
            for process in self
            for thread in process.threads
        ]
        frame = pd.DataFrame(rows, columns=["pid", "domain", *names]).astype({"vcpu": "Int64"})
        frame.attrs["units"] = dict(_UNITS)
        return frame

    def __str__(self) -> str:
        """Return a tree as ``pstree`` draws it: processes, and their threads below."""
        return "\n".join(line for process in self for line in _tree(process))


def _tree(process: QemuProcess) -> Iterator[str]:
    mib = process.memory_bytes / 2**20
    yield f"{process.domain} (pid {process.pid}, {process.cpu_percent:.1f} % CPU, {mib:.0f} MiB)"
    for number, thread in enumerate(process.threads, 1):
        branch = "└─" if number == len(process.threads) else "├─"
        yield f"  {branch} {thread.name} ({thread.id}) {thread.cpu_percent:.1f} %"


def read_processes(host: str, names: Mapping[str, str], seconds: float) -> QemuProcesses:
    """Return the QEMU processes that run domains, CPU use measured over some time.

    Args:
        host: name of the host.
        names: the domains by UUID.
        seconds: how long to measure.
    """
    found = [
        (process, uuid) for process in psutil.process_iter() if (uuid := _domain_of(process, names))
    ]
    before = {process.pid: _times(process) for process, _ in found}
    began = time.monotonic()
    if found:
        time.sleep(seconds)
    spent = time.monotonic() - began
    read = []
    for process, uuid in found:
        # What ends meanwhile is left out.
        with contextlib.suppress(psutil.Error, OSError):
            read.append(_process(process, uuid, names[uuid], before[process.pid], spent))
    read.sort(key=lambda each: (each.domain, each.pid))
    return QemuProcesses(_TABLE, f"{len(read)} QEMU processes of {host}", read)


def _domain_of(process: psutil.Process, names: Mapping[str, str]) -> str | None:
    """Return the UUID of the domain that a process runs: libvirt gives it as ``-uuid``."""
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        if not process.name().startswith(("qemu", "kvm")):
            return None
        words = process.cmdline()
        uuid = words[words.index("-uuid") + 1]
        return uuid if uuid in names else None
    return None


def _times(process: psutil.Process) -> dict[int, float]:
    with contextlib.suppress(psutil.Error, OSError):
        return {each.id: each.user_time + each.system_time for each in process.threads()}
    return {}


def _process(
    process: psutil.Process, uuid: str, domain: str, before: Mapping[int, float], spent: float
) -> QemuProcess:
    after = _times(process)
    threads = []
    for number, used in sorted(after.items()):
        name = _thread_name(process.pid, number)
        vcpu = _VCPU.fullmatch(name)
        percent = 100 * max(used - before.get(number, 0.0), 0.0) / spent
        threads.append(
            QemuThread(number, name, int(vcpu[1]) if vcpu else None, round(percent, 1), used)
        )
    return QemuProcess(
        pid=process.pid,
        domain=domain,
        uuid=uuid,
        user=process.username(),
        cpu_percent=round(sum(each.cpu_percent for each in threads), 1),
        cpu_time_s=round(sum(after.values()), 2),
        memory_bytes=process.memory_info().rss,
        threads=tuple(threads),
    )


def _thread_name(pid: int, thread: int) -> str:
    try:
        return Path(f"/proc/{pid}/task/{thread}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
