"""Metrics: under which names Prometheus knows what is read, and how series are had back from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from labvirt.status.sample import COUNTERS

if TYPE_CHECKING:
    from labvirt.status.series import Group, Kind

__all__ = ["METRICS", "PRESENT", "STATES", "Metric", "labels_of", "promql"]

#: libvirt's numbers of a domain's state (virDomainState) in words.
STATES: Final = (
    "nostate",
    "running",
    "blocked",
    "paused",
    "shutdown",
    "shutoff",
    "crashed",
    "pmsuspended",
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the exporter.

    Attributes:
        kind: whom it tells of.
        column: column of `COUNTERS`.
        name: without ``_total``; base units.
        type: ``counter`` (``_total`` is added) or ``gauge``.
        scale: what the counter is multiplied with.
        help: what it is.
        mode: value of the label ``mode``; empty for none.
        slow: it is read by asking the hypervisor process, so there is none of a stalled domain.
    """

    kind: Kind
    column: int
    name: str
    type: Literal["counter", "gauge"]
    scale: float
    help: str
    mode: str = ""
    slow: bool = False


_NS: Final = 1e-9
_ROWS: Final[tuple[tuple[Kind, str, str, Literal["counter", "gauge"], str], ...]] = (
    ("domain", "vcpus", "domain_vcpus", "gauge", "Online vCPUs."),
    ("domain", "max_memory_bytes", "domain_memory_max_bytes", "gauge", "Most memory it may have."),
    ("domain", "memory_bytes", "domain_memory_bytes", "gauge", "Memory it has now (balloon)."),
    ("domain", "cpu_time_ns", "domain_cpu_seconds", "counter", "CPU time used."),
    ("domain", "wait_ns", "domain_cpu_wait_seconds", "counter",
     "Time its vCPUs were ready to run and waited for a CPU of the host."),
    ("domain", "balloon_current_bytes", "domain_memory_balloon_bytes", "gauge",
     "Memory it has, by its balloon driver."),
    ("domain", "balloon_usable_bytes", "domain_memory_usable_bytes", "gauge",
     "Memory the guest could still use, by its balloon driver."),
    ("vcpu", "cpu_time_ns", "domain_vcpu_seconds", "counter", "CPU time used by a vCPU."),
    ("disk", "read_bytes", "domain_disk_read_bytes", "counter", "Bytes read by the guest."),
    ("disk", "read_ops", "domain_disk_reads", "counter", "Finished read requests."),
    ("disk", "read_ns", "domain_disk_read_seconds", "counter", "Time of finished read requests."),
    ("disk", "write_bytes", "domain_disk_written_bytes", "counter", "Bytes written by the guest."),
    ("disk", "write_ops", "domain_disk_writes", "counter", "Finished write requests."),
    ("disk", "write_ns", "domain_disk_write_seconds", "counter",
     "Time of finished write requests."),
    ("disk", "flush_ops", "domain_disk_flushes", "counter", "Finished flush requests."),
    ("disk", "flush_ns", "domain_disk_flush_seconds", "counter",
     "Time of finished flush requests."),
    ("disk", "allocation_bytes", "domain_disk_allocation_bytes", "gauge",
     "Highest byte in use of the image."),
    ("disk", "capacity_bytes", "domain_disk_capacity_bytes", "gauge", "Size that the guest sees."),
    ("interface", "rx_bytes", "domain_interface_receive_bytes", "counter", "Bytes to the guest."),
    ("interface", "rx_packets", "domain_interface_receive_packets", "counter",
     "Packets to the guest."),
    ("interface", "rx_errors", "domain_interface_receive_errors", "counter",
     "Broken packets to the guest."),
    ("interface", "rx_drops", "domain_interface_receive_drops", "counter",
     "Packets to the guest that were lost."),
    ("interface", "tx_bytes", "domain_interface_transmit_bytes", "counter",
     "Bytes from the guest."),
    ("interface", "tx_packets", "domain_interface_transmit_packets", "counter",
     "Packets from the guest."),
    ("interface", "tx_errors", "domain_interface_transmit_errors", "counter",
     "Broken packets from the guest."),
    ("interface", "tx_drops", "domain_interface_transmit_drops", "counter",
     "Packets from the guest that were lost."),
    ("host", "cpus", "host_cpus", "gauge", "CPUs of the host."),
    ("host", "user_ns", "host_cpu_seconds", "counter", "Time of the host's CPUs by mode."),
    ("host", "kernel_ns", "host_cpu_seconds", "counter", "Time of the host's CPUs by mode."),
    ("host", "iowait_ns", "host_cpu_seconds", "counter", "Time of the host's CPUs by mode."),
    ("host", "idle_ns", "host_cpu_seconds", "counter", "Time of the host's CPUs by mode."),
    ("host", "memory_bytes", "host_memory_bytes", "gauge", "Memory of the host."),
    ("host", "memory_free_bytes", "host_memory_free_bytes", "gauge", "Free memory of the host."),
    ("host", "memory_cached_bytes", "host_memory_cached_bytes", "gauge",
     "Memory of the host in buffers and caches."),
    ("host", "disk_read_bytes", "host_disk_read_bytes", "counter",
     "Bytes read by its block devices."),
    ("host", "disk_write_bytes", "host_disk_written_bytes", "counter",
     "Bytes written by its block devices."),
    ("host", "net_rx_bytes", "host_network_receive_bytes", "counter",
     "Bytes received by its network cards."),
    ("host", "net_tx_bytes", "host_network_transmit_bytes", "counter",
     "Bytes sent by its network cards."),
)  # fmt: skip


