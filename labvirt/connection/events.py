"""Events: one multiplexer per connection takes libvirt's events and tells every listener.

Libvirt allows one callback per event id and connection, and calls it on the process's only event
thread. So the multiplexer registers each id once, makes a frozen `Event` of what comes, and hands
it to the listeners on a thread of its own: a listener may take its time and call libvirt.

Events are hints: read the object again, compare, then act.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

import libvirt

from labvirt.connection.event_table import ROWS, Row

__all__ = ["Event", "Multiplexer", "Subscription"]

_log = logging.getLogger("labvirt")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
#: Events kept for slow listeners; when more wait, all are dropped and an "overflow" is told.
_QUEUE = 10_000

Clock = Callable[[], datetime]
Listener = Callable[["Event"], object]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: ``lifecycle``, ``metadata-change``, ``device-removed`` ... as in `event_table`; for
            the connection itself ``link`` (detail: ``state``, ``generation``, ``why``), and
            ``overflow`` when events were lost: list everything again.
        resource: what it is about: ``domain``, ``network``, ``pool`` or ``connection``.
        uuid: which one; empty for the connection.
        name: its name at that moment; empty for the connection.
        detail: what libvirt told, in words where it has words.
        at: when it came in, aware, UTC.
    """

    kind: str
    resource: str
    uuid: str
    name: str
    detail: Mapping[str, Any]
    at: datetime


class Subscription:
    """A listener that is being told; close it, or use it in a ``with`` block.

    Attributes:
        told: kinds of objects of whose life the daemon tells: ``domain``, ``network``, ``pool``.
    """

    def __init__(
        self, fn: Listener, end: Callable[[Subscription], None], told: AbstractSet[str]
    ) -> None:
        self.fn = fn
        self.told = told
        self._end = end

    def close(self) -> None:
        """Stop being told. Safe to call twice."""
        self._end(self)

    def __enter__(self) -> Self:
        """Return the subscription itself."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Multiplexer:
    """Takes the events of one connection and tells every listener.

    Args:
        name: for the thread.
        clock: gives the time of an event, aware, UTC.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._changed = threading.Condition()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._waiting: deque[Event] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._registering = threading.Lock()
        self._registered: dict[int, list[tuple[Callable[[int], Any], int]]] = {}
        self._told: set[str] = set()

    @property
    def wanted(self) -> bool:
        """Whether anybody has ever listened, so that libvirt must be asked for events."""
        return self._thread is not None

    def listen(self, fn: Listener) -> Subscription:
        """Tell a listener of everything from now on."""
        subscription = Subscription(fn, self._unsubscribe, self._told)
        with self._changed:
            self._subscriptions = (*self._subscriptions, subscription)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
                self._thread.start()
        return subscription

    def _unsubscribe(self, subscription: Subscription) -> None:
        with self._changed:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)

    def attach(self, raw: Any) -> None:
        """Register every event the daemon knows, once; a link that broke meanwhile is no error.

        Args:
            raw: the ``libvirt.virConnect`` that shall tell us.
        """
        with self._registering:
            if id(raw) in self._registered:
                return
            self._registered[id(raw)] = made = []
            adders = {
                "domain": (raw.domainEventRegisterAny, raw.domainEventDeregisterAny),
                "network": (raw.networkEventRegisterAny, raw.networkEventDeregisterAny),
                "pool": (raw.storagePoolEventRegisterAny, raw.storagePoolEventDeregisterAny),
            }
            for row in ROWS:
                if row.number is None:
                    continue
                add, remove = adders[row.resource]
                try:
                    made.append((remove, add(None, row.number, self._callback(row), None)))
                except libvirt.libvirtError as error:
                    _log.debug("no %s events of %ss: %s", row.kind, row.resource, error)
                else:
                    if row.kind == "lifecycle":
                        self._told.add(row.resource)

    def detach(self, raw: Any) -> None:
        """Take our callbacks back; they keep the link alive otherwise."""
        with self._registering:
            made = self._registered.pop(id(raw), [])
        for remove, number in made:
            with contextlib.suppress(libvirt.libvirtError):  # a broken link cannot be told
                remove(number)

    def _callback(self, row: Row) -> Callable[..., None]:
        def on_event(_conn: Any, obj: Any, *values: Any) -> None:
            # An exception here would end as a traceback in some unrelated notebook cell.
            try:
                detail = row.decode(values[:-1])
                event = Event(
                    row.kind, row.resource, obj.UUIDString(), obj.name(), detail, self._clock()
                )
                self.post(event)
            except Exception:  # noqa: BLE001 - whatever it is, it is logged and ends here
                _log.exception("a %s event of a %s could not be read", row.kind, row.resource)

        return on_event

    def post(self, event: Event) -> None:
        """Put an event into the queue of the listeners."""
        with self._changed:
            if self._thread is None:
                return
            if len(self._waiting) >= _QUEUE:
                self._waiting.clear()
                event = Event("overflow", "connection", "", "", _NOTHING, event.at)
            self._waiting.append(event)
            self._changed.notify()

    def post_link(self, **detail: Any) -> None:
        """Tell that the state of the link has changed."""
        told = MappingProxyType(detail)
        self.post(Event("link", "connection", "", "", told, self._clock()))

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                event = self._waiting.popleft()
            for subscription in self._subscriptions:
                if subscription not in self._subscriptions:
                    continue  # closed by a listener before it
                try:
                    subscription.fn(event)
                except Exception:  # noqa: BLE001 - a listener's fault must not stop the others
                    _log.exception("a listener failed at a %s event", event.kind)

    def close(self, wait_s: float = 1.0) -> None:
        """Tell what still waits, then end. Safe to call twice."""
        with self._changed:
            self._closed = True
            thread = self._thread
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(wait_s)
