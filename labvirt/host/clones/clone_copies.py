"""How the images of a clone come to be: copied here or by libvirt, or laid over the original's."""

from __future__ import annotations

import os
import re
import stat
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as domains
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import (
    ConflictError,
    NotFoundError,
    PreconditionError,
    Problem,
    SpecError,
    UnsupportedError,
)
from labvirt.host.actions import CreateVolume
from labvirt.host.clones.clone_actions import CopyVolume, FreezeBase, LookAgain, require_off
from labvirt.images.actions import MakeImage
from labvirt.images.copying import CopyImage
from labvirt.images.files import backing_of, part_name, require_new
from labvirt.model.cloning import fresh_path
from labvirt.model.pool import PoolSpec
from labvirt.model.units import Size
from labvirt.model.volume import VolumeSpec
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.volume import VolumeXml

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.model.xml.devices import DiskXml
    from labvirt.plan import Action
    from labvirt.status import PoolRecord

__all__ = ["CloneCopies", "seen_here"]

#: What the name of a layer has more than that of the image below it.
_LAYER = re.compile(r"\.(after|while-cloned)-[^/]+(?=\.qcow2$)")


def seen_here(host: Host, path: str) -> bool:
    """Return True when a file of the host is the same file on this side of the connection.

    A host of a lab may see other folders at the same paths: then libvirt's word for when the file
    was written last is compared with ours.
    """
    if not host.is_local:
        return False
    try:
        found = Path(path).stat()
    except OSError:
        return False
    if not host.facts.lab or "/session" in host.label:
        return True
    try:
        record = volumes.by_path(host.connection, path)
        pool = pools.find(host.connection, record.pool)
        document = VolumeXml.parse(volumes.xml(host.connection, pool, record.name))
    except NotFoundError:
        return False
    told = document.element.findtext("target/timestamps/mtime") or "0"
    return int(float(told)) == int(found.st_mtime)


