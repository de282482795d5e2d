"""Axis: UTC times that never go backwards, whatever happens to the clocks of this machine."""

from __future__ import annotations

import time
from typing import NamedTuple

__all__ = ["Axis", "Clocks"]

#: Steps of the clock smaller than this are corrections, not news; seconds.
_NEWS_S = 1.5
_LEAST_S = 1e-3


class Clocks(NamedTuple):
    """What the clocks of this machine show: UTC, since boot with sleep, and without; seconds."""

    wall: float
    boot: float
    awake: float

    @classmethod
    def read(cls) -> Clocks:
        """Read them."""
        return cls(
            time.time(),
            time.clock_gettime(time.CLOCK_BOOTTIME),
            time.clock_gettime(time.CLOCK_MONOTONIC),
        )


class Axis:
    """Makes times of samples from clock readings.

    The wall clock counts as long as it goes forward. After a step back the axis goes on from where
    it was, by the clock since boot, until the wall clock has caught up.
    """

    def __init__(self) -> None:
        self._last: Clocks | None = None
        self._at = 0.0

    def next(self, clocks: Clocks) -> tuple[float, str]:
        """Return the time of a sample, UTC seconds, later than all before; and news of the clock.

        Returns:
            The time, and in words that the clock was set or that the machine slept; else empty.
        """
        last, self._last = self._last, clocks
        if last is None:
            self._at = max(clocks.wall, self._at + _LEAST_S)
            return self._at, ""
        passed = max(clocks.boot - last.boot, _LEAST_S)
        news = self._news(last, clocks)
        if clocks.wall > self._at:
            self._at = clocks.wall
        else:
            self._at += passed
        return self._at, news

    def _news(self, last: Clocks, clocks: Clocks) -> str:
        passed = clocks.boot - last.boot
        slept = passed - (clocks.awake - last.awake)
        if slept > _NEWS_S:
            return f"this machine slept for {slept:.0f} s"
        stepped = (clocks.wall - last.wall) - passed
        if abs(stepped) > _NEWS_S:
            way = "forward" if stepped > 0 else "back"
            return f"the clock of this machine was set {way} by {abs(stepped):.0f} s"
        return ""

    def now(self) -> float:
        """Return about the time that a sample taken now would have."""
        wall, boot, _ = Clocks.read()
        if self._last is None:
            return wall
        return max(wall, self._at + boot - self._last.boot)
