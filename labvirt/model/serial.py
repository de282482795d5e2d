"""The serial port of a domain that is asked for, and the transcript of what it says."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, Line
from labvirt.model.spec import Spec
from labvirt.model.xml.chardev import ConsoleXml, SerialXml

__all__ = ["SerialSpec"]


class SerialSpec(Spec):
    """The first serial port, which is also the console; short form: ``"pty"`` or ``"null"``."""

    kind: Literal["pty", "file", "unix", "tcp", "null"] = Field(
        "pty", description="what stands at the host's end"
    )
    path: AbsolutePath | None = Field(None, description="file or socket, kinds file and unix")
    host: Line | None = Field(None, description="address to listen on, kind tcp")
    port: int | None = Field(None, ge=1, le=65535, description="port to listen on, kind tcp")
    log_path: AbsolutePath | None = Field(
        None, description="file on the host that gets a transcript of all output"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"kind": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        takes = {"file": {"path"}, "unix": {"path"}, "tcp": {"host", "port"}}.get(self.kind, set())
        problems = []
        for name in ("path", "host", "port"):
            value = getattr(self, name)
            if name in takes and value is None:
                problems.append(Problem(name, "", f"kind {self.kind} needs it"))
            elif name not in takes and value is not None:
                problems.append(Problem(name, str(value), f"kind {self.kind} has none"))
        if problems:
            raise SpecError("SerialSpec", problems)
        return self

    def device_xml(self) -> SerialXml:
        """Return the ``<serial>`` element."""
        view = SerialXml.new(type=self.kind)
        if self.kind == "file":
            view.set(source_path=self.path, source_append=True)
        elif self.kind == "unix":
            view.set(source_mode="bind", source_path=self.path)
        elif self.kind == "tcp":
            view.set(source_mode="bind", source_host=self.host, source_service=str(self.port))
            view.protocol = "raw"
        if self.log_path is not None:
            view.set(log_file=self.log_path, log_append=True)
        view.target_port = 0
        return view

    def console_xml(self) -> ConsoleXml:
        """Return the ``<console>`` element that names this port the console."""
        return ConsoleXml.new(type=self.kind, target_type="serial", target_port=0)
