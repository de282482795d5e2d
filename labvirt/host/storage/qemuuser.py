"""As whom QEMU runs on a host of this machine, and what libvirt does about the rights of images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from labvirt.host.hostfiles import HostFiles

__all__ = ["QemuUser", "setting"]

_CONF = "/etc/libvirt/qemu.conf"


def setting(files: HostFiles, name: str) -> str:
    """Return a value of the host's qemu.conf without quotes; empty when it is not set."""
    found = re.search(rf"^\s*{name}\s*=\s*\"?([^\"\n#]*)", files.read(_CONF), re.MULTILINE)
    return found.group(1).strip() if found else ""


@dataclass(frozen=True)
class QemuUser:
    """QEMU's user.

    Attributes:
        uid: user id.
        gid: group id.
        name: user name; empty when the host has none for it.
        groups: every group it belongs to.
        takes_over: libvirt gives images to this user when a domain starts (dynamic_ownership).
        almighty: it may do everything, because it is root and keeps root's capabilities.
    """

    uid: int
    gid: int
    name: str
    groups: frozenset[int]
    takes_over: bool
    almighty: bool

    def __str__(self) -> str:
        return f"{self.name or 'user'} {self.uid}:{self.gid}"

    @classmethod
    def of(cls, files: HostFiles, capabilities: str, *, is_system: bool) -> Self:
        """Find QEMU's user: libvirt tells it for a system connection, else it is the daemon's."""
        label = _dac_label(capabilities)
        uid, gid = files.uid, files.gid
        inside = (uid, gid)
        if label is not None:
            inside = label
            uid = _here(files.pid, "uid_map", label[0], uid)
            gid = _here(files.pid, "gid_map", label[1], gid)
        name, groups = _groups(files, *inside) if inside == (uid, gid) else ("", frozenset({gid}))
        return cls(
            uid,
            gid,
            name,
            groups,
            takes_over=is_system and files.uid == 0 and setting(files, "dynamic_ownership") != "0",
            # Root without its capabilities is a user like any other (clear_emulator_capabilities).
            almighty=uid == 0 and setting(files, "clear_emulator_capabilities") == "0",
        )


def _here(pid: int, kind: str, number: int, otherwise: int) -> int:
    """Return the id that one inside the daemon's user namespace has where we are (user_namespaces(7)).

    Args:
        pid: process of the daemon; 0 when it is not known: then the number counts as it is.
        kind: ``uid_map`` or ``gid_map``.
        number: the id as the daemon tells it.
        otherwise: what an id is that has no counterpart here.
    """
    try:
        rows = Path(f"/proc/{pid}/{kind}").read_text(encoding="ascii").splitlines()
    except OSError:
        return number
    for row in rows:
        inside, outside, count = map(int, row.split())
        if inside <= number < inside + count:
            return outside + number - inside
    return otherwise


def _dac_label(capabilities: str) -> tuple[int, int] | None:
    for model in XmlDoc.parse(capabilities).root.iterfind("host/secmodel"):
        if model.findtext("model") != "dac":
            continue
        for label in model.iterfind("baselabel"):
            found = re.fullmatch(r"\+(\d+):\+(\d+)", (label.text or "").strip())
            if found and label.get("type") in ("qemu", "kvm"):
                return int(found.group(1)), int(found.group(2))
    return None


def _groups(files: HostFiles, uid: int, gid: int) -> tuple[str, frozenset[int]]:
    """Return name and groups of a user by the host's own passwd and group files."""
    name = ""
    for line in files.read("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) > 3 and fields[2] == str(uid):
            name = fields[0]
            break
    groups = {gid}
    for line in files.read("/etc/group").splitlines():
        fields = line.split(":")
        if name and len(fields) > 3 and name in fields[3].split(",") and fields[2].isdecimal():
            groups.add(int(fields[2]))
    return name, frozenset(groups)
