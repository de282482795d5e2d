"""The ticker: one run of a sampler, from the first listener to the last."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from labvirt.connection import sampling
from labvirt.connection.reconnect import LinkState
from labvirt.connection.stats_link import Line
from labvirt.errors import LabvirtError
from labvirt.host.sampling.axis import Clocks
from labvirt.host.sampling.machine import UNKNOWN, machine_counters
from labvirt.host.sampling.newest import Newest
from labvirt.host.sampling.readings import Maker
from labvirt.host.sampling.schedule import Schedule
from labvirt.host.sampling.slow import SlowTier, end
from labvirt.status.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection import Connection
    from labvirt.connection.sampling import Fast
    from labvirt.connection.stats_link import StatsLink
    from labvirt.host.sampling.axis import Axis
    from labvirt.host.sampling.balloon import Balloons
    from labvirt.host.sampling.wishes import Needs
    from labvirt.status.sample import Reading, Sample

__all__ = ["Ticker"]

_log = logging.getLogger("labvirt")

#: Longer than the keepalive of a link needs to find out that the daemon hangs.
_DEADLINE_S = 20.0
#: While there is no link it is looked for this often at least, seconds.
_LOOK_S = 1.0


class Ticker:
    """Reads at every tick, makes samples, and keeps the slow tier going while it is needed.

    Args:
        conn: the connection to the host.
        host: name of the host.
        interval_s: seconds between two ticks.
        round_s: seconds of a round of the slow tier.
        needs: what is needed now.
        deliver: takes every sample.
        mark: takes what happened: kind, UUID, text.
        axis: makes the times of samples.
        balloons: switches statistics of balloons on and off.
        is_local: whether the host is this machine.
    """

    def __init__(
        self,
        conn: Connection,
        host: str,
        *,
        interval_s: float,
        round_s: float,
        needs: Callable[[], Needs],
        deliver: Callable[[Sample], object],
        mark: Callable[[str, str, str], object],
        axis: Axis,
        balloons: Balloons,
        is_local: bool,
    ) -> None:
        self.newest = Newest(3 * round_s)
        #: UUID to the time (as `Sample.at`) since when a guest gives no answer.
        self.stalled: dict[str, float] = {}
        self.schedule = Schedule(interval_s, sampling.clock_s())
        self.line = Line(conn, f"labvirt-sampler {host}")
        self.slow: SlowTier | None = None
        self._round_s = round_s
        self._conn = conn
        self._host = host
        self._needs = needs
        self._deliver = deliver
        self._mark = mark
        self._axis = axis
        self._balloons = balloons
        self._is_local = is_local
        self._names: dict[str, str] = {}
        self._rates: Rates | None = None
        self._maker = Maker(host, 1)
        self._number = 0
        self._in_gap = False
        self._changed = threading.Condition()
        self._stop = False
        self._woken = False
        self._thread = threading.Thread(
            target=self._run, name=f"labvirt-sampler {host}"[:60], daemon=True
        )
        self._thread.start()

    def pace(self, interval_s: float, round_s: float) -> None:
        """Tick at another pace from now on."""
        with self._changed:
            self._round_s = round_s
            if interval_s != self.schedule.wished_s:
                self.schedule.wish(interval_s, sampling.clock_s())
            self._changed.notify()
        if self.slow is not None:
            self.slow.rota.round_s = round_s
        self.newest.hold_s = 3 * round_s
        if self._rates is not None:
            self._rates.hold_s = 3 * round_s

    def wake(self) -> None:
        """Look at once whether the link is back."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def close(self) -> None:
        """End threads and links. Safe to call twice."""
        with self._changed:
            self._stop = True
            self._changed.notify()
        if self.slow is not None:
            self.slow.stop()
        end(self._thread, self._hurry)

    def _hurry(self) -> None:
        self.line.hurry()
        if self.slow is not None:
            self.slow.asker.line.hurry()

    # the thread

    def _run(self) -> None:
        try:
            while self._wait():
                began = sampling.clock_s()
                try:
                    self._tick()
                except Exception:  # noqa: BLE001 - it is logged; the next tick is another one
                    _log.exception("sampling %s", self._host)
                self._plan(sampling.clock_s() - began)
        finally:
            if self.slow is not None:
                self.slow.close()
            self.line.close()

    def _wait(self) -> bool:
        """Sleep until the next tick; False when it is over."""
        with self._changed:
            while not self._stop:
                now = sampling.clock_s()
                if self._in_gap and self._woken:
                    self.schedule.next_at = min(self.schedule.next_at, now)
                left = self.schedule.next_at - now
                if left <= 0:
                    break
                self._changed.wait(min(left, _LOOK_S) if self._in_gap else left)
            self._woken = False
            return not self._stop

    def _plan(self, took_s: float) -> None:
        with self._changed:
            before = self.schedule.interval_s
            if self._in_gap:
                took_s = 0.0
            self.schedule.done(took_s, sampling.clock_s())
            after = self.schedule.interval_s
        if after > before:
            text = f"the host is slow ({took_s:.1f} s a tick): read every {after:g} s"
            self._mark("note", "", text)
        elif after < before:
            self._mark("note", "", f"read every {after:g} s again")

    def _tick(self) -> None:
        if self._conn.state is not LinkState.CONNECTED:
            self._in_gap = True
            return
        needs = self._needs()
        network = "network" in needs.groups
        vcpus_of = needs.who("vcpu")
        node = "host" in needs.groups
        try:
            if self._rates is None:
                self._begin(*self.line.run("read the machine", sampling.node_facts, _DEADLINE_S))
            fast = self._read(network=network, vcpus_of=vcpus_of, node=node)
        except LabvirtError as error:
            self._begin_gap(error)
            return
        self._in_gap = False
        readings = self._maker.fast(
            fast,
            network=network,
            vcpu="vcpu" in needs.groups,
            machine=machine_counters() if node and self._is_local else UNKNOWN,
        )
        self._names = fast.names
        readings += self._slow_readings(needs, fast)
        self._hand_on(readings, fast)

    def _begin_gap(self, error: LabvirtError) -> None:
        # The end of the connection's own link is told by its event.
        if not self._in_gap and self._conn.state is LinkState.CONNECTED:
            _log.debug("no sample of %s: %s", self._host, error.what)
            self._mark("gap", "", f"no numbers of {self._host}: {error.what.splitlines()[0]}")
        self._in_gap = True

    def _read(self, *, network: bool, vcpus_of: frozenset[str] | None, node: bool) -> Fast:
        def read(link: StatsLink) -> Fast:
            return sampling.read_fast(link, network=network, vcpus_of=vcpus_of, node=node)

        return self.line.run("read the statistics of all domains", read, _DEADLINE_S)

    def _begin(self, cpus: int, memory_bytes: float) -> None:
        self._maker = Maker(self._host, cpus)
        self._rates = Rates(
            self._host,
            host_cpus=cpus,
            host_memory_bytes=memory_bytes,
            hold_s=3 * self._round_s,
        )

    def _slow_readings(self, needs: Needs, fast: Fast) -> list[Reading]:
        if self.slow is None or self.slow.has_ended:
            self.slow = None
            orphans = self._number == 0 and self._balloons.has_orphans
            if not (needs.is_costly or orphans):
                return []
            self.slow = SlowTier(
                self._conn,
                f"labvirt-sampler {self._host}",
                round_s=self._round_s,
                needs=self._needs,
                active=lambda: self._names,
                tell=self._on_stalled,
                balloons=self._balloons,
            )
        slow = self.slow.take()
        return [reading for each in slow for reading in self._maker.slow(each, fast.names)]

    def _hand_on(self, readings: list[Reading], fast: Fast) -> None:
        assert self._rates is not None
        at, news = self._axis.next(Clocks.read())
        self._number += 1
        self.newest.take(readings)
        sample = self._rates.take(
            readings,
            at=at,
            number=self._number,
            interval_s=self.schedule.interval_s,
            names=fast.names,
            stalled={uuid: since for uuid, since in self.stalled.items() if uuid in fast.names},
        )
        if news:
            self._mark("clock", "", news)
        for found in self._rates.marks:
            if found.kind == "gap":
                self._mark("gap", "", found.text)
        self._deliver(sample)

    def _on_stalled(self, uuid: str, since: float | None) -> None:
        name = self._names.get(uuid, uuid)
        others = {other: at for other, at in self.stalled.items() if other != uuid}
        if since is None:
            self.stalled = others
            self._mark("note", uuid, f"{name} answers again")
            return
        ago = sampling.clock_s() - since
        self.stalled = {**others, uuid: self._axis.now() - ago}
        text = f"{name}: its hypervisor process gives no answer since {ago:.1f} s"
        self._mark("stalled", uuid, text)
