"""The first sector of a disk image: whether a BIOS would find something to boot in it."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from labvirt.doctor.machine import Machine

__all__ = ["boots", "first_sector"]

_SECTOR: Final = 512
_QCOW2: Final = b"QFI\xfb"
#: A table entry of qcow2: where the cluster is, whether it is packed, whether it reads as zeros.
_OFFSET: Final = 0x00FFFFFFFFFFFE00
_PACKED: Final = 1 << 62
_ZERO: Final = 1
_LAYERS: Final = 50


def boots(machine: Machine, path: str, kind: str) -> bool | None:
    """Return whether an image begins with a boot record; None when that cannot be seen.

    Args:
        machine: where the image is.
        path: of the image or block device.
        kind: its format as the domain declares it; ``raw`` is not probed further.
    """
    sector = first_sector(machine, path, kind)
    return None if sector is None else sector[510:512] == b"\x55\xaa"


def first_sector(machine: Machine, path: str, kind: str) -> bytes | None:
    """Return the first 512 bytes that a guest sees; None when they cannot be read from here."""
    if kind not in {"raw", "qcow2"}:
        return None
    with contextlib.suppress(OSError, struct.error, LabvirtError, UnicodeDecodeError):
        return _read(machine, path, kind, _LAYERS)
    return None


def _read(machine: Machine, path: str, kind: str, layers: int) -> bytes | None:
    with machine.path(path).open("rb") as file:
        head = file.read(112)
        if kind == "raw" or head[:4] != _QCOW2:
            return _at(file, 0)
        if struct.unpack(">I", head[32:36])[0]:
            return None  # encrypted
        backing_at, backing_size = struct.unpack(">QI", head[8:20])
        (table,) = struct.unpack(">Q", head[40:48])
        clusters = _entry(file, table) & _OFFSET
        cluster = _entry(file, clusters) if clusters else 0
        if cluster & _OFFSET and not cluster & (_ZERO | _PACKED):
            return _at(file, cluster & _OFFSET)
        if cluster & (_ZERO | _PACKED) or not backing_at:
            return None if cluster & _PACKED else bytes(_SECTOR)
        file.seek(backing_at)
        below = file.read(backing_size).decode()
    if layers <= 0 or below.startswith(("json:", "nbd:", "http")):
        return None
    under = str(Path(path).parent / below)
    return _read(machine, under, _kind(machine, under), layers - 1)


def _at(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.read(_SECTOR).ljust(_SECTOR, b"\0")


def _kind(machine: Machine, path: str) -> str:
    with machine.path(path).open("rb") as file:
        return "qcow2" if file.read(4) == _QCOW2 else "raw"


def _entry(file: BinaryIO, place: int) -> int:
    file.seek(place)
    return int(struct.unpack(">Q", file.read(8))[0])
