"""Actions that run a block job; each is aborted, or told to be finished, when it was cut short."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import blockjob as jobs
from labvirt.connection import domain as domains
from labvirt.errors import ConflictError, HostError, LabvirtError, NotFoundError
from labvirt.host.keeping.blockjob_run import follower, live_document, running_job
from labvirt.host.storage.chain import chain_of, exists, remove_file, sharers
from labvirt.model.xml.devices import DiskXml
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.host.keeping.blockjob_run import Follower
    from labvirt.plan import Crash, JobControl

__all__ = ["BLOCK_ACTIONS", "BlockAction", "CommitDisk", "CopyDisk", "PullDisk", "disk_xml"]

_NOT_READY = 83  # VIR_ERR_BLOCK_COPY_ACTIVE
#: How long libvirt may take to hear that a job is ready, seconds.
_READY_S = 30.0


def disk_xml(path: str, form: str) -> str:
    """Return the <disk> that names the target of a copy."""
    is_block = path.startswith("/dev/")
    disk = DiskXml.new(type="block" if is_block else "file", driver_name="qemu", driver_type=form)
    disk.set(**{"source_dev" if is_block else "source_file": path})
    return disk.text()


@dataclass(frozen=True)
class BlockAction(Action["Host"]):
    """A block job of one disk.

    Attributes:
        uuid: UUID of the domain.
        name: its name.
        target: the disk.
        speed: most bytes per second, 0 for no limit.
        timeout_s: the job is aborted after this time.
        figures: seconds and bytes, once it is done.
    """

    uuid: str
    name: str
    target: str
    speed: int
    timeout_s: float
    figures: dict[str, float] = field(default_factory=dict, compare=False, repr=False, kw_only=True)

    def to_record(self) -> dict[str, Any]:
        """Return the fields without the figures, which are not known yet."""
        record = super().to_record()
        del record["figures"]
        return record

    def check(self, host: Host) -> None:
        """Refuse a second job on one disk, and a domain that does not run."""
        host.require_writable(self.title)
        if domains.read(host.connection, self.uuid).id is None:
            raise ConflictError(self.title, uri=host.label, libvirt_text="the domain does not run")
        job = jobs.info(host.connection, self.uuid, self.target)
        if job is not None:
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text=f"the disk has a block job already: {job}",
                hint=f"wait for it, or end it: abort_block_job({self.target!r})",
            )

    def _paths(self, host: Host) -> tuple[str, ...]:
        return chain_of(host, live_document(host, self.uuid), self.target).paths

    def _close(self, follow: Follower) -> None:
        self.figures.update(seconds=follow.seconds, done=float(follow.done))

    def _aborted(self, host: Host) -> bool:
        """Abort the job if there is one."""
        if running_job(host, self.uuid, self.target) is None:
            return False
        try:
            jobs.abort(host.connection, self.uuid, self.target)
        except LabvirtError:
            if running_job(host, self.uuid, self.target) is not None:
                raise
        return True

    def _pivot(self, host: Host, goal: str) -> None:
        """Go over to `goal`, the file that the disk shall lie on."""
        limit = time.monotonic() + _READY_S
        while self._paths(host)[:1] != (goal,):
            try:
                jobs.abort(host.connection, self.uuid, self.target, pivot=True)
            except LabvirtError as error:
                # The call may have been heard although its answer was lost.
                if self._paths(host)[:1] == (goal,):
                    break
                # The figures say it is ready a moment before QEMU's event says so to libvirt.
                is_early = isinstance(error, HostError) and error.code == _NOT_READY
                if not is_early or time.monotonic() >= limit:
                    raise
                time.sleep(0.05)
            else:
                break
        self._require(host, done=self._paths(host)[:1] == (goal,))

    def _require(self, host: Host, *, done: bool) -> None:
        if not done:
            raise HostError(
                self.title,
                uri=host.label,
                libvirt_text="the job is over, and the disk still lies on "
                + " -> ".join(self._paths(host)),
            )

    @property
    def _options(self) -> tuple[str, ...]:
        return ("--bandwidth", f"{self.speed}", "--bytes") if self.speed else ()


@dataclass(frozen=True)
class CommitDisk(BlockAction):
    """Write files of a chain into one below them."""

    kind: ClassVar[str] = "commit-disk"
    base: str
    top: str
    merged: tuple[str, ...]
    active: bool
    delete: bool = False

    @property
    def title(self) -> str:
        return f"commit {self.top} into {self.base} (disk {self.target} of domain {self.name})"

    @property
    def virsh(self) -> tuple[str, ...]:
        words = ["blockcommit", self.name, self.target, "--base", self.base, "--top", self.top]
        words += ["--active", "--pivot"] if self.active else ["--wait"]
        return (shlex.join([*words, *self._options, *("--delete",) * self.delete]),)

    @property
    def destroys(self) -> tuple[str, ...]:
        return tuple(f"the file {path}, once its data are below" for path in self.merged) * (
            self.delete
        )

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        with follower(host, self.uuid, self.target, self.title, self.timeout_s) as follow:
            jobs.commit(
                link,
                self.uuid,
                self.target,
                base=self.base,
                top=self.top,
                active=self.active,
                delete=self.delete,
                speed=self.speed,
            )
            if self.active:
                if follow.until("ready", control) == "ready":
                    self._pivot(host, self.base)
            else:
                follow.until("end", control)
            self._require(host, done=not set(self.merged) & set(self._paths(host)))
            self._close(follow)

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        aborted = self._aborted(host)
        paths = self._paths(host)
        if not set(self.merged) & set(paths):
            return f"it was finished: the disk lies on {paths[0]}"
        if aborted:
            return f"aborted: the disk lies on {paths[0]} as before, whole"
        return f"it had not been finished: the disk lies on {paths[0]} as before, whole"


@dataclass(frozen=True)
class PullDisk(BlockAction):
    """Read what lies below the active file into it."""

    kind: ClassVar[str] = "pull-disk"
    base: str
    pulled: tuple[str, ...]

    @property
    def title(self) -> str:
        above = f", down to {self.base}" if self.base else ""
        return f"pull the chain of disk {self.target} of domain {self.name} into one file{above}"

    @property
    def virsh(self) -> tuple[str, ...]:
        base = ("--base", self.base) if self.base else ()
        return (shlex.join(["blockpull", self.name, self.target, *base, *self._options, "--wait"]),)

    def do(self, host: Host, control: JobControl) -> None:
        with follower(host, self.uuid, self.target, self.title, self.timeout_s) as follow:
            jobs.pull(
                host.connection, self.uuid, self.target, base=self.base or None, speed=self.speed
            )
            follow.until("end", control)
            self._require(host, done=not set(self.pulled) & set(self._paths(host)))
            self._close(follow)

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        aborted = self._aborted(host)
        paths = self._paths(host)
        if not set(self.pulled) & set(paths):
            return f"it was finished: the disk lies on {' -> '.join(paths)}"
        said = "aborted" if aborted else "it had not been finished"
        return f"{said}: the disk lies on {' -> '.join(paths)} as before, whole"


@dataclass(frozen=True)
class CopyDisk(BlockAction):
    """Copy a disk elsewhere; go over to the copy, or keep it as it was at the end."""

    kind: ClassVar[str] = "copy-disk"
    path: str
    xml: str
    pivot: bool
    shallow: bool = False
    reuse: bool = False
    synchronous: bool = False
    overwrites: bool = False

    @property
    def title(self) -> str:
        what = "move" if self.pivot else "copy"
        return f"{what} disk {self.target} of domain {self.name} to {self.path}"

    @property
    def virsh(self) -> tuple[str, ...]:
        words = ["blockcopy", self.name, self.target, self.path, "--transient-job"]
        words += ["--shallow"] * self.shallow + ["--reuse-external"] * self.reuse
        words += ["--synchronous-writes"] * self.synchronous
        words += ["--pivot"] if self.pivot else ["--finish"]
        return (shlex.join([*words, *self._options]),)

    def check(self, host: Host) -> None:
        super().check(host)
        if not self.reuse and exists(host, self.path):
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text=f"{self.path} exists already",
                hint="another path; reuse=True, confirm=True writes over the file",
            )

    @property
    def destroys(self) -> tuple[str, ...]:
        return (f"what is in {self.path}",) if self.overwrites else ()

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        with follower(host, self.uuid, self.target, self.title, self.timeout_s) as follow:
            jobs.copy(
                link,
                self.uuid,
                self.target,
                self.xml,
                shallow=self.shallow,
                reuse=self.reuse,
                transient=domains.read(link, self.uuid).persistent,
                synchronous=self.synchronous,
                speed=self.speed,
            )
            told = follow.until("ready", control)
            if told != "ready":
                self._require(host, done=self.pivot and self._paths(host)[:1] == (self.path,))
            elif self.pivot:
                self._pivot(host, self.path)
                self._settle(host)
            else:
                self._aborted(host)
            self._close(follow)

    def _settle(self, host: Host) -> None:
        """Let the stored definition name the new file too, if libvirt has not seen to it."""
        link = host.connection
        if not domains.read(link, self.uuid).persistent:
            return
        stored = DomainXml.parse(domains.xml(link, self.uuid, inactive=True, secure=True))
        live = live_document(host, self.uuid).find_disk(self.target)
        try:
            disk = stored.find_disk(self.target)
        except LabvirtError:
            return  # it was plugged in for this run only
        if disk.source_path == self.path:
            return
        disk.type = live.type
        disk.driver_type = live.driver_type
        disk.source_pool = disk.source_volume = None
        disk.source_file, disk.source_dev = live.source_file, live.source_dev
        for below in disk.element.findall("backingStore"):
            disk.element.remove(below)
        domains.define(link, stored.text())

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        aborted = self._aborted(host)
        try:
            paths = self._paths(host)
        except NotFoundError:
            paths = ()  # a transient domain that has ended
        if self.path in paths:
            if self.pivot:
                self._settle(host)
            return f"it was finished: the disk lies on {self.path}"
        if crash is not None and crash.finished and not self.pivot:
            return f"it was finished: the copy is {self.path}"
        said = "aborted" if aborted else "it had not been finished"
        told = f"{said}: the disk lies on {' -> '.join(paths)} as before"
        return told + self._cleared(host)

    def _cleared(self, host: Host) -> str:
        """Remove the half copy, and tell what became of it."""
        if self.overwrites:
            return f"; {self.path} holds half a copy"
        if self.reuse:
            return ""  # whoever made the file removes it
        if sharers(host, [self.path]):
            return f"; {self.path} stays: somebody uses it by now"
        if not remove_file(host, self.path):
            return f"; {self.path} holds half a copy, and could not be removed"
        return ""


BLOCK_ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind for kind in (CommitDisk, PullDisk, CopyDisk)
}
