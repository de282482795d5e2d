"""Frames: the newest samples of some hosts as lines, sorted and filtered."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labvirt.status.domain import DomainState
from labvirt.status.sample import COUNTERS
from labvirt.status.series import find_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from labvirt.status.sample import Reading, Sample
    from labvirt.status.series import Kind

__all__ = ["SORTS", "DomainLine", "Frame", "HostLine", "Look", "facts_of", "frame_of"]

_NAN = math.nan
#: State in words, and number of vCPUs when it is known.
Facts = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of one host when a frame is made.

    Attributes:
        host: its name.
        uri: its URI without secrets.
        state: state of the link: ``connected``, ``lost``, ``reconnecting``, or ``silent``: it is
            connected and gives no answer.
        sample: the newest sample, None before the first.
        facts: state and number of vCPUs of its domains, by UUID.
    """

    host: str
    uri: str
    state: str
    sample: Sample | None = None
    facts: Mapping[str, Facts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostLine:
    """One host; NaN is "no data"."""

    host: str
    uri: str
    state: str
    at: float = _NAN
    cpu_percent: float = _NAN
    memory_bytes: float = _NAN
    memory_used_bytes: float = _NAN
    disk_read_bytes_s: float = _NAN
    disk_write_bytes_s: float = _NAN
    net_rx_bytes_s: float = _NAN
    net_tx_bytes_s: float = _NAN
    guests_active: float = _NAN
    guests_cpu_percent: float = _NAN
    guests_memory_bytes: float = _NAN


@dataclass(frozen=True, slots=True)
class DomainLine:
    """One active domain; NaN is "no data"."""

    host: str
    name: str
    uuid: str
    state: str
    vcpus: int | None
    cpu_percent: float
    cpu_host_percent: float
    memory_bytes: float
    memory_used_bytes: float
    disk_read_bytes_s: float
    disk_write_bytes_s: float
    net_rx_bytes_s: float
    net_tx_bytes_s: float
    stalled_since: float | None


@dataclass(frozen=True, slots=True)
class Frame:
    """What is shown at one tick.

    Attributes:
        at: time, seconds since 1970, UTC.
        interval_s: seconds between ticks.
        sort: by what the domains are sorted, one of `SORTS`.
        hosts: in the order they were asked for.
        domains: sorted.
        hidden: how many domains the filter leaves out.
    """

    at: float
    interval_s: float
    sort: str
    hosts: tuple[HostLine, ...]
    domains: tuple[DomainLine, ...]
    hidden: int = 0


def _most(*values: float) -> float:
    """Return the negative sum of what is known: the most comes first, "no data" last."""
    known = [value for value in values if not math.isnan(value)]
    return -sum(known) if known else math.inf


_ORDERS: dict[str, Callable[[DomainLine], float]] = {
    "cpu": lambda line: _most(line.cpu_host_percent),
    "memory": lambda line: _most(line.memory_bytes),
    "disk": lambda line: _most(line.disk_read_bytes_s, line.disk_write_bytes_s),
    "network": lambda line: _most(line.net_rx_bytes_s, line.net_tx_bytes_s),
    "name": lambda _: 0.0,
}
#: By what can be sorted.
SORTS = tuple(_ORDERS)


def frame_of(
    looks: Iterable[Look], *, at: float, interval_s: float, sort: str = "cpu", pattern: str = "*"
) -> Frame:
    """Return the frame of some hosts.

    Args:
        looks: what is known of them.
        at: now, seconds since 1970, UTC.
        interval_s: seconds between ticks.
        sort: one of `SORTS`; equal ones are sorted by name.
        pattern: a shell pattern for the names of domains.
    """
    looks = tuple(looks)
    every = [line for look in looks for line in _domains(look)]
    shown = [line for line in every if fnmatch.fnmatchcase(line.name, pattern)]
    shown.sort(key=lambda line: (_ORDERS[sort](line), line.name, line.host, line.uuid))
    hosts = tuple(_host(look) for look in looks)
    return Frame(at, interval_s, sort, hosts, tuple(shown), len(every) - len(shown))


def _host(look: Look) -> HostLine:
    table = look.sample.tables.get("host") if look.sample else None
    if look.sample is None or table is None or not len(table.subjects):
        at = look.sample.at if look.sample else _NAN
        return HostLine(look.host, look.uri, look.state, at)
    row = table.values[0]
    names = HostLine.__dataclass_fields__
    values = {name: float(row[find_series("host", name)]) for name in names if _is("host", name)}
    return HostLine(look.host, look.uri, look.state, look.sample.at, **values)


def _is(kind: Kind, name: str) -> bool:
    try:
        find_series(kind, name)
    except KeyError:
        return False
    return True


def _domains(look: Look) -> Iterator[DomainLine]:
    table = look.sample.tables.get("domain") if look.sample else None
    # Numbers of a host that is lost are old, and not told as if they were new.
    if look.sample is None or table is None or look.state != "connected":
        return
    columns = {
        name: find_series("domain", name)
        for name in DomainLine.__dataclass_fields__
        if _is("domain", name)
    }
    for subject, row in zip(table.subjects, table.values, strict=True):
        state, vcpus = look.facts.get(subject.uuid, ("", None))
        since = look.sample.stalled.get(subject.uuid)
        yield DomainLine(
            host=look.host,
            name=look.sample.names.get(subject.uuid, subject.uuid),
            uuid=subject.uuid,
            state=state,
            vcpus=vcpus,
            stalled_since=since,
            **{name: float(row[column]) for name, column in columns.items()},
        )


def facts_of(reading: Reading | None) -> dict[str, Facts]:
    """Return state and number of vCPUs of each domain, by UUID, from its counters."""
    if reading is None:
        return {}
    state, vcpus = (COUNTERS["domain"].index(name) for name in ("state", "vcpus"))
    found: dict[str, Facts] = {}
    for subject, row in zip(reading.subjects, reading.counters, strict=True):
        number, count = row[state], row[vcpus]
        words = "" if math.isnan(number) else DomainState.of(int(number)).text
        found[subject.uuid] = (words, None if math.isnan(count) else int(count))
    return found
