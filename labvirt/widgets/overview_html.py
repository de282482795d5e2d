"""The overview as text that everything can show: a table with pictures, and plain lines.

What `_repr_html_` of a saved overview gives: sparklines are images of their own (``data:``), for
inline SVG is thrown away in a notebook that is not trusted.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from labvirt.widgets.row_order import COLUMNS, METRIC_TITLES, TEXTS, most, ordered, value
from labvirt.widgets.rows import METRICS, POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labvirt.widgets.rows import Row, Rows

__all__ = ["amount", "html", "plain"]

#: So many domains are shown in a saved notebook; the others are counted.
SHOWN: Final = 50

_UNITS: Final = {
    "cpu": "%",
    "cpu_host": "%",
    "memory": "B",
    "memory_host": "%",
    "disk": "B/s",
    "net": "B/s",
}
_COLOURS: Final = {"cpu": "#0072b2", "memory": "#a34a7d", "disk": "#b36b00", "net": "#00805f"}
_WIDE, _HIGH, _FINE = 80, 16, 32


def amount(number: float, unit: str) -> str:
    """Return a number with its unit: bytes by 1024, rates by 1000; a dash is "no data"."""
    if not math.isfinite(number):
        return "–"  # noqa: RUF001
    if unit == "%":
        return f"{number:.1f} %"
    base, prefixes = (1024, ("", "Ki", "Mi", "Gi", "Ti")) if unit == "B" else (1000, tuple("kMGT"))
    prefixes = prefixes if unit == "B" else ("", *prefixes)
    step = 0
    while abs(number) >= base and step < len(prefixes) - 1:
        number, step = number / base, step + 1
    digits = 0 if abs(number) >= 100 or number == int(number) else 1 if abs(number) >= 10 else 2
    return f"{number:.{digits}f} {prefixes[step]}{unit}"


def _text(rows: Rows, row: Row, key: str) -> str:
    found = value(rows, row, key)
    if key in _UNITS:
        return amount(found, _UNITS[key]) if row.active else ""
    if key == "state" and row.stalled_since is not None:
        return f"no answer since {_clock(row.stalled_since)} UTC"
    if key == "state" and row.stale_since is not None:
        return f"{found}, not heard of since {_clock(row.stale_since)} UTC"
    if key in {"tags", "address"}:
        return ", ".join(found)
    return "" if found is None or (key == "vcpus" and not found) else str(found)


def _clock(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%H:%M:%S}"


def _moment(rows: Rows) -> str:
    if not math.isfinite(rows.at):
        return "no values yet"
    return f"{dt.datetime.fromtimestamp(rows.at, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _spark(points: NDArray[np.float32], top: float, colour: str) -> str:
    """Return the address of a picture of a line; empty when nothing is known."""
    runs: list[list[str]] = [[]]
    for place, point in enumerate(points.tolist()):
        if not math.isfinite(point):
            runs.append([])
            continue
        share = min(1.0, point / top) if top > 0 else 0.0
        runs[-1].append(f"{place},{_FINE - 1 - round(share * (_FINE - 2))}")
    lines = "".join(
        "<polyline vector-effect='non-scaling-stroke' points='{}'/>".format(
            " ".join(run if len(run) > 1 else run * 2)
        )
        for run in runs
        if run
    )
    if not lines:
        return ""
    picture = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDE}' height='{_HIGH}' "
        f"viewBox='0 0 {POINTS - 1} {_FINE}' preserveAspectRatio='none' fill='none' "
        f"stroke='{colour}' stroke-width='1.2' stroke-linecap='round'>{lines}</svg>"
    )
    return "data:image/svg+xml;base64," + base64.b64encode(picture.encode()).decode()


def html(rows: Rows, title: str, columns: Sequence[str], shown: Sequence[Row]) -> str:
    """Return a table of the hosts and the first `SHOWN` domains, with the rest counted."""
    hosts = [row for row in rows.rows.values() if not row.uuid]
    kept = list(shown)[:SHOWN]
    tops = _tops(rows)
    parts = [
        f"<div class='labvirt-overview'><b>{escape(title)}</b> ({_moment(rows)})",
        f"<table class='labvirt-table'><caption style='text-align:left'>{_counts(rows)}</caption>",
        "<thead><tr>",
    ]
    for key in columns:
        heading, definition = COLUMNS[key]
        parts.append(f"<th scope='col' title='{escape(definition)}'>{escape(heading)}</th>")
    parts.append("</tr></thead><tbody>")
    for row in [*hosts, *kept]:
        parts.append("<tr>")
        parts += [_cell(rows, row, key, tops) for key in columns]
        parts.append("</tr>")
    parts.append("</tbody></table>")
    if len(shown) > len(kept):
        parts.append(f"<p>and {len(shown) - len(kept)} more domains</p>")
    if not any(row.uuid for row in rows.rows.values()):
        parts.append("<p>No domains.</p>")
    parts += [_leaders(rows), "</div>"]
    return "".join(parts)


def _cell(rows: Rows, row: Row, key: str, tops: dict[str, float]) -> str:
    text = _text(rows, row, key)
    if key == "name":
        short = text if len(text) <= 60 else text[:59] + "…"
        name = escape(short) if row.uuid else f"<b>{escape(short)}</b>"
        return f"<th scope='row' style='text-align:left' title='{escape(text)}'>{name}</th>"
    align = "left" if key in TEXTS else "right"
    picture = ""
    if key in METRICS and row.active and key != "memory":
        points = rows.past[:, METRICS.index(key), rows.slots[row.key]]
        top = tops[key]
        if not row.uuid:
            # A host is more than any of its domains: it has a scale of its own.
            top = max([100.0 if key == "cpu" else 0.0, *points[np.isfinite(points)].tolist()])
        source = _spark(points, top, _COLOURS[key])
        picture = f" <img alt='' src='{source}'>" if source else ""
    return f"<td style='text-align:{align};white-space:nowrap'>{escape(text)}{picture}</td>"


def _tops(rows: Rows) -> dict[str, float]:
    tops = {}
    slots = [slot for key, slot in rows.slots.items() if key[1]]
    for at, metric in enumerate(METRICS):
        seen = rows.past[:, at, slots]
        seen = seen[np.isfinite(seen)]
        tops[metric] = float(seen.max()) if len(seen) else 0.0
    tops["cpu"] = max(100.0, tops["cpu"])
    return tops


def _counts(rows: Rows) -> str:
    domains = [row for row in rows.rows.values() if row.uuid]
    active = sum(row.active for row in domains)
    return f"{active} active, {len(domains) - active} inactive domains"


def _leaders(rows: Rows) -> str:
    parts = []
    for metric, heading in METRIC_TITLES.items():
        found = most(rows, metric)
        if found:
            unit = _UNITS["cpu_host" if metric == "cpu" else metric]
            names = ", ".join(f"{row.name[:60]} {amount(mean, unit)}" for row, mean in found)
            parts.append(f"<li>{escape(heading)}: {escape(names)}</li>")
    if not parts:
        return ""
    return f"<details><summary>Who uses most</summary><ul>{''.join(parts)}</ul></details>"


def plain(rows: Rows, title: str) -> str:
    """Return a few lines that a search finds."""
    lines = [f"{title}, {_moment(rows)}: {_counts(rows)}"]
    for row in ordered(rows, sort="cpu", descending=True, inactive=False)[:SHOWN]:
        keys = ("name", "state", "cpu", "memory", "disk", "net")
        lines.append("  " + "  ".join(_text(rows, row, key) for key in keys))
    return "\n".join(lines)
