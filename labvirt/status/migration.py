"""What a migration does, moment by moment, and what can be told from it beforehand. Pure.

The names of the fields are those of libvirt's job statistics
(https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainGetJobStats), with units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "DEFAULT_DOWNTIME_MS",
    "Estimate",
    "MigrationSample",
    "Phase",
    "estimate",
    "guide_seconds",
    "sample_of",
    "seconds_left",
]

Phase = Literal["setup", "precopy", "postcopy", "done", "failed", "cancelled"]

_MIB = 1 << 20
#: QEMU's own limit of the downtime, ms, when none was set.
DEFAULT_DOWNTIME_MS = 300
#: With auto-converge QEMU takes at most this part of the guest's CPU time away.
MOST_THROTTLE = 0.99


@dataclass(frozen=True, slots=True)
class MigrationSample:
    """One look at a migration. NaN: the hypervisor did not say.

    Attributes:
        elapsed_s: since it began, by the hypervisor's clock.
        phase: where it stands.
        remaining_bytes: memory and disks still to be sent.
        processed_bytes: sent so far.
        total_bytes: what there is to send; grows no more than by plugging.
        memory_remaining_bytes: of this, memory.
        disk_remaining_bytes: of this, disks.
        bandwidth_bytes_s: how fast memory is sent.
        dirty_bytes_s: how fast the guest writes to pages that were sent already.
        iteration: how often memory was gone over, from 1.
        downtime_ms: expected while it runs, real at the end.
        setup_ms: what went by before the first page.
        throttle_percent: part of the guest's CPU time that auto-converge takes away.
        page_faults: post-copy: how often the guest had to wait for a page.
    """

    elapsed_s: float
    phase: Phase = "precopy"
    remaining_bytes: float = math.nan
    processed_bytes: float = math.nan
    total_bytes: float = math.nan
    memory_remaining_bytes: float = math.nan
    disk_remaining_bytes: float = math.nan
    bandwidth_bytes_s: float = math.nan
    dirty_bytes_s: float = math.nan
    iteration: int = 0
    downtime_ms: float = math.nan
    setup_ms: float = math.nan
    throttle_percent: float = 0.0
    page_faults: float = math.nan

    @property
    def fraction(self) -> float:
        """Return the part that is sent, 0..1; memory written again counts as not sent."""
        if not self.total_bytes > 0 or math.isnan(self.remaining_bytes):
            return 0.0
        return min(1.0, max(0.0, 1 - self.remaining_bytes / self.total_bytes))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def sample_of(stats: Mapping[str, Any], *, phase: Phase | None = None) -> MigrationSample:
    """Return a sample of libvirt's job statistics; an empty mapping is one that sets up."""

    def value(name: str) -> float:
        return float(stats[name]) if name in stats else math.nan

    page = value("memory_page_size")
    return MigrationSample(
        elapsed_s=stats.get("time_elapsed", 0) / 1000,
        phase=phase or ("precopy" if stats.get("memory_iteration") else "setup"),
        remaining_bytes=value("data_remaining"),
        processed_bytes=value("data_processed"),
        total_bytes=value("data_total"),
        memory_remaining_bytes=value("memory_remaining"),
        disk_remaining_bytes=value("disk_remaining"),
        bandwidth_bytes_s=value("memory_bps"),
        dirty_bytes_s=value("memory_dirty_rate") * page,
        iteration=int(stats.get("memory_iteration", 0)),
        downtime_ms=value("downtime"),
        setup_ms=value("setup_time"),
        throttle_percent=float(stats.get("auto_converge_throttle", 0)),
        page_faults=value("memory_postcopy_requests"),
    )


def seconds_left(samples: Sequence[MigrationSample]) -> float:
    """Return in how many seconds it will have converged at this pace; infinity: never.

    What is left shrinks by the bandwidth less the dirty rate. NaN while nothing is known.
    """
    if not samples:
        return math.nan
    last = samples[-1]
    bandwidth = last.bandwidth_bytes_s
    if not bandwidth > 0:
        bandwidth = _measured(samples)
    if not bandwidth > 0 or math.isnan(last.remaining_bytes):
        return math.nan
    dirty = 0.0 if math.isnan(last.dirty_bytes_s) else last.dirty_bytes_s
    if last.remaining_bytes <= 0:
        return 0.0
    if dirty >= bandwidth:
        return math.inf
    return last.remaining_bytes / (bandwidth - dirty)


