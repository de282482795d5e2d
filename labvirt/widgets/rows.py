"""Rows of the overview: what stands in each, its numbers and its last minute, without a view.

Every host and every domain has a slot. Numbers live in arrays by slot, so that a tick is a few
array operations however many rows there are, and what is sent are only the numbers that changed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from labvirt.status.series import find_series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.status.sample import Sample, Subject

__all__ = ["DOMAIN_FIELDS", "HOST_FIELDS", "METRICS", "POINTS", "VALUES", "Row", "Rows"]

#: The numbers of a row, in the order in which they are sent. ``cpu_share`` is CPU % of the host for
#: one CPU % of the guest: it changes with the number of vCPUs only, so it is hardly ever sent.
VALUES: Final = (
    "cpu_percent",
    "cpu_share",
    "memory_bytes",
    "disk_read_bytes_s",
    "disk_write_bytes_s",
    "net_rx_bytes_s",
    "net_tx_bytes_s",
)
#: The series they are made of, by kind of row; in `VALUES`' order.
DOMAIN_FIELDS: Final = ("cpu_percent", "cpu_host_percent", *VALUES[2:])
HOST_FIELDS: Final = ("cpu_percent", "cpu_percent", "memory_used_bytes", *VALUES[3:])

#: What a row has a sparkline of, and what "who uses most" is asked of.
METRICS: Final = ("cpu", "memory", "disk", "net")
#: Points of a sparkline.
POINTS: Final = 60

#: Seconds, or ticks of its host, after which a number is too old to be shown.
_HELD_S: Final = 3.0
_HELD_TICKS: Final = 3.0

_CPU, _SHARE = VALUES.index("cpu_percent"), VALUES.index("cpu_share")
_DOMAIN_COLUMNS: Final = tuple(find_series("domain", name) for name in DOMAIN_FIELDS)
_HOST_COLUMNS: Final = tuple(find_series("host", name) for name in HOST_FIELDS)
_HOST_MEMORY: Final = find_series("host", "memory_bytes")


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a host or domain beside its numbers.

    Attributes:
        host: name of the host.
        uuid: the domain; empty for the host itself.
        name: name, of any length and script.
        id: libvirt's number while active; None otherwise, and for a host.
        state: libvirt's state in lower case; of a host that of the link: ``connected``, ``lost``.
        text: the state in words, as virsh shows it.
        reason: why it is in that state; may be empty.
        vcpus: virtual CPUs; of a host its CPUs. 0 is "not known".
        memory_bytes: memory; of a host all it has. 0 is "not known".
        tags: labvirt's tags.
        active: the domain has a hypervisor process; of a host: the link stands.
        stalled_since: since when its hypervisor gives no answer, seconds since 1970, UTC.
        stale_since: since when nothing is known of its host, seconds since 1970, UTC.
        title, description, os: as the definition has them; empty when it does not.
        addresses: addresses that the host's networks have leased to it.
        macs: hardware addresses.
        has: what it has of that which a filter asks for by ``has:``.
        autostart: it starts with the host's daemon.
        persistent: a definition remains when it stops.
    """

    host: str
    uuid: str = ""
    name: str = ""
    id: int | None = None
    state: str = "nostate"
    text: str = ""
    reason: str = ""
    vcpus: int = 0
    memory_bytes: int = 0
    tags: tuple[str, ...] = ()
    active: bool = True
    stalled_since: float | None = None
    stale_since: float | None = None
    title: str = ""
    description: str = ""
    os: str = ""
    addresses: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    autostart: bool = False
    persistent: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """Host and UUID: a domain may be defined on two hosts."""
        return self.host, self.uuid

    def as_json(self) -> dict[str, Any]:
        """Return the row for the view; what has its usual value is left out."""
        return {name: value for name, value in asdict(self).items() if value != _USUAL[name]}


_USUAL: Final = asdict(Row(""))


