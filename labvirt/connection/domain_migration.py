"""Migration: a domain moves to another host, by way of both connections."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.domain_jobs import abort_job
from labvirt.connection.handles import bits, flag
from labvirt.connection.opening import is_alive
from labvirt.errors import LabvirtError, SpecError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from labvirt.connection.connection import Connection

__all__ = ["MIGRATE_OPTIONS", "migrate"]

#: virsh's words for what a migration can do besides: name of libvirt's flag without VIR_MIGRATE_
MIGRATE_OPTIONS: dict[str, str] = {
    "abort-on-error": "ABORT_ON_ERROR",
    "auto-converge": "AUTO_CONVERGE",
    "change-protection": "CHANGE_PROTECTION",
    "compressed": "COMPRESSED",
    "copy-storage-all": "NON_SHARED_DISK",
    "copy-storage-inc": "NON_SHARED_INC",
    "offline": "OFFLINE",
    "parallel": "PARALLEL",
    "postcopy": "POSTCOPY",
    "postcopy-resume": "POSTCOPY_RESUME",
    "suspend": "PAUSED",
    "tls": "TLS",
    "tunnelled": "TUNNELLED",
    "zerocopy": "ZEROCOPY",
}


def migrate(
    conn: Connection,
    uuid: str,
    dest: Connection,
    *,
    live: bool = True,
    migrate_uri: str | None = None,
    persistent: bool = True,
    undefine_source: bool = True,
    unsafe: bool = False,
    p2p: bool = False,
    peer_uri: str | None = None,
    bandwidth_mib_s: int | None = None,
    options: Collection[str] = (),
    params: Mapping[str, Any] | None = None,
    timeout_s: float | None = None,
) -> str:
    """Move a domain to another host (G12.3-01, G15-23); blocks to the end.

    `abort_job` on the source from another thread breaks it off; the domain then goes on there.
    ``^C`` leaves this call at once, and the job goes on until its caller aborts it.

    Args:
        conn: the source.
        uuid: which domain.
        dest: the destination.
        live: let the guest run meanwhile.
        migrate_uri: where the data goes (``tcp://host``, ``unix:///path``); None lets the
            destination say.
        persistent: keep the definition on the destination.
        undefine_source: remove the definition from the source.
        unsafe: even when libvirt fears for the disks.
        p2p: the source's daemon talks to the destination's.
        peer_uri: p2p: by what it reaches it; None: `dest.uri`.
        bandwidth_mib_s: limit for the data, MiB/s.
        options: further words of `MIGRATE_OPTIONS`.
        params: further parameters under libvirt's names (``VIR_MIGRATE_PARAM_*``).
        timeout_s: abort after that time, seconds.

    Returns:
        The UUID on the destination, the same.

    Raises:
        ConflictError: unsafe, aborted, or in the wrong state.
        WaitTimeoutError: aborted because of `timeout_s`.
    """
    flags = _flags(options) | bits(
        MIGRATE_LIVE=live,
        MIGRATE_PERSIST_DEST=persistent,
        MIGRATE_UNDEFINE_SOURCE=undefine_source,
        MIGRATE_UNSAFE=unsafe,
        MIGRATE_PEER2PEER=p2p,
    )
    wanted: dict[str, Any] = dict(params or {})
    if migrate_uri is not None:
        wanted[libvirt.VIR_MIGRATE_PARAM_URI] = migrate_uri
    if bandwidth_mib_s is not None:
        wanted[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = bandwidth_mib_s
    name = conn.label(uuid)
    asked = f"migrate domain {name} to {dest.uri.redacted()}"

    def run(raw: Any) -> None:
        domain = raw.lookupByUUIDString(uuid)
        if p2p:
            domain.migrateToURI3(peer_uri or dest.uri.build(), wanted, flags)
        else:
            _migrate_by_us(domain, dest, f"receive domain {name}", wanted, flags)

    try:
        conn.call(asked, run, timeout_s=timeout_s)
    except WaitTimeoutError:
        # The call is left behind on its worker; on the host it must not go on unseen.
        with contextlib.suppress(LabvirtError):  # it ended by itself meanwhile
            abort_job(conn, uuid)
        raise
    dest.learn(uuid, name)
    return uuid


def _flags(options: Collection[str]) -> int:
    unknown = sorted(set(options) - set(MIGRATE_OPTIONS))
    if unknown:
        known = ", ".join(MIGRATE_OPTIONS)
        raise SpecError(f"migrate option {unknown[0]!r} is not known", hint=known)
    return sum({flag(f"MIGRATE_{MIGRATE_OPTIONS[option]}") for option in options})


def _migrate_by_us(
    domain: Any, dest: Connection, asked: str, params: dict[str, Any], flags: int
) -> None:
    """Migrate with this process between the two daemons.

    A failure is the destination's only when its link broke; else the source tells of it.
    """
    with dest.lease(asked) as there:
        try:
            domain.migrate3(there, params, flags)
        except libvirt.libvirtError as error:
            if not is_alive(there):
                raise
            failure = error
        else:
            return
    raise failure
