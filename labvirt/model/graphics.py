"""The picture of a domain that is asked for: how the host serves it, and the guest's card."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.spec import Spec
from labvirt.model.xml.display import GraphicsXml, VideoXml

__all__ = ["GraphicsSpec", "VideoSpec"]

_VNC_PASSWORD = 8  # characters of a VNC password; the protocol drops the rest


class GraphicsSpec(Spec):
    """A graphical console; short form: ``"vnc"`` or ``"spice"``."""

    kind: Literal["vnc", "spice"] = Field("vnc", description="protocol")
    listen: str = Field(
        "127.0.0.1",
        description="address of the host, the absolute path of a socket, or none",
        examples=["127.0.0.1", "0.0.0.0", "none", "/run/web1.sock"],  # noqa: S104 - an example
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="TCP port; libvirt chooses when left out"
    )
    password: SecretStr | None = Field(None, description="password; VNC counts 8 characters")
    keymap: Annotated[str, Field(pattern=r"^[a-zA-Z]+(-[a-zA-Z]+)?$")] | None = Field(
        None, description="keyboard layout", examples=["en-us", "de", "ru"]
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"kind": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.listen != "none" and not self.listen.startswith("/"):
            try:
                ipaddress.ip_address(self.listen)
            except ValueError:
                hint = "an address such as 127.0.0.1, an absolute path, or none"
                problems.append(Problem("listen", self.listen, "is no address", hint))
        elif self.port is not None:
            problems.append(Problem("port", str(self.port), f"listen={self.listen} has no port"))
        words = self.password.get_secret_value() if self.password else ""
        if self.kind == "vnc" and len(words) > _VNC_PASSWORD:
            why = f"VNC counts {_VNC_PASSWORD} characters and drops the rest"
            problems.append(Problem("password", "***", why))
        if self.password is not None and not words.strip("*"):
            why = "was masked in the text that this came from" if words else "is empty"
            problems.append(Problem("password", "***", why, "give it again, or leave it out"))
        if problems:
            raise SpecError("GraphicsSpec", problems)
        return self

    def device_xml(self) -> GraphicsXml:
        """Return the ``<graphics>`` element."""
        view = GraphicsXml.new(type=self.kind)
        if self.listen == "none":
            view.listen_type = "none"
        elif self.listen.startswith("/"):
            view.set(listen_type="socket", listen_socket=self.listen)
        else:
            view.set(port=self.port or -1, autoport=self.port is None)
            view.set(listen_type="address", listen_address=self.listen)
        if self.password is not None:
            view.password = self.password.get_secret_value()
        view.set(keymap=self.keymap)
        return view


class VideoSpec(Spec):
    """A graphics card; short form: the model."""

    model: Literal["vga", "virtio", "qxl", "bochs", "cirrus", "ramfb", "vmvga", "none"] = Field(
        "vga", description="card the guest sees; vga needs no driver"
    )
    heads: int = Field(1, ge=1, le=16, description="number of screens")
    vram_kib: int | None = Field(None, ge=1024, description="video memory in KiB")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"model": data} if isinstance(data, str) else data

    def device_xml(self) -> VideoXml:
        """Return the ``<video>`` element."""
        if self.model == "none":
            return VideoXml.new(model="none")
        heads = self.heads if self.heads > 1 else None
        return VideoXml.new(model=self.model, vram_kib=self.vram_kib, heads=heads)
