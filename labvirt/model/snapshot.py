"""A snapshot that is asked for."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, Prose, SafeName
from labvirt.model.spec import Spec
from labvirt.model.xml.snapshot import SnapshotDiskXml, SnapshotXml

__all__ = ["DiskTarget", "SnapshotDiskSpec", "SnapshotSpec", "overlay_path"]

DiskTarget = Annotated[str, Field(pattern=r"^[a-z]{2,3}[a-z]+$", examples=["vda"])]
"""The name of a disk in its domain."""


class SnapshotDiskSpec(Spec):
    """One disk that takes part in another way than the rest."""

    target: DiskTarget = Field(description="the disk", examples=["vda"])
    state: Literal["internal", "external", "no"] = Field(
        description="in the image itself, in a new overlay file, or not at all"
    )
    path: AbsolutePath | None = Field(None, description="the overlay file that is made, external")
    format: Literal["qcow2"] = Field("qcow2", description="format of the overlay")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.path is not None and self.state != "external":
            why = "only an external snapshot makes a file"
            raise SpecError("SnapshotDiskSpec", (Problem("path", self.path, why),))
        return self


class SnapshotSpec(Spec):
    """A snapshot of a domain: of its disks, and of its memory when it runs."""

    name: SafeName = Field(description="name, unique in the domain", examples=["before-upgrade"])
    description: Prose | None = Field(None, description="any text")
    disks: Literal["internal", "external"] = Field(
        "internal",
        description="internal: in the qcow2 images themselves; external: images are left alone, "
        "and the domain goes on in new overlay files",
    )
    memory: Literal["auto", "internal", "external", "none"] = Field(
        "auto",
        description="where the memory of a running domain is kept; auto: beside internal disks, "
        "and nowhere with external ones",
    )
    memory_file: AbsolutePath | None = Field(None, description="file for the memory, external")
    quiesce: bool = Field(
        default=False, description="freeze the guest's file systems meanwhile, through its agent"
    )
    each: tuple[SnapshotDiskSpec, ...] = Field(
        (), description="disks that differ: left out, or with a place for their overlay"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        mixed = "internal and external parts cannot be mixed: such a snapshot cannot be reverted"
        if self.memory in ("internal", "external") and self.memory != self.disks:
            problems.append(Problem("memory", self.memory, mixed, f"{self.disks}, or none"))
        if self.memory_file is not None and self.memory != "external":
            hint = "memory='external'"
            problems.append(Problem("memory_file", self.memory_file, "has no use here", hint))
        if self.memory == "external" and self.memory_file is None:
            problems.append(Problem("memory_file", "", "is missing", "an absolute path"))
        if self.quiesce and (self.disks != "external" or self.memory not in ("auto", "none")):
            why = "only disks without memory need it: with memory the snapshot is consistent"
            problems.append(Problem("quiesce", "True", why, "disks='external', memory='none'"))
        seen: set[str] = set()
        for number, disk in enumerate(self.each):
            if disk.target in seen:
                problems.append(Problem(f"each[{number}].target", disk.target, "is there twice"))
            seen.add(disk.target)
            if disk.state not in ("no", self.disks):
                problems.append(Problem(f"each[{number}].state", disk.state, mixed, self.disks))
        if problems:
            raise SpecError("SnapshotSpec", problems)
        return self

    @property
    def is_disk_only(self) -> bool:
        """Whether no memory is kept, also of a domain that runs."""
        return self.memory == "none" or (self.memory == "auto" and self.disks == "external")

    def filled(self, files: dict[str, str], left_out: tuple[str, ...] = ()) -> SnapshotSpec:
        """Return the snapshot with every disk named.

        Args:
            files: the image of each disk that can take part, by target.
            left_out: disks that cannot: drives, read-only ones.

        Raises:
            SpecError: a disk is named that the domain does not have.
        """
        known = {disk.target: disk for disk in self.each}
        for number, disk in enumerate(self.each):
            if disk.target not in files and disk.target not in left_out:
                names = ", ".join((*files, *left_out))
                problem = Problem(f"each[{number}].target", disk.target, "no such disk", names)
                raise SpecError(f"snapshot {self.name} cannot be made:", (problem,))
        every = []
        for target, path in files.items():
            disk = known.get(target) or SnapshotDiskSpec(target=target, state=self.disks)
            if disk.state == "external" and disk.path is None:
                disk = disk.replace(path=overlay_path(path, self.name))
            every.append(disk)
        every += [SnapshotDiskSpec(target=target, state="no") for target in left_out]
        return self.replace(each=tuple(every))

    def to_xml(self, *, memory: str = "no") -> str:
        """Return the XML; see https://libvirt.org/formatsnapshot.html.

        Args:
            memory: what becomes of memory here: ``no``, ``internal`` or ``external``.
        """
        snapshot = SnapshotXml.new(name=self.name, description=self.description or None)
        snapshot.memory = memory
        if memory == "external":
            snapshot.memory_file = self.memory_file
        for disk in self.each:
            item = SnapshotDiskXml.new(name=disk.target, snapshot=disk.state)
            if disk.state == "external":
                item.set(type="file", driver_type=disk.format, source_file=disk.path)
            snapshot.disks.append(item)
        return snapshot.text()


def overlay_path(path: str, name: str) -> str:
    """Return where the overlay of a snapshot goes: beside the image, with the snapshot's name."""
    stem = re.sub(r"\.(qcow2|raw|img)$", "", path)
    return f"{stem}.{name}.qcow2"
