"""Sampling: the raw counters of all domains of a host, in as few calls as libvirt allows.

`read_fast` asks no hypervisor process: one call for all domains and ``info()`` of each. `read_slow`
does (disks 3, balloon 2, vCPU delays 2 monitor commands for each guest), so it is for few domains at
a time, on a link that can be broken off, and after `control`.

Rows are plain tuples; ``None`` and absent figures are NaN. Clocks are seconds of CLOCK_BOOTTIME.
"""

from __future__ import annotations

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
    "Row",
    "Slow",
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
_NET = ("rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop")
_BLOCK = (
    "rd.bytes", "rd.reqs", "rd.times", "wr.bytes", "wr.reqs", "wr.times", "fl.reqs", "fl.times",
    "allocation", "capacity",
)  # fmt: skip
#: virDomainControlState: another call waits for the hypervisor process.
BUSY = 2
_MOST_DEVICES = 1024


class Row(NamedTuple):
    """Counters of one subject.

    Attributes:
        uuid: the domain.
        device: the vCPU, disk or interface; empty for the domain as a whole.
        clock: when it was read, seconds of CLOCK_BOOTTIME.
        counters: in the order of `labvirt.status.sample.COUNTERS`.
    """

    uuid: str
    device: str
    clock: float
    counters: tuple[float, ...]


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
    """What one main tick has read.

    ``domains`` rows hold state, vCPUs, most memory, memory and CPU time: the first five counters.
    """

    domains: list[Row] = field(default_factory=list)
    interfaces: list[Row] = field(default_factory=list)
    vcpus: list[Row] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    node: Node | None = None


@dataclass(slots=True)
class Slow:
    """What was read of some domains by asking their hypervisor processes.

    ``domains`` rows hold the last four counters: wait_ns and the three of the balloon.
    """

    domains: list[Row] = field(default_factory=list)
    disks: list[Row] = field(default_factory=list)


def clock_s() -> float:
    """Return seconds of a clock that never steps back and runs on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _keys(group: str, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(f"{group}.{number}.{name}" for name in ("name", *names)) for number in range(64)
    )


_NET_KEYS = _keys("net", _NET)
_BLOCK_KEYS = _keys("block", _BLOCK)


def _devices(
    told: Mapping[str, Any], group: str, keys: tuple[tuple[str, ...], ...], names: Sequence[str]
) -> Iterable[tuple[str, tuple[float, ...]]]:
    for number in range(min(told.get(f"{group}.count", 0), _MOST_DEVICES)):
        name, *wanted = (
            keys[number]
            if number < len(keys)
            else [f"{group}.{number}.{each}" for each in ("name", *names)]
        )
        if name in told:
            yield told[name], tuple(float(told.get(key, _NAN)) for key in wanted)


def node_facts(link: StatsLink) -> tuple[int, float]:
    """Return how many CPUs the host has, and its memory in bytes."""
    with link.asking("read the machine of the host") as raw:
        link.calls += 1
        facts = raw.getInfo()
        return max(1, int(facts[2])), float(facts[1]) * _KIB * _KIB


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
        for domain, told in _bulk(link, raw, network=network):
            _take_domain(link, domain, told, made, vcpus_of)
        if node:
            made.node = _node(link, raw)
    return made


def _bulk(link: StatsLink, raw: Any, *, network: bool) -> list[tuple[Any, dict[str, Any]]]:
    groups = libvirt.VIR_DOMAIN_STATS_STATE
    if network:
        groups |= libvirt.VIR_DOMAIN_STATS_INTERFACE
    link.calls += 1
    try:
        before = clock_s()
        told = raw.getAllDomainStats(groups, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE)
        at = (before + clock_s()) / 2
        return [(domain, {**stats, "": at}) for domain, stats in told]
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
        state, most_kib, kib, vcpus, cpu_ns = domain.info()
        clock = clock_s()
        if vcpus_of is None or uuid in vcpus_of:
            made.vcpus += _vcpus(link, domain, uuid)
    except libvirt.libvirtError:
        if link.broken or not is_alive(link.raw):
            raise
        return  # it ended meanwhile
    state = told.get("state.state", state)
    counters = (float(state), float(vcpus), most_kib * 1024.0, kib * 1024.0, float(cpu_ns))
    made.domains.append(Row(uuid, "", clock, counters))
    made.names[uuid] = domain.name()
    at = told.get("", clock)
    made.interfaces += [
        Row(uuid, name, at, figures) for name, figures in _devices(told, "net", _NET_KEYS, _NET)
    ]


def _vcpus(link: StatsLink, domain: Any, uuid: str) -> list[Row]:
    link.calls += 3  # the binding asks for the host's CPUs and the domain's vCPUs first
    try:
        times, _ = domain.vcpus()
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT"):
            return []
        raise
    clock = clock_s()
    return [
        Row(uuid, str(number), clock, (float(state), float(time_ns)))
        for number, state, time_ns, _ in times
    ]


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
    # The daemon asks one guest after another: each has its share of the time.
    step = (clock_s() - before) / max(1, len(answer))
    for place, (domain, told) in enumerate(answer):
        clock = before + step * (place + 0.5)
        uuid = domain.UUIDString()
        made.disks += [
            Row(uuid, name, clock, figures)
            for name, figures in _devices(told, "block", _BLOCK_KEYS, _BLOCK)
        ]
        if balloon or steal:
            made.domains.append(Row(uuid, "", clock, _waiting_and_balloon(told)))
    return made


def _waiting_and_balloon(told: Mapping[str, Any]) -> tuple[float, float, float, float]:
    delays = [
        value for key, value in told.items() if key.startswith("vcpu.") and key.endswith(".delay")
    ]
    return (
        float(sum(delays)) if delays else _NAN,
        told.get("balloon.current", _NAN) * 1024.0,
        told.get("balloon.usable", _NAN) * 1024.0,
        float(told.get("balloon.last-update", _NAN)),
    )


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
