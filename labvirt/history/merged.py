"""Merged: several sources read as one, and a domain that moved between hosts as one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from labvirt.history import frames
from labvirt.history.source import Window
from labvirt.status.sample import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from labvirt.history.source import Form, Source
    from labvirt.status.sample import Mark
    from labvirt.status.series import Kind

__all__ = ["Merged"]

#: Ticks that may be missing inside one run of values.
_MISSING = 3


class _Run(NamedTuple):
    """Ticks of one source that follow each other closely."""

    start: float
    end: float
    step: float
    times: NDArray[np.float64]
    values: NDArray[np.float64]


class Merged:
    """Several sources as one `Source`: the hosts of a lab, or a recording and what came after it.

    A subject whose host is empty stands for that domain on whichever host it was. Where it was on
    two at once, as while it migrates, the line stays with the one that had it first until that one
    has it no more. Devices follow their name, so a tap device that is called otherwise on the other
    host is another device.

    Args:
        sources: what is merged.
        follow: `subjects` lists each domain once, with an empty host, whichever hosts it was on.
    """

    def __init__(self, sources: Iterable[Source], *, follow: bool = False) -> None:
        self.sources = tuple(sources)
        self.follow = follow

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and last sample; None when there is none."""
        spans = [span for each in self.sources if (span := each.span()) is not None]
        return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are samples of, those that are gone included."""
        found = (each for source in self.sources for each in source.subjects(kind))
        if self.follow and kind != "host":
            found = (Subject("", each.uuid, each.device) for each in found)
        return tuple(dict.fromkeys(found))

    def name(self, uuid: str) -> str:
        """Return the name that the first source knows, the UUID when none does."""
        return next((n for each in self.sources if (n := each.name(uuid)) != uuid), uuid)

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject, from all sources that know it.

        One source is given as it is. Of several, ticks without any data are left out, and a single
        one with NaN stands where there was a gap.

        Raises:
            SpecError: there is no such series.
        """
        return self.windows(kind, (subject,), fields, start=start, end=end)[0]

    def windows(
        self,
        kind: Kind,
        subjects: Sequence[Subject],
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> list[Window]:
        """Return one window per subject, as `window` does, each source asked once.

        Raises:
            SpecError: there is no such series.
        """
        count = len(frames.columns_of(kind, fields))
        found: list[list[Window]] = [[] for _ in subjects]
        for source in self.sources:
            known: dict[Subject, list[Subject]] = {}
            for each in source.subjects(kind):
                for alias in {each, each._replace(host="") if each.uuid else each}:
                    known.setdefault(alias, []).append(each)
            asked = [
                (place, its) for place, each in enumerate(subjects) for its in known.get(each, ())
            ]
            windows = frames.windows_of(
                source, kind, [its for _, its in asked], fields, start=start, end=end
            )
            for (place, _), window in zip(asked, windows, strict=True):
                found[place].append(window)
        return [_merged(each, count) for each in found]

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time; what two sources tell alike stands once."""
        found = (mark for each in self.sources for mark in each.marks(start=start, end=end))
        return tuple(sorted(dict.fromkeys(found), key=lambda mark: mark.at))

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
        """Return samples as a table: see `labvirt.history.frames.frame`.

        Raises:
            SpecError: there is no such series, kind, form or domain; names the nearest.
        """
        return frames.frame(
            self, kind, fields=fields, domains=domains, start=start, end=end, form=form
        )


def _merged(windows: Sequence[Window], fields: int) -> Window:
    if len(windows) == 1:
        return windows[0]
    runs = [run for window in windows for run in _runs(window)]
    return _joined(sorted(runs, key=lambda run: run.start), fields)


def _runs(window: Window) -> list[_Run]:
    """Return the pieces of a window in which something is known again and again."""
    known = ~np.isnan(window.values).all(axis=0)
    times, values = window.times[known], window.values[:, known]  # noqa: PD011
    if not times.size:
        return []
    step = float(np.median(np.diff(window.times))) if len(window.times) > 1 else 0.0
    cuts = np.flatnonzero(np.diff(times) > _MISSING * step) + 1
    return [
        _Run(float(t[0]), float(t[-1]), step, t, v)
        for t, v in zip(np.split(times, cuts), np.split(values, cuts, axis=1), strict=True)
    ]


def _joined(runs: Sequence[_Run], fields: int) -> Window:
    """Put runs behind each other; what overlaps is left to the one that began first."""
    times: list[NDArray[np.float64]] = [np.empty(0)]
    values: list[NDArray[np.float64]] = [np.empty((fields, 0))]
    until: float | None = None
    for run in runs:
        later = slice(None) if until is None else run.times > until
        its = run.times[later]
        if not its.size:
            continue
        if until is not None and its[0] - until > (_MISSING + 1) * run.step:
            times.append(np.array([until + min(run.step or 1.0, (its[0] - until) / 2)]))
            values.append(np.full((fields, 1), np.nan))
        times.append(its)
        values.append(run.values[:, later])  # noqa: PD011
        until = float(its[-1])
    return Window(np.concatenate(times), np.concatenate(values, axis=1))
