"""Rows in order: the overview as a table, sorted, and who uses most."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.status.series import SERIES
from labvirt.widgets.rows import METRICS, VALUES, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from labvirt.status.filtering import Filter
    from labvirt.widgets.rows import Rows

__all__ = [
    "COLUMNS",
    "FRAME",
    "METRIC_TITLES",
    "TEXTS",
    "facts_of",
    "frame",
    "most",
    "ordered",
    "value",
]

_D: Final = {name: series.definition for (kind, name), series in SERIES.items() if kind == "domain"}
_SPARK: Final = "Sparkline: the last 60 values, all rows on the same scale"

#: Columns of the view: key to title and definition.
COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "name": ("Name", "Name of the domain; of a host with its active and inactive domains"),
    "id": ("ID", "Libvirt's number while the domain is active"),
    "state": ("Status", "State as virsh shows it"),
    "vcpus": ("CPUs", "Virtual CPUs of the domain; CPUs of the host"),
    "cpu": ("CPU", f"{_D['cpu_percent']}. {_SPARK}"),
    "cpu_host": ("CPU of host", _D["cpu_host_percent"]),
    "memory": ("Memory", f"{_D['memory_bytes']}; of a host what is in use"),
    "memory_host": ("Memory %", f"{_D['memory_host_percent']}"),
    "disk": ("Disk I/O", f"Read from and written to all disks together. {_SPARK}"),
    "net": ("Network I/O", f"Received and sent by all interfaces together. {_SPARK}"),
    "host": ("Host", "The host it is on"),
    "tags": ("Tags", "labvirt's tags"),
    "os": ("OS", "Operating system as the definition names it"),
    "address": ("Address", "Addresses that the host's networks have leased to it"),
    "title": ("Title", "The title of the domain"),
    "autostart": ("Autostart", "Whether it starts with the host's daemon"),
}
#: Titles of what "who uses most" can be asked of.
METRIC_TITLES: Final = {
    "cpu": "CPU, % of host",
    "memory": "Memory",
    "disk": "Disk I/O",
    "net": "Network I/O",
}
#: Columns of the DataFrame, with their units.
FRAME: Final[dict[str, str]] = {
    "host": "",
    "name": "",
    "uuid": "",
    "id": "",
    "state": "",
    "active": "",
    "vcpus": "",
    "cpu_percent": "%",
    "cpu_host_percent": "%",
    "memory_bytes": "B",
    "memory_host_percent": "%",
    "disk_read_bytes_s": "B/s",
    "disk_write_bytes_s": "B/s",
    "net_rx_bytes_s": "B/s",
    "net_tx_bytes_s": "B/s",
    "tags": "",
    "stalled_since": "UTC",
    "at": "UTC",
}
_FACTS: Final = {
    "name": "name",
    "vcpus": "vcpus",
    "id": "id",
    "state": "text",
    "host": "host",
    "tags": "tags",
    "os": "os",
    "address": "addresses",
    "title": "title",
}
#: Columns of text.
TEXTS: Final = frozenset({"name", "state", "host", "tags", "os", "address", "title", "autostart"})
_NUMBERS: Final = {"cpu", "cpu_host", "mem", "mem_host", "vcpus", "disk", "net", "id"}
_SUMS: Final = {
    "disk": ("disk_read_bytes_s", "disk_write_bytes_s"),
    "net": ("net_rx_bytes_s", "net_tx_bytes_s"),
}


def value(rows: Rows, row: Row, key: str) -> Any:
    """Return what stands in a column of the view; NaN is "no data"."""
    if key in _FACTS:
        return getattr(row, _FACTS[key])
    if key == "autostart":
        return "yes" if row.autostart else ""
    return _number(rows, row, key)


def _number(rows: Rows, row: Row, key: str) -> float:
    now = dict(zip(VALUES, rows.now[:, rows.slots[row.key]].tolist(), strict=True))
    if key in _SUMS:
        return float(sum(now[name] for name in _SUMS[key]))
    cpu, memory = now["cpu_percent"], now["memory_bytes"]
    if key == "cpu_host" and cpu:
        return float(cpu * now["cpu_share"])
    if key in {"cpu", "cpu_host"}:
        return float(cpu)
    if math.isnan(memory) and row.uuid and row.active and row.memory_bytes:
        memory = float(row.memory_bytes)
    if key == "memory":
        return float(memory)
    host = rows.rows.get((row.host, ""))
    return 100 * memory / host.memory_bytes if host and host.memory_bytes else math.nan


def ordered(
    rows: Rows,
    *,
    sort: str = "name",
    descending: bool = False,
    inactive: bool = True,
    asked: Filter | None = None,
) -> list[Row]:
    """Return the domains, sorted by a column; those without a value last, equal ones by name.

    Args:
        rows: where they are.
        sort: a key of `COLUMNS`.
        descending: the greatest first.
        inactive: those too that are not running.
        asked: only those that fit it.
    """

    def key(row: Row) -> tuple[Any, ...]:
        found = value(rows, row, sort)
        if isinstance(found, str):
            return False, _natural(found)
        if isinstance(found, tuple):
            return False, found
        missing = found is None or math.isnan(found)
        return missing, 0 if missing else (-found if descending else found)

    shown = [row for row in rows.rows.values() if row.uuid and (row.active or inactive)]
    if asked is not None and asked.terms:
        shown = [row for row in shown if asked.fits(facts_of(rows, row))]
    shown.sort(key=lambda row: (_natural(row.name), row.host, row.uuid))
    is_text = sort in TEXTS
    return sorted(shown, key=key, reverse=descending and is_text)


def facts_of(rows: Rows, row: Row) -> Callable[[str], Any]:
    """Return what `labvirt.status.filtering.Filter.fits` asks of a row."""

    def number(field: str) -> float | None:
        if field == "mem" and not row.active:
            return float(row.memory_bytes)
        found = value(rows, row, {"mem": "memory", "mem_host": "memory_host"}.get(field, field))
        return None if found is None or math.isnan(found) else float(found)

    def texts(field: str) -> tuple[str, ...]:
        if not field:
            own = (row.name, row.title, row.description, row.os, row.host, row.text, row.uuid)
            return (*own, *row.tags, *row.addresses, *row.macs)
        found = {
            "tag": row.tags,
            "address": row.addresses,
            "mac": row.macs,
            "has": row.has,
            "autostart": ("yes" if row.autostart else "no",),
            "persistent": ("yes" if row.persistent else "no",),
        }.get(field)
        return (str(getattr(row, field)),) if found is None else found

    return lambda field: number(field) if field in _NUMBERS else texts(field)


def _natural(text: str) -> list[Any]:
    parts = re.split(r"(\d+)", text.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def most(rows: Rows, metric: str, count: int = 5) -> list[tuple[Row, float]]:
    """Return who used most over the time that is kept, with the mean of it.

    Args:
        rows: where they are.
        metric: ``cpu`` (% of its host), ``memory``, ``disk`` or ``net``.
        count: how many at most.
    """
    past = rows.past[:, METRICS.index(metric)].astype(np.float64)
    if metric == "cpu":
        past = past * rows.now[VALUES.index("cpu_share")]
    known = np.isfinite(past)
    means = np.where(known, past, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    found = [
        (row, float(means[rows.slots[key]]))
        for key, row in rows.rows.items()
        if row.uuid and means[rows.slots[key]] > 0
    ]
    return sorted(found, key=lambda each: (-each[1], each[0].name))[:count]


def frame(rows: Rows, shown: Iterable[Row]) -> pd.DataFrame:
    """Return rows as a DataFrame with the columns of `FRAME`; units are in ``.attrs["units"]``."""
    import pandas as pd

    at = pd.to_datetime(rows.at, unit="s", utc=True)
    lines = []
    for row in shown:
        now = dict(zip(VALUES, rows.now[:, rows.slots[row.key]].tolist(), strict=True))
        lines.append(
            {
                "host": row.host,
                "name": row.name,
                "uuid": row.uuid,
                "id": row.id,
                "state": row.text,
                "active": row.active,
                "vcpus": row.vcpus,
                **{name: now[name] for name in VALUES if name != "cpu_share"},
                "cpu_host_percent": value(rows, row, "cpu_host"),
                "memory_bytes": value(rows, row, "memory"),
                "memory_host_percent": value(rows, row, "memory_host"),
                "tags": row.tags,
                "stalled_since": row.stalled_since,
                "at": at,
            }
        )
    found = pd.DataFrame(lines, columns=list(FRAME))
    found["id"] = found["id"].astype("Int64")
    found["stalled_since"] = pd.to_datetime(found["stalled_since"], unit="s", utc=True)
    found.attrs["units"] = {name: unit for name, unit in FRAME.items() if unit}
    return found
