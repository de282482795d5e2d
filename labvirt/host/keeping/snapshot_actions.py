"""Actions that make, change and delete snapshots, and freeze the guest meanwhile."""

from __future__ import annotations

import datetime as dt
import shlex
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import blockjob as jobs
from labvirt.connection import domain as domains
from labvirt.connection import snapshot as snapshots
from labvirt.errors import ConflictError, HostError, LabvirtError, NotFoundError
from labvirt.host.shell import fed
from labvirt.host.storage.chain import remove_file, sharers
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl
    from labvirt.status import SnapshotRecord

__all__ = [
    "SNAPSHOT_ACTIONS",
    "DeleteSnapshot",
    "FreezeGuest",
    "MakeSnapshot",
    "OnSnapshot",
    "ThawGuest",
    "found",
]

#: A snapshot that is younger than this after its action began may be that action's own.
_BIRTH_LIMIT = dt.timedelta(seconds=60)


def found(host: Host, uuid: str, name: str) -> SnapshotRecord | None:
    """Return a snapshot, None when there is none of that name."""
    try:
        return snapshots.read(host.connection, uuid, name)
    except NotFoundError:
        return None


@dataclass(frozen=True)
class OnSnapshot(Action["Host"]):
    """An action on one snapshot of one domain."""

    uuid: str
    domain: str
    snapshot: str

    def check(self, host: Host) -> None:
        host.require_writable(self.title)


@dataclass(frozen=True)
class FreezeGuest(Action["Host"]):
    """Freeze the guest's file systems; they are thawed whatever comes after."""

    kind: ClassVar[str] = "freeze-guest"
    uuid: str
    domain: str

    @property
    def title(self) -> str:
        return f"freeze the file systems in domain {self.domain}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["domfsfreeze", self.domain]),)

    def check(self, host: Host) -> None:
        asked = {"execute": "guest-fsfreeze-status"}
        try:
            told = domains.agent(host.connection, self.uuid, asked, 5.0)["return"]
        except LabvirtError as error:
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text=f"its guest agent does not answer: {error.what}",
                hint="start qemu-guest-agent in the guest, or leave quiesce=True out: the snapshot "
                "is then like the disk after a power cut",
            ) from error
        if told != "thawed":
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text="somebody else has frozen them already",
                hint="virsh domfsthaw, if nobody needs that any more",
            )

    def do(self, host: Host, control: JobControl) -> None:
        try:
            snapshots.freeze(host.connection, self.uuid)
        except LabvirtError as error:
            # Some may be frozen already: the agent freezes one after the other.
            told = self.undo(host)
            raise HostError(
                self.title,
                uri=host.label,
                libvirt_text=f"{error.what}; {told or 'they are thawed'}",
                hint="see the log of the agent in the guest; without quiesce=True nothing is frozen",
            ) from error

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        try:
            snapshots.thaw(host.connection, self.uuid)
        except LabvirtError as error:
            try:
                if domains.read(host.connection, self.uuid).id is None:
                    return None
            except NotFoundError:
                return None
            return f"thawing failed, and it may still be frozen: {error.what}"
        return None


@dataclass(frozen=True)
class ThawGuest(FreezeGuest):
    """Thaw the guest's file systems."""

    kind: ClassVar[str] = "thaw-guest"

    @property
    def title(self) -> str:
        return f"thaw the file systems in domain {self.domain}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["domfsthaw", self.domain]),)

    def check(self, host: Host) -> None:
        return

    def do(self, host: Host, control: JobControl) -> None:
        snapshots.thaw(host.connection, self.uuid)


@dataclass(frozen=True)
class MakeSnapshot(OnSnapshot):
    """Make a snapshot; taking it back deletes it, which merges what was written since."""

    kind: ClassVar[str] = "make-snapshot"
    xml: str
    disk_only: bool
    live: bool
    files: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"make snapshot {self.snapshot} of domain {self.domain}"

    @property
    def virsh(self) -> tuple[str, ...]:
        words = ["snapshot-create", self.domain]
        words += ["--disk-only", "--atomic"] * self.disk_only + ["--live"] * self.live
        return (fed(shlex.join(words) + " --xmlfile", self.xml),)

    @property
    def diff(self) -> str:
        return "\n".join(f"+{line}" for line in self.xml.splitlines())

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        control.on_cancel(lambda: domains.abort_job(link, self.uuid))
        snapshots.create(link, self.uuid, self.xml, disk_only=self.disk_only, live=self.live)
        host.mark("snapshot", self.uuid, f"{self.domain}: snapshot {self.snapshot}")

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        record = found(host, self.uuid, self.snapshot)
        if record is None:
            used = sharers(host, self.files)
            left = [p for p in self.files if p not in used and not remove_file(host, p)]
            return f"{', '.join(left)} may be left over" if left else None
        if crash is not None and crash.finished:
            return "it was finished: the snapshot stays"
        if crash is not None and record.created > crash.begun + _BIRTH_LIMIT:
            return "the snapshot of that name was made later, by somebody else: it stays"
        snapshots.delete(host.connection, self.uuid, self.snapshot)
        if record.memory_file:
            remove_file(host, record.memory_file)
        return None


@contextmanager
def _progress(host: Host, uuid: str, targets: Sequence[str], control: JobControl) -> Iterator[None]:
    """Tell how far the block jobs are that libvirt runs inside one call."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.3):
            for target in targets:
                try:
                    job = jobs.info(host.connection, uuid, target)
                except LabvirtError:
                    continue
                if job is not None:
                    control.report(str(job), fraction=job.fraction)

    thread = threading.Thread(target=look, name="labvirt-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)


@dataclass(frozen=True)
class DeleteSnapshot(OnSnapshot):
    """Delete a snapshot; what is merged cannot be taken back."""

    kind: ClassVar[str] = "delete-snapshot"
    targets: tuple[str, ...] = ()
    children: bool = False
    children_only: bool = False
    metadata_only: bool = False
    loses: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        what = "forget" if self.metadata_only else "delete"
        whom = "what grew from" if self.children_only else ""
        tail = " and what grew from it" if self.children else ""
        return " ".join(f"{what} {whom} snapshot {self.snapshot} of {self.domain}{tail}".split())

    @property
    def virsh(self) -> tuple[str, ...]:
        words = ["snapshot-delete", self.domain, self.snapshot]
        words += ["--children"] * self.children + ["--children-only"] * self.children_only
        return (shlex.join(words + ["--metadata"] * self.metadata_only),)

    @property
    def destroys(self) -> tuple[str, ...]:
        return tuple(self.loses)

    def do(self, host: Host, control: JobControl) -> None:
        with _progress(host, self.uuid, self.targets, control):
            try:
                snapshots.delete(
                    host.connection,
                    self.uuid,
                    self.snapshot,
                    children=self.children,
                    children_only=self.children_only,
                    metadata_only=self.metadata_only,
                )
            except ConflictError as error:
                raise HostError(
                    self.title, uri=host.label, code=error.code, libvirt_text=error.libvirt_text
                ) from error

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        for target in self.targets:
            try:
                job = jobs.info(host.connection, self.uuid, target)
            except LabvirtError:
                continue
            if job is not None:
                return f"libvirt goes on with it: {job}"
        if found(host, self.uuid, self.snapshot) is None:
            return "it was finished: the snapshot is gone"
        return "it had not been finished: the snapshot is there, the disks are whole"


SNAPSHOT_ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind
    for kind in (
        FreezeGuest,
        ThawGuest,
        MakeSnapshot,
        DeleteSnapshot,
    )
}
