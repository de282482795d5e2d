"""The sampler: reads the numbers of one host once for all who listen."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from labvirt.connection import domain as domains_of
from labvirt.connection.reconnect import LinkState
from labvirt.errors import ConnectionLostError, Problem, SpecError
from labvirt.host.sampling.axis import Axis
from labvirt.host.sampling.balloon import Balloons
from labvirt.host.sampling.listening import Listening
from labvirt.host.sampling.marks import mark_of
from labvirt.host.sampling.ticker import Ticker
from labvirt.host.sampling.wishes import (
    DEFAULT_GROUPS,
    Needs,
    Wish,
    checked_domains,
    checked_groups,
    checked_interval,
    is_uuid,
    union,
)
from labvirt.model.arguments import Count, checked
from labvirt.status.sample import Mark
from labvirt.status.series import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from labvirt.connection import Connection, Event, Subscription
    from labvirt.history.history import History
    from labvirt.status.sample import Reading, Sample
    from labvirt.status.series import Kind

__all__ = ["Sampler", "resolved"]

_log = logging.getLogger("labvirt")


class Sampler:
    """Reads counters at every tick while somebody listens, and makes samples of them.

    The main tick asks no hypervisor process: one call for all domains and a quick one for each.
    Disks, balloons and steal are read by a slow tier of its own. Both have links that nothing else
    uses. When nobody listens there is neither thread nor link.

    Args:
        conn: the connection to the host.
        name: gives the name of the host.
        history: gives the history that is fed.
        is_local: whether the host is this machine.
    """

    def __init__(
        self,
        conn: Connection,
        name: Callable[[], str],
        history: Callable[[], History],
        *,
        is_local: bool,
    ) -> None:
        self._conn = conn
        self._name = name
        self._history = history
        self._is_local = is_local
        self._interval_s = 1.0
        self._slow_interval_s = 5.0
        self._lock = threading.RLock()
        self._turn = threading.Lock()  # one run begins or ends at a time
        self._listenings: tuple[Listening, ...] = ()
        self._needs = Needs()
        self._ticker: Ticker | None = None
        self._subscription: Subscription | None = None
        self._axis = Axis()
        self._balloons = Balloons(conn)
        self._closed = False

    # pace

    @property
    def interval_s(self) -> float:
        """Seconds between two main ticks, 0.2 to 3600; a slow host is asked less often."""
        return self._interval_s

    @interval_s.setter
    def interval_s(self, seconds: float) -> None:
        self._interval_s = checked_interval(seconds)
        self._set_pace()

    @property
    def slow_interval_s(self) -> float:
        """Seconds in which disks and balloons of all who need it are read once, 0.2 to 3600."""
        return self._slow_interval_s

    @slow_interval_s.setter
    def slow_interval_s(self, seconds: float) -> None:
        self._slow_interval_s = checked_interval(seconds, "slow_interval_s")
        self._set_pace()

    def _set_pace(self) -> None:
        with self._lock:
            if self._ticker is not None:
                self._ticker.pace(self._interval_s, self._slow_interval_s)

    # state

    @property
    def is_running(self) -> bool:
        """Whether anybody listens, so that the host is read."""
        return self._ticker is not None

    @property
    def stalled(self) -> Mapping[str, float]:
        """UUID to the time (seconds since 1970) since when a hypervisor process is silent.

        Only known of guests whose disks or balloon somebody wants.
        """
        ticker = self._ticker
        return dict(ticker.stalled) if ticker is not None else {}

    @property
    def reasons(self) -> Mapping[str, str]:
        """UUID to why a guest's ``memory_used_bytes`` is "no data", as far as it is known."""
        return dict(self._balloons.reasons)

    @property
    def skipped(self) -> int:
        """Ticks that were missed since the sampler began: sleep, or a busy machine."""
        ticker = self._ticker
        return ticker.schedule.skipped if ticker is not None else 0

    def counters(self, kind: Kind) -> Reading | None:
        """Return the newest counters of a kind, None when there are none yet.

        Those that are read in slices are put together; every row has its own clock.

        Raises:
            SpecError: there is no such kind.
        """
        if kind not in KINDS:
            why = f"there are: {', '.join(KINDS)}"
            raise SpecError("no such counters:", [Problem("kind", str(kind)[:40], why)])
        ticker = self._ticker
        return ticker.newest.get(kind) if ticker is not None else None

    # listening

    def listen(
        self,
        fn: Callable[[Sample], object],
        groups: Iterable[str] = DEFAULT_GROUPS,
        domains: Iterable[str] | None = None,
        *,
        backlog: int = 1,
    ) -> Listening:
        """Call `fn` with every sample until the listening is closed.

        It is called on a thread of its own, so it may take its time: when it is late it gets the
        newest sample. What it raises is logged.

        Args:
            fn: takes a sample.
            groups: what it needs, of `labvirt.status.series.GROUPS`.
            domains: names or UUIDs for the costly groups (vcpu, disk, balloon, steal); None for
                all active domains. Those named are read each second.
            backlog: how many samples may wait for a slow listener before the oldest is dropped.

        Raises:
            SpecError: a group or an argument is wrong; names the nearest.
            NotFoundError: there is no domain of that name.
            ConnectionLostError: the host is closed.
        """
        if not callable(fn):
            raise SpecError("cannot sample:", [Problem("fn", repr(fn)[:40], "cannot be called")])
        checked(Count, "sample", count=backlog)
        wish = Wish(checked_groups(groups), resolved(self._conn, domains))
        with self._turn:
            self._require_open()
            listening = Listening(fn, wish, self._ended, backlog=backlog, name=self._name())
            self._set(lambda listenings: (*listenings, listening))
            if self._ticker is None:
                self._begin()
        return listening

    def _require_open(self) -> None:
        if self._closed or self._conn.state is LinkState.CLOSED:
            raise ConnectionLostError(
                "sample", uri=self._conn.uri.redacted(), hint="the host is closed: open it again"
            )

    def _set(self, change: Callable[[tuple[Listening, ...]], tuple[Listening, ...]]) -> None:
        with self._lock:
            self._listenings = change(self._listenings)
            self._needs = union(listening.wish for listening in self._listenings)

    def _ended(self, listening: Listening) -> None:
        self._set(lambda all_: tuple(each for each in all_ if each is not listening))
        with self._turn:
            if not self._listenings:
                self._end()

    def _begin(self) -> None:
        host = self._name()
        self._subscription = self._conn.listen(self._on_event)
        with self._lock:
            self._ticker = Ticker(
                self._conn,
                host,
                interval_s=self._interval_s,
                round_s=self._slow_interval_s,
                needs=lambda: self._needs,
                deliver=self._deliver,
                mark=self.mark,
                axis=self._axis,
                balloons=self._balloons,
                is_local=self._is_local,
            )

    def _end(self) -> None:
        with self._lock:
            ticker, self._ticker = self._ticker, None
            subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()
        if ticker is not None:
            ticker.close()

    def close(self) -> None:
        """End all listening, every thread and link. Safe to call twice."""
        with self._turn:
            self._closed = True
            listenings = self._listenings
            self._set(lambda _: ())
            self._end()
        for listening in listenings:
            listening.finish()

    # what comes in

    def _deliver(self, sample: Sample) -> None:
        try:
            self._history().take(sample)
        except Exception:  # noqa: BLE001 - who listens gets his samples all the same
            _log.exception("the history of %s failed", sample.host)
        for listening in self._listenings:
            listening.put(sample)

    def mark(self, kind: str, uuid: str = "", text: str = "") -> Mark:
        """Put something that happened on the time axis, now; see `Mark` for the kinds."""
        made = Mark(self._axis.now(), kind, self._name(), uuid, text)
        self._history().mark(made)
        return made

    def _on_event(self, event: Event) -> None:
        ticker = self._ticker
        if event.kind == "link":
            if event.detail.get("state") == "closed":
                self.close()
                return
            if ticker is not None:
                ticker.wake()
        mark = mark_of(event, self._name(), self._axis.now())
        if mark is not None:
            self._history().mark(mark)


def resolved(conn: Connection, domains: Iterable[str] | None) -> frozenset[str] | None:
    """Return the UUIDs of domains given by name or UUID, None for all.

    Raises:
        SpecError: it is no list of texts.
        NotFoundError: there is none of that name; suggests the nearest.
    """
    given = checked_domains(domains)
    if given is None:
        return None
    return frozenset(each if is_uuid(each) else domains_of.find(conn, each) for each in given)
