"""Gather: what ``getAllDomainStats`` tells of many domains, made into readings, fast.

::

    gather = Gather("host1", ("domain", "interface"), info=True)
    readings = gather.take(records, clock, infos=infos, clocks=clocks)   # main tick
    slices = Gather("host1", ("domain", "disk"))
    readings = slices.take(records, clock, complete=False)               # disks, balloon, delays

``records`` are ``(uuid, dict)``, the dict as libvirt gives it (keys: virConnectGetAllDomainStats,
https://libvirt.org/html/libvirt-libvirt-domain.html). Groups that a dict does not have give NaN, and
so does a figure that a device does not have. Rows of vCPUs are not made of these dicts: their group
asks the monitor, ``vcpus()`` does not.

The keys of a dict are worked out once, then fetched by one ``itemgetter`` per dict until a domain, a
device or a key comes or goes. While they are the same, the readings carry the same subjects.
"""

from __future__ import annotations

import struct
from itertools import chain, starmap
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from labvirt.status.sample import COUNTERS, Reading, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from labvirt.status.series import Kind

__all__ = ["Gather"]

_DOMAIN = (
    "state.state", "vcpu.current", "balloon.maximum", "balloon.current", "cpu.time", "",
    "balloon.current", "balloon.usable", "balloon.last-update",
)  # fmt: skip
_KIB = np.array([[1.0], [1], [1024], [1024], [1], [1], [1024], [1024], [1]])
_WAIT = COUNTERS["domain"].index("wait_ns")
_GROUP: dict[Kind, tuple[str, tuple[str, ...]]] = {
    "interface": (
        "net",
        ("rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop"),
    ),
    "disk": (
        "block",
        (
            "rd.bytes", "rd.reqs", "rd.times", "wr.bytes", "wr.reqs", "wr.times",
            "fl.reqs", "fl.times", "allocation", "capacity",
        ),
    ),
}  # fmt: skip
#: More devices than this of one domain are not believed.
_MOST = 1024
#: Domains of which the keys are remembered, also while they are in no slice.
_MOST_KNOWN = 10_000


