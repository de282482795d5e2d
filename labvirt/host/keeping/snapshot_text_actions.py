"""Actions on what libvirt knows of snapshots, and on the memory that lies beside external ones."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import domain as domains
from labvirt.connection import snapshot as snapshots
from labvirt.errors import ConflictError, HostError
from labvirt.host.keeping.snapshot_actions import OnSnapshot, found
from labvirt.host.storage.disk_actions import renamed
from labvirt.model.xml.snapshot import SnapshotXml
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = [
    "SNAPSHOT_TEXT_ACTIONS",
    "DescribeSnapshot",
    "PointSnapshot",
    "RedefineSnapshots",
    "RestoreMemory",
]


@dataclass(frozen=True)
class DescribeSnapshot(OnSnapshot):
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
        if found(host, self.uuid, self.snapshot) is not None:
            self._write(host, self.before)
        return None


@dataclass(frozen=True)
class PointSnapshot(OnSnapshot):
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
        if found(host, self.uuid, self.snapshot) is None:
            return None
        self._write(host, self.snapshot, self.before, current=not self.current)
        if self.current and found(host, self.uuid, self.current) is not None:
            self._write(host, self.current, {}, current=True)
        return None


@dataclass(frozen=True)
class RestoreMemory(OnSnapshot):
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
            if found(host, self.uuid, name) is not None:
                snapshots.delete(host.connection, self.uuid, name, metadata_only=True)
        return None


SNAPSHOT_TEXT_ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind for kind in (DescribeSnapshot, PointSnapshot, RestoreMemory, RedefineSnapshots)
}
