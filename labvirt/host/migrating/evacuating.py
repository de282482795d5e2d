"""Evacuating a host: all of its guests find a place on others, and move there (chapter 12)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as calls
from labvirt.connection import node
from labvirt.connection.node_facts import available_memory
from labvirt.errors import LabvirtError, NotFoundError, PreconditionError, SpecError
from labvirt.host.migrating.convoy import ConvoyResult, convoy
from labvirt.host.migrating.leg import Leg, how
from labvirt.model.evacuation import EvacuationSpec
from labvirt.model.migration import MigrationSpec
from labvirt.plan import Plan, verb
from labvirt.status.placing import GuestLoad, HostLoad, place, sorted_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.host import Host
    from labvirt.status import DomainRecord

__all__ = ["EvacuatedHost", "load_of"]

_WORKERS = 4


class EvacuatedHost:
    """What `Host` has about leaving it."""

    #: What became of the newest evacuation from this host, also while it goes on; None: of none.
    evacuation: ConvoyResult | None = None

    @verb
    def evacuate(
        self: Host,
        /,
        destinations: Sequence[Host],
        policy: EvacuationSpec | None = None,
        *,
        domains: Sequence[str] | None = None,
        migration: MigrationSpec | None = None,
        **options: Any,
    ) -> Plan[ConvoyResult]:
        """Move all guests of this host to others.

        Every guest is looked at and given a place before the first one moves; the plan names all of
        them. Stopping it (``job.cancel()``, ^C) aborts those under way: they go on here, those that
        have moved stay there. `evacuation` then says who is where, and its ``bring_back()`` takes
        it back.

        Args:
            destinations: hosts they may go to, open for writing.
            policy: in which order, how many at once, what to do when one fails.
            domains: only these, by name; None: all.
            migration: how each of them moves.
            options: fields of `EvacuationSpec`, which change `policy`: ``at_once``, ``order``,
                ``on_failure``, ``include_off``, ``partial``, ``reserve_mib``.

        Returns:
            A row for each guest, as a table; with ``bring_back()``.

        Raises:
            SpecError: an option is wrong, or this host is among the destinations.
            NotFoundError: there is no domain of a name.
            PreconditionError: somebody has no place or cannot move; every reason, before anything
                was changed. ``partial=True`` leaves those here.
            PlanError: some failed; they run on here.
            CancelledError: it was stopped.
        """
        wanted = (policy or EvacuationSpec()).replace(**options)
        _require_others(self, destinations)
        records = _who(self, domains, include_off=wanted.include_off)
        legs, left = _legs(self, records, destinations, wanted, migration or MigrationSpec())
        if left and not wanted.partial:
            told = "; ".join(f"{name}: {why}" for name, why in sorted(left.items()))
            raise PreconditionError(
                f"evacuate {self.name}: {len(left)} of {len(records)} cannot leave: {told}",
                hint="partial=True moves the others",
            )
        places = ", ".join(one.python for one in destinations)
        given = "".join(f", {key}={value!r}" for key, value in sorted(options.items()))
        guests = f"{len(legs)} guest" + "s" * (len(legs) != 1)

        def keep(result: ConvoyResult) -> None:
            self.evacuation = result

        return convoy(
            f"evacuate {self.name} of {guests}",
            legs,
            wanted,
            host=self,
            left=left,
            python=f"{self.python}.evacuate([{places}]{given})",
            keep=keep,
        )


def _require_others(host: Host, destinations: Sequence[Host]) -> None:
    if not destinations:
        raise SpecError(f"evacuate {host.name}: no destination is named")
    if any(one is host or one.connection is host.connection for one in destinations):
        raise SpecError(f"evacuate {host.name}: it is among the destinations itself")


def _who(host: Host, names: Sequence[str] | None, *, include_off: bool) -> list[DomainRecord]:
    """Return the domains that leave."""
    records = calls.list_all(host.connection)
    if names is not None:
        known = {one.name for one in records}
        lacking = sorted(set(names) - known)
        if lacking:
            raise NotFoundError(
                f"evacuate {', '.join(lacking)} of {host.name}",
                uri=host.label,
                hint=f"it has {', '.join(sorted(known)) or 'no domains'}",
            )
        records = tuple(one for one in records if one.name in set(names))
    return [one for one in records if one.id is not None or include_off]


def _legs(
    host: Host,
    records: Sequence[DomainRecord],
    destinations: Sequence[Host],
    policy: EvacuationSpec,
    migration: MigrationSpec,
) -> tuple[list[Leg], dict[str, str]]:
    """Find a place for everybody, and look whether it can go there; the next place if not.

    Returns:
        Those that move, in order, and for the others why not.
    """
    by_name = {one.name: one for one in destinations}
    reserve = policy.reserve_mib << 20
    guests = {one.name: _load(one) for one in records}
    room = {one.name: load_of(one) for one in destinations}
    first, left = place(
        host.name, list(guests.values()), list(room.values()), order=policy.order, reserve=reserve
    )
    chosen = {move.guest: move.destination for move in first}

    def look(name: str) -> Leg | str:
        return _leg(host, name, by_name[chosen[name]], migration)

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="labvirt-evacuate") as pool:
        found = dict(zip(chosen, pool.map(look, chosen), strict=True))
    for name, leg in found.items():
        if isinstance(leg, Leg):
            room[chosen[name]] = room[chosen[name]].with_guest(guests[name])
    for name, why in found.items():
        if isinstance(why, Leg):
            continue
        reasons = [why]
        others = [one for key, one in room.items() if key != chosen[name]]
        for other in sorted(others, key=lambda one: -one.available):
            if other.available - reserve < guests[name].memory:
                reasons.append(f"{other.name} has no room")
                continue
            again = _leg(host, name, by_name[other.name], migration)
            if isinstance(again, Leg):
                found[name] = again
                room[other.name] = room[other.name].with_guest(guests[name])
                break
            reasons.append(again)
        else:
            left[name] = "; ".join(reasons)
    order = [one.name for one in sorted_by(list(guests.values()), policy.order)]
    return [leg for name in order if isinstance(leg := found.get(name, ""), Leg)], left


def _leg(host: Host, name: str, destination: Host, migration: MigrationSpec) -> Leg | str:
    """Return the way of one guest, or why it cannot go there."""
    try:
        domain = host.domains[name]
        record = domain.info()
        needs = how(domain)
        spec = MigrationSpec(**needs) if record.id is None else migration.replace(**needs)
        plan = domain.migrate.plan(destination, spec)
    except LabvirtError as error:
        return error.what
    memory = int(record.max_memory) if record.id is not None else 0
    is_on = record.id is not None
    return Leg(name, domain.uuid, host, destination, memory, is_on, record.autostart, plan)


def _load(record: DomainRecord) -> GuestLoad:
    return GuestLoad(record.name, int(record.max_memory) if record.id is not None else 0)


def load_of(host: Host) -> HostLoad:
    """Read what a host carries.

    Raises:
        LabvirtError: it gives no answer.
    """
    info = node.info(host.connection)
    running = [one for one in calls.list_all(host.connection) if one.id is not None]
    return HostLoad(
        host.name,
        int(info.memory),
        min(int(available_memory(host.connection)), int(info.memory)),
        info.cpus,
        tuple(map(_load, running)),
    )
