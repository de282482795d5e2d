"""Backing chains: which files a disk lies on, top first, how large they are, and who else uses them."""

from __future__ import annotations

import os
import posixpath
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labvirt.connection import domain as domains
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError, LabvirtError, NotFoundError, UnsupportedError
from labvirt.model.units import Size
from labvirt.model.xml.backing import backing_of
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.volume import VolumeXml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labvirt.host.host import Host
    from labvirt.model.xml.devices import DiskXml
    from labvirt.status import VolumeRecord

__all__ = [
    "DiskChain",
    "Layer",
    "chain_of",
    "chains_of",
    "exists",
    "free_space",
    "is_old_qcow2",
    "pool_of",
    "remove_file",
    "sharers",
    "volume_at",
]

_QCOW2: Final = b"QFI\xfb"
#: A chain longer than this is one that bites its own tail.
_LONGEST: Final = 200


@dataclass(frozen=True)
class Layer:
    """One file of a chain.

    Attributes:
        path: where it is on the host.
        format: ``qcow2``, ``raw`` ...; empty when nobody says.
        virtual: bytes the guest sees; None when unknown.
        taken: bytes it takes on the host; None when unknown.
    """

    path: str
    format: str = ""
    virtual: Size | None = None
    taken: Size | None = None

    def __str__(self) -> str:
        taken = f", {self.taken} taken" if self.taken is not None else ""
        return f"{self.path} ({self.format or 'format unknown'}{taken})"


