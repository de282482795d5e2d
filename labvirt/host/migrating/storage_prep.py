"""Where the disks that are copied along land: volumes made before, paths written into the XML."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from labvirt.connection import blockjob
from labvirt.connection import domain as calls
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import LabvirtError, NotFoundError
from labvirt.host.migrating.migrating_actions import PrepareVolume
from labvirt.host.migrating.obstacles import is_shared
from labvirt.model.units import Size
from labvirt.model.volume import VolumeSpec
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.model.migration import MigrationSpec
    from labvirt.model.xml.devices import DiskXml
    from labvirt.status.pool import PoolRecord

__all__ = ["Landing", "Prepared", "prepare"]

_FORMATS = ("raw", "qcow2")


@dataclass(frozen=True)
class Landing:
    """Where a disk that is copied lands.

    Attributes:
        target: the disk: ``vda``.
        source: its image here.
        path: its image there.
        pool: name of the pool there.
        volume: name of the volume there.
        capacity: bytes the guest sees.
        allocated: bytes taken here.
        format: ``raw`` or ``qcow2``.
        backing: image below it there, when only the top one is copied; empty else.
        backing_format: its format.
        exists: the volume is there already, and is written over.
    """

    target: str
    source: str
    path: str
    pool: str
    volume: str
    capacity: int
    allocated: int
    format: str
    backing: str = ""
    backing_format: str = ""
    exists: bool = False


@dataclass
class Prepared:
    """What is known and to be done before disks can be copied.

    Attributes:
        landings: the disks, in their order.
        problems: why it cannot work.
        actions: volumes to be made there.
        destroys: what is written over.
        xml: the running domain as it is to be there; None: as here. With secrets.
        persistent_xml: its stored definition likewise.
    """

    landings: list[Landing] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    actions: list[PrepareVolume] = field(default_factory=list)
    destroys: list[str] = field(default_factory=list)
    xml: str | None = field(default=None, repr=False)
    persistent_xml: str | None = field(default=None, repr=False)

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the disks' names."""
        return tuple(landing.target for landing in self.landings)


def prepare(
    domain: DomainHandle, document: DomainXml, destination: Host, spec: MigrationSpec
) -> Prepared:
    """Find out where the disks go that are copied, and what must be made there.

    Args:
        domain: what moves.
        document: its XML, as it runs.
        destination: where to.
        spec: how.
    """
    found = Prepared()
    if not spec.copies_disks:
        return found
    for disk in document.disks:
        if _is_copied(disk, domain.host, destination, spec):
            landing = _landing(domain, disk, destination, spec, found.problems)
            if landing is not None:
                found.landings.append(landing)
    for target in sorted(set(spec.disks or ()) - {disk.target for disk in document.disks}):
        found.problems.append(f"{domain.name} has no disk {target}")
    found.problems += _lacks_space(found.landings, destination)
    for landing in found.landings:
        if landing.exists:
            found.destroys.append(
                f"the content of volume {landing.volume} of pool {landing.pool} on "
                f"{destination.name}"
            )
        else:
            found.actions.append(_action(landing, destination))
    _write_xml(found, domain, spec)
    return found


def _is_copied(disk: DiskXml, source: Host, destination: Host, spec: MigrationSpec) -> bool:
    if not disk.target or not disk.source_file or disk.readonly:
        return False
    if spec.disks is not None:
        return disk.target in spec.disks
    return not is_shared(disk.source_file, source, destination)


def _landing(
    domain: DomainHandle,
    disk: DiskXml,
    destination: Host,
    spec: MigrationSpec,
    problems: list[str],
) -> Landing | None:
    source, target = str(disk.source_file), str(disk.target)
    if is_shared(source, domain.host, destination):
        problems.append(f"disk {target} is on storage that both hosts share: it is not copied")
        return None
    if disk.element.find("encryption") is not None or (
        disk.element.find("source/encryption") is not None
    ):
        problems.append(f"disk {target} is encrypted: copy its volume, and its secret, yourself")
        return None
    pool = _pool(destination, spec, source, target, problems)
    if pool is None:
        return None
    form = disk.driver_type if disk.driver_type in _FORMATS else "qcow2"
    backing = disk.backing_file if spec.storage == "increment" else None
    if spec.storage == "increment" and (backing is None or form != "qcow2"):
        problems.append(f"disk {target} has no image below it: storage='copy' copies all of it")
        return None
    capacity, allocated, _ = blockjob.block_info(domain.host.connection, domain.uuid, target)
    name = PurePosixPath(source).name
    path = f"{pool.path}/{name}"
    exists = _existing(destination, pool, name, path, int(capacity), problems)
    if backing is not None and not _is_there(destination, backing, domain.host):
        problems.append(f"{backing}, the image below disk {target}, is not on {destination.name}")
    return Landing(
        target,
        source,
        path,
        pool.name,
        name,
        int(capacity),
        int(allocated),
        form,
        backing or "",
        (disk.backing_type or "qcow2") if backing else "",
        exists,
    )


