"""Backing chains: an image and what it is laid over, and a pool's images as trees."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from labvirt.connection import volume as volumes
from labvirt.errors import HostError, LabvirtError, NotFoundError
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.users import Sight

if TYPE_CHECKING:
    from labvirt.host.storage.pool import Pool
    from labvirt.host.storage.users import FileUser
    from labvirt.host.storage.volume import Volume
    from labvirt.model.units import Size
    from labvirt.status import VolumeRecord

__all__ = ["ChainLink", "ChainNode", "pool_tree", "volume_chain"]

#: A chain longer than this goes round in circles, or nobody could use it.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One image of a backing chain.

    Attributes:
        path: where it is.
        format: its format; empty when unknown.
        capacity: bytes the guest sees; None when no pool knows the image.
        allocation: bytes taken; None likewise.
        pool: name of the pool that has it; empty when none has.
        name: name of the volume; empty when it is none.
        missing: nothing is at the path.
    """

    path: str
    format: str
    capacity: Size | None
    allocation: Size | None
    pool: str
    name: str
    missing: bool = False

    def __str__(self) -> str:
        what = "missing" if self.missing else f"{self.format}, {self.capacity}"
        return f"{self.path} ({what})"


@dataclass(frozen=True, slots=True)
class ChainNode:
    """One image, what is laid over it, and who uses it.

    Attributes:
        image: the image.
        over: what is laid over it.
        users: domains and snapshots that use it.
    """

    image: ChainLink
    over: tuple[ChainNode, ...]
    users: tuple[FileUser, ...]

    def lines(self, indent: int = 0) -> list[str]:
        """Return the tree as lines of text."""
        users = f" <- {', '.join(map(str, self.users))}" if self.users else ""
        found = [f"{'  ' * indent}{self.image}{users}"]
        for node in self.over:
            found += node.lines(indent + 1)
        return found

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        """Return the tree as text in HTML."""
        return f"<pre>{escape(str(self))}</pre>"


def _link(record: VolumeRecord) -> ChainLink:
    return ChainLink(
        record.path,
        record.format,
        record.capacity,
        record.allocation,
        record.pool,
        record.name,
    )


def volume_chain(volume: Volume) -> tuple[ChainLink, ...]:
    """Return an image and everything below it, top first; see `Volume.chain`."""
    link = volume.host.connection
    files = HostFiles.of(volume.host)
    record = volume.info()
    chain = [_link(record)]
    seen = {record.path}
    path, form = record.backing_path, record.backing_format
    while path:
        if path in seen or len(chain) > _LONGEST:
            raise HostError(
                f"read the chain of {volume.path}",
                uri=volume.host.label,
                libvirt_text=f"it goes round in circles at {path}",
            )
        seen.add(path)
        try:
            below = volumes.by_path(link, path)
        except NotFoundError:
            chain.append(ChainLink(path, form, None, None, "", "", missing=_gone(files, path)))
            break
        chain.append(_link(below))
        path, form = below.backing_path, below.backing_format
    return tuple(chain)


def _gone(files: HostFiles | None, path: str) -> bool:
    try:
        return files is not None and files.stat(path) is None
    except LabvirtError:
        return False


def pool_tree(pool: Pool) -> tuple[ChainNode, ...]:
    """Return a pool's images as trees; see `Pool.tree`."""
    records = pool.volumes.records
    sight = Sight(pool.host)
    by_path = {record.path: record for record in records}
    over: dict[str, list[VolumeRecord]] = {}
    for record in records:
        over.setdefault(record.backing_path, []).append(record)
    files = HostFiles.of(pool.host)

    def node(link: ChainLink, depth: int = 0) -> ChainNode:
        above = over.get(link.path, []) if depth < _LONGEST else []
        users = tuple(user for user in sight.users(link.path) if user.kind != "volume")
        return ChainNode(link, tuple(node(_link(one), depth + 1) for one in above), users)

    outside = [path for path in over if path and path not in by_path]
    roots = [_link(record) for record in over.get("", [])]
    for path in outside:
        form = over[path][0].backing_format
        roots.append(ChainLink(path, form, None, None, "", "", missing=_gone(files, path)))
    return tuple(node(root) for root in roots)