class Rows:
    """Hosts and domains in slots, their numbers now, and `POINTS` points of their past.

    It is pure: facts and samples go in, messages come out. Whoever shares it brings the lock.
    """

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.slots: dict[tuple[str, str], int] = {}
        self.size = 0
        self.at = float("nan")
        #: Something is known that neither `everything` nor `delta` gave out.
        self.unsent = True
        self.now = np.full((len(VALUES), 0), np.nan)
        self.past = np.full((POINTS, len(METRICS), 0), np.nan, dtype=np.float32)
        self.times = np.full(POINTS, np.nan)
        self._sent = np.full((len(VALUES), 0), np.nan, dtype=np.float32)
        self._free: list[int] = []
        self._changed: dict[int, Row | None] = {}
        self._of: dict[str, tuple[tuple[Subject, ...], NDArray[np.intp]]] = {}
        self._heard: dict[str, tuple[float, float]] = {}
        self._facts: dict[str, frozenset[tuple[str, str]]] = {}
        self._late: dict[str, float] = {}

    # -- who is there -------------------------------------------------------------------------

    def put(self, rows: Iterable[Row]) -> None:
        """Take rows in, or renew what is known of them."""
        for row in rows:
            if self.rows.get(row.key) == row:
                continue
            slot = self.slots.get(row.key)
            if slot is None:
                slot = self.slots[row.key] = self._free.pop() if self._free else self._grown()
            self.rows[row.key] = row
            self._changed[slot] = row
            self.unsent = True

    def drop(self, keys: Iterable[tuple[str, str]]) -> None:
        """Forget rows; their slots are used again."""
        wanted = tuple(keys)
        for host in {host for host, _ in wanted}:
            self._of.pop(host, None)
        self._drop(wanted)

    def _drop(self, keys: Iterable[tuple[str, str]]) -> None:
        for key in keys:
            slot = self.slots.pop(key, None)
            if slot is None:
                continue
            del self.rows[key]
            self._free.append(slot)
            self._changed[slot] = None
            self.unsent = True
            self.now[:, slot] = self._sent[:, slot] = np.nan
            self.past[:, :, slot] = np.nan

    def replace_host(self, host: str, rows: Sequence[Row]) -> None:
        """Take in all rows of a host: those that are not among them are gone.

        A domain of the last sample stays: its event is on its way.
        """
        self._facts[host] = frozenset(row.key for row in rows)
        late = self._late.get(host)
        self.put(
            replace(row, stalled_since=self._stalled(row), stale_since=row.stale_since or late)
            for row in rows
        )
        self._prune(host)

    def _stalled(self, row: Row) -> float | None:
        known = self.rows.get(row.key)
        return known.stalled_since if known and row.active else None

    def _prune(self, host: str) -> None:
        """Drop what neither the records nor the last sample of a host know."""
        if host not in self._facts:
            return
        subjects = self._of[host][0] if host in self._of else ()
        known = self._facts[host].union((each.host, each.uuid) for each in subjects)
        self._drop([key for key in self.rows if key[0] == host and key not in known])

    def of_host(self, host: str) -> list[int]:
        """Return the slots of a host and its domains."""
        return [slot for key, slot in self.slots.items() if key[0] == host]

    def _grown(self) -> int:
        slot, self.size = self.size, self.size + 1
        if slot >= self.now.shape[-1]:
            more = max(64, slot)
            self.now, self.past = _wider(self.now, more), _wider(self.past, more)
            self._sent = _wider(self._sent, more)
        return slot

    # -- numbers ------------------------------------------------------------------------------

    def take(self, sample: Sample) -> None:
        """Take the numbers of a host in; a domain that nobody told of yet gets a row."""
        self.unsent = True
        self._heard[sample.host] = (sample.at, sample.interval_s)
        late = self._late.pop(sample.host, None)
        if late is not None:
            self._mark(sample.host, late, None)
        self._note(sample)
        before = self.now[_SHARE].copy()
        self.now[:, self.of_host(sample.host)] = np.nan
        domains = sample.tables.get("domain")
        if domains is not None:
            slots = self._slots_of(sample.host, domains.subjects)
            picked = domains.values[:, _DOMAIN_COLUMNS].T
            picked[_SHARE] = _share(picked[_CPU], picked[_SHARE], before[slots])
            self.now[:, slots] = picked
        machine = sample.tables.get("host")
        if machine is not None and machine.subjects and (sample.host, "") in self.slots:
            slot = self.slots[sample.host, ""]
            self.now[:, slot] = machine.values[0, _HOST_COLUMNS]
            self.now[_SHARE, slot] = 1.0

    def _note(self, sample: Sample) -> None:
        """Keep the rows in step with what a sample tells of them."""
        domains, machine = sample.tables.get("domain"), sample.tables.get("host")
        for subject in domains.subjects if domains else ():
            if (subject.host, subject.uuid) not in self.rows:
                row = Row(subject.host, subject.uuid, subject.uuid, state="running", text="running")
                self.put([row])
        for row in [row for row in self.rows.values() if row.host == sample.host]:
            if row.uuid:
                name = sample.names.get(row.uuid, row.name)
                since = sample.stalled.get(row.uuid)
                if (row.stalled_since, row.name) != (since, name):
                    self.put([replace(row, stalled_since=since, name=name)])
            elif machine is not None and machine.subjects:
                memory = machine.values[0, _HOST_MEMORY]
                if np.isfinite(memory) and not row.memory_bytes:
                    self.put([replace(row, memory_bytes=int(memory))])

    def _slots_of(self, host: str, subjects: tuple[Subject, ...]) -> NDArray[np.intp]:
        known = self._of.get(host)
        if known is None or known[0] is not subjects:
            found = [self.slots[subject.host, subject.uuid] for subject in subjects]
            known = self._of[host] = (subjects, np.array(found, dtype=np.intp))
            self._prune(host)
        return known[1]

    def tick(self, at: float) -> None:
        """Close a moment: the numbers now become a point of every sparkline."""
        for host, (heard, interval) in self._heard.items():
            if at - heard > max(_HELD_S, _HELD_TICKS * interval):
                self.now[:, self.of_host(host)] = np.nan
                if host not in self._late:
                    self._late[host] = heard
                    self._mark(host, None, heard)
        self.at, self.unsent = at, True
        self.times = np.append(self.times[1:], at)
        self.past = np.roll(self.past, -1, axis=0)
        self.past[-1] = metrics_of(self.now)

    def _mark(self, host: str, before: float | None, after: float | None) -> None:
        """Change since when a host is not heard of, where it says nothing else."""
        own = [row for row in self.rows.values() if row.host == host and row.stale_since == before]
        self.put(replace(row, stale_since=after) for row in own)

    def seed(self, times: NDArray[np.float64], known: Mapping[tuple[str, str], Any]) -> None:
        """Give the rows a past: what was kept before anybody looked.

        Args:
            times: seconds since 1970, UTC, rising; at most `POINTS` of them.
            known: by row, its `DOMAIN_FIELDS` or `HOST_FIELDS` at these times; ``[fields, times]``.
        """
        points, self.unsent = len(times), True
        self.times[POINTS - points :] = times
        self.at = float(times[-1]) if points else self.at
        for key, values in known.items():
            slot = self.slots.get(key)
            if slot is None or not points:
                continue
            share = _share(values[_CPU], values[_SHARE], np.full(points, np.nan))
            seen = share[np.isfinite(share)]
            self.past[POINTS - points :, :, slot] = metrics_of(values).T
            self.now[:, slot] = values[:, -1]
            self.now[_SHARE, slot] = seen[-1] if len(seen) else np.nan

    # -- what is sent -------------------------------------------------------------------------

    def everything(self) -> tuple[dict[str, Any], bytes]:
        """Return all rows and numbers.

        Returns:
            ``{"size", "points", "rows": [[slot, row], ...]}`` and a buffer: `points` float64 times,
            then float32 ``[values, size]`` (now) and ``[points, metrics, size]`` (past).
        """
        from_point = int(np.argmax(np.isfinite(self.times))) if self.has_past else POINTS
        rows = [[slot, self.rows[key].as_json()] for key, slot in self.slots.items()]
        now = self.now[:, : self.size].astype(np.float32)
        self._sent[:, : self.size] = now
        self._changed.clear()
        self.unsent = False
        past = np.ascontiguousarray(self.past[from_point:, :, : self.size])
        head = {"size": self.size, "points": POINTS - from_point, "rows": rows}
        return head, self.times[from_point:].tobytes() + now.tobytes() + past.tobytes()

    @property
    def has_past(self) -> bool:
        """Whether any moment was closed."""
        return bool(np.isfinite(self.times).any())

    def changes(self) -> dict[str, Any] | None:
        """Return which rows are new, other than before or gone; None when none is.

        Returns:
            ``{"size", "rows": [[slot, row or None], ...]}``.
        """
        if not self._changed:
            return None
        rows = [[slot, row.as_json() if row else None] for slot, row in self._changed.items()]
        self._changed.clear()
        return {"size": self.size, "rows": rows}

    def delta(self) -> bytes:
        """Return the numbers that are other than when they were last sent.

        Returns:
            float64 time; then per column of `VALUES` a float32 count. A count of -1: the column
            follows whole, float32 ``[size]``. Else so many float32 slots, then their float32 values.
        """
        now = self.now[:, : self.size].astype(np.float32)
        sent = self._sent[:, : self.size]
        other = ~((now == sent) | (np.isnan(now) & np.isnan(sent)))
        counts, parts = [], []
        for column, differs in enumerate(other):
            slots = np.flatnonzero(differs)
            whole = 2 * len(slots) >= self.size > 0
            counts.append(-1 if whole else len(slots))
            if not whole:
                parts.append(slots.astype(np.float32))
            parts.append(now[column] if whole else now[column, slots])
        self._sent[:, : self.size] = now
        self.unsent = bool(self._changed)
        head = np.float64(self.at).tobytes() + np.array(counts, dtype=np.float32).tobytes()
        return head + b"".join(part.tobytes() for part in parts)


def metrics_of(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return `METRICS` of `VALUES`: disk and network are what goes in and out together."""
    found = np.empty((len(METRICS), *values.shape[1:]), dtype=np.float32)
    found[0] = values[_CPU]
    found[1] = values[2]
    found[2] = values[3] + values[4]
    found[3] = values[5] + values[6]
    return found


def _share(guest: Any, host: Any, before: Any) -> Any:
    """Return CPU % of the host for one CPU % of the guest; what was known while it is idle."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = host / guest
    known = np.isfinite(share) & (guest > 0)
    same = np.isfinite(before) & (~known | (np.abs(share - before) < 1e-4))
    return np.where(same, before, np.where(known, share, np.nan))


def _wider(array: NDArray[Any], more: int) -> NDArray[Any]:
    empty = np.full((*array.shape[:-1], more), np.nan, dtype=array.dtype)
    return np.concatenate([array, empty], axis=-1)
