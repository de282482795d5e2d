"""Pre-flight of the disks, one by one: the same file on both, on the network, copied, or not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from labvirt.status.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.migrating.sides import FileSeen, Look, PoolSeen
    from labvirt.model.xml.devices import DiskXml

__all__ = ["NETWORK_FILE_SYSTEMS", "SHARED_POOLS", "check_cache", "check_disks", "check_files"]

#: Kinds of pools whose data is on the network.
SHARED_POOLS: Final = frozenset({"netfs", "iscsi", "iscsi-direct", "rbd", "gluster", "vstorage"})
#: What ``stat -f`` calls file systems that several machines can have mounted.
NETWORK_FILE_SYSTEMS: Final = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb2",
        "gfs/gfs2",
        "ocfs2",
        "ceph",
        "fuseblk",
        "lustre",
        "gpfs",
        "afs",
        "v9fs",
        "panfs",
    ]
)
_SAME: Final = "G12.1-05"
_SHARED: Final = "G12.1-01"


def check_disks(look: Look) -> Iterator[Finding]:
    """Judge every disk and drive, and the image that an overlay is laid on."""
    for disk in look.document.disks:
        target = disk.target or "?"
        yield _disk(look, disk, f"disk:{target}", f"Is disk {target} there too?")
        below = disk.backing_file
        if below and (target not in look.copied or look.spec.storage == "increment"):
            question = f"Is the image below {target} there too?"
            yield _File(look, f"backing:{target}", question, below).judge()
    for number, cause in enumerate(look.copy_problems):
        question = "Can its disks be copied?"
        remedy = "pool='NAME' for another place; disks=[...] for others"
        yield Finding(f"copy:{number}", question, "fail", "", cause, remedy, _SHARED)


def check_files(look: Look) -> Iterator[Finding]:
    """Judge the kernel and the RAM disk of a guest that is booted directly."""
    for key, path in (("kernel", look.document.kernel), ("initrd", look.document.initrd)):
        if path:
            yield _File(look, f"file:{key}", f"Is its {key} there too?", path).judge()


def _disk(look: Look, disk: DiskXml, key: str, question: str) -> Finding:
    path = disk.source_path
    if disk.type == "network":
        evidence = f"{disk.source_protocol}:{disk.source_name or ''}, over the network"
        return Finding(key, question, "ok", evidence, guide=_SHARED)
    if disk.source_pool:
        return _volume(look, disk, key, question)
    if not path:
        return Finding(key, question, "ok", "an empty drive")
    if disk.target in look.copied or _should_be_copied(look, disk):
        where = look.copied.get(disk.target or "")
        evidence = f"copied to {where}" if where else f"{path} cannot be copied: see there"
        return Finding(key, question, "ok" if where else "unknown", evidence)
    if disk.type == "block":
        return _block(look, key, question, path)
    return _File(look, key, question, path, disk).judge()


def _should_be_copied(look: Look, disk: DiskXml) -> bool:
    """Return True for a disk that is to be copied and has no place: that is told by itself."""
    wanted = look.spec.disks is None or disk.target in look.spec.disks
    own = disk.source_file and not disk.readonly and not look.shared_folder(disk.source_file)
    return bool(look.spec.copies_disks and look.copy_problems and wanted and own)


def _volume(look: Look, disk: DiskXml, key: str, question: str) -> Finding:
    there, name = look.destination, disk.source_pool or ""
    pool, ours = there.pool(name), look.source.pool(name)
    evidence = f"volume {disk.source_volume} of pool {name}"
    if pool is None or not pool.is_active:
        lack = f"no pool {name}" if pool is None else f"pool {name}, but it is not active"
        remedy = f"define it there with the same source; virsh -c {there.label} pool-start {name}"
        cause = f"{there.name} has {lack}"
        return Finding(key, question, "fail", evidence, cause, remedy, _SHARED)
    if pool.type in SHARED_POOLS:
        if ours is not None and ours.source != pool.source:
            cause = f"pool {name} is {ours.source} here and {pool.source} there: not the same data"
            return Finding(key, question, "fail", evidence, cause, "give both one source", _SHARED)
        return Finding(key, question, "ok", f"{evidence}, {pool.type} {pool.source}", guide=_SHARED)
    if not pool.path or ours is None or not ours.path:
        return Finding(key, question, "unknown", evidence, guide=_SHARED)
    if pool.path != ours.path:
        cause = f"pool {name} is {ours.path} here and {pool.path} there"
        return Finding(key, question, "fail", evidence, cause, "use one path on both", _SAME)
    return _File(look, key, question, f"{pool.path}/{disk.source_volume}", disk).judge()


def _block(look: Look, key: str, question: str, path: str) -> Finding:
    ours, theirs = look.source.files.get(path), look.destination.files.get(path)
    if theirs is not None and not theirs.exists:
        cause = f"{look.destination.name} has no block device {path}"
        remedy = "log in to the same LUN there (iscsiadm, zoning)"
        return Finding(key, question, "fail", path, cause, remedy, _SHARED)
    if _is_one_file(look, ours, theirs):
        return Finding(key, question, "ok", f"{path}: one device", guide=_SHARED)
    cause = f"whether {path} is the same LUN on both is not known"
    remedy = "compare /dev/disk/by-id on both"
    return Finding(key, question, "warning", path, cause, remedy, _SHARED)


@dataclass(frozen=True, slots=True)
class _File:
    """One file that both hosts must see as one.

    Attributes:
        look: all that was seen.
        key: id of the finding.
        question: its question.
        path: where it is.
        disk: the disk whose image it is; None: something that is only read.
    """

    look: Look
    key: str
    question: str
    path: str
    disk: DiskXml | None = None

    def judge(self) -> Finding:
        """Judge it by what is known, the surest first."""
        look, path, there = self.look, self.path, self.look.destination
        ours, theirs = look.source.files.get(path), there.files.get(path)
        if ours is not None and not ours.exists:
            return self._missing(f"{path} is missing on {look.source.name}")
        where = self._known_as_shared()
        lacks = theirs is not None and not theirs.exists
        if where:
            if lacks:
                cause = f"{path} is missing on {there.name}, though {where} should have it"
                return self._missing(cause)
            return self._shared(where)
        cause = f"{path} is not on storage that both hosts share"
        if lacks:
            elsewhere = _elsewhere(look, path)
            if elsewhere:
                cause = f"the storage of {path} is at {elsewhere} on {there.name}: another path"
                return self._missing(cause)
            return self._missing(f"{cause}: {there.name} has no such file")
        return self._by_identity(ours, theirs, cause)

    def _by_identity(self, ours: FileSeen | None, theirs: FileSeen | None, cause: str) -> Finding:
        if not self.look.is_one_lab and _is_one_file(self.look, ours, theirs):
            return self._shared("same inode on both")
        if self.look.is_one_lab:
            return self._missing(cause)
        if ours and theirs and ours.identity and theirs.identity:
            return self._missing(f"{cause}: another file is at that path")
        evidence = f"whether {self.path} is one file on both hosts could not be looked at"
        remedy = "libvirt moves it when it is on a network file system; else storage='copy'"
        return Finding(self.key, self.question, "unknown", evidence, remedy=remedy, guide=_SAME)

    def _known_as_shared(self) -> str:
        folder = self.look.shared_folder(self.path)
        if folder:
            return f"shared folder {folder}"
        pool = _network_pool(self.look, self.path)
        return f"network storage {pool}" if pool else ""

    def _missing(self, cause: str) -> Finding:
        disk, name = self.disk, self.look.name
        if disk is not None and disk.device in {"cdrom", "floppy"}:
            if disk.startup_policy == "optional":
                cause += "; the drive will be empty there"
                return Finding(
                    self.key, self.question, "warning", self.path, cause, "nothing", _SAME
                )
            remedy = f"virsh change-media {name} {disk.target} --eject --live --config"
        elif disk is None:
            there = self.look.destination.name
            remedy = f"put it at the same path on {there}, or into a shared folder"
        else:
            remedy = "put it on shared storage, or migrate(..., storage='copy')"
        return Finding(self.key, self.question, "fail", self.path, cause, remedy, _SHARED)

    def _shared(self, where: str) -> Finding:
        """Judge a file that is one: it must be writable there too when the guest writes it."""
        disk, there = self.disk, self.look.destination
        theirs = there.files.get(self.path)
        needs = disk is not None and not disk.readonly and disk.device not in {"cdrom", "lun"}
        if needs and theirs is not None and theirs.writable is False:
            cause = f"{self.path} is read-only on {there.name}"
            remedy = f"mount it there for writing (rw): {PurePosixPath(self.path).parent}"
            return Finding(self.key, self.question, "fail", where, cause, remedy, _SAME)
        return Finding(self.key, self.question, "ok", f"{self.path}: {where}", guide=_SAME)


def _is_one_file(look: Look, ours: FileSeen | None, theirs: FileSeen | None) -> bool:
    """Return True when both saw one and the same file, by inode."""
    if not (ours and theirs and ours.identity and theirs.identity):
        return False
    if look.source.boot_id and look.source.boot_id == look.destination.boot_id:
        return ours.identity == theirs.identity
    # Two machines number their devices each for itself; the server numbers the inodes.
    inodes = {one.identity.rpartition(":")[2] for one in (ours, theirs)}
    kinds = {one.file_system for one in (ours, theirs)}
    return len(inodes) == 1 and kinds <= NETWORK_FILE_SYSTEMS and ours.size == theirs.size


def _network_pool(look: Look, path: str) -> str:
    """Return the source of the network pool that has a path on both hosts; or empty."""
    ours, theirs = (_pool_over(side.pools, path) for side in (look.source, look.destination))
    same = ours and theirs and ours.source and ours.source == theirs.source
    return ours.source if ours and same else ""


def _pool_over(pools: tuple[PoolSeen, ...], path: str) -> PoolSeen | None:
    for one in pools:
        shared = one.type in SHARED_POOLS and one.path and one.is_active
        if shared and PurePosixPath(path).is_relative_to(one.path):
            return one
    return None


def _elsewhere(look: Look, path: str) -> str:
    """Return where the destination has mounted the storage that a path is on; or empty."""
    ours = _pool_over(look.source.pools, path)
    if ours is None or not ours.source:
        return ""
    return next((one.path for one in look.destination.pools if one.source == ours.source), "")


def check_cache(look: Look) -> Iterator[Finding]:
    """Judge the cache modes of disks that both hosts use: what is not flushed is not seen there."""
    question = "Are the cache modes of its disks safe?"
    writable = [
        disk
        for disk in look.document.disks
        if disk.source_path and not disk.readonly and disk.target not in look.copied
    ]
    if not writable:
        yield Finding("cache", question, "n/a", "no disk that both hosts write")
        return
    modes = ", ".join(f"{one.target} {one.cache or 'default'}" for one in writable)
    unsafe = sorted(one.target or "?" for one in writable if one.cache == "unsafe")
    cached = [one for one in writable if one.cache not in {"none", "directsync"}]
    old = _version(look.source.hypervisor) < (4,) or _version(look.destination.hypervisor) < (4,)
    if unsafe:
        cause = f"cache='unsafe' of {', '.join(unsafe)} ignores flushes: data may be lost"
        yield Finding("cache", question, "warning", modes, cause, "cache='none'")
    elif cached and old and not look.spec.unsafe:
        cause = "QEMU before 4.0 does not drop its cache: the destination may read old data"
        yield Finding("cache", question, "fail", modes, cause, "cache='none'")
    else:
        yield Finding("cache", question, "ok", modes)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal()) or (99,)
