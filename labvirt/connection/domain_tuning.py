"""Changing a migration while it runs: speed, downtime, and the switch to post-copy (G12.3-01)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection.handles import bits, on_domain

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = ["max_downtime", "max_speed", "set_max_downtime", "set_max_speed", "start_postcopy"]


def max_speed(conn: Connection, uuid: str, *, postcopy: bool = False) -> int:
    """Return the limit of migration data in MiB/s, as ``virsh migrate-getspeed`` does."""
    flags = bits(DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY=postcopy)
    verb = "read the migration speed of"
    return int(on_domain(conn, uuid, verb, lambda domain: domain.migrateGetMaxSpeed(flags)))


def set_max_speed(conn: Connection, uuid: str, mib_s: int, *, postcopy: bool = False) -> None:
    """Limit migration data to MiB/s, also while it runs (``virsh migrate-setspeed``)."""
    flags = bits(DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY=postcopy)
    verb = "limit the migration speed of"
    on_domain(conn, uuid, verb, lambda domain: domain.migrateSetMaxSpeed(mib_s, flags))


def max_downtime(conn: Connection, uuid: str) -> int:
    """Return how long the guest may stand still at the end, ms."""
    verb = "read the migration downtime of"
    return int(on_domain(conn, uuid, verb, lambda domain: domain.migrateGetMaxDowntime(0)))


def set_max_downtime(conn: Connection, uuid: str, ms: int) -> None:
    """Say how long the guest may stand still, ms (``virsh migrate-setmaxdowntime``)."""
    verb = "limit the migration downtime of"
    on_domain(conn, uuid, verb, lambda domain: domain.migrateSetMaxDowntime(ms, 0))


def start_postcopy(conn: Connection, uuid: str) -> None:
    """Let the guest run on the destination now; the rest of its memory follows.

    Raises:
        ConflictError: no migration runs, or it was not begun as one that may be switched over.
    """
    verb = "switch over to post-copy"
    on_domain(conn, uuid, verb, lambda domain: domain.migrateStartPostCopy(0))
