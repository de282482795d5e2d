"""Actions of backups: run one to its end, or take back all that a broken one has left."""

from __future__ import annotations

import json
import shlex
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import backup as calls
from labvirt.connection import blockjob as jobs
from labvirt.connection import checkpoint as checkpoints
from labvirt.connection import domain as domains
from labvirt.errors import (
    ConflictError,
    ConnectionLostError,
    HostError,
    LabvirtError,
    NotFoundError,
    WaitTimeoutError,
)
from labvirt.host.keeping.backup_files import PARTIAL, Backup, BackupImage, qemu_img
from labvirt.host.keeping.blockjob_run import has_ended, pause
from labvirt.model.units import Size
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl
    from labvirt.status import JobRecord

__all__ = ["BACKUP_ACTIONS", "BeginPull", "FillVolume", "PushBackup", "dirty_extents"]

#: A backup of which libvirt speaks and that QEMU does not work on for so long is lost.
_LOST_S = 3.0


def _job_under_way(host: Host, uuid: str) -> bool:
    """Tell whether a backup of a domain runs."""
    try:
        return calls.xml(host.connection, uuid) is not None
    except (ConflictError, NotFoundError):
        return False  # it is off


@dataclass(frozen=True)
class _BackupAction(Action["Host"]):
    """What both ways of a backup have.

    Attributes:
        uuid: UUID of the domain.
        domain: its name.
        xml: the backup.
        checkpoint: name of the checkpoint that is made with it; empty for none.
        checkpoint_xml: its XML; empty for none.
    """

    uuid: str
    domain: str
    xml: str
    checkpoint: str
    checkpoint_xml: str

    @property
    def virsh(self) -> tuple[str, ...]:
        words = ["backup-begin", self.domain, "backup.xml"]
        words += ["checkpoint.xml"] if self.checkpoint_xml else []
        return (shlex.join(words),)

    @property
    def diff(self) -> str:
        both = [self.xml, self.checkpoint_xml]
        return "\n".join(f"+{line}" for text in both for line in text.splitlines())

    def check(self, host: Host) -> None:
        host.require_writable(self.title)
        if domains.read(host.connection, self.uuid).id is None:
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text="the domain does not run, and only its QEMU can do it",
                hint="start it, or copy the images of a domain that is off",
            )
        if _job_under_way(host, self.uuid):
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text="a backup of it is under way already",
                hint="wait for it, or end it: domain.abort_backup()",
            )

    def _begin(self, host: Host) -> None:
        link = host.connection
        # What is kept of the last job is forgotten by reading it.
        domains.job(link, self.uuid, completed=True)
        try:
            calls.begin(link, self.uuid, self.xml, self.checkpoint_xml or None)
        except LabvirtError as error:
            text = getattr(error, "libvirt_text", "") or error.what
            hint = getattr(error, "hint", "")
            if "bitmap" in text:
                hint = (
                    "the record of changes is broken or missing, as after a crash of QEMU: make a "
                    "full backup, and delete the old checkpoints"
                )
            raise HostError(self.title, uri=host.label, libvirt_text=text, hint=hint) from error

    def _abort(self, host: Host) -> bool:
        """End the job if it runs, and forget its checkpoint."""
        running = _job_under_way(host, self.uuid)
        if running:
            with suppress(ConflictError):
                domains.abort_job(host.connection, self.uuid)
            deadline = time.monotonic() + 30
            while _job_under_way(host, self.uuid) and time.monotonic() < deadline:
                time.sleep(0.1)
        return running

    def _forget(self, host: Host) -> str:
        """Delete the checkpoint that was made with the backup."""
        link = host.connection
        if not self.checkpoint:
            return ""
        try:
            checkpoints.read(link, self.uuid, self.checkpoint)
        except NotFoundError:
            return ""
        try:
            checkpoints.delete(link, self.uuid, self.checkpoint)
        except LabvirtError:
            checkpoints.delete(link, self.uuid, self.checkpoint, metadata_only=True)
            return "; its checkpoint is forgotten, the next backup must be a full one"
        return ""


