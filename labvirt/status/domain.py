"""What a domain is at one moment: its record, its virtual CPUs, its job and its addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from labvirt.model.units import Size

__all__ = [
    "AddressRecord",
    "ControlRecord",
    "DomainRecord",
    "DomainState",
    "JobRecord",
    "VcpuRecord",
    "reason_text",
    "reason_texts",
]


class DomainState(Enum):
    """Libvirt's own states of a domain, with the older names the guide and ``xm`` use (G15-04).

    The value is libvirt's name in lower case; ``number`` is ``VIR_DOMAIN_*``.
    """

    NOSTATE = "nostate"
    RUNNING = "running"
    BLOCKED = "blocked"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    SHUTOFF = "shutoff"
    CRASHED = "crashed"
    PMSUSPENDED = "pmsuspended"

    def __str__(self) -> str:
        """Return the words virsh shows."""
        return self.text

    @property
    def number(self) -> int:
        """Libvirt's number of the state."""
        return _NUMBERS[self]

    @property
    def text(self) -> str:
        """The words virsh shows for the state, e.g. ``shut off``."""
        return _FACTS[self][0]

    @property
    def xm_letter(self) -> str:
        """The letter ``xm list`` showed for the state; empty where it had none."""
        return _FACTS[self][1]

    @property
    def guide_name(self) -> str:
        """The word the guide uses for the state; empty where it has none."""
        return _FACTS[self][2]

    @property
    def is_active(self) -> bool:
        """Whether a domain in this state has a running hypervisor process."""
        return self in _ACTIVE

    @classmethod
    def of(cls, number: int) -> DomainState:
        """Return the state with libvirt's number; a number from the future reads as NOSTATE."""
        return _BY_NUMBER.get(number, cls.NOSTATE)


_BY_NUMBER = dict(enumerate(DomainState))
_NUMBERS = {state: number for number, state in _BY_NUMBER.items()}
# text of virsh, letter of xm list, word of the guide
_FACTS: dict[DomainState, tuple[str, str, str]] = {
    DomainState.NOSTATE: ("no state", "-", ""),
    DomainState.RUNNING: ("running", "r", "running"),
    DomainState.BLOCKED: ("idle", "b", "blocked"),
    DomainState.PAUSED: ("paused", "p", "paused"),
    DomainState.SHUTDOWN: ("in shutdown", "s", "shutdown"),
    DomainState.SHUTOFF: ("shut off", "", "inactive"),
    DomainState.CRASHED: ("crashed", "c", "crashed"),
    DomainState.PMSUSPENDED: ("pmsuspended", "", ""),
}
_ACTIVE = frozenset(DomainState) - {DomainState.SHUTOFF, DomainState.NOSTATE}

# libvirt's virDomain*Reason enumerations, in their order (libvirt-domain.h)
_REASONS: dict[DomainState, tuple[str, ...]] = {
    DomainState.NOSTATE: ("unknown",),
    DomainState.RUNNING: (
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from snapshot",
        "unpaused",
        "migration canceled",
        "save canceled",
        "event wakeup",
        "crashed",
        "post-copy",
        "post-copy failed",
    ),
    DomainState.BLOCKED: ("unknown",),
    DomainState.PAUSED: (
        "unknown",
        "user",
        "migrating",
        "saving",
        "dumping",
        "I/O error",
        "watchdog",
        "from snapshot",
        "shutting down",
        "creating snapshot",
        "crashed",
        "starting up",
        "post-copy",
        "post-copy failed",
        "api error",
    ),
    DomainState.SHUTDOWN: ("unknown", "user"),
    DomainState.SHUTOFF: (
        "unknown",
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from snapshot",
        "daemon",
    ),
    DomainState.CRASHED: ("unknown", "panicked"),
    DomainState.PMSUSPENDED: ("unknown",),
}


def reason_text(state: DomainState, number: int) -> str:
    """Return in words why a domain is in its state.

    Args:
        state: the state.
        number: libvirt's reason, ``VIR_DOMAIN_<STATE>_*``, as ``virDomainGetState`` gives it.
    """
    reasons = _REASONS[state]
    return reasons[number] if 0 <= number < len(reasons) else f"reason {number}"


