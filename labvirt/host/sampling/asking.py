"""Asking: guests are asked in small slices with a deadline; one that hangs is marked stalled.

Each hung guest that was asked holds one of the daemon's workers until it is free again, so a
stalled one is only looked at from outside (``controlInfo``), and after a few of them nobody is asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from labvirt.connection import sampling
from labvirt.connection.stats_link import Line
from labvirt.errors import NotFoundError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from labvirt.connection import Connection
    from labvirt.connection.sampling import Control, Slow
    from labvirt.connection.stats_link import StatsLink
    from labvirt.status.series import Group

__all__ = ["SLICE", "Asker"]

T = TypeVar("T")

#: Guests asked in one call. A slice ends with its slowest guest, so it is small.
SLICE = 4
_DEADLINE_S = 1.5
_LONGEST_DEADLINE_S = 6.0
_CONTROL_S = 5.0
#: Occupied for so long means that the process hangs.
_HUNG_S = 1.0
#: A daemon has 20 workers by default.
_MOST_STALLED = 5


class Asker:
    """Asks the hypervisor processes of one host; used on one thread.

    Args:
        conn: the connection to the host.
        name: for the threads.
        tell: told of a guest that is stalled (clock since when) or free again (None).

    Attributes:
        stalled: UUID to the clock (CLOCK_BOOTTIME) since when it gives no answer.
        line: the link that is asked on.
    """

    def __init__(
        self, conn: Connection, name: str, tell: Callable[[str, float | None], object]
    ) -> None:
        self.stalled: dict[str, float] = {}
        self.line = Line(conn, name)
        self._tell = tell
        self._patience: dict[str, float] = {}

    @property
    def is_full(self) -> bool:
        """Whether so many hang that nobody more is asked."""
        return len(self.stalled) >= _MOST_STALLED

    def close(self) -> None:
        """End the link."""
        self.line.close()

    def look_at_stalled(self, active: AbstractSet[str]) -> None:
        """Look from outside whether stalled guests are free again, or gone."""
        for uuid in [uuid for uuid in self.stalled if uuid not in active]:
            self._free(uuid)
        if self.stalled:
            for uuid, seen in self._control(list(self.stalled)).items():
                if seen is None or seen.state != sampling.BUSY:
                    self._free(uuid)

    def ask(self, uuid: str, fn: Callable[[StatsLink], T]) -> T | None:
        """Ask one guest something; None when it hangs or gives no answer in time.

        Raises:
            NotFoundError: it is not active any more.
            ConnectionLostError: the link broke.
            HostError: libvirt refused.
        """
        if uuid not in self.stalled and self._control([uuid])[uuid] is None:
            raise NotFoundError("ask a domain", libvirt_text=f"{uuid} is not active")
        return self._ask([uuid], lambda link, _: fn(link))

    def read(self, uuids: Sequence[str], groups: AbstractSet[Group]) -> Slow | None:
        """Read a slice; None when nobody of it gives an answer in time.

        Raises:
            ConnectionLostError: the link broke.
            HostError: libvirt refused.
        """

        def read(link: StatsLink, ready: Sequence[str]) -> Slow:
            return sampling.read_slow(
                link,
                ready,
                disk="disk" in groups,
                balloon="balloon" in groups,
                steal="steal" in groups,
            )

        return self._ask(uuids, read)

    def _ask(self, uuids: Sequence[str], fn: Callable[[StatsLink, Sequence[str]], T]) -> T | None:
        uuids = [uuid for uuid in uuids if uuid not in self.stalled]
        if not uuids or self.is_full:
            return None
        ready = [uuid for uuid, seen in self._control(uuids).items() if self._is_ready(uuid, seen)]
        if not ready:
            return None
        patience = max(self._patience.get(uuid, _DEADLINE_S) for uuid in ready)
        began = sampling.clock_s()
        try:
            answer = self.line.run(
                "ask hypervisor processes", lambda link: fn(link, ready), patience
            )
        except WaitTimeoutError:
            self._who_hangs(ready, began, patience)
            return None
        for uuid in ready:
            self._patience.pop(uuid, None)
        return answer

    def _control(self, uuids: Sequence[str]) -> dict[str, Control | None]:
        return self.line.run(
            "look at hypervisor processes", lambda link: sampling.control(link, uuids), _CONTROL_S
        )

    def _is_ready(self, uuid: str, seen: Control | None) -> bool:
        if seen is None:
            return False
        if seen.state == sampling.BUSY and seen.for_s >= _HUNG_S:
            self._mark(uuid, sampling.clock_s() - seen.for_s)
        return seen.state < sampling.BUSY

    def _who_hangs(self, uuids: Sequence[str], began: float, patience: float) -> None:
        found = self._control(uuids)
        hung = [
            uuid
            for uuid, seen in found.items()
            if seen is not None and seen.state == sampling.BUSY and seen.for_s >= _HUNG_S
        ]
        for uuid in hung:
            self._mark(uuid, began)
        if not hung:  # they are slow, no more: give them more time
            longer = min(patience * 2, _LONGEST_DEADLINE_S)
            self._patience.update(dict.fromkeys(uuids, longer))

    def _mark(self, uuid: str, since: float) -> None:
        if uuid not in self.stalled and math.isfinite(since):
            self.stalled = {**self.stalled, uuid: since}
            self._tell(uuid, since)

    def _free(self, uuid: str) -> None:
        self.stalled = {other: since for other, since in self.stalled.items() if other != uuid}
        self._tell(uuid, None)
