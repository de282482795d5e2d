"""Mending images of a host: faults inside a file, and a file that stands under another name."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.errors import ConflictError, HostError, NotFoundError, UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.images.image import Image
from labvirt.plan import Action, Plan

if TYPE_CHECKING:
    from typing import Any

    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["MoveImage", "plan_move", "plan_rebase", "plan_repair"]


def _files(host: Host, asked: str) -> HostFiles:
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
        _rename(_files(host, self.title), self.source, self.target, self.title)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        files = _files(host, self.title)
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


def plan_move(host: Host, source: str, target: str) -> Plan[None]:
    """Return the plan of `Host.move_image`."""
    asked = f"move {source} to {target}"
    files = _files(host, asked)
    info = files.require(source, asked)
    if files.stat(target) is not None:
        raise ConflictError(asked, uri=host.label, libvirt_text=f"{target} exists already")
    return _plan(host, asked, MoveImage(source, target, info.st_ino), ("move_image", source, target))


def _plan(host: Host, title: str, action: Action[Host], call: tuple[Any, ...]) -> Plan[None]:
    return Plan(
        title=title,
        host=host,
        actions=(action,),
        result=lambda: None,
        python=f"{host.python}.{call[0]}({', '.join(map(repr, call[1:]))})",
        journal=host.journal,
    )


def _image(host: Host, path: str, form: str, asked: str) -> Image:
    """Return an image of the host as this process finds it."""
    files = _files(host, asked)
    files.require(path, asked)
    return Image(files.here(files.resolve(path)), format=form or None, host=host)


def plan_repair(host: Host, path: str, what: str, form: str, *, confirm: bool) -> Plan[Image]:
    """Return the plan of `Host.repair_image`."""
    plan: Plan[Image] = _image(host, path, form, f"repair {path}").repair.plan(
        what, confirm=confirm
    )
    return plan


def plan_rebase(
    host: Host, path: str, base: str, base_format: str, *, confirm: bool
) -> Plan[Image]:
    """Return the plan of `Host.rename_base`."""
    asked = f"write another base into {path}"
    files = _files(host, asked)
    if files.stat(base) is None:
        raise NotFoundError(asked, uri=host.label, libvirt_text=f"{base} does not exist")
    image = _image(host, path, "", asked)
    plan: Plan[Image] = image.rebase.plan(
        base, backing_format=base_format, unsafe=True, confirm=confirm
    )
    return plan
