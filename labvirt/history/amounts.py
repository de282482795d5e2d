"""Lengths of time as people write them: ``30 s``, ``1 min``, ``7d``."""

from __future__ import annotations

import math
import re

from labvirt.errors import SpecError

__all__ = ["seconds_of"]

_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "w": 604800.0,
    "week": 604800.0,
}
_PATTERN = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def seconds_of(value: float | str, what: str) -> float:
    """Return a length of time in seconds.

    Args:
        value: seconds, or text with a unit: ms, s, min, h, d, w.
        what: what it is for, for the message.

    Raises:
        SpecError: no number, no such unit, or nothing above zero.
    """
    if isinstance(value, str):
        found = _PATTERN.fullmatch(value)
        unit = found[2].lower() if found else ""
        scale = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if found is None or (unit and scale is None):
            raise SpecError(
                f"{what}: {value[:40]!r} is no length of time",
                hint="a number with ms, s, min, h, d or w, such as '30 s' or '7d'",
            )
        if not unit:
            raise SpecError(f"{what}: {value!r} of what?", hint=f"such as '{value.strip()} s'")
        number = float(found[1]) * (scale or 1.0)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise SpecError(f"{what}: {value!r} is no length of time", hint="such as 60 or '1 min'")
    else:
        number = float(value)
    if not math.isfinite(number) or number <= 0:
        raise SpecError(f"{what}: {value!r} is not above zero", hint="such as '30 s' or '7d'")
    return number
