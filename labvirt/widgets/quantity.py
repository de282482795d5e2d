"""Quantities: a number with its unit as people read it, and the steps of an axis."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Scale", "clock_ticks", "scale_of", "shown", "ticks"]

#: Divisor and unit as it is shown; amounts of memory in powers of 1024, rates in powers of 1000.
Scale = tuple[float, str]

_SCALES: Final[dict[str, tuple[Scale, ...]]] = {
    "B": tuple((1024.0**n, one) for n, one in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB"))),
    "B/s": tuple((1000.0**n, one) for n, one in enumerate(("B/s", "kB/s", "MB/s", "GB/s", "TB/s"))),
    "1/s": ((1.0, "1/s"), (1e3, "k/s"), (1e6, "M/s")),
    "s": ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s")),
}
#: Steps of a time axis in seconds.
_CLOCK: Final = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400, 28 * 86400),
)


def scale_of(unit: str, largest: float) -> Scale:
    """Return divisor and unit in which values up to `largest` are read best.

    Args:
        unit: as in `labvirt.status.series.Series`.
        largest: the largest amount that is shown, in that unit.
    """
    steps = _SCALES.get(unit)
    if steps is None:
        return 1.0, unit
    size = abs(largest)
    if not math.isfinite(size) or size == 0:
        return steps[-1] if unit == "s" else steps[0]
    fitting = [one for one in steps if size >= one[0]]
    return fitting[-1] if fitting else steps[0]


def shown(value: float, unit: str) -> str:
    """Return a value with its unit in three digits, ``no data`` where there is none."""
    if not math.isfinite(value):
        return "no data"
    divisor, word = scale_of(unit, value)
    number = value / divisor
    size = abs(number)
    if number == round(number) and size < 1e6:
        text = f"{number:.0f}"
    elif size >= 100:
        text = f"{number:.0f}" if unit in _SCALES or size < 1e6 else f"{number:.3g}"
    else:
        text = (
            f"{number:.1f}" if size >= 10 else f"{number:.2f}" if size >= 0.01 else f"{number:.2g}"
        )
    return f"{text} {word}".rstrip()


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round numbers that divide an axis, the first at or below `low`, the last at or above.

    Args:
        low: lower end.
        high: upper end, above `low`.
        count: about how many steps.
    """
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 2.5, 5, 10) if one * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def clock_ticks(start: float, end: float, count: int = 6) -> tuple[list[float], str]:
    """Return round times within a span (seconds since 1970) and the `strftime` form to show them."""
    span = max(end - start, 1e-3)
    step = next((one for one in _CLOCK if one >= span / count), _CLOCK[-1])
    form = "%H:%M:%S" if step < 60 else "%H:%M" if span <= 86400 else "%m-%d %H:%M"
    if step >= 86400:
        form = "%Y-%m-%d"
    first = math.ceil(start / step)
    return [float(n * step) for n in range(first, math.floor(end / step) + 1)], form
