"""What all sources do alike: check what is asked for, put pieces of a window together."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from labvirt.errors import SpecError
from labvirt.history.source import Window
from labvirt.status.series import KINDS, series_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from labvirt.status.series import Kind

__all__ = ["joined", "limits", "require_fields"]


def limits(start: float | None, end: float | None) -> tuple[float, float]:
    """Return a span of time without open ends."""
    return (-np.inf if start is None else start), (np.inf if end is None else end)


def require_fields(kind: Kind, fields: Sequence[str]) -> None:
    """Refuse what is no series.

    Raises:
        SpecError: there is no such kind or series; names the nearest.
    """
    if kind not in KINDS:
        raise SpecError(f"{kind!r} is no kind", hint=f"one of {', '.join(KINDS)}")
    known = [each.name for each in series_of(kind)]
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.3) or known
            raise SpecError(f"{kind} has no series {name!r}", hint=", ".join(near))


def joined(
    times: Sequence[NDArray[np.float64]],
    values: Sequence[NDArray[np.float64]],
    fields: int,
    low: float,
    high: float,
) -> Window:
    """Put pieces together: times rising, each once (the later piece wins), inside the limits."""
    if not times:
        return Window(np.empty(0), np.empty((fields, 0)))
    at = np.concatenate(times)
    all_values = np.concatenate(values, axis=1)
    order = np.argsort(at, kind="stable")
    at = at[order]
    keep = np.append(at[1:] != at[:-1], [True] * min(len(at), 1)) & (at >= low) & (at <= high)
    return Window(at[keep], all_values[:, order[keep]])
