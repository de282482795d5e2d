"""Rates: readings of counters in, one sample of rates and levels out.

Pure: no clock is read, nothing is asked; the same readings always give the same samples. How two
readings become a rate is told at `labvirt.status.track.Track.update`; what each series means, at
`labvirt.status.series`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from labvirt.status.ownership import Ownership
from labvirt.status.sample import Mark, Sample, Subject, Table
from labvirt.status.series import series_of
from labvirt.status.track import GROUPS_OF, Track
from labvirt.status.values import (
    SUMMED,
    Moment,
    among,
    device_values,
    domain_values,
    fill_guests,
    fill_host,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.status.sample import Reading
    from labvirt.status.series import Kind

__all__ = ["Rates"]

_STATE, _VCPUS, _UPDATED = 0, 1, 8  # columns of domains
_OFF, _CRASHED = 5.0, 6.0  # VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_CRASHED: no hypervisor process
_MAIN, _BALLOON = 0, 2  # groups of columns of domains
#: Kinds that every tick reads; the others are read in turns.
_EACH_TICK = ("domain", "interface")
#: Clocks that differ by less are the same clock, a little late.
_CLOCK_STEP_S = 1.0


class Rates:
    """Makes samples of one host from readings.

    Rules beside those of one counter:
        * Domain rows are those of the newest complete reading of domains. A domain that left it
          and comes back, or whose CPU time fell (started anew, migrated, QEMU restarted), begins
          another life: it and all its devices have no data until they were read twice in it.
        * CPU % of the guest takes the larger of the vCPUs at both ends, so that hot-plug makes no
          spike. It may pass 100 a little: QEMU's own threads count, as in libvirt.
        * Totals of a domain sum what is known of its devices. A device read for the first time
          adds nothing yet, one that is gone nothing more: plugging makes no spike.
        * Latency is time / requests, of all requests finished between two readings; no data when
          none was.
        * What is not in this tick's readings keeps its value: of the main tick (domains and
          interfaces) for 3 intervals, at least 1 s; of the rest for `hold_s`, at least 3
          intervals. Then it is NaN, and a kind of which nothing is left is absent.
        * Of a stalled domain, what its hypervisor would have to say (disks, memory used) is NaN
          at once; CPU, memory and network come from the daemon and go on.
        * Memory used is NaN where the balloon is silent: no figure, or one that the guest renewed
          longer than `balloon_s` ago, or never. "Ago" is told from the figure's own time changing,
          since the clock of another machine may be wrong.
        * A gap (sleep, a daemon that hung) is averaged over, and `marks` then holds a ``gap``; a
          step of the wall clock gives a ``clock`` mark.

    Attributes:
        hold_s: how long values of disks, vCPUs, steal, balloon and host are held: three rounds of
            the slow tier. May be changed at any time.
        balloon_s: how long a guest may take to renew its balloon figures.
        marks: what the last `take` noticed.
    """

    def __init__(
        self,
        host: str,
        *,
        host_cpus: int,
        host_memory_bytes: float,
        hold_s: float = 15.0,
        balloon_s: float = 30.0,
    ) -> None:
        self.hold_s = hold_s
        self.balloon_s = balloon_s
        self.marks: tuple[Mark, ...] = ()
        self._host = host
        self._cpus = float(host_cpus) if host_cpus > 0 else np.nan
        self._memory = float(host_memory_bytes) if host_memory_bytes > 0 else np.nan
        self._tracks: dict[Kind, Track] = {}
        self._owned: dict[Kind, Ownership] = {}
        self._lives_kept: dict[Kind, tuple[Ownership, int, NDArray[np.int64]]] = {}
        self._row_of: dict[str, int] = {}
        self._lives = 0
        self._last: tuple[float, float, bool] | None = None  # at, clock, whether it was read

    def take(
        self,
        readings: Sequence[Reading],
        *,
        at: float,
        number: int,
        interval_s: float,
        names: Mapping[str, str] | None = None,
        stalled: Mapping[str, float] | None = None,
    ) -> Sample:
        """Return the sample after these readings.

        Args:
            readings: at most one per kind, or several slices of a kind.
            at: seconds since 1970, UTC.
            number: of the tick.
            interval_s: seconds between two ticks, as it is now.
            names: UUID to name.
            stalled: UUID to the time since when its hypervisor process gives no answer.
        """
        now = self._clock(readings, at, interval_s)
        for reading in sorted(readings, key=lambda each: each.kind != "domain"):
            self._read(reading, at, now)
        tables = self._tables(now, interval_s, stalled or {})
        return Sample(
            self._host, number, at, interval_s, tables, dict(names or {}), dict(stalled or {})
        )

    # Time -------------------------------------------------------------------------------------

    def _clock(self, readings: Iterable[Reading], at: float, interval_s: float) -> float:
        """Return the newest clock of these readings; mark gaps and steps of the wall clock.

        Without a row there is no clock: then it is the last one, and what went by on the wall's.
        """
        clocks = [float(each.clocks.max()) for each in readings if each.clocks.size]
        last_at, last_now, was_read = self._last or (at, 0.0, False)
        wall = at - last_at
        now = max(clocks) if clocks else last_now + max(0.0, wall)
        passed = now - last_now if clocks and was_read else wall
        found = []
        if passed > max(3 * interval_s, 1.0):
            text = f"no sample for {passed:.0f} s: asleep, or there was no answer"
            found.append(Mark(at, "gap", self._host, text=text))
        if abs(wall - passed) > _CLOCK_STEP_S:
            way = "forward" if wall > passed else "back"
            text = f"the clock was set {way} by {abs(wall - passed):.0f} s"
            found.append(Mark(at, "clock", self._host, text=text))
        self._last = (at, now, bool(clocks))
        self.marks = tuple(found)
        return now

    # Reading ----------------------------------------------------------------------------------

    def _read(self, reading: Reading, at: float, now: float) -> None:
        track = self._tracks.get(reading.kind)
        if track is None:
            track = self._tracks[reading.kind] = Track(reading.kind)
        track.newest = now
        before = track.subjects
        rows = track.align(reading)
        if reading.kind == "domain":
            if track.subjects is not before:
                self._row_of = {each.uuid: row for row, each in enumerate(track.subjects)}
            self._read_domains(track, reading, rows, at)
        elif reading.kind == "host":
            track.update(reading, rows)
        else:
            lives = self._lives_of(reading.kind)
            anew = np.zeros(len(track.subjects), dtype=bool)
            anew[rows] = (lives != track.epochs)[rows]
            if anew.any():
                track.forget(anew)
                track.epochs[anew] = lives[anew]
            track.update(reading, rows)

    def _read_domains(
        self, track: Track, reading: Reading, rows: slice | NDArray[np.intp], at: float
    ) -> None:
        before = track.counters[_VCPUS].copy(), track.counters[_UPDATED].copy()
        back = track.update(reading, rows)
        new = track.epochs < 0
        if back is not None:
            reset = np.zeros(len(track.subjects), dtype=bool)
            reset[rows] = back
            self._restart(track, reset)
            new |= reset
        state = track.counters[_STATE]
        gone = (state == _OFF) | (state == _CRASHED)
        if gone.any():
            track.forget(gone)
            new |= gone
        count = int(np.count_nonzero(new))
        if count:
            track.epochs[new] = np.arange(self._lives, self._lives + count)
            self._lives += count
        if reading.complete:
            vcpus = np.fmax(before[0], track.counters[_VCPUS])
            track.notes[0] = np.where(vcpus > 0, vcpus, np.nan)
        if _BALLOON in track.groups:
            told = track.counters[_UPDATED]
            first_told = np.isnan(before[1]) & (told > 0) & (at - told <= self.balloon_s)
            renewed = (told > before[1]) | first_told
            track.notes[1, renewed] = track.clocks[_BALLOON, renewed]

    @staticmethod
    def _restart(track: Track, reset: NDArray[np.bool_]) -> None:
        """Forget what was read in the life before, and not again in this reading."""
        for group, (first, end, *_) in enumerate(GROUPS_OF["domain"]):
            old = reset & (track.clocks[group] != track.clocks[_MAIN])
            track.counters[first:end, old] = np.nan
            track.clocks[group, old] = np.nan

    def _ownership(self, kind: Kind) -> Ownership:
        devices = self._tracks[kind].subjects
        domains = self._tracks["domain"].subjects if "domain" in self._tracks else ()
        kept = self._owned.get(kind)
        if kept is None or kept.devices is not devices or kept.domains is not domains:
            row_of = self._row_of if domains else {}
            kept = self._owned[kind] = Ownership(devices, domains, row_of)
        return kept

    def _lives_of(self, kind: Kind) -> NDArray[np.int64]:
        """Return the present life of the domain of each device row; -1 when it is not known."""
        owned, domains = self._ownership(kind), self._tracks.get("domain")
        kept = self._lives_kept.get(kind)
        if kept is not None and kept[0] is owned and kept[1] == self._lives:
            return kept[2]
        lives = domains.epochs if domains is not None else np.empty(0, dtype=np.int64)
        its: NDArray[np.int64] = np.append(lives, -1)[owned.owner]
        self._lives_kept[kind] = (owned, self._lives, its)
        return its

    # Tables -----------------------------------------------------------------------------------

    def _tables(
        self, now: float, interval_s: float, stalled: Mapping[str, float]
    ) -> dict[Kind, Table]:
        moment = Moment(
            now,
            max(3 * interval_s, 1.0),
            max(3 * interval_s, self.hold_s),
            self.balloon_s,
            stalled,
            self._cpus,
            self._memory,
        )
        for kind, track in list(self._tracks.items()):
            limit = moment.main_s if kind in _EACH_TICK else moment.slow_s
            if now - track.newest > limit:
                del self._tracks[kind]
        tables: dict[Kind, Table] = {}
        sums: dict[Kind, NDArray[np.float64]] = {}
        for kind in ("vcpu", "disk", "interface"):
            if kind in self._tracks:
                tables[kind], sums[kind] = self._devices(kind, moment)
        domains = self._tracks.get("domain")
        if domains is not None:
            values = domain_values(domains, sums, moment)
            tables["domain"] = Table("domain", domains.subjects, values.T)
        host = self._tracks.get("host")
        if domains is not None or host is not None:
            values = np.full((1, len(series_of("host"))), np.nan)
            fill_host(values[0], host, self._memory)
            if domains is not None:
                fill_guests(values[0], tables["domain"].values.T)
            tables["host"] = Table("host", (Subject(self._host),), values)
        return tables

    def _devices(self, kind: Kind, moment: Moment) -> tuple[Table, NDArray[np.float64]]:
        """Return the table of a kind of device, and its sums by domain."""
        track, owned = self._tracks[kind], self._ownership(kind)
        if "domain" in self._tracks and not owned.complete:  # of some the domain is gone
            track.become([track.subjects[row] for row in np.flatnonzero(owned.owner >= 0)])
            owned = self._ownership(kind)
        limit = moment.main_s if kind in _EACH_TICK else moment.slow_s
        unknown = ~(moment.now - track.clocks[0] <= limit)
        if "domain" in self._tracks:
            unknown |= self._lives_of(kind) != track.epochs
        if kind == "disk" and moment.stalled:
            unknown |= among(track.subjects, moment.stalled)
        rates = track.rates
        if unknown.any():
            rates = rates.copy()
            rates[:, unknown] = np.nan
        values = device_values(track, rates)
        if unknown.any():
            values[:, unknown] = np.nan
        return Table(kind, track.subjects, values.T), owned.sums(rates[SUMMED[kind]])
