"""Access: may QEMU's user open a file of the host, and if not, which component is in the way.

The path is walked as QEMU will walk it: links followed, mode and ACL of each folder, options of the
mount, AppArmor and SELinux as far as the host tells. Nothing is opened and nothing is changed; the
fix is a plan that opens just what is needed, and can be undone.
"""

from __future__ import annotations

import shlex
import stat
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING

from labvirt.connection import node
from labvirt.errors import LabvirtError, NotFoundError, UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.access_fix import fix_plan
from labvirt.host.storage.acl import EXECUTE, READ, WRITE, Acl, words
from labvirt.host.storage.qemuuser import QemuUser
from labvirt.host.storage.security import security_notes

if TYPE_CHECKING:
    import os

    from labvirt.host.host import Host
    from labvirt.host.hostfiles import Step
    from labvirt.plan import Plan

__all__ = ["Access", "AccessStep", "explain_access", "reachable"]


@dataclass(frozen=True, slots=True)
class AccessStep:
    """One component of the way, and whether QEMU gets past it.

    Attributes:
        path: the component, without links.
        what: ``folder``, ``file``, ``device``, ``link``, ``mount`` or ``missing``.
        mode: rights as ``rwxr-x--x``; empty for links and mounts.
        owner: user id, -1 when unknown.
        group: group id, -1 when unknown.
        acl: whether an access control list is set.
        allowed: whether QEMU gets past.
        why: in words, why or why not.
        rights: bits that QEMU's user must be given to get past (4 read, 2 write, 1 search), with
            those it has already: an entry of its own takes their place; 0 when none are missing.
        to_owner: they must be given to the owner of the file, whom an entry does not help.
    """

    path: str
    what: str
    mode: str = ""
    owner: int = -1
    group: int = -1
    acl: bool = False
    allowed: bool = True
    why: str = ""
    rights: int = 0
    to_owner: bool = False


@dataclass(frozen=True)
class Access:
    """The verdict on one path.

    Attributes:
        path: as it was asked.
        real_path: without links.
        user: QEMU's user.
        write: whether writing was asked for.
        allowed: whether QEMU can open it.
        steps: the walk, up to the end or to what does not exist.
        notes: what else is to be known: AppArmor, SELinux, what libvirt does at the start.
        commands: shell lines that open the way, no more than needed.
    """

    path: str
    real_path: str
    user: QemuUser
    write: bool
    allowed: bool
    steps: tuple[AccessStep, ...]
    notes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    host: Host | None = field(default=None, repr=False, compare=False)

    @property
    def blocked_by(self) -> tuple[AccessStep, ...]:
        """The components in the way, in their order."""
        return tuple(step for step in self.steps if not step.allowed)

    def plan(self) -> Plan[None]:
        """Return the plan that opens the way for QEMU's user and nobody else; it can be undone.

        Raises:
            UnsupportedError: what is in the way is no matter of rights: a read-only mount, a rule
                of AppArmor, a file that is not there.
        """
        assert self.host is not None
        return fix_plan(self.host, self)

    def __str__(self) -> str:
        can = "can" if self.allowed else "cannot"
        do = "write" if self.write else "read"
        lines = [f"QEMU ({self.user}) {can} {do} {self.path}"]
        lines += [f"  blocked by {one.path}: {one.why}" for one in self.blocked_by]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  fix: {command}" for command in self.commands]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the verdict and the walk as a table."""
        rows = "".join(
            f"<tr><td>{'' if one.allowed else '✗'}</td><td>{escape(one.path)}</td>"
            f"<td>{escape(one.mode)}</td><td>{escape(one.why)}</td></tr>"
            for one in self.steps
        )
        return f"<pre>{escape(str(self))}</pre><table class='labvirt-table'>{rows}</table>"


def explain_access(host: Host, path: str, *, write: bool = True) -> Access:
    """Walk a path as QEMU's user (item 8; virsh has nothing like it).

    Args:
        host: a host on this machine.
        path: of an image, a device or a folder, as the host sees it.
        write: whether QEMU is to write it; only reading otherwise. Folders are searched.

    Raises:
        UnsupportedError: the host is another machine.
        NotFoundError: nothing is there; names the first component that is missing.
        AccessDeniedError: this process may not look there itself.
        SpecError: symbolic links go round in circles.
    """
    asked = f"explain the access to {path}"
    files = HostFiles.of(host)
    if files is None:
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text="the host is another machine, and its files cannot be looked at from here",
            hint=f"run there: namei -l {path}; getfacl {path}",
        )
    capabilities = node.capabilities(host.connection)
    user = QemuUser.of(files, capabilities, is_system="/system" in host.label)
    walked = files.steps(path)
    last = walked[-1]
    if last.info is None:
        raise NotFoundError(
            asked, uri=host.label, libvirt_text=f"{last.path} does not exist", hint="check the path"
        )
    steps = [_judge(files, user, one) for one in walked[:-1]]
    steps += _judge_end(files, user, last.path, last.info, write=write)
    notes, denied = security_notes(files, capabilities, last.path)
    if user.takes_over and not stat.S_ISDIR(last.info.st_mode):
        taken = f"libvirt gives the file itself to {user} while a domain runs (dynamic_ownership)"
        notes = (f"{taken}: only the folders above must be open", *notes)
    steps += [AccessStep(last.path, "rule", allowed=False, why=why) for why in denied]
    allowed = all(one.allowed for one in steps)
    access = Access(path, last.path, user, write, allowed, tuple(steps), notes, host=host)
    return access if allowed else _with_commands(access)


