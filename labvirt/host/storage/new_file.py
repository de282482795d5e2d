"""A new volume that shall take the data of a disk: its name, size and place, looked at before."""

from __future__ import annotations

import os.path
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labvirt.connection import pool as pools
from labvirt.errors import ConflictError, UnsupportedError
from labvirt.host.storage.disk_actions import MakeVolume
from labvirt.model.units import Size
from labvirt.model.volume import VolumeSpec

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.host.storage.chain import DiskChain
    from labvirt.plan import Action

__all__ = ["NewFile", "new_file"]


@dataclass(frozen=True)
class NewFile:
    """Where the data will go.

    Attributes:
        path: the path on the host.
        format: the format.
        actions: what makes it.
        warnings: what deserves a thought.
    """

    path: str
    format: str
    actions: tuple[Action[Any], ...]
    warnings: tuple[str, ...] = ()


def new_file(
    host: Host,
    asked: str,
    *,
    pool: str,
    name: str,
    form: str,
    like: DiskChain,
    shallow: bool = False,
) -> NewFile:
    """Return the volume to make for the data of a disk.

    Raises:
        NotFoundError: no such pool.
        ConflictError: the pool is not active, too small, or has a volume of that name.
        UnsupportedError: volumes of such a pool cannot be made in this way, or the size of the
            disk cannot be found out.
    """
    link = host.connection
    record = pools.read(link, pools.find(link, pool))
    if not record.is_active:
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"the pool {pool} is not active",
            hint=f"start it first: host.pools[{pool!r}]",
        )
    if record.type not in ("dir", "fs", "netfs"):
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text=f"{pool} is a pool of type {record.type}",
            hint="pools of folders (dir, fs, netfs) take any disk",
        )
    size = like.top.virtual
    if size is None:
        raise UnsupportedError(asked, uri=host.label, libvirt_text="its size cannot be found out")
    below = like.layers[1] if shallow and len(like.layers) > 1 else None
    spec = VolumeSpec(
        name=name,
        capacity=size,
        format="raw" if form == "raw" else "qcow2",
        allocation=Size(0),
        backing_path=below.path if below else None,
        backing_format=(below.format or "raw") if below else None,
    )
    taken = Size(sum(int(layer.taken or 0) for layer in like.layers[: 1 if shallow else None]))
    warnings = []
    if min(taken, size) > record.available:
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"{min(taken, size)} are needed, pool {pool} has {record.available} free",
            hint="free some space, or choose another pool",
        )
    if size > record.available:
        warnings.append(
            f"the disk can grow to {size}, pool {pool} has {record.available} free: "
            "a full pool pauses the domain"
        )
    path = posixpath.join(os.path.normpath(record.path), name)
    action = MakeVolume(pool, name, path, int(size), spec.to_xml())
    action.check(host)
    return NewFile(path, spec.format, (action,), tuple(warnings))