def _pool(
    destination: Host, spec: MigrationSpec, source: str, target: str, problems: list[str]
) -> PoolRecord | None:
    """Return the pool there for a disk: the one that is asked for, or the one of its folder."""
    link = destination.connection
    if spec.pool is not None:
        try:
            pool = pools.read(link, pools.find(link, spec.pool))
        except NotFoundError:
            problems.append(f"{destination.name} has no pool {spec.pool}")
            return None
        if not pool.is_active:
            problems.append(f"pool {spec.pool} of {destination.name} is not active")
            return None
        if pool.type not in {"dir", "fs", "netfs"}:
            problems.append(f"pool {spec.pool} of {destination.name} holds no files ({pool.type})")
            return None
        return pool
    folder = str(PurePosixPath(source).parent)
    for pool in pools.list_all(link):
        if pool.is_active and pool.path == folder:
            return pool
    names = ", ".join(one.name for one in pools.list_all(link) if one.is_active)
    problems.append(
        f"{destination.name} has no active pool for {folder}, where disk {target} is: "
        f"pool=... names another one" + (f" ({names})" if names else "")
    )
    return None


def _existing(  # noqa: PLR0917 - all of one volume
    destination: Host, pool: PoolRecord, name: str, path: str, capacity: int, problems: list[str]
) -> bool:
    """Tell whether the volume is there already; it must be as large, and nobody's."""
    link = destination.connection
    try:
        pools.refresh(link, pool.uuid)
        there = volumes.read(link, pool.uuid, name)
    except NotFoundError:
        return False
    except LabvirtError as error:
        problems.append(f"pool {pool.name} of {destination.name} cannot be read: {error.what}")
        return False
    if there.capacity < capacity:
        problems.append(
            f"{path} on {destination.name} is too small: {Size(there.capacity)} of {Size(capacity)}"
        )
    users = destination.users_of(path)
    if users:
        problems.append(f"{path} on {destination.name} is in use by {', '.join(users)}")
    return True


def _is_there(destination: Host, path: str, source: Host) -> bool:
    if is_shared(path, source, destination):
        return True
    try:
        volumes.by_path(destination.connection, path)
    except LabvirtError:
        return False
    return True


def _lacks_space(landings: Sequence[Landing], destination: Host) -> Iterable[str]:
    """Yield the pools that have less room than the disks take here."""
    link = destination.connection
    for name in sorted({landing.pool for landing in landings}):
        need = sum(each.allocated for each in landings if each.pool == name and not each.exists)
        room = pools.read(link, pools.find(link, name)).available
        if need > room:
            yield (
                f"pool {name} of {destination.name} has {Size(room)} of room, and the disks "
                f"take {Size(need)}"
            )


def _action(landing: Landing, destination: Host) -> PrepareVolume:
    sparse = landing.format == "raw" and landing.allocated < landing.capacity
    spec = VolumeSpec(
        name=landing.volume,
        capacity=Size(landing.capacity),
        format=landing.format,
        preallocation="off" if sparse else None,
        backing_path=landing.backing or None,
        backing_format=landing.backing_format or None,
    )
    return PrepareVolume(
        destination.label,
        destination.name,
        landing.pool,
        landing.volume,
        landing.capacity,
        landing.format,
        spec.to_xml(),
        destination,
    )


def _write_xml(found: Prepared, domain: DomainHandle, spec: MigrationSpec) -> None:
    """Write the new paths into what the destination is given."""
    link, uuid = domain.host.connection, domain.uuid
    secure = not domain.host.readonly
    live = calls.xml(link, uuid, migratable=True, secure=secure)
    found.xml = _landed(live, found.landings, whole=spec.storage == "copy")
    if calls.read(link, uuid).persistent:
        stored = calls.xml(link, uuid, inactive=True, secure=secure)
        found.persistent_xml = _landed(stored, found.landings, whole=spec.storage == "copy")
    elif found.xml is not None:
        found.persistent_xml = found.xml


def _landed(xml: str, landings: Sequence[Landing], *, whole: bool) -> str | None:
    """Return a domain with its disks where they land; None when nothing changes."""
    document = DomainXml.parse(xml)
    by_source = {landing.source: landing for landing in landings}
    changed = False
    for disk in document.disks:
        landing = by_source.get(disk.source_file or "")
        if landing is None:
            continue
        below = disk.element.find("backingStore")
        if whole and below is not None and len(below):
            # All of it is copied into one image.
            document.doc.remove(below)
            changed = True
        if disk.source_file != landing.path or disk.driver_type != landing.format:
            disk.source_file, disk.driver_type = landing.path, landing.format
            changed = True
    return document.text() if changed else None
