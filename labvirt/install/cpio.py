"""Writes the archive that a Linux kernel unpacks as its first root file system (cpio "newc")."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import PurePosixPath

from labvirt.errors import LabError

__all__ = ["Archive"]

_MAGIC = b"070701"
_LIMIT = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


class Archive:
    """A root file system in the making; every entry belongs to root and has the time 0.

    Nothing is read from the disk and no right is needed: device nodes are only written down.
    The same entries give the same bytes in whatever order they were added.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def __contains__(self, path: str) -> bool:
        return _normal(path) in self._entries

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Add a folder, and the folders above it that are not there yet."""
        self._put(path, stat.S_IFDIR | mode, b"")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Add a regular file with the given content."""
        self._put(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a character device node."""
        self._put(path, stat.S_IFCHR | mode, b"", (major, minor))

    def data(self) -> bytes:
        """Return the whole archive.

        Raises:
            LabError: a file is larger than the format can say (4 GiB).
        """
        out = bytearray()
        # A folder sorts before what is in it, as the kernel needs it.
        for number, path in enumerate(sorted(self._entries, key=_order), start=1):
            entry = self._entries[path]
            if len(entry.data) > _LIMIT:
                raise LabError(f"cannot put {path} into an initramfs: {len(entry.data)} bytes")
            _write(out, path, number, entry)
        _write(out, "TRAILER!!!", 0, _Entry(0))
        return bytes(out)

    def _put(self, path: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        name = _normal(path)
        for parent in PurePosixPath(name).parents:
            above = parent.as_posix()
            if above == ".":
                continue
            known = self._entries.setdefault(above, _Entry(stat.S_IFDIR | 0o755))
            if not stat.S_ISDIR(known.mode):
                raise LabError(f"cannot add {name} to the initramfs: {above} is not a folder")
        before = self._entries.get(name)
        if before is not None and stat.S_IFMT(before.mode) != stat.S_IFMT(mode):
            raise LabError(f"cannot add {name} to the initramfs: it is there as something else")
        self._entries[name] = _Entry(mode, data, device)


def _normal(path: str) -> str:
    name = path.strip("/")
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or "\0" in name:
        raise LabError(f"cannot add {path!r} to the initramfs: not a path inside it")
    return "/".join(parts)


def _order(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _write(out: bytearray, path: str, number: int, entry: _Entry) -> None:
    name = path.encode() + b"\0"
    size = len(entry.data)
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = (number, entry.mode, 0, 0, links, 0, size, 0, 0, *entry.device, len(name), 0)
    out += _MAGIC + b"".join(b"%08X" % field for field in fields) + name
    out += b"\0" * (-len(out) % 4)
    out += entry.data
    out += b"\0" * (-len(out) % 4)
