"""The source of the cell that gives a book its values: plain Python, exactly the values."""

from __future__ import annotations

import datetime as dt
import math
import pathlib
import zoneinfo
from typing import TYPE_CHECKING, Any

import pydantic

from labvirt.runbook.kinds import Duration, Size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.runbook.parameters.record import Parameter

__all__ = ["injected_code"]


def injected_code(
    parameters: Sequence[Parameter], values: Mapping[str, Any], plain: Mapping[str, Any]
) -> str:
    """Return the source of the cell `injected-parameters`, empty when there are no values.

    Args:
        parameters: what the book declares; they give the order and the form of the values.
        values: typed values by name; secrets as ``SecretStr`` of their reference.
        plain: the same in JSON's types.
    """
    writer = _Writer()
    lines = []
    for parameter in parameters:
        if parameter.name not in values:
            continue
        writer.sizes = isinstance(parameter.default, Size)
        value = (plain if parameter.plain else values)[parameter.name]
        lines.append(f"{parameter.name} = {writer.expression(value)}")
    if not lines:
        return ""
    return "\n".join(["# Parameters of this run", *sorted(writer.imports), *lines]) + "\n"


class _Writer:
    """Writes values as expressions and notes what they need to be imported."""

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.sizes = False

    def expression(self, value: Any) -> str:  # noqa: PLR0911  # one for each kind
        """Return an expression that makes the value."""
        if isinstance(value, Duration):
            return repr(float(value))
        if isinstance(value, Size):
            return self._size(value)
        if isinstance(value, pydantic.SecretStr):
            self.imports.add("from pydantic import SecretStr as _SecretStr")
            return f"_SecretStr({value.get_secret_value()!r})"
        if isinstance(value, float) and not math.isfinite(value):
            self.imports.add("import math as _math")
            return "_math.nan" if math.isnan(value) else f"{'-' if value < 0 else ''}_math.inf"
        if type(value) is int and value.bit_length() > 10_000:
            return hex(value)  # decimal text of such numbers is refused by Python
        if isinstance(value, list | tuple | set | frozenset | dict):
            return self._collection(value)
        if isinstance(value, dt.date | dt.time | dt.timedelta | dt.tzinfo):
            return self._moment(value)
        if isinstance(value, pathlib.PurePath):
            self.imports.add("import pathlib as _pathlib")
            return f"_pathlib.Path({str(value)!r})"
        return repr(value)

    def _size(self, value: Size) -> str:
        if not self.sizes:
            return repr(str(value))
        self.imports.add("from labvirt.runbook import Size as _Size")
        return f"_Size.parse({str(value)!r})"

    def _collection(self, value: Any) -> str:
        if isinstance(value, dict):
            pairs = (f"{self.expression(k)}: {self.expression(v)}" for k, v in value.items())
            return "{" + ", ".join(pairs) + "}"
        inner = ", ".join(self.expression(one) for one in _ordered(value))
        if isinstance(value, list):
            return f"[{inner}]"
        if isinstance(value, tuple):
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        # No name is used for an empty set, so that a parameter may be called set.
        braces = "{" + (inner or "*()") + "}"
        return f"frozenset({braces})" if isinstance(value, frozenset) else braces

    def _moment(self, value: Any) -> str:
        self.imports.add("import datetime as _datetime")
        if isinstance(value, dt.timedelta):
            days, seconds, micros = value.days, value.seconds, value.microseconds
            return f"_datetime.timedelta({days}, {seconds}, {micros})"
        if isinstance(value, zoneinfo.ZoneInfo) and value.key:
            self.imports.add("import zoneinfo as _zoneinfo")
            return f"_zoneinfo.ZoneInfo({value.key!r})"
        if isinstance(value, dt.tzinfo):
            offset = value.utcoffset(None) or dt.timedelta()
            if not offset:
                return "_datetime.timezone.utc"
            return f"_datetime.timezone({self._moment(offset)})"
        if not isinstance(value, dt.datetime | dt.time):
            return f"_datetime.date({value.year}, {value.month}, {value.day})"
        numbers = [value.hour, value.minute, value.second, value.microsecond]
        if isinstance(value, dt.datetime):
            numbers = [value.year, value.month, value.day, *numbers]
        fixed = 5 if isinstance(value, dt.datetime) else 2
        while len(numbers) > fixed and not numbers[-1]:
            numbers.pop()
        words = [str(number) for number in numbers]
        if value.tzinfo is not None:
            words.append(f"tzinfo={self._moment(value.tzinfo)}")
        if value.fold:
            words.append("fold=1")
        kind = "datetime" if isinstance(value, dt.datetime) else "time"
        return f"_datetime.{kind}({', '.join(words)})"


def _ordered(values: Any) -> Any:
    """Return sets in an order that does not change from run to run."""
    return sorted(values, key=repr) if isinstance(values, set | frozenset) else values
