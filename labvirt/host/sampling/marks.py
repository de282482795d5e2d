"""Marks: what happened to domains, in words for the time axis of charts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.status.sample import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.connection import Event

__all__ = ["mark_of"]

#: Lifecycle event -> kind of mark; a reason may say otherwise.
_KINDS = {
    "started": "started",
    "stopped": "stopped",
    "suspended": "paused",
    "resumed": "resumed",
    "pmsuspended": "paused",
    "crashed": "fault",
}
_REASONS = {
    ("started", "migrated"): "migrated",
    ("started", "from snapshot"): "snapshot",
    ("stopped", "migrated"): "migrated",
    ("stopped", "crashed"): "fault",
    ("stopped", "failed"): "fault",
    ("stopped", "from snapshot"): "snapshot",
    ("suspended", "I/O error"): "fault",
    ("suspended", "watchdog"): "fault",
    ("suspended", "API error"): "fault",
    ("suspended", "migrated"): "migrated",
    ("suspended", "post-copy failed"): "fault",
    ("suspended", "from snapshot"): "snapshot",
    ("resumed", "migrated"): "migrated",
    ("resumed", "from snapshot"): "snapshot",
    ("defined", "renamed"): "renamed",
    ("defined", "from snapshot"): "snapshot",
}


def mark_of(event: Event, host: str, at: float) -> Mark | None:
    """Return the mark of an event of a domain or of the link; None for what is no news.

    Args:
        event: what libvirt told.
        host: name of the host.
        at: when, on the axis of the samples, seconds since 1970.
    """
    if event.kind == "link":
        lost = event.detail.get("state") == "lost"
        why = event.detail.get("why", "")
        return Mark(at, "gap", host, text=f"the link was lost: {why}") if lost else None
    if event.resource != "domain":
        return None
    if event.kind == "lifecycle":
        return _of_life(event, host, at)
    words = _fault(event.kind, event.detail)
    return Mark(at, "fault", host, event.uuid, f"{event.name}: {words}") if words else None


def _fault(kind: str, detail: Mapping[str, Any]) -> str:
    if kind == "io-error":
        return f"I/O error of {detail.get('device')} ({detail.get('reason')})"
    if kind in {"watchdog", "control-error", "memory-failure"}:
        return f"{kind.replace('-', ' ')} {detail.get('action', '')}".rstrip()
    return ""


def _of_life(event: Event, host: str, at: float) -> Mark | None:
    what, reason = event.detail.get("event", ""), event.detail.get("reason", "")
    kind = _REASONS.get((what, reason), _KINDS.get(what))
    if kind is None:
        return None
    text = f"{event.name} {what} ({reason})" if reason else f"{event.name} {what}"
    if kind == "renamed":
        text = f"now called {event.name}"
    return Mark(at, kind, host, event.uuid, text)