def _metric(
    kind: Kind, column: str, name: str, type_: Literal["counter", "gauge"], text: str
) -> Metric:
    return Metric(
        kind,
        COUNTERS[kind].index(column),
        f"labvirt_{name}",
        type_,
        _NS if column.endswith("_ns") else 1.0,
        text,
        mode=column.removesuffix("_ns") if name == "host_cpu_seconds" else "",
        slow=kind == "disk" or column.startswith("balloon_"),
    )


METRICS: Final = tuple(_metric(*row) for row in _ROWS)
#: A metric that is always there, by kind.
PRESENT: Final[dict[Kind, str]] = {
    "domain": "labvirt_domain_vcpus",
    "vcpu": "labvirt_domain_vcpu_seconds_total",
    "disk": "labvirt_domain_disk_read_bytes_total",
    "interface": "labvirt_domain_interface_receive_bytes_total",
    "host": "labvirt_up",
}
#: What has to be asked for to have all metrics but those of single vCPUs.
GROUPS: Final[tuple[Group, ...]] = ("cpu", "memory", "network", "host", "disk", "balloon")


def labels_of(kind: Kind) -> tuple[str, ...]:
    """Return the names of the labels of a kind."""
    if kind == "host":
        return ("host",)
    return ("host", "domain", "uuid") if kind == "domain" else ("host", "domain", "uuid", "device")


def _rate(name: str) -> str:
    return f"sum by (BY) (rate(labvirt_{name}_total{{SEL}}[WINDOW]))"


def _level(name: str) -> str:
    return f"max by (BY) (labvirt_{name}{{SEL}})"


def _of_host(name: str) -> str:
    return f"on (host) group_left () max by (host) (labvirt_host_{name})"


def _mode(mode: str) -> str:
    return f'sum by (host) (rate(labvirt_host_cpu_seconds_total{{mode=~"{mode}",SEL}}[WINDOW]))'


