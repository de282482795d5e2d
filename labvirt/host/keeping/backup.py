"""Backups of a running domain: pushed into files, or pulled through NBD; checkpoints between them."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from labvirt.connection import blockjob as jobs
from labvirt.connection import checkpoint as checkpoints
from labvirt.connection import domain as domains
from labvirt.errors import ConflictError, Problem, SpecError, UnsupportedError
from labvirt.host.handle import DomainHandle, python_call
from labvirt.host.keeping.backup_actions import BeginPull, PushBackup
from labvirt.host.keeping.backup_files import (
    PARTIAL,
    Backup,
    backups_in,
    chain_to,
    require_folder,
    stamp,
)
from labvirt.host.keeping.checkpoint import Checkpoint, Checkpoints, checkpoints_of
from labvirt.host.keeping.pulling import PullBackup
from labvirt.host.keeping.snapshot_actions import FreezeGuest, ThawGuest
from labvirt.host.storage.chain import DiskChain, chains_of, is_old_qcow2
from labvirt.host.validate import require_valid
from labvirt.model.arguments import Wait, checked
from labvirt.model.backup import BackupDiskSpec, BackupSpec
from labvirt.model.checkpoint import CheckpointSpec
from labvirt.model.redact import redact_xml
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal

    from labvirt.plan import Action

__all__ = ["BackupVerbs"]


class BackupVerbs(DomainHandle):
    """Verbs about checkpoints and backups."""

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of the domain, by name, the first one first."""
        return checkpoints_of(self)

    @verb
    def checkpoint(
        self, name: str, *, description: str | None = None, disks: Iterable[str] = ()
    ) -> Plan[Checkpoint]:
        """Begin to note which blocks change from now on, for an incremental backup later.

        Args:
            name: name of the checkpoint.
            description: any text.
            disks: disks that are tracked; all qcow2 disks when empty.

        Raises:
            ConflictError: the domain does not run, or has a checkpoint of that name.
            UnsupportedError: a disk is no qcow2 image of version 3.
        """
        asked = f"make checkpoint {name} of domain {self.name}"
        self._require_on(asked)
        chains = self._data(asked, tuple(disks))
        others = self._others(chains)
        spec = CheckpointSpec(name=name, description=description, disks=tuple(chains))
        self._refuse_checkpoint(asked, name, chains)
        xml = spec.to_xml(others)
        require_valid(xml, "checkpoint")
        plan = self.one_call(
            f"make checkpoint {name} of domain",
            lambda link, _: checkpoints.create(link, self.uuid, xml),
            virsh=("checkpoint-create-as", self.name, name),
            python=python_call("", "checkpoint", (name,), {"description": description}),
            diff="\n".join(f"+{line}" for line in xml.splitlines()),
        )
        return Plan(
            title=plan.title,
            host=plan.host,
            actions=plan.actions,
            result=lambda: Checkpoint(self, name),
            python=plan.python,
            journal=plan.journal,
        )

    def _require_on(self, asked: str) -> None:
        if not self.is_active:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text="the domain does not run, and only its QEMU can do it",
                hint="start it, or copy the images of a domain that is off with qemu-img",
            )

    def _data(self, asked: str, targets: tuple[str, ...]) -> dict[str, DiskChain]:
        """Return the chains of the disks that are meant; all that can be when none is named."""
        document = DomainXml.parse(self.xml())
        every = {chain.target: chain for chain in chains_of(self.host, document) if chain.is_data}
        for target in targets:
            document.find_disk(target)
        chosen = {t: chain for t, chain in every.items() if t in targets or not targets}
        odd = [target for target in targets if target not in chosen]
        if odd or not chosen:
            raise UnsupportedError(
                asked,
                uri=self.host.label,
                libvirt_text=f"{', '.join(odd) or 'what it has'} is no file that the guest writes to",
            )
        for chain in chosen.values():
            chain.require_plain(asked)
        return chosen

    def _others(self, chains: dict[str, DiskChain]) -> tuple[str, ...]:
        document = DomainXml.parse(self.xml())
        return tuple(
            str(disk.target)
            for disk in document.disks
            if disk.target not in chains and disk.source_path
        )

    def _refuse_checkpoint(self, asked: str, name: str, chains: dict[str, DiskChain]) -> None:
        if name in self.checkpoints:
            raise ConflictError(
                asked, uri=self.host.label, libvirt_text="a checkpoint of that name exists already"
            )
        for target, chain in chains.items():
            old = chain.top.format == "qcow2" and is_old_qcow2(self.host, chain.top.path)
            if chain.top.format != "qcow2" or old:
                form = "a qcow2 image of version 2" if old else chain.top.format or "unknown"
                raise UnsupportedError(
                    asked,
                    uri=self.host.label,
                    libvirt_text=f"disk {target} is {form}, which cannot note what changes",
                    hint=f"move_disk({target!r}, POOL, format='qcow2') makes it one that can, while"
                    " the guest runs; checkpoint=False makes a full backup only",
                )

    @verb
    def backup(
        self,
        folder: str,
        *,
        name: str | None = None,
        since: str | None = None,
        disks: Iterable[str] = (),
        format: Literal["qcow2", "raw"] = "qcow2",  # noqa: A002 - virsh's word
        checkpoint: bool = True,
        quiesce: bool = False,
        timeout_s: float = 3600.0,
    ) -> Plan[Backup]:
        """Let QEMU write the domain's disks, as they are at one moment, into files.

        The guest goes on meanwhile. Files end with ``.partial`` until they are whole; a manifest
        ``NAME.backup.json`` is written last. `Host.restore_backup` makes a domain of it.

        Args:
            folder: folder of this machine that QEMU may write to.
            name: name of the backup; made of the domain and the time when None.
            since: ``last``, or the name of a backup in the folder: only what changed since then
                is written; None writes everything.
            disks: which disks; all that the guest writes to when empty.
            format: ``qcow2`` or ``raw`` (full backups only).
            checkpoint: note what changes from now on, so that the next one can be incremental.
            quiesce: freeze the guest's file systems for that moment, through its agent.
            timeout_s: abort after that time, and remove the half files.

        Raises:
            ConflictError: the domain does not run, a file exists, the backup to build on is
                not there or its checkpoint is gone.
            UnsupportedError: the host is another machine; a disk cannot note what changes.
        """
        asked = f"back up domain {self.name}"
        self._require_on(asked)
        checked(Wait, asked, timeout_s=timeout_s)
        place = require_folder(self.host, asked, folder)
        chains = self._data(asked, tuple(disks))
        below = self._below(asked, str(place), since, chains) if since else None
        now = self.host.connection.now()
        name = name or f"{self.name}-{stamp(now)}"
        files = {target: f"{name}.{target}.{format}" for target in chains}
        spec = BackupSpec(
            since=below.checkpoint if below else None,
            checkpoint=name if checkpoint else None,
            disks=tuple(
                BackupDiskSpec(target=target, path=str(place / (file + PARTIAL)), format=format)
                for target, file in files.items()
            ),
        )
        xml, checkpoint_xml = self._xmls(asked, spec, chains)
        push = PushBackup(
            self.uuid,
            self.name,
            xml,
            name if checkpoint else "",
            checkpoint_xml,
            folder=str(place),
            name=name,
            since=below.name if below else "",
            below={i.target: (i.file, i.format) for i in below.images} if below else {},
            images=tuple(
                (t, files[t], format, int(jobs.block_info(self._link, self.uuid, t)[0]))
                for t in chains
            ),
            definition=redact_xml(self._definition()),
            when=now.isoformat(timespec="microseconds"),
            timeout_s=timeout_s,
        )
        push.check(self.host)
        others = self._others(chains)
        return Plan(
            title=push.title,
            host=self.host,
            actions=self._quiesced(push, quiesce=quiesce),
            result=lambda: push.result,
            warnings=tuple(f"disk {target} is not backed up" for target in others),
            python=f"{self.host.python}.domains[{self.name!r}]"
            + python_call("", "backup", (folder,), {"name": name, "since": since}),
            journal=self.host.journal,
        )

    def _definition(self) -> str:
        return self.xml(inactive=self.info().persistent)

    def _quiesced(self, push: PushBackup, *, quiesce: bool) -> tuple[Action[Any], ...]:
        if not quiesce:
            return (push,)
        freeze = FreezeGuest(self.uuid, self.name)
        freeze.check(self.host)
        return (freeze, push, ThawGuest(self.uuid, self.name))

    def _xmls(self, asked: str, spec: BackupSpec, chains: dict[str, DiskChain]) -> tuple[str, str]:
        """Return the XML of a backup and of its checkpoint, valid for libvirt."""
        others = self._others(chains)
        xml = spec.to_xml(others)
        require_valid(xml, "backup")
        if spec.checkpoint is None:
            return xml, ""
        self._refuse_checkpoint(asked, spec.checkpoint, chains)
        noted = CheckpointSpec(name=spec.checkpoint, disks=tuple(chains)).to_xml(others)
        require_valid(noted, "checkpoint")
        return xml, noted

    def _below(self, asked: str, folder: str, since: str, chains: dict[str, DiskChain]) -> Backup:
        """Return the backup that an incremental one is laid over, found whole and still usable."""
        mine = [one for one in backups_in(folder) if one.uuid == self.uuid]
        found = [one for one in mine if since in (one.name, "last")]
        if not found:
            names = ", ".join(one.name for one in mine) or "none"
            problem = Problem("since", since, f"is no backup of {self.name} in {folder}", names)
            raise SpecError(f"cannot {asked}:", (problem,))
        below = found[-1]
        chain_to(below)
        known = {one.name: one for one in checkpoints.list_all(self._link, self.uuid)}
        record = known.get(below.checkpoint)
        why = ""
        if record is None:
            why = f"its checkpoint {below.checkpoint or '(none was made)'} is gone"
        elif missing := set(chains) - set(record.targets) | set(chains) - {
            image.target for image in below.images
        }:
            why = f"it does not have the disks {', '.join(sorted(missing))}"
        if why:
            raise ConflictError(
                f"{asked} since {below.name}",
                uri=self.host.label,
                libvirt_text=why,
                hint="make a full backup: leave since= out",
            )
        return below

    @verb
    def backup_pull(
        self,
        *,
        socket: str | None = None,
        since: str | None = None,
        disks: Iterable[str] = (),
        checkpoint: str | None = None,
    ) -> Plan[PullBackup]:
        """Let QEMU serve the domain's disks, as they are at this moment, through NBD.

        The guest goes on meanwhile. Use the result in a ``with`` block: `PullBackup.copy` fetches a
        disk, `PullBackup.dirty` tells what has changed, and any NBD client can read the exports.

        Args:
            socket: path of the socket on the host; beside the first disk when None.
            since: name of a checkpoint: its map of changes is served too.
            disks: which disks; all that the guest writes to when empty.
            checkpoint: name of a checkpoint that is made at the same moment, for the next backup.

        Raises:
            ConflictError: the domain does not run, a backup is under way, a file exists.
            SpecError: there is no such checkpoint; the path of the socket is too long.
        """
        asked = f"serve a backup of domain {self.name}"
        self._require_on(asked)
        chains = self._data(asked, tuple(disks))
        if since is not None and since not in self.checkpoints:
            names = ", ".join(self.checkpoints.names) or "none"
            problem = Problem("since", since, "is no checkpoint of the domain", names)
            raise SpecError(f"cannot {asked}:", (problem,))
        first = next(iter(chains.values())).top.path
        path = socket or posixpath.join(posixpath.dirname(first), f"{self.name}.nbd")
        scratch = {t: f"{chain.top.path}.scratch{PARTIAL}" for t, chain in chains.items()}
        spec = checked(
            BackupSpec,
            asked,
            mode="pull",
            since=since,
            checkpoint=checkpoint,
            socket=path,
            disks=tuple(BackupDiskSpec(target=t, path=file) for t, file in scratch.items()),
        )
        xml, checkpoint_xml = self._xmls(asked, spec, chains)
        begin = BeginPull(
            self.uuid,
            self.name,
            xml,
            checkpoint or "",
            checkpoint_xml,
            socket=path,
            scratch=tuple(scratch.values()),
        )
        begin.check(self.host)
        sizes = {t: int(jobs.block_info(self._link, self.uuid, t)[0]) for t in chains}
        return Plan(
            title=begin.title,
            host=self.host,
            actions=(begin,),
            result=lambda: PullBackup(self.host, begin, sizes, since or ""),
            python=f"{self.host.python}.domains[{self.name!r}]"
            + python_call("", "backup_pull", (), {"socket": socket, "since": since}),
            journal=self.host.journal,
        )

    @verb
    def abort_backup(self) -> Plan[None]:
        """End the backup that is under way, whoever began it."""
        return self.one_call(
            "abort the backup of domain",
            lambda link, _: domains.abort_job(link, self.uuid),
            virsh=("domjobabort", self.name),
            python=".abort_backup()",
        )
