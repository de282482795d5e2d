"""The action that lets QEMU's user past a closed folder or file."""

from __future__ import annotations

import base64
import errno
import os
import shlex
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.errors import AccessDeniedError, UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.acl import Acl, words
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["GrantAccess", "files_of_host"]


@dataclass(frozen=True)
class GrantAccess(Action["Host"]):
    """Let one user do one thing with one file or folder.

    Attributes:
        path: without links.
        uid: the user.
        rights: 4 read, 2 write, 1 search.
        before: the access list as it was, base64; empty when there was none.
        mode: the mode as it was.
    """

    kind: ClassVar[str] = "grant-access"
    path: str
    uid: int
    rights: int
    before: str
    mode: int

    @property
    def title(self) -> str:
        return f"let user {self.uid} {words(self.rights).replace('-', '')} {self.path}"

    @property
    def command(self) -> str:
        """The same thing as a shell line; of the owner's own file `chmod u+rw` does it."""
        return shlex.join(["setfacl", "-m", f"u:{self.uid}:{words(self.rights)}", self.path])

    @property
    def diff(self) -> str:
        return f"+ {self.command}"

    def do(self, host: Host, control: JobControl) -> None:
        files = files_of_host(host)
        info = files.require(self.path, self.title)
        here = files.here(self.path)
        try:
            if self.uid == info.st_uid and not self.before:
                os.chmod(here, info.st_mode & 0o7777 | self.rights << 6)  # noqa: PTH101 - /proc/PID/root
            else:
                Acl.read(here, info).granting(self.uid, self.rights).write(here)
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise UnsupportedError(
                    self.title,
                    uri=host.label,
                    libvirt_text="the file system has no access lists",
                    hint=f"open it for all: chmod o+{words(self.rights).replace('-', '')} {self.path}",
                ) from None
            raise AccessDeniedError(
                self.title,
                uri=host.label,
                libvirt_text=error.strerror or str(error),
                hint=f"as its owner or as root: {self.command}",
            ) from None

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        files = files_of_host(host)
        info = files.stat(self.path)
        if info is None:
            return
        here = files.here(self.path)
        if self.before:
            Acl(info.st_uid, info.st_gid, _entries(self.before)).write(here)
        elif Acl.read(here, info).extended:
            Acl.remove(here, self.mode)
        elif self.uid == info.st_uid:
            os.chmod(here, self.mode)  # noqa: PTH101 - a path below /proc/PID/root


def _entries(text: str) -> tuple[tuple[int, int, int], ...]:
    raw = base64.b64decode(text)
    return tuple(struct.Struct("<HHI").iter_unpack(raw[4:]))


def files_of_host(host: Host) -> HostFiles:
    """Return the files of a host of this machine."""
    files = HostFiles.of(host)
    if files is None:
        raise UnsupportedError("change the rights of a file", uri=host.label)
    return files
