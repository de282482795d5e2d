"""How fast a running guest writes to its memory, as its hypervisor measures it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.handles import on_domain
from labvirt.errors import UnsupportedError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection.connection import Connection

__all__ = ["dirty_rate"]

_MEASURED = 2
_MIB = 1 << 20
_SLACK_S = 10.0


def dirty_rate(
    conn: Connection,
    uuid: str,
    *,
    seconds: int = 1,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Measure how fast a running guest writes to its memory (``virsh domdirtyrate-calc``).

    QEMU compares samples of pages, so the guest is not slowed down; it tells whole MiB/s, and a
    page that was written ten times counts once.

    Args:
        conn: the connection.
        uuid: which domain.
        seconds: how long it is measured, 1 to 60.
        sleep: waits a moment.

    Returns:
        Bytes a second.

    Raises:
        UnsupportedError: this libvirt or its driver cannot.
        ConflictError: the domain is not running.
        WaitTimeoutError: no figure came.
    """
    if not hasattr(libvirt, "VIR_DOMAIN_STATS_DIRTYRATE"):
        raise UnsupportedError(
            "measure how fast a guest writes",
            uri=conn.uri.redacted(),
            hint="libvirt 7.2 and QEMU 5.2 can",
        )
    asked = "measure the dirty rate of"
    on_domain(conn, uuid, asked, lambda domain: domain.startDirtyRateCalc(seconds, 0))
    until = time.monotonic() + seconds + _SLACK_S
    sleep(seconds)
    while True:
        found = on_domain(conn, uuid, asked, _read)
        if found.get("dirtyrate.calc_status") == _MEASURED:
            return int(found["dirtyrate.megabytes_per_second"]) * _MIB
        if time.monotonic() >= until:
            raise WaitTimeoutError(
                f"the dirty rate of {conn.label(uuid)}",
                timeout_s=seconds + _SLACK_S,
                last_seen=f"status {found.get('dirtyrate.calc_status')}",
                hint="a guest that has just been started has none yet",
            )
        sleep(0.05)


def _read(domain: Any) -> dict[str, Any]:
    stats = domain.connect().domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_DIRTYRATE, 0)
    return dict(stats[0][1]) if stats else {}
