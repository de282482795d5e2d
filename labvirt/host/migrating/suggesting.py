"""What should move among several hosts: for balance, or so that some of them can rest."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Literal

from labvirt.connection import domain as calls
from labvirt.errors import SpecError
from labvirt.host.migrating.convoy import ConvoyResult, convoy
from labvirt.host.migrating.evacuating import load_of
from labvirt.host.migrating.leg import Leg
from labvirt.host.movable import movable_on
from labvirt.model.evacuation import EvacuationSpec
from labvirt.plan import Plan, verb
from labvirt.status.placing import Advice, HostLoad, balance, save_power

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from labvirt.host.host import Host

__all__ = ["Suggestion", "suggest"]


@dataclasses.dataclass(frozen=True, repr=False)
class Suggestion(Advice):
    """Advice about real hosts, which can be followed.

    Attributes:
        hosts: those that were looked at.
    """

    hosts: tuple[Host, ...] = dataclasses.field(default=(), compare=False)

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Suggestion {self.goal}: {len(self.moves)} moves; {self.why}>"

    def df(self) -> pd.DataFrame:
        """Return the moves, a row each: guest, source, destination, memory (bytes)."""
        import pandas as pd

        columns = ["guest", "source", "destination", "memory"]
        return pd.DataFrame([dataclasses.asdict(one) for one in self.moves], columns=columns)

    @verb
    def follow(self, *, at_once: int = 1) -> Plan[ConvoyResult]:
        """Make the moves, in order.

        Args:
            at_once: how many guests are under way at once.

        Raises:
            PreconditionError: somebody cannot move; says why, before anything was changed.
        """
        by_name = {one.name: one for one in self.hosts}
        legs = []
        for move in self.moves:
            source, destination = by_name[move.source], by_name[move.destination]
            domain = source.domains[move.guest]
            plan = domain.migrate.plan(destination)
            autostart = domain.info().autostart
            legs.append(
                Leg(
                    move.guest,
                    domain.uuid,
                    source,
                    destination,
                    move.memory,
                    autostart=autostart,
                    plan=plan,
                )
            )
        policy = EvacuationSpec(at_once=at_once, on_failure="stop")
        return convoy(f"move {len(legs)} guests for {self.goal}", legs, policy, host=self.hosts[0])


def suggest(
    hosts: Sequence[Host],
    goal: Literal["balance", "power"] = "balance",
    *,
    measure_s: float = 0.0,
    within: float = 0.1,
    reserve: float = 0.1,
) -> Suggestion:
    """Look at several hosts and propose which guests should move; nothing is changed.

    Args:
        hosts: two or more.
        goal: ``balance``: equally full; ``power``: as many hosts as can be carry nothing.
        measure_s: for how long processors are watched; 0: only memory counts.
        within: balance: how much the fullest and the emptiest may differ, as a part of a host.
        reserve: power: part of the memory of every host that must stay free.

    Raises:
        SpecError: fewer than two hosts, or another goal.
        LabvirtError: a host gives no answer.
    """
    if len(hosts) < 2 or goal not in {"balance", "power"}:
        raise SpecError(
            f"suggest for {len(hosts)} hosts and the goal {goal!r}",
            hint="two hosts or more; balance or power",
        )
    loads = [_weighed(host, measure_s) for host in hosts]
    found = (
        balance(loads, within=within) if goal == "balance" else save_power(loads, reserve=reserve)
    )
    fields = {one.name: getattr(found, one.name) for one in dataclasses.fields(Advice)}
    return Suggestion(**fields, hosts=tuple(hosts))


def _weighed(host: Host, measure_s: float) -> HostLoad:
    load = load_of(host)
    busy = _cpus(host, measure_s) if measure_s > 0 else {}
    guests = tuple(
        dataclasses.replace(one, cpus=busy.get(one.name, 0.0), pinned=_pinned(host, one.name))
        for one in load.guests
    )
    return dataclasses.replace(load, guests=guests)


def _pinned(host: Host, name: str) -> str:
    found = movable_on(host, host.domains[name].xml())
    return "; ".join(map(str, found.reasons))


def _cpus(host: Host, seconds: float) -> dict[str, float]:
    """Return how many processors each guest keeps busy."""
    first = {one.uuid: one.cpu_time_ns for one in calls.list_all(host.connection)}
    began = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    return {
        one.name: max(0, one.cpu_time_ns - first.get(one.uuid, one.cpu_time_ns)) / 1e9 / passed
        for one in calls.list_all(host.connection)
    }
