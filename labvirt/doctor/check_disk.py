"""Checks of disks: whether the file is there, whether QEMU may open it, whether a medium is missing."""

from __future__ import annotations

import posixpath
import re
import stat
from typing import TYPE_CHECKING, Any

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.disk_files import file_facts, folder_of, image_info, line
from labvirt.doctor.disks import DiskLook, chain_of, disk_of, is_base, present, stands_on, uses
from labvirt.errors import LabvirtError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from labvirt.doctor.case import Case
    from labvirt.host.storage.access import Access

__all__ = ["moved_to"]


def moved_to(case: Case, path: str) -> str:
    """Return the file that is surely the one that was here; empty when none, or more than one, is.

    It lies in the same folder, its name holds the old one, and nobody uses it.
    """
    folder, name = posixpath.split(path)
    stem = re.escape(posixpath.splitext(name)[0])
    alike = re.compile(rf"(?<![A-Za-z0-9]){stem}(?![A-Za-z0-9])")
    names = [one for one in case.machine.listdir(folder) if alike.search(one) and one != name]
    free = [one for one in names if _unused(case, posixpath.join(folder, one), path)]
    whole = [one for one in free if name in one] or free
    return posixpath.join(folder, whole[0]) if len(whole) == 1 else ""


def _unused(case: Case, found: str, path: str) -> bool:
    """Whether a file could be the image that was at a path: nobody uses it, nor is it above it."""
    try:
        facts = file_facts(case.patient, found)
        if facts is None or not facts.size or not stat.S_ISREG(facts.mode):
            return False
        if is_base(case, facts) or any(one.path == found for one in uses(case.patient)):
            return False
        return str(image_info(case.patient, found).get("full-backing-filename", "")) != path
    except LabvirtError:
        return False


def _missing(case: Case, look: DiskLook) -> tuple[str, str, Callable[[], Any] | None]:
    """Return what is told of a file that is gone: evidence, remedy, fix."""
    folder = folder_of(look.path)
    if file_facts(case.patient, folder) is None:
        evidence = f"{look.path}: the folder {folder} is not there either"
        return evidence, f"mount what belongs to {folder}, or make it again; findmnt {folder}", None
    evidence = f"{look.path}: no such file or directory"
    found = moved_to(case, look.path)
    if not found:
        remedy = (
            f"put the image back to {look.path} (from a backup), or name the right one: "
            f"domain.update({look.target!r}, source=PATH)"
        )
        return evidence, remedy, None
    host = case.host
    return (
        f"{evidence}; {found} lies there and no domain uses it",
        line("mv", "-n", found, look.path),
        lambda: host.move_image.plan(found, look.path),
    )


@check("disk.there", "Is the image of disk {name} there?", guide="G17.12-05", needs="machine")
def there(case: Case) -> Seen | None:
    """Look for the file or device of a disk."""
    look = disk_of(case)
    if look.is_drive:
        return None
    if look.stopped_pool:
        return not_here(f"its pool {look.stopped_pool} is stopped or gone: see storage.active")
    if not look.path:
        return not_here("on a server" if look.view.source_protocol else "it has no file")
    facts = file_facts(case.patient, look.path)
    if facts is not None:
        return ok(f"{look.path}, {facts.size} bytes, inode {facts.inode}")
    evidence, remedy, fix = _missing(case, look)
    if look.running:
        cause = (
            "the image was moved or deleted under the running domain; it writes on into the file "
            "without that name, and cannot start again"
        )
    else:
        cause = "the image was moved, renamed or deleted: the domain cannot start"
    return fail(evidence, cause, remedy, fix=fix)


@check("disk.media", "Is the medium in drive {name} there?", guide="G4.4-01", needs="machine")
def media(case: Case) -> Seen | None:
    """Look for the ISO or floppy image of a drive."""
    look = disk_of(case)
    if not look.is_drive:
        return None
    if look.stopped_pool:
        return not_here(f"its pool {look.stopped_pool} is stopped or gone: see storage.active")
    if not look.path:
        return ok("no medium")
    facts = file_facts(case.patient, look.path)
    if facts is not None:
        return ok(f"{look.path}, {facts.size} bytes")
    domain, target = case.domain, look.target
    remedy = f"virsh change-media {domain.name} {target} --eject --config"
    evidence = f"{look.path}: no such file or directory"
    if look.view.startup_policy in ("optional", "requisite"):
        cause = "the medium is gone; the domain starts without it (startupPolicy)"
        return warning(evidence, cause, remedy, fix=lambda: domain.eject.plan(target))
    cause = "the medium is gone, and libvirt starts no domain with a medium that is missing"
    return fail(evidence, cause, remedy, fix=lambda: domain.eject.plan(target))


