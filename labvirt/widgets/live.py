"""Live: a board's values as the samplers of its hosts give them."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from labvirt.history.merged import Merged
from labvirt.widgets.boards import Known
from labvirt.widgets.feed import Tick
from labvirt.widgets.lacking import notes_of
from labvirt.widgets.picking import Picker, lines_of, window_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.history.source import Source
    from labvirt.status.sample import Mark, Sample, Subject
    from labvirt.status.series import Group, Kind
    from labvirt.widgets.panels import Panel

__all__ = ["LiveDriver", "Sampled"]


class Sampled(Protocol):
    """What is needed of a host."""

    @property
    def name(self) -> str:
        """Its name, as in samples."""
        ...

    @property
    def readonly(self) -> bool:
        """True when it was opened without the right to change anything."""
        ...

    @property
    def sampler(self) -> Any:
        """Reads it for everybody who listens."""
        ...

    @property
    def history(self) -> Source:
        """What the sampler has read."""
        ...


class LiveDriver:
    """Listens to the samplers of one or more hosts and makes one row of each round.

    Args:
        title: heading of the board.
        hosts: whose samplers.
        layout: makes the panels of what is known.
        groups: what to ask for.
        domains: UUIDs that the board is about; None for all of the hosts.
        clock: seconds since 1970.
    """

    span: tuple[float, float] | None = None

    def __init__(
        self,
        title: str,
        hosts: Sequence[Sampled],
        layout: Callable[[Known], tuple[Panel, ...]],
        groups: Sequence[Group],
        *,
        domains: Sequence[str] | None = None,
        window_s: float = 300.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.title, self.hosts, self.groups = title, tuple(hosts), tuple(groups)
        self.domains = None if domains is None else tuple(domains)
        self._layout, self._window_s, self._clock = layout, window_s, clock
        self._listening: list[Any] = []
        self._latest: dict[str, Sample] = {}
        self._fresh: set[str] = set()
        self._seen: dict[Kind, dict[Subject, float]] = {}
        self._tables: dict[tuple[str, Kind], object] = {}
        self._last_at = -np.inf
        self._panels: tuple[Panel, ...] | None = None
        self._picker = Picker(())
        self._told: set[Mark] = set()
        self._watched: tuple[Any, ...] = ()
        self._lock = threading.RLock()
        self._names: dict[str, str] = {}
        self.started_at = clock()

    # -- what the feed asks ----------------------------------------------------------------------

    @property
    def interval_s(self) -> float:
        """Seconds between two rows: those of the slowest host."""
        return float(max(host.sampler.interval_s for host in self.hosts))

    def start(self, tell: Callable[[Tick], None]) -> None:
        """Listen to every host."""

        def take(sample: Sample) -> None:
            tick = self.take(sample)
            if tick is not None:
                tell(tick)

        # From here on only what is new: a board that rested has an old picture.
        self._latest.clear()
        self._fresh.clear()
        self._last_at = -np.inf
        self.started_at = self._clock()
        domains = self.domains
        self._listening = [
            host.sampler.listen(take, groups=self.groups, domains=domains) for host in self.hosts
        ]

    def stop(self) -> None:
        """Listen no more."""
        listening, self._listening = self._listening, []
        for each in listening:
            each.close()

    def panels(self) -> tuple[Panel, ...]:
        """Return what is drawn now."""
        with self._lock:
            if self._panels is None:
                self._arrange()
            assert self._panels is not None
            return self._panels

    def window(self, seconds: float) -> NDArray[np.float64]:
        """Return what the hosts' histories have of the last seconds."""
        with self._lock:
            lines = lines_of(self.panels())
            newest = self._last_at if np.isfinite(self._last_at) else self._clock()
            end = None if np.isinf(self._last_at) else self._last_at
            block = window_of(
                lines,
                self.source,
                start=newest - seconds,
                end=end,
                interval_s=self.interval_s,
            )
            if block.shape[1]:
                self._last_at = max(self._last_at, float(block[0, -1]))
            return block

    def marks(self, seconds: float) -> tuple[Mark, ...]:
        """Return what happened in the last seconds."""
        found = self._marks(self._clock() - seconds)
        self._told = set(found)
        return found

    def state(self) -> dict[str, Any]:
        """Return what the board is like; see `Driver.state`."""
        with self._lock:
            latest = tuple(self._latest.values())
            stalled = [
                {"name": sample.names.get(uuid, uuid), "since": since}
                for sample in latest
                for uuid, since in sorted(sample.stalled.items())
                if self._is_ours(uuid)
            ]
            state: dict[str, Any] = {}
            if stalled:
                state["stalled"] = stalled
            if latest:
                state |= notes_of(self, latest)
            return state

    @property
    def source(self) -> Source:
        """What the samplers of all its hosts have read."""
        if len(self.hosts) == 1:
            return self.hosts[0].history
        return Merged(host.history for host in self.hosts)

    def since(self, seconds: float) -> float:
        """Return the time that was so many seconds ago."""
        return self._clock() - seconds

    def control(self, message: Mapping[str, Any]) -> bool:
        """Live values cannot be played or sought."""
        del message
        return False

    # -- what samplers say -----------------------------------------------------------------------

    def take(self, sample: Sample) -> Tick | None:
        """Take a sample; return a tick when every host has given one."""
        with self._lock:
            # A host that gives a second one does not wait for those that are late.
            early = self._round() if sample.host in self._fresh else None
            self._latest[sample.host] = sample
            self._fresh.add(sample.host)
            if self._learn(sample):
                return self._round(anew=True)
            if early is not None:
                return early
            return self._round() if len(self._fresh) == len(self.hosts) else None

    def _round(self, *, anew: bool = False) -> Tick | None:
        self._fresh.clear()
        at = max(sample.at for sample in self._latest.values())
        back = at < self._last_at - self.interval_s
        if at <= self._last_at and not back:
            return None
        old = at - 3 * self.interval_s
        for name in [name for name, sample in self._latest.items() if sample.at < old]:
            del self._latest[name]
        self._last_at = at
        marks = self._news()
        if anew or back:
            return Tick(anew=True, marks=marks)
        return Tick(rows=self._picker.row(self._latest, at)[None, :], marks=marks)

    # -- who there is ------------------------------------------------------------------------------

    def _is_ours(self, uuid: str) -> bool:
        return self.domains is None or uuid in self.domains

    def _learn(self, sample: Sample) -> bool:
        """Note who there is; return whether the panels are other ones for it."""
        changed = False
        for uuid, name in sample.names.items():
            if self._names.get(uuid) != name and self._is_ours(uuid):
                self._names[uuid] = name
                changed = True
        for kind, table in sample.tables.items():
            if self._tables.get((sample.host, kind)) is not table.subjects:
                self._tables[sample.host, kind] = table.subjects
                seen = self._seen.setdefault(kind, {})
                changed |= any(each not in seen for each in table.subjects)
                seen |= dict.fromkeys(table.subjects, sample.at)
        changed |= self._expire(sample)
        alerts = self._alerts()
        changed |= alerts != self._watched
        self._watched = alerts
        if not changed and self._panels is not None:
            return False
        before = self._panels
        self._arrange()
        return self._panels != before

    def _expire(self, sample: Sample) -> bool:
        """Forget who was not there for as long as the board looks back."""
        if sample.number % 10:
            return False
        found = False
        for kind, seen in self._seen.items():
            table = sample.tables.get(kind)
            if table is not None:
                seen.update(dict.fromkeys(table.subjects, sample.at))
            gone = [
                each
                for each, at in seen.items()
                if each.host == sample.host and at < sample.at - self._window_s
            ]
            for each in gone:
                del seen[each]
            found |= bool(gone)
        return found

    def _arrange(self) -> None:
        if not self._seen:
            self._recall()
        subjects: dict[Kind, Sequence[Subject]] = {
            kind: [each for each in seen if not each.uuid or self._is_ours(each.uuid)]
            for kind, seen in self._seen.items()
        }
        known = Known(subjects, self._names, frozenset(self.groups))
        self._panels = self._with_levels(self._layout(known))
        self._picker = Picker(lines_of(self._panels))

    def _alerts(self) -> tuple[Any, ...]:
        return tuple(each for host in self.hosts for each in getattr(host, "alerts", ()))

    def _with_levels(self, panels: tuple[Panel, ...]) -> tuple[Panel, ...]:
        """Return panels with the levels of the alerts that watch what they show."""
        alerts = self._watched = self._alerts()
        if not alerts:
            return panels
        from labvirt.widgets.thresholds import thresholds_of

        return tuple(
            replace(panel, thresholds=thresholds_of(alerts, (line.series for line in panel.lines)))
            for panel in panels
        )

    def _recall(self) -> None:
        """Ask the histories who there was lately, before the first sample comes."""
        now = self._clock()
        source = self.source
        kinds: tuple[Kind, ...] = ("domain", "vcpu", "disk", "interface")
        for kind in kinds:
            for subject in source.subjects(kind):
                if self._is_ours(subject.uuid):
                    self._seen.setdefault(kind, {})[subject] = now
                    self._names.setdefault(subject.uuid, source.name(subject.uuid))

    def latest(self, kind: Kind, column: int) -> dict[Subject, float]:
        """Return the newest values of one series, by subject."""
        values: dict[Subject, float] = {}
        for sample in self._latest.values():
            table = sample.tables.get(kind)
            if table is not None:
                values |= dict(zip(table.subjects, table.values[:, column].tolist(), strict=True))
        return values

    # -- what happened -----------------------------------------------------------------------------

    def _marks(self, start: float) -> tuple[Mark, ...]:
        found = self.source.marks(start=start)
        return tuple(mark for mark in found if not mark.uuid or self._is_ours(mark.uuid))

    def _news(self) -> tuple[Mark, ...]:
        recent = self._marks(self._clock() - 60)
        new = tuple(mark for mark in recent if mark not in self._told)
        self._told = set(recent) | set(new)
        return new
