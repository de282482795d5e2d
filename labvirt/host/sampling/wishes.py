"""Wishes: what listeners ask for, checked, and what must be read for all of them together."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

from labvirt.errors import Problem, SpecError
from labvirt.status.series import GROUPS

if TYPE_CHECKING:
    from labvirt.status.series import Group

__all__ = [
    "COSTLY",
    "DEFAULT_GROUPS",
    "SLOWEST_S",
    "Needs",
    "Wish",
    "checked_domains",
    "checked_groups",
    "checked_interval",
    "is_uuid",
    "union",
]

DEFAULT_GROUPS: tuple[Group, ...] = ("cpu", "memory", "network")
#: Groups for which hypervisor processes are asked.
COSTLY: tuple[Group, ...] = ("disk", "balloon", "steal")
FASTEST_S, SLOWEST_S = 0.2, 3600.0
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one listener asks for.

    Attributes:
        groups: which groups of series.
        domains: UUIDs for the groups that cost something; None for all active domains.
    """

    groups: frozenset[Group]
    domains: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What all listeners need together.

    Attributes:
        groups: union of the groups.
        all_of: groups that somebody wants of all domains.
        named: UUID to the groups that somebody wants of just this domain.
    """

    groups: frozenset[Group] = frozenset()
    all_of: frozenset[Group] = frozenset()
    named: dict[str, frozenset[Group]] = field(default_factory=dict)

    def of(self, uuid: str) -> frozenset[Group]:
        """Return the groups that are wanted of a domain."""
        return self.all_of | self.named.get(uuid, frozenset())

    def who(self, group: Group) -> frozenset[str] | None:
        """Return of which domains a group is wanted; None for all."""
        if group in self.all_of:
            return None
        return frozenset(uuid for uuid, groups in self.named.items() if group in groups)

    @property
    def is_costly(self) -> bool:
        """Whether hypervisor processes must be asked."""
        return not self.groups.isdisjoint(COSTLY)


def union(wishes: Iterable[Wish]) -> Needs:
    """Return what is needed for all wishes together."""
    groups: set[Group] = set()
    all_of: set[Group] = set()
    named: dict[str, frozenset[Group]] = {}
    for wish in wishes:
        groups |= wish.groups
        if wish.domains is None:
            all_of |= wish.groups
            continue
        for uuid in wish.domains:
            named[uuid] = named.get(uuid, frozenset()) | wish.groups
    return Needs(frozenset(groups), frozenset(all_of), named)


def checked_interval(value: object, name: str = "interval_s") -> float:
    """Return an interval in seconds.

    Raises:
        SpecError: it is no number, or not within 0.2 and 3600 s.
    """
    number = float(value) if isinstance(value, int | float) and value is not True else math.nan
    if not FASTEST_S <= number <= SLOWEST_S:
        why = f"must be a number of seconds from {FASTEST_S:g} to {SLOWEST_S:g}"
        raise SpecError("cannot sample:", [Problem(name, str(value)[:40], why, "1.0 is usual")])
    return number


def checked_groups(groups: object) -> frozenset[Group]:
    """Return groups of series.

    Raises:
        SpecError: there are none, or there is none of that name; names the nearest.
    """
    listed = _texts(groups, "groups", 'a list of names, e.g. ("cpu", "disk")')
    problems = []
    for name in listed:
        if name not in GROUPS:
            near = get_close_matches(name.lower(), GROUPS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(GROUPS)}"
            problems.append(Problem("groups", name[:40], "there is no such group", hint))
    if not listed:
        problems.append(Problem("groups", "", "none at all", f"choose from {', '.join(GROUPS)}"))
    if problems:
        raise SpecError("cannot sample:", problems)
    return cast("frozenset[Group]", frozenset(listed))


def checked_domains(domains: object) -> tuple[str, ...] | None:
    """Return names and UUIDs of domains as they were given, None for all.

    Raises:
        SpecError: it is no list of texts.
    """
    if domains is None:
        return None
    return _texts(domains, "domains", 'a list of names or UUIDs, e.g. ["web1"]; None for all')


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID as libvirt writes it."""
    return _UUID.fullmatch(text) is not None


def _texts(value: object, name: str, hint: str) -> tuple[str, ...]:
    listed: list[object] = [None]
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        listed = list(value)
    texts = tuple(each for each in listed if isinstance(each, str) and each)
    if len(texts) < len(listed):
        raise SpecError(
            "cannot sample:", [Problem(name, str(value)[:40], "must be a list of texts", hint)]
        )
    return texts
