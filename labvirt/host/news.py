"""News: keeps the records of a host up to date by its events, and tells the listeners once."""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as domains
from labvirt.connection import network as networks
from labvirt.connection import pool as pools
from labvirt.errors import LabvirtError, NotFoundError
from labvirt.status import Store

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from labvirt.connection import Connection, Event
    from labvirt.status import Change, Record

__all__ = ["KINDS", "News"]

_log = logging.getLogger("labvirt")

#: What is kept up to date, and the calls that read it.
KINDS: dict[str, Any] = {"domain": domains, "network": networks, "pool": pools}


class News:
    """The records of one host, and a thread that reads again what events point at.

    An event is only a hint: the object is read, compared with what was known, and listeners hear
    of real changes only.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._store = Store()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[tuple[Change, ...]], None]] = []
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._arrived: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._doubted: set[str] = set()
        self._subscription = connection.listen(self._post)
        self._reader = threading.Thread(
            target=self._read, name=f"labvirt-news {connection.uri.redacted()}"[:60], daemon=True
        )
        self._reader.start()

    def close(self) -> None:
        """End the thread; the records stay. Calling it twice is harmless."""
        self._subscription.close()
        self._events.put(None)
        if threading.current_thread() is not self._reader:
            self._reader.join(2.0)

    @property
    def stale_since(self) -> dt.datetime | None:
        """Since when the records are out of date (UTC), None while they are not."""
        return self._store.stale_since

    @property
    def is_empty(self) -> bool:
        """True when nothing was read yet."""
        return not self._store.kinds()

    def record(self, kind: str, uuid: str) -> Any:
        """Return the record last read, None when there is none; asks nobody."""
        with self._lock:
            return self._store.get(kind, uuid)

    def records(self, kind: str) -> tuple[Any, ...]:
        """Return all records last read; asks nobody."""
        with self._lock:
            return self._store.all(kind)

    def note(self, kind: str, record: Record | None, uuid: str = "") -> None:
        """Keep a record that was read (None: it is gone) and tell the listeners if it is news."""
        with self._lock:
            changes = self._store.put(record) if record else self._store.drop(kind, uuid)
        self._tell(changes)

    def look(self, kind: str, uuid: str) -> None:
        """Read one object now, for what no event tells of; a host that is silent changes nothing."""
        try:
            self.note(kind, KINDS[kind].read(self._connection, uuid))
        except NotFoundError:
            self.note(kind, None, uuid)
        except LabvirtError as error:
            _log.debug("news of %s: %s", self._connection.uri.redacted(), error.what)

    def note_all(self, kind: str, records: tuple[Any, ...]) -> None:
        """Keep a complete reading of one kind and tell the listeners what is news."""
        with self._lock:
            changes = self._store.replace_all(kind, records)
        self._tell(changes)

    def settled(self, kind: str) -> tuple[int, tuple[Any, ...]]:
        """Return how many events of a kind have come, and the records they have kept up to date.

        There are no such records while an event waits to be looked at, when events were lost, or
        when the daemon tells of none.
        """
        with self._lock:
            mark = self._arrived[kind]
            doubted = self._waiting[kind] or kind in self._doubted
            told = kind in self._subscription.told
            trusted = told and not doubted and self._store.stale_since is None
            return mark, self._store.all(kind) if trusted else ()

    def note_all_since(self, kind: str, records: tuple[Any, ...], mark: int) -> bool:
        """Keep a complete reading, unless an event of that kind has come since `mark`.

        Returns:
            Whether it was kept.
        """
        with self._lock:
            if self._arrived[kind] != mark:
                return False
            self._doubted.discard(kind)
            changes = self._store.replace_all(kind, records)
        self._tell(changes)
        return True

    def read_all(self) -> None:
        """Read everything now."""
        for kind, calls in KINDS.items():
            self.note_all(kind, calls.list_all(self._connection))

    def listen(self, listener: Callable[[tuple[Change, ...]], None]) -> Callable[[], None]:
        """Call `listener` with real changes, once each; returns what ends the listening."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def _tell(self, changes: tuple[Change, ...]) -> None:
        if not changes:
            return
        for listener in tuple(self._listeners):
            try:
                listener(changes)
            except Exception:  # noqa: BLE001 - a broken view must not stop the news of the others
                _log.exception("a listener of %s failed", self._connection.uri.redacted())

    def _post(self, event: Event) -> None:
        with self._lock:
            self._arrived[event.resource] += 1
            self._waiting[event.resource] += 1
            if event.kind == "overflow":
                self._doubted.update(KINDS)
        self._events.put(event)

    def _read(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._take(event)
            except LabvirtError as error:
                with self._lock:
                    self._doubted.add(event.resource)
                _log.debug("news of %s: %s", self._connection.uri.redacted(), error.what)
            finally:
                with self._lock:
                    self._waiting[event.resource] -= 1

    def _take(self, event: Event) -> None:
        if event.kind == "link":
            if event.detail.get("state") == "connected":
                self.read_all()
                with self._lock:
                    self._doubted.clear()
                    self._store.mark_fresh()
            else:
                with self._lock:
                    self._store.mark_stale(event.at)
            return
        if event.kind == "overflow":
            self.read_all()
        calls = KINDS.get(event.resource)
        if calls is None:
            return
        try:
            self.note(event.resource, calls.read(self._connection, event.uuid))
        except NotFoundError:
            self.note(event.resource, None, event.uuid)
