"""A backup that is asked for: pushed by QEMU into files, or pulled from it through NBD."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, SafeName
from labvirt.model.snapshot import DiskTarget
from labvirt.model.spec import Spec
from labvirt.model.xml.snapshot import BackupDiskXml, BackupXml

__all__ = ["BackupDiskSpec", "BackupSpec"]


class BackupDiskSpec(Spec):
    """One disk of a backup."""

    target: DiskTarget = Field(description="the disk", examples=["vda"])
    path: AbsolutePath = Field(description="file that is written (push), or scratch file (pull)")
    format: Literal["qcow2", "raw"] = Field("qcow2", description="format of the file")


class BackupSpec(Spec):
    """A backup job of a running domain."""

    mode: Literal["push", "pull"] = Field("push", description="who moves the data")
    since: SafeName | None = Field(
        None, description="checkpoint since which changes are saved; everything when left out"
    )
    checkpoint: SafeName | None = Field(
        None, description="checkpoint that is made at the same moment, for the next backup"
    )
    disks: tuple[BackupDiskSpec, ...] = Field(description="the disks", min_length=1)
    socket: AbsolutePath | None = Field(
        None, description="socket on which the data are served, pull", max_length=107
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if (self.mode == "pull") != (self.socket is not None):
            why = "is missing" if self.mode == "pull" else "is for mode='pull' only"
            problems.append(Problem("socket", self.socket or "", why, "/run/backup.sock"))
        seen: set[str] = set()
        for number, disk in enumerate(self.disks):
            if disk.target in seen:
                problems.append(Problem(f"disks[{number}].target", disk.target, "is there twice"))
            seen.add(disk.target)
            if disk.format == "raw" and (self.since or self.mode == "pull"):
                why = "an incremental backup knows which blocks it has only in qcow2"
                problems.append(Problem(f"disks[{number}].format", "raw", why, "qcow2"))
        paths = [disk.path for disk in self.disks]
        if len(set(paths)) < len(paths):
            problems.append(Problem("disks", "", "two disks go to one file"))
        if self.since is not None and self.since == self.checkpoint:
            problems.append(Problem("checkpoint", self.checkpoint, "is the one of `since`"))
        if problems:
            raise SpecError("BackupSpec", problems)
        return self

    def to_xml(self, others: tuple[str, ...] = ()) -> str:
        """Return the XML; see https://libvirt.org/formatbackup.html.

        Args:
            others: disks of the domain that are not backed up.
        """
        backup = BackupXml.new(mode=self.mode, incremental=self.since)
        if self.socket is not None:
            backup.set(server_transport="unix", server_socket=self.socket)
        for disk in self.disks:
            item = BackupDiskXml.new(name=disk.target, backup=True, type="file")
            item.set(driver_type=disk.format)
            if self.mode == "push":
                item.set(target_file=disk.path)
            else:
                item.set(scratch_file=disk.path)
            if self.mode == "pull" and self.since is not None:
                item.set(export_bitmap=f"backup-{disk.target}")
            backup.disks.append(item)
        for target in others:
            backup.disks.append(BackupDiskXml.new(name=target, backup=False))
        return backup.text()
