"""Checks of disks that somebody else uses too: locks, loop devices, two domains on one image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, warning
from labvirt.doctor.disk_files import file_facts, line
from labvirt.doctor.disks import present, stands_on, uses
from labvirt.doctor.machine import Machine
from labvirt.errors import LabvirtError
from labvirt.host.hostfiles import HostFiles

if TYPE_CHECKING:
    from labvirt.doctor.case import Case, Patient
    from labvirt.doctor.disk_files import FileFacts
    from labvirt.doctor.disks import DiskLook, Use

__all__: list[str] = []

#: QEMU's locks are bytes of the file: 100 + n says "I do n", 200 + n "nobody else may do n".
_WRITES: Final = 1
_DOES, _FORBIDS = 100, 200
_GUEST: Final = re.compile(r"guest=([^,]+)")


@dataclass(frozen=True, slots=True)
class _Lock:
    """A line of /proc/locks."""

    kind: str
    mode: str
    pid: int
    device: tuple[int, int]
    inode: int
    first: int
    last: int

    def covers(self, byte: int) -> bool:
        return self.first <= byte <= self.last

    @property
    def words(self) -> str:
        """What it keeps others from."""
        if self.kind != "OFDLCK":
            return f"{self.kind} {self.mode} lock"
        told = []
        if self.covers(_DOES + _WRITES):
            told.append("writes to it")
        if self.covers(_FORBIDS + _WRITES):
            told.append("lets nobody else write")
        return ", ".join(told) or "reads it"


def _locks(patient: Patient) -> list[_Lock]:
    return patient.once("locks", lambda: _parsed(patient.machine.read("/proc/locks") or ""))


def _parsed(text: str) -> list[_Lock]:
    found = []
    for row in text.splitlines():
        # "12: OFDLCK ADVISORY  READ -1 fe:00:2237815 100 101"; "->" marks one that waits.
        words = row.replace("->", " ").split()
        if len(words) < 8:
            continue
        major, minor, inode = words[5].split(":")
        last = 1 << 62 if words[7] == "EOF" else int(words[7])
        device = (int(major, 16), int(minor, 16))
        found.append(
            _Lock(words[1], words[3], int(words[4]), device, int(inode), int(words[6]), last)
        )
    return found


def _holders(case: Case, path: str) -> list[tuple[int, str]]:
    """Return the processes that have a file open: number and what they are."""
    found = _open_in(case.machine, path)
    if not found and case.host.is_local:
        # A lab's machine may run its commands as a user who sees less than this process.
        files = HostFiles.of(case.host)
        here = files.here(files.resolve(path)) if files is not None else path
        found = _open_in(Machine("this machine"), here)
    return found


def _open_in(machine: Machine, path: str) -> list[tuple[int, str]]:
    script = 'find -L /proc/[0-9]*/fd -maxdepth 1 -samefile "$0" 2>/dev/null'
    ran = machine.run("sh", "-c", script, path)
    pids = dict.fromkeys(int(one.split("/")[2]) for one in ran.out.split() if one.count("/") > 3)
    commands = {pid: (machine.read(f"/proc/{pid}/cmdline") or "") for pid in pids}
    return [(pid, text.replace("\0", " ")) for pid, text in commands.items()]


def _who(command: str) -> str:
    words = command.split(" ")
    guest = _GUEST.search(command)
    program = words[0].rpartition("/")[2] or "a process"
    if guest and program.startswith("qemu"):
        return f"domain {guest.group(1)}"
    return " ".join([program, *words[1:5]]).strip()


@check("disk.lock", "Is the image of disk {name} free for it?", guide="G17.12-05", needs="machine")
def lock(case: Case) -> Seen | None:
    """Look who holds QEMU's lock on the image, and whether a loop device is on it."""
    look = present(case)
    if isinstance(look, Seen):
        return None if look.evidence == "no medium" else look
    facts = file_facts(case.patient, look.path)
    assert facts is not None
    loop = _loop(case, facts)
    if loop and look.writes:
        cause = "the kernel of the host has the image as a block device, beside the guest"
        if look.running:
            cause += ": both write, and the file system in it will be lost"
        remedy = f"umount {loop}*; losetup -d {loop}"
        tell = fail if look.running else warning
        return tell(f"losetup: {loop} is {look.path}", cause, remedy)
    if look.running:
        return ok("its own domain runs and holds it")
    return _held(case, look, facts)


