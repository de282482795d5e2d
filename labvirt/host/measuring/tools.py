"""Tools: what vmstat, iostat, ps and kvm_stat tell of this machine, as DataFrames (chapter 14)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from labvirt.errors import AccessDeniedError, UnsupportedError
from labvirt.host.measuring.processes import QemuProcesses, read_processes
from labvirt.model.arguments import Count, Wait, checked

if TYPE_CHECKING:
    import pandas as pd

    from labvirt.host.host import Host

__all__ = ["Tools"]

_KVM = Path("/sys/kernel/debug/kvm")
_VMSTAT = {
    "time": "UTC",
    "running": "",
    "blocked": "",
    "memory_free_bytes": "bytes",
    "memory_buffers_bytes": "bytes",
    "memory_cached_bytes": "bytes",
    "swap_used_bytes": "bytes",
    "swap_in_bytes_s": "bytes/s",
    "swap_out_bytes_s": "bytes/s",
    "read_bytes_s": "bytes/s",
    "write_bytes_s": "bytes/s",
    "interrupts_s": "1/s",
    "context_switches_s": "1/s",
    "user_percent": "%",
    "system_percent": "%",
    "idle_percent": "%",
    "iowait_percent": "%",
    "steal_percent": "%",
}
_IOSTAT = {
    "time": "UTC",
    "device": "",
    "read_ops_s": "1/s",
    "write_ops_s": "1/s",
    "read_bytes_s": "bytes/s",
    "write_bytes_s": "bytes/s",
    "read_latency_s": "s",
    "write_latency_s": "s",
    "busy_percent": "%",
}


class Tools:
    """An administrator's tools for the machine of a host; ``host.tools``.

    They look at this machine, and refuse where the host is another one.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    def vmstat(self, *, seconds: float = 1.0, count: int = 1) -> pd.DataFrame:
        """Return what the machine does: processes, memory, swap, disks, CPU (``vmstat``, G14-01).

        Args:
            seconds: time between two readings.
            count: rows; it takes ``seconds * count``.

        Returns:
            One row per interval: ``time`` (its end, UTC), ``running`` and ``blocked`` (processes),
            ``memory_free_bytes``, ``memory_buffers_bytes``, ``memory_cached_bytes``,
            ``swap_used_bytes``, ``swap_in_bytes_s``, ``swap_out_bytes_s``, ``read_bytes_s``,
            ``write_bytes_s`` (all disks), ``interrupts_s``, ``context_switches_s``, and the shares
            of CPU time ``user_percent`` (guests included), ``system_percent`` (interrupts
            included), ``idle_percent``, ``iowait_percent``, ``steal_percent``, which are 100
            together. Units in ``.attrs["units"]``.

        Raises:
            UnsupportedError: the host is another machine.
            SpecError: no time, or no count.
        """
        self._require_local("read vmstat")
        return self._watch(_VMSTAT, seconds, count, _machine, _vmstat_row)

    def iostat(self, *, seconds: float = 1.0, count: int = 1) -> pd.DataFrame:
        """Return what each disk of the machine does (``iostat``, G14-01).

        Args:
            seconds: time between two readings.
            count: intervals; it takes ``seconds * count``.

        Returns:
            One row per interval and device: ``time``, ``device``, ``read_ops_s``, ``write_ops_s``,
            ``read_bytes_s``, ``write_bytes_s``, ``read_latency_s`` and ``write_latency_s`` (mean
            time of a request, NaN when there was none), ``busy_percent``.

        Raises:
            UnsupportedError: the host is another machine.
            SpecError: no time, or no count.
        """
        self._require_local("read iostat")
        return self._watch(_IOSTAT, seconds, count, _disks, _iostat_rows)

    def qemu_processes(self, *, seconds: float = 0.5) -> QemuProcesses:
        """Return the QEMU processes of the host's domains with their threads (G14-10).

        Args:
            seconds: over which CPU use is measured.

        Raises:
            UnsupportedError: the host is another machine.
            SpecError: no time.
        """
        self._require_local("list QEMU processes")
        seconds = checked(Wait, "list QEMU processes", timeout_s=seconds).timeout_s
        names = {record.uuid: record.name for record in self._host.domains.records}
        return read_processes(self._host.name, names, seconds)

    def kvm_stat(self, *, seconds: float = 1.0) -> pd.DataFrame:
        """Return KVM's counters of all guests of the machine (``kvm_stat``, G14-12).

        `Domain.accelerator_stats` tells of one guest, and also of one without KVM.

        Args:
            seconds: over which the rates are measured.

        Returns:
            One row per event: ``event``, ``total``, ``per_s``.

        Raises:
            UnsupportedError: the host is another machine, or KVM is not in use on it.
            AccessDeniedError: the kernel shows these counters to root only.
        """
        import pandas as pd

        self._require_local("read kvm_stat")
        seconds = checked(Wait, "read kvm_stat", timeout_s=seconds).timeout_s
        before, began = self._kvm_counters(), time.monotonic()
        time.sleep(seconds)
        after, spent = self._kvm_counters(), time.monotonic() - began
        rows = [
            (name, total, (total - before.get(name, total)) / spent)
            for name, total in after.items()
        ]
        frame = pd.DataFrame(rows, columns=["event", "total", "per_s"])
        frame.attrs["units"] = {"per_s": "1/s"}
        return frame

    def _kvm_counters(self) -> dict[str, int]:
        try:
            files = [path for path in sorted(_KVM.iterdir()) if path.is_file()]
            return {path.name: int(path.read_text()) for path in files}
        except PermissionError as error:
            raise AccessDeniedError(
                "read kvm_stat",
                uri=self._host.label,
                libvirt_text=f"{_KVM} is closed to this user",
                hint="as root, or domain.accelerator_stats() of one domain",
            ) from error
        except FileNotFoundError as error:
            raise UnsupportedError(
                "read kvm_stat",
                uri=self._host.label,
                libvirt_text=f"there is no {_KVM}: KVM is not in use here, or debugfs is not mounted",
                hint="domain.accelerator_stats() counts what TCG does for a guest without KVM",
            ) from error

    def _require_local(self, asked: str) -> None:
        if not self._host.is_local or self._host.connection.uri.is_in_process:
            raise UnsupportedError(
                asked,
                uri=self._host.label,
                libvirt_text="only processes and counters of this machine can be read",
                hint="run labvirt on that machine; host.sample(('host',)) asks its libvirt",
            )

    def _watch(
        self, units: dict[str, str], seconds: float, count: int, read: Any, row: Any
    ) -> pd.DataFrame:
        """Return the rows of `count` intervals; the readings are on time, whatever they cost."""
        import pandas as pd

        seconds = checked(Wait, "watch the machine", timeout_s=seconds).timeout_s
        count = checked(Count, "watch the machine", count=count).count
        rows: list[dict[str, Any]] = []
        began = at = time.monotonic()
        before = read()
        for number in range(1, count + 1):
            time.sleep(max(began + number * seconds - time.monotonic(), 0))
            after, now = read(), time.monotonic()
            made = row(before, after, now - at)
            rows += made if isinstance(made, list) else [made]
            before, at = after, now
        frame = pd.DataFrame(rows, columns=list(units))
        frame["time"] = pd.to_datetime(frame["time"], unit="s", utc=True)
        frame.attrs["units"] = {name: unit for name, unit in units.items() if unit}
        return frame


