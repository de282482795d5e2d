"""One sample by hand: two readings, and the rates between them."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from labvirt.connection import sampling
from labvirt.connection.stats_link import Line
from labvirt.errors import LabvirtError
from labvirt.host.sampling.asking import SLICE, Asker
from labvirt.host.sampling.balloon import PERIOD_S, Balloons
from labvirt.host.sampling.machine import UNKNOWN, machine_counters
from labvirt.host.sampling.readings import Maker
from labvirt.host.sampling.rota import slices
from labvirt.host.sampling.sampler import resolved
from labvirt.host.sampling.wishes import (
    COSTLY,
    Wish,
    checked_groups,
    checked_interval,
    union,
)
from labvirt.status.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from labvirt.connection import Connection
    from labvirt.connection.sampling import Slow
    from labvirt.host.sampling.wishes import Needs
    from labvirt.status.sample import Sample
    from labvirt.status.series import Group

    class Sampled(Protocol):
        """A host, as far as it is needed here."""

        connection: Connection

        @property
        def name(self) -> str:
            """Its name."""

        @property
        def is_local(self) -> bool:
            """Whether it is this machine."""


__all__ = ["sample_once"]

_DEADLINE_S = 20.0


def sample_once(
    host: Sampled, *, groups: Iterable[str], domains: Iterable[str] | None, seconds: float
) -> Sample:
    """Return a sample of `host`; see `labvirt.host.sampled.SampledHost.sample`."""
    wanted = checked_groups(groups)
    interval_s = checked_interval(seconds, "seconds")
    conn = host.connection
    wish = Wish(wanted, resolved(conn, domains))
    with contextlib.ExitStack() as stack:
        once = _Once(host, union([wish]))
        stack.callback(once.close)
        once.read()
        once.wait(interval_s)
        return once.read()


class _Once:
    """Reads everything that is needed at once, on the calling thread."""

    def __init__(self, host: Sampled, needs: Needs) -> None:
        conn = host.connection
        self._host = host
        self._needs = needs
        self._number = 0
        self._line = Line(conn, f"labvirt-sample {host.name}")
        self._asker = Asker(conn, f"labvirt-sample {host.name}", lambda *_: None)
        self._balloons = Balloons(conn)
        self._last_s = 0.0
        self._rates: Rates | None = None
        self._maker = Maker(host.name, 1)

    def close(self) -> None:
        """End the links."""
        try:
            with contextlib.suppress(LabvirtError):
                self._balloons.leave(self._asker.ask)
        finally:
            self._asker.close()
            self._line.close()

    def wait(self, seconds: float) -> None:
        """Let time pass; longer when a balloon was just asked to tell."""
        least = PERIOD_S + 1.0 if self._balloons.has_begun else 0.0
        time.sleep(max(0.0, self._last_s + max(seconds, least) - sampling.clock_s()))

    def read(self) -> Sample:
        """Read, and return the rates since the reading before.

        Raises:
            ConnectionLostError: there is no link.
            WaitTimeoutError: no answer.
        """
        groups = self._needs.groups
        if self._rates is None:
            cpus, memory = self._line.run("read the machine", sampling.node_facts, _DEADLINE_S)
            self._maker = Maker(self._host.name, cpus)
            self._rates = Rates(self._host.name, host_cpus=cpus, host_memory_bytes=memory)
        self._last_s = sampling.clock_s()
        fast = self._line.run(
            "read the statistics of all domains",
            lambda link: sampling.read_fast(
                link,
                network="network" in groups,
                vcpus_of=self._needs.who("vcpu"),
                node="host" in groups,
            ),
            _DEADLINE_S,
        )
        here = "host" in groups and self._host.is_local
        readings = self._maker.fast(
            fast,
            network="network" in groups,
            vcpu="vcpu" in groups,
            machine=machine_counters() if here else UNKNOWN,
        )
        self._number += 1
        at = time.time()
        for slow in self._slow(frozenset(fast.names)):
            readings += self._maker.slow(slow, fast.names)
        clock = sampling.clock_s()
        return self._rates.take(
            readings,
            at=at,
            number=self._number,
            interval_s=max(0.001, clock - self._last_s),
            names=fast.names,
            stalled={u: at - (clock - since) for u, since in self._asker.stalled.items()},
        )

    def _slow(self, active: frozenset[str]) -> Iterator[Slow]:
        by_groups: dict[frozenset[Group], list[str]] = {}
        for uuid in sorted(active):
            groups = self._needs.of(uuid).intersection(COSTLY)
            if groups:
                by_groups.setdefault(groups, []).append(uuid)
        for groups, uuids in by_groups.items():
            if "balloon" in groups and self._number == 1:
                self._balloons.prepare(self._asker.ask, frozenset(uuids), at_once=True)
            for few in slices(uuids, SLICE):
                slow = self._asker.read(few, groups)
                # A second try: those whose neighbour hangs are not to blame.
                slow = slow or self._asker.read(few, groups)
                if slow is not None:
                    yield slow
