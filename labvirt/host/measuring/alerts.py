"""Alerts: conditions on what is measured, watched while they live (12.4-06)."""

from __future__ import annotations

import datetime as dt
import logging
import math
import queue
import threading
import time
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Self

from labvirt.errors import SpecError
from labvirt.host.collection import Table
from labvirt.host.measuring.readings import Readings
from labvirt.status.condition import Condition
from labvirt.status.sample import Mark
from labvirt.status.series import find_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from labvirt.host.host import Host
    from labvirt.status.sample import Sample, Subject

__all__ = ["Alert", "AlertEvent", "AlertState", "checked_condition", "with_unit"]

_log = logging.getLogger("labvirt")
#: State, the worst first: its colour, which is never told without its word.
_COLOURS = {"firing": "#b34700", "pending": "#8c6d00", "no data": "#6b6b6b", "ok": "#007a59"}
#: How long `Alert.close` waits for a callback that is under way.
_LAST_CALL_S = 2.0


@dataclass(frozen=True, slots=True)
class AlertState:
    """How an alert stands for one subject.

    Attributes:
        host: name of the host.
        name: name of the domain, and of its part (``web1 vda``); the host's own for a host.
        uuid: of the domain; empty for a host.
        state: ``ok``, ``pending`` (the condition holds, not yet for long enough), ``firing``, or
            ``no data``.
        since: since when it is so, seconds since 1970, UTC.
        value: the last value, NaN when there is none.
        unit: its unit.
    """

    host: str
    name: str
    uuid: str
    state: str
    since: float
    value: float
    unit: str

    @property
    def words(self) -> str:
        """Value and state in words."""
        return f"{with_unit(self.value, self.unit)}, {self.state} since {_clock(self.since)}"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An alert began to fire, or stopped.

    Attributes:
        alert: its title.
        what: ``firing`` or ``cleared``.
        at: when, seconds since 1970, UTC.
        state: how it stands now.
        text: all of it in words.
    """

    alert: str
    what: str
    at: float
    state: AlertState
    text: str


@dataclass(slots=True)
class _Watched:
    """One subject of an alert: the memory of its condition, and how it stood last."""

    condition: Condition
    seen: AlertState
    fires: bool = False


_TABLE = Table(
    "subject",
    [
        ("host", "", lambda s: s.host),
        ("name", "", lambda s: s.name),
        ("state", "", lambda s: s.state),
        ("since", "UTC", lambda s: dt.datetime.fromtimestamp(s.since, dt.UTC)),
        ("value", "", lambda s: s.value),
        ("unit", "", lambda s: s.unit),
        ("uuid", "", lambda s: s.uuid),
    ],
)


class Alert:
    """A condition that is watched until `close`; use it in a ``with`` block, or keep it.

    It has the sampler read just what it needs. When it begins to fire for a subject, and when that
    is over, it calls `call` (on a thread of its own), writes a line into the journal
    (``labvirt journal``) and puts a mark ``alert`` into the host's history, which charts show.

    Attributes:
        condition: what is watched.
        title: its name in journal and marks.
    """

    def __init__(
        self,
        host: Host,
        condition: Condition,
        *,
        domains: Iterable[str] | None = None,
        call: Callable[[AlertEvent], object] | None = None,
        title: str = "",
    ) -> None:
        if call is not None and not callable(call):
            raise SpecError(f"alert {condition}: {call!r} cannot be called", hint="call=print")
        self.condition = condition
        self.title = title or str(condition)
        self._host = host
        self._call = call
        self._column = find_series(condition.kind, condition.series)
        self._lock = threading.Lock()
        self._watched: dict[Subject, _Watched] = {}
        self._last_at, self._interval_s = math.nan, 1.0
        self._events: queue.SimpleQueue[AlertEvent | None] = queue.SimpleQueue()
        self._teller = threading.Thread(target=self._tell_all, name="labvirt-alert", daemon=True)
        chosen = None if domains is None else tuple(domains)
        # The first sample may come before this is over.
        with self._lock:
            self._listening = host.sampler.listen(
                self._take, groups=(condition.group,), domains=chosen, backlog=16
            )
            self._only = self._listening.wish.domains
        self._teller.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        state = self.state if self.is_open else "closed"
        return f"<Alert {self.title!r} on {self._host.name}: {state}>"

    def close(self) -> None:
        """End the watching; what has happened so far is still told. Safe to call twice."""
        if not self._listening.is_open:
            return
        self._listening.close()
        self._events.put(None)
        if self._teller is not threading.current_thread():
            self._teller.join(_LAST_CALL_S)

    # -- how it stands ----------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """True until it is closed."""
        return self._listening.is_open

    @property
    def states(self) -> Readings[AlertState]:
        """How it stands for each subject; ``.df`` is a table: host, name, state, since, value."""
        with self._lock:
            found = [each.seen for each in self._watched.values()]
            at, interval_s = self._last_at, self._interval_s
        if math.isnan(at) or time.time() - at > max(5.0, 3 * interval_s):
            # Nobody measures: the host is lost, or the alert is closed.
            found = [replace(each, state="no data", since=at, value=math.nan) for each in found]
        found.sort(key=lambda each: (tuple(_COLOURS).index(each.state), each.name))
        return Readings(_TABLE, f"alert {self.title} on {self._host.name}", found)

    @property
    def firing(self) -> tuple[str, ...]:
        """Names of the subjects for which it fires now."""
        return tuple(each.name for each in self.states if each.state == "firing")

    @property
    def state(self) -> str:
        """The worst of all: ``firing``, ``pending``, ``no data`` or ``ok``."""
        there = {each.state for each in self.states}
        return next((state for state in _COLOURS if state in there), "no data")

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(each.name)}</td><td>{_badge(each.state)}</td>"
            f"<td>{escape(with_unit(each.value, each.unit))}</td><td>{_clock(each.since)}</td></tr>"
            for each in self.states
        )
        heads = "".join(
            f"<th scope='col'>{h}</th>" for h in ("Name", "State", "Value", "Since (UTC)")
        )
        where = escape(f"alert {self.title} on {self._host.name}")
        closed = "" if self.is_open else ", closed"
        return (
            "<table class='labvirt-table'><caption style='text-align:left'>"
            f"{where}: {_badge(self.state)}{closed}</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        )

    # -- what comes in ----------------------------------------------------------------------

    def _take(self, sample: Sample) -> None:
        table = sample.tables.get(self.condition.kind)
        with self._lock:
            self._last_at, self._interval_s = sample.at, sample.interval_s
            present = set()
            if table is not None:
                for subject, row in zip(table.subjects, table.values, strict=True):
                    if self._only is None or subject.uuid in self._only:
                        present.add(subject)
                        self._step(sample, subject, float(row[self._column]))
            for subject in [each for each in self._watched if each not in present]:
                self._forget(sample, subject)

    def _step(self, sample: Sample, subject: Subject, value: float) -> None:
        name = sample.names.get(subject.uuid, subject.uuid) if subject.uuid else sample.host
        part = f"vCPU {subject.device}" if self.condition.kind == "vcpu" else subject.device
        name = f"{name} {part}".strip()
        watched = self._watched.get(subject)
        if watched is None:
            unit = self.condition.unit
            first = AlertState(
                sample.host, name, subject.uuid, "no data", sample.at, math.nan, unit
            )
            watched = self._watched[subject] = _Watched(self.condition.fresh(), first)
        state = watched.condition.step(sample.at, value)
        since = watched.seen.since if state == watched.seen.state else sample.at
        watched.seen = replace(watched.seen, name=name, state=state, since=since, value=value)
        if (state == "firing") != watched.fires:
            watched.fires = state == "firing"
            self._happened(sample, subject, watched)

    def _forget(self, sample: Sample, subject: Subject) -> None:
        """Let go of a subject that is not there any more."""
        watched = self._watched.pop(subject)
        if watched.fires:
            watched.fires = False
            watched.seen = replace(watched.seen, state="no data", since=sample.at, value=math.nan)
            self._happened(sample, subject, watched)

    def _happened(self, sample: Sample, subject: Subject, watched: _Watched) -> None:
        what = "firing" if watched.fires else "cleared"
        seen = watched.seen
        value = with_unit(seen.value, seen.unit) if subject in self._watched else "it is gone"
        text = f"alert {self.title}: {seen.name} {what} ({value})"
        self._host.history.mark(Mark(sample.at, "alert", sample.host, subject.uuid, text))
        self._events.put(AlertEvent(self.title, what, sample.at, seen, text))

    def _tell_all(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._write(event)
            except OSError as error:
                _log.warning("%s; the journal cannot be written: %s", event.text, error)
            if self._call is None:
                continue
            try:
                self._call(event)
            except Exception:  # noqa: BLE001 - a broken callback must not stop the alert
                _log.exception("the callback of alert %s failed", self.title)

    def _write(self, event: AlertEvent) -> None:
        value = event.state.value
        self._host.journal.note(
            self._host,
            event.text,
            kind="alert",
            outcome=event.what,
            alert=event.alert,
            domain=event.state.name if event.state.uuid else "",
            uuid=event.state.uuid,
            value=None if math.isnan(value) else value,
            unit=event.state.unit,
        )


def checked_condition(condition: object, asked: str) -> Condition:
    """Return a condition that was given as text or made before.

    Raises:
        SpecError: it cannot be read; says what may stand there.
    """
    if isinstance(condition, Condition):
        return condition
    if not isinstance(condition, str):
        raise SpecError(f"{asked}: {condition!r} is no condition", hint='"cpu > 90 % for 30 s"')
    return Condition.parse(condition)


def _badge(state: str) -> str:
    style = f"background:{_COLOURS[state]};color:#fff;padding:0 .5em;border-radius:.6em"
    return f"<span style='{style}'>{escape(state)}</span>"


def with_unit(value: float, unit: str) -> str:
    """Return a value with its unit, bytes in a size that can be read."""
    if math.isnan(value):
        return "no data"
    if unit not in ("B", "B/s"):
        return f"{value:.4g} {unit}".strip()
    for prefix in ("", "Ki", "Mi", "Gi"):
        if abs(value) < 1024 or prefix == "Gi":
            break
        value /= 1024
    return f"{value:.4g} {prefix}{unit}"


def _clock(seconds: float) -> str:
    if math.isnan(seconds):
        return "never"
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%H:%M:%S}"
