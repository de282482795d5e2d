"""Where guests should be: a place for each that leaves, balance, and hosts that could rest. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from labvirt.status.finding import amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Advice",
    "GuestLoad",
    "HostLoad",
    "Order",
    "PlacedMove",
    "balance",
    "place",
    "save_power",
    "sorted_by",
]

Order = Literal["largest", "smallest", "name"]


@dataclass(frozen=True, slots=True)
class GuestLoad:
    """What a guest weighs.

    Attributes:
        name: the guest.
        memory: bytes it may take; 0 for one that is off.
        cpus: processors it keeps busy; 0 when not measured.
        pinned: why it cannot move; empty when nothing is known.
    """

    name: str
    memory: int
    cpus: float = 0.0
    pinned: str = ""


@dataclass(frozen=True, slots=True)
class HostLoad:
    """What a host carries.

    Attributes:
        name: the host.
        memory: bytes of the machine.
        available: bytes that new guests can have.
        cpus: processors of the machine.
        guests: what runs on it.
    """

    name: str
    memory: int
    available: int
    cpus: int = 0
    guests: tuple[GuestLoad, ...] = ()

    @property
    def load(self) -> float:
        """Return how full it is, 0..1 and above: by memory or processors, whatever is scarcer."""
        memory = 1 - self.available / self.memory if self.memory else 0.0
        cpus = sum(one.cpus for one in self.guests) / self.cpus if self.cpus else 0.0
        return max(memory, cpus)

    def with_guest(self, guest: GuestLoad) -> HostLoad:
        """Return the host with one guest more."""
        return replace(self, available=self.available - guest.memory, guests=(*self.guests, guest))

    def without(self, guest: GuestLoad) -> HostLoad:
        """Return the host with one guest less."""
        kept = tuple(one for one in self.guests if one.name != guest.name)
        return replace(self, available=self.available + guest.memory, guests=kept)


@dataclass(frozen=True, slots=True)
class PlacedMove:
    """One guest that should move.

    Attributes:
        guest: its name.
        source: name of the host it leaves.
        destination: name of the host it goes to.
        memory: bytes it takes along.
    """

    guest: str
    source: str
    destination: str
    memory: int = 0

    def __str__(self) -> str:
        return f"{self.guest}: {self.source} -> {self.destination} ({amount(self.memory)})"


@dataclass(frozen=True)
class Advice:
    """What should move, and what comes of it.

    Attributes:
        goal: ``balance`` or ``power``.
        moves: in the order in which they should be made.
        before: host -> how full it is, 0..1.
        after: the same when all is done.
        emptied: hosts that carry nothing then and could be switched off.
        why: in a sentence.
    """

    goal: Literal["balance", "power"]
    moves: tuple[PlacedMove, ...]
    before: Mapping[str, float]
    after: Mapping[str, float]
    emptied: tuple[str, ...] = ()
    why: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Return the moves, and how full the hosts are before and after."""
        loads = [
            f"{name}: {self.before[name]:.0%} -> {self.after[name]:.0%}" for name in self.before
        ]
        return "\n".join([self.why, *map(str, self.moves), *loads])


def sorted_by(guests: Sequence[GuestLoad], order: Order) -> list[GuestLoad]:
    """Return guests in the order in which they are to go; of equal ones, by name."""
    if order == "name":
        return sorted(guests, key=lambda one: one.name)
    sign = -1 if order == "largest" else 1
    return sorted(guests, key=lambda one: (sign * one.memory, one.name))


