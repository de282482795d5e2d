"""Block jobs of a running domain: commit, pull, copy, resize; what is safe is looked at before."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from labvirt.connection import blockjob as jobs
from labvirt.connection import snapshot as snapshots
from labvirt.errors import ConflictError, Problem, SpecError
from labvirt.host.handle import DomainHandle, python_call
from labvirt.host.keeping.blockjob_actions import CommitDisk, CopyDisk, PullDisk, disk_xml
from labvirt.host.keeping.blockjob_run import BlockJobResult, unused_now
from labvirt.host.storage.chain import DiskChain, chain_of, chains_of, sharers
from labvirt.host.storage.new_file import new_file
from labvirt.model.arguments import HostFile, checked
from labvirt.model.blockjob import BlockJobOptions, NewSize
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.connection import Connection
    from labvirt.host.keeping.blockjob_actions import BlockAction
    from labvirt.plan import Action, JobControl
    from labvirt.status import BlockJobRecord

__all__ = ["BlockJobVerbs"]


class BlockJobVerbs(DomainHandle):
    """Verbs that move the data of a disk while the guest uses it."""

    def chain(self, disk: str) -> DiskChain:
        """Return the files of a disk, the one that is written to first.

        Raises:
            SpecError: there is no such disk; names those that exist.
        """
        return chain_of(self.host, DomainXml.parse(self.xml()), disk)

    def chains(self) -> tuple[DiskChain, ...]:
        """Return the files of every disk."""
        return chains_of(self.host, DomainXml.parse(self.xml()))

    def block_job(self, disk: str) -> BlockJobRecord | None:
        """Read the block job of a disk; None when it has none (``virsh blockjob``)."""
        return jobs.info(self._link, self.uuid, self._target(disk))

    def _target(self, disk: str) -> str:
        return DomainXml.parse(self.xml()).find_disk(disk).target or ""

    def _require_running(self, asked: str) -> None:
        if not self.is_active:
            raise ConflictError(
                f"{asked} of domain {self.name}",
                uri=self.host.label,
                libvirt_text="the domain does not run, and only its QEMU can do it",
                hint="start it, or use qemu-img on the files of a domain that is off",
            )

    @verb
    def abort_block_job(self, disk: str, *, pivot: bool = False) -> Plan[None]:
        """End the block job of a disk; the domain goes on where it was, or on the other file.

        Args:
            disk: which disk.
            pivot: go over to the copy, or to the base of an active commit; it must be ready.

        Raises:
            ConflictError: there is no job, or it is not ready for the pivot.
        """
        target = self._target(disk)
        asked = f"end the block job of disk {target} of domain {self.name}"
        job = jobs.info(self._link, self.uuid, target) if self.is_active else None
        if job is None or (pivot and not job.is_ready):
            why = "it has no block job" if job is None else f"it is not ready: {job}"
            raise ConflictError(asked, uri=self.host.label, libvirt_text=why)
        return self.one_call(
            f"{'pivot' if pivot else 'abort the block job of'} disk {target} of domain",
            lambda link, _: jobs.abort(link, self.uuid, target, pivot=pivot),
            virsh=("blockjob", self.name, target, "--pivot" if pivot else "--abort"),
            python=python_call("", "abort_block_job", (disk,), {"pivot": pivot}),
        )

    @verb
    def set_block_job_speed(self, disk: str, speed: Size | str | None) -> Plan[None]:
        """Limit the block job of a disk, bytes per second; None takes the limit away.

        Raises:
            SpecError: that is no size.
            ConflictError: there is no job.
        """
        target = self._target(disk)
        asked = checked(BlockJobOptions, f"limit the block job of {target}", speed=speed)
        wanted = int(asked.speed or 0)
        return self.one_call(
            f"limit to {asked.speed or 'no limit'} the block job of disk {target} of domain",
            lambda link, _: jobs.set_speed(link, self.uuid, target, wanted),
            virsh=("blockjob", self.name, target, "--bandwidth", wanted, "--bytes"),
            python=python_call("", "set_block_job_speed", (disk, speed), {}),
        )

    @verb
    def blockresize(self, disk: str, size: Size | str | int) -> Plan[Size]:
        """Make a disk larger while the guest runs; the guest sees it at once.

        Returns:
            The new size.

        Raises:
            SpecError: that is no size, or smaller than the disk is: that would cut off data.
            ConflictError: the domain does not run.
        """
        self._require_running(f"resize disk {disk}")
        target = self._target(disk)
        wanted = checked(NewSize, f"resize disk {target} of {self.name}", size=size).size
        now = jobs.block_info(self._link, self.uuid, target)[0]
        if wanted < now:
            problem = Problem(
                "size", str(wanted), f"is less than the {now} it has: data would be cut off"
            )
            raise SpecError(f"cannot resize disk {target} of {self.name}:", (problem,))

        def run(link: Connection, _: JobControl) -> Size:
            jobs.resize(link, self.uuid, target, int(wanted))
            return jobs.block_info(link, self.uuid, target)[0]

        return self.one_call(
            f"resize from {now} to {wanted} disk {target} of domain",
            run,
            virsh=("blockresize", self.name, target, f"{int(wanted)}B"),
            python=python_call("", "blockresize", (disk, str(wanted)), {}),
        )

    @verb
    def blockcommit(
        self,
        disk: str,
        *,
        base: str | None = None,
        top: str | None = None,
        delete: bool = False,
        speed: Size | str | None = None,
        timeout_s: float = 3600.0,
        confirm: bool = False,
    ) -> Plan[BlockJobResult]:
        """Write the newer files of a disk's chain into an older one, and do without them.

        Args:
            disk: which disk.
            base: the file that is written into; the lowest one when None.
            top: the highest file that goes; the one the domain writes to when None: then the
                domain goes over to `base` at the end (active commit and pivot).
            delete: remove the files that went.
            speed: most bytes per second.
            timeout_s: abort after that time; the chain is then as it was.
            confirm: agree to remove the files (``delete``).

        Raises:
            ConflictError: the domain is off; a snapshot or another domain needs such a file.
            NotFoundError: a file is not in the chain.
        """
        self._require_running(f"commit disk {disk}")
        before = self.chain(disk)
        top_at = before.place(top) if top else 0
        base_at = before.place(base) if base else len(before.layers) - 1
        asked = f"commit disk {before.target} of domain {self.name}"
        if base_at <= top_at:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text="nothing lies between top and base"
                if len(before.layers) > 1
                else "it lies on one file only",
                hint="the chain is: " + " -> ".join(before.paths),
            )
        touched = before.paths[top_at : base_at + 1]
        shared = touched[1:] if top_at == 0 else touched
        self._refuse_needed(asked, shared, changed=touched if delete else touched[1:])
        limits = checked(BlockJobOptions, asked, speed=speed, timeout_s=timeout_s)
        action = CommitDisk(
            self.uuid,
            self.name,
            before.target,
            int(limits.speed or 0),
            timeout_s,
            base=touched[-1],
            top=touched[0],
            merged=touched[:-1],
            active=top_at == 0,
            delete=delete,
        )
        return self._job_plan(
            action,
            before,
            python_call("", "blockcommit", (disk,), {"base": base, "top": top, "delete": delete}),
            warnings=(f"{touched[-1]} is changed: it no longer holds the older state",),
            confirm=confirm,
        )

    def _refuse_needed(self, asked: str, paths: Sequence[str], *, changed: Sequence[str]) -> None:
        """Refuse to change or do without files that somebody else needs as they are."""
        why = [
            f"{path} also belongs to {', '.join(names)}"
            for path, names in sharers(self.host, paths, but=self.uuid).items()
        ]
        for record in snapshots.list_all(self._link, self.uuid):
            needed = sorted(set(record.bases.values()) & set(changed))
            if needed:
                why.append(f"snapshot {record.name} is the state in {', '.join(needed)}")
        if why:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text="; ".join(why),
                hint="delete the snapshot instead (snapshots[...].delete()): that merges its files;"
                " other domains need files of their own first",
            )

    @verb
    def blockpull(
        self,
        disk: str,
        *,
        base: str | None = None,
        speed: Size | str | None = None,
        timeout_s: float = 3600.0,
    ) -> Plan[BlockJobResult]:
        """Read what lies below the active file of a disk into it, and do without those files.

        The files below stay as they are.

        Args:
            disk: which disk.
            base: the file that stays below; None: the active file then stands alone.
            speed: most bytes per second.
            timeout_s: abort after that time; the chain is then as it was.

        Raises:
            ConflictError: the domain does not run, or there is nothing to pull.
            NotFoundError: `base` is not in the chain.
        """
        self._require_running(f"pull disk {disk}")
        before = self.chain(disk)
        base_at = before.place(base) if base else len(before.layers)
        asked = f"pull disk {before.target} of domain {self.name}"
        pulled = before.paths[1:base_at]
        if not pulled:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text="nothing lies between the active file and "
                + (base or "the end of the chain"),
                hint="the chain is: " + " -> ".join(before.paths),
            )
        limits = checked(BlockJobOptions, asked, speed=speed, timeout_s=timeout_s)
        action = PullDisk(
            self.uuid,
            self.name,
            before.target,
            int(limits.speed or 0),
            timeout_s,
            base=base or "",
            pulled=pulled,
        )
        cut = [
            record.name
            for record in snapshots.list_all(self._link, self.uuid)
            if set(record.bases.values()) & set(pulled)
        ]
        warnings = tuple(
            f"snapshot {name} keeps its files, but is no longer below the disk: libvirt cannot "
            "merge it any more"
            for name in cut
        )
        return self._job_plan(
            action, before, python_call("", "blockpull", (disk,), {"base": base}), warnings=warnings
        )

    @verb
    def blockcopy(
        self,
        disk: str,
        path: str | None = None,
        *,
        pool: str | None = None,
        volume: str | None = None,
        format: str | None = None,  # noqa: A002 - virsh's word
        pivot: bool = False,
        shallow: bool = False,
        reuse: bool = False,
        synchronous: bool = False,
        speed: Size | str | None = None,
        timeout_s: float = 3600.0,
        confirm: bool = False,
    ) -> Plan[BlockJobResult]:
        """Copy a disk while the guest uses it; the copy is the disk at the end of the job.

        Args:
            disk: which disk.
            path: file on the host that is made; or
            pool: name of the pool that gets a new volume.
            volume: name of that volume; like the file of the disk when None.
            format: ``qcow2`` or ``raw``; that of the disk when None.
            pivot: go over to the copy (see also `move_disk`); else the domain stays where it is.
            shallow: copy the active file only; the copy lies over the same files.
            reuse: the file at `path` exists already, fits, and is written over.
            synchronous: guest writes wait for the copy, so that it surely catches up.
            speed: most bytes per second.
            timeout_s: abort after that time.
            confirm: agree to overwrite.

        Raises:
            ConflictError: the domain does not run, or the target exists.
            SpecError: neither path nor pool, or both.
        """
        self._require_running(f"copy disk {disk}")
        before = self.chain(disk)
        asked = f"copy disk {before.target} of domain {self.name}"
        before.require_plain(asked)
        if (path is None) == (pool is None):
            problem = Problem("path", path or "", "either a path or a pool is wanted")
            raise SpecError(f"cannot {asked}:", (problem,))
        limits = checked(BlockJobOptions, asked, speed=speed, timeout_s=timeout_s)
        actions: list[Action[Any]] = []
        form = format or before.top.format or "qcow2"
        if path is None:
            target = new_file(
                self.host,
                asked,
                pool=str(pool),
                name=volume or posixpath.basename(before.top.path),
                form=form,
                like=before,
                shallow=shallow,
            )
            actions, path = list(target.actions), target.path
        else:
            path = checked(HostFile, asked, path=path).path
        if path in before.paths:
            text = f"{path} is the disk itself"
            raise ConflictError(asked, uri=self.host.label, libvirt_text=text)
        action = CopyDisk(
            self.uuid,
            self.name,
            before.target,
            int(limits.speed or 0),
            timeout_s,
            path=path,
            xml=disk_xml(path, form),
            pivot=pivot,
            shallow=shallow,
            reuse=reuse or bool(actions),
            synchronous=synchronous,
            overwrites=reuse and pool is None,
        )
        return self._job_plan(
            action,
            before,
            python_call("", "blockcopy", (disk, path), {"pivot": pivot}),
            first=actions,
            confirm=confirm,
        )

    def _job_plan(
        self,
        action: BlockAction,
        before: DiskChain,
        python: str,
        *,
        first: Sequence[Action[Any]] = (),
        warnings: tuple[str, ...] = (),
        confirm: bool = False,
    ) -> Plan[BlockJobResult]:
        """Return the plan of one block job, whose result tells what the disk lies on now."""

        def result() -> BlockJobResult:
            after = self.chain(before.target)
            return BlockJobResult(
                disk=before.target,
                seconds=action.figures.get("seconds", 0.0),
                done=Size(int(action.figures.get("done", 0))),
                chain=after.paths,
                unused=unused_now(before, after),
                copy=getattr(action, "path", ""),
            )

        return Plan(
            title=action.title,
            host=self.host,
            actions=(*first, action),
            result=result,
            warnings=warnings,
            python=self.host.python + f".domains[{self.name!r}]{python}",
            confirmed=confirm,
            journal=self.host.journal,
        )