class CloneCopies:
    """Plans new images for the disks of a clone, and collects the actions that make them.

    Args:
        domain: the original.
        document: its definition, to become the clone's.
        name: name of the clone.
        linked: lay the clone's disks over the original's.
        running: the original runs.
        pool: pool of the new volumes; None puts them beside the old ones.
        timeout_s: limit of each long step, seconds.
    """

    def __init__(
        self,
        domain: DomainHandle,
        document: DomainXml,
        name: str,
        *,
        linked: bool,
        running: bool,
        pool: str | None,
        timeout_s: float,
    ) -> None:
        self._host = domain.host
        self._domain = domain
        self._document = document
        self._name = name
        self._linked = linked
        self._running = running
        self._timeout_s = timeout_s
        self._pools = [
            one for one in pools.list_all(domain.host.connection) if one.is_active and one.path
        ]
        self._folder = self._pool_folder(pool)
        self._live = self._live_sources()
        self._needed: dict[str, int] = {}
        self._targets: set[str] = set()
        self.quiesce = False
        self.actions: list[Action[Any]] = []
        self.warnings: list[str] = []

    def _pool_folder(self, pool: str | None) -> str | None:
        if pool is None:
            return None
        record = pools.read(self._host.connection, pools.find(self._host.connection, pool))
        if not (record.is_active and record.path) or record.type not in ("dir", "fs", "netfs"):
            why = "is not active" if not record.is_active else f"is of type {record.type}"
            raise SpecError(
                f"clone domain {self._domain.name}:",
                [Problem("pool", pool, why, "an active pool of type dir, fs or netfs")],
            )
        return str(record.path)

    def _live_sources(self) -> dict[str, str]:
        if not self._running:
            return {}
        live = DomainXml.parse(domains.xml(self._host.connection, self._domain.uuid))
        return {disk.target or "": disk.source_path or "" for disk in live.disks}

    def _new_path(self, disk: DiskXml, source: str, suffix: str) -> str:
        plain = _LAYER.sub("", source)
        made = fresh_path(plain, self._domain.name, self._name, tail=disk.target or "")
        if suffix and Path(made).suffix != suffix:
            stem = Path(made).suffix in (".img", ".raw", ".qcow", ".vmdk", ".qed")
            made = str(Path(made).with_suffix(suffix)) if stem else made + suffix
        if self._folder is not None or disk.type == "block":
            folder = self._folder or self._default_folder()
            made = str(Path(folder) / Path(made).name)
        if made in self._targets:
            made = str(Path(made).with_name(f"{self._name}-{disk.target}{Path(made).suffix}"))
        self._targets.add(made)
        asked = f"clone domain {self._domain.name}"
        if self._is_reachable(made):
            require_new(made, asked, overwrite=False)
        elif self._volume_exists(made):
            raise ConflictError(
                asked,
                uri=self._host.label,
                libvirt_text=f"{made} exists already",
                hint="another name, or another pool",
            )
        return made

    def _default_folder(self) -> str:
        wanted = self._host.facts.default_pool or "default"
        for one in self._pools:
            if one.name == wanted and one.path:
                return one.path
        raise SpecError(
            f"clone domain {self._domain.name}: a block device is copied into a pool, and there is "
            f"no active pool {wanted}",
            hint="pool=...",
        )

    def _volume_exists(self, path: str) -> bool:
        try:
            volumes.by_path(self._host.connection, path)
        except NotFoundError:
            return False
        return True

    def _is_reachable(self, path: str) -> bool:
        """Return True when files can be made beside `path` from here."""
        folder = str(Path(path).parent)
        if not (self._host.is_local and os.access(folder, os.W_OK | os.X_OK)):
            return False
        if not self._host.facts.lab or "/session" in self._host.label:
            return True
        # A folder of a lab's host may be another one here: a file in it tells.
        record = next((p for p in self._pools if os.path.normpath(p.path or "") == folder), None)
        if record is None:
            return False
        for volume in volumes.list_all(self._host.connection, record.uuid):
            return seen_here(self._host, volume.path)
        return False

    def _pool_of(self, path: str) -> PoolRecord | None:
        folder = os.path.normpath(Path(path).parent)
        return next(
            (one for one in self._pools if os.path.normpath(one.path or "") == folder), None
        )

    def _before(self) -> None:
        if not self._running:
            require_off(self._host, self._domain.uuid, self._domain.name)

    def _link(self, source: str, form: str, path: str) -> None:
        """Plan an image laid over `source`, and keep `source` still."""
        visible, owner = seen_here(self._host, source), self._domain.name
        if visible and not self._running:
            mode = stat.S_IMODE(Path(source).stat().st_mode)
            if mode & 0o222:
                self.actions.append(FreezeBase(source, mode, self._domain.uuid, owner))
        if not self._running:
            self.warnings.append(
                f"{source} must never change again: it is made read-only, so {owner} does not "
                f"start (unless QEMU runs as root: then do not start it); chmod u+w {source} when "
                "no clone stands on it any more"
                if visible
                else f"{source} must never change again, and nothing here can keep {owner} from "
                "starting: do not start it"
            )
        pool = self._pool_of(path)
        if pool is not None:
            spec = VolumeSpec(
                name=Path(path).name, format="qcow2", backing_path=source, backing_format=form
            )
            self.actions.append(CreateVolume(pool.name, spec.name, 0, "qcow2", spec.to_xml()))
            return
        if not self._is_reachable(path):
            raise self._unreachable(path)
        part = part_name(path)
        words = ("create", "-q", "-f", "qcow2", "-b", source, "-F", form, part)
        text = f"create {path} (qcow2) over {source}"
        self.actions.append(
            MakeImage(text, words, path, part=part, like=source, before=self._before)
        )

    def _unreachable(self, path: str) -> UnsupportedError:
        return UnsupportedError(
            f"clone domain {self._domain.name}",
            uri=self._host.label,
            libvirt_text=f"no active pool has the folder of {path}, and it cannot be written here",
            hint="a pool of type dir on that folder, or pool=... for the new volumes",
        )

    def _copy(self, source: str, form: str, path: str, *, is_block: bool) -> None:
        """Plan a copy: by this process where it reaches both files, else by libvirt."""
        if not (
            seen_here(self._host, source)
            and os.access(source, os.R_OK)
            and self._is_reachable(path)
        ):
            self._copy_by_libvirt(source, form, path)
            return
        found = Path(source).stat()
        below = backing_of(source) if form != "raw" else None
        part = part_name(path)
        size = found.st_blocks * 512
        if below is None and not is_block:
            text = f"copy {source} to {path} ({Size(size)})"
            self.actions.append(
                CopyImage(
                    text, (), path, part=part, like=source, source=source, before=self._before
                )
            )
        else:
            words = ("convert", "-p", "-f", form, "-O", form, source, part)
            text = f"copy {source} with all below it to {path}"
            self.actions.append(
                MakeImage(
                    text,
                    words,
                    path,
                    self._timeout_s,
                    part=part,
                    like="" if is_block else source,
                    before=self._before,
                )
            )
        while below is not None and size < 1 << 62:
            size += Path(below).stat().st_blocks * 512 if Path(below).exists() else 0
            below = backing_of(below)
        self._needed[str(Path(path).parent)] = self._needed.get(str(Path(path).parent), 0) + size

    def _copy_by_libvirt(self, source: str, form: str, path: str) -> None:
        link, pool = self._host.connection, self._pool_of(path)
        try:
            record = volumes.by_path(link, source)
        except NotFoundError:
            record = None
        if record is None or pool is None:
            raise self._unreachable(source if record is None else path)
        volume = VolumeXml.new(type="file", name=Path(path).name, capacity=record.capacity)
        volume.set(allocation=Size(0), format=form)
        self.actions.append(CopyVolume(source, path, volume.text(), pool.name))
        folder = os.path.normpath(pool.path or "")
        self._needed[folder] = self._needed.get(folder, 0) + int(record.allocation)

    def _require_space(self) -> None:
        for folder, needed in self._needed.items():
            pool = next(
                (one for one in self._pools if os.path.normpath(one.path or "") == folder), None
            )
            free: int
            if self._host.is_local and Path(folder).is_dir():
                told = os.statvfs(folder)
                free = told.f_bavail * told.f_frsize
            elif pool is not None:
                free = int(pool.available)
            else:
                continue
            if needed > free:
                raise PreconditionError(
                    f"clone domain {self._domain.name} on {self._host.label}: the copies take "
                    f"{Size(needed)}, {folder} has {Size(free)} free",
                    hint="linked=True copies nothing; or pool=... on another disk",
                )

    def _copy_nvram(self) -> None:
        """Give the clone a copy of the firmware's variables."""
        source = self._document.nvram
        if not source:
            return
        path = fresh_path(source, self._domain.name, self._name, tail="VARS")
        self._document.nvram = path
        if seen_here(self._host, source) and self._is_reachable(path):
            require_new(path, f"clone domain {self._domain.name}", overwrite=False)
            text = f"copy {source} to {path}"
            self.actions.append(
                CopyImage(text, (), path, part=part_name(path), like=source, source=source)
            )
            return
        elsewhere = bool(self._host.facts.lab) and "/session" not in self._host.label
        if self._host.is_local and not elsewhere and not Path(source).exists():
            self.warnings.append(f"{source} does not exist yet: the clone begins without it")
            return
        folder = str(Path(source).parent)
        volume = VolumeXml.new(type="file", name=Path(path).name, capacity=Size(1))
        volume.set(allocation=Size(0), format="raw")
        pool = next((p for p in self._pools if os.path.normpath(p.path or "") == folder), None)
        name = pool.name if pool is not None else f"nvram-{uuid.uuid4().hex[:8]}"
        passing = "" if pool is not None else PoolSpec(name=name, path=folder).to_xml()
        self.actions.append(CopyVolume(source, path, volume.text(), name, passing))

    def _look_again(self, gone: Iterable[str]) -> LookAgain:
        """Return the action that lets libvirt notice what was made and removed without it."""
        found = {one.name for path in self._targets if (one := self._pool_of(path))}
        return LookAgain(tuple(sorted(found)), tuple(gone))
