"""Files of this machine: read without following links, put in place whole, given to their owner."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from typing import TYPE_CHECKING

from labvirt.errors import AccessDeniedError, ConflictError, HostError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["give_to", "mode_of", "no_plain_file", "put_whole", "read_text"]


def mode_of(path: Path) -> int | None:
    """Return the mode bits of a file or folder, None when it is not there."""
    try:
        return stat.S_IMODE(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_text(path: Path) -> str:
    """Return the text of a file; empty when it is not there.

    Raises:
        ConflictError: it is a link, or no plain file.
        AccessDeniedError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except PermissionError as error:
        raise AccessDeniedError(f"read {path}", libvirt_text=str(error.strerror)) from error
    except OSError as error:
        raise no_plain_file(path) from error
    with os.fdopen(fd, encoding="utf-8", errors="surrogateescape") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise no_plain_file(path)
        return file.read()


def no_plain_file(path: Path) -> ConflictError:
    """Return the refusal to use a link, or what is no plain file."""
    return ConflictError(
        f"use {path}",
        libvirt_text="it is a link or no plain file",
        hint="name the file itself, or remove the link",
    )


def put_whole(path: Path, data: bytes, mode: int, *, new: bool) -> None:
    """Put a whole file in place; `new` refuses one that is there."""
    try:
        fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except PermissionError as error:
        raise AccessDeniedError(
            f"write {path}", libvirt_text=f"{path.parent}: {error.strerror}"
        ) from error
    except OSError as error:
        raise HostError(f"write {path}", libvirt_text=str(error.strerror)) from error
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(fd, mode)
            give_to(fd, path.parent if new or not path.exists() else path)
            os.fsync(fd)
        if new:
            os.link(temporary, path, follow_symlinks=False)
        else:
            os.replace(temporary, path)  # noqa: PTH105 - beside os.link
    except FileExistsError as error:
        raise ConflictError(
            f"write {path}",
            libvirt_text="it is there already and is never overwritten",
            hint="move it away, or choose another name",
        ) from error
    except OSError as error:
        raise HostError(f"write {path}", libvirt_text=str(error.strerror)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108


def give_to(fd: int, like: Path) -> None:
    """Give a file to the owner of another one; only root can, and has to."""
    if os.geteuid() == 0:
        found = like.lstat()
        os.fchown(fd, found.st_uid, found.st_gid)
