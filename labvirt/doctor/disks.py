"""What the checks of storage know of files, images and disks; each read once for all of them."""

from __future__ import annotations

import json
import os
import posixpath
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.checks import Seen, not_here
from labvirt.errors import LabvirtError, NotFoundError, UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.model.xml.backing import backing_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case, Patient
    from labvirt.host.domain import Domain
    from labvirt.model.xml.devices import DiskXml

__all__ = [
    "DiskLook",
    "FileFacts",
    "Layer",
    "Room",
    "Use",
    "chain_of",
    "disk_of",
    "file_facts",
    "image_info",
    "looks_of",
    "present",
    "room_at",
    "uses",
]

_LONGEST: Final = 60
_DRIVES: Final = ("cdrom", "floppy")


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
        nodes: files that it can hold; 0 when it has no such limit.
        free_nodes: files that can still be made.
    """

    size: int
    free: int
    nodes: int
    free_nodes: int


@dataclass(frozen=True, slots=True)
class DiskLook:
    """A disk as the XML of its domain tells it.

    Attributes:
        view: the disk's facts.
        path: its file or device; empty for a drive without a medium and for a disk on a server.
        stopped_pool: name of the pool that holds it and is stopped; empty when there is none.
        running: whether its domain runs.
    """

    view: DiskXml
    path: str
    stopped_pool: str
    running: bool

    @property
    def target(self) -> str:
        """Its name: ``vda``."""
        return self.view.target or ""

    @property
    def is_drive(self) -> bool:
        """Whether its medium can be changed."""
        return self.view.device in _DRIVES

    @property
    def writes(self) -> bool:
        """Whether its domain writes to the file itself."""
        return not (self.is_drive or self.view.readonly or self.view.transient)


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of a disk's chain.

    Attributes:
        path: where it is.
        declared: format that the XML or the image above names; empty when nobody does.
        facts: the file; None when it is not there.
        info: what ``qemu-img info`` says; empty when it could not be read.
        trouble: why it could not be read.
    """

    path: str
    declared: str
    facts: FileFacts | None
    info: dict[str, Any]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """One disk of one domain on a file."""

    domain: str
    target: str
    path: str
    running: bool
    writes: bool
    shareable: bool


# -- files --------------------------------------------------------------------------------------


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
        return Room(told.f_blocks * unit, told.f_bavail * unit, told.f_files, told.f_favail)
    ran = patient.machine.run("stat", "-f", "-c", "%S %b %a %c %d", folder)
    if not ran:
        raise UnsupportedError(f"look at {folder}", libvirt_text=ran.err.strip())
    unit, blocks, free, nodes, free_nodes = map(int, ran.out.split())
    return Room(blocks * unit, free * unit, nodes, free_nodes)


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


# -- disks --------------------------------------------------------------------------------------


def disk_of(case: Case) -> DiskLook:
    """Return the disk that a check is about."""
    return next(one for one in looks_of(case.patient, case.domain) if one[0] is case.element)[1]


def looks_of(patient: Patient, domain: Domain) -> list[tuple[Any, DiskLook]]:
    """Return the disks of a domain: element and what it says."""
    return patient.once(("disks", domain.uuid), lambda: list(_looks(patient, domain)))


def _looks(patient: Patient, domain: Domain) -> Iterator[tuple[Any, DiskLook]]:
    running = patient.record(domain).is_active
    for view in patient.document(domain).disks:
        path, stopped = view.source_path or "", ""
        if view.source_pool and view.source_volume:
            path, stopped = _volume(patient, view.source_pool, view.source_volume)
        yield view.element, DiskLook(view, path, stopped, running)


def _volume(patient: Patient, pool_name: str, volume: str) -> tuple[str, str]:
    """Return path of a volume, and the name of its pool when that is stopped."""
    pool = next((one for one in patient.pools if one.name == pool_name), None)
    if pool is None:
        return "", pool_name
    record = patient.pool_record(pool)
    if record.path and record.type in ("dir", "fs", "netfs"):
        path = f"{record.path.rstrip('/')}/{volume}"
    else:
        path = pool.volumes[volume].info().path if record.is_active else ""
    return path, "" if record.is_active else pool_name


def present(case: Case) -> DiskLook | Seen:
    """Return the disk when its file is there; else the answer of a check that needs it."""
    look = disk_of(case)
    if look.stopped_pool:
        return not_here(f"its pool {look.stopped_pool} is stopped or gone: see storage.active")
    if not look.path:
        where = "on a server" if look.view.source_protocol else "no medium"
        return not_here(where)
    if look.view.source_dir:
        return not_here(f"a folder: {look.path}")
    if file_facts(case.patient, look.path) is None:
        return not_here(f"{look.path} is not there: see disk.there and disk.media")
    return look


def chain_of(case: Case, look: DiskLook) -> tuple[Layer, ...]:
    """Return the files of a disk, the one that is written to first; the last may be missing."""
    key = ("chain", case.domain.uuid, look.target)
    return case.patient.once(key, lambda: tuple(_chain(case.patient, look)))


def _chain(patient: Patient, look: DiskLook) -> Iterator[Layer]:
    named, _ = backing_of(look.view)
    path, declared, seen = look.path, look.view.driver_type or "", set[object]()
    for depth in range(_LONGEST):
        facts = file_facts(patient, path)
        if facts is not None and facts.key in seen:
            yield Layer(path, declared, facts, {}, "the chain runs in a circle")
            return
        layer = _layer(patient, path, declared, facts)
        yield layer
        if facts is None or declared == "raw" or layer.info.get("format") == "raw":
            return
        seen.add(facts.key)
        below = str(layer.info.get("full-backing-filename") or "")
        below_format = str(layer.info.get("backing-filename-format") or "")
        if depth < len(named) and not look.running:
            # What the definition names is what libvirt opens.
            below, below_format = named[depth]
        if not below.startswith("/"):
            return
        path, declared = below, below_format


def _layer(patient: Patient, path: str, declared: str, facts: FileFacts | None) -> Layer:
    if facts is None:
        return Layer(path, declared, None, {}, "not there")
    try:
        return Layer(path, declared, facts, image_info(patient, path))
    except NotFoundError:
        raise
    except LabvirtError as error:
        return Layer(path, declared, facts, {}, getattr(error, "libvirt_text", "") or str(error))


def uses(patient: Patient) -> tuple[Use, ...]:
    """Return every disk of every domain that is a file or device of the host."""
    return patient.once("disk uses", lambda: tuple(_uses(patient)))


def _uses(patient: Patient) -> Iterator[Use]:
    for domain in patient.domains:
        try:
            looks = looks_of(patient, domain)
        except LabvirtError:
            continue  # gone meanwhile
        for _, look in looks:
            if look.path:
                shareable = bool(look.view.shareable)
                yield Use(domain.name, look.target, look.path, look.running, look.writes, shareable)


def folder_of(path: str) -> str:
    """Return the folder of a file."""
    return posixpath.dirname(path) or "/"


def line(*words: str) -> str:
    """Return words as a shell line."""
    return shlex.join(words)
