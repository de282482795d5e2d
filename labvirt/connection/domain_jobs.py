"""Long jobs of domains: their progress, their end by force, and the memory dump."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.handles import bits, on_domain
from labvirt.errors import SpecError
from labvirt.status.domain import JobRecord

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = ["abort_job", "dump_core", "job", "job_stats"]

# virDomainJobType and virDomainJobOperation, in their order
_KINDS = ("none", "bounded", "unbounded", "completed", "failed", "cancelled")
_OPERATIONS = (
    "",
    "start",
    "save",
    "restore",
    "migration_in",
    "migration_out",
    "snapshot",
    "snapshot_revert",
    "dump",
    "backup",
    "snapshot_delete",
)
_DUMP_FORMATS = {
    None: libvirt.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW,
    "elf": libvirt.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW,
    "kdump-zlib": libvirt.VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_ZLIB,
    "kdump-lzo": libvirt.VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_LZO,
    "kdump-snappy": libvirt.VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_SNAPPY,
    "win-dmp": libvirt.VIR_DOMAIN_CORE_DUMP_FORMAT_WIN_DMP,
}


def job_stats(conn: Connection, uuid: str, *, completed: bool = False) -> dict[str, Any]:
    """Read the job of a domain under libvirt's own names; nearly empty while there is none.

    Args:
        conn: the connection.
        uuid: which domain.
        completed: the last finished job instead; works on the destination of a migration too, and
            is kept only as long as libvirt's daemon lives.

    Returns:
        ``type``, ``operation``, ``time_elapsed`` (ms), ``downtime`` (ms), ``data_total``,
        ``data_processed``, ``data_remaining`` (bytes) ...
    """
    flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED if completed else 0
    return on_domain(conn, uuid, "read the job of", lambda domain: dict(domain.jobStats(flags)))


def job(conn: Connection, uuid: str, *, completed: bool = False) -> JobRecord:
    """Read the job of a domain as a record; see `job_stats`."""
    raw = job_stats(conn, uuid, completed=completed)
    kind = raw.get("type", 0)
    operation = raw.get("operation", 0)
    return JobRecord(
        kind=_KINDS[kind] if kind < len(_KINDS) else str(kind),
        operation=_OPERATIONS[operation] if operation < len(_OPERATIONS) else str(operation),
        elapsed_ms=raw.get("time_elapsed", 0),
        data_total=raw.get("data_total", 0),
        data_processed=raw.get("data_processed", 0),
        data_remaining=raw.get("data_remaining", 0),
        raw=MappingProxyType(raw),
    )


def abort_job(conn: Connection, uuid: str, *, postcopy: bool = False) -> None:
    """Break off the job of a domain: migration, save, dump, backup. Call it from another thread.

    Args:
        conn: the connection.
        uuid: which domain.
        postcopy: break off a migration that already runs on the other side; the guest stops until
            it is resumed.

    Raises:
        ConflictError: there is no job.
    """
    flags = bits(DOMAIN_ABORT_JOB_POSTCOPY=postcopy)
    verb = "abort the job of"
    on_domain(conn, uuid, verb, lambda d: d.abortJobFlags(flags) if flags else d.abortJob())


def dump_core(
    conn: Connection,
    uuid: str,
    path: str,
    *,
    memory_only: bool = True,
    live: bool = False,
    crash: bool = False,
    reset: bool = False,
    bypass_cache: bool = False,
    format: str | None = None,  # noqa: A002 - virsh's word
) -> None:
    """Write a guest's memory to a file of the host; blocks to the end.

    Args:
        conn: the connection.
        uuid: which domain.
        path: absolute path on the host.
        memory_only: an ELF file for ``crash`` and ``gdb``.
        live: let the guest run meanwhile.
        crash: stop the domain afterwards, as crashed.
        reset: reset the domain afterwards.
        bypass_cache: write around the file system cache.
        format: ``elf``, ``kdump-zlib``, ``kdump-lzo``, ``kdump-snappy`` or ``win-dmp``.
    """
    if format not in _DUMP_FORMATS:
        known = ", ".join(str(name) for name in _DUMP_FORMATS if name)
        raise SpecError(f"the dump format {format!r} is not known", hint=known)
    number = _DUMP_FORMATS[format]
    flags = bits(
        DUMP_MEMORY_ONLY=memory_only,
        DUMP_LIVE=live,
        DUMP_CRASH=crash,
        DUMP_RESET=reset,
        DUMP_BYPASS_CACHE=bypass_cache,
    )
    on_domain(
        conn,
        uuid,
        "dump the memory of",
        lambda domain: domain.coreDumpWithFormat(path, number, flags),
        timeout_s=None,
    )
