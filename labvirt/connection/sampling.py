"""Sampling: the raw counters of all domains of a host, in as few calls as libvirt allows.

`read_fast` asks no hypervisor process: one call for all domains and ``info()`` of each. `read_slow`
does (disks 3, balloon 2, vCPU delays 2 monitor commands for each guest), so it is for few domains at
a time, on a link that can be broken off, and after `control`.

What comes back is as libvirt gives it; `labvirt.status.gather` makes arrays of it. Clocks are
seconds of CLOCK_BOOTTIME.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import bits, flag
from labvirt.connection.opening import is_alive
from labvirt.connection.xmlfacts import memory_balloon

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from labvirt.connection.stats_link import StatsLink

__all__ = [
    "BUSY",
    "Control",
    "Fast",
    "Node",
    "Slow",
    "Vcpu",
    "balloon_facts",
    "clock_s",
    "control",
    "node_facts",
    "read_fast",
    "read_slow",
    "set_balloon_period",
]

_NAN = math.nan
_KIB = 1024
#: virDomainControlState: another call waits for the hypervisor process.
BUSY = 2


class Vcpu(NamedTuple):
    """Counters of one vCPU: ``virVcpuState`` and nanoseconds, and when they were read."""

    uuid: str
    number: int
    clock: float
    state: int
    time_ns: int


class Node(NamedTuple):
    """Counters of the host itself, nanoseconds and bytes, and when they were read."""

    clock: float
    user_ns: float
    kernel_ns: float
    iowait_ns: float
    idle_ns: float
    memory_bytes: float
    memory_free_bytes: float
    memory_cached_bytes: float


class Control(NamedTuple):
    """State of the channel to a hypervisor process: ``virDomainControlState`` and for how long."""

    state: int
    for_s: float


@dataclass(slots=True)
class Fast:
    """What one main tick has read of all active domains.

    Attributes:
        records: UUID of each, and what its groups tell.
        clock: when that was read.
        infos: ``info()`` of each, in the same order.
        clocks: when each ``info()`` was read.
        names: UUID to name.
        vcpus: of the domains for which they were asked.
        node: the host's own figures; None when they were not asked for.
    """

    records: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    clock: float = 0.0
    infos: list[Sequence[float]] = field(default_factory=list)
    clocks: list[float] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    vcpus: list[Vcpu] = field(default_factory=list)
    node: Node | None = None


@dataclass(slots=True)
class Slow:
    """What was read of some domains by asking their hypervisor processes.

    Attributes:
        records: UUID of each, and what its groups tell.
        clock: when that was read.
    """

    records: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    clock: float = 0.0


def clock_s() -> float:
    """Return seconds of a clock that never steps back and runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def node_facts(link: StatsLink) -> tuple[int, float]:
    """Return how many CPUs the host has, and its memory in bytes."""
    with link.asking("read the machine of the host") as raw:
        link.calls += 2
        facts = raw.getInfo()
        memory_bytes = float(facts[1]) * _KIB * _KIB
        # The sum of NUMA cells may be less than the machine has; the host's series tells this one.
        with contextlib.suppress(libvirt.libvirtError, KeyError):
            told = raw.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS, 0)
            memory_bytes = float(told["total"]) * _KIB
        return max(1, int(facts[2])), memory_bytes


def read_fast(
    link: StatsLink,
    *,
    network: bool = True,
    vcpus_of: AbstractSet[str] | None = frozenset(),
    node: bool = False,
) -> Fast:
    """Read all active domains without asking a hypervisor process.

    1 + N calls for N domains; 2 more with `node`, 3 more for each domain of `vcpus_of`.

    Args:
        link: the link.
        network: interfaces as well.
        vcpus_of: UUIDs of the domains whose vCPUs are read one by one; None for all.
        node: the host's own figures as well.

    Raises:
        ConnectionLostError: the link broke.
        HostError: libvirt refused.
    """
    made = Fast()
    with link.asking("read the statistics of all domains") as raw:
        before = clock_s()
        told = _bulk(link, raw, network=network)
        made.clock = (before + clock_s()) / 2
        for domain, stats in told:
            _take_domain(link, domain, stats, made, vcpus_of)
        if node:
            made.node = _node(link, raw)
    return made


def _bulk(link: StatsLink, raw: Any, *, network: bool) -> list[tuple[Any, dict[str, Any]]]:
    groups = libvirt.VIR_DOMAIN_STATS_STATE
    if network:
        groups |= libvirt.VIR_DOMAIN_STATS_INTERFACE
    link.calls += 1
    try:
        active = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
        return list(raw.getAllDomainStats(groups, active))
    except libvirt.libvirtError as error:
        if not is_code(error, "NO_SUPPORT", "ARGUMENT_UNSUPPORTED", "INVALID_ARG"):
            raise
    link.calls += 1
    return [(domain, {}) for domain in raw.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)]


