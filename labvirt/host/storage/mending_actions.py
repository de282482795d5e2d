"""The action that gives an image another name."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.errors import ConflictError, HostError, UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["MoveImage", "files_of_image"]


def files_of_image(host: Host, asked: str) -> HostFiles:
    """Return the files of a host whose images are to be mended from here.

    Raises:
        UnsupportedError: the host is another machine.
    """
    files = HostFiles.of(host)
    if files is None:
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text="the host is another machine, and its files cannot be changed from here",
            hint="run the command of the remedy there",
        )
    return files


@dataclass(frozen=True)
class MoveImage(Action["Host"]):
    """Give a file of the host another name in the same file system.

    Attributes:
        source: where it is.
        target: where it shall be; nothing may be there.
        inode: number of the file, so that an undo moves nothing else.
    """

    kind: ClassVar[str] = "move-image"
    source: str
    target: str
    inode: int

    @property
    def title(self) -> str:
        return f"move {self.source} to {self.target}"

    @property
    def shell(self) -> tuple[str, ...]:
        return (shlex.join(["mv", "-n", self.source, self.target]),)

    def do(self, host: Host, control: JobControl) -> None:
        _rename(files_of_image(host, self.title), self.source, self.target, self.title)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        files = files_of_image(host, self.title)
        info = files.stat(self.target)
        if info is not None and info.st_ino == self.inode and files.stat(self.source) is None:
            _rename(files, self.target, self.source, self.title)


def _rename(files: HostFiles, source: str, target: str, asked: str) -> None:
    old, new = (files.here(files.resolve(path)) for path in (source, target))
    try:
        # A link, unlike a rename, takes the place of nothing that came meanwhile.
        os.link(old, new, follow_symlinks=False)
        os.unlink(old)  # noqa: PTH108 - a path below /proc/PID/root
    except FileExistsError:
        raise ConflictError(asked, libvirt_text=f"{target} is there by now") from None
    except OSError as error:
        raise HostError(asked, libvirt_text=error.strerror or str(error)) from None
