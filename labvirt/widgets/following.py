"""Following: a domain that moves to another host stays one line on its board.

The board knows its domains as those of the host where they were at first, its home.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from labvirt.history.merged import Merged
from labvirt.status.sample import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from labvirt.history.source import Form, Source, Window
    from labvirt.status.sample import Mark, Sample, Subject
    from labvirt.status.series import Kind

__all__ = ["Followed", "Follower"]


class Follower:
    """Tells domains that moved as those of their home.

    Args:
        homes: UUID to the name of the host where a domain was at first.
    """

    def __init__(self, homes: Mapping[str, str]) -> None:
        self.homes = dict(homes)
        self._is_on: dict[str, str] = {}
        self._told: dict[tuple[str, Kind], _Told] = {}

    def at_home(self, subject: Subject) -> Subject:
        """Return a domain, or a part of it, as one of its home."""
        home = self.homes.get(subject.uuid)
        return subject if home is None else subject._replace(host=home)

    def missing(self, samples: Iterable[Sample]) -> list[str]:
        """Return the domains that none of the hosts has now."""
        there = {uuid for sample in samples for uuid in sample.names}
        return [uuid for uuid in self.homes if uuid not in there]

    def told(self, sample: Sample, latest: Mapping[str, Sample]) -> Sample:
        """Return a sample without the domains that are on another host, others as of their home.

        While two hosts have a domain, as during its move, it is told by the one it was on.
        """
        for uuid in self.homes:
            now = {**latest, sample.host: sample}
            hosts = [name for name, each in now.items() if uuid in each.names]
            if hosts and self._is_on.get(uuid) not in hosts:
                self._is_on[uuid] = hosts[0]
        elsewhere = {uuid for uuid, host in self._is_on.items() if host != sample.host}
        tables = {kind: self._table(sample.host, table, elsewhere)
                  for kind, table in sample.tables.items()}  # fmt: skip
        return replace(sample, tables=tables)

    def _table(self, host: str, table: Table, elsewhere: set[str]) -> Table:
        left = frozenset(elsewhere)
        told = self._told.get((host, table.kind))
        if told is None or told.given is not table.subjects or told.left != left:
            rows = [at for at, each in enumerate(table.subjects) if each.uuid not in left]
            subjects = tuple(self.at_home(table.subjects[at]) for at in rows)
            told = self._told[host, table.kind] = _Told(table.subjects, left, rows, subjects)
        return Table(table.kind, told.subjects, table.values[told.rows])  # noqa: PD011


class _Told(NamedTuple):
    """How a table was told: of whom, without whom, which rows, as whom."""

    given: tuple[Subject, ...]
    left: frozenset[str]
    rows: list[int]
    subjects: tuple[Subject, ...]


class Followed:
    """A `Source` of domains that moved, asked for as those of their home.

    Args:
        sources: the histories of the hosts where they were.
        follower: knows their homes.
    """

    def __init__(self, sources: Iterable[Source], follower: Follower) -> None:
        self._all, self._follower = Merged(sources), follower

    def span(self) -> tuple[float, float] | None:
        """Return the times of the first and last sample of all."""
        return self._all.span()

    def subjects(self, kind: Kind) -> tuple[Subject, ...]:
        """Return whom there are samples of."""
        found = (self._follower.at_home(each) for each in self._all.subjects(kind))
        return tuple(dict.fromkeys(found))

    def name(self, uuid: str) -> str:
        """Return the last known name of a domain."""
        return self._all.name(uuid)

    def window(
        self,
        kind: Kind,
        subject: Subject,
        fields: Sequence[str],
        *,
        start: float | None = None,
        end: float | None = None,
    ) -> Window:
        """Return some series of one subject, wherever it was."""
        asked = subject._replace(host="") if subject.uuid in self._follower.homes else subject
        return self._all.window(kind, asked, fields, start=start, end=end)

    def marks(self, *, start: float | None = None, end: float | None = None) -> tuple[Mark, ...]:
        """Return what happened, in order of time."""
        return self._all.marks(start=start, end=end)

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
        """Return samples as a table, each row with the host where it was; see `Source.df`."""
        return self._all.df(kind, fields=fields, domains=domains, start=start, end=end, form=form)
