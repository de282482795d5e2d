"""Values: what stands in the tables of a sample, made from the tracks of the counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labvirt.status.sample import COUNTERS
from labvirt.status.series import series_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.status.sample import Subject
    from labvirt.status.series import Kind
    from labvirt.status.track import Track

__all__ = [
    "SUMMED",
    "Moment",
    "among",
    "device_values",
    "domain_values",
    "fill_guests",
    "fill_host",
]

_STATE, _VCPUS, _MAXIMUM, _MEMORY, _CPU, _WAIT, _CURRENT, _USABLE, _UPDATED = range(9)
_MAIN, _STEAL, _BALLOON = range(3)


def _columns(kind: Kind, names: str) -> list[int]:
    return [COUNTERS[kind].index(name) for name in names.split()]


_DISK = _columns("disk", "read_bytes write_bytes read_ops write_ops flush_ops")
_DISK_NS = _columns("disk", "read_ns write_ns")
_DISK_SUMS = [*_DISK[:4], *_DISK_NS]
_DISK_LEVEL = _columns("disk", "allocation_bytes capacity_bytes")
_NET = _columns(
    "interface",
    "rx_bytes tx_bytes rx_packets tx_packets rx_drops tx_drops rx_errors tx_errors",
)
_HOST = {name: column for column, name in enumerate(COUNTERS["host"])}
_AT: dict[Kind, dict[str, int]] = {
    kind: {each.name: column for column, each in enumerate(series_of(kind))} for kind in COUNTERS
}
#: Columns of counters that are summed up by domain; those of disks end with the times.
SUMMED: dict[Kind, list[int]] = {"vcpu": [], "disk": _DISK_SUMS, "interface": _NET[:4]}


@dataclass(frozen=True, slots=True)
class Moment:
    """When values are wanted, and what is too old for them.

    Attributes:
        now: the clock of readings.
        main_s: how long what each tick reads is held.
        slow_s: how long what is read in turns is held.
        balloon_s: how long a guest may take to renew its balloon figures.
        stalled: UUIDs of domains whose hypervisor process gives no answer.
        host_cpus: CPUs of the host.
        host_memory: its bytes.
    """

    now: float
    main_s: float
    slow_s: float
    balloon_s: float
    stalled: Mapping[str, float]
    host_cpus: float
    host_memory: float


def domain_values(
    track: Track, sums: Mapping[Kind, NDArray[np.float64]], moment: Moment
) -> NDArray[np.float64]:
    """Return the values of domains ``[series, rows]``; `sums` are of their disks and interfaces."""
    at, rates, counters = _AT["domain"], track.rates, track.counters
    out = np.full((len(at), len(track.subjects)), np.nan)
    vcpus = track.notes[0]
    np.divide(rates[_CPU] * 1e-7, vcpus, out=out[at["cpu_percent"]])
    np.multiply(rates[_CPU], 1e-7 / moment.host_cpus, out=out[at["cpu_host_percent"]])
    out[at["memory_bytes"]] = counters[_MEMORY]
    np.multiply(counters[_MEMORY], 100 / moment.host_memory, out=out[at["memory_host_percent"]])
    age = moment.now - track.clocks[_MAIN]
    if not age.max(initial=0.0) <= moment.main_s:
        out[:, ~(age <= moment.main_s)] = np.nan
    if _STEAL in track.groups:
        fresh = moment.now - track.clocks[_STEAL] <= moment.slow_s
        out[at["cpu_steal_percent"]] = np.where(fresh, rates[_WAIT] * 1e-7 / vcpus, np.nan)
    if _BALLOON in track.groups:
        said = np.isnan(counters[_UPDATED]) | (moment.now - track.notes[1] <= moment.balloon_s)
        said &= moment.now - track.clocks[_BALLOON] <= moment.slow_s
        if moment.stalled:
            said &= ~among(track.subjects, moment.stalled)
        used = np.maximum(counters[_CURRENT] - counters[_USABLE], 0.0)
        out[at["memory_used_bytes"]] = np.where(said, used, np.nan)
    if "disk" in sums:
        first, total = at["disk_read_bytes_s"], sums["disk"]
        out[first : first + 4] = total[:4]
        out[first + 4 : first + 6] = _latency(total[4:], total[2:4])
    if "interface" in sums:
        first = at["net_rx_bytes_s"]
        out[first : first + 4] = sums["interface"]
    return out


def among(subjects: Sequence[Subject], uuids: Mapping[str, float]) -> NDArray[np.bool_]:
    """Return which of the subjects belong to one of the domains."""
    if not uuids:
        return np.zeros(len(subjects), dtype=bool)
    return np.array([each.uuid in uuids for each in subjects], dtype=bool)


def fill_guests(row: NDArray[np.float64], domains: NDArray[np.float64]) -> None:
    """Fill the host's row with the sums of its domains ``[series, rows]``."""
    at, columns = _AT["host"], _AT["domain"]
    memory = domains[columns["memory_bytes"]]
    row[at["guests_cpu_percent"]] = _known_sum(domains[columns["cpu_host_percent"]])
    row[at["guests_memory_bytes"]] = _known_sum(memory)
    row[at["guests_active"]] = np.count_nonzero(~np.isnan(memory))


