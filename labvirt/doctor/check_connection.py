"""Checks of the connection: whether the daemon answers, what it is, and what it lets us do."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__: list[str] = []

_MODULAR: Final = ("virtnetworkd", "virtstoraged", "virtnodedevd", "virtsecretd", "virtnwfilterd")
_OLD: Final = 5


@check(
    "connection.answers",
    "Does the daemon answer?",
    guide="G19-01",
    limit_s=4.0,
    late=(
        "the daemon is there and took the question, but gives no answer: it hangs, or was stopped",
        (
            "ps -o pid,stat,cmd -C libvirtd,virtqemud; state T: kill -CONT PID; else restart it: "
            "systemctl restart virtqemud (or libvirtd); running guests go on"
        ),
    ),
)
def answers(case: Case) -> Seen:
    """Ask the daemon for its version: the simplest call there is."""
    host = case.host
    if host.state == "closed":
        return fail("the connection is closed", "this side closed it", "labvirt.connect(uri) anew")
    if host.state == "lost":
        return fail(
            "the connection is lost",
            "the daemon ended, or the way to it",
            "systemctl start virtqemud (or libvirtd) where it has ended; host.connection.wait_link() "
            "tries again at once",
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


@check("connection.rights", "As whom do we come, and what may we do?", guide="G2.2-01")
def rights(case: Case) -> Seen:
    """Tell by which way the daemon lets us in; of a read-only one whether more could be had."""
    uri = case.host.connection.uri
    transport = uri.effective_transport
    who = f"user {reading.user_here()}"
    if transport != "unix":
        way = f"{who} by {transport}" + (f" as {uri.user}" if uri.user else "")
        return ok(f"{way}; {'read-only' if case.host.readonly else 'for changes'}")
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    full = list(uri.sockets(runtime=runtime))
    there = [path for path in full if Path(path).exists()]
    seen = f"{who} by {there[0] if there else full[-1]}"
    if not case.host.readonly:
        return ok(f"{seen}, for changes")
    if any(os.access(path, os.R_OK | os.W_OK) for path in there):
        return ok(f"{seen}-ro; this user may open it for changes too")
    cause = "this user may look, but not change anything: the socket is closed to him"
    remedy = f"usermod -aG libvirt {reading.user_here()}, then log in again (as good as root)"
    return warning(f"{seen}-ro", cause, remedy)


@check(
    "connection.daemons", "Does one daemon, and not two, look after the guests?", guide="G13.1-05"
)
def daemons(case: Case) -> Seen:
    """Tell monolithic from modular daemons by the sockets that are listened on."""
    if not reading.is_qemu(case) or case.host.connection.uri.is_in_process:
        return not_here("this driver has no daemon of its own")
    table = reading.text(case, "/proc/net/unix")
    if table is None:
        return unknown("the machine does not show its sockets")
    given = case.host.connection.uri.param("socket") or ""
    folder = given.rpartition("/")[0] if reading.is_session(case) else "/run/libvirt"
    if reading.is_session(case) and not given:
        folder = f"{os.environ.get('XDG_RUNTIME_DIR', f'/run/user/{os.getuid()}')}/libvirt"
    listening = {
        words[7].rpartition("/")[2].removesuffix("-sock")
        for words in (line.split() for line in table.splitlines())
        if len(words) > 7 and words[7].removeprefix("/var").rpartition("/")[0] == folder
    }
    known = sorted(one for one in listening if one.startswith(("libvirt", "virt")))
    seen = f"in {folder}: {', '.join(known) or 'no socket'}"
    if {"libvirt", "virtqemud"} <= listening and not _is_proxy(case):
        return warning(
            seen,
            "the old daemon (libvirtd) and the new ones (virtqemud ...) listen both: two that take "
            "the same guests for theirs",
            "systemctl disable --now libvirtd.service libvirtd{,-ro,-admin,-tcp,-tls}.socket; then: "
            "systemctl enable --now virtqemud.socket virtproxyd.socket",
        )
    missing = [one for one in _MODULAR if one not in listening]
    if "virtqemud" in listening and missing and not reading.is_session(case):
        units = " ".join(f"{one}.socket" for one in missing)
        cause = "networks, pools, devices, secrets or filters cannot be had without them"
        return warning(
            f"{seen}; missing: {', '.join(missing)}", cause, f"systemctl enable --now {units}"
        )
    if "virtqemud" in listening:
        return ok(f"{seen}: modular daemons")
    return ok(f"{seen}: one daemon for all (libvirtd)" if known else seen)


def _is_proxy(case: Case) -> bool:
    """Whether the old socket is that of virtproxyd, as it should be with modular daemons."""
    found = reading.ran(case, "pgrep", "-x", "libvirtd")
    units = reading.units(case, "virtproxyd.socket", "libvirtd.socket")
    proxy = units.get("virtproxyd.socket", {}).get("ActiveState") == "active"
    return not found and (proxy or not units)


@check("connection.versions", "Do the versions on both sides fit?", guide="G15-37")
def versions(case: Case) -> Seen:
    """Compare libvirt here and there, and the Python binding."""
    seen = case.host.version()
    said = f"libvirt here {seen.library}, there {seen.daemon}, binding {seen.binding or '?'}"
    said += f"; {seen.hypervisor} {seen.hypervisor_version}".rstrip()
    here, there = (int(one.split(".")[0]) for one in (seen.library, seen.daemon))
    if there < here - _OLD:
        cause = "the daemon is much older than this side: newer calls are missing there"
        return warning(said, cause, "update libvirt there, or use what both know")
    if here < there - _OLD:
        cause = "this side is much older than the daemon: what is new there cannot be seen"
        return warning(said, cause, "update libvirt (libvirt0, libvirt-libs) here")
    return ok(said)
