"""Frames for other programs: JSON lines and CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from labvirt.top.frame import DomainLine

if TYPE_CHECKING:
    from labvirt.top.frame import Frame

__all__ = ["CSV_COLUMNS", "csv_text", "to_dict"]

#: ``kind`` is ``host`` or ``domain``; what a line does not have, or is not known, is empty.
CSV_COLUMNS = (
    "time",
    "kind",
    *DomainLine.__dataclass_fields__,
    "uri",
    "guests_active",
    "guests_cpu_percent",
    "guests_memory_bytes",
)


def to_dict(frame: Frame) -> dict[str, Any]:
    """Return a frame as what JSON knows; a number that is not known is None.

    Keys: ``time`` (ISO 8601, UTC), ``interval_s``, ``sort``; ``hosts``: a list with the fields of
    `HostLine`, ``domains``: a list with those of `DomainLine`. The unit is the end of each name:
    ``_percent``, ``_bytes``, ``_bytes_s`` (bytes a second); ``at`` and ``stalled_since`` are ISO
    8601, UTC. ``cpu_percent`` of a domain is of what its vCPUs could use, ``cpu_host_percent`` of
    what all CPUs of the host could give.
    """
    return {
        "time": _iso(frame.at),
        "interval_s": frame.interval_s,
        "sort": frame.sort,
        "hosts": [_plain(asdict(line)) for line in frame.hosts],
        "domains": [_plain(asdict(line)) for line in frame.domains],
    }


def csv_text(frame: Frame, *, header: bool) -> str:
    """Return a frame as CSV: a line for each host, then one for each domain."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    told = to_dict(frame)
    for kind in ("host", "domain"):
        for line in told[f"{kind}s"]:
            writer.writerow({"time": told["time"], "kind": kind, **line})
    return out.getvalue()


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    for name, value in line.items():
        if isinstance(value, float) and not math.isfinite(value):
            line[name] = None
        elif name in ("at", "stalled_since") and value is not None:
            line[name] = _iso(value)
        elif isinstance(value, float):
            line[name] = int(value) if value.is_integer() else round(value, 4)
    return line


def _iso(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")
