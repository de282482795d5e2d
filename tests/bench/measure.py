"""Interleaved timing: every round runs every way once, so that a busy machine is fair to all."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Goal:
    """A ratio that shall not be exceeded; `minus` is a way that is taken off both."""

    way: str
    peer: str
    limit: float
    minus: str = ""


@dataclass(frozen=True)
class Result:
    """Seconds of every round, by way."""

    title: str
    seconds: Mapping[str, list[float]]
    goals: tuple[Goal, ...]

    def median(self, way: str) -> float:
        return statistics.median(self.seconds[way])

    def ratio(self, goal: Goal) -> float:
        """Median of the ratios pair by pair: rounds are neighbours in time."""
        off = self.median(goal.minus) if goal.minus else 0.0
        pairs = zip(self.seconds[goal.way], self.seconds[goal.peer], strict=True)
        return statistics.median((ours - off) / (theirs - off) for ours, theirs in pairs)


def interleave(
    title: str, ways: Mapping[str, Callable[[], float]], goals: tuple[Goal, ...], rounds: int
) -> Result:
    """Run every way `rounds` times in turn, after one round that does not count.

    A way returns the seconds that count, so that preparing and cleaning stay out.
    """
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, run in ways.items():
            spent = run()
            if number:
                seconds[way].append(spent)
    return Result(title, seconds, goals)


def timed(run: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
