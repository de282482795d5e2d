"""Checks inside a running guest, through its agent: that it answers, its clock, its disks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.case import AGENT
from labvirt.doctor.check_domain import virsh
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.errors import LabvirtError
from labvirt.status.finding import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case

__all__: list[str] = []

_AGENT_S: Final = 2.0
#: A guest whose clock is so far off deserves a thought, or cannot work with others.
_DRIFT_S: Final = 10.0
_WRONG_S: Final = 60.0
_FULL: Final = 0.90
_NO_ROOM: Final = 0.99
#: File systems that are full by nature.
_PACKED: Final = frozenset({"iso9660", "squashfs", "udf", "erofs", "cramfs"})


def _unasked(case: Case) -> Seen | None:
    """Return the answer when nobody inside can be asked; None when the agent answers."""
    if not any(one.target_name == AGENT for one in case.document.channels):
        return not_here("there is no channel for an agent to ask; see domain.agent")
    why = case.patient.agent(case.domain)
    return unknown(f"nobody inside can be asked: {why}") if why else None


def _ask(case: Case, command: str) -> Any:
    return case.domain.agent(command, timeout_s=_AGENT_S)


@check(
    "guest.agent", "Does the agent in {name} answer?", guide="G15-24", needs="monitor", limit_s=6.0
)
def agent(case: Case) -> Seen:
    """Look at the state of its channel, then ping it."""
    states = [one.target_state for one in case.document.channels if one.target_name == AGENT]
    if not states:
        return not_here("there is no channel for it; see domain.agent")
    inside = "systemctl enable --now qemu-guest-agent"
    install = (
        "Debian, Ubuntu: apt install qemu-guest-agent; Fedora, RHEL: dnf install qemu-guest-agent"
    )
    why = case.patient.agent(case.domain)
    if not why:
        return ok("it answered a ping")
    if states[0] == "disconnected":
        if _is_young(case):
            return unknown("no agent has connected yet: the guest may still be starting")
        cause = "no agent runs in the guest: it is stopped or not installed"
        return fail(f"channel {AGENT} is disconnected", cause, f"in the guest: {inside}; {install}")
    cause = "an agent holds the channel, and does not answer: it hangs, or the guest does"
    return fail(why, cause, "in the guest: systemctl restart qemu-guest-agent")


def _is_young(case: Case) -> bool:
    """Whether the guest has hardly run yet."""
    return case.record.cpu_time_ns < 2_000_000_000


@check(
    "guest.clock", "Does {name} show the right time?", guide="G11-01", needs="monitor", limit_s=6.0
)
def clock(case: Case) -> Seen:
    """Compare the guest's clock with that of the host's machine."""
    if not_asked := _unasked(case):
        return not_asked
    machine = case.machine
    before = time.time()
    told = _ask(case, "guest-get-time") / 1e9
    after = time.time()
    now = (before + after) / 2
    if machine.is_far:
        ran = machine.run("date", "+%s.%N")
        now = float(ran.out) if ran else now
    off = told - now
    seen = f"{off:+.1f} s from the host's clock"
    if abs(off) <= _DRIFT_S:
        return ok(seen)
    cause = "the guest's clock was set wrong, or drifts; nothing keeps it right"
    remedy = (
        f"{virsh(case, 'domtime', case.name, '--now')}; "
        "in the guest: systemctl enable --now chrony (chronyd on Fedora, RHEL)"
    )
    if abs(off) > _WRONG_S:
        return fail(seen, f"{cause}: certificates and log-ins by time fail", remedy)
    return warning(seen, cause, remedy)


@check(
    "guest.space",
    "Have the file systems in {name} room?",
    guide="G19-01",
    needs="monitor",
    limit_s=6.0,
)
def space(case: Case) -> Iterator[Seen]:
    """Ask the agent for file systems, and how full they are."""
    if not_asked := _unasked(case):
        yield not_asked
        return
    try:
        found = _ask(case, "guest-get-fsinfo")
    except LabvirtError as error:
        yield unknown(error.what)
        return
    told = False
    for each in found:
        used, whole = each.get("used-bytes"), each.get("total-bytes")
        if not whole or used is None or each.get("type") in _PACKED:
            continue
        told = True
        yield _room(each["mountpoint"], used, whole)
    if not told:
        yield not_here("the agent tells of no file system with a size")


def _room(where: str, used: int, whole: int) -> Seen:
    seen = f"{amount(used)} of {amount(whole)} used, {used * 100 // whole} %"
    remedy = f"in the guest: du -xh {where} | sort -h | tail; or a larger disk, then growpart"
    if used >= whole * _NO_ROOM:
        return fail(seen, f"{where} is full: programs that write there fail", remedy, about=where)
    if used >= whole * _FULL:
        return warning(seen, f"{where} is nearly full", remedy, about=where)
    return ok(seen, about=where)