def reason_texts() -> tuple[str, ...]:
    """Return all the words that `reason_text` knows, for a catalogue of translations."""
    return tuple(dict.fromkeys(text for reasons in _REASONS.values() for text in reasons))


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """One domain as it was when it was read (``virsh dominfo``, G15-12).

    Attributes:
        uuid: the identity, dashed, lower case.
        name: the name.
        id: libvirt's number while active, None otherwise.
        state: libvirt's state.
        reason: why it is in that state, in words.
        persistent: whether a definition remains when it stops.
        autostart: whether it starts with the host's daemon.
        has_managed_save: whether a start would resume saved memory.
        os_type: ``hvm``, ``linux`` (Xen PV), ``exe``.
        max_memory: the most memory it may have, bytes.
        memory: the memory it has now, bytes.
        vcpus: virtual CPUs now online.
        cpu_time_ns: CPU time used since it started, nanoseconds; 0 while inactive.
        title: libvirt's title, empty when none.
        tags: labvirt's tags.
        read_at: when it was read, aware, UTC.
        description: libvirt's description, empty when none.
        os: short name of the guest's operating system (``debian 12``) as the definition names it
            (libosinfo's metadata), empty when it does not.
        macs: hardware addresses of its interfaces, lower case.
        has_snapshots: whether libvirt knows snapshots of it.
    """

    kind: ClassVar[str] = "domain"

    uuid: str
    name: str
    id: int | None
    state: DomainState
    reason: str
    persistent: bool
    autostart: bool
    has_managed_save: bool
    os_type: str
    max_memory: Size
    memory: Size
    vcpus: int
    cpu_time_ns: int
    title: str
    tags: tuple[str, ...]
    read_at: datetime = field(compare=False)
    description: str = ""
    os: str = ""
    macs: tuple[str, ...] = ()
    has_snapshots: bool = False

    @property
    def is_active(self) -> bool:
        """Whether the domain has a running hypervisor process."""
        return self.id is not None


@dataclass(frozen=True, slots=True)
class VcpuRecord:
    """One virtual CPU (``virsh vcpuinfo``, G15-27).

    Attributes:
        number: which one, from 0.
        state: ``running``, ``blocked``, ``offline``, or ``unknown`` for an inactive domain.
        cpu: the host CPU it was last seen on, None when not running.
        cpu_time_ns: CPU time used, nanoseconds, None when not running.
        affinity: the host CPUs it may run on.
        host_cpus: how many CPUs the host has (for the ``yy--`` map of virsh).
    """

    number: int
    state: str
    cpu: int | None
    cpu_time_ns: int | None
    affinity: frozenset[int]
    host_cpus: int

    @property
    def affinity_map(self) -> str:
        """The affinity as virsh writes it: one ``y`` or ``-`` per host CPU."""
        return "".join("y" if cpu in self.affinity else "-" for cpu in range(self.host_cpus))


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """One address of one interface of a guest.

    Attributes:
        interface: the host's tap device (lease, arp) or the guest's own name (agent).
        mac: hardware address, lower case; empty when unknown.
        family: ``ipv4`` or ``ipv6``.
        address: the address without prefix.
        prefix: length of the network prefix, bits.
        source: who said so: ``lease``, ``agent``, ``arp`` or ``serial``.
        evidence: what was seen, in words; empty when the source says no more.
    """

    interface: str
    mac: str
    family: str
    address: str
    prefix: int
    source: str
    evidence: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """What the channel between libvirt and a domain's hypervisor is doing.

    Attributes:
        state: ``ok``, ``job``, ``occupied`` (the hypervisor owes an answer) or ``error``.
        detail: libvirt's detail of an error, in words; empty otherwise.
        for_ms: how long it has been in that state, milliseconds.
    """

    state: str
    detail: str
    for_ms: int


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The progress of a domain's job: migration, save, dump, backup.

    Attributes:
        kind: ``none``, ``bounded``, ``unbounded``, ``completed``, ``failed``, ``cancelled``.
        operation: ``migration_in``, ``migration_out``, ``save``, ``dump`` ...; empty when none.
        elapsed_ms: time since it began.
        data_total: bytes to move, all kinds together.
        data_processed: bytes moved.
        data_remaining: bytes left.
        raw: every field libvirt gave, under libvirt's own names.
    """

    kind: str
    operation: str
    elapsed_ms: int
    data_total: int
    data_processed: int
    data_remaining: int
    raw: Mapping[str, object]

    @property
    def is_running(self) -> bool:
        """Whether the job is under way."""
        return self.kind in {"bounded", "unbounded"}

    @property
    def done_part(self) -> float | None:
        """Part of the data already moved, 0 to 1; None while nothing is known.

        It may fall again: a guest that writes makes new data to move.
        """
        if self.data_total <= 0:
            return None
        return min(1.0, max(0.0, 1.0 - self.data_remaining / self.data_total))
