"""Rarer devices that are asked for: parallel port, USB redirection, smart card reader."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.device import DeviceSpec
from labvirt.model.fields import AbsolutePath
from labvirt.model.xml.chardev import ParallelXml
from labvirt.model.xml.rarer import RedirdevXml, SmartcardXml

__all__ = ["ParallelSpec", "RedirdevSpec", "SmartcardSpec"]


class ParallelSpec(DeviceSpec):
    """A parallel port; short form: the kind."""

    SHORT = "kind"

    kind: Literal["pty", "null", "file", "dev"] = Field(
        "pty", description="what stands at the host's end"
    )
    path: AbsolutePath | None = Field(
        None, description="file that gets the output, or the host's port; kinds file and dev"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.path is not None) != (self.kind in {"file", "dev"}):
            why = "is missing" if self.path is None else f"kind {self.kind} has none"
            raise SpecError("ParallelSpec", (Problem("path", self.path or "", why),))
        return self

    def device_xml(self) -> ParallelXml:
        """Return the ``<parallel>`` element."""
        return ParallelXml.new(type=self.kind, source_path=self.path)


class RedirdevSpec(DeviceSpec):
    """A USB port into which the viewer of a SPICE console plugs a device of its own machine."""

    type: Literal["spicevmc"] = Field("spicevmc", description="what carries it")

    def device_xml(self) -> RedirdevXml:
        """Return the ``<redirdev>`` element."""
        return RedirdevXml.new(bus="usb", type=self.type)


class SmartcardSpec(DeviceSpec):
    """A smart card reader; short form: whose card."""

    SHORT = "mode"

    mode: Literal["passthrough", "host"] = Field(
        "passthrough", description="passthrough: the SPICE viewer's card; host: the host's own"
    )

    def device_xml(self) -> SmartcardXml:
        """Return the ``<smartcard>`` element."""
        through = self.mode == "passthrough"
        return SmartcardXml.new(mode=self.mode, type="spicevmc" if through else None)
