"""A spec as the Python text that makes it, without secrets and without what is default anyway."""

from __future__ import annotations

from typing import Any

import pydantic

from labvirt.model.units import Size

__all__ = ["spec_text"]

#: The specs that the front door offers by name; the others are in its ``model``.
_AT_THE_DOOR = {
    "ClockSpec",
    "CpuSpec",
    "DiskSpec",
    "DomainSpec",
    "FileSource",
    "GraphicsSpec",
    "ImportImage",
    "InterfaceSpec",
    "IsoInstall",
    "KernelBoot",
    "NetworkBoot",
    "SerialSpec",
    "TinyGuest",
    "VolumeSource",
}


def spec_text(value: Any) -> str:
    """Return Python text for a spec or for a value inside one."""
    if isinstance(value, pydantic.BaseModel):
        fields = type(value).model_fields
        shown = [
            f"{name}={spec_text(getattr(value, name))}"
            for name, field in fields.items()
            if getattr(value, name) != field.get_default(call_default_factory=True)
        ]
        name = type(value).__name__
        home = "lv" if name in _AT_THE_DOOR else "lv.model"
        return f"{home}.{name}({', '.join(shown)})"
    if isinstance(value, Size):
        return repr(str(value))
    if isinstance(value, pydantic.SecretStr):
        return "'***'"
    if isinstance(value, tuple):
        inner = ", ".join(spec_text(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)