def _measured(samples: Sequence[MigrationSample]) -> float:
    """Return how fast data went in the last two seconds, bytes/s."""
    last = samples[-1]
    for first in reversed(samples):
        passed = last.elapsed_s - first.elapsed_s
        if passed >= 1.0:
            return (last.processed_bytes - first.processed_bytes) / passed
    return math.nan


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a migration will take, from what can be known before it.

    Attributes:
        seconds: the whole; infinity when it does not converge by itself.
        downtime_ms: how long the guest will stand still.
        rounds: how often memory is gone over.
        bytes: what is sent.
        why: the calculation in a sentence.
    """

    seconds: float
    downtime_ms: float
    rounds: int
    bytes: float
    why: str

    @property
    def converges(self) -> bool:
        """Return True when it ends by itself."""
        return math.isfinite(self.seconds)


def estimate(
    *,
    memory_bytes: float,
    dirty_bytes_s: float,
    bandwidth_bytes_s: float,
    disk_bytes: float = 0.0,
    max_downtime_ms: float = DEFAULT_DOWNTIME_MS,
    hot_bytes: float | None = None,
    most_rounds: int = 1000,
) -> Estimate:
    """Predict a pre-copy migration.

    Each round sends what was written during the round before; it ends when the rest goes within
    the downtime. The guide promises "2 GB in 10 s" (E-61 in its errata): true at 1.7 Gbit/s of a
    guest that stands still, 17 s on 1 Gbit/s.

    Args:
        memory_bytes: memory that the guest uses (pages never touched cost next to nothing).
        dirty_bytes_s: how fast it writes.
        bandwidth_bytes_s: how fast data goes.
        disk_bytes: disks that are copied along, before the memory.
        max_downtime_ms: how long it may stand still.
        hot_bytes: how much it writes to over and over; a round sends no more than this. None: all.
        most_rounds: after so many it counts as never ending.

    Returns:
        The prediction; `Estimate.seconds` is infinite when the guest writes as fast as is sent.
    """
    if not bandwidth_bytes_s > 0:
        return Estimate(math.inf, math.nan, 0, math.nan, "nothing is sent at a bandwidth of 0")
    hot = memory_bytes if hot_bytes is None else min(hot_bytes, memory_bytes)
    allowed = bandwidth_bytes_s * max_downtime_ms / 1000
    left, seconds, sent, rounds = float(memory_bytes), disk_bytes / bandwidth_bytes_s, disk_bytes, 0
    while left > allowed and rounds < most_rounds:
        took = left / bandwidth_bytes_s
        seconds, sent, rounds = seconds + took, sent + left, rounds + 1
        fresh = min(hot, dirty_bytes_s * took)
        if fresh >= left and fresh > allowed:
            return Estimate(
                math.inf,
                fresh / bandwidth_bytes_s * 1000,
                rounds,
                math.inf,
                f"the guest writes {dirty_bytes_s / _MIB:.0f} MiB/s to {hot / _MIB:.0f} MiB, and "
                f"{bandwidth_bytes_s / _MIB:.0f} MiB/s are sent: it never ends by itself; allow "
                f"a downtime of {fresh / bandwidth_bytes_s * 1000:.0f} ms, slow the guest down "
                "(auto_converge), or switch over (postcopy)",
            )
        left = fresh
    downtime = left / bandwidth_bytes_s * 1000
    return Estimate(
        seconds + downtime / 1000,
        downtime,
        rounds,
        sent + left,
        f"{memory_bytes / _MIB:.0f} MiB of memory"
        + (f" and {disk_bytes / _MIB:.0f} MiB of disks" if disk_bytes else "")
        + f" at {bandwidth_bytes_s / _MIB:.0f} MiB/s, {dirty_bytes_s / _MIB:.1f} MiB/s written "
        f"meanwhile: {rounds + 1} rounds",
    )


def guide_seconds(bandwidth_bytes_s: float, dirty_bytes_s: float = 0.0) -> float:
    """Return how long the guide's guest of 2 GB takes; it promises 10 s and no bandwidth.

    Ten seconds need 215 MB/s (1.7 Gbit/s) of a guest that stands still; gigabit takes 17 s.

    Args:
        bandwidth_bytes_s: how fast data goes.
        dirty_bytes_s: how fast the guest writes meanwhile.

    Returns:
        Seconds; infinity when it never ends by itself.
    """
    found = estimate(
        memory_bytes=2 * 1024**3,
        dirty_bytes_s=dirty_bytes_s,
        bandwidth_bytes_s=bandwidth_bytes_s,
    )
    return found.seconds
