"""Frames as a table for people: as wide as the terminal, never wrapped."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from labvirt.top.frame import DomainLine, Frame, HostLine

__all__ = ["draw", "printable"]

_GAP = 2
_SHORTEST_NAME = 8
_NONE = "-"


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its heading, how to read it, and how long it stays when there is no room."""

    head: str
    read: Callable[[DomainLine], str]
    rank: int
    left: bool = False
    style: Callable[[DomainLine], str] = lambda _: ""


def printable(text: str) -> str:
    """Return text whose control characters cannot move the cursor of the reader's terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _percent(value: float) -> str:
    return _NONE if math.isnan(value) else f"{value:.1f}"


def _size(value: float) -> str:
    """Return bytes in four or five characters: 64M is 64 MiB."""
    if math.isnan(value):
        return _NONE
    for unit in ("", "K", "M", "G", "T"):
        if abs(value) < 1000 or unit == "T":
            short = f"{value:.1f}" if unit and abs(value) < 10 else f"{value:.0f}"
            return f"{short}{unit}"
        value /= 1024
    return _NONE


def _state(line: DomainLine) -> str:
    return "stalled" if line.stalled_since is not None else line.state


def _load(value: float) -> str:
    return "bold red" if value >= 90 else "yellow" if value >= 50 else ""


_COLUMNS = (
    _Column("Domain", lambda line: printable(line.name), 0, left=True),
    _Column("Host", lambda line: printable(line.host), 5, left=True),
    _Column(
        "State",
        _state,
        3,
        left=True,
        style=lambda line: "bold red" if line.stalled_since is not None else "",
    ),
    _Column("vCPU", lambda line: _NONE if line.vcpus is None else str(line.vcpus), 8),
    _Column(
        "CPU%", lambda line: _percent(line.cpu_percent), 1, style=lambda r: _load(r.cpu_percent)
    ),
    _Column("Host%", lambda line: _percent(line.cpu_host_percent), 6),
    _Column("Mem", lambda line: _size(line.memory_bytes), 2),
    _Column("Used", lambda line: _size(line.memory_used_bytes), 7),
    _Column("Read/s", lambda line: _size(line.disk_read_bytes_s), 4),
    _Column("Write/s", lambda line: _size(line.disk_write_bytes_s), 4),
    _Column("Rx/s", lambda line: _size(line.net_rx_bytes_s), 4),
    _Column("Tx/s", lambda line: _size(line.net_tx_bytes_s), 4),
)
#: Which column a sort belongs to, for its mark.
_SORTED = {"cpu": "CPU%", "memory": "Mem", "disk": "Read/s", "network": "Rx/s", "name": "Domain"}


def draw(frame: Frame, *, width: int, height: int | None = None, keys: bool = False) -> Group:
    """Return a frame as lines no longer than `width`.

    Columns that have no room are left out, the least needed first; then names are cut.

    Args:
        frame: what to show.
        width: columns of the terminal.
        height: lines of the terminal; what does not fit is counted. None shows everything.
        keys: add a line that says which keys do what.
    """
    lines = [_title(frame), *(_host_line(host) for host in frame.hosts)]
    foot = [Text("c m d n N: sort   q: quit", style="dim")] if keys else []
    room = None if height is None else max(height - len(lines) - len(foot) - 2, 1)
    domains, more = frame.domains, 0
    if room is not None and len(domains) > room:
        domains, more = domains[: max(room - 1, 0)], len(domains) - max(room - 1, 0)
    lines += _table(frame, domains, width)
    if not frame.domains:
        lines.append(
            Text("No active domains." if not frame.hidden else "No domain fits.", style="dim")
        )
    if more:
        lines.append(Text(f"... {more} more", style="dim"))
    return Group(*(_cut(line, width) for line in (*lines, *foot)))


def _cut(line: Text, width: int) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    line.truncate(width, overflow="ellipsis")
    return line


def _title(frame: Frame) -> Text:
    at = dt.datetime.fromtimestamp(frame.at).astimezone()
    count = f"{len(frame.domains)} active domain{'s' * (len(frame.domains) != 1)}"
    hidden = f" ({frame.hidden} left out)" if frame.hidden else ""
    return Text(
        f"labvirt top {at:%H:%M:%S}  every {frame.interval_s:g} s  {count}{hidden}, by {frame.sort}",
        style="bold",
    )


def _host_line(host: HostLine) -> Text:
    name = printable(host.host)
    if host.state != "connected":
        since = "" if math.isnan(host.at) else f", last seen {_clock(host.at)}"
        return Text(f"{name}: {host.state}{since}", style="bold red")
    if math.isnan(host.at):
        return Text(f"{name}: not read yet", style="dim")
    words = [
        f"CPU {_percent(host.cpu_percent)} % (guests {_percent(host.guests_cpu_percent)} %)",
        f"memory {_size(host.memory_used_bytes)}/{_size(host.memory_bytes)}",
        f"disk r {_size(host.disk_read_bytes_s)}/s w {_size(host.disk_write_bytes_s)}/s",
        f"net rx {_size(host.net_rx_bytes_s)}/s tx {_size(host.net_tx_bytes_s)}/s",
    ]
    return Text(f"{name}: " + "  ".join(words))


def _clock(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds).astimezone():%H:%M:%S}"


def _table(frame: Frame, domains: Sequence[DomainLine], width: int) -> list[Text]:
    columns = [each for each in _COLUMNS if len(frame.hosts) > 1 or each.head != "Host"]
    cells = {each.head: [each.read(line) for line in domains] for each in columns}
    widths = {each.head: _widest((each.head + " ", *cells[each.head])) for each in columns}
    # A name gives way before a column does, down to what can still be told apart.
    while len(columns) > 1 and _needed(columns, widths, short=True) > width:
        last = max(each.rank for each in columns)
        columns = [each for each in columns if each.rank != last]
    spare = width - _needed(columns, widths, short=False)
    if spare < 0:
        widths["Domain"] = max(widths["Domain"] + spare, 1)
    made = [Text()]
    for each in columns:
        mark = "↓" if _SORTED[frame.sort] == each.head else ""
        _put(made[0], each, each.head + mark, widths[each.head], "bold underline")
    for number, line in enumerate(domains):
        text = Text()
        for each in columns:
            _put(text, each, cells[each.head][number], widths[each.head], each.style(line))
        made.append(text)
    return made


def _widest(texts: Iterable[str]) -> int:
    return max(cell_len(text) for text in texts)


def _needed(columns: Sequence[_Column], widths: dict[str, int], *, short: bool) -> int:
    sizes = [
        min(widths[each.head], _SHORTEST_NAME)
        if short and each.head == "Domain"
        else widths[each.head]
        for each in columns
    ]
    return sum(sizes) + _GAP * (len(sizes) - 1)


def _put(line: Text, column: _Column, text: str, width: int, style: str) -> None:
    if line.cell_len:
        line.append(" " * _GAP)
    size = cell_len(text)
    if size > width:
        text = set_cell_size(text, max(width - 1, 0)) + "…"
    pad = " " * max(width - size, 0)
    line.append(text if column.left else pad)
    line.append(pad if column.left else text)
    if style:
        line.stylize(
            style, line.cell_len and len(line.plain) - len(text) - (len(pad) if column.left else 0)
        )