def _known_sum(values: NDArray[np.float64]) -> float:
    """Return the sum of what is known; 0 of nobody, NaN when nothing is known of anybody."""
    known = values[~np.isnan(values)]
    return float(known.sum()) if known.size or not values.size else np.nan


def _latency(ns_s: NDArray[np.float64], ops_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return seconds per request; NaN where there was none."""
    return ns_s * 1e-9 / np.where(ops_s > 0, ops_s, np.nan)


def device_values(track: Track, rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values ``[series, rows]`` of vCPUs, disks or interfaces, from their growth."""
    if track.kind == "interface":
        return rates[_NET]
    if track.kind == "vcpu":
        return rates[1:2] * 1e-7
    out = np.empty((9, rates.shape[1]))
    out[:5] = rates[_DISK]
    out[5:7] = _latency(rates[_DISK_NS], rates[_DISK[2:4]])
    out[7:] = track.counters[_DISK_LEVEL]
    return out


def fill_host(row: NDArray[np.float64], track: Track | None, memory: float) -> None:
    """Fill the host's row with what its own counters say, if they were read.

    A counter that went back gives no data; the kernel's own figure for iowait may fall a little.
    """
    at = _AT["host"]
    row[at["memory_bytes"]] = memory
    if track is None:
        return
    rates, counters = track.rates[:, 0], track.counters[:, 0]
    grown = np.where(rates < 0, np.nan, rates)
    user, kernel, idle = (grown[_HOST[name]] for name in ("user_ns", "kernel_ns", "idle_ns"))
    waiting = np.nan_to_num(np.maximum(rates[_HOST["iowait_ns"]], 0.0))
    total = user + kernel + idle + waiting
    share = 100.0 / total if total > 0 else np.nan
    row[at["cpu_percent"]] = (user + kernel) * share
    row[at["cpu_user_percent"]] = user * share
    row[at["cpu_kernel_percent"]] = kernel * share
    row[at["cpu_iowait_percent"]] = waiting * share
    if counters[_HOST["memory_bytes"]] > 0:
        row[at["memory_bytes"]] = counters[_HOST["memory_bytes"]]
    cached = np.nan_to_num(counters[_HOST["memory_cached_bytes"]])
    row[at["memory_used_bytes"]] = (
        row[at["memory_bytes"]] - counters[_HOST["memory_free_bytes"]] - cached
    )
    for name in ("disk_read_bytes", "disk_write_bytes", "net_rx_bytes", "net_tx_bytes"):
        row[at[f"{name}_s"]] = grown[_HOST[name]]