def _judge(files: HostFiles, user: QemuUser, step: Step) -> AccessStep:
    if step.link:
        return AccessStep(step.path, "link", why=f"leads to {step.link}")
    return _rights_step(files, user, step.path, "folder", EXECUTE)


def _rights_step(files: HostFiles, user: QemuUser, path: str, what: str, wanted: int) -> AccessStep:
    """Compare what is wanted of one component with what QEMU's user has."""
    info = files.stat(path)
    assert info is not None
    acl = Acl.read(files.here(path) or "/", info)
    has = 7 if user.almighty else acl.rights(user.uid, user.groups)
    missing = wanted & ~has
    mode = stat.filemode(info.st_mode)[1:]
    lists = " with an access list" if acl.extended else ""
    who = f"{mode}{lists}, owner {info.st_uid}:{info.st_gid}"
    need = {EXECUTE: "search (x)", READ: "read (r)", READ | WRITE: "read and write (rw)"}[wanted]
    why = f"{who}: {user} {'may not' if missing else 'may'} {need}"
    grant = has | missing if missing else 0
    return AccessStep(
        path, what, mode, info.st_uid, info.st_gid, acl.extended, not missing, why, grant,
        to_owner=bool(missing) and info.st_uid == user.uid,
    )  # fmt: skip


def _judge_end(
    files: HostFiles, user: QemuUser, path: str, info: os.stat_result, *, write: bool
) -> list[AccessStep]:
    """Judge what the path leads to, and the mount that holds it."""
    steps = []
    mount = files.mount_of(path)
    if mount is not None and write and "ro" in mount.options:
        why = f"{mount.path} ({mount.kind}) is mounted read-only"
        steps.append(AccessStep(mount.path, "mount", allowed=False, why=why))
    if stat.S_ISDIR(info.st_mode):
        return [*steps, _rights_step(files, user, path, "folder", EXECUTE)]
    what = "device" if stat.S_ISBLK(info.st_mode) else "file"
    end = _rights_step(files, user, path, what, READ | WRITE if write else READ)
    if not end.allowed and user.takes_over:
        end = _taken_over(files, end, info, READ | WRITE if write else READ)
    if mount is not None and mount.kind.startswith(("nfs", "cifs", "fuse")) and not end.allowed:
        end = AccessStep(
            path, what, end.mode, end.owner, end.group, end.acl, allowed=False,
            why=f"{end.why}; {mount.kind} may refuse a change of owner", rights=end.rights,
            to_owner=end.to_owner,
        )  # fmt: skip
    return [*steps, end]


def _taken_over(files: HostFiles, end: AccessStep, info: os.stat_result, wanted: int) -> AccessStep:
    """Judge a file that libvirt gives to QEMU's user: then the owner's bits count, as they are."""
    has = Acl.read(files.here(end.path), info).owner_rights
    if not wanted & ~has:
        return replace(
            end, allowed=True, rights=0, why=f"{end.why}; libvirt gives it to QEMU at the start"
        )
    why = f"{end.why}; libvirt gives it to QEMU at the start, but its owner may not either"
    return replace(end, why=why, rights=has | wanted, to_owner=True)


def _with_commands(access: Access) -> Access:
    return replace(access, commands=tuple(_commands(access)))


def _commands(access: Access) -> list[str]:
    lines = []
    for step in access.blocked_by:
        place = shlex.quote(step.path)
        if step.rights and step.to_owner:
            lines.append(f"chmod u+{words(step.rights).replace('-', '')} {place}")
        elif step.rights:
            lines.append(f"setfacl -m u:{access.user.uid}:{words(step.rights)} {place}")
        elif step.what == "mount":
            lines.append(f"mount -o remount,rw {place}")
        elif step.what == "rule":
            rule = f"  {access.real_path} rwk,"
            local = "/etc/apparmor.d/local/abstractions/libvirt-qemu"
            lines.append(f"echo {shlex.quote(rule)} >> {local}")
    return lines


def reachable(host: Host, path: str) -> str:
    """Return why QEMU cannot reach a folder, in one line; empty when it can or nobody knows."""
    try:
        access = explain_access(host, path, write=False)
    except LabvirtError:
        return ""
    first = next(iter(access.blocked_by), None)
    return f"QEMU cannot reach {path}: {first.path} is {first.why}" if first else ""
