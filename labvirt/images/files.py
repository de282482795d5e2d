"""Image files as files: are they there, what stands on them, and half-made parts of them."""

from __future__ import annotations

import errno
import os
import stat
import struct
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    HostError,
    NotFoundError,
    Problem,
    SpecError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "backing_of",
    "dependents",
    "full_path",
    "part_name",
    "parts_of",
    "put_in_place",
    "require_image",
    "require_new",
]

_PART = ".labvirt-part"


def full_path(path: str | os.PathLike[str], asked: str) -> str:
    """Return the absolute path of an image.

    Raises:
        SpecError: no path at all, an address, or a name that no file can have.
    """
    given: object = path
    text = os.fspath(given) if isinstance(given, str | os.PathLike) else ""
    why = ""
    if isinstance(text, bytes) or not text:
        why = "is no path"
    elif "://" in text or text.startswith(("json:", "nbd:")):
        why = "is an address; only files and block devices of this machine can be worked on here"
    elif "\0" in text or "\n" in text:
        why = "contains a character that no image should have in its name"
    if why:
        raise SpecError(f"cannot {asked}:", [Problem("path", str(path)[:80], why)])
    return str(Path(str(text)).absolute())


def _problem(path: str, asked: str, error: OSError) -> HostError | SpecError:
    if error.errno == errno.ELOOP:
        why = "symbolic links lead in a circle"
        return SpecError(f"cannot {asked}:", [Problem("path", path, why, os.path.realpath(path))])
    if error.errno in (errno.EACCES, errno.EPERM):
        return AccessDeniedError(asked, libvirt_text=f"{path}: {error.strerror}")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFoundError(asked, libvirt_text=f"{path} does not exist on this machine")
    return HostError(asked, libvirt_text=f"{path}: {error.strerror}")


def require_image(path: str, asked: str) -> os.stat_result:
    """Look at an image that must exist.

    Raises:
        NotFoundError: it does not.
        SpecError: it is no file and no block device, or its links lead in a circle.
        AccessDeniedError: it cannot even be looked at.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise _problem(path, asked, error) from error
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISBLK(found.st_mode)):
        why = "is a folder" if stat.S_ISDIR(found.st_mode) else "is neither file nor block device"
        raise SpecError(f"cannot {asked}:", [Problem("path", path, why)])
    return found


def require_new(path: str, asked: str, *, overwrite: bool) -> None:
    """Look at the place of an image that is to be made.

    Raises:
        ConflictError: something is there already.
        NotFoundError: the folder does not exist.
        AccessDeniedError: nothing can be made in the folder.
        SpecError: it is a folder, a device or a circle of links.
    """
    folder = Path(path).parent
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise SpecError(f"cannot {asked}:", [Problem("path", str(folder), "is no folder")])
    except OSError as error:
        raise _problem(str(folder), asked, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise AccessDeniedError(asked, libvirt_text=f"nothing can be written in {folder}")
    try:
        found = Path(path).lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _problem(path, asked, error) from error
    if not stat.S_ISREG(found.st_mode):
        what = "a link" if stat.S_ISLNK(found.st_mode) else "no plain file"
        raise SpecError(f"cannot {asked}:", [Problem("path", path, f"exists and is {what}")])
    if not overwrite:
        raise ConflictError(
            asked,
            libvirt_text=f"{path} exists already",
            hint="another name, or overwrite=True and confirm=True",
        )


def part_name(path: str) -> str:
    """Return a new name beside `path` for what is not whole yet."""
    place = Path(path)
    return str(place.with_name(f".{place.name}{_PART}-{uuid.uuid4().hex[:8]}"))


def parts_of(path: str) -> tuple[str, ...]:
    """Return the half-made files that a killed process left beside `path`."""
    place = Path(path)
    prefix = f".{place.name}{_PART}-"
    try:
        names = [entry.name for entry in place.parent.iterdir()]
    except OSError:
        return ()
    return tuple(str(place.parent / name) for name in sorted(names) if name.startswith(prefix))


def put_in_place(part: str, path: str, *, overwrite: bool, asked: str) -> None:
    """Give a whole file its name; what came to be there meanwhile is not touched.

    Raises:
        ConflictError: the name was taken meanwhile.
    """
    if overwrite:
        Path(part).replace(path)
        return
    try:
        os.link(part, path)
    except FileExistsError:
        Path(part).unlink()
        raise ConflictError(asked, libvirt_text=f"{path} came to be meanwhile") from None
    except OSError:
        # A file system without hard links.
        if os.path.lexists(path):
            raise ConflictError(asked, libvirt_text=f"{path} came to be meanwhile") from None
        Path(part).rename(path)
        return
    Path(part).unlink()


def backing_of(path: str) -> str | None:
    """Return the image that the header of `path` names below it, as a full path; read at once.

    Only qcow2 and qed are looked at; others have no backing image in daily life.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return None
        with Path(path).open("rb") as image:
            head = image.read(72)
            if len(head) < 72:
                return None
            if head[:4] == b"QFI\xfb":
                offset, length = struct.unpack_from(">QI", head, 8)
            elif head[:4] == b"QED\x00":
                offset, length = struct.unpack_from("<II", head, 56)
            else:
                return None
            if not 0 < length < 4096 or not offset:
                return None
            image.seek(offset)
            name = image.read(length).decode(errors="replace")
    except OSError:
        return None
    name = name.removeprefix("file:")
    return os.path.normpath(Path(path).parent / name)


def dependents(path: str, folders: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the images that stand on `path`, directly: they break when it is changed.

    Args:
        path: the base.
        folders: folders to look into besides its own.
    """
    wanted = os.path.realpath(path)
    seen = dict.fromkeys(os.path.realpath(one) for one in (str(Path(path).parent), *folders))
    return tuple(
        one
        for one in _files_of(seen)
        if (below := backing_of(one)) is not None and os.path.realpath(below) == wanted
    )


def _files_of(folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        yield from (entry.path for entry in entries if entry.is_file())
