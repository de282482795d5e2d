"""How a migration went."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from labvirt.model.units import Size

if TYPE_CHECKING:
    from labvirt.host.domain import Domain
    from labvirt.host.migrating.outcome import Whereabouts
    from labvirt.host.migrating.track import MigrationTrack

__all__ = ["MigrationResult", "result_of"]


@dataclass(frozen=True)
class MigrationResult:
    """How a migration went.

    Attributes:
        domain: the domain, on its new host.
        source: name of the host it left.
        destination: name of the host it came to.
        seconds: the whole call.
        total_ms: the hypervisor's own job time; None when it did not say.
        downtime_ms: how long the guest stood still; None when unknown.
        sent: memory and disks that went over the wire.
        iterations: how often memory was gone over.
        stats: everything the hypervisor said of the job.
        track: what was seen on the way.
        whereabouts: where both hosts said that it is, afterwards.
    """

    domain: Domain
    source: str
    destination: str
    seconds: float
    total_ms: int | None
    downtime_ms: int | None
    sent: Size
    iterations: int
    stats: dict[str, Any] = field(repr=False, default_factory=dict)
    track: MigrationTrack | None = field(repr=False, default=None, compare=False)
    whereabouts: Whereabouts | None = field(repr=False, default=None, compare=False)

    def __str__(self) -> str:
        """Return one line."""
        return (
            f"{self.domain.name}: {self.source} -> {self.destination} in {self.seconds:.2f} s, "
            f"downtime {self.downtime_ms} ms, {self.sent.mib:.0f} MiB sent"
        )

    def _repr_html_(self) -> str:
        """Return the figures as a table."""
        rows = {
            "domain": self.domain.name,
            "moved": f"{self.source} → {self.destination}",
            "whole": f"{self.seconds:.2f} s",
            "job": "unknown" if self.total_ms is None else f"{self.total_ms} ms",
            "downtime": "unknown" if self.downtime_ms is None else f"{self.downtime_ms} ms",
            "sent": f"{self.sent.mib:.0f} MiB",
            "rounds": str(self.iterations),
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in rows.items()
        )
        return f"<table>{cells}</table>{_picture(self.track)}"


def _picture(track: MigrationTrack | None) -> str:
    """Return the charts of a track as HTML; nothing where there is no track, or no views.

    Views stand above this room: they are looked up when something is shown, and never needed.
    """
    if track is None or len(track) < 2:
        return ""
    with contextlib.suppress(ImportError):
        return str(import_module("labvirt.widgets.track_figures").page_of_tracks([track]))
    return ""


def result_of(
    domain: Domain,
    whereabouts: Whereabouts,
    seconds: float,
    stats: dict[str, Any],
    track: MigrationTrack,
) -> MigrationResult:
    """Put the figures together."""
    return MigrationResult(
        domain=domain,
        source=whereabouts.source,
        destination=whereabouts.destination,
        seconds=seconds,
        total_ms=stats.get("time_elapsed"),
        downtime_ms=stats.get("downtime"),
        sent=Size(stats.get("memory_processed", 0) + stats.get("disk_processed", 0)),
        iterations=stats.get("memory_iteration", 0),
        stats=stats,
        track=track,
        whereabouts=whereabouts,
    )
