"""A checkpoint that is asked for: from now on changed blocks are noted."""

from __future__ import annotations

from pydantic import Field

from labvirt.model.fields import Prose, SafeName
from labvirt.model.snapshot import DiskTarget
from labvirt.model.spec import Spec
from labvirt.model.xml.snapshot import CheckpointDiskXml, CheckpointXml

__all__ = ["CheckpointSpec"]


class CheckpointSpec(Spec):
    """A checkpoint of a domain."""

    name: SafeName = Field(description="name, unique in the domain", examples=["monday"])
    description: Prose | None = Field(None, description="any text")
    disks: tuple[DiskTarget, ...] = Field(
        (), description="disks that are tracked; all qcow2 disks when empty"
    )

    def to_xml(self, others: tuple[str, ...] = ()) -> str:
        """Return the XML; see https://libvirt.org/formatcheckpoint.html.

        Args:
            others: disks of the domain that are not tracked.
        """
        checkpoint = CheckpointXml.new(name=self.name, description=self.description or None)
        for target in self.disks:
            checkpoint.disks.append(CheckpointDiskXml.new(name=target, checkpoint="bitmap"))
        for target in others:
            checkpoint.disks.append(CheckpointDiskXml.new(name=target, checkpoint="no"))
        return checkpoint.text()
