"""Checks of the connection: whether the daemon answers, what it is, and what it lets us do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from labvirt.doctor.checks import Seen, check, fail, ok, warning
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__: list[str] = []


@check("connection.answers", "Does the daemon answer?", guide="G19-01", limit_s=4.0)
def answers(case: Case) -> Seen:
    """Ask the daemon for its version: the simplest call there is."""
    host = case.host
    if host.state in {"lost", "closed"}:
        return fail(
            f"the connection is {host.state}",
            "the daemon ended, or the way to it",
            "host.reconnect()",
        )
    began = time.monotonic()
    try:
        version = host.version()
    except LabvirtError as error:
        return fail(str(error), "the daemon ended or hangs", "systemctl status virtqemud libvirtd")
    took = (time.monotonic() - began) * 1000
    return ok(f"libvirt {version.daemon} after {took:.0f} ms")


@check(
    "connection.readonly",
    "May things be changed over this connection?",
    guide="G2.2-01",
    needs="nothing",
)
def readonly(case: Case) -> Seen:
    """Look how the host was opened."""
    if case.host.readonly:
        said = "it was opened read-only: everything can be looked at, nothing be mended"
        return warning("readonly=True", said, "open the host again without readonly=True")
    return ok("it was opened for changes")
