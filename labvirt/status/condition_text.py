"""The text of a condition, taken apart: where it is wrong, it says at which place and what would do."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, NoReturn

from labvirt.errors import Problem, SpecError
from labvirt.model.units import unit_scale
from labvirt.status.series import KINDS, SERIES, series_of

if TYPE_CHECKING:
    from labvirt.status.series import Kind, Series

__all__ = ["SHORT", "parse"]

#: Short names of series, by kind. What has no unit at its end is short as well: ``rx_bytes``.
SHORT: dict[Kind, dict[str, str]] = {
    "domain": {
        "cpu": "cpu_percent",
        "cpu_host": "cpu_host_percent",
        "steal": "cpu_steal_percent",
        "memory": "memory_bytes",
        "memory_host": "memory_host_percent",
        "memory_used": "memory_used_bytes",
        "disk_read": "disk_read_bytes_s",
        "disk_write": "disk_write_bytes_s",
        "disk_reads": "disk_read_ops_s",
        "disk_writes": "disk_write_ops_s",
        "read_latency": "disk_read_latency_s",
        "write_latency": "disk_write_latency_s",
        "net_rx": "net_rx_bytes_s",
        "net_tx": "net_tx_bytes_s",
        "net_rx_packets": "net_rx_packets_s",
        "net_tx_packets": "net_tx_packets_s",
    },
    "vcpu": {"cpu": "cpu_percent"},
    "disk": {
        "read": "read_bytes_s",
        "write": "write_bytes_s",
        "reads": "read_ops_s",
        "writes": "write_ops_s",
        "flushes": "flush_ops_s",
        "read_latency": "read_latency_s",
        "write_latency": "write_latency_s",
        "allocation": "allocation_bytes",
        "capacity": "capacity_bytes",
    },
    "interface": {
        "rx": "rx_bytes_s",
        "tx": "tx_bytes_s",
        **{
            f"{way}_{what}": f"{way}_{what}_s"
            for way in ("rx", "tx")
            for what in ("packets", "drops", "errors")
        },
    },
    "host": {
        "cpu": "cpu_percent",
        "cpu_user": "cpu_user_percent",
        "cpu_kernel": "cpu_kernel_percent",
        "iowait": "cpu_iowait_percent",
        "memory": "memory_bytes",
        "memory_used": "memory_used_bytes",
        "disk_read": "disk_read_bytes_s",
        "disk_write": "disk_write_bytes_s",
        "net_rx": "net_rx_bytes_s",
        "net_tx": "net_tx_bytes_s",
        "guests_cpu": "guests_cpu_percent",
        "guests_memory": "guests_memory_bytes",
        "active": "guests_active",
    },
}

_TIMES = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "µs", "microseconds"), 1e-6),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}
_BITS = {"bit/s": 1.0, "kbit/s": 1e3, "mbit/s": 1e6, "gbit/s": 1e9}
_LONGEST = 200
_EXAMPLES = {
    "%": "90 %",
    "B": "100 MiB",
    "B/s": "10 MB/s",
    "1/s": "100 /s",
    "s": "20 ms",
    "": "5",
}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<compare>>=|<=|==|!=|>|<|=)"
    r"|(?P<word>%|[A-Za-zµ_/][A-Za-zµ0-9_/:.-]*))"
)


class _Reader:
    """The text, and how far it was read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.begin = 0

    def take(self, kind: str) -> str | None:
        """Return the next token when it is of that kind, and go on behind it."""
        found = _TOKEN.match(self.text, self.at)
        if found is None or found[kind] is None:
            return None
        self.begin, self.at = found.start(kind), found.end()
        return found[kind]

    def word(self, *wanted: str) -> bool:
        """Take these words when they come next."""
        before = self.at, self.begin
        for each in wanted:
            if (self.take("word") or "").lower() != each:
                self.at, self.begin = before
                return False
        return True

    @property
    def next(self) -> int:
        """Where the next token begins."""
        rest = self.text[self.at :]
        return self.at + len(rest) - len(rest.lstrip())

    def refuse(self, why: str, hint: str = "", *, at: int | None = None) -> NoReturn:
        """Raise the one error, with the place."""
        at = self.next if at is None else at
        shown = self.text if len(self.text) <= _LONGEST else self.text[:_LONGEST] + "..."
        raise SpecError(
            f"{shown!r} is no condition: at character {at + 1}: {why}",
            (Problem("condition", self.text[at : at + 40], why, hint),),
            hint="write e.g. 'cpu > 90 % for 30 s'",
        )


def parse(text: str, kind: Kind) -> tuple[Series, str, float, float, float | None]:
    """Return series, comparison, value, seconds it must hold, and the level that clears it.

    Raises:
        SpecError: with the position, what is wrong there, and the nearest name.
    """
    reader = _Reader(text)
    if len(text) > _LONGEST:
        reader.refuse(f"longer than {_LONGEST} characters", at=0)
    series = _series(reader, kind)
    if reader.word("no", "data"):
        compare, value, held, clear = "no data", math.nan, _held(reader), None
    else:
        compare = _compare(reader)
        value = _value(reader, series)
        held = _held(reader)
        clear = _clear(reader, series, compare, value)
        held = held if held is not None else _held(reader)
    if reader.next < len(text):
        reader.refuse("nothing more is expected here", "for DURATION, clear at VALUE")
    return series, compare, value, held or 0.0, clear


