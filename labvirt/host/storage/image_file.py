"""A file of this machine that is to be uploaded: what it is, told by its bytes and not its name."""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labvirt.errors import Problem, SpecError

__all__ = ["ImageFile", "look_at_image"]

_SECTOR: Final = 2048
_DESCRIPTORS: Final = 16 * _SECTOR
#: Standard identifiers of CD and DVD images: ISO 9660, and UDF without it.
_DISC_MARKS: Final = (b"CD001", b"BEA01", b"NSR02", b"NSR03")
_MAGIC: Final = (
    (b"QFI\xfb", "qcow2"),
    (b"KDMV", "vmdk"),
    (b"LUKS\xba\xbe", "luks"),
    (b"vhdxfile", "vhdx"),
    (b"conectix", "vpc"),
    (b"QED\0", "qed"),
)


@dataclass(frozen=True)
class ImageFile:
    """What a file is.

    Attributes:
        path: where it is on this machine.
        size: bytes.
        kind: ``iso``, ``qcow2``, ``vmdk`` ... or ``raw``.
        bootable: an ISO with an El Torito boot record, or a disk with a boot sector (G2.2-06).
        thin: it has holes.
    """

    path: Path
    size: int
    kind: str
    bootable: bool
    thin: bool


def look_at_image(path: str | os.PathLike[str], asked: str) -> ImageFile:
    """Look at a file before it is uploaded.

    Raises:
        SpecError: no file, empty, not readable, or no ISO though its name says so.
    """
    file = Path(path)

    def refuse(why: str, hint: str = "") -> SpecError:
        return SpecError(f"cannot {asked}:", [Problem("path", str(path), why, hint)])

    try:
        info = file.stat()
        if not (stat.S_ISREG(info.st_mode) or stat.S_ISBLK(info.st_mode)):
            raise refuse("is neither a file nor a block device")
        with file.open("rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(0)
            head = source.read(_SECTOR)
            source.seek(_DESCRIPTORS)
            descriptors = source.read(2 * _SECTOR)
    except FileNotFoundError:
        raise refuse("there is no such file on this machine") from None
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror}") from None
    if not size:
        raise refuse("is empty")
    kind = _kind(head, descriptors)
    if file.suffix.lower() == ".iso" and kind != "iso":
        found = f"it is {kind}" if kind != "raw" else "it has no ISO 9660 or UDF descriptor"
        raise refuse(f"is no ISO image: {found}", "is the download whole? Another name if it is")
    if kind == "iso":
        told = _iso_size(descriptors)
        if told > size:
            raise refuse(
                f"is cut off: it has {size} bytes, and its own head says {told}",
                "download it again",
            )
    boots = _boots(descriptors) if kind == "iso" else head[510:512] == b"\x55\xaa"
    thin = stat.S_ISREG(info.st_mode) and info.st_blocks * 512 < size
    return ImageFile(file, size, kind, boots, thin)


def _kind(head: bytes, descriptors: bytes) -> str:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return "iso" if descriptors[1:6] in _DISC_MARKS else "raw"


def _iso_size(descriptors: bytes) -> int:
    """Return the size that the primary volume descriptor tells; 0 when it is none."""
    if descriptors[:6] != b"\x01CD001":
        return 0
    (blocks,) = struct.unpack_from("<I", descriptors, 80)
    (length,) = struct.unpack_from("<H", descriptors, 128)
    return int(blocks * length)


def _boots(descriptors: bytes) -> bool:
    record = descriptors[_SECTOR : 2 * _SECTOR]
    return record[:6] == b"\0CD001" and record[7:30] == b"EL TORITO SPECIFICATION"