def _held(case: Case, look: DiskLook, facts: FileFacts) -> Seen:
    """Judge the locks on the image of a domain that is off."""
    asks = [_DOES + _WRITES, _FORBIDS + _WRITES] if look.writes else [_FORBIDS]
    held = [one for one in _locks(case.patient) if one.inode == facts.inode and _stops(one, asks)]
    exact = [one for one in held if one.device == facts.device]
    if not held:
        return ok(f"no lock on inode {facts.inode}")
    holders = _holders(case, look.path)
    if not exact and not holders:
        # Some file systems show another device number; then only a holder proves it.
        return ok(f"no lock on inode {facts.inode}")
    if any(f"-uuid {case.domain.uuid}" in command for _, command in holders):
        return not_here(f"the same domain runs on another host: process {holders[0][0]}")
    words = (exact or held)[0].words
    names = "; ".join(f"process {pid} ({_who(command)})" for pid, command in holders)
    evidence = f"{look.path}: {names or 'somebody'} {words}"
    cause = (
        'another process has the image open: the domain fails to start with "Failed to get lock"'
    )
    remedy = _free(case, look, holders)
    return fail(evidence, cause, remedy)


def _stops(lock: _Lock, asks: list[int]) -> bool:
    if lock.kind == "OFDLCK":
        return any(lock.covers(byte) for byte in asks)
    # virtlockd, and programs that lock whole files.
    return lock.kind == "POSIX" and lock.mode == "WRITE"


def _free(case: Case, look: DiskLook, holders: list[tuple[int, str]]) -> str:
    known = {one.name for one in case.patient.domains}
    for pid, command in holders:
        who = _who(command)
        name = who.removeprefix("domain ")
        if who.startswith("domain ") and name in known:
            return line("virsh", "shutdown", name)
        if who.startswith("domain "):
            return f"shut down {who} where it runs (process {pid}), or give one of the two another image"
        return f"let {who} end, or: kill {pid}"
    return f"on the host that has it open (shared storage?): fuser -v {look.path}"


def _loop(case: Case, facts: FileFacts) -> str:
    """Return the loop device that has the file; empty when none has."""
    found = case.patient.once("loops", lambda: _loops(case))
    for device, path in found.items():
        try:
            other = file_facts(case.patient, path)
        except LabvirtError:
            continue
        if other is not None and other.key == facts.key:
            return device
    return ""


def _loops(case: Case) -> dict[str, str]:
    ran = case.machine.run("sh", "-c", "grep -sH . /sys/block/loop*/loop/backing_file")
    found = {}
    for row in ran.out.splitlines():
        place, _, path = row.partition(":")
        if path and place.count("/") > 3:
            found[f"/dev/{place.split('/')[3]}"] = path
    return found


@check("disk.shared", "Is disk {name} this domain's alone?", guide="G17.12-05", needs="machine")
def shared(case: Case) -> Seen | None:
    """Look for other domains that have the same file, or one that stands on it."""
    look = present(case)
    if isinstance(look, Seen) or look.is_drive:
        return None
    facts = file_facts(case.patient, look.path)
    assert facts is not None
    mine = case.domain.name
    others = [one for one in uses(case.patient) if _is(case, one, facts) and one.domain != mine]
    writers = [one for one in others if one.writes or look.writes]
    plain = [one for one in writers if not (one.shareable and look.view.shareable)]
    if plain:
        return _twice(look, plain)
    above = stands_on(case, facts) if look.writes else []
    if above:
        return _below(look, mine, above)
    if others:
        return ok(f"shared on purpose with {', '.join(one.domain for one in others)}")
    return ok("no other domain of this host has it")


def _below(look: DiskLook, mine: str, above: list[str]) -> Seen:
    """Judge an image that others stand on."""
    evidence = f"{look.path} lies below {', '.join(above)}"
    if not look.running:
        return ok(f"{evidence}; its own domain is off")
    if all(one.startswith("volume ") for one in above):
        cause = "it changes what that image stands on: nobody can use it any more"
        return warning(evidence, cause, "delete the image above, when nobody needs it")
    cause = "it changes what the others stand on: their disks will be damaged"
    remedy = f"virsh shutdown {mine}; and never start it while they stand on its image"
    return fail(evidence, cause, remedy)


def _is(case: Case, use: Use, facts: FileFacts) -> bool:
    try:
        other = file_facts(case.patient, use.path)
    except LabvirtError:
        return False
    return other is not None and other.key == facts.key


def _twice(look: DiskLook, others: list[Use]) -> Seen:
    names = ", ".join(f"{one.domain} ({one.target})" for one in others)
    evidence = f"{look.path} is also a disk of {names}"
    running = [one for one in others if one.running]
    remedy = (
        "give one of them a copy: domain.clone(...), qemu-img convert; or, for a cluster file "
        "system, <shareable/> and cache='none' on both"
    )
    if look.running and running:
        return fail(evidence, "two running domains write one image: it will be damaged", remedy)
    return warning(evidence, "only one of them can run at a time", remedy)
