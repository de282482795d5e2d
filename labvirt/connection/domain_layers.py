"""Layers over the disks of a running domain: put on by a snapshot, merged back by a block job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, bits, on_domain

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = ["abort", "merge", "pivot", "progress", "put"]


def put(conn: Connection, uuid: str, xml: str, *, quiesce: bool) -> None:
    """Put a new file over disks, all at one moment; libvirt remembers no snapshot.

    Args:
        conn: the connection.
        uuid: which domain; it must run.
        xml: the snapshot that says which disks get which file.
        quiesce: let the guest agent write everything out and hold still meanwhile.

    Raises:
        ConflictError: it does not run, or its agent does not answer.
    """
    flags = bits(
        DOMAIN_SNAPSHOT_CREATE_DISK_ONLY=True,
        DOMAIN_SNAPSHOT_CREATE_ATOMIC=True,
        DOMAIN_SNAPSHOT_CREATE_NO_METADATA=True,
        DOMAIN_SNAPSHOT_CREATE_QUIESCE=quiesce,
    )
    on_domain(
        conn,
        uuid,
        "put a layer over the disks of",
        lambda domain: domain.snapshotCreateXML(xml, flags),
        timeout_s=SLOW_S,
    )


def merge(conn: Connection, uuid: str, target: str) -> None:
    """Begin to write the top layer of a disk into the one below; the guest goes on writing."""
    flags = bits(DOMAIN_BLOCK_COMMIT_ACTIVE=True, DOMAIN_BLOCK_COMMIT_SHALLOW=True)
    on_domain(
        conn,
        uuid,
        f"merge the top layer of {target} of",
        lambda domain: domain.blockCommit(target, None, None, 0, flags),
        timeout_s=SLOW_S,
    )


def progress(conn: Connection, uuid: str, target: str) -> tuple[int, int] | None:
    """Return how many bytes of how many the block job of a disk has done, None without a job."""

    def look(domain: Any) -> tuple[int, int] | None:
        told = domain.blockJobInfo(target, 0)
        return (int(told["cur"]), int(told["end"])) if told else None

    return on_domain(conn, uuid, f"read the block job of {target} of", look)


def pivot(conn: Connection, uuid: str, target: str) -> bool:
    """Let the guest go on with the layer below, when the job has come so far.

    Returns:
        False when it has not yet.
    """
    flags = bits(DOMAIN_BLOCK_JOB_ABORT_PIVOT=True)

    def turn(domain: Any) -> bool:
        try:
            domain.blockJobAbort(target, flags)
        except libvirt.libvirtError as error:
            if is_code(error, "BLOCK_COPY_ACTIVE", "OPERATION_INVALID") and "ready" in str(error):
                return False
            raise
        return True

    return on_domain(conn, uuid, f"pivot {target} of", turn, timeout_s=SLOW_S)


def abort(conn: Connection, uuid: str, target: str) -> None:
    """End the block job of a disk; the guest keeps all its layers."""
    on_domain(conn, uuid, f"end the block job of {target} of", lambda d: d.blockJobAbort(target, 0))
