"""Series: everything that is charted, what it means and in which unit, in one table.

A value without its definition is a rumour: every view shows unit and definition from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["GROUPS", "KINDS", "SERIES", "Group", "Kind", "Series", "find_series", "series_of"]

#: What a series tells of. A subject of kind ``vcpu``, ``disk`` or ``interface`` is part of a domain.
Kind = Literal["domain", "vcpu", "disk", "interface", "host"]
KINDS: tuple[Kind, ...] = ("domain", "vcpu", "disk", "interface", "host")

#: What can be asked for together. ``cpu``, ``memory`` and ``network`` ask no hypervisor process.
Group = Literal["cpu", "memory", "network", "vcpu", "host", "disk", "balloon", "steal"]
GROUPS: tuple[Group, ...] = (
    "cpu",
    "memory",
    "network",
    "vcpu",
    "host",
    "disk",
    "balloon",
    "steal",
)


@dataclass(frozen=True, slots=True)
class Series:
    """One thing that is charted.

    Attributes:
        kind: what it tells of.
        name: its column, with the unit at its end.
        title: its heading, for people.
        unit: ``%``, ``B``, ``B/s``, ``1/s``, ``s`` or ``""`` (a plain number).
        group: what has to be asked for to have it.
        definition: how it is computed, in one sentence.
    """

    kind: Kind
    name: str
    title: str
    unit: str
    group: Group
    definition: str


_OF_ALL = "over the time between two readings"
_TABLE: tuple[tuple[Kind, str, str, str, Group, str], ...] = (
    ("domain", "cpu_percent", "CPU", "%", "cpu",
     f"CPU time used {_OF_ALL}, of what its online vCPUs could use: 100 % is all of them busy"),
    ("domain", "cpu_host_percent", "CPU of host", "%", "cpu",
     f"CPU time used {_OF_ALL}, of what all CPUs of the host could give (virt-manager's figure)"),
    ("domain", "cpu_steal_percent", "Steal", "%", "steal",
     "time its vCPUs were ready to run but had to wait for a host CPU, of what they could use"),
    ("domain", "memory_bytes", "Memory", "B", "memory", "memory the guest has now (balloon)"),
    ("domain", "memory_host_percent", "Memory of host", "%", "memory",
     "memory the guest has now, of the host's"),
    ("domain", "memory_used_bytes", "Memory used", "B", "balloon",
     "memory the guest has less what it says it could still use; no data without a balloon driver"),
    ("domain", "disk_read_bytes_s", "Disk read", "B/s", "disk", "read from all disks"),
    ("domain", "disk_write_bytes_s", "Disk write", "B/s", "disk", "written to all disks"),
    ("domain", "disk_read_ops_s", "Disk reads", "1/s", "disk", "read requests of all disks"),
    ("domain", "disk_write_ops_s", "Disk writes", "1/s", "disk", "write requests of all disks"),
    ("domain", "disk_read_latency_s", "Read latency", "s", "disk",
     "mean time of a finished read request; no data when there was none"),
    ("domain", "disk_write_latency_s", "Write latency", "s", "disk",
     "mean time of a finished write request; no data when there was none"),
    ("domain", "net_rx_bytes_s", "Received", "B/s", "network", "received by all interfaces"),
    ("domain", "net_tx_bytes_s", "Sent", "B/s", "network", "sent by all interfaces"),
    ("domain", "net_rx_packets_s", "Packets received", "1/s", "network", "by all interfaces"),
    ("domain", "net_tx_packets_s", "Packets sent", "1/s", "network", "by all interfaces"),
    ("vcpu", "cpu_percent", "vCPU", "%", "vcpu", f"CPU time used {_OF_ALL}: 100 % is busy"),
    ("disk", "read_bytes_s", "Read", "B/s", "disk", "bytes read by the guest"),
    ("disk", "write_bytes_s", "Written", "B/s", "disk", "bytes written by the guest"),
    ("disk", "read_ops_s", "Reads", "1/s", "disk", "finished read requests"),
    ("disk", "write_ops_s", "Writes", "1/s", "disk", "finished write requests"),
    ("disk", "flush_ops_s", "Flushes", "1/s", "disk", "finished flush requests"),
    ("disk", "read_latency_s", "Read latency", "s", "disk", "mean time of a finished read request"),
    ("disk", "write_latency_s", "Write latency", "s", "disk",
     "mean time of a finished write request"),
    ("disk", "allocation_bytes", "Allocated", "B", "disk", "highest byte in use of the image"),
    ("disk", "capacity_bytes", "Capacity", "B", "disk", "size that the guest sees"),
    ("interface", "rx_bytes_s", "Received", "B/s", "network", "bytes that reached the guest"),
    ("interface", "tx_bytes_s", "Sent", "B/s", "network", "bytes that the guest sent"),
    ("interface", "rx_packets_s", "Packets received", "1/s", "network", "packets to the guest"),
    ("interface", "tx_packets_s", "Packets sent", "1/s", "network", "packets from the guest"),
    ("interface", "rx_drops_s", "Drops received", "1/s", "network", "packets to the guest lost"),
    ("interface", "tx_drops_s", "Drops sent", "1/s", "network", "packets from the guest lost"),
    ("interface", "rx_errors_s", "Errors received", "1/s", "network", "broken packets to it"),
    ("interface", "tx_errors_s", "Errors sent", "1/s", "network", "broken packets from it"),
    ("host", "cpu_percent", "CPU", "%", "host", "time that the host's CPUs were not idle"),
    ("host", "cpu_user_percent", "CPU user", "%", "host", "time in programs, guests included"),
    ("host", "cpu_kernel_percent", "CPU kernel", "%", "host", "time in the host's kernel"),
    ("host", "cpu_iowait_percent", "CPU I/O wait", "%", "host", "time idle, waiting for disks"),
    ("host", "memory_bytes", "Memory", "B", "host", "memory of the host"),
    ("host", "memory_used_bytes", "Memory used", "B", "host",
     "memory of the host less free, buffers and caches"),
    ("host", "disk_read_bytes_s", "Disk read", "B/s", "host",
     "read by the machine's block devices; this machine only"),
    ("host", "disk_write_bytes_s", "Disk write", "B/s", "host",
     "written by the machine's block devices; this machine only"),
    ("host", "net_rx_bytes_s", "Received", "B/s", "host",
     "received by the machine's network cards; this machine only"),
    ("host", "net_tx_bytes_s", "Sent", "B/s", "host",
     "sent by the machine's network cards; this machine only"),
    ("host", "guests_cpu_percent", "CPU of guests", "%", "cpu",
     "CPU time of all its domains, of what all CPUs of the host could give"),
    ("host", "guests_memory_bytes", "Memory of guests", "B", "memory",
     "memory that all its active domains have now"),
    ("host", "guests_active", "Active domains", "", "cpu", "domains with a hypervisor process"),
)  # fmt: skip

#: Every series, by kind and name; the order of a kind is the order of its columns.
SERIES: dict[tuple[Kind, str], Series] = {(row[0], row[1]): Series(*row) for row in _TABLE}

_BY_KIND: dict[Kind, tuple[Series, ...]] = {
    kind: tuple(each for each in SERIES.values() if each.kind == kind) for kind in KINDS
}


def series_of(kind: Kind) -> tuple[Series, ...]:
    """Return the series of one kind, in the order of the columns of its `Table`."""
    return _BY_KIND[kind]


def find_series(kind: Kind, name: str) -> int:
    """Return the column of a series.

    Raises:
        KeyError: there is none of that name.
    """
    for column, each in enumerate(_BY_KIND[kind]):
        if each.name == name:
            return column
    raise KeyError((kind, name))
