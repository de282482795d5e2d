"""Actions on the files of a domain's disks: copy while it is off, name another file, delete."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import domain as domains
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError, NotFoundError
from labvirt.host.shell import fed
from labvirt.host.storage.chain import remove_file, sharers, volume_at
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["DISK_ACTIONS", "CloneVolume", "DeleteFile", "MakeVolume", "NameFiles", "renamed"]


@dataclass(frozen=True)
class MakeVolume(Action["Host"]):
    """Make the volume that gets a disk's data; it goes again unless a domain lies on it by then."""

    kind: ClassVar[str] = "make-volume"
    pool: str
    name: str
    path: str
    size: int
    xml: str

    @property
    def title(self) -> str:
        return f"make volume {self.name} ({Size(self.size)}) in pool {self.pool}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (fed(shlex.join(["vol-create", self.pool]), self.xml),)

    @property
    def diff(self) -> str:
        return "\n".join(f"+{line}" for line in self.xml.splitlines())

    def check(self, host: Host) -> None:
        host.require_writable(self.title)
        if volume_at(host, self.path) is not None:
            raise ConflictError(
                self.title, uri=host.label, libvirt_text=f"{self.path} exists already"
            )

    def do(self, host: Host, control: JobControl) -> None:
        volumes.create(host.connection, pools.find(host.connection, self.pool), self.xml)

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        link = host.connection
        pool = pools.find(link, self.pool)
        try:
            volumes.read(link, pool, self.name)
        except NotFoundError:
            return None
        users = sharers(host, [self.path]).get(self.path)
        if users:
            return f"it stays: {', '.join(users)} lies on it now"
        volumes.delete(link, pool, self.name)
        return None


@dataclass(frozen=True)
class CloneVolume(MakeVolume):
    """Make a volume with the data of another one."""

    kind: ClassVar[str] = "clone-volume"
    source: str = ""
    figures: dict[str, float] = field(default_factory=dict, compare=False, repr=False)

    def to_record(self) -> dict[str, Any]:
        """Return the fields without the figures, which are not known yet."""
        record = super().to_record()
        del record["figures"]
        return record

    @property
    def title(self) -> str:
        return f"copy {self.source} to volume {self.name} in pool {self.pool}"

    @property
    def virsh(self) -> tuple[str, ...]:
        words = ["vol-create-from", "--vol", self.source, "--pool", self.pool, "--file"]
        return (fed(shlex.join(words), self.xml),)

    def do(self, host: Host, control: JobControl) -> None:
        link = host.connection
        record = volume_at(host, self.source)
        if record is None:
            raise NotFoundError(
                self.title, uri=host.label, libvirt_text=f"no active pool has {self.source}"
            )
        control.report(self.title)
        began = time.monotonic()
        volumes.clone(
            link,
            pools.find(link, self.pool),
            self.xml,
            (pools.find(link, record.pool), record.name),
        )
        self.figures.update(seconds=time.monotonic() - began, done=float(self.size))


def renamed(xml: str, files: dict[str, tuple[str, str]]) -> str:
    """Return a domain's XML with other files.

    Args:
        xml: the definition.
        files: path and format of the new file, by disk.
    """
    document = DomainXml.parse(xml)
    for target, (path, form) in files.items():
        disk = document.find_disk(target)
        disk.source_pool = disk.source_volume = None
        disk.source_dev = None
        disk.type = "file"
        disk.driver_type = form
        disk.source_file = path
        for below in disk.element.findall("backingStore"):
            disk.element.remove(below)
    return document.text()


@dataclass(frozen=True)
class NameFiles(Action["Host"]):
    """Let the stored definition of a domain that is off name other files.

    Attributes:
        uuid: UUID of the domain.
        name: its name.
        before: path and format of each file as it is, by disk.
        after: as it shall be.
    """

    kind: ClassVar[str] = "name-files"
    uuid: str
    name: str
    before: dict[str, tuple[str, str]]
    after: dict[str, tuple[str, str]]

    @property
    def title(self) -> str:
        what = ", ".join(f"{target} lies on {path}" for target, (path, _) in self.after.items())
        return f"let the definition of domain {self.name} say that {what}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["edit", self.name]),)

    @property
    def diff(self) -> str:
        lines = []
        for target, (path, form) in self.after.items():
            old, old_form = self.before[target]
            lines += [f"-{target}: {old} ({old_form})", f"+{target}: {path} ({form})"]
        return "\n".join(lines)

    def check(self, host: Host) -> None:
        host.require_writable(self.title)
        if domains.read(host.connection, self.uuid).id is not None:
            raise ConflictError(self.title, uri=host.label, libvirt_text="the domain runs")

    def do(self, host: Host, control: JobControl) -> None:
        self._write(host, self.after)

    def _write(self, host: Host, files: dict[str, tuple[str, str]]) -> None:
        link = host.connection
        xml = domains.xml(link, self.uuid, inactive=True, secure=True)
        domains.define(link, renamed(xml, files))

    def undo(self, host: Host, crash: Crash | None = None) -> str | None:
        try:
            now = DomainXml.parse(domains.xml(host.connection, self.uuid, inactive=True))
        except NotFoundError:
            return None
        mine = {
            target: tuple(self.before[target])
            for target, (path, _) in self.after.items()
            if now.find_disk(target).source_path == path
        }
        if mine:
            self._write(host, {target: (path, form) for target, (path, form) in mine.items()})
        return None


@dataclass(frozen=True)
class DeleteFile(Action["Host"]):
    """Delete a file that nobody uses any more; the last step of a plan."""

    kind: ClassVar[str] = "delete-file"
    path: str
    why: str

    @property
    def title(self) -> str:
        return f"delete {self.path}"

    @property
    def virsh(self) -> tuple[str, ...]:
        return (shlex.join(["vol-delete", self.path]),)

    @property
    def destroys(self) -> tuple[str, ...]:
        return (f"{self.path} ({self.why})",)

    def do(self, host: Host, control: JobControl) -> None:
        users = sharers(host, [self.path]).get(self.path)
        if users:
            raise ConflictError(
                self.title, uri=host.label, libvirt_text=f"{', '.join(users)} uses it"
            )
        if not remove_file(host, self.path):
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text="it is in no active pool, and cannot be removed from here",
            )


DISK_ACTIONS: dict[str, type[Action[Any]]] = {
    kind.kind: kind for kind in (MakeVolume, CloneVolume, NameFiles, DeleteFile)
}
