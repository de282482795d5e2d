"""The event table: what libvirt can tell of domains, networks and pools, and in which words.

One row per event id; ids that the installed library lacks are left out when the table is used.
Libvirt sends two forms of some events; only the fuller one is in the table (``IO_ERROR_REASON``
for ``IO_ERROR``, ``BLOCK_JOB_2`` for ``BLOCK_JOB``).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import libvirt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LINK_REASONS", "ROWS", "Row"]

Words = tuple[str, ...]

#: virConnectCloseReason
LINK_REASONS: Words = ("error", "closed by the other side", "keepalive unanswered", "closed by us")

_AGENT_STATES: Words = ("", "connected", "disconnected")
_AGENT_REASONS: Words = ("unknown", "domain started", "channel")
_IO_ACTIONS: Words = ("none", "pause", "report")
_WATCHDOG: Words = ("none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi")
_BLOCK_JOBS: Words = ("unknown", "pull", "copy", "commit", "active-commit", "backup")
_BLOCK_STATES: Words = ("completed", "failed", "cancelled", "ready")
_METADATA: Words = ("description", "title", "element")

#: virDomainEventType, and the details of each
_LIFECYCLE: tuple[tuple[str, Words], ...] = (
    ("defined", ("added", "updated", "renamed", "from snapshot")),
    ("undefined", ("removed", "renamed")),
    ("started", ("booted", "migrated", "restored", "from snapshot", "wakeup", "recovery")),
    (
        "suspended",
        (
            "paused",
            "migrated",
            "I/O error",
            "watchdog",
            "restored",
            "from snapshot",
            "API error",
            "post-copy",
            "post-copy failed",
            "guest shutdown",
        ),
    ),
    (
        "resumed",
        ("unpaused", "migrated", "from snapshot", "post-copy", "post-copy failed"),
    ),
    (
        "stopped",
        (
            "shutdown",
            "destroyed",
            "crashed",
            "migrated",
            "saved",
            "failed",
            "from snapshot",
            "recreated",
        ),
    ),
    ("shutdown", ("finished", "guest", "host")),
    ("pmsuspended", ("memory", "disk")),
    ("crashed", ("panicked", "crash loaded")),
)
_NETWORK: tuple[tuple[str, Words], ...] = tuple(
    (word, ()) for word in ("defined", "undefined", "started", "stopped")
)
_POOL: tuple[tuple[str, Words], ...] = tuple(
    (word, ()) for word in ("defined", "undefined", "started", "stopped", "created", "deleted")
)


@dataclass(frozen=True, slots=True)
class Row:
    """One event id.

    Attributes:
        resource: ``domain``, ``network`` or ``pool``.
        number: libvirt's event id, None when the installed library has no such event.
        kind: our name of the event, as virsh writes it.
        decode: makes a mapping of the arguments between the object and the opaque one.
    """

    resource: str
    number: int | None
    kind: str
    decode: Callable[[tuple[Any, ...]], Mapping[str, Any]]


def _word(words: Words, number: Any) -> str:
    return words[number] if 0 <= number < len(words) else str(number)


def _fields(*names: str, **words: Words) -> Callable[[tuple[Any, ...]], Mapping[str, Any]]:
    def decode(values: tuple[Any, ...]) -> Mapping[str, Any]:
        pairs = zip(names, values, strict=False)  # a newer libvirt may send more
        told = {n: _word(words[n], v) if n in words else v for n, v in pairs}
        return MappingProxyType(told)

    return decode


def _lifecycle(
    table: tuple[tuple[str, Words], ...],
) -> Callable[[tuple[Any, ...]], Mapping[str, Any]]:
    def decode(values: tuple[Any, ...]) -> Mapping[str, Any]:
        event, detail = values
        known = 0 <= event < len(table)
        name, details = table[event] if known else (f"event {event}", ())
        return MappingProxyType(
            {"event": name, "reason": _word(details, detail) if details else ""}
        )

    return decode


def _payload(values: tuple[Any, ...]) -> Mapping[str, Any]:
    return MappingProxyType(dict(values[0]))


def _row(resource: str, name: str, kind: str, decode: Callable[..., Mapping[str, Any]]) -> Row:
    prefix = {"domain": "DOMAIN", "network": "NETWORK", "pool": "STORAGE_POOL"}[resource]
    number = getattr(libvirt, f"VIR_{prefix}_EVENT_ID_{name}", None)
    return Row(resource, number, kind, decode)


ROWS: tuple[Row, ...] = (
    _row("domain", "LIFECYCLE", "lifecycle", _lifecycle(_LIFECYCLE)),
    _row("domain", "REBOOT", "reboot", _fields()),
    _row("domain", "RTC_CHANGE", "rtc-change", _fields("offset_s")),
    _row("domain", "WATCHDOG", "watchdog", _fields("action", action=_WATCHDOG)),
    _row(
        "domain",
        "IO_ERROR_REASON",
        "io-error",
        _fields("path", "device", "action", "reason", action=_IO_ACTIONS),
    ),
    _row(
        "domain",
        "GRAPHICS",
        "graphics",
        _fields(
            "phase", "local", "remote", "scheme", "subject",
            phase=("connect", "initialize", "disconnect"),
        ),
    ),
    _row("domain", "CONTROL_ERROR", "control-error", _fields()),
    _row(
        "domain",
        "DISK_CHANGE",
        "disk-change",
        _fields("old_path", "new_path", "device", "reason", reason=("changed", "dropped")),
    ),
    _row(
        "domain",
        "TRAY_CHANGE",
        "tray-change",
        _fields("device", "reason", reason=("opened", "closed")),
    ),
    _row("domain", "PMWAKEUP", "pm-wakeup", _fields("reason")),
    _row("domain", "PMSUSPEND", "pm-suspend", _fields("reason")),
    _row("domain", "PMSUSPEND_DISK", "pm-suspend-disk", _fields("reason")),
    _row("domain", "BALLOON_CHANGE", "balloon-change", _fields("actual_kib")),
    _row("domain", "DEVICE_REMOVED", "device-removed", _fields("device")),
    _row(
        "domain",
        "BLOCK_JOB_2",
        "block-job",
        _fields("target", "type", "status", type=_BLOCK_JOBS, status=_BLOCK_STATES),
    ),
    _row("domain", "TUNABLE", "tunable", _payload),
    _row(
        "domain",
        "AGENT_LIFECYCLE",
        "agent-lifecycle",
        _fields("state", "reason", state=_AGENT_STATES, reason=_AGENT_REASONS),
    ),
    _row("domain", "DEVICE_ADDED", "device-added", _fields("device")),
    _row("domain", "MIGRATION_ITERATION", "migration-iteration", _fields("iteration")),
    _row("domain", "JOB_COMPLETED", "job-completed", _payload),
    _row("domain", "DEVICE_REMOVAL_FAILED", "device-removal-failed", _fields("device")),
    _row("domain", "METADATA_CHANGE", "metadata-change", _fields("part", "namespace", part=_METADATA)),
    _row(
        "domain",
        "BLOCK_THRESHOLD",
        "block-threshold",
        _fields("device", "path", "threshold_bytes", "excess_bytes"),
    ),
    _row(
        "domain",
        "MEMORY_FAILURE",
        "memory-failure",
        _fields(
            "recipient", "action", "flags",
            recipient=("hypervisor", "guest"), action=("ignore", "inject", "fatal", "reset"),
        ),
    ),
    _row(
        "domain",
        "MEMORY_DEVICE_SIZE_CHANGE",
        "memory-device-size-change",
        _fields("device", "size_kib"),
    ),
    _row("domain", "NIC_MAC_CHANGE", "nic-mac-change", _fields("device", "old_mac", "new_mac")),
    _row("domain", "VCPU_REMOVED", "vcpu-removed", _fields("vcpu")),
    _row(
        "domain",
        "CHANNEL_LIFECYCLE",
        "channel-lifecycle",
        _fields("channel", "state", "reason", state=_AGENT_STATES, reason=_AGENT_REASONS),
    ),
    _row("network", "LIFECYCLE", "lifecycle", _lifecycle(_NETWORK)),
    _row("network", "METADATA_CHANGE", "metadata-change", _fields("part", "namespace", part=_METADATA)),
    _row("pool", "LIFECYCLE", "lifecycle", _lifecycle(_POOL)),
    _row("pool", "REFRESH", "refresh", _fields()),
)  # fmt: skip