_PROMQL: Final[dict[tuple[Kind, str], str]] = {
    ("domain", "cpu_percent"): f"100 * {_rate('domain_cpu_seconds')} / {_level('domain_vcpus')}",
    ("domain", "cpu_host_percent"): f"100 * {_rate('domain_cpu_seconds')} / {_of_host('cpus')}",
    ("domain", "cpu_steal_percent"):
        f"100 * {_rate('domain_cpu_wait_seconds')} / {_level('domain_vcpus')}",
    ("domain", "memory_bytes"): _level("domain_memory_bytes"),
    ("domain", "memory_host_percent"):
        f"100 * {_level('domain_memory_bytes')} / {_of_host('memory_bytes')}",
    ("domain", "memory_used_bytes"):
        f"{_level('domain_memory_balloon_bytes')} - {_level('domain_memory_usable_bytes')}",
    ("vcpu", "cpu_percent"): f"100 * {_rate('domain_vcpu_seconds')}",
    ("disk", "flush_ops_s"): _rate("domain_disk_flushes"),
    ("disk", "allocation_bytes"): _level("domain_disk_allocation_bytes"),
    ("disk", "capacity_bytes"): _level("domain_disk_capacity_bytes"),
    ("host", "cpu_percent"): f"100 * (1 - {_mode('idle|iowait')} / {_mode('.+')})",
    ("host", "cpu_user_percent"): f"100 * {_mode('user')} / {_mode('.+')}",
    ("host", "cpu_kernel_percent"): f"100 * {_mode('kernel')} / {_mode('.+')}",
    ("host", "cpu_iowait_percent"): f"100 * {_mode('iowait')} / {_mode('.+')}",
    ("host", "memory_bytes"): _level("host_memory_bytes"),
    ("host", "memory_used_bytes"):
        f"{_level('host_memory_bytes')} - {_level('host_memory_free_bytes')}"
        f" - {_level('host_memory_cached_bytes')}",
    ("host", "disk_read_bytes_s"): _rate("host_disk_read_bytes"),
    ("host", "disk_write_bytes_s"): _rate("host_disk_written_bytes"),
    ("host", "net_rx_bytes_s"): _rate("host_network_receive_bytes"),
    ("host", "net_tx_bytes_s"): _rate("host_network_transmit_bytes"),
    ("host", "guests_cpu_percent"):
        f"100 * {_rate('domain_cpu_seconds')} / max by (host) (labvirt_host_cpus)",
    ("host", "guests_memory_bytes"): "sum by (host) (labvirt_domain_memory_bytes{SEL})",
    ("host", "guests_active"): "count by (host) (labvirt_domain_vcpus{SEL})",
}  # fmt: skip


def _both_ways(kind: Kind, disk: str, net: str) -> dict[tuple[Kind, str], str]:
    """Return what is there for reading and writing, receiving and sending, of a device or all."""
    out: dict[tuple[Kind, str], str] = {}
    for way, ops, size in (("read", "reads", "read"), ("write", "writes", "written")):
        spent, done = _rate(f"domain_disk_{way}_seconds"), _rate(f"domain_disk_{ops}")
        out[kind, f"{disk}{way}_bytes_s"] = _rate(f"domain_disk_{size}_bytes")
        out[kind, f"{disk}{way}_ops_s"] = done
        out[kind, f"{disk}{way}_latency_s"] = f"{spent} / {done}"
    for way, word in (("rx", "receive"), ("tx", "transmit")):
        for what in ("bytes", "packets", "drops", "errors"):
            out[kind, f"{net}{way}_{what}_s"] = _rate(f"domain_interface_{word}_{what}")
    return out


_ALL: Final = (
    _both_ways("domain", "disk_", "net_")
    | _both_ways("disk", "", "net_")
    | _both_ways("interface", "disk_", "")
    | _PROMQL
)


def promql(kind: Kind, name: str, *, selector: str, window_s: float) -> str:
    """Return the expression that gives a series back.

    Args:
        kind: of whom.
        name: of the series.
        selector: label matchers, ``host="alpha",uuid="..."``; may be empty.
        window_s: length over which rates are taken, in seconds.
    """
    by = {"host": "host", "domain": "host, uuid"}.get(kind, "host, uuid, device")
    text = _ALL[kind, name].replace("BY", by).replace("WINDOW", f"{round(window_s * 1000)}ms")
    return text.replace("SEL", selector)
