"""Machine: what only this machine itself knows of its disks and network cards."""

from __future__ import annotations

import math

import psutil

__all__ = ["UNKNOWN", "machine_counters"]

UNKNOWN = (math.nan,) * 4
#: Made of others, so that their bytes would count twice.
_STACKED = ("loop", "ram", "zram", "dm-", "md")


def machine_counters() -> tuple[float, float, float, float]:
    """Return bytes that block devices have read and written, and cards received and sent.

    Of disks only whole ones count, not their partitions, nor devices made of others. Of network
    cards all but the loopback, bridges' ports included.
    """
    return (*_disks(), *_cards())


def _disks() -> tuple[float, float]:
    try:
        each = psutil.disk_io_counters(perdisk=True, nowrap=False)
    except (OSError, RuntimeError, NotImplementedError):
        return math.nan, math.nan
    names = sorted(each)
    whole = [
        name for name in names if not name.startswith(_STACKED) and not _is_partition(name, names)
    ]
    if not whole:
        return math.nan, math.nan
    return (
        float(sum(each[name].read_bytes for name in whole)),
        float(sum(each[name].write_bytes for name in whole)),
    )


def _is_partition(name: str, names: list[str]) -> bool:
    stem = name.rstrip("0123456789")
    if stem == name:
        return False
    return stem in names or (stem.endswith("p") and stem[:-1] in names and stem[-2:-1].isdigit())


def _cards() -> tuple[float, float]:
    try:
        each = psutil.net_io_counters(pernic=True, nowrap=False)
    except (OSError, RuntimeError):
        return math.nan, math.nan
    cards = [counters for name, counters in each.items() if name != "lo"]
    return float(sum(c.bytes_recv for c in cards)), float(sum(c.bytes_sent for c in cards))
