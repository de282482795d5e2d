"""Storage of a new domain: media put where QEMU finds them, volumes checked and planned."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt import places
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    LabvirtError,
    NotFoundError,
    Problem,
    SpecError,
)
from labvirt.host.actions import (
    CreateVolume,
    DefinePool,
    StartPool,
    UploadVolume,
    require_new_volume,
)
from labvirt.host.hostfiles import HostFiles
from labvirt.model.disk import FileSource, NewVolume, VolumeSource
from labvirt.model.ident import new_uuid
from labvirt.model.pool import PoolSpec
from labvirt.model.source import ImportImage, IsoInstall, TinyGuest
from labvirt.model.units import Size
from labvirt.model.volume import VolumeSpec
from labvirt.status import PoolRecord, PoolState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.host import Host
    from labvirt.model.disk import DiskSource, DiskSpec
    from labvirt.model.domain import DomainSpec
    from labvirt.plan import Action
    from labvirt.status import VolumeRecord

__all__ = ["Storing"]

#: Where libvirt's own tools keep images on a system connection (G2.2-08).
SYSTEM_IMAGES = "/var/lib/libvirt/images"
#: How every qcow2 image begins.
_QCOW2 = b"QFI\xfb"


class Storing:
    """Collects the storage actions of one new domain, and what is wrong with the wishes.

    Args:
        host: the host.
        name: name of the domain; volumes without a name are named after it.
    """

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self._name = name
        self._pools: dict[str, PoolRecord] = {}
        self._wanted: dict[str, int] = {}
        self._names: set[tuple[str, str]] = set()
        self.actions: list[Action[Any]] = []
        self.warnings: list[str] = []

    # -- pools ------------------------------------------------------------------------------

    def _pool(self, name: str | None) -> PoolRecord:
        """Return a pool, planning to start or even to define it when it is the default one."""
        chosen = name or self._host.facts.default_pool or "default"
        if chosen in self._pools:
            return self._pools[chosen]
        link = self._host.connection
        try:
            record = pools.read(link, pools.find(link, chosen))
        except NotFoundError:
            if name is not None or chosen != "default":
                known = ", ".join(r.name for r in pools.list_all(link)) or "none"
                raise NotFoundError(
                    f"find pool {chosen!r}", uri=self._host.label, hint=f"there are: {known}"
                ) from None
            record = self._define_default()
        else:
            if not record.is_active:
                self.actions.append(StartPool(chosen))
        self._pools[chosen] = record
        return record

    def _define_default(self) -> PoolRecord:
        """Plan to make the pool ``default`` where libvirt's tools expect it."""
        if not self._host.label.split("?")[0].endswith("/system"):
            raise NotFoundError(
                "find pool 'default'",
                uri=self._host.label,
                hint="define a pool of type dir, or name one in the spec",
            )
        uuid = new_uuid()
        now = self._host.connection.now()
        spec = PoolSpec(name="default", uuid=uuid, path=SYSTEM_IMAGES)
        self.actions += [DefinePool("default", uuid, spec.to_xml()), StartPool("default")]
        self.warnings.append(f"the pool 'default' is made in {SYSTEM_IMAGES}")
        return PoolRecord(
            uuid=uuid,
            name="default",
            type="dir",
            state=PoolState.INACTIVE,
            persistent=True,
            autostart=False,
            capacity=Size(0),
            allocation=Size(0),
            available=Size(0),
            path=SYSTEM_IMAGES,
            read_at=now,
        )

    # -- media ------------------------------------------------------------------------------

    def place_media(self, spec: DomainSpec) -> DomainSpec:
        """Have the media of the spec's source made, and put them where QEMU can read them.

        Raises:
            SpecError: less memory than the media need, or nobody here makes them.
            LabError: the media cannot be made on this machine.
        """
        if self._host.builder is None or not isinstance(spec.source, TinyGuest):
            raise SpecError(
                f"the source of {spec.name} must be made first, and nobody here makes it",
                hint="open the host with labvirt.connect()",
            )
        folder = self._host.facts.media_folder or places.cache() / "media"
        media = self._host.builder(spec.source, folder)
        if self._host.facts.media_folder is None:
            paths = {
                field: self._uploaded(path)
                for field in ("kernel", "initrd", "disk")
                if (path := getattr(media, field))
            }
            media = media.replace(**paths)
        return spec.with_media(media)

    def _uploaded(self, path: str) -> str:
        """Return where a file lies on the host, planning to upload it unless it is there."""
        file = Path(path)
        pool = self._pool(None)
        size = file.stat().st_size
        target = f"{pool.path}/{file.name}"
        if pool.is_active and self._has(pool, file.name):
            return target
        volume = VolumeSpec(name=file.name, capacity=Size(size), format="raw")
        self.actions.append(UploadVolume(pool.name, file.name, size, volume.to_xml(), str(file)))
        return target

    def _has(self, pool: PoolRecord, name: str) -> bool:
        try:
            volumes.read(self._host.connection, pool.uuid, name)
        except NotFoundError:
            return False
        return True

    # -- disks ------------------------------------------------------------------------------

    def place_disks(self, spec: DomainSpec) -> tuple[DomainSpec, list[Problem]]:
        """Turn every wish for storage into a path, with the volumes to make as actions.

        Args:
            spec: with every name filled in.

        Returns:
            The spec whose disks exist or are planned, and what is wrong.

        Raises:
            ConflictError: a volume exists already, or another domain uses an image.
        """
        problems: list[Problem] = []
        disks = []
        for number, disk in enumerate(spec.disks):
            with self._collected(problems, f"disks[{number}]"):
                disks.append(disk.replace(source=self._placed(disk, spec)))
        source = spec.source
        if isinstance(source, ImportImage | IsoInstall):
            with self._collected(problems, "source"):
                source = self._placed_image(source)
        if problems:
            return spec, problems
        return spec.replace(disks=tuple(disks), source=source), self._too_big()

    @contextmanager
    def _collected(self, problems: list[Problem], field: str) -> Iterator[None]:
        """Turn what is wrong with one field into a problem; conflicts go through."""
        try:
            yield
        except ConflictError:
            raise
        except SpecError as error:
            problems += error.problems or (Problem(field, "", error.what, error.hint),)
        except LabvirtError as error:
            problems.append(Problem(field, "", error.what, error.hint))

    def _placed(self, disk: DiskSpec, spec: DomainSpec) -> DiskSource | None:
        source = disk.source
        if isinstance(source, NewVolume):
            wanted = next(v for v in spec.new_volumes if v.target == disk.target)
            return self._new(wanted.pool, wanted.volume)
        is_own = not (disk.readonly or disk.shareable or disk.device != "disk")
        if isinstance(source, VolumeSource):
            record = self._volume(source.pool, source.name)
            self._refuse_shared(record.path, is_own=is_own)
            if record.type == "file":
                return FileSource(path=record.path, format=source.format)
        elif isinstance(source, FileSource):
            self._refuse_shared(source.path, is_own=is_own)
            self._require_file(source.path, source.format)
        return source

    def _placed_image(self, source: ImportImage | IsoInstall) -> ImportImage | IsoInstall:
        """Look at the image that a domain boots from."""
        is_own = isinstance(source, ImportImage)
        if source.path is not None:
            self._refuse_shared(source.path, is_own=is_own)
            image_format = source.format if isinstance(source, ImportImage) else None
            self._require_file(source.path, image_format)
            return source
        record = self._volume(str(source.pool), str(source.volume))
        self._refuse_shared(record.path, is_own=is_own)
        if record.type != "file":
            return source
        return source.replace(path=record.path, pool=None, volume=None)

    def _volume(self, pool: str, name: str) -> VolumeRecord:
        found = self._pool(pool)
        return volumes.read(self._host.connection, found.uuid, name)

    def _new(self, pool_name: str | None, volume: VolumeSpec) -> FileSource | VolumeSource:
        pool = self._pool(pool_name)
        if (pool.name, volume.name) in self._names:
            raise SpecError(f"two disks want the volume {volume.name} of pool {pool.name}")
        self._names.add((pool.name, volume.name))
        if pool.is_active:
            require_new_volume(self._host, pool.name, volume.name)
        size = int(volume.capacity or 0)
        self._wanted[pool.name] = self._wanted.get(pool.name, 0) + size
        self.actions.append(
            CreateVolume(pool.name, volume.name, size, volume.format, volume.to_xml())
        )
        if not pool.path or pool.type not in ("dir", "fs", "netfs"):
            return VolumeSource(pool=pool.name, name=volume.name, format=volume.format)
        return FileSource(path=f"{pool.path}/{volume.name}", format=volume.format)

    def _too_big(self) -> list[Problem]:
        """Compare what is wanted of each pool with what it has."""
        problems = []
        for name, wanted in self._wanted.items():
            pool = self._pools[name]
            if not pool.capacity:
                continue
            if wanted > pool.capacity:
                why = f"larger than the whole pool {name} ({Size(pool.capacity)})"
                free = f"{Size(pool.available)} are free"
                problems.append(Problem("disks", str(Size(wanted)), why, free))
            elif wanted > pool.available:
                self.warnings.append(
                    f"the disks can grow to {Size(wanted)}, pool {name} has {Size(pool.available)}"
                    " free: a full pool pauses the domain"
                )
        return problems

    def _require_file(self, path: str, image_format: str | None = None) -> None:
        """Look at an image, as far as this machine can look at it, and at its format if known."""
        files = HostFiles.of(self._host)
        if files is None:
            return
        try:
            # The daemon may see other files under this path than this process does.
            file = Path(files.here(files.resolve(path)))
        except (AccessDeniedError, SpecError) as error:
            why = f"cannot be read: {error.what}"
            raise SpecError("", [Problem("path", path, why)]) from None
        try:
            # Looked at before it is opened: opening a pipe would wait for its other end.
            mode = file.stat().st_mode
            if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
                with file.open("rb") as image:
                    is_qcow2 = image.read(len(_QCOW2)) == _QCOW2
                if image_format == "qcow2" and not is_qcow2:
                    raise SpecError(
                        "", [Problem("path", path, "is no qcow2 image", "format='raw'?")]
                    )
                if image_format == "raw" and is_qcow2:
                    self.warnings.append(f"{path} is a qcow2 image, and the guest sees it as raw")
                return
            why = "is neither a file nor a block device"
        except FileNotFoundError:
            why = "there is no such file on this machine"
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
        raise SpecError("", [Problem("path", path, why)])

    def _refuse_shared(self, path: str, *, is_own: bool) -> None:
        """Refuse an image that another domain uses, unless both only read or share it."""
        users = self._host.users_of(path) if is_own else ()
        if users:
            raise ConflictError(
                f"use {path} as a disk of {self._name}",
                uri=self._host.label,
                libvirt_text=f"it belongs to {', '.join(users)}",
                hint="a copy or an overlay, or shareable=True if the guests know how to share",
            )
