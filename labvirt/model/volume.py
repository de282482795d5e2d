"""A volume that is asked for."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, ObjectName
from labvirt.model.source import DiskFormat
from labvirt.model.spec import Spec
from labvirt.model.units import Size
from labvirt.model.xml.volume import VolumeXml

__all__ = ["VolumeSpec"]


class VolumeSpec(Spec):
    """A volume of a pool."""

    name: ObjectName = Field(description="name, unique in the pool", examples=["web1.qcow2"])
    capacity: Size | None = Field(
        None,
        gt=0,
        description="size the guest sees; may be left out above a backing image",
        examples=["20 GiB"],
    )
    format: Literal["qcow2", "raw"] = Field("qcow2", description="format of the image")
    allocation: Size | None = Field(
        None, description="space taken at once; left out: none for qcow2, all for raw"
    )
    backing_path: AbsolutePath | None = Field(None, description="image below this one")
    backing_format: DiskFormat | None = Field(None, description="its format")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.capacity is None and self.backing_path is None:
            problems.append(Problem("capacity", "", "is missing", "e.g. '20 GiB'"))
        if self.capacity is not None and (self.allocation or 0) > self.capacity:
            why = f"is more than the capacity {self.capacity}"
            problems.append(Problem("allocation", str(self.allocation), why))
        if self.backing_path is not None and self.format == "raw":
            problems.append(Problem("format", "raw", "has no backing image", "qcow2"))
        if (self.backing_path is None) != (self.backing_format is None):
            field = "backing_path" if self.backing_path is None else "backing_format"
            problems.append(Problem(field, "", "is missing", "path and format belong together"))
        if problems:
            raise SpecError("VolumeSpec", problems)
        return self

    def to_xml(self) -> str:
        """Return the definition; see https://libvirt.org/formatstorage.html#storage-volume-xml."""
        volume = VolumeXml.new(type="file", name=self.name, capacity=self.capacity)
        allocation = self.allocation
        if allocation is None:
            allocation = Size(0) if self.format == "qcow2" else self.capacity
        volume.set(allocation=allocation, format=self.format)
        if self.format == "qcow2":
            # Libvirt makes version 2 when nothing is said, and that holds no dirty bitmaps.
            volume.set(compat="1.1")
        volume.set(backing_path=self.backing_path, backing_format=self.backing_format)
        return volume.text()
