"""Live rows: hosts and their domains as news and samplers tell of them."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError
from labvirt.status.sample import Subject
from labvirt.widgets.past import past_of
from labvirt.widgets.row_facts import HostRows
from labvirt.widgets.row_feed import RowTick
from labvirt.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.status.sample import Sample
    from labvirt.status.series import Group

__all__ = ["LiveRows"]

_BASE: tuple[Group, ...] = ("cpu", "memory", "network", "host")
#: News between two ticks are passed on at once, but not more often than this.
_NEWS_S = 0.25
#: Who has which address is asked for so often; leases come without an event.
_LEASES_S = 15.0


class LiveRows:
    """The hosts' rows; their samplers run while somebody looks.

    Args:
        title: heading.
        hosts: whose domains.
        disk: whether disks are asked for too; it costs each hypervisor process some time.
        clock: seconds since 1970.
    """

    span: tuple[float, float] | None = None

    def __init__(
        self,
        title: str,
        hosts: Sequence[Host],
        *,
        disk: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.title, self.hosts = title, tuple(hosts)
        self.rows, self.lock = Rows(), threading.RLock()
        self._disk, self._clock = disk, clock
        self._known = {host.name: HostRows(host) for host in self.hosts}
        self._ends: list[Callable[[], None]] = []
        self._tell: Callable[[RowTick], None] | None = None
        self._fresh: set[str] = set()
        self._doubted: set[str] = set()
        self._told_at = self._sampled_at = float("-inf")
        self._links: dict[str, tuple[str, object]] = {}
        self._ending: threading.Thread | None = None
        self._asking: threading.Thread | None = None
        self._asked_at = float("-inf")

    # -- what the feed asks ----------------------------------------------------------------------

    @property
    def interval_s(self) -> float:
        """Seconds between two ticks: those of the slowest host."""
        return float(max(host.sampler.interval_s for host in self.hosts))

    @property
    def groups(self) -> tuple[Group, ...]:
        """What samplers are asked for."""
        return (*_BASE, "disk") if self._disk else _BASE

    def start(self, tell: Callable[[RowTick], None]) -> None:
        """Follow the hosts: what they know is read aside, as a silent host must not block a page."""
        self._tell = tell
        self._listen()
        self._ends += [self._follow(host) for host in self.hosts]
        threading.Thread(
            target=self._begin, args=(tell,), name="labvirt-overview", daemon=True
        ).start()

    def _follow(self, host: Host) -> Callable[[], None]:
        return host.listen(lambda changes: self._news(host.name, {each.kind for each in changes}))

    def _listen(self) -> None:
        for host in self.hosts:
            with contextlib.suppress(LabvirtError):
                listening = host.sampler.listen(self._sampled, groups=self.groups)
                self._ends.append(listening.close)

    def _begin(self, tell: Callable[[RowTick], None]) -> None:
        self.prepare()
        if self._tell is tell:
            tell(RowTick(anew=True))

    def prepare(self) -> None:
        """Know who is there, and what histories kept of them."""
        with contextlib.suppress(LabvirtError):
            self.refresh()
            self._recall()

    def stop(self) -> None:
        """Follow nobody. The ending goes on aside: a listener may wait for who stops it."""
        self._tell = None
        ends, self._ends = self._ends, []
        self._end(ends)

    def _end(self, ends: list[Callable[[], None]]) -> None:
        def end_all() -> None:
            for end in ends:
                with contextlib.suppress(LabvirtError):
                    end()

        if ends:
            self._ending = threading.Thread(
                target=end_all, name="labvirt-overview-end", daemon=True
            )
            self._ending.start()

    def join(self, timeout_s: float = 5.0) -> None:
        """Wait until nobody is followed any more."""
        for thread in (self._ending, self._asking):
            if thread is not None:
                thread.join(timeout_s)

    def want(self, *, disk: bool) -> None:
        """Ask for disks too, or no more."""
        if disk == self._disk:
            return
        self._disk = disk
        if self._tell is not None:
            before, self._ends = self._ends, []
            self._listen()
            self._ends += [self._follow(host) for host in self.hosts]
            self._end(before)

    def control(self, _message: Any) -> bool:
        """Live rows cannot be sought."""
        return False

    def state(self) -> dict[str, Any]:
        """Return nothing: each row says its own."""
        return {}

    def poll(self) -> RowTick | None:
        """Return what changed without a sample or event: a link that was lost."""
        self._watch()
        return self._facts()

    def _watch(self) -> None:
        """Note which links are not what they were."""
        with self.lock:
            for host in self.hosts:
                link = (host.state, host.stale_since)
                if self._links.get(host.name, ("connected", None)) != link:
                    self._doubted.add(host.name)
                self._links[host.name] = link

    # -- what hosts say ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask every host who is there."""
        for host in self.hosts:
            rows = self._known[host.name].read()
            with self.lock:
                self.rows.replace_host(host.name, rows)

    def _recall(self) -> None:
        """Take over what the hosts' histories kept, where somebody else was listening."""
        now, interval = self._clock(), self.interval_s
        for host in self.hosts:
            span = host.history.span()
            if span is None or span[1] < now - 3 * max(1.0, interval):
                continue
            with self.lock:
                whom = [Subject(*key) for key in self.rows.rows if key[0] == host.name]
            times, known = past_of(host.history, whom, span[1], interval)
            with self.lock:
                self.rows.seed(times, known)

    def _news(self, host: str, kinds: set[str]) -> None:
        if "domain" not in kinds:
            return
        with self.lock:
            self._doubted.add(host)
            early = time.monotonic() - self._told_at < _NEWS_S
        tell = self._tell
        if tell is not None and not early:
            tick = self._facts()
            if tick is not None:
                tell(tick)

    def _facts(self) -> RowTick | None:
        with self.lock:
            self._renew()
            self._told_at = time.monotonic()
            return RowTick()

    def _renew(self) -> None:
        for name in self._doubted:
            self.rows.replace_host(name, self._known[name].rows())
        self._doubted.clear()

    def _lease(self) -> None:
        """Ask for addresses aside, now and then, while somebody looks."""
        now = time.monotonic()
        running = self._asking is not None and self._asking.is_alive()
        if running or self._tell is None or now - self._asked_at < _LEASES_S:
            return
        self._asked_at = now

        def ask() -> None:
            for host in self.hosts:
                if self._tell is not None and self._known[host.name].look():
                    with self.lock:
                        self._doubted.add(host.name)

        self._asking = threading.Thread(target=ask, name="labvirt-overview-leases", daemon=True)
        self._asking.start()

    def _sampled(self, sample: Sample) -> None:
        self._lease()
        tick, tell = self.take(sample), self._tell
        if tick is not None and tell is not None:
            tell(tick)

    def take(self, sample: Sample) -> RowTick | None:
        """Take a sample; return a tick when every host has given one, or one gave its second."""
        with self.lock:
            late = sample.host in self._fresh
            self._watch()
            self._renew()
            if late:
                # Another host keeps the round waiting: go on without it.
                self.rows.tick(sample.at)
                self._fresh.clear()
            self.rows.take(sample)
            self._fresh.add(sample.host)
            if not late and len(self._fresh) < len(self.hosts):
                return None
            if not late:
                self.rows.tick(sample.at)
                self._fresh.clear()
            self._told_at = self._sampled_at = time.monotonic()
            return RowTick(values=True)

    # -- without a view ------------------------------------------------------------------------

    @property
    def is_fresh(self) -> bool:
        """Whether the numbers are those of the last ticks."""
        return time.monotonic() - self._sampled_at < 3 * self.interval_s

    def once(self, seconds: float = 1.0) -> None:
        """Read everything once, if nobody reads it anyway; takes so many seconds.

        Raises:
            LabvirtError: no host gives an answer.
        """
        if self.is_fresh:
            return
        self.refresh()
        self._recall()
        for host in self.hosts:
            if self._known[host.name].look():
                with self.lock:
                    self.rows.replace_host(host.name, self._known[host.name].rows())
        errors = []
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            asked = [
                pool.submit(host.sample, groups=self.groups, seconds=seconds) for host in self.hosts
            ]
            for each in asked:
                try:
                    sample = each.result()
                except LabvirtError as error:
                    errors.append(error)
                    continue
                with self.lock:
                    self.rows.take(sample)
        if len(errors) == len(self.hosts):
            raise errors[0]
        with self.lock:
            self.rows.tick(self._clock())
