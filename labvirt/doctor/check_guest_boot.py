"""Check of how a guest started: what its serial line says, explained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labvirt.doctor.check_domain import virsh
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.hypervisor import tail
from labvirt.host.evidence import BOOT_MARKS, READY_MARKS

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__ = ["Boots", "boots_of"]

_SIZE: Final = 65536
#: So many starts within the end of the transcript, none of which got through, are a loop.
_LOOP: Final = 3


@dataclass(frozen=True)
class _Sign:
    """What a line on a serial console means.

    Attributes:
        words: pattern.
        cause: why.
        remedy: what to do.
        hard: whether the guest cannot work like that.
    """

    words: str
    cause: str
    remedy: str
    hard: bool = True


_ORDER: Final = "look at domain.boot, and at domain.set_boot_order([...])"
_ROOT: Final = (
    "set root= to the right disk (domain.kernel), or give the initrd the driver of its bus"
)
_SIGNS: Final[tuple[_Sign, ...]] = (
    _Sign(r"No bootable device|No more network devices", "the firmware found nothing to boot", _ORDER),
    _Sign(r"Boot failed: not a bootable disk|could not read the boot disk", "the disk that is tried first holds no system", _ORDER),
    _Sign(r"BdsDxe: No bootable option|UEFI Interactive Shell", "the EFI firmware found no boot entry and no EFI/BOOT", _ORDER),
    _Sign(r"Unable to mount root fs|Cannot open root device", "the kernel does not find its root file system", _ROOT),
    _Sign(r"ALERT!.*does not exist|Gave up waiting for root|dracut.*(?:Warning|could not boot)|Entering emergency mode",
          "the initrd waited for a root file system that is not there", _ROOT),
    _Sign(r"No working init found|Requested init .* failed", "the kernel finds no first program", "mend init= and root= on the command line"),
    _Sign(r"Attempted to kill init", "the first program of the guest ended", "mend init= or rdinit=, or the root file system"),
    _Sign(r"Kernel panic - not syncing: Out of memory|System is deadlocked on memory", "the guest has too little memory to start", "domain.set_max_memory('512 MiB')"),
    _Sign(r"Kernel panic - not syncing", "the guest's kernel panicked", "read the lines before it: domain.console()"),
    _Sign(r"grub rescue>|error: (?:no such device|unknown filesystem|file `.*' not found)", "GRUB does not find its files", "boot a rescue CD, then grub-install"),
    _Sign(r"You are in (?:emergency|rescue) mode|Give root password for maintenance", "the guest stopped in its emergency shell",
          "domain.console(), journalctl -xb: often a line of /etc/fstab"),
    _Sign(r"soft lockup|rcu_sched detected stalls|hung_task: blocked", "the guest's processors stood still for long", "look at the host's load and at host.cpus", hard=False),
    _Sign(r"Out of memory: Killed process|oom-kill:", "the guest ran out of memory and killed a process", "domain.set_memory(), or less work inside", hard=False),
    _Sign(r"EXT4-fs error|XFS .*Corruption|Buffer I/O error|I/O error, dev \w+", "the guest cannot read or write a disk", "look at disk.errors and disk.damaged", hard=False),
)  # fmt: skip


@dataclass(frozen=True)
class Boots:
    """What the end of a transcript tells.

    Attributes:
        starts: how often the guest began to boot in it, one after the other without an end.
        is_ready: whether the last start got through.
        sign: what is wrong, of the last start or, in a loop, of the one before.
        line: the line that says so.
    """

    starts: int
    is_ready: bool
    sign: _Sign | None
    line: str


def boots_of(text: bytes) -> Boots:
    """Read a transcript of a serial console."""
    marks = sorted(found.start() for mark in BOOT_MARKS for found in re.finditer(mark, text))
    parts = [text[a:b] for a, b in zip([0, *marks], [*marks, len(text)], strict=True)]
    ready = [bool(READY_MARKS.search(part)) for part in parts]
    since = max((place for place, is_ready in enumerate(ready) if is_ready), default=-1)
    after = [] if ready[-1] else parts[since + 1 :]
    # One start may print several marks: those of the firmware and of the kernel.
    starts = max(len(re.findall(mark, b"".join(after))) for mark in BOOT_MARKS)
    sign, line = None, ""
    for part in [parts[-1], *reversed(after[:-1])][:4]:
        sign, line = _sign_in(part)
        if sign is not None:
            break
    return Boots(starts, ready[-1], sign, line)


def _sign_in(part: bytes) -> tuple[_Sign | None, str]:
    lines = part.decode(errors="replace").splitlines()
    for sign in _SIGNS:
        for line in lines:
            if re.search(sign.words, line):
                return sign, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).strip()[:200]
    return None, ""


@check("guest.boot", "Did {name} start as it should?", guide="G3.1-04", needs="machine")
def boot(case: Case) -> Seen:
    """Read the end of the serial line's transcript, where libvirt writes one."""
    document = case.document
    paths = [each.log_file for each in (*document.serials, *document.consoles) if each.log_file]
    if not document.serials and not document.consoles:
        return not_here("it has no serial line")
    if not paths:
        edit = f"{virsh(case, 'edit', case.name)}: <log file='...'/> in <serial>"
        return not_here(f"its serial line has no transcript; {edit} keeps one")
    began = case.host.serial_marks.get(case.domain.uuid, 0)
    text = tail(case.machine, paths[0], _SIZE, since=began)
    if text is None:
        return unknown(f"{paths[0]} cannot be read", f"sudo tail {paths[0]}")
    if not text.strip():
        return ok("nothing on the serial line yet, or the guest does not use it")
    return _judged(boots_of(text.encode()), virsh(case, "console", case.name))


def _judged(found: Boots, console: str) -> Seen:
    sign = found.sign
    if sign is not None and not (found.is_ready and sign.hard):
        seen = found.line + (f" ({found.starts} starts so far)" if found.starts >= _LOOP else "")
        return (fail if sign.hard else warning)(seen, sign.cause, f"{sign.remedy}; {console}")
    if found.starts >= _LOOP:
        seen = f"{found.starts} starts, none of which got through"
        return warning(seen, "the guest starts again and again", console)
    if found.is_ready:
        return ok("it is up: its serial line asks for a log-in")
    return ok("its serial line tells of nothing wrong")
