"""Block jobs of a running domain: commit, pull, copy, resize; their progress and their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libvirt

from labvirt.connection.handles import SLOW_S, bits, on_domain, size_of
from labvirt.status.blockjob import BlockJobRecord

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection
    from labvirt.model.units import Size

__all__ = ["abort", "block_info", "commit", "copy", "info", "pull", "resize", "set_speed"]

#: virDomainBlockJobType
_TYPES = ("unknown", "pull", "copy", "commit", "active-commit", "backup")


def info(conn: Connection, uuid: str, target: str) -> BlockJobRecord | None:
    """Read the block job of a disk; None when it has none (``virsh blockjob``)."""
    flags = libvirt.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES
    raw = on_domain(
        conn,
        uuid,
        f"read the block job of {target} of",
        lambda domain: domain.blockJobInfo(target, flags),
    )
    if not raw:
        return None
    kind, done, total = raw["type"], raw["cur"], raw["end"]
    two_phased = kind in (
        libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY,
        libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT,
    )
    return BlockJobRecord(
        domain=uuid,
        target=target,
        type=_TYPES[kind] if kind < len(_TYPES) else str(kind),
        done=size_of(done),
        total=size_of(total),
        limit=size_of(raw["bandwidth"]),
        # Libvirt keeps the two apart until QEMU says that it is ready.
        is_ready=two_phased and 0 < total == done,
        read_at=conn.now(),
    )


def commit(
    conn: Connection,
    uuid: str,
    target: str,
    *,
    base: str | None = None,
    top: str | None = None,
    active: bool = False,
    delete: bool = False,
    speed: int = 0,
) -> None:
    """Begin to write the files of a chain into one below them (``virsh blockcommit``).

    Args:
        conn: the connection.
        uuid: which domain.
        target: which disk.
        base: the file that is written into; the lowest when None.
        top: the highest file that is merged; the file the domain writes to when None.
        active: `top` is the file the domain writes to: the job waits, once ready, for its pivot.
        delete: remove the merged files at the end.
        speed: most bytes per second, 0 for no limit.
    """
    flags = bits(
        DOMAIN_BLOCK_COMMIT_ACTIVE=active,
        DOMAIN_BLOCK_COMMIT_DELETE=delete,
        DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES=True,
    )
    on_domain(
        conn,
        uuid,
        f"commit disk {target} of",
        lambda domain: domain.blockCommit(target, base, top, speed, flags),
        timeout_s=SLOW_S,
    )


def pull(
    conn: Connection, uuid: str, target: str, *, base: str | None = None, speed: int = 0
) -> None:
    """Begin to read what lies below the active file into it (``virsh blockpull``).

    Args:
        conn: the connection.
        uuid: which domain.
        target: which disk.
        base: the file that stays below; None for none at all.
        speed: most bytes per second, 0 for no limit.
    """
    flags = bits(DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES=True)
    on_domain(
        conn,
        uuid,
        f"pull disk {target} of",
        lambda domain: domain.blockRebase(target, base, speed, flags),
        timeout_s=SLOW_S,
    )


def copy(
    conn: Connection,
    uuid: str,
    target: str,
    xml: str,
    *,
    shallow: bool = False,
    reuse: bool = False,
    transient: bool = False,
    synchronous: bool = False,
    speed: int = 0,
    granularity: int = 0,
) -> None:
    """Begin to copy a disk elsewhere (``virsh blockcopy``).

    Args:
        conn: the connection.
        uuid: which domain.
        target: which disk.
        xml: a <disk> with the driver and the source of the copy.
        shallow: copy the active file only; the copy lies over the same files.
        reuse: the target exists and is written into.
        transient: allow it for a domain that has a stored definition: libvirt could not bring the
            job back if its definition was started anew.
        synchronous: guest writes wait for the copy, so that it surely catches up.
        speed: most bytes per second, 0 for no limit.
        granularity: size of what is copied at once, bytes, a power of two; 0 lets QEMU choose.
    """
    flags = bits(
        DOMAIN_BLOCK_COPY_SHALLOW=shallow,
        DOMAIN_BLOCK_COPY_REUSE_EXT=reuse,
        DOMAIN_BLOCK_COPY_TRANSIENT_JOB=transient,
        DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES=synchronous,
    )
    options: dict[str, int] = {}
    if speed:
        options[libvirt.VIR_DOMAIN_BLOCK_COPY_BANDWIDTH] = speed
    if granularity:
        options[libvirt.VIR_DOMAIN_BLOCK_COPY_GRANULARITY] = granularity
    on_domain(
        conn,
        uuid,
        f"copy disk {target} of",
        lambda domain: domain.blockCopy(target, xml, options, flags),
        timeout_s=SLOW_S,
    )


def abort(conn: Connection, uuid: str, target: str, *, pivot: bool = False) -> None:
    """End the block job of a disk (``virsh blockjob --abort``, ``--pivot``).

    Args:
        conn: the connection.
        uuid: which domain.
        target: which disk.
        pivot: go over to the copy, or to the base of an active commit; it must be ready.
    """
    flags = bits(DOMAIN_BLOCK_JOB_ABORT_PIVOT=pivot)
    verb = "pivot" if pivot else "abort the block job of"
    on_domain(
        conn,
        uuid,
        f"{verb} disk {target} of",
        lambda domain: domain.blockJobAbort(target, flags),
        timeout_s=SLOW_S,
    )


def set_speed(conn: Connection, uuid: str, target: str, speed: int) -> None:
    """Limit a block job, bytes per second; 0 takes the limit away."""
    flags = libvirt.VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES
    on_domain(
        conn,
        uuid,
        f"limit the block job of {target} of",
        lambda domain: domain.blockJobSetSpeed(target, speed, flags),
    )


def resize(conn: Connection, uuid: str, target: str, size: int) -> None:
    """Give a disk of a running domain another size, bytes (``virsh blockresize``)."""
    flags = libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
    on_domain(
        conn,
        uuid,
        f"resize disk {target} of",
        lambda domain: domain.blockResize(target, size, flags),
        timeout_s=SLOW_S,
    )


def block_info(conn: Connection, uuid: str, target: str) -> tuple[Size, Size, Size]:
    """Read the sizes of a disk (``virsh domblkinfo``).

    Returns:
        What the guest sees, what is taken on the host, and the size of the file; bytes.
    """
    found = on_domain(
        conn, uuid, f"read the size of {target} of", lambda domain: domain.blockInfo(target, 0)
    )
    virtual, taken, physical = (size_of(value) for value in found)
    return virtual, taken, physical
