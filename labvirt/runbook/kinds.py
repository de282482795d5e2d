"""Kinds of parameters that administrators write: sizes and durations with units, hosts.

A book imports them in its parameters cell, ``from labvirt.runbook import Duration, HostUri, Size``,
and annotates with them: ``memory: Size = "256 MiB"``. A text default stays text, in labvirt's
runner as under plain papermill; ``Size.parse(memory)`` and ``Duration(wait)`` give the amount.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import pydantic
from pydantic_core import core_schema

from labvirt.errors import Problem, SpecError
from labvirt.model.units import Size
from labvirt.model.uri import Uri

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

__all__ = ["Duration", "HostUri", "Size", "check_host"]

_UNITS: Final = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_WORDS: Final = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("w", "week", "weeks"), "w"),
}
_PART: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,3})?)\s*([a-z]*)\s*,?")
_ISO: Final = re.compile(
    r"P(?:([0-9.]+)W)?(?:([0-9.]+)D)?(?:T(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S)?)?"
)
_CLOCK: Final = re.compile(r"([0-9]+):([0-5][0-9]):([0-5][0-9](?:\.[0-9]+)?)")
_LONGEST: Final = 60  # characters of a duration
_HINT: Final = "write e.g. '90 s', '5 min', '1h30m' or 'PT5M'"
_LAB_HOST: Final = re.compile(r"lab:[^/\s]+(?:/[^/\s]+)?")


def _refuse(shown: object, why: str) -> SpecError:
    text = str(shown)
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return SpecError(f"{text!r} is no duration", (Problem("duration", text, why, _HINT),))


class Duration(float):
    """A length of time in seconds: a ``float`` that can be written with units.

    ``Duration("1h30m")``, ``Duration("90 s")``, ``Duration("PT5M")``, ``Duration("01:30:00")`` and
    ``Duration(5400)`` read it; a bare number is seconds.

    Raises:
        SpecError: negative, not finite, or not readable.
    """

    __slots__ = ()

    def __new__(cls, value: str | float | dt.timedelta) -> Self:
        """Read text with units, seconds, or a ``timedelta``."""
        if isinstance(value, str):
            seconds = _seconds(value)
        elif isinstance(value, dt.timedelta):
            seconds = value.total_seconds()
        elif type(value) in (bool, type(None)) or not isinstance(value, int | float):
            raise _refuse(value, "is neither text nor seconds")
        else:
            seconds = float(value)
        if not math.isfinite(seconds):
            raise _refuse(value, "is not finite")
        if seconds < 0:
            raise _refuse(value, "a duration cannot be negative")
        return super().__new__(cls, seconds)

    def __str__(self) -> str:
        """Return it with units, e.g. ``1 h 30 min``; it reads back as the same duration."""
        if not self.is_integer() or self >= 1e15:
            return f"{float(self)!r} s"
        rest, parts = int(self), []
        for unit in ("d", "h", "min", "s"):
            count, rest = divmod(rest, int(_UNITS[unit]))
            parts += [f"{count} {unit}"] if count else []
        return " ".join(parts) or "0 s"

    def __repr__(self) -> str:
        """Return an expression that makes this duration."""
        return f"Duration({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Tell pydantic how to read a duration, and to write it as its text."""
        return core_schema.no_info_plain_validator_function(
            cls, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the text form to makers of forms."""
        return {"type": "string", "format": "labvirt-duration", "examples": ["90 s", "1h30m"]}


def _seconds(text: str) -> float:
    """Read a duration written with units, as ISO 8601 has it, or as h:mm:ss."""
    low = text.strip()
    if not low or len(low) > _LONGEST:
        raise _refuse(text, "is empty" if not low else "too long for a duration")
    if low.startswith("-"):
        raise _refuse(text, "a duration cannot be negative")
    try:
        if (clock := _CLOCK.fullmatch(low)) is not None:
            hours, minutes, seconds = (float(part) for part in clock.groups())
            return hours * 3600 + minutes * 60 + seconds
        if (iso := _ISO.fullmatch(low)) is not None and any(iso.groups()):
            scales = (_UNITS[unit] for unit in ("w", "d", "h", "min", "s"))
            return sum(
                float(part) * scale
                for part, scale in zip(iso.groups(), scales, strict=True)
                if part
            )
    except ValueError:
        raise _refuse(text, "has a number that cannot be read") from None
    low, at, total = low.lower(), 0, 0.0
    while at < len(low):
        found = _PART.match(low, at)
        if found is None:
            raise _refuse(text, "is not a number with a unit")
        if found[2] not in _WORDS:
            raise _refuse(text, f"unknown unit {found[2]!r}; units: ms, s, min, h, d, w")
        if not found[2] and (at or found.end() < len(low)):
            raise _refuse(text, "has a number without its unit")
        total += float(found[1]) * _UNITS[_WORDS[found[2]]]
        at = found.end()
    return total


def check_host(text: str) -> str:
    """Return the name of a host if it is a libvirt URI or ``lab:NAME/HOST``.

    Raises:
        SpecError: it is neither; says what is wrong and what was probably meant.
    """
    if text.startswith("lab:"):
        if _LAB_HOST.fullmatch(text) is None:
            why = "is not a host of a lab"
            problem = Problem("host", text[:80], why, "lab:NAME/HOST, e.g. lab:demo/alpha")
            raise SpecError(f"{text[:80]!r} {why}", (problem,))
        return text
    Uri.parse(text)
    return text


HostUri = Annotated[
    str,
    pydantic.AfterValidator(check_host),
    pydantic.WithJsonSchema(
        {
            "type": "string",
            "format": "libvirt-host",
            "examples": ["qemu:///system", "lab:demo/alpha"],
        }
    ),
]
"""Text that names a host: any libvirt URI, or ``lab:NAME/HOST``."""