def _machine() -> dict[str, Any]:
    return {
        "time": time.time(),
        "processes": _kernel_counts(),
        "memory": psutil.virtual_memory(),
        "swap": psutil.swap_memory(),
        "disk": psutil.disk_io_counters(),
        "stats": psutil.cpu_stats(),
        "cpu": psutil.cpu_times(),
    }


def _kernel_counts() -> dict[str, float]:
    """Return how many processes run, and how many wait for a disk; nothing where it is not told."""
    try:
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    pairs = [line.split() for line in lines if line.startswith("procs_")]
    # The process that reads runs too, and vmstat leaves itself out.
    found = {name.removeprefix("procs_"): float(value) for name, value in pairs}
    return {**found, "running": max(found.get("running", 1.0) - 1, 0.0)}


def _vmstat_row(before: dict[str, Any], after: dict[str, Any], spent: float) -> dict[str, Any]:
    def rate(part: str, name: str) -> float:
        if after[part] is None or before[part] is None:
            return float("nan")
        return float(getattr(after[part], name) - getattr(before[part], name)) / spent

    memory, swap = after["memory"], after["swap"]
    return {
        "time": after["time"],
        "running": after["processes"].get("running", float("nan")),
        "blocked": after["processes"].get("blocked", float("nan")),
        "memory_free_bytes": memory.free,
        "memory_buffers_bytes": getattr(memory, "buffers", 0),
        "memory_cached_bytes": getattr(memory, "cached", 0),
        "swap_used_bytes": swap.used,
        "swap_in_bytes_s": rate("swap", "sin"),
        "swap_out_bytes_s": rate("swap", "sout"),
        "read_bytes_s": rate("disk", "read_bytes"),
        "write_bytes_s": rate("disk", "write_bytes"),
        "interrupts_s": rate("stats", "interrupts"),
        "context_switches_s": rate("stats", "ctx_switches"),
        **_shares(before["cpu"], after["cpu"]),
    }


def _shares(before: Any, after: Any) -> dict[str, float]:
    """Return the shares of CPU time; a guest's time is counted in the user's already."""
    moved = {
        name: max(getattr(after, name) - getattr(before, name), 0.0)
        for name in after._fields
        if not name.startswith("guest")
    }
    whole = sum(moved.values()) or float("nan")

    def share(*names: str) -> float:
        return 100.0 * float(sum(moved.get(name, 0.0) for name in names)) / whole

    return {
        "user_percent": share("user", "nice"),
        "system_percent": share("system", "irq", "softirq"),
        "idle_percent": share("idle"),
        "iowait_percent": share("iowait"),
        "steal_percent": share("steal"),
    }


def _disks() -> tuple[float, dict[str, Any]]:
    found = psutil.disk_io_counters(perdisk=True) or {}
    whole = {name: each for name, each in found.items() if Path("/sys/block", name).is_dir()}
    return time.time(), whole or found


def _iostat_rows(
    before: tuple[float, dict[str, Any]], after: tuple[float, dict[str, Any]], spent: float
) -> list[dict[str, Any]]:
    rows = []
    for name, now in sorted(after[1].items()):
        then = before[1].get(name)
        # A device that never did anything is left out, as iostat does.
        if then is None or not now.read_count + now.write_count:
            continue
        reads, writes = now.read_count - then.read_count, now.write_count - then.write_count
        rows.append(
            {
                "time": after[0],
                "device": name,
                "read_ops_s": reads / spent,
                "write_ops_s": writes / spent,
                "read_bytes_s": (now.read_bytes - then.read_bytes) / spent,
                "write_bytes_s": (now.write_bytes - then.write_bytes) / spent,
                "read_latency_s": _mean(now.read_time - then.read_time, reads),
                "write_latency_s": _mean(now.write_time - then.write_time, writes),
                "busy_percent": min(
                    (getattr(now, "busy_time", 0) - getattr(then, "busy_time", 0)) / spent / 10,
                    100.0,
                ),
            }
        )
    return rows


def _mean(milliseconds: float, requests: float) -> float:
    return milliseconds / 1000 / requests if requests else float("nan")
