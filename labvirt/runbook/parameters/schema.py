"""Parameters told to others: JSON Schema for forms and tools, rows for a table."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pydantic

from labvirt.runbook.parameters.annotations import metadata_of, parts_of
from labvirt.runbook.parameters.fitting import fit, shown, to_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.runbook.parameters.record import Parameter

__all__ = ["Row", "describe", "json_schema"]

_MASK: Final = "***"
_LIMITS: Final = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "multiple_of": "multiple of"}


class Row(NamedTuple):
    """One row of the table of parameters; every field is text for people."""

    parameter: str
    type: str
    default: str
    help: str


def json_schema(parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an object with the parameters.

    A unit stands in ``x-unit``. Secrets are ``writeOnly``, and their defaults are left out.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {parameter.name: _property(parameter) for parameter in parameters},
        "required": [parameter.name for parameter in parameters if parameter.required],
        "additionalProperties": False,
    }


def _property(parameter: Parameter) -> dict[str, Any]:
    schema = pydantic.TypeAdapter(parameter.type).json_schema()
    schema.setdefault("title", parameter.name)
    if parameter.help:
        schema["description"] = parameter.help
    if parameter.unit:
        schema["x-unit"] = parameter.unit
    if parameter.secret:
        schema["writeOnly"] = True
    elif not parameter.required:
        schema["default"] = _plain_default(parameter)
    return schema


def _plain_default(parameter: Parameter) -> Any:
    if parameter.plain:
        return parameter.default
    return to_plain(parameter.type, fit(parameter.type, parameter.default))


def describe(parameters: tuple[Parameter, ...]) -> list[Row]:
    """Return the rows of the table Parameter, Type, Default, Help; secret defaults are masked."""
    return [
        Row(parameter.name, _type(parameter), _default(parameter), parameter.help)
        for parameter in parameters
    ]


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "must be given"
    if parameter.secret and parameter.default is not None:
        return _MASK
    if isinstance(parameter.default, str | None):
        return shown(parameter.default)
    plain = _plain_default(parameter)
    return plain if isinstance(plain, str) else shown(plain)


def _type(parameter: Parameter) -> str:
    """Return the type as written, with the limits and units of ``Annotated`` in words."""
    if typing.get_origin(parameter.type) is not typing.Annotated:
        return parameter.type_text
    if parameter.type_text.endswith("HostUri"):
        return "HostUri"
    inner = " | ".join(_short(part) for part in parts_of(parameter.type))
    return " ".join([inner, *_limits(parameter.type)])


def _short(part: Any) -> str:
    if part is type(None):
        return "None"
    if typing.get_origin(part) is None and isinstance(part, type):
        return part.__name__
    return str(part).replace("typing.", "").replace("datetime.", "").replace("pathlib.", "")


def _limits(kind: Any) -> Iterator[str]:
    for one in metadata_of(kind):
        if isinstance(one, str):
            yield one
        for limit in getattr(one, "metadata", ()):
            for key, sign in _LIMITS.items():
                if getattr(limit, key, None) is not None:
                    yield f"{sign} {getattr(limit, key)}"
            for key in ("min_length", "max_length", "pattern"):
                if getattr(limit, key, None) is not None:
                    yield f"{key.replace('_', ' ')} {getattr(limit, key)}"
