"""Amounts of memory and storage: text with a unit in, whole bytes kept, exact text out."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic_core import core_schema

from labvirt.errors import Problem, SpecError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

__all__ = ["BINARY_UNITS", "DECIMAL_UNITS", "SIZE_LIMIT", "Size", "unit_scale"]

BINARY_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
DECIMAL_UNITS: Final = ("KB", "MB", "GB", "TB", "PB", "EB")

SIZE_LIMIT: Final = 2**63 - 1
"""The largest size that libvirt and QEMU can count, in bytes."""

_KNOWN: Final = "bytes, KiB, MiB, GiB, TiB, PiB, EiB (powers of 1024) or KB, MB, GB ... (of 1000)"
_PATTERN: Final = re.compile(r"\s*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))\s*(.*?)\s*", re.DOTALL)
_LONGEST: Final = 40  # characters of a size; 2**63 with twenty decimals is shorter


def unit_scale(unit: str) -> int | None:
    """Return how many bytes one ``unit`` has, or None when libvirt knows no such unit.

    The rule is libvirt's ``virScaleInteger``: ``k``, ``K`` and ``KiB`` are 1024, ``KB`` is 1000,
    likewise for M, G, T, P and E; ``b``, ``byte`` and ``bytes`` are 1; upper and lower case alike.
    See https://libvirt.org/formatdomain.html#memory-allocation.
    """
    low = unit.lower()
    if low in {"b", "byte", "bytes"}:
        return 1
    power = "kmgtpe".find(low[:1]) + 1 if low else 0
    if not power:
        return None
    if low[1:] in {"", "ib"}:
        return int(1024**power)
    return int(1000**power) if low[1:] == "b" else None


def _refuse(shown: object, why: str, hint: str) -> SpecError:
    text = str(shown)
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return SpecError(f"{text!r} is no size", (Problem("size", text, why, hint),))


class Size(int):
    """A size in whole bytes: an ``int`` that knows how it is written.

    ``Size(268435456)`` takes bytes; :meth:`parse` takes what people write. Fields of specs accept
    a ``Size`` or text with a unit, never a bare number.

    Raises:
        SpecError: negative, or above 8 EiB - 1.
    """

    __slots__ = ()

    def __new__(cls, value: int) -> Self:
        """Make a size of ``value`` bytes."""
        if value < 0:
            raise _refuse(value, "a size cannot be negative", "write e.g. '256 MiB'")
        if value > SIZE_LIMIT:
            raise _refuse(value, "larger than libvirt can count", "at most 8 EiB - 1")
        return super().__new__(cls, value)

    @classmethod
    def parse(cls, text: str, *, default_unit: str | None = None) -> Size:
        """Read ``'256 MiB'``, ``'2G'``, ``'1.5 TiB'``, ``'10 GB'``, ``'512 bytes'``.

        Args:
            text: number and unit, see :func:`unit_scale`; a fraction must come out in whole bytes.
            default_unit: the unit of a bare number; None (the default) refuses a bare number.

        Raises:
            SpecError: no number, no unit, unknown unit, negative, broken bytes or too large.
        """
        if len(text) > _LONGEST:
            raise _refuse(text, "too long for a size", "write e.g. '256 MiB'")
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise _refuse(text, "does not begin with a number", "write e.g. '256 MiB'")
        number, unit = found.groups()
        if number.startswith("-") and Decimal(number) != 0:
            hint = f"write {text.strip().lstrip('-')!r}" if unit else "write e.g. '256 MiB'"
            raise _refuse(text, "a size cannot be negative", hint)
        if not unit and default_unit is None:
            raise _refuse(text, f"{number} of what?", _of_what(number))
        scale = unit_scale(unit or default_unit or "")
        if scale is None:
            raise _refuse(text, f"unknown unit {unit!r}", f"units: {_KNOWN}")
        exact = Decimal(number) * scale
        if exact != exact.to_integral_value():
            raise _refuse(text, "is not a whole number of bytes", "use a smaller unit")
        if exact > SIZE_LIMIT:
            raise _refuse(text, "larger than libvirt can count", "at most 8 EiB - 1")
        return cls(int(exact))

    @classmethod
    def of(cls, value: object) -> Size:
        """Return ``value`` as a size when it is a ``Size`` or text with a unit.

        Raises:
            SpecError: anything else; a bare number is asked for its unit.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls.parse(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value < 0:
                raise _refuse(value, "a size cannot be negative", "write e.g. '256 MiB'")
            raise _refuse(value, f"{value} of what?", _of_what(str(value)))
        raise _refuse(value, "is neither a size nor text", "write e.g. '256 MiB'")

    @property
    def kib(self) -> int:
        """Whole KiB, rounded up as libvirt rounds."""
        return -(-int(self) // 1024)

    @property
    def mib(self) -> float:
        """MiB, with fraction."""
        return int(self) / 2**20

    @property
    def gib(self) -> float:
        """GiB, with fraction."""
        return int(self) / 2**30

    def __str__(self) -> str:
        """Return the shortest exact form, e.g. ``256 MiB``; it parses back to the same size."""
        best = (int(self), "bytes")
        for units, base in ((BINARY_UNITS, 1024), (DECIMAL_UNITS, 1000)):
            for power, unit in enumerate(units, start=1):
                count, rest = divmod(int(self), base**power)
                if rest == 0 and 0 < count < best[0]:
                    best = (count, unit)
        return f"{best[0]} {best[1]}"

    def __format__(self, spec: str) -> str:
        """Format as text without a format code, as a number with one (``f'{size:d}'``)."""
        return str(self) if not spec else super().__format__(spec)

    def __repr__(self) -> str:
        """Return an expression that makes this size."""
        return f"Size.parse({str(self)!r})"

    def __add__(self, other: int) -> Size:
        return Size(int(self) + other)

    def __mul__(self, other: int) -> Size:
        return Size(int(self) * other)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Tell pydantic how to read a size, and to write it as its exact text."""
        return core_schema.no_info_plain_validator_function(
            cls.of, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the text form to makers of forms."""
        return {
            "type": "string",
            "format": "size",
            "pattern": r"^\s*[0-9]+(\.[0-9]*)?\s*([bB]|[bB]ytes?|[kKmMgGtTpPeE](i?[bB])?)\s*$",
            "examples": ["256 MiB", "20 GiB"],
        }


def _of_what(number: str) -> str:
    """Return the advice for a bare number: large whole numbers are probably bytes."""
    if re.fullmatch(r"[0-9]{6,19}", number) and int(number) <= SIZE_LIMIT:
        return f"write '{Size(int(number))}' if these are bytes"
    return f"write '{number} MiB'"
