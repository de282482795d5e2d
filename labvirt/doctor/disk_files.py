"""Files, file systems and images of a host's machine; each read once for all checks."""

from __future__ import annotations

import json
import os
import posixpath
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labvirt.errors import UnsupportedError
from labvirt.host.hostfiles import HostFiles

if TYPE_CHECKING:
    from labvirt.doctor.case import Patient

__all__ = ["FileFacts", "Room", "file_facts", "folder_of", "image_info", "line", "room_at"]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file at the end of a path, links followed.

    Attributes:
        device: major and minor number of what holds it.
        inode: its number there.
        size: bytes.
        taken: bytes that it takes.
        mode: type and rights, as ``st_mode``.
    """

    device: tuple[int, int]
    inode: int
    size: int
    taken: int
    mode: int

    @property
    def key(self) -> tuple[int, int, int]:
        """What all names of the file have in common."""
        return (*self.device, self.inode)


@dataclass(frozen=True, slots=True)
class Room:
    """The room of a file system.

    Attributes:
        size: bytes in all.
        free: bytes that an ordinary user may still take.
        left: bytes that nobody has taken, those kept for root among them.
        nodes: files that it can hold; 0 when it has no such limit.
        free_nodes: files that can still be made.
    """

    size: int
    free: int
    left: int
    nodes: int
    free_nodes: int


def file_facts(patient: Patient, path: str) -> FileFacts | None:
    """Return what is at the end of a path of the host; None when nothing is there.

    Raises:
        LabvirtError: it cannot be looked at from here.
    """
    return patient.once(("file", path), lambda: _file(patient, path))


def _file(patient: Patient, path: str) -> FileFacts | None:
    files = _files(patient)
    if files is not None:
        info = files.stat(path)
        if info is None:
            return None
        device = (os.major(info.st_dev), os.minor(info.st_dev))
        return FileFacts(device, info.st_ino, info.st_size, info.st_blocks * 512, info.st_mode)
    ran = patient.machine.run("stat", "-L", "-c", "%D %i %s %b %f", path)
    if not ran:
        if "No such file" in ran.err or "Not a directory" in ran.err:
            return None
        raise UnsupportedError(f"look at {path}", libvirt_text=ran.err.strip())
    raw, inode, size, blocks, mode = ran.out.split()
    number = int(raw, 16)
    device = (os.major(number), os.minor(number))
    return FileFacts(device, int(inode), int(size), int(blocks) * 512, int(mode, 16))


def _files(patient: Patient) -> HostFiles | None:
    return patient.once("host files", lambda: HostFiles.of(patient.host))


def room_at(patient: Patient, folder: str) -> Room:
    """Return the room of the file system that holds a folder.

    Raises:
        LabvirtError: it cannot be looked at.
    """
    return patient.once(("room", folder), lambda: _room(patient, folder))


def _room(patient: Patient, folder: str) -> Room:
    files = _files(patient)
    if files is not None:
        try:
            told = os.statvfs(files.here(files.resolve(folder)) or "/")
        except OSError as error:
            raise UnsupportedError(f"look at {folder}", libvirt_text=str(error)) from None
        unit = told.f_frsize
        return Room(
            told.f_blocks * unit,
            told.f_bavail * unit,
            told.f_bfree * unit,
            told.f_files,
            told.f_favail,
        )
    ran = patient.machine.run("stat", "-f", "-c", "%S %b %a %f %c %d", folder)
    if not ran:
        raise UnsupportedError(f"look at {folder}", libvirt_text=ran.err.strip())
    unit, blocks, free, left, nodes, free_nodes = map(int, ran.out.split())
    return Room(blocks * unit, free * unit, left * unit, nodes, free_nodes)


def image_info(patient: Patient, path: str) -> dict[str, Any]:
    """Return what ``qemu-img info`` says of one image, without a lock on it.

    Raises:
        UnsupportedError: it cannot be read; in qemu-img's words.
        NotFoundError: qemu-img is not installed there.
    """
    return patient.once(("image", path), lambda: _info(patient, path))


def _info(patient: Patient, path: str) -> dict[str, Any]:
    ran = patient.machine.run("qemu-img", "info", "-U", "--output=json", path)
    if not ran:
        said = ran.err.strip().removeprefix("qemu-img: ")
        raise UnsupportedError(f"read {path}", libvirt_text=said or f"exit code {ran.code}")
    told: dict[str, Any] = json.loads(ran.out)
    return told


def folder_of(path: str) -> str:
    """Return the folder of a file."""
    return posixpath.dirname(path) or "/"


def line(*words: str) -> str:
    """Return words as a shell line."""
    return shlex.join(words)