def _take_domain(
    link: StatsLink,
    domain: Any,
    told: dict[str, Any],
    made: Fast,
    vcpus_of: AbstractSet[str] | None,
) -> None:
    uuid = domain.UUIDString()
    try:
        link.calls += 1
        info = domain.info()
        clock = clock_s()
        if vcpus_of is None or uuid in vcpus_of:
            made.vcpus += _vcpus(link, domain, uuid)
    except libvirt.libvirtError:
        if link.broken or not is_alive(link.raw):
            raise
        return  # it ended meanwhile
    made.records.append((uuid, told))
    made.infos.append(info)
    made.clocks.append(clock)
    made.names[uuid] = domain.name()


def _vcpus(link: StatsLink, domain: Any, uuid: str) -> list[Vcpu]:
    link.calls += 3  # the binding asks for the host's CPUs and the domain's vCPUs first
    try:
        times, _ = domain.vcpus()
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT"):
            return []
        raise
    clock = clock_s()
    return [Vcpu(uuid, number, clock, state, time_ns) for number, state, time_ns, _ in times]


def _node(link: StatsLink, raw: Any) -> Node:
    """Read the host's figures; NaN for what its driver does not tell."""
    cpu: dict[str, int] = {}
    memory: dict[str, int] = {}
    link.calls += 2
    try:
        cpu = raw.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS, 0)
        clock = clock_s()
        memory = raw.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS, 0)
    except libvirt.libvirtError:
        if link.broken or not is_alive(raw):
            raise
        clock = clock_s()
    times = (float(cpu.get(name, _NAN)) for name in ("user", "kernel", "iowait", "idle"))
    cached = memory.get("buffers", _NAN) + memory.get("cached", _NAN)
    sizes = (memory.get("total", _NAN), memory.get("free", _NAN), cached)
    return Node(clock, *times, *(float(size) * _KIB for size in sizes))


def control(link: StatsLink, uuids: Iterable[str]) -> dict[str, Control | None]:
    """Look what the channels to some hypervisor processes do, without asking those processes.

    Returns:
        By UUID; None for a domain that is not active any more.
    """
    found: dict[str, Control | None] = {}
    for uuid in uuids:
        try:
            domain = link.domain(uuid)
            link.calls += 1
            state, _, for_ms = domain.controlInfo(0)
            found[uuid] = Control(int(state), for_ms / 1000)
        except libvirt.libvirtError as error:
            if link.broken or not is_alive(link.raw):
                raise
            if is_code(error, "NO_SUPPORT"):
                found[uuid] = Control(0, 0.0)
                continue
            link.forget(uuid)
            found[uuid] = None
    return found


def read_slow(
    link: StatsLink, uuids: Sequence[str], *, disk: bool, balloon: bool, steal: bool
) -> Slow:
    """Read what only the hypervisor processes know, in one call for all `uuids`.

    A guest whose process is busy with another call is left out (``NOWAIT``).

    Args:
        link: the link; the call may never come back.
        uuids: which domains; a few.
        disk: the block devices.
        balloon: what the guests tell of their memory.
        steal: how long vCPUs waited for a CPU of the host.
    """
    groups = bits(DOMAIN_STATS_BLOCK=disk, DOMAIN_STATS_BALLOON=balloon, DOMAIN_STATS_VCPU=steal)
    handles = []
    for uuid in uuids:
        try:
            handles.append(link.domain(uuid))
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_DOMAIN"):
                raise
    made = Slow()
    if not handles:
        return made
    link.calls += 1
    before = clock_s()
    try:
        answer = link.raw.domainListGetStats(
            handles, groups, flag("CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT")
        )
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT", "ARGUMENT_UNSUPPORTED", "INVALID_ARG"):
            return made
        raise
    made.clock = (before + clock_s()) / 2
    made.records = [(domain.UUIDString(), told) for domain, told in answer]
    return made


def balloon_facts(link: StatsLink, uuid: str) -> tuple[str, int]:
    """Return the model of a running domain's balloon and the period of its statistics.

    The model is empty when there is none, the period 0 when they are off. Asks no hypervisor
    process.

    Raises:
        ConnectionLostError: the link broke.
        HostError: the domain is gone.
    """
    with link.asking("read the balloon of a domain"):
        domain = link.domain(uuid)
        link.calls += 1
        return memory_balloon(domain.XMLDesc(0))


def set_balloon_period(link: StatsLink, uuid: str, seconds: int) -> bool:
    """Let a running guest tell of its memory this often, 0 for never; asks its process.

    Raises:
        ConnectionLostError: the link broke.
        HostError: the domain is gone, or has no such balloon.
    """
    with link.asking("set the period of memory statistics"):
        link.calls += 1
        link.domain(uuid).setMemoryStatsPeriod(seconds, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    return True
