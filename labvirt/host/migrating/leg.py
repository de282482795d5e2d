"""One guest of a convoy: where it goes, how, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labvirt.host.domain import Domain
    from labvirt.host.host import Host
    from labvirt.host.migrating.result import MigrationResult
    from labvirt.plan import Plan

__all__ = ["Leg", "how"]


@dataclass
class Leg:
    """One guest of a convoy.

    Attributes:
        name: the guest.
        uuid: its UUID.
        source: host it leaves.
        destination: host it goes to.
        memory: bytes it has.
        is_on: it ran when the plan was made.
        autostart: it starts with its host's daemon, and shall there too.
        plan: its migration.
        state: ``waiting``, ``moving``, ``moved``, ``failed``, ``stayed`` (not begun, or aborted),
            ``back`` (moved and brought back).
        seconds: how long it took.
        downtime_ms: how long it stood still; None when it did not run or was not told.
        error: why it failed; empty when it did not.
    """

    name: str
    uuid: str
    source: Host
    destination: Host
    memory: int = 0
    is_on: bool = True
    autostart: bool = False
    plan: Plan[MigrationResult] | None = field(default=None, repr=False)
    state: str = "waiting"
    seconds: float = 0.0
    downtime_ms: int | None = None
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return a row of the table."""
        return {
            "guest": self.name,
            "source": self.source.name,
            "destination": self.destination.name,
            "state": self.state,
            "seconds": round(self.seconds, 2),
            "downtime_ms": self.downtime_ms,
            "memory": self.memory,
            "error": self.error,
        }


def how(domain: Domain) -> dict[str, Any]:
    """Return the options that a domain needs whatever is asked: off, or without a definition."""
    record = domain.info()
    if record.id is None:
        return {"offline": True}
    return {} if record.persistent else {"persist": False, "undefine_source": False}
