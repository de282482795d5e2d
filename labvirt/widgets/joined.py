"""Joined: the histories of several hosts as one source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labvirt.history.source import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from labvirt.history.source import Form, Source
    from labvirt.status.sample import Mark, Subject
    from labvirt.status.series import Kind

__all__ = ["Joined"]


class Joined:
    """A `Source` that asks the history of the host that a subject is of.

    Args:
        sources: by the name of the host.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = dict(sources)

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and last sample of all."""
        spans = [span for each in self._sources.values() if (span := each.span()) is not None]
        if not spans:
            return None
        return min(first for first, _ in spans), max(last for _, last in spans)

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are samples of."""
        return tuple(s for each in self._sources.values() for s in each.subjects(kind))

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain."""
        for each in self._sources.values():
            if (name := each.name(uuid)) != uuid:
                return name
        return uuid

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject."""
        source = self._sources.get(subject.host)
        if source is None:
            return Window(np.empty(0), np.empty((len(fields), 0)))
        return source.window(kind, subject, fields, start=start, end=end)

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time."""
        found = [m for each in self._sources.values() for m in each.marks(start=start, end=end)]
        return tuple(sorted(found, key=lambda mark: mark.at))

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
        """Return samples as a table; see `Source.df`."""
        import pandas as pd

        whom = None if domains is None else tuple(domains)
        frames = [
            each.df(kind, fields=fields, domains=whom, start=start, end=end, form=form)
            for each in self._sources.values()
        ]
        filled = [frame for frame in frames if len(frame)] or frames[:1]
        return filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True)
