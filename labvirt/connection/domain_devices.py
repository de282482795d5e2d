"""Changing a running domain's devices beyond whole XML: limits of disks, statistics of the balloon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, affects, on_domain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.connection.connection import Connection

__all__ = [
    "detach_alias",
    "disk_errors",
    "filter_names",
    "set_disk_limits",
    "set_memory_stats_period",
]

#: ``VIR_DOMAIN_DISK_ERROR_*``.
_DISK_ERRORS = {1: "unspecified", 2: "no-space"}


def filter_names(conn: Connection) -> tuple[str, ...]:
    """Return the names of the host's nwfilters; none where the driver has no filters."""

    def look(raw: Any) -> tuple[str, ...]:
        try:
            return tuple(sorted(one.name() for one in raw.listAllNWFilters(0)))
        except libvirt.libvirtError as error:
            if is_code(error, "NO_SUPPORT"):
                return ()
            raise

    return conn.call("list nwfilters", look)


def detach_alias(conn: Connection, uuid: str, alias: str) -> None:
    """Ask the guest to let go of a device, named by its alias; returns before it has.

    Raises:
        NotFoundError: there is no such device.
    """
    on_domain(
        conn,
        uuid,
        f"detach {alias} from",
        lambda domain: domain.detachDeviceAlias(alias, affects(live=True, config=False)),
        timeout_s=SLOW_S,
    )


def set_disk_limits(conn: Connection, uuid: str, target: str, limits: Mapping[str, int]) -> None:
    """Limit a disk of a running domain; those not named are lifted.

    Args:
        conn: the connection.
        uuid: which domain.
        target: ``vda``.
        limits: libvirt's names: ``total_bytes_sec``, ``read_iops_sec`` ...
    """
    flags = affects(live=True, config=False)
    on_domain(
        conn,
        uuid,
        f"limit {target} of",
        lambda domain: domain.setBlockIoTune(target, dict(limits), flags),
    )


def disk_errors(conn: Connection, uuid: str) -> dict[str, str]:
    """Return the disks of a running domain that had I/O errors: why, by target.

    Raises:
        ConflictError: it does not run.
    """
    raw = on_domain(conn, uuid, "read the disk errors of", lambda domain: domain.diskErrors())
    return {target: _DISK_ERRORS.get(code, f"error {code}") for target, code in (raw or {}).items()}


def set_memory_stats_period(conn: Connection, uuid: str, seconds: int) -> None:
    """Let a running guest's balloon tell of its memory this often; 0 stops it."""
    flags = affects(live=True, config=False)
    on_domain(
        conn,
        uuid,
        "set the period of memory statistics of",
        lambda domain: domain.setMemoryStatsPeriod(seconds, flags),
    )
