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
from labvirt.host.chain import remove_file, sharers
from labvirt.host.disk_actions import renamed
from labvirt.host.shell import fed
from labvirt.model.xml.snapshot import SnapshotXml
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl
    from labvirt.status import SnapshotRecord

__all__ = [
    "SNAPSHOT_ACTIONS",
    "DeleteSnapshot",
    "DescribeSnapshot",
    "FreezeGuest",
    "MakeSnapshot",
    "PointSnapshot",
    "RedefineSnapshots",
    "RestoreMemory",
    "ThawGuest",
]

#: A snapshot that is younger than this after its action began may be that action's own.
_BIRTH_LIMIT = dt.timedelta(seconds=60)


def _found(host: Host, uuid: str, name: str) -> SnapshotRecord | None:
    try:
        return snapshots.read(host.connection, uuid, name)
    except NotFoundError:
        return None


@dataclass(frozen=True)
class _OnSnapshot(Action["Host"]):
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
class MakeSnapshot(_OnSnapshot):
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

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        record = _found(host, self.uuid, self.snapshot)
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
class DeleteSnapshot(_OnSnapshot):
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
        if _found(host, self.uuid, self.snapshot) is None:
            return "it was finished: the snapshot is gone"
        return "it had not been finished: the snapshot is there, the disks are whole"


@dataclass(frozen=True)
class DescribeSnapshot(_OnSnapshot):
    """Write another description of a snapshot."""

    kind: ClassVar[str] = "describe-snapshot"
    before: str
    after: str

    @property
    def title(self) -> str:
        return f"describe snapshot {self.snapshot} of domain {self.domain}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["snapshot-edit", self.domain, self.snapshot]),)

    @property
    def diff(self) -> str:
        return "\n".join([f"-{self.before}"] * bool(self.before) + [f"+{self.after}"])

    def _write(self, host: Host, text: str) -> None:
        record = snapshots.read(host.connection, self.uuid, self.snapshot)
        xml = snapshots.xml(host.connection, self.uuid, self.snapshot, secure=True)
        document = SnapshotXml.parse(xml)
        document.description = text or None
        snapshots.redefine(
            host.connection, self.uuid, document.text(), current=record.is_current, validate=False
        )

    def do(self, host: Host, control: JobControl) -> None:
        self._write(host, self.after)

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        if _found(host, self.uuid, self.snapshot) is not None:
            self._write(host, self.before)
        return None


@dataclass(frozen=True)
class PointSnapshot(_OnSnapshot):
    """Say that the domain goes on from a snapshot, in other overlays of it.

    Attributes:
        current: the snapshot that it went on from before; empty for none.
        before: the overlays before, by disk.
        after: the overlays from now on; empty to leave them.
    """

    kind: ClassVar[str] = "point-snapshot"
    current: str
    before: dict[str, str]
    after: dict[str, str]

    @property
    def title(self) -> str:
        return f"make snapshot {self.snapshot} the current one of domain {self.domain}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["snapshot-current", self.domain, self.snapshot]),)

    def _write(self, host: Host, name: str, files: dict[str, str], *, current: bool) -> None:
        link = host.connection
        document = SnapshotXml.parse(snapshots.xml(link, self.uuid, name, secure=True))
        for disk in document.disks:
            if disk.name in files:
                disk.source_file = files[disk.name]
        snapshots.redefine(link, self.uuid, document.text(), current=current, validate=False)

    def do(self, host: Host, control: JobControl) -> None:
        self._write(host, self.snapshot, self.after, current=True)

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        if _found(host, self.uuid, self.snapshot) is None:
            return None
        self._write(host, self.snapshot, self.before, current=not self.current)
        if self.current and _found(host, self.uuid, self.current) is not None:
            self._write(host, self.current, {}, current=True)
        return None


@dataclass(frozen=True)
class RestoreMemory(_OnSnapshot):
    """Start the domain from the memory of an external snapshot, on other files."""

    kind: ClassVar[str] = "restore-memory"
    path: str
    files: dict[str, tuple[str, str]]
    paused: bool = False

    @property
    def title(self) -> str:
        return f"restore the memory of snapshot {self.snapshot} into domain {self.domain}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["restore", self.path, "--xml", f"{self.snapshot}.xml"]),)

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        xml = domains.save_image_xml(link, self.path, secure=True)
        domains.restore(link, self.path, xml=renamed(xml, self.files), paused=self.paused or None)

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        record = domains.read(host.connection, self.uuid)
        if record.id is not None:
            domains.destroy(host.connection, self.uuid)
        return None


@dataclass(frozen=True)
class RedefineSnapshots(Action["Host"]):
    """Give libvirt the descriptions of snapshots whose data exist."""

    kind: ClassVar[str] = "redefine-snapshots"
    uuid: str
    domain: str
    names: tuple[str, ...]
    xmls: tuple[str, ...]
    current: str = ""

    def to_record(self) -> dict[str, Any]:
        """Return the names only: the definitions inside may hold passwords."""
        return {**super().to_record(), "xmls": []}

    @property
    def title(self) -> str:
        return f"take over the snapshots {', '.join(self.names)} of domain {self.domain}"

    @property
    def virsh(self) -> tuple[str, ...]:
        words = ["snapshot-create", self.domain, "--redefine", "--xmlfile"]
        return tuple(shlex.join([*words, f"{name}.xml"]) for name in self.names)

    def check(self, host: Host) -> None:
        host.require_writable(self.title)
        known = {record.name for record in snapshots.list_all(host.connection, self.uuid)}
        if known & set(self.names):
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text=f"it has {', '.join(sorted(known & set(self.names)))} already",
            )

    def do(self, host: Host, control: JobControl) -> None:
        for name, xml in zip(self.names, self.xmls, strict=True):
            try:
                snapshots.redefine(
                    host.connection, self.uuid, xml, current=name == self.current, validate=False
                )
            except ConflictError as error:
                raise HostError(
                    self.title, uri=host.label, libvirt_text=error.libvirt_text
                ) from error

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        for name in reversed(self.names):
            if _found(host, self.uuid, name) is not None:
                snapshots.delete(host.connection, self.uuid, name, metadata_only=True)
        return None


SNAPSHOT_ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind
    for kind in (
        FreezeGuest,
        ThawGuest,
        MakeSnapshot,
        DeleteSnapshot,
        DescribeSnapshot,
        PointSnapshot,
        RestoreMemory,
        RedefineSnapshots,
    )
}
