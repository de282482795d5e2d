"""A storage pool that is asked for: a folder of images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from labvirt.model.fields import AbsolutePath, SafeName, Uuid
from labvirt.model.spec import Spec
from labvirt.model.xml.pool import PoolXml

__all__ = ["PoolSpec"]


class PoolSpec(Spec):
    """A folder whose files are volumes."""

    name: SafeName = Field(description="name, unique on the host", examples=["images"])
    kind: Literal["dir"] = Field("dir", description="kind: a folder")
    uuid: Uuid | None = Field(None, description="UUID; libvirt makes one when left out")
    path: AbsolutePath = Field(description="the folder", examples=["/var/lib/libvirt/images"])
    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] | None = Field(
        None, description="rights of the folder in octal", examples=["0711"]
    )
    owner: int | None = Field(None, ge=0, description="user id that owns the folder")
    group: int | None = Field(None, ge=0, description="group id of the folder")

    def to_xml(self) -> str:
        """Return the definition; see https://libvirt.org/formatstorage.html."""
        pool = PoolXml.new(type=self.kind, name=self.name, uuid=self.uuid, path=self.path)
        pool.set(
            mode=self.mode,
            owner=None if self.owner is None else str(self.owner),
            group=None if self.group is None else str(self.group),
        )
        return pool.text()