@dataclass(frozen=True)
class PushBackup(_BackupAction):
    """Let QEMU write a backup into files; they get their names when they are whole.

    Attributes:
        folder: where they go.
        name: name of the backup.
        since: name of the backup it is laid over; empty for a full one.
        below: the image of that backup, by disk: name and format.
        images: the disks: target, file, format, size.
        definition: the domain's stored XML, without secrets.
        when: when it was planned.
        timeout_s: aborted after that time.
    """

    kind: ClassVar[str] = "push-backup"
    folder: str
    name: str
    since: str
    below: dict[str, tuple[str, str]]
    images: tuple[tuple[str, str, str, int], ...]
    definition: str
    when: str
    timeout_s: float

    @property
    def title(self) -> str:
        level = f"changes since {self.since}" if self.since else "everything"
        return f"back up domain {self.domain} to {self.folder}/{self.name} ({level})"

    @property
    def result(self) -> Backup:
        """The backup, as its manifest says."""
        return Backup(
            folder=self.folder,
            name=self.name,
            domain=self.domain,
            uuid=self.uuid,
            when=self.when,
            since=self.since,
            checkpoint=self.checkpoint,
            images=tuple(BackupImage(*image) for image in self.images),
            xml=self.definition,
        )

    def _files(self) -> list[Path]:
        return [Path(self.folder) / file for _, file, _, _ in self.images]

    def check(self, host: Host) -> None:
        super().check(host)
        for path in (self.result.manifest, *self._files()):
            for one in (path, path.with_name(path.name + PARTIAL)):
                if one.exists():
                    raise ConflictError(
                        self.title, uri=host.label, libvirt_text=f"{one} exists already"
                    )

    def do(self, host: Host, control: JobControl) -> None:
        self._begin(host)
        self._follow(host, control)
        for target, file, _, _ in self.images:
            half = Path(self.folder) / (file + PARTIAL)
            if target in self.below:
                # Libvirt lays the changes over the live image; they belong on the last backup.
                name, form = self.below[target]
                qemu_img(
                    self.title, "rebase", "-u", "-f", "qcow2", "-b", name, "-F", form, str(half)
                )
            half.rename(half.with_name(file))
        self.result.write()

    def _follow(self, host: Host, control: JobControl) -> None:
        link = host.connection
        began = idle_since = time.monotonic()
        while True:
            control.check()
            try:
                record = domains.job(link, self.uuid)
                if record.kind == "none":
                    return self._ended(host)
            except ConnectionLostError as error:
                pause(host, error)
                continue
            except HostError:
                if has_ended(host, self.uuid):
                    return self._ended(host)
                raise
            raw: dict[str, Any] = dict(record.raw)
            done, total = int(raw.get("disk_processed", 0)), int(raw.get("disk_total", 0))
            spent = time.monotonic() - began
            if total or self._has_jobs(host):
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > _LOST_S:
                raise HostError(
                    self.title,
                    uri=host.label,
                    libvirt_text="libvirtd was restarted meanwhile, and nobody knows how it ended: "
                    "it still speaks of a backup, and QEMU has none",
                    hint="make the backup again",
                )
            rate = done / max(spent, 0.001) / 2**20
            control.report(
                f"{self.title}: {Size(done)} of {Size(total)}, {rate:.1f} MiB/s",
                fraction=done / total if total else None,
            )
            if spent > self.timeout_s:
                raise WaitTimeoutError(
                    self.title,
                    timeout_s=self.timeout_s,
                    last_seen=f"{Size(done)} of {Size(total)}",
                    likely_cause="the storage is slow",
                    hint="a longer timeout_s",
                )
            control.sleep(0.05 if spent < 1 else 0.3)

    def _ended(self, host: Host) -> None:
        record = None if has_ended(host, self.uuid, 0.0) else self._last_job(host)
        if record is None:
            raise HostError(
                self.title,
                uri=host.label,
                libvirt_text="the domain's QEMU ended in the middle of it",
                hint="start the domain, and make a full backup",
            )
        if record.operation == "backup" and record.kind == "completed":
            return
        why = str(record.raw.get("errmsg", "")) or (
            "libvirtd was restarted meanwhile, and nobody knows how it ended"
            if record.kind == "none"
            else record.kind
        )
        raise HostError(self.title, uri=host.label, libvirt_text=why, hint="make the backup again")

    def _has_jobs(self, host: Host) -> bool:
        """Tell whether QEMU works on any of the disks."""
        try:
            return any(jobs.info(host.connection, self.uuid, t) for t, *_ in self.images)
        except HostError:
            return True  # the next look tells what is the matter

    def _last_job(self, host: Host) -> JobRecord | None:
        """Return how the job went; None when QEMU died of it."""
        try:
            record = domains.job(host.connection, self.uuid, completed=True)
        except ConnectionLostError:
            raise
        except HostError:
            if has_ended(host, self.uuid):
                return None
            raise
        # A QEMU that dies breaks its backup off first.
        if record.kind != "completed" and has_ended(host, self.uuid, 1.0):
            return None
        return record

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        if self.result.manifest.exists():
            return "it was finished: the backup is whole"
        aborted = self._abort(host)
        told = self._forget(host)
        left = []
        for path in self._files():
            for one in (path, path.with_name(path.name + PARTIAL)):
                try:
                    one.unlink(missing_ok=True)
                except OSError:
                    left.append(str(one))
        half = self.result.manifest
        half.with_name(half.name + PARTIAL).unlink(missing_ok=True)
        said = "aborted" if aborted else "it had not been finished"
        tail = f"; half written, not removed: {', '.join(left)}" if left else "; no file is left"
        return f"{said}{told}{tail}"


