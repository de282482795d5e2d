"""Check of a domain's log: the last complaints of its hypervisor, explained."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labvirt.doctor.check_domain import virsh
from labvirt.doctor.checks import Seen, check, ok, unknown, warning
from labvirt.doctor.hypervisor import tail

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__ = ["Folders", "complaints", "folders"]

#: What a line of QEMU's log says, and what it means; the first that fits.
_MEANINGS: Final[tuple[tuple[str, str], ...]] = (
    (r"[Cc]ould not access KVM|failed to initialize kvm|/dev/kvm", "KVM cannot be used; see host.kvm-device"),
    (r"[Ff]ailed to get .*lock|Is another process using", "another process has the image open; see disk.lock"),
    (r"Permission denied", "QEMU's user may not open a file; see disk.readable"),
    (r"Cannot allocate memory|cannot set up guest memory", "the host has not that much memory free; see domain.memory"),
    (r"No space left on device", "the file system of a disk is full; see disk.space"),
    (r"No such file or directory", "a file of the domain is not there; see disk.there"),
    (r"Image is corrupt|Marking image as corrupt", "a qcow2 image is damaged; see disk.damaged"),
    (r"Image is not in (\w+) format|Unknown driver", "an image has another format than declared; see disk.format"),
    (r"Address already in use", "another process listens on the port; let libvirt choose: autoport='yes'"),
    (r"KVM: entry failed|KVM internal error", "the guest met an error of KVM: often nested virtualisation or firmware"),
    (r"unsupported machine type|Use -machine help", "QEMU does not know the machine type; see domain.machine"),
    (r"host doesn't support requested feature", "the processor lacks a feature that was asked for; see domain.cpu"),
    (r"[Ii]nput/output error", "a disk of the host cannot be read or written; see dmesg"),
    (r"load of migration failed|error while loading state", "it could not take over the state of a migration or save"),
    (r"unable to map backing store|hugepage", "there are too few huge pages; see domain.hugepages"),
    (r"vfio|VFIO", "a device of the host could not be given to the guest; see domain.devices"),
    (r"swtpm|tpm", "the emulated TPM did not start; see domain.tpm"),
    (r"[Cc]ould not open|cannot open", "a file of the domain cannot be opened"),
)  # fmt: skip
#: What looks bad and is not.
_HARMLESS: Final = re.compile(
    r"warning: |is tainted|terminating on signal 15|char device redirected|shutting down, reason="
    r"|TCG doesn't support requested feature|^-|^LC_ALL|^PATH=|^HOME=|^XDG_|^QEMU_AUDIO|\\$"
)
_COMPLAINT: Final = re.compile(
    r"qemu|kvm|error|failed|could not|cannot|corrupt|panic", re.IGNORECASE
)
_BEGIN: Final = re.compile(r"^(\d{4}-\d\d-\d\d [\d:.]+\S*): starting up libvirt", re.MULTILINE)
_END: Final = re.compile(r"shutting down, reason=(\w+)")


@dataclass(frozen=True)
class Folders:
    """Where the daemon of a host keeps things.

    Attributes:
        logs: one file a domain.
        config: ``qemu.conf``, definitions.
    """

    logs: str
    config: str


def folders(case: Case) -> Folders:
    """Return the folders of the daemon: the system's, or those of a user's session."""
    return case.patient.once("folders", lambda: _folders(case))


def _folders(case: Case) -> Folders:
    if case.host.connection.uri.path != "/session":
        return Folders("/var/log/libvirt/qemu", "/etc/libvirt")
    machine = case.machine
    told = machine.read(f"/proc/{machine.daemon_pid}/environ") if machine.daemon_pid else None
    words = dict(each.partition("=")[::2] for each in (told or "").split("\0"))
    home = words.get("HOME") or machine.run("sh", "-c", "echo $HOME").out.strip()
    cache = words.get("XDG_CACHE_HOME") or f"{home}/.cache"
    config = words.get("XDG_CONFIG_HOME") or f"{home}/.config"
    return Folders(f"{cache}/libvirt/qemu/log", f"{config}/libvirt")


def complaints(text: str) -> tuple[list[str], str]:
    """Return what QEMU complained of since the last start, and how libvirt says it ended.

    Args:
        text: the end of the log.
    """
    starts = list(_BEGIN.finditer(text))
    last = text[starts[-1].start() :] if starts else text
    lines = [
        line.strip()
        for line in last.splitlines()
        if _COMPLAINT.search(line) and not _HARMLESS.search(line) and not _BEGIN.match(line)
    ]
    ended = _END.findall(last)
    return list(dict.fromkeys(lines)), ended[-1] if ended else ""


@check(
    "domain.log",
    "Did QEMU complain since the last start of {name}?",
    guide="G19-01",
    needs="machine",
)
def log(case: Case) -> Seen:
    """Read the end of the domain's log, and explain the last complaints."""
    path = f"{folders(case).logs}/{case.name}.log"
    text = tail(case.machine, path)
    if text is None:
        if not case.machine.exists(path):
            return ok(f"there is no {path}: it was never started here")
        return unknown(f"{path} may not be read", f"sudo tail {path}")
    lines, ended = complaints(text)
    if not lines:
        return ok(f"{path}: nothing" + (f"; it ended: {ended}" if ended else ""))
    last = lines[-1]
    cause = next((told for words, told in _MEANINGS if re.search(words, last)), "")
    cause = cause or "QEMU says it by itself; labvirt knows no more of it"
    seen = last if len(lines) == 1 else f"{last} (the last of {len(lines)} complaints)"
    began = virsh(case, "start", case.name)
    return warning(seen, cause, f"tail -n 50 {path}; when it is mended {began}")
