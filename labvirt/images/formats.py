"""Image formats: what the guide names, what the installed qemu-img can still do with each (17.3)."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

from labvirt.errors import LabvirtError
from labvirt.images import tool

__all__ = ["FormatRecord", "formats"]

#: Format: what it is (the guide's list, and today's).
NOTES = {
    "raw": "plain bytes: portable, fast; holes take no space on most file systems",
    "qcow2": "QEMU's own: small, snapshots, compression, LUKS; the one to choose",
    "qcow": "old, for compatibility only: convert it",
    "cow": "old copy-on-write, removed from QEMU 2.2: convert it with an older QEMU",
    "vmdk": "VMware 3 and later; streamOptimized is compressed",
    "cloop": "compressed loop, old live CDs (Knoppix): read only",
    "vdi": "VirtualBox",
    "vhdx": "Hyper-V",
    "vpc": "Virtual PC and Azure (VHD); sizes are rounded to a disk geometry",
    "qed": "forerunner of qcow2 v3: convert it",
    "luks": "an encrypted raw image",
    "parallels": "Parallels",
    "dmg": "macOS: read only",
    "bochs": "Bochs: read only",
}
_TRY_SIZE = 1 << 20
_PASSPHRASE = "only for this trial"  # noqa: S105 - of an image that lives for a moment


@dataclass(frozen=True)
class FormatRecord:
    """What the installed qemu-img can do with a format; each found by doing it.

    Attributes:
        name: its name.
        note: what it is.
        known: qemu-img lists it.
        creates: an image could be made.
        compresses: a compressed one could be written.
        snapshots: a snapshot could be made inside.
        backs: an overlay on another image could be made.
        encrypts: an encrypted one (LUKS) could be made.
        said: why it could not be made, in qemu-img's words.
    """

    name: str
    note: str
    known: bool
    creates: bool
    compresses: bool
    snapshots: bool
    backs: bool
    encrypts: bool
    said: str

    @property
    def readonly(self) -> bool:
        """True when it can be read and not made."""
        return self.known and not self.creates


@functools.cache
def formats() -> tuple[FormatRecord, ...]:
    """Return what the installed qemu-img can do with each format (G17.3-05, G17.3-09 ... 14).

    Everything is tried once per process on images of 1 MiB in a private folder.

    Raises:
        UnsupportedError: qemu-img is not installed.
    """
    _, helped = tool.run(tool.Command("ask qemu-img for its formats", ("--help",)))
    listed = next(
        (line for line in helped.splitlines() if line.startswith("Supported formats:")), ""
    ).split()[2:]
    with tempfile.TemporaryDirectory(prefix="labvirt-formats-") as folder:
        base = Path(folder) / "base.raw"
        base.write_bytes(bytes(range(256)) * (_TRY_SIZE // 256))
        return tuple(_tried(name, name in listed, Path(folder), base) for name in NOTES)


def _tried(name: str, known: bool, folder: Path, base: Path) -> FormatRecord:  # noqa: FBT001
    file = folder / f"t.{name}"
    secret = {"sec0": _PASSPHRASE}
    luks = ("-o", "key-secret=sec0,iter-time=10")
    locked = ("-o", "encrypt.format=luks,encrypt.key-secret=sec0,encrypt.iter-time=10")
    size = str(_TRY_SIZE)
    if name == "luks":
        said = _said(("create", "-f", name, *luks, str(file), size), secret)
    else:
        said = _said(("create", "-f", name, str(file), size))
    compressed = ("-o", "subformat=streamOptimized") if name == "vmdk" else ()
    creates = not said
    packed = ("convert", "-c", "-f", "raw", "-O", name, *compressed, str(base), f"{file}.c")
    above = ("create", "-f", name, "-b", str(base), "-F", "raw", f"{file}.o")
    return FormatRecord(
        name=name,
        note=NOTES[name],
        known=known,
        creates=creates,
        compresses=creates and name != "luks" and not _said(packed),
        snapshots=creates and name != "luks" and not _said(("snapshot", "-c", "one", str(file))),
        backs=creates and name != "luks" and not _said(above),
        encrypts=(name == "luks" and creates)
        or not _said(("create", "-f", name, *locked, f"{file}.e", size), secret),
        said=said,
    )


def _said(words: tuple[str, ...], secrets: dict[str, str] | None = None) -> str:
    """Return what qemu-img complained of, empty when it did as asked."""
    try:
        tool.run(tool.Command(f"try {words[0]}", words, secrets or {}))
    except LabvirtError as error:
        return getattr(error, "libvirt_text", "") or error.what
    return ""
