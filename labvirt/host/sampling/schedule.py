"""Schedule: when to read next, without drift, without bursts, and less often when it is slow."""

from __future__ import annotations

import math

__all__ = ["LONGEST_S", "Schedule"]

#: A host that is slow is asked this seldom at most, seconds.
LONGEST_S = 30.0
_CALM_TICKS = 3


class Schedule:
    """Ticks at ``start + k * interval``; what was missed is skipped and counted, never made up.

    When a tick takes more than half of the interval, the interval doubles, up to `LONGEST_S`; it
    comes back after some ticks that would leave the shorter one idle for three quarters.

    Args:
        interval_s: what is wished, seconds.
        now: clock of the first tick; any clock that runs on in sleep.

    Attributes:
        interval_s: what is kept to now.
        wished_s: what is wished.
        skipped: ticks that were missed so far.
    """

    def __init__(self, interval_s: float, now: float) -> None:
        self.wished_s = interval_s
        self.interval_s = interval_s
        self.skipped = 0
        self.next_at = now
        self._calm = 0

    @property
    def is_backed_off(self) -> bool:
        """Whether it ticks less often than is wished."""
        return self.interval_s > self.wished_s

    def wish(self, interval_s: float, now: float) -> None:
        """Tick at another interval from now on."""
        self.wished_s = self.interval_s = interval_s
        self.next_at = now
        self._calm = 0

    def done(self, took_s: float, now: float) -> int:
        """Plan the next tick after one that took `took_s`.

        Returns:
            How many ticks were missed meanwhile.
        """
        changed = self._adapt(took_s)
        begun = self.next_at
        self.next_at = begun + self.interval_s
        if now < self.next_at:
            return 0
        missed = math.floor((now - begun) / self.interval_s)
        self.next_at = begun + (missed + 1) * self.interval_s
        missed = 0 if changed else missed
        self.skipped += missed
        return missed

    def _adapt(self, took_s: float) -> bool:
        longest = max(LONGEST_S, self.wished_s)
        if took_s > self.interval_s / 2:
            self._calm = 0
            before, self.interval_s = self.interval_s, min(self.interval_s * 2, longest)
            return self.interval_s > before
        shorter = max(self.interval_s / 2, self.wished_s)
        self._calm = self._calm + 1 if took_s < shorter / 4 else 0
        if self.is_backed_off and self._calm >= _CALM_TICKS:
            self._calm = 0
            self.interval_s = shorter
        return False
