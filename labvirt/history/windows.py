"""What sources on disk do alike: put pieces of a window together, read all subjects at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labvirt.history.source import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from labvirt.history.source import Form, Source
    from labvirt.status.sample import Mark, Subject
    from labvirt.status.series import Kind

__all__ = ["Loaded", "joined", "limits"]


def limits(start: float | None, end: float | None) -> tuple[float, float]:
    """Return a span of time without open ends."""
    return (-np.inf if start is None else start), (np.inf if end is None else end)


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


class Loaded:
    """A source whose windows were read together, so that a table does not read one by one."""

    def __init__(self, source: Source, load: Callable[[], Mapping[Subject, Window]]) -> None:
        self._source = source
        self._load = load
        self._windows: Mapping[Subject, Window] | None = None

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and last sample."""
        return self._source.span()

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are samples of."""
        return self._source.subjects(kind)

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain."""
        return self._source.name(uuid)

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return what was read of a subject."""
        del kind, start, end
        if self._windows is None:
            self._windows = self._load()
        found = self._windows.get(subject)
        return found or Window(np.empty(0), np.empty((len(fields), 0)))

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened."""
        return self._source.marks(start=start, end=end)

    def df(
        self,
        kind: Kind = "domain",
        *,
        fields: Sequence[str] | None = None,
        domains: Iterable[str] | None = None,
        start: float | None = None,
        end: float | None = None,
        form: Form = "long",
    ) -> pd.DataFrame:
        """Return samples as a table."""
        return self._source.df(
            kind, fields=fields, domains=domains, start=start, end=end, form=form
        )
