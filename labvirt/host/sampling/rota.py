"""Rota: which guests are asked at the next turn, so that all have theirs in time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["TURN_S", "Rota", "slices"]

#: Time between two turns, seconds.
TURN_S = 0.5
#: Guests somebody named are asked this often, seconds.
NAMED_S = 1.0
#: So many guests a second are asked even when the round would allow fewer: a hung one is found soon.
_LEAST_EACH_S = 8


class Rota:
    """Remembers when each guest was asked last.

    Args:
        round_s: within so many seconds every guest is asked once; named ones each `NAMED_S`.
    """

    def __init__(self, round_s: float) -> None:
        self.round_s = round_s
        self._asked: dict[str, float] = {}

    def period_s(self, count: int) -> float:
        """Return how often each of `count` guests is asked."""
        return min(self.round_s, max(NAMED_S, count / _LEAST_EACH_S))

    def pick(self, now: float, everyone: AbstractSet[str], named: AbstractSet[str]) -> list[str]:
        """Return who is to be asked now, those who wait longest first; notes that they are.

        Args:
            now: clock, seconds.
            everyone: all guests of whom something is needed.
            named: those of them that somebody asked for by name.
        """
        self._asked = {uuid: at for uuid, at in self._asked.items() if uuid in everyone}
        plain = everyone - named
        period = self.period_s(len(plain))
        often = min(NAMED_S, self.round_s)
        chosen = self._due(now, named, often)
        due = self._due(now, plain, period)
        # Some may be late after a slow turn; more than twice the usual number is a burst.
        usual = math.ceil(len(plain) * TURN_S / period) if plain else 0
        chosen += due[
            : 2 * usual if len(due) > usual and self._is_late(now, due, period) else usual
        ]
        self._asked.update(dict.fromkeys(chosen, now))
        return chosen

    def forget(self, uuids: Iterable[str]) -> None:
        """Ask some guests again at once: their turn was broken off."""
        for uuid in uuids:
            self._asked.pop(uuid, None)

    def _due(self, now: float, among: AbstractSet[str], period: float) -> list[str]:
        limit = now - period + TURN_S / 2
        never = -math.inf
        due = [uuid for uuid in among if self._asked.get(uuid, never) <= limit]
        return sorted(due, key=lambda uuid: (self._asked.get(uuid, never), uuid))

    def _is_late(self, now: float, due: Sequence[str], period: float) -> bool:
        asked = self._asked.get(due[0])
        return asked is not None and now - asked > period + 2 * TURN_S


def slices(uuids: Iterable[str], size: int) -> list[list[str]]:
    """Cut a list into pieces of at most `size`."""
    listed = list(uuids)
    return [listed[start : start + size] for start in range(0, len(listed), size)]