def _getter(keys: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what fetches these keys as a tuple, also when there are fewer than two."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda told: tuple(told[each] for each in keys)


def _floats(rows: Iterable[Iterable[Any]], count: int, width: int) -> NDArray[np.float64]:
    """Return rows of numbers as ``[width, count]``: all in C, quickest for whole numbers."""
    rows = list(rows)
    try:
        pack = struct.Struct(f"{width}q").pack
        packed = np.frombuffer(b"".join(starmap(pack, rows)), np.int64)
    except struct.error:  # a fraction, or above 2**63
        packed = np.array(tuple(chain.from_iterable(rows)), dtype=np.float64)
    return packed.reshape(count, width).T.astype(np.float64)


class _Plan:
    """What is fetched of every dict that has the same keys of interest.

    Attributes:
        named: fetches the names of the devices.
        counted: fetches the figures.
        width: how many figures.
        places: by kind: for each row of a dict, the place of each column among the figures;
            `width` when it has none.
        waits: places of the figures that are summed up to ``wait_ns``.
        devices: by kind, keys of the names of its devices.
    """

    named: Callable[[Mapping[str, Any]], object]

    def __init__(self, told: Mapping[str, Any], kinds: Sequence[Kind], *, info: bool) -> None:
        keys: dict[str, int] = {}
        self.devices: dict[Kind, list[str]] = {}
        wanted: dict[Kind, list[list[str]]] = {}
        self.waits: list[int] = []
        named = []
        for kind in kinds:
            if kind == "domain":
                if not info:
                    wanted[kind] = [list(_DOMAIN)]
                    self.waits = [
                        keys.setdefault(each, len(keys))
                        for each in told
                        if each[:5] == "vcpu." and each[-6:] == ".delay"
                    ]
                continue
            group, names = _GROUP[kind]
            count = f"{group}.count"
            prefixes = [f"{group}.{n}" for n in range(min(int(told.get(count, 0)), _MOST))]
            prefixes = [each for each in prefixes if f"{each}.name" in told]
            self.devices[kind] = [f"{each}.name" for each in prefixes]
            wanted[kind] = [[f"{each}.{name}" for name in names] for each in prefixes]
            named += self.devices[kind]
        for rows in wanted.values():
            for key in chain.from_iterable(rows):
                if key in told:
                    keys.setdefault(key, len(keys))
        # Only compared: one name needs no tuple. That there are more shows in the number of keys.
        self.named = itemgetter(*named) if named else len
        self.counted, self.width = _getter(list(keys)), len(keys)
        self.places = {
            kind: np.array(
                [[keys.get(key, self.width) for key in row] for row in rows], dtype=np.intp
            ).reshape(-1, len(COUNTERS[kind]))
            for kind, rows in wanted.items()
        }
        self._size = len(told)
        self.key = (tuple(named), tuple(keys), self._size)
        #: Kinds whose figures stand side by side and are all there.
        self.whole = {
            kind: slice(int(its[0]), int(its[-1]) + 1)
            for kind, its in ((kind, its.ravel()) for kind, its in self.places.items())
            if kind != "domain"
            and its.size
            and its[-1] < self.width
            and np.array_equal(its, np.arange(its[0], its[0] + its.size))
        }

    def fits(self, told: Mapping[str, Any]) -> bool:
        """Return whether a dict seems to have the same keys."""
        try:
            self.named(told)
        except KeyError:
            return False
        return len(told) == self._size

    def values(self, kind: Kind, figures: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the counters of one kind, ``[columns, rows]``, from the figures of all dicts."""
        if kind in self.whole:
            values = figures[self.whole[kind]]
        else:
            nothing = np.full((1, figures.shape[1]), np.nan)
            values = np.concatenate([figures, nothing])[self.places[kind].ravel()]
        if kind == "domain":
            values *= _KIB
            if self.waits:
                values[_WAIT] = figures[self.waits].sum(axis=0)
        columns = len(COUNTERS[kind])
        devices = len(values) // columns
        if devices == 1:
            return values
        count = values.shape[1]
        by_device = values.reshape(devices, columns, count).transpose(1, 2, 0)
        return by_device.reshape(columns, count * devices)


class _Layout:
    """Which plan each dict has, and where its rows go; good while `is_same`."""

    def __init__(
        self,
        host: str,
        kinds: Sequence[Kind],
        uuids: tuple[str, ...],
        dicts: tuple[Mapping[str, Any], ...],
        *,
        info: bool,
        known: dict[str, _Plan],
    ) -> None:
        self.uuids = uuids
        self.sizes = list(map(len, dicts))
        plans: dict[object, _Plan] = {}
        members: dict[object, list[int]] = {}
        subjects: dict[Kind, list[Subject]] = {kind: [] for kind in kinds}
        rows: dict[Kind, dict[object, list[int]]] = {kind: {} for kind in kinds}
        for number, (uuid, told) in enumerate(zip(uuids, dicts, strict=True)):
            kept = known.get(uuid)
            if kept is None or not kept.fits(told):
                kept = known[uuid] = _Plan(told, kinds, info=info)
            plan = plans.setdefault(kept.key, kept)
            members.setdefault(plan.key, []).append(number)
            for kind in kinds:
                names = plan.devices.get(kind)
                devices = [""] if names is None else [str(told[each]) for each in names]
                first = len(subjects[kind])
                subjects[kind] += [Subject(host, uuid, each) for each in devices]
                rows[kind].setdefault(plan.key, []).extend(range(first, len(subjects[kind])))
        self.parts = [
            (plan, members[key], {k: rows[k][key] for k in kinds}) for key, plan in plans.items()
        ]
        self.names = [list(map(p.named, self.pick(dicts, m))) for p, m, _ in self.parts]
        self.subjects: dict[Kind, tuple[Subject, ...]] = {k: tuple(v) for k, v in subjects.items()}

    def pick(
        self, dicts: tuple[Mapping[str, Any], ...], members: list[int]
    ) -> Sequence[Mapping[str, Any]]:
        """Return the dicts of one plan."""
        return dicts if len(members) == len(dicts) else [dicts[each] for each in members]

    def is_same(self, uuids: tuple[str, ...], dicts: tuple[Mapping[str, Any], ...]) -> bool:
        """Return whether nothing came or went since it was made."""
        if uuids != self.uuids or list(map(len, dicts)) != self.sizes:
            return False
        try:
            return all(
                list(map(plan.named, self.pick(dicts, members))) == names
                for (plan, members, _), names in zip(self.parts, self.names, strict=True)
            )
        except KeyError:
            return False


class Gather:
    """Makes readings of the dicts of one host; keep one for each set of groups that is asked.

    Args:
        host: name of the host.
        kinds: which readings: ``domain``, ``interface``, ``disk``.
        info: each `take` brings ``info()`` of every domain, and rows of domains hold what it tells
            and nothing else.
    """

    def __init__(
        self, host: str, kinds: Sequence[Kind] = ("domain", "interface"), *, info: bool = False
    ) -> None:
        self._host = host
        self._kinds = tuple(kinds)
        self._info = info
        self._layout: _Layout | None = None
        self._known: dict[str, _Plan] = {}

    def take(
        self,
        records: Sequence[tuple[str, Mapping[str, Any]]],
        clock: float,
        *,
        infos: Sequence[Sequence[float]] | None = None,
        clocks: Sequence[float] | None = None,
        complete: bool = True,
    ) -> list[Reading]:
        """Return one reading per kind.

        Args:
            records: UUID and dict of each domain.
            clock: when the dicts were read, seconds of CLOCK_BOOTTIME.
            infos: ``info()`` of each domain, in the same order: state, vCPUs, memory and CPU time,
                which the dicts tell only with groups that ask the monitor.
            clocks: when each ``info()`` was read.
            complete: these are all active domains.
        """
        uuids: tuple[str, ...]
        dicts: tuple[Mapping[str, Any], ...]
        uuids, dicts = zip(*records, strict=True) if records else ((), ())
        layout = self._layout
        if layout is None or not layout.is_same(uuids, dicts):
            layout = self._new(uuids, dicts)
        try:
            counters = self._counters(layout, dicts)
        except KeyError:  # one key for another: as many as before
            self._known.clear()
            layout = self._new(uuids, dicts)
            counters = self._counters(layout, dicts)
        made = []
        for kind in self._kinds:
            subjects = layout.subjects[kind]
            its = np.full(len(subjects), float(clock))
            values = counters.get(kind)
            if kind == "domain" and self._info:
                values = _from_infos(infos or ())
                its = its if clocks is None else np.array(clocks, dtype=np.float64)
            if values is None:  # there is no dict
                values = np.empty((len(COUNTERS[kind]), 0))
            made.append(Reading(kind, subjects, its, values.T, complete))
        return made

    def _new(self, uuids: tuple[str, ...], dicts: tuple[Mapping[str, Any], ...]) -> _Layout:
        """Work out the keys again; who is the same stays the same object."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        old, new = (
            self._layout,
            _Layout(self._host, self._kinds, uuids, dicts, info=self._info, known=self._known),
        )
        if old is not None:
            for kind, subjects in old.subjects.items():
                if subjects == new.subjects[kind]:
                    new.subjects[kind] = subjects
        self._layout = new
        return new

    def _counters(
        self, layout: _Layout, dicts: tuple[Mapping[str, Any], ...]
    ) -> dict[Kind, NDArray[np.float64]]:
        out: dict[Kind, NDArray[np.float64]] = {}
        for plan, members, rows in layout.parts:
            told = map(plan.counted, layout.pick(dicts, members))
            figures = _floats(told, len(members), plan.width)
            for kind in plan.places:
                values = plan.values(kind, figures)
                if len(layout.parts) == 1:
                    out[kind] = values
                else:
                    if kind not in out:
                        out[kind] = np.empty((len(COUNTERS[kind]), len(layout.subjects[kind])))
                    out[kind][:, rows[kind]] = values
        return out


def _from_infos(infos: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return counters of domains: what ``info()`` says, state, KiB, vCPUs and nanoseconds."""
    state, most, memory, vcpus, cpu = _floats(infos, len(infos), 5)
    values = np.full((len(COUNTERS["domain"]), len(infos)), np.nan)
    values[0], values[1], values[4] = state, vcpus, cpu
    np.multiply(most, 1024.0, out=values[2])
    np.multiply(memory, 1024.0, out=values[3])
    return values