@dataclass(frozen=True)
class BeginPull(_BackupAction):
    """Let QEMU serve a moment of the disks through NBD until it is told to stop."""

    kind: ClassVar[str] = "begin-pull"
    socket: str
    scratch: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"serve a backup of domain {self.domain} at {self.socket}"

    def check(self, host: Host) -> None:
        super().check(host)
        for path in (self.socket, *self.scratch):
            if host.is_local and Path(path).exists():
                raise ConflictError(
                    self.title, uri=host.label, libvirt_text=f"{path} exists already"
                )

    def do(self, host: Host, control: JobControl) -> None:
        self._begin(host)

    def end(self, host: Host, *, keep: bool) -> None:
        """Stop serving; what QEMU noted meanwhile is kept or forgotten."""
        self._abort(host)
        if not keep:
            self._forget(host)

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        aborted = self._abort(host)
        told = self._forget(host)
        return f"{'ended' if aborted else 'it was not running'}{told}"


@dataclass(frozen=True)
class FillVolume(Action["Host"]):
    """Write the images of a backup, laid over each other, into a new volume."""

    kind: ClassVar[str] = "fill-volume"
    source: str
    path: str
    what: str

    @property
    def title(self) -> str:
        return f"write {self.what} to {self.path}"

    def do(self, host: Host, control: JobControl) -> None:
        words = ("convert", "-p", "-n", "-O", "qcow2", self.source, self.path)
        qemu_img(self.title, *words, control=control)


def dirty_extents(asked: str, source: str) -> tuple[tuple[int, int], ...]:
    """Return offset and length of what a bitmap of an NBD export marks as changed."""
    told = json.loads(qemu_img(asked, "map", "--output=json", "--image-opts", source))
    found: list[tuple[int, int]] = []
    for piece in told:
        # With x-dirty-bitmap QEMU shows changed blocks as those without data.
        if piece["data"]:
            continue
        start, length = int(piece["start"]), int(piece["length"])
        if found and sum(found[-1]) == start:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((start, length))
    return tuple(found)


BACKUP_ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind for kind in (PushBackup, BeginPull, FillVolume)
}
