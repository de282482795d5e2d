"""The past of rows: what a history or recording kept of them before anybody looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from labvirt.widgets.rows import DOMAIN_FIELDS, HOST_FIELDS, POINTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from labvirt.history.source import Source, Window
    from labvirt.status.sample import Subject
    from labvirt.status.series import Kind

__all__ = ["past_of"]


def past_of(
    source: Source, subjects: Iterable[Subject], end: float, interval_s: float
) -> tuple[NDArray[np.float64], dict[tuple[str, str], NDArray[Any]]]:
    """Return the last `POINTS` moments before a time, and what each subject's numbers were.

    A sample counts for a moment when it is at most half an interval away from it.

    Args:
        source: where samples are kept.
        subjects: hosts (empty UUID) and domains.
        end: the last moment, seconds since 1970, UTC.
        interval_s: seconds between two moments.

    Returns:
        The moments from the first that has any number; and by host and UUID ``[fields, moments]``.
    """
    grid = end - interval_s * np.arange(POINTS - 1, -1, -1.0)
    found: dict[tuple[str, str], NDArray[Any]] = {}
    first = POINTS
    for subject in subjects:
        kind: Kind = "domain" if subject.uuid else "host"
        fields = DOMAIN_FIELDS if subject.uuid else HOST_FIELDS
        asked = tuple(dict.fromkeys(fields))
        start, until = grid[0] - interval_s, end + interval_s
        window = source.window(kind, subject, asked, start=start, end=until)
        values = _on(grid, window, interval_s)[[asked.index(name) for name in fields]]
        known = np.flatnonzero(np.isfinite(values).any(axis=0))
        if len(known):
            found[subject.host, subject.uuid] = values
            first = min(first, int(known[0]))
    return grid[first:], {key: values[:, first:] for key, values in found.items()}


def _on(grid: NDArray[np.float64], window: Window, interval_s: float) -> NDArray[np.float64]:
    values = np.full((len(window.values), len(grid)), np.nan)
    if not len(window.times):
        return values
    after = np.searchsorted(window.times, grid).clip(1, max(1, len(window.times) - 1))
    if len(window.times) == 1:
        nearest = np.zeros(len(grid), dtype=np.intp)
    else:
        closer = grid - window.times[after - 1] <= window.times[after] - grid
        nearest = after - closer
    fits = np.abs(window.times[nearest] - grid) <= 0.51 * interval_s
    values[:, fits] = window.values[:, nearest[fits]]
    return values
