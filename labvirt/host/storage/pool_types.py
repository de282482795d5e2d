"""What a host can do with each type of pool: libvirt's word, and a look behind it.

Libvirt says "supported" when its back end was built, and starts some pools with nothing behind
them: mpath without device-mapper, zfs without ZFS. So the programs and the kernel are looked at.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labvirt.connection import pool as pools
from labvirt.errors import UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.model.pool_types import POOL_TYPES
from labvirt.model.xml.text import XmlDoc
from labvirt.status import PoolTypeRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.host.host import Host
    from labvirt.model.pool_types import PoolType

__all__ = ["pool_types", "require_type"]


def _file_systems() -> set[str]:
    return {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}


def _module(name: str) -> bool:
    """Return whether the kernel could load a module."""
    folder = Path("/lib/modules") / os.uname().release
    return any(name in line for line in _lines(folder / "modules.dep"))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _network_fs() -> bool:
    return bool(_file_systems() & {"nfs", "nfs4", "cifs", "fuse.glusterfs"}) or _module("/nfs.ko")


#: How the kernel is asked for a feature of `PoolType.features`.
_KERNEL: Final[Mapping[str, Callable[[], bool]]] = {
    "a network file system": _network_fs,
    "device-mapper": lambda: Path("/dev/mapper/control").exists() and _has_dm(),
    "an iSCSI initiator": lambda: (
        Path("/sys/class/iscsi_transport").exists() or _module("iscsi_tcp")
    ),
    "a SCSI host adapter": lambda: any(Path("/sys/class/scsi_host").glob("*")),
    "ZFS": lambda: Path("/dev/zfs").exists(),
    "vstorage": lambda: "fuse" in _file_systems(),
}


def _has_dm() -> bool:
    return any(line.endswith("device-mapper") for line in _lines(Path("/proc/misc"))) and any(
        line.endswith("device-mapper") for line in _lines(Path("/proc/devices"))
    )


def pool_types(host: Host) -> tuple[PoolTypeRecord, ...]:
    """Return every type of pool, whether this libvirt has it, and what the host lacks."""
    told = {
        element.get("type", ""): element
        for element in XmlDoc.parse(pools.capabilities(host.connection)).root.iterfind("pool")
    }
    files = HostFiles.of(host)
    found = []
    for kind in POOL_TYPES.values():
        element = told.get(kind.kind)
        formats: tuple[str, ...] = ()
        if element is not None:
            values = element.iterfind("volOptions/enum[@name='targetFormatType']/value")
            formats = tuple((value.text or "").strip() for value in values)
        found.append(
            PoolTypeRecord(
                kind=kind.kind,
                about=kind.about,
                supported=element is not None and element.get("supported") == "yes",
                missing=_missing(kind, files) if files else (),
                looked=files is not None,
                needs=kind.needs,
                takes=kind.fields,
                verbs=_verbs(kind),
                packages=kind.packages,
                formats=formats,
            )
        )
    return tuple(found)


def _missing(kind: PoolType, files: HostFiles) -> tuple[str, ...]:
    lacks = [f"the program {tool}" for tool in kind.tools if not files.program(tool)]
    lacks += [f"{feature} in the kernel" for feature in kind.features if not _KERNEL[feature]()]
    if kind.root and files.uid != 0:
        lacks.append("a libvirt daemon that runs as root (qemu:///system)")
    return tuple(lacks)


def _verbs(kind: PoolType) -> tuple[str, ...]:
    own = (("build", kind.builds), ("delete", kind.destroys), ("discover_sources", kind.finds))
    return (
        *(name for name, has in own if has),
        *(f"volume {verb}" for verb in kind.volumes),
    )


def require_type(host: Host, kind: str, asked: str) -> PoolTypeRecord:
    """Return what the host can do with a type of pool.

    Raises:
        UnsupportedError: this libvirt does not have it, or the host lacks something.
    """
    record = next(one for one in pool_types(host) if one.kind == kind)
    packages = " ".join(record.packages)
    install = f"on Debian: apt install {packages}" if packages else ""
    if not record.supported:
        usable = ", ".join(one.kind for one in pool_types(host) if one.usable)
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text=f"this libvirt has no back end for pools of kind {kind}",
            hint=f"{install}; usable here: {usable}".strip("; "),
        )
    if record.missing:
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text=f"the host lacks {', '.join(record.missing)}",
            hint=install or f"another kind of pool: {record.about} cannot be had here",
        )
    return record
