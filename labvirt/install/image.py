"""Makes a disk that boots a kernel and its initramfs by BIOS, without root or a loop device.

MBR, one FAT16 partition, syslinux; written with mtools and turned into qcow2 by qemu-img. No file
system is ever mounted, and the same kernel and initramfs give the same bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import LabError
from labvirt.install.command import run

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["bootable_disk"]

_SECTOR = 512
_START = 2048  # sectors before the partition, as every partition tool does today
_MIB = 1 << 20
_HEADS, _TRACK = 255, 63
_FAT16_LBA = 0x0E
_SERIAL = "4c414256"
# mtools takes the time of every file from it: FAT's first day, 1980-01-01.
_TIMES = {"SOURCE_DATE_EPOCH": "315532800", "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1"}
_MBR_CODE = (
    "/usr/lib/syslinux/mbr/mbr.bin",
    "/usr/lib/syslinux/bios/mbr.bin",
    "/usr/share/syslinux/mbr.bin",
)


def bootable_disk(
    kernel: Path, initrd: Path, cmdline: str, disk: Path, *, spare_mib: int = 24
) -> None:
    """Write a bootable qcow2 image.

    Args:
        kernel: the kernel image.
        initrd: its initramfs.
        cmdline: the kernel command line.
        disk: the image to write; its folder is also used for the raw image on the way.
        spare_mib: room left free in the partition, in MiB.

    Raises:
        LabError: mtools, syslinux or qemu-img is missing or fails.
    """
    mbr = _mbr_code()
    raw = disk.with_suffix(".raw")
    settings = raw.with_name("syslinux.cfg")
    content = kernel.stat().st_size + initrd.stat().st_size
    mib = max(content // _MIB + 2 + spare_mib, 20)  # under 20 MiB it would be a FAT12
    sectors = mib * _MIB // _SECTOR
    try:
        with raw.open("wb") as stream:
            stream.truncate(_START * _SECTOR + sectors * _SECTOR)
            stream.write(_boot_record(mbr, sectors))
        settings.write_text(_syslinux_settings(cmdline))
        _fill(raw, sectors, {"vmlinuz": kernel, "initrd.gz": initrd, "syslinux.cfg": settings})
        # One coroutine: with more, the order of clusters depends on timing.
        command = ["qemu-img", "convert", "-m", "1", "-f", "raw", "-O", "qcow2"]
        run([*command, str(raw), str(disk)], doing=f"write {disk.name}", timeout_s=120.0)
    finally:
        raw.unlink(missing_ok=True)
        settings.unlink(missing_ok=True)


def _fill(raw: Path, sectors: int, files: Mapping[str, Path]) -> None:
    place = f"{raw.name}@@{_START * _SECTOR}"
    geometry = ["-T", str(sectors), "-h", str(_HEADS), "-s", str(_TRACK), "-H", str(_START)]
    commands = [["mformat", "-i", place, "-v", "LABVIRT", "-N", _SERIAL, *geometry, "::"]]
    commands += [["mcopy", "-i", place, str(file), f"::{name}"] for name, file in files.items()]
    commands += [["syslinux", "--install", "--offset", str(_START * _SECTOR), raw.name]]
    for command in commands:
        # syslinux drives mtools through a settings file of its own, in TMPDIR.
        env = {**_TIMES, "TMPDIR": str(raw.parent)}
        run(command, doing="make a bootable disk", timeout_s=60.0, folder=raw.parent, env=env)


def _mbr_code() -> bytes:
    for name in _MBR_CODE:
        path = Path(name)
        if path.is_file():
            return path.read_bytes()[:440]
    raise LabError(
        f"the boot code of syslinux was not found (looked for {', '.join(_MBR_CODE)})",
        hint="apt-get install syslinux-common   (Debian, Ubuntu)",
    )


def _boot_record(code: bytes, sectors: int) -> bytes:
    """Return the first sector: boot code, disk id, and one active partition."""
    far = b"\xfe\xff\xff"  # "too far for cylinders, heads and sectors: use the sector numbers"
    entry = struct.pack("<B3sB3sII", 0x80, far, _FAT16_LBA, far, _START, sectors)
    return code.ljust(440, b"\0") + b"LABV\0\0" + entry + bytes(48) + b"\x55\xaa"


def _syslinux_settings(cmdline: str) -> str:
    return "\n".join(
        (
            "SERIAL 0 115200",
            "DEFAULT tiny",
            "PROMPT 0",
            "TIMEOUT 1",
            "LABEL tiny",
            "KERNEL vmlinuz",
            "INITRD initrd.gz",
            f"APPEND {cmdline}",
            "",
        )
    )
