"""Checks of SELinux and AppArmor: what they say about the files of a disk (guide 7.1, 7.2)."""

from __future__ import annotations

import re
import shlex
import stat
from typing import TYPE_CHECKING, Final

from labvirt.doctor.checks import Seen, check, fail, ok, unknown, warning
from labvirt.doctor.disk_files import file_facts, folder_of, line
from labvirt.doctor.disks import present
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case

__all__: list[str] = []

#: Types that a confined QEMU may use, or that libvirt gives and takes.
_GOOD: Final = (
    "svirt_image_t",
    "virt_image_t",
    "virt_content_t",
    "virt_var_lib_t",
    "fixed_disk_device_t",
    "removable_device_t",
)
#: File systems without labels: the boolean that opens each.
_BOOLEANS: Final = {
    "nfs": "virt_use_nfs",
    "nfs4": "virt_use_nfs",
    "smb2": "virt_use_samba",
    "cifs": "virt_use_samba",
    "fuseblk": "virt_use_fusefs",
    "fuse": "virt_use_fusefs",
}
_TOOLS: Final = (
    "the tools: apt install policycoreutils-python-utils (Debian, Ubuntu), "
    "dnf install policycoreutils-python-utils (Fedora, RHEL)"
)
_NAME: Final = re.compile(r'\bname="([^"]+)"')


@check(
    "disk.label",
    "Do SELinux and AppArmor let QEMU open disk {name}?",
    guide="G7.1-05",
    needs="machine",
)
def label(case: Case) -> Seen | None:
    """Look at the label of the image, and at what the kernel has refused."""
    look = present(case)
    if isinstance(look, Seen):
        return None
    models = case.patient.once(
        "security models", lambda: tuple(case.host.capabilities().security_models)
    )
    seen = []
    if "selinux" in models:
        seen.append(_selinux(case, look.path))
    if "apparmor" in models:
        seen.append(_apparmor(case))
    worst = [one for one in seen if one.verdict in ("fail", "warning", "unknown")]
    return worst[0] if worst else (seen[0] if seen else None)


# -- SELinux ------------------------------------------------------------------------------------


def _selinux(case: Case, path: str) -> Seen:
    if (case.machine.read("/sys/fs/selinux/enforce") or "").strip() != "1":
        return ok("SELinux does not enforce")
    told = case.machine.run("stat", "-L", "-c", "%C", path).out.strip()
    kind = told.split(":")[2] if told.count(":") >= 2 else ""
    system = case.machine.run("stat", "-f", "-L", "-c", "%T", path).out.strip()
    boolean = _BOOLEANS.get(system, "")
    if boolean:
        return _without_labels(case, path, system, boolean)
    denied = _avc(case, path)
    fcontext = _fcontext(case, path)
    if denied:
        cause = "SELinux refused it: the label of the image or of a folder above is not for guests"
        return fail(denied, cause, fcontext)
    evidence = f"{path}: {told or 'no label'}"
    if kind in _GOOD:
        return ok(evidence)
    if not kind:
        return unknown(evidence, line("ls", "-Z", path))
    cause = (
        "libvirt relabels the image while the domain runs, but the policy says otherwise: the next "
        "restorecon takes the label away, and folders of this type may be closed to guests"
    )
    return warning(evidence, cause, fcontext)


def _fcontext(case: Case, path: str) -> str:
    """Return the two commands of guide 7.1: the same path for both; a device has a form of its own."""
    facts = file_facts(case.patient, path)
    if facts is not None and stat.S_ISBLK(facts.mode):
        place = shlex.quote(path)
        return (
            f"semanage fcontext -a -t virt_image_t -f b {place} && restorecon -v {place}; {_TOOLS}"
        )
    folder = folder_of(path)
    pattern = shlex.quote(f"{re.escape(folder)}(/.*)?".replace("\\-", "-"))
    return (
        f"semanage fcontext -a -t virt_image_t {pattern} && restorecon -R -v {shlex.quote(folder)}; "
        f"{_TOOLS}"
    )


def _without_labels(case: Case, path: str, system: str, boolean: str) -> Seen:
    said = (case.machine.read(f"/sys/fs/selinux/booleans/{boolean}") or "").split()
    evidence = f"{path} is on {system}; {boolean} is {'on' if said[:1] == ['1'] else 'off'}"
    if said[:1] == ["1"]:
        return ok(evidence)
    if not said:
        return unknown(evidence, f"getsebool {boolean}")
    cause = f"files on {system} have no labels of their own, and the policy keeps guests from them"
    return fail(evidence, cause, f"setsebool -P {boolean} on")


def _avc(case: Case, path: str) -> str:
    """Return the newest refusal of the file in the audit log; empty when none can be seen."""
    name = path.rpartition("/")[2]
    text = case.patient.once("avc", lambda: _audit(case))
    rows = [one for one in text.splitlines() if f'"{name}"' in one or f'"{path}"' in one]
    return rows[-1].strip()[:400] if rows else ""


def _audit(case: Case) -> str:
    try:
        return case.machine.run("ausearch", "-m", "avc", "-ts", "recent", "--raw").out
    except LabvirtError:
        return ""


# -- AppArmor -----------------------------------------------------------------------------------


def _apparmor(case: Case) -> Seen:
    uuid = case.domain.uuid
    rows = [
        one for one in case.patient.once("refused", lambda: list(_refused(case))) if uuid in one
    ]
    paths = list(dict.fromkeys(m.group(1) for one in rows if (m := _NAME.search(one))))
    mine = [one for one in paths if not one.startswith(("/proc/", "/sys/", "/dev/pts/"))]
    if not mine:
        return ok(f"AppArmor has refused nothing to libvirt-{uuid}")
    rules = "\\n".join(f"  {shlex.quote(one)} rwk," for one in mine[:4])
    cause = "the profile that libvirt made for the domain has no rule for the file"
    remedy = (
        f"printf '{rules}\\n' >> /etc/apparmor.d/local/abstractions/libvirt-qemu; the domain's next "
        "start takes it; better: keep images in a pool's folder, where virt-aa-helper finds them"
    )
    return fail(rows[-1].strip()[:400], cause, remedy)


def _refused(case: Case) -> Iterator[str]:
    for words in (("journalctl", "-k", "-b", "--no-pager", "-g", "apparmor"), ("dmesg",)):
        try:
            ran = case.machine.run(*words)
        except LabvirtError:
            continue
        if ran:
            yield from (one for one in ran.out.splitlines() if 'apparmor="DENIED"' in one)
            return
