"""Conditions on series: ``cpu > 90 % for 30 s`` as text, and whether one holds.

::

    [KIND:]SERIES  >|>=|<|<=|==|!=  NUMBER [UNIT]  [for DURATION]  [clear at NUMBER [UNIT]]
    [KIND:]SERIES  no data  [for DURATION]

`Condition.step` is a state machine without a clock of its own: times come with the values.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from labvirt.status.condition_text import SHORT, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.status.series import Group, Kind, Series

__all__ = ["SHORT", "Condition", "State"]

#: ``ok``: it does not hold; ``pending``: it holds, not yet long enough; ``firing``: it holds long
#: enough; ``no data``: unknown, and not firing before.
State = Literal["ok", "pending", "firing", "no data"]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(slots=True)
class Condition:
    """What is watched for on one subject, and how it stands; made by `parse`.

    Rules:
        * It fires at the first value that holds `for_s` or more after the first of an unbroken row
          of values that hold.
        * Missing data is neither ok nor firing: what is pending begins anew after it (nobody knows
          whether it held), what is firing goes on firing until a value says that it is over.
          ``no data`` is the condition that fires on it.
        * Firing ends with the first value that does not hold; with `clear_at`, with the first that
          is back at that level or beyond it.
        * Time that steps back counts as no time: the row goes on from there.

    Attributes:
        text: as it was written.
        definition: the series that is looked at.
        op: ``>``, ``>=``, ``<``, ``<=``, ``==``, ``!=`` or ``no data``.
        limit: the level, in the unit of the series; NaN for ``no data``.
        for_s: how long it must hold before it fires, seconds.
        clear_at: the level at which firing ends, in the unit of the series; None: `limit`.
        state: as of the last step.
        since: time of the first value of the row that holds, None when none does.
        value: the last value, NaN before the first.
    """

    text: str = field(compare=False)
    definition: Series
    op: str
    limit: float
    for_s: float = 0.0
    clear_at: float | None = None
    state: State = field(default="no data", init=False, compare=False)
    since: float | None = field(default=None, init=False, compare=False)
    value: float = field(default=math.nan, init=False, compare=False)
    _held_s: float = field(default=0.0, init=False, compare=False, repr=False)
    _last: float | None = field(default=None, init=False, compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, *, kind: Kind = "domain") -> Condition:
        """Read a condition.

        Args:
            text: e.g. ``cpu > 90 % for 30 s``, ``memory_used < 100 MiB``,
                ``disk_write > 10 MB/s for 1 min``, ``net_rx_bytes_s == 0 for 10 s``,
                ``host:cpu >= 95 % for 1 min clear at 80 %``, ``memory_used no data for 1 min``.
                Series by their name or a short one (`SHORT`); a number without a unit is in the
                series' own. Sizes as libvirt writes them: KiB 1024, KB 1000; also Mbit/s.
            kind: of which kind the series is when the text does not say.

        Raises:
            SpecError: with the position, what is wrong there, and the nearest name.
        """
        return cls(text.strip(), *parse(text, kind))

    @property
    def kind(self) -> Kind:
        """What the subject is: a domain, vCPU, disk, interface or host."""
        return self.definition.kind

    @property
    def series(self) -> str:
        """Name of the series."""
        return self.definition.name

    @property
    def unit(self) -> str:
        """Unit of the series, and of `limit`."""
        return self.definition.unit

    @property
    def group(self) -> Group:
        """What has to be sampled for it."""
        return self.definition.group

    def fresh(self) -> Condition:
        """Return the same condition for another subject, with nothing seen yet."""
        return Condition(self.text, self.definition, self.op, self.limit, self.for_s, self.clear_at)

    def holds(self, value: float) -> bool:
        """Return whether it holds of one value; of NaN, only ``no data`` does."""
        if math.isnan(value):
            return self.op == "no data"
        return self.op != "no data" and _COMPARE[self.op](value, self.limit)

    def step(self, at: float, value: float) -> State:
        """Take the value of a moment; return the state now.

        Args:
            at: seconds of any clock; only differences count.
            value: in the unit of the series; NaN is "no data".
        """
        passed = 0.0 if self._last is None else max(0.0, at - self._last)
        self.value, self._last = value, at
        if self.state == "firing" and not self._is_over(value):
            self._held_s += passed
        elif self.holds(value):
            self._held_s = 0.0 if self.since is None else self._held_s + passed
            self.since = at if self.since is None else self.since
            # A hair less than asked is what adding up tenths of seconds leaves.
            enough = self._held_s >= self.for_s * (1 - 1e-9)
            self.state = "firing" if enough else "pending"
        else:
            self.state = "no data" if math.isnan(value) else "ok"
            self.since = None
        return self.state

    def _is_over(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.clear_at is None:
            return not self.holds(value)
        return not _COMPARE[self.op](value, self.clear_at) or value == self.clear_at

    def __str__(self) -> str:
        """Return the condition as it was written."""
        return self.text
