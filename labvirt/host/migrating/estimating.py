"""What a migration will take, told before it: measured dirty rate, memory in use, bandwidth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from labvirt.connection import domain as calls
from labvirt.connection import domain_tuning as tuning
from labvirt.connection.domain_dirty import dirty_rate
from labvirt.errors import LabvirtError
from labvirt.status.finding import Finding
from labvirt.status.migration import DEFAULT_DOWNTIME_MS, Estimate, estimate, guide_seconds

if TYPE_CHECKING:
    from labvirt.host.handle import DomainHandle
    from labvirt.model.migration import MigrationSpec

__all__ = ["ASSUMED_BYTES_S", "estimated", "finding_of"]

_MIB: Final = 1 << 20
#: Payload of a gigabit network, bytes/s; what is assumed when nothing limits the data.
ASSUMED_BYTES_S: Final = 117 * _MIB
#: libvirt's limit when there is none, MiB/s, and everything near it.
_NO_LIMIT: Final = 1 << 20


def estimated(
    domain: DomainHandle,
    spec: MigrationSpec,
    *,
    disk_bytes: float = 0.0,
    measure_s: int = 1,
    bandwidth_bytes_s: float | None = None,
) -> tuple[Estimate, float, float]:
    """Predict a migration of a running domain.

    Args:
        domain: it runs.
        spec: how it is to move.
        disk_bytes: disks that are copied along.
        measure_s: how long its writing is measured, seconds.
        bandwidth_bytes_s: how fast data goes; None: the limit of the spec or of the domain, else
            a gigabit network.

    Returns:
        The prediction, the bandwidth it counts with, and the dirty rate; bytes/s.

    Raises:
        LabvirtError: the hypervisor cannot measure it, or the domain is not running.
    """
    link = domain.host.connection
    dirty = dirty_rate(link, domain.uuid, seconds=measure_s)
    bandwidth = bandwidth_bytes_s or _bandwidth(domain, spec)
    downtime = spec.max_downtime_ms or _downtime(domain)
    return (
        estimate(
            memory_bytes=_memory(domain),
            dirty_bytes_s=dirty,
            bandwidth_bytes_s=bandwidth,
            disk_bytes=disk_bytes,
            max_downtime_ms=downtime,
        ),
        bandwidth,
        float(dirty),
    )


def _bandwidth(domain: DomainHandle, spec: MigrationSpec) -> float:
    limit = spec.bandwidth_mib_s
    if limit is None:
        try:
            limit = tuning.max_speed(domain.host.connection, domain.uuid)
        except LabvirtError:
            limit = 0
    return float(limit * _MIB) if 0 < limit < _NO_LIMIT else float(ASSUMED_BYTES_S)


def _downtime(domain: DomainHandle) -> float:
    try:
        return tuning.max_downtime(domain.host.connection, domain.uuid) or DEFAULT_DOWNTIME_MS
    except LabvirtError:
        return DEFAULT_DOWNTIME_MS


def _memory(domain: DomainHandle) -> float:
    """Return the memory that has to be sent: what the guest has, less what it never touched.

    What QEMU has resident tells it best. Under TCG that is more than the guest has; then the
    guest's own word counts, by which what it has used and freed again is left out.
    """
    stats = calls.memory_stats(domain.host.connection, domain.uuid)
    actual, resident = stats.get("actual", 0), stats.get("rss", 0)
    if 0 < resident < actual:
        return float(resident * 1024)
    return float(max(0, actual - stats.get("unused", 0)) * 1024)


def finding_of(found: Estimate, bandwidth: float, dirty: float, spec: MigrationSpec) -> Finding:
    """Return the prediction as a finding, with the honest figure for the guide's promise."""
    question = "How long will it take, and how long will the guest stand still?"
    promise = (
        f"at {bandwidth / _MIB:.0f} MiB/s the guide's 2 GB take "
        f"{guide_seconds(bandwidth, dirty):.0f} s, not 10"
    )
    if guide_seconds(bandwidth, dirty) <= 10:
        promise = f"the guide's 2 GB in 10 s hold at {bandwidth / _MIB:.0f} MiB/s"
    if math.isinf(guide_seconds(bandwidth, dirty)):
        promise = "the guide's 2 GB in 10 s would never end with a guest that writes like this"
    if found.converges:
        evidence = f"{found.seconds:.1f} s, of which it stands still {found.downtime_ms:.0f} ms"
        return Finding("estimate", question, "ok", f"{evidence}: {found.why}; {promise}")
    helped = spec.auto_converge or spec.postcopy or spec.on_timeout != "abort"
    return Finding(
        "estimate",
        question,
        "ok" if helped else "warning",
        f"{dirty / _MIB:.0f} MiB/s written; {promise}",
        found.why,
        "auto_converge=True, postcopy=True, or a larger max_downtime_ms",
    )
