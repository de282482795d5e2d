"""HostFiles: the files of a host on this machine, as its daemon sees them.

A daemon may live in a mount namespace of its own (an embedded lab, a container): the same path is
another file there. The daemon's process is found through its socket, and its files are looked at
through ``/proc/PID/root``. Links are followed here, step by step, because the kernel would follow
an absolute one from the root of this process.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary

from labvirt.errors import AccessDeniedError, HostError, LabvirtError, NotFoundError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.host import Host
    from labvirt.model.uri import Uri

__all__ = ["HostFiles", "Mount", "Step"]

#: How many links the kernel follows in one path.
_MOST_LINKS = 40
_known: WeakKeyDictionary[object, tuple[int, HostFiles]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount that the daemon sees.

    Attributes:
        path: where.
        kind: the file system: ``ext4``, ``nfs4``, ``tmpfs`` ...
        source: what is mounted: a device, or an export.
        options: ``ro``, ``noexec`` ...
    """

    path: str
    kind: str
    source: str
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One component on the way to a file.

    Attributes:
        path: its path, without links.
        info: what ``lstat`` says; None when it does not exist.
        link: where it leads, for a link; empty otherwise.
    """

    path: str
    info: os.stat_result | None
    link: str = ""


class HostFiles:
    """The files of a host of this machine.

    Args:
        root: folder under which this process finds the daemon's root; empty when it is the same.
        pid: process of the daemon; 0 when it is not known.
        uid: user it runs as.
        gid: its group.
    """

    def __init__(self, root: str, pid: int, uid: int, gid: int) -> None:
        self.root, self.pid, self.uid, self.gid = root, pid, uid, gid

    @classmethod
    def of(cls, host: Host) -> HostFiles | None:
        """Return the files of a host; None when it is another machine, or its files stay closed."""
        if not host.is_local or host.connection.uri.is_in_process:
            return None
        generation = host.connection.generation
        kept = _known.get(host)
        if kept is None or kept[0] != generation:
            kept = _known[host] = (generation, cls._look(host.connection.uri))
        return kept[1]

    @classmethod
    def _look(cls, uri: Uri) -> Self:
        for path in _sockets(uri):
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(2.0)
                try:
                    link.connect(path)
                except OSError:
                    continue
                size = struct.calcsize("3i")
                found = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
                pid, uid, gid = struct.unpack("3i", found)
                return cls(_root_of(pid), pid, uid, gid)
        system = uri.path.startswith("/system")
        return cls("", 0, 0 if system else os.getuid(), 0 if system else os.getgid())

    def here(self, path: str) -> str:
        """Return the path by which this process finds a path of the host that has no links."""
        return self.root + path

    def steps(self, path: str) -> tuple[Step, ...]:
        """Walk a path, links followed; ends at the first component that does not exist.

        Raises:
            SpecError: the links go round in circles.
            AccessDeniedError: this process may not look there.
        """
        found = [Step("/", self._lstat("/", path))]
        rest = [part for part in path.split("/") if part not in ("", ".")]
        at, links = "", 0
        while rest:
            part = rest.pop(0)
            if part == "..":
                at = at.rpartition("/")[0]
                continue
            here = f"{at}/{part}"
            info = self._lstat(here, path)
            if info is None or not stat.S_ISLNK(info.st_mode):
                found.append(Step(here, info))
                at = here
                if info is None:
                    break
                continue
            links += 1
            if links > _MOST_LINKS:
                raise SpecError(f"{path} leads round in circles: {here} is a symbolic link")
            leads = str(Path(self.here(here)).readlink())
            found.append(Step(here, info, leads))
            rest[:0] = [one for one in leads.split("/") if one not in ("", ".")]
            at = "" if leads.startswith("/") else at
        return tuple(found)

    def _lstat(self, path: str, whole: str) -> os.stat_result | None:
        try:
            return os.lstat(self.here(path) or "/")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise AccessDeniedError(
                f"look at {whole}",
                libvirt_text=f"this process may not look at {path}: {error.strerror}",
                hint="run it as a user who may, e.g. root",
            ) from None

    def resolve(self, path: str) -> str:
        """Return a path without links; what does not exist stays as it is written.

        Raises:
            SpecError: the links go round in circles.
            AccessDeniedError: this process may not look there.
        """
        steps = self.steps(path)
        last = steps[-1]
        if last.info is not None:
            return last.path
        written = [part for part in path.split("/") if part not in ("", ".")]
        missing = last.path.rpartition("/")[2]
        behind = written[written.index(missing) + 1 :] if missing in written else []
        return "/".join([last.path, *behind])

    def stat(self, path: str) -> os.stat_result | None:
        """Return what is at the end of a path, links followed; None when nothing is there."""
        return self.steps(path)[-1].info

    def same(self, path: str) -> tuple[int, int] | str:
        """Return what two paths of one file have in common: device and number, else the path."""
        plain = os.path.normpath(path)
        info = None
        for one in dict.fromkeys((path, plain)):  # "missing/../file" is the file to many a tool
            with contextlib.suppress(LabvirtError):
                info = info or self.stat(one)
        if info is None:
            return plain
        if stat.S_ISBLK(info.st_mode):
            return (-1, info.st_rdev)
        return (info.st_dev, info.st_ino)

    def read(self, path: str, most: int = 1 << 20) -> str:
        """Return the text of a small file; empty when it cannot be read."""
        try:
            with open(self.here(self.resolve(path)), "rb") as file:  # noqa: PTH123 - /proc/PID/root
                return file.read(most).decode(errors="replace")
        except (OSError, LabvirtError):
            return ""

    def program(self, name: str) -> bool:
        """Return whether the host has a program."""
        folders = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
        return any(self._is_program(f"{folder}/{name}") for folder in folders)

    def _is_program(self, path: str) -> bool:
        try:
            info = self.stat(path)
        except LabvirtError:
            return False
        return info is not None and bool(info.st_mode & 0o111)

    def mounts(self) -> Iterator[Mount]:
        """Yield what is mounted, as the daemon sees it, in the order of mounting."""
        text = Path(f"/proc/{self.pid or 'self'}/mountinfo")
        try:
            lines = text.read_text(errors="replace").splitlines()
        except OSError as error:
            raise HostError("read the mounts of the host", libvirt_text=str(error)) from None
        for line in lines:
            left, _, right = line.partition(" - ")
            own, (kind, source, *shared) = left.split(), right.split()
            options = {*own[5].split(","), *",".join(shared).split(",")}
            yield Mount(_plain(own[4]), kind, _plain(source), frozenset(options))

    def mount_of(self, path: str) -> Mount | None:
        """Return the mount that holds a path without links."""
        best = None
        for mount in self.mounts():
            inside = path == mount.path or path.startswith(mount.path.rstrip("/") + "/")
            if inside and (best is None or len(mount.path) >= len(best.path)):
                best = mount
        return best

    def require(self, path: str, asked: str) -> os.stat_result:
        """Return what is at the end of a path.

        Raises:
            NotFoundError: nothing is there; names the first component that is missing.
        """
        last = self.steps(path)[-1]
        if last.info is None:
            raise NotFoundError(
                asked,
                libvirt_text=f"{last.path} does not exist",
                hint="check the path as the host sees it",
            )
        return last.info


def _plain(text: str) -> str:
    """Return a path of mountinfo without its escapes."""
    for octal in ("040", "011", "012", "134"):
        text = text.replace(f"\\{octal}", chr(int(octal, 8)))
    return text


def _sockets(uri: Uri) -> list[str]:
    given = dict(uri.params).get("socket")
    if given:
        return [given]
    folder = "/run/libvirt"
    if not uri.path.startswith("/system"):
        own = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
        folder = f"{own}/libvirt"
    return [f"{folder}/{name}" for name in ("libvirt-sock", "virtqemud-sock")]


def _root_of(pid: int) -> str:
    """Return where this process finds the root of another; empty when it is the same."""
    try:
        if Path(f"/proc/{pid}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink():
            return ""
        os.listdir(f"/proc/{pid}/root")  # noqa: PTH208 - only whether it is allowed
    except OSError:
        return ""
    return f"/proc/{pid}/root"