@check(
    "disk.readable",
    "May QEMU open the files of disk {name}?",
    guide="G7.1-01",
    needs="machine",
)
def readable(case: Case) -> Seen | Iterable[Seen] | None:
    """Walk the path of each file of the chain as QEMU's user."""
    look = present(case)
    if isinstance(look, Seen):
        return look if look.evidence != "no medium" else None
    if case.machine.is_far:
        return _far(case, look)
    seen = list(_walks(case, look))
    bad = [one for one in seen if one.verdict != "ok"]
    if bad:
        # One chain, one answer: the first file in the way.
        return bad[0]
    return ok("; ".join(one.evidence for one in seen))


def _paths(case: Case, look: DiskLook) -> Iterator[tuple[str, bool]]:
    """Yield the files that are there, and whether each is written."""
    yield look.path, look.writes
    try:
        below = chain_of(case, look)[1:]
    except NotFoundError:
        return  # no qemu-img there
    for layer in below:
        if layer.facts is not None:
            yield layer.path, False


def _walks(case: Case, look: DiskLook) -> Iterator[Seen]:
    for path, write in _paths(case, look):
        access = case.host.explain_access(path, write=write)
        if access.allowed:
            yield ok(f"{access.user} may {'write' if write else 'read'} {path}")
            continue
        first = access.blocked_by[0]
        if write and (kept := _kept(case, path, access)):
            yield ok(kept)
            continue
        others = "".join(f"; {one.path}: {one.why}" for one in access.blocked_by[1:])
        what = "the image itself" if first.path == access.real_path else f"the {first.what} above"
        cause = f"QEMU runs as {access.user}, and {what} is closed to it"
        if look.running:
            cause += "; the domain runs on with the file that it opened, and cannot start again"
        plans = not any(not one.rights for one in access.blocked_by)
        yield fail(
            f"{first.path}: {first.why}{others}",
            cause,
            " && ".join(access.commands),
            fix=access.plan if plans else None,
        )


def _kept(case: Case, path: str, access: Access) -> str:
    """Return why an image is read-only on purpose; empty when it is not."""
    if [one.path for one in access.blocked_by] != [access.real_path]:
        return ""
    if not case.host.explain_access(path, write=False).allowed:
        return ""
    facts = file_facts(case.patient, path)
    above = stands_on(case, facts) if facts is not None else []
    if not above:
        return ""
    return f"{path} is kept read-only, because {', '.join(above)} stand on it"


def _far(case: Case, look: DiskLook) -> Seen:
    """Ask the far machine; only root may try it as somebody else."""
    user = _qemu_user(case)
    folder = folder_of(look.path)
    flag = "-w" if look.writes else "-r"
    if not user:
        return unknown("QEMU's user is not known", line("namei", "-l", look.path))
    ran = case.machine.run("runuser", "-u", user, "--", "test", flag, look.path)
    if ran:
        return ok(f"runuser -u {user} -- test {flag} {look.path}")
    if "may not be used by non-root" in ran.err or ran.err:
        return unknown(ran.err.strip(), f"as root there: namei -l {look.path}")
    if case.machine.run("runuser", "-u", user, "--", "test", "-x", folder):
        said = f"{user} may search {folder}, but not open the file"
        return ok(f"{said}; libvirt gives the file to QEMU at the start")
    ways = case.machine.run("namei", "-l", look.path).out.strip()
    cause = f"QEMU runs as {user}, and a folder above the image is closed to it"
    return fail(
        ways or f"test -x {folder}: no", cause, line("setfacl", "-m", f"u:{user}:x", folder)
    )


def _qemu_user(case: Case) -> str:
    """Return the user of QEMU on a far machine: what its account is called there."""
    for name in ("libvirt-qemu", "qemu"):
        try:
            if case.machine.run("id", "-u", name):
                return name
        except LabvirtError:
            return ""
    return ""