@dataclass(frozen=True)
class DiskChain:
    """The files of one disk.

    Attributes:
        target: the disk: ``vda``.
        layers: its files, the one that is written to first; empty for a drive without a medium
            and for a disk that is no file or block device.
        device: ``disk``, ``cdrom``, ``floppy`` or ``lun``.
        readonly: the guest cannot write.
        encrypted: QEMU decrypts it for the guest; a plain copy would not be encrypted.
    """

    target: str
    layers: tuple[Layer, ...]
    device: str = "disk"
    readonly: bool = False
    encrypted: bool = False

    @property
    def top(self) -> Layer:
        """The file that is written to.

        Raises:
            UnsupportedError: the disk has no file.
        """
        if not self.layers:
            raise UnsupportedError(
                f"find the file of disk {self.target}",
                libvirt_text="it has no medium, or lies on a server",
                hint="disks that are files or block devices of the host have chains",
            )
        return self.layers[0]

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, top first."""
        return tuple(layer.path for layer in self.layers)

    @property
    def is_data(self) -> bool:
        """Whether the guest writes to it and it is a file or block device."""
        return bool(self.layers) and self.device in ("disk", "lun") and not self.readonly

    def require_plain(self, asked: str) -> None:
        """Refuse to write the data of an encrypted disk into a file that is not.

        Raises:
            UnsupportedError: the disk is encrypted.
        """
        if self.encrypted:
            raise UnsupportedError(
                asked,
                libvirt_text=f"disk {self.target} is encrypted, and what is written would not be",
                hint="make the target encrypted by hand: virsh blockcopy --xml with <encryption>",
            )

    def place(self, path: str) -> int:
        """Return the place of a file in the chain, 0 for the top.

        Raises:
            NotFoundError: it is not there.
        """
        if path in self.paths:
            return self.paths.index(path)
        raise NotFoundError(
            f"find {path} in the chain of disk {self.target}",
            hint="the chain is: " + " -> ".join(self.paths),
        )

    def __str__(self) -> str:
        return f"{self.target}: " + " -> ".join(str(layer) for layer in self.layers)


def chains_of(host: Host, document: DomainXml) -> tuple[DiskChain, ...]:
    """Return the chains of all disks of a domain's XML.

    What the XML says is taken (libvirt writes the chain of a running domain); below its last word
    the volumes of the host's pools are asked, and the images themselves where they can be read.
    """
    return tuple(
        DiskChain(
            disk.target or "",
            _layers(host, disk),
            disk.device or "disk",
            readonly=bool(disk.readonly),
            encrypted=disk.element.find(".//encryption") is not None,
        )
        for disk in document.disks
    )


def chain_of(host: Host, document: DomainXml, disk: str) -> DiskChain:
    """Return the chain of one disk.

    Raises:
        SpecError: there is no such disk; names those that exist.
    """
    target = document.find_disk(disk).target
    return next(chain for chain in chains_of(host, document) if chain.target == target)


def _layers(host: Host, disk: DiskXml) -> tuple[Layer, ...]:
    path = disk.source_path or _volume_path(host, disk)
    if not path:
        return ()
    below, ends = backing_of(disk)
    found = [_layer(host, path, disk.driver_type or "")]
    found += [_layer(host, named, form) for named, form in below]
    if not ends:
        found += _probed(host, found[-1].path, len(found))
    return tuple(found)


def _volume_path(host: Host, disk: DiskXml) -> str:
    if not (disk.source_pool and disk.source_volume):
        return ""
    link = host.connection
    try:
        return volumes.read(link, pools.find(link, disk.source_pool), disk.source_volume).path
    except LabvirtError:
        return ""


def _layer(host: Host, path: str, form: str) -> Layer:
    record = volume_at(host, path, look=False)
    if record is not None:
        return Layer(path, form or record.format, record.capacity, record.allocation)
    virtual = taken = None
    if host.is_local:
        header = _header(path)
        try:
            taken = Size(Path(path).stat().st_blocks * 512)
        except OSError:
            taken = None
        virtual = Size(header[0]) if header else None
        if header is None and form == "raw" and taken is not None:
            virtual = Size(Path(path).stat().st_size)
    return Layer(path, form, virtual, taken)


def _probed(host: Host, path: str, depth: int) -> list[Layer]:
    """Return what lies below a file, as the file or its volume says."""
    found: list[Layer] = []
    while depth + len(found) < _LONGEST:
        below = _below(host, path)
        if below is None:
            return found
        path, form = below
        found.append(_layer(host, path, form))
    raise ConflictError(
        f"follow the backing chain of {path}",
        uri=host.label,
        libvirt_text=f"it has more than {_LONGEST} files, or runs in a circle",
    )


def _below(host: Host, path: str) -> tuple[str, str] | None:
    if host.is_local and (header := _header(path)) is not None:
        return (header[1], header[2]) if header[1] else None
    record = volume_at(host, path)
    if record is None or not record.backing_path:
        return None
    return record.backing_path, record.backing_format


def _header(path: str) -> tuple[int, str, str] | None:
    """Read size, backing file and its format out of a qcow2 image; None for any other file."""
    try:
        with Path(path).open("rb") as image:
            head = image.read(104)
            if len(head) < 72 or head[:4] != _QCOW2:
                return None
            version, offset, length, _, size = struct.unpack(">IQIIQ", head[4:32])
            start = struct.unpack(">I", head[100:104])[0] if version >= 3 else 72
            image.seek(0)
            blob = image.read(max(offset + length, start + 64))
    except OSError:
        return None
    backing = blob[offset : offset + length].decode(errors="replace") if offset else ""
    if backing and not backing.startswith("/"):
        backing = str(Path(path).parent / backing)
    return size, os.path.normpath(backing) if backing else "", _format_extension(blob, start)


def _format_extension(blob: bytes, at: int) -> str:
    """Return the format of the backing file, which stands in an extension of the header."""
    while at + 8 <= len(blob):
        kind, length = struct.unpack(">II", blob[at : at + 8])
        if kind == 0xE2792ACA:
            return blob[at + 8 : at + 8 + length].decode(errors="replace")
        if kind == 0:
            return ""
        at += 8 + (length + 7) // 8 * 8
    return ""


def is_old_qcow2(host: Host, path: str) -> bool:
    """Tell whether a qcow2 image is of version 2, which holds no bitmaps; False when unknown."""
    if host.is_local:
        try:
            with Path(path).open("rb") as image:
                head = image.read(8)
        except OSError:
            head = b""
        if head[:4] == _QCOW2:
            return head[4:8] == b"\x00\x00\x00\x02"
    record = volume_at(host, path)
    if record is None:
        return False
    pool = pools.find(host.connection, record.pool)
    text = volumes.xml(host.connection, pool, record.name)
    return VolumeXml.parse(text).compat == "0.10"


def pool_of(host: Host, path: str) -> tuple[str, str] | None:
    """Return UUID and name of the active pool whose folder holds a path, None without one."""
    folder = posixpath.dirname(path)
    for record in pools.list_all(host.connection):
        if record.is_active and record.path and os.path.normpath(record.path) == folder:
            return record.uuid, record.name
    return None


def volume_at(host: Host, path: str, *, look: bool = True) -> VolumeRecord | None:
    """Return the volume at a path, None when no pool has it.

    Args:
        host: the host.
        path: the path.
        look: let the pool of that folder look for new files first.
    """
    try:
        return volumes.by_path(host.connection, path)
    except LabvirtError:
        if not look:
            return None
    found = pool_of(host, path)
    if found is None:
        return None
    try:
        pools.refresh(host.connection, found[0])
        return volumes.by_path(host.connection, path)
    except LabvirtError:
        return None


def exists(host: Host, path: str) -> bool:
    """Tell whether there is a file at a path of the host, as far as anybody can tell."""
    return (host.is_local and os.path.lexists(path)) or volume_at(host, path) is not None


def free_space(host: Host, path: str) -> Size | None:
    """Return the free bytes where a file lies or shall lie; None when nobody can tell."""
    found = pool_of(host, path)
    if found is not None:
        return Size(pools.read(host.connection, found[0]).available)
    if host.is_local:
        try:
            return Size(shutil.disk_usage(posixpath.dirname(path)).free)
        except OSError:
            return None
    return None


def remove_file(host: Host, path: str) -> bool:
    """Delete a file that labvirt made and nobody uses; harmless when it is not there.

    Returns:
        Whether it is gone.
    """
    record = volume_at(host, path)
    if record is not None:
        volumes.delete(host.connection, pools.find(host.connection, record.pool), record.name)
        return True
    if not host.is_local:
        return False
    try:
        Path(path).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def sharers(host: Host, paths: Iterable[str], *, but: str = "") -> dict[str, Sequence[str]]:
    """Return which domains have a file anywhere in their chains.

    Args:
        host: the host.
        paths: the files.
        but: UUID of a domain that does not count.
    """
    wanted = {os.path.normpath(path): path for path in paths}
    found: dict[str, list[str]] = {}
    for record in domains.list_all(host.connection):
        if record.uuid == but:
            continue
        try:
            document = DomainXml.parse(domains.xml(host.connection, record.uuid))
        except NotFoundError:
            continue
        for chain in chains_of(host, document):
            for path in chain.paths:
                if (hit := wanted.get(os.path.normpath(path))) is not None:
                    found.setdefault(hit, []).append(record.name)
    return {path: tuple(dict.fromkeys(names)) for path, names in found.items()}
