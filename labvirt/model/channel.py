"""Consoles and channels of virtio that are asked for: lines between host and guest."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.device import DeviceSpec
from labvirt.model.fields import AbsolutePath
from labvirt.model.xml.chardev import ChannelXml, ConsoleXml

__all__ = ["ChannelSpec", "ConsoleSpec"]

_SPICE = "com.redhat.spice.0"


class ConsoleSpec(DeviceSpec):
    """A console of virtio (``hvc0`` in a Linux guest); short form: the kind."""

    SHORT: ClassVar[str] = "kind"

    kind: Literal["pty", "null", "file"] = Field("pty", description="what stands at the host's end")
    path: AbsolutePath | None = Field(None, description="file that gets the output, kind file")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.kind == "file") != (self.path is not None):
            why = "kind file needs it" if self.path is None else f"kind {self.kind} has none"
            raise SpecError("ConsoleSpec", (Problem("path", self.path or "", why),))
        return self

    def device_xml(self) -> ConsoleXml:
        """Return the ``<console>`` element."""
        view = ConsoleXml.new(type=self.kind, source_path=self.path)
        view.target_type = "virtio"
        return view


class ChannelSpec(DeviceSpec):
    """A named line between host and guest; short form: its name.

    The guest finds it as ``/dev/virtio-ports/NAME``. ``org.qemu.guest_agent.0`` is the line of the
    guest agent, ``com.redhat.spice.0`` that of the SPICE agent.
    """

    SHORT: ClassVar[str] = "name"

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] = Field(
        "org.qemu.guest_agent.0", description="name in the guest"
    )
    kind: Literal["unix", "pty", "spicevmc", "null"] | None = Field(
        None, description="what stands at the host's end; left out: what suits the name"
    )
    path: AbsolutePath | None = Field(
        None, description="socket on the host, kind unix; libvirt makes one when left out"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.path is not None and self.kind not in (None, "unix"):
            why = f"kind {self.kind} has none"
            raise SpecError("ChannelSpec", (Problem("path", self.path, why),))
        return self

    def device_xml(self) -> ChannelXml:
        """Return the ``<channel>`` element."""
        kind = self.kind or ("spicevmc" if self.name == _SPICE else "unix")
        view = ChannelXml.new(type=kind)
        if self.path is not None:
            view.set(source_mode="bind", source_path=self.path)
        view.set(target_type="virtio", target_name=self.name)
        return view
