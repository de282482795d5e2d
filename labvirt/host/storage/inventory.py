"""Inventory: the records of a pool's volumes, read from the files themselves where that is possible.

Libvirt tells sizes of one volume at a time: two calls each the usual way. On this machine one call
lists them all, and the rest stands in the files: what ``stat`` says, and the head of a qcow2 image.
A file that may be of another format, or may not be read, is asked of libvirt.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING, Final

from labvirt.connection import volume as volumes
from labvirt.errors import LabvirtError, NotFoundError
from labvirt.host.hostfiles import HostFiles
from labvirt.model.units import Size
from labvirt.status import VolumeRecord

if TYPE_CHECKING:
    import datetime as dt

    from labvirt.host.host import Host

__all__ = ["inventory"]

_HEAD: Final = 4096
_QCOW2: Final = struct.Struct(">4sIQIIQI")
_ISO_AT: Final = 32769
#: How files of formats that are neither raw nor qcow2 begin, and where (libvirt's own list).
_OTHERS: Final = (
    (0, b"Bochs Virtual HD Image"),
    (0, b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop"),
    (0, b"OOOM"),
    (0, b"LUKS\xba\xbe"),
    (0, b"WithoutFreeSpace"),
    (0, b"WithouFreSpacExt"),
    (0, b"QFI\xfb"),
    (0, b"QED\0"),
    (0, b"KDMV"),
    (0, b"COWD"),
    (0, b"conectix"),
    (0, b"vhdxfile"),
    (64, b"\x7f\x10\xda\xbe"),
)
_BACKING_FORMAT: Final = 0xE2792ACA
_INCOMPATIBLE_DATA_FILE: Final = 4


def inventory(host: Host, pool: str, pool_name: str, kind: str) -> tuple[VolumeRecord, ...]:
    """Read every volume of a pool with as few calls as possible.

    Args:
        host: the host.
        pool: UUID of the pool.
        pool_name: its name.
        kind: its type.

    Raises:
        ConflictError: the pool is not active.
    """
    files = HostFiles.of(host) if kind in ("dir", "fs", "netfs") else None
    if files is None:
        return volumes.list_all(host.connection, pool)
    listed = volumes.paths(host.connection, pool)
    if len({path.rpartition("/")[0] for _, _, path in listed}) != 1:
        return volumes.list_all(host.connection, pool)
    try:
        folder = files.resolve(listed[0][2].rpartition("/")[0])
    except LabvirtError:
        return volumes.list_all(host.connection, pool)
    now = host.connection.now()
    found = []
    for name, key, path in listed:
        place = f"{files.here(folder)}/{path.rpartition('/')[2]}"
        record = _read(place, pool_name, (name, key, path), now)
        if record is None:
            try:
                record = volumes.read(host.connection, pool, name)
            except NotFoundError:
                continue
        found.append(record)
    return tuple(found)


def _read(
    place: str, pool: str, names: tuple[str, str, str], now: dt.datetime
) -> VolumeRecord | None:
    """Return the record of a file that is surely raw or qcow2; None for any other."""
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            return None
        head = os.pread(fd, _HEAD, 0)
        is_iso = os.pread(fd, 5, _ISO_AT) == b"CD001"
    except OSError:
        return None
    finally:
        os.close(fd)
    if head[:4] == b"QFI\xfb" and head[4:8] in (b"\0\0\0\2", b"\0\0\0\3"):
        capacity, backing, backing_format = _qcow2(head)
        form = "qcow2"
        if capacity < 0:
            return None
    elif is_iso or any(head[at : at + len(magic)] == magic for at, magic in _OTHERS):
        return None
    else:
        form, capacity, backing, backing_format = "raw", info.st_size, "", ""
    name, key, path = names
    return VolumeRecord(
        pool=pool,
        name=name,
        key=key,
        path=path,
        type="file",
        format=form,
        capacity=Size(capacity),
        allocation=Size(info.st_blocks * 512),
        backing_path=backing,
        backing_format=backing_format,
        read_at=now,
    )


def _qcow2(head: bytes) -> tuple[int, str, str]:
    """Return size, backing path and its format; a size of -1 when libvirt must be asked."""
    _, version, backing_at, backing_length, _, size, crypt = _QCOW2.unpack_from(head)
    if crypt:
        return -1, "", ""
    if version == 3 and int.from_bytes(head[72:80], "big") & _INCOMPATIBLE_DATA_FILE:
        return -1, "", ""
    if not backing_at:
        return size, "", ""
    backing = head[backing_at : backing_at + backing_length].decode(errors="replace")
    form = _backing_format(head, version, backing_at)
    # Addresses, links and images without a format: libvirt has its own ways with those.
    if ":" in backing or not form or len(backing) != backing_length:
        return -1, "", ""
    if not backing.startswith("/"):
        return -1, "", ""
    return size, backing, form


def _backing_format(head: bytes, version: int, end: int) -> str:
    at = 72 if version == 2 else int.from_bytes(head[100:104], "big")
    while at + 8 <= min(end, len(head)):
        kind, length = struct.unpack_from(">II", head, at)
        if kind == _BACKING_FORMAT:
            return head[at + 8 : at + 8 + length].decode(errors="replace")
        if kind == 0:
            return ""
        at += 8 + (length + 7) // 8 * 8
    return ""
