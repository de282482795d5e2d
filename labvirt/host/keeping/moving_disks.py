"""Moving a disk to another pool, while its domain runs or while it is off."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from labvirt.connection import checkpoint as checkpoints
from labvirt.connection import snapshot as snapshots
from labvirt.errors import ConflictError
from labvirt.host.handle import DomainHandle, python_call
from labvirt.host.keeping.blockjob_actions import CopyDisk, disk_xml
from labvirt.host.keeping.blockjob_run import BlockJobResult, unused_now
from labvirt.host.storage.chain import DiskChain, chain_of, sharers, volume_at
from labvirt.host.storage.disk_actions import CloneVolume, DeleteFile, MakeVolume, NameFiles
from labvirt.host.storage.new_file import NewFile, new_file
from labvirt.model.arguments import checked
from labvirt.model.blockjob import BlockJobOptions
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from labvirt.plan import Action

__all__ = ["MovingDiskVerbs"]


class MovingDiskVerbs(DomainHandle):
    """Moving disks between pools."""

    @verb
    def move_disk(
        self,
        disk: str,
        pool: str,
        *,
        volume: str | None = None,
        format: str | None = None,  # noqa: A002 - virsh's word
        delete_old: bool = False,
        synchronous: bool = False,
        speed: Size | str | None = None,
        timeout_s: float = 3600.0,
        confirm: bool = False,
    ) -> Plan[BlockJobResult]:
        """Move a disk into another pool; a running domain goes on meanwhile (G4.2-05).

        The data of the whole chain go into one new volume. The live and the stored definition
        name it at the end. The old files stay unless `delete_old` says otherwise.

        Args:
            disk: which disk.
            pool: name of the pool that gets it.
            volume: name of the new volume; like the file now when None.
            format: ``qcow2`` or ``raw``; like now when None.
            delete_old: delete the file that it lay on, as the last step.
            synchronous: guest writes wait for the copy, so that it surely catches up.
            speed: most bytes per second (of a running domain).
            timeout_s: abort after that time and remove the half copy (of a running domain).
            confirm: agree to `delete_old`.

        Raises:
            ConflictError: the disk has snapshots inside its image, is being copied already, the
                new volume exists, or the pool is too small.
            NotFoundError: no such pool.
        """
        asked = f"move disk {disk} of domain {self.name} to pool {pool}"
        before = chain_of(self.host, DomainXml.parse(self.xml()), disk)
        before.require_plain(asked)
        limits = checked(BlockJobOptions, asked, speed=speed, timeout_s=timeout_s)
        warnings = self._look(asked, before, delete_old=delete_old)
        form = format or before.top.format or "qcow2"
        name = volume or posixpath.basename(before.top.path)
        target = new_file(self.host, asked, pool=pool, name=name, form=form, like=before)
        if self.is_active:
            actions = self._live(before, target, int(limits.speed or 0), timeout_s, synchronous)
        else:
            actions = self._off(asked, before, target)
        if delete_old:
            actions.append(DeleteFile(before.top.path, f"the old file of disk {before.target}"))

        def result() -> BlockJobResult:
            after = chain_of(self.host, DomainXml.parse(self.xml()), before.target)
            figures = next(
                dict(a.figures) for a in actions if isinstance(a, CopyDisk | CloneVolume)
            )
            return BlockJobResult(
                disk=before.target,
                seconds=figures.get("seconds", 0.0),
                done=Size(int(figures.get("done", 0))),
                chain=after.paths,
                unused=() if delete_old else unused_now(before, after),
            )

        return Plan(
            title=asked,
            host=self.host,
            actions=tuple(actions),
            result=result,
            warnings=(*warnings, *target.warnings),
            python=f"{self.host.python}.domains[{self.name!r}]"
            + python_call("", "move_disk", (disk, pool), {"delete_old": delete_old}),
            confirmed=confirm,
            journal=self.host.journal,
        )

    def _look(self, asked: str, before: DiskChain, *, delete_old: bool) -> tuple[str, ...]:
        """Refuse what would lose data, warn of what will be different."""
        warnings = []
        target = before.target
        inside, needed = [], []
        for record in snapshots.list_all(self._link, self.uuid):
            inside += [
                record.name
                for one in record.disks
                if one.target == target and one.location == "internal"
            ]
            files = {record.bases.get(target), record.overlays.get(target)}
            needed += [record.name] if files & set(before.paths) else []
        if inside:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text=f"the snapshots {', '.join(inside)} lie inside its image and would "
                "not be copied",
                hint="delete them first: domain.snapshots[...].delete(confirm=True)",
            )
        users = sharers(self.host, before.paths[:1], but=self.uuid).get(before.top.path)
        if users and delete_old:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text=f"{before.top.path} also belongs to {', '.join(users)}",
                hint="without delete_old=True the file stays",
            )
        if needed and delete_old:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text=f"the snapshots {', '.join(needed)} need its files",
                hint="delete them first, or leave delete_old=True out",
            )
        if needed:
            warnings.append(
                f"the snapshots {', '.join(needed)} keep the old files; libvirt cannot merge them "
                "any more"
            )
        if len(before.layers) > 1:
            warnings.append(f"the {len(before.layers)} files of its chain become one")
        if not self.is_active and checkpoints.list_all(self._link, self.uuid):
            warnings.append(
                "the bitmaps of its checkpoints are not copied while the domain is off: the next "
                "backup must be a full one"
            )
        return tuple(warnings)

    def _live(
        self,
        before: DiskChain,
        target: NewFile,
        speed: int,
        timeout_s: float,
        synchronous: bool,  # noqa: FBT001 - handed through
    ) -> list[Action[Any]]:
        copy = CopyDisk(
            self.uuid,
            self.name,
            before.target,
            speed,
            timeout_s,
            path=target.path,
            xml=disk_xml(target.path, target.format),
            pivot=True,
            reuse=True,
            synchronous=synchronous,
        )
        copy.check(self.host)
        return [*target.actions, copy]

    def _off(self, asked: str, before: DiskChain, target: NewFile) -> list[Action[Any]]:
        if volume_at(self.host, before.top.path) is None:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text=f"no active pool has {before.top.path}, so libvirt cannot copy it",
                hint="define a pool for its folder, or move it while the domain runs",
            )
        if self.info().has_managed_save:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text="it has a managed save that names the old file",
                hint="start it and move the disk while it runs, or managed_save_remove() first",
            )
        (make,) = target.actions
        assert isinstance(make, MakeVolume)
        clone = CloneVolume(
            make.pool, make.name, make.path, make.size, make.xml, source=before.top.path
        )
        rename = NameFiles(
            self.uuid,
            self.name,
            before={before.target: (before.top.path, before.top.format)},
            after={before.target: (target.path, target.format)},
        )
        return [clone, rename]