def place(
    source: str,
    guests: Sequence[GuestLoad],
    hosts: Sequence[HostLoad],
    *,
    order: Order = "largest",
    reserve: int = 0,
    tight: bool = False,
) -> tuple[tuple[PlacedMove, ...], dict[str, str]]:
    """Find a place for every guest: the host with the most room left, or the least that will do.

    Room is found for the largest first, whatever the order in which they go; so the most fit.

    Args:
        source: host they leave.
        guests: who leaves.
        hosts: where they may go.
        order: in which order they go.
        reserve: bytes of every host that must stay free.
        tight: take the host with the least room that is enough.

    Returns:
        The moves in order, and for every guest without a place the reason.
    """
    room = {one.name: one.available - reserve for one in hosts}
    where: dict[str, str] = {}
    left: dict[str, str] = {}
    for guest in sorted_by(guests, "largest"):
        if guest.pinned:
            left[guest.name] = guest.pinned
            continue
        fits = [one for one in room if room[one] >= guest.memory]
        if not fits:
            most = amount(max(0, *room.values())) if room else "nothing"
            left[guest.name] = f"{amount(guest.memory)} fit nowhere: at most {most} is free"
            continue
        name = (min if tight else max)(fits, key=lambda one: room[one])
        room[name] -= guest.memory
        where[guest.name] = name
    moves = tuple(
        PlacedMove(one.name, source, where[one.name], one.memory)
        for one in sorted_by(guests, order)
        if one.name in where
    )
    return moves, left


def balance(hosts: Sequence[HostLoad], *, within: float = 0.1, most_moves: int = 20) -> Advice:
    """Propose moves until the fullest and the emptiest host differ by little.

    Args:
        hosts: two or more.
        within: how much they may differ, as a part of a host.
        most_moves: no more than these.
    """
    now = {one.name: one for one in hosts}
    before = {one.name: one.load for one in hosts}
    moves: list[PlacedMove] = []
    while len(moves) < most_moves and _spread(now) > within:
        best = _best_move(now)
        if best is None:
            break
        guest, source, destination = best
        now[source] = now[source].without(guest)
        now[destination] = now[destination].with_guest(guest)
        moves.append(PlacedMove(guest.name, source, destination, guest.memory))
    after = {name: one.load for name, one in now.items()}
    spread = max(before.values(), default=0.0) - min(before.values(), default=0.0)
    why = (
        f"the fullest and the emptiest host differ by {spread:.0%}, and by {_spread(now):.0%} after"
    )
    return Advice("balance", tuple(moves), before, after, why=why)


def _spread(now: Mapping[str, HostLoad]) -> float:
    loads = [one.load for one in now.values()]
    return max(loads, default=0.0) - min(loads, default=0.0)


def _best_move(now: Mapping[str, HostLoad]) -> tuple[GuestLoad, str, str] | None:
    """Return the move from the fullest to the emptiest host that evens them out most."""
    full = max(now.values(), key=lambda one: one.load)
    empty = min(now.values(), key=lambda one: one.load)
    best, gain = None, full.load - empty.load
    for guest in full.guests:
        if guest.pinned or guest.memory > empty.available:
            continue
        apart = abs(full.without(guest).load - empty.with_guest(guest).load)
        if apart < gain - 1e-9:
            best, gain = (guest, full.name, empty.name), apart
    return best


def save_power(hosts: Sequence[HostLoad], *, reserve: float = 0.1) -> Advice:
    """Propose moves that empty as many hosts as can be, the emptiest first.

    Args:
        hosts: two or more.
        reserve: part of the memory of every host that must stay free.
    """
    now = {one.name: one for one in hosts}
    before = {one.name: one.load for one in hosts}
    moves: list[PlacedMove] = []
    emptied: list[str] = []
    for name in sorted(now, key=lambda one: now[one].load):
        others = [one for key, one in now.items() if key != name and key not in emptied]
        if not others:
            break
        # A host that has taken guests in stays on.
        if any(one.destination == name for one in moves):
            continue
        keep = [replace(one, available=int(one.available - reserve * one.memory)) for one in others]
        found, left = place(name, now[name].guests, keep, tight=True)
        if left:
            continue
        by_name = {one.name: one for one in now[name].guests}
        for move in found:
            guest = by_name[move.guest]
            now[name] = now[name].without(guest)
            now[move.destination] = now[move.destination].with_guest(guest)
        moves += found
        emptied.append(name)
    after = {name: one.load for name, one in now.items()}
    why = f"{', '.join(emptied)} could be switched off" if emptied else "no host can be emptied"
    return Advice("power", tuple(moves), before, after, tuple(emptied), why)
