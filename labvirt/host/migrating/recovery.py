"""After a migration whose client died: what goes on is broken off, what is left is told."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.errors import ConflictError, LabvirtError
from labvirt.host.migrating.outcome import settled

if TYPE_CHECKING:
    from labvirt.host.host import Host

__all__ = ["clear_up"]

#: A migration that began so long before or after the action is another one.
_EARLY, _LATE = dt.timedelta(seconds=5), dt.timedelta(seconds=60)


def clear_up(source: Host, destination: Host, uuid: str, name: str, begun: dt.datetime) -> str:
    """Break off a migration that nobody waits for any more, and say where the domain is.

    A direct migration ends with its client, one between the daemons (p2p) goes on.

    Args:
        source: the host it was to leave.
        destination: the host it was to go to.
        uuid: which domain.
        name: its name.
        begun: when the dead process began it (UTC).

    Returns:
        Where it is.

    Raises:
        ConflictError: it is not well on exactly one host; names the commands that mend it.
    """
    if _is_under_way(source, uuid, begun):
        # Refused when it ended meanwhile, or when the guest runs on the other side already.
        with contextlib.suppress(LabvirtError):
            calls.abort_job(source.connection, uuid)
    found = settled(source, destination, uuid, name)
    if found.where == "nowhere" or (found.where in {"moved", "stayed"} and not found.recover):
        # Off on both: somebody may have shut it down since.
        return found.text
    raise ConflictError(
        f"end the migration of {name} to {destination.name}",
        uri=source.label,
        libvirt_text="; ".join((found.text, *found.recover)),
    )


def _is_under_way(source: Host, uuid: str, begun: dt.datetime) -> bool:
    try:
        job = calls.job(source.connection, uuid)
    except LabvirtError:
        return False
    if not job.is_running or job.operation != "migration_out":
        return False
    started = dt.datetime.now(dt.UTC) - dt.timedelta(milliseconds=job.elapsed_ms)
    return begun - _EARLY < started < begun + _LATE