def _series(reader: _Reader, kind: Kind) -> Series:
    word = reader.take("word")
    if word is None:
        reader.refuse("a series is expected", ", ".join(SHORT[kind]))
    begin = reader.begin
    given, colon, name = word.partition(":")
    gap = 0
    if colon and not name and (after := reader.take("word")):
        name, gap = after, reader.begin - begin - len(given) - 1
    if not colon and given in {"host", "vcpu", "disk", "interface"}:
        before = reader.at, reader.begin
        after = reader.take("word")
        if after is not None and after.lower() != "no":  # "host cpu > 90 %"
            colon, name, gap = " ", after, reader.begin - begin - len(given) - 1
        else:
            reader.at, reader.begin = before
    if colon:
        known = [each for each in KINDS if each == given]
        if not known:
            near = _near(given, list(KINDS)) or f"one of {', '.join(KINDS)}"
            reader.refuse(f"there is no kind {given!r}", near, at=begin)
        kind, begin = known[0], begin + len(given) + 1 + gap
    else:
        name = word
    full = SHORT[kind].get(name.lower(), name)
    found = SERIES.get((kind, full)) or SERIES.get((kind, full.lower()))
    if found is None:
        names = [*SHORT[kind], *(each.name for each in series_of(kind))]
        elsewhere = [f"{k}:{name}" for k in KINDS if name in SHORT[k] or (k, name) in SERIES]
        hint = _near(name, names) or (f"{elsewhere[0]!r}?" if elsewhere else ", ".join(SHORT[kind]))
        reader.refuse(f"there is no series {name!r} of a {kind}", hint, at=begin)
    return found


def _near(word: str, names: list[str]) -> str:
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""


def _compare(reader: _Reader) -> str:
    compare = reader.take("compare")
    if compare is None:
        reader.refuse("a comparison is expected", "one of > >= < <= == !=, or 'no data'")
    return "==" if compare == "=" else compare


def _value(reader: _Reader, series: Series) -> float:
    number = reader.take("number")
    if number is None:
        reader.refuse("a number is expected", f"e.g. {_EXAMPLES[series.unit]!r}")
    begin = reader.begin
    before = reader.at, reader.begin
    unit = reader.take("word")
    if unit is not None and unit.lower() in {"for", "clear"}:
        reader.at, reader.begin = before
        unit = None
    scale = 1.0 if unit is None else _scale(unit, series.unit)
    if scale is None:
        what = f"is in {series.unit}" if series.unit else "has no unit"
        reader.refuse(
            f"{unit!r} is no unit of {series.name}, which {what}",
            f"e.g. {_EXAMPLES[series.unit]!r}",
            at=reader.begin,
        )
    value = float(number) * scale
    if not math.isfinite(value):
        reader.refuse("the number is too large", at=begin)
    return value


def _scale(unit: str, wanted: str) -> float | None:
    """Return how many of the series' own unit one `unit` is, None when it is another thing."""
    if wanted == "B/s" and unit.lower() in _BITS:
        return _BITS[unit.lower()] / 8
    if wanted in {"B", "B/s"}:
        per_s = wanted == "B/s"
        plain = unit[:-2] if per_s and unit.endswith("/s") else unit
        if per_s and plain == unit and unit.lower().endswith("ps"):
            plain = unit[:-2]
        if per_s and plain == unit:
            return None
        return unit_scale(plain)
    if wanted == "s":
        return _TIMES.get(unit.lower())
    if wanted == "1/s":
        return 1.0 if unit.lower() in {"/s", "ops/s", "iops", "packets/s", "pkts/s"} else None
    return 1.0 if wanted and unit.lower() in {wanted, "percent"} else None


def _duration(reader: _Reader) -> float:
    number = reader.take("number")
    if number is None:
        reader.refuse("a duration is expected", "e.g. '30 s', '5 min'")
    begin = reader.begin
    unit = reader.take("word")
    scale = _TIMES.get((unit or "").lower())
    if scale is None:
        reader.refuse(
            f"{unit!r} is no unit of time" if unit else "a unit of time is expected",
            "ms, s, min or h",
            at=reader.begin if unit else None,
        )
    seconds = float(number) * scale
    if not 0 <= seconds <= 366 * 86400:
        reader.refuse("a duration is from 0 s to a year", at=begin)
    return seconds


def _held(reader: _Reader) -> float | None:
    return _duration(reader) if reader.word("for") else None


def _clear(reader: _Reader, series: Series, compare: str, value: float) -> float | None:
    if not reader.word("clear", "at"):
        return None
    begin = reader.next
    level = _value(reader, series)
    if compare in {"==", "!="}:
        reader.refuse(f"{compare} has no other level to clear at", "leave it out", at=begin)
    if (level > value) if compare[0] == ">" else (level < value):
        side = "above" if compare[0] == ">" else "below"
        reader.refuse(f"a level to clear at cannot be {side} the one that fires", at=begin)
    return level
