"""Lanes: the links of one connection, one call at a time on each.

Calls share no link, for two reasons:

- While a call waits for its answer, another one on the same link may sleep until the next
  keepalive tick: libvirt's client loses a wake-up between two threads (seen with 9.0). One hung
  guest would then slow every call down by seconds.
- A daemon stops reading from a client with ``max_client_requests`` (5 by default) calls under way,
  keepalive included: five long calls would stop every other one and break the link.

So a further link to the same daemon is opened when all are busy for longer than usual.

A link is closed only when no call is under way on it: libvirt frees it under the feet of the call.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from labvirt.connection.opening import is_alive
from labvirt.errors import ConnectionLostError, LabvirtError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lane", "Lanes"]


class Lane:
    """One link.

    Attributes:
        raw: the ``libvirt.virConnect``.
        calls: calls under way on it.
    """

    __slots__ = ("calls", "raw")

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.calls = 0


class Lanes:
    """The links to one daemon since the last reconnect.

    Args:
        first: the link that carries events; used for calls as well.
        open_more: opens a further link.
        close_one: closes a link for good.
        calls_each: calls that one link may carry at a time.
        most: how many links there may be.
        patience_s: how long to wait for a busy link before another one is opened.
    """

    def __init__(
        self,
        first: Any,
        *,
        open_more: Callable[[], Any],
        close_one: Callable[[Any], None],
        calls_each: int = 1,
        most: int = 16,
        patience_s: float = 0.02,
    ) -> None:
        self._open_more = open_more
        self._close_one = close_one
        self._calls_each = calls_each
        self._most = most
        self._patience_s = patience_s
        self._room = threading.Condition()
        self._lanes = [Lane(first)]
        self._opening = False
        self._closed = False

    def __len__(self) -> int:
        """Return how many links there are."""
        return len(self._lanes)

    def take(
        self,
        asked: str,
        *,
        uri: str,
        given_up: Callable[[], bool] = lambda: False,
        only_first: bool = False,
    ) -> Lane:
        """Return a link with room for one more call; waits while all are full.

        Args:
            asked: what for, for messages.
            uri: the host, for messages.
            given_up: whether the caller has left.
            only_first: take no other link than the first.

        Raises:
            ConnectionLostError: the connection was closed or lost, or nobody waits any more.
        """
        patient_until = time.monotonic() + self._patience_s
        while True:
            with self._room:
                if self._closed or given_up():
                    raise ConnectionLostError(asked, uri=uri, hint="the connection is gone")
                free = self._free(1 if only_first else self._most)
                if free is not None:
                    free.calls += 1
                    return free
                left = patient_until - time.monotonic()
                full = only_first or self._opening or len(self._lanes) >= self._most
                if full or left > 0:
                    self._room.wait(0.1 if full else left)
                    continue
                self._opening = True
            self._add()

    def _free(self, among: int) -> Lane | None:
        for lane in self._lanes[:among]:
            if lane.calls < self._calls_each:
                if lane is self._lanes[0] or is_alive(lane.raw):
                    return lane
                self._lanes.remove(lane)  # its end says nothing of the others
                return self._free(among)
        return None

    def _add(self) -> None:
        raw = None
        try:
            raw = self._open_more()
        except LabvirtError:
            time.sleep(0.2)  # the daemon takes no more clients now: those we have must do
        with self._room:
            self._opening = False
            unwanted = self._closed
            if raw is not None and not unwanted:
                self._lanes.append(Lane(raw))
            self._room.notify_all()
        if raw is not None and unwanted:
            self._close_one(raw)

    def give_back(self, lane: Lane) -> None:
        """Say that the call on a link has ended; closes the link when it is no longer wanted."""
        with self._room:
            lane.calls -= 1
            unwanted = self._closed and not lane.calls
            self._room.notify()
        if unwanted:
            self._close_one(lane.raw)

    def close(self) -> tuple[Any, ...]:
        """Let no further call in.

        Returns:
            The links without a call, the first one first; the caller closes them. The others are
            closed when their calls end.
        """
        with self._room:
            already, self._closed = self._closed, True
            self._room.notify_all()
            return () if already else tuple(lane.raw for lane in self._lanes if not lane.calls)
