"""Samples: what was read of all domains at one moment, as counters and as rates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from labvirt.status.series import Kind

__all__ = ["COUNTERS", "Mark", "Reading", "Sample", "Subject", "Table"]

#: What is read, by kind: the columns of a `Reading`. ``_ns`` are nanoseconds; NaN is "not known".
COUNTERS: dict[Kind, tuple[str, ...]] = {
    "domain": (
        "state",
        "vcpus",
        "max_memory_bytes",
        "memory_bytes",
        "cpu_time_ns",
        "wait_ns",
        "balloon_current_bytes",
        "balloon_usable_bytes",
        "balloon_updated_s",
    ),
    "vcpu": ("state", "cpu_time_ns"),
    "disk": (
        "read_bytes",
        "read_ops",
        "read_ns",
        "write_bytes",
        "write_ops",
        "write_ns",
        "flush_ops",
        "flush_ns",
        "allocation_bytes",
        "capacity_bytes",
    ),
    "interface": (
        "rx_bytes",
        "rx_packets",
        "rx_errors",
        "rx_drops",
        "tx_bytes",
        "tx_packets",
        "tx_errors",
        "tx_drops",
    ),
    "host": (
        "cpus",
        "user_ns",
        "kernel_ns",
        "iowait_ns",
        "idle_ns",
        "memory_bytes",
        "memory_free_bytes",
        "memory_cached_bytes",
        "disk_read_bytes",
        "disk_write_bytes",
        "net_rx_bytes",
        "net_tx_bytes",
    ),
}


class Subject(NamedTuple):
    """Whom a row tells of.

    Attributes:
        host: name of the host.
        uuid: the domain; empty for the host itself.
        device: ``0`` for the first vCPU, ``vda`` for a disk, the MAC address or tap device for an
            interface; empty for the domain or host as a whole.
    """

    host: str
    uuid: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Counters of one kind, read together.

    Attributes:
        kind: what the rows are.
        subjects: one per row. The same tuple object again means the same rows again.
        clocks: seconds of a clock that never steps back and runs on in sleep, per row.
        counters: one row per subject, columns as in `COUNTERS`; float64.
        complete: every subject of that kind is here; else only some (a slice) were read.
    """

    kind: Kind
    subjects: tuple[Subject, ...]
    clocks: NDArray[np.float64]
    counters: NDArray[np.float64]
    complete: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rates and levels of one kind at one moment.

    Attributes:
        kind: what the rows are.
        subjects: one per row.
        values: one row per subject, columns as in `series_of`; float64, NaN is "no data".
    """

    kind: Kind
    subjects: tuple[Subject, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Everything that is known of one host at one moment.

    What is read more seldom than each tick (disks, balloon) stands here with its last value until
    it is too old, then as NaN.

    Attributes:
        host: name of the host.
        number: 1 for the first since the sampler began, one more each tick.
        at: time of reading, seconds since 1970, UTC.
        interval_s: seconds between two ticks.
        tables: by kind; a kind that nobody needs is absent.
        names: UUID to name of the domains, as they are called now.
        stalled: UUID to the time (as `at`) since when its hypervisor process gives no answer.
    """

    host: str
    number: int
    at: float
    interval_s: float
    tables: Mapping[Kind, Table]
    names: Mapping[str, str] = field(default_factory=dict)
    stalled: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, on the time axis of the charts.

    Attributes:
        at: when, seconds since 1970, UTC.
        kind: ``migrated``, ``paused``, ``resumed``, ``started``, ``stopped``, ``snapshot``,
            ``fault``, ``alert``, ``stalled``, ``clock``, ``gap``, ``renamed`` or ``note``.
        host: name of the host.
        uuid: the domain; empty for the host.
        text: what happened, in words.
    """

    at: float
    kind: str
    host: str
    uuid: str = ""
    text: str = ""
