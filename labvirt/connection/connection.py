"""The connection: one host's link, its calls, and how it comes back when it breaks."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

import libvirt

from labvirt.connection.events import Clock, Listener, Multiplexer, Subscription
from labvirt.connection.failures import translate
from labvirt.connection.lanes import Lane, Lanes
from labvirt.connection.links import Linker
from labvirt.connection.loop import event_loop
from labvirt.connection.opening import Ask, is_alive
from labvirt.connection.reconnect import LinkState, Reconnector
from labvirt.connection.workers import Task, Workers
from labvirt.errors import ConnectionLostError, LabvirtError, WaitTimeoutError
from labvirt.model.uri import Uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Connection"]

T = TypeVar("T")
_numbers = itertools.count(1)


def _now() -> datetime:
    return datetime.now(UTC)


class Connection:
    """The open link to one host; made by `open`, ended by `close` or a ``with`` block.

    Calls may come from any thread. When the link breaks it is opened again by itself; meanwhile
    calls fail at once. Objects of the host are named by UUID, so they outlive the link.
    """

    def __init__(
        self,
        uri: Uri,
        *,
        readonly: bool,
        keepalive: tuple[int, int],
        ask: Ask | None,
        clock: Clock,
    ) -> None:
        self._uri = uri
        self._where = uri.redacted()
        self._readonly = readonly
        self._clock = clock
        self._pid = os.getpid()
        name = f"labvirt {next(_numbers)}"
        self._workers = Workers(name)
        self._events = Multiplexer(f"{name} listeners", clock)
        self._links = Linker(uri, readonly, keepalive, ask, self._events, self._link_broke)
        self._changed = threading.Condition()
        self._state = LinkState.RECONNECTING
        self._raw: Any = None
        self._lanes: Lanes | None = None
        self._generation = 0
        self._lost_since: datetime | None = None
        self._lost_why = ""
        #: Open streams: broken off when the link is lost, released before it closes.
        self.streams: set[Any] = set()
        self._names: dict[str, str] = {}
        self._reconnector = Reconnector(
            name, self._workers, self._links.establish, self._links.dispose
        )

    @classmethod
    def open(
        cls,
        uri: Uri | str,
        *,
        readonly: bool = False,
        keepalive: tuple[int, int] = (3, 3),
        timeout_s: float = 30.0,
        ask: Ask | None = None,
        clock: Clock = _now,
    ) -> Self:
        """Open the link to a host.

        Args:
            uri: where to; see `labvirt.model.uri`.
            readonly: a connection that cannot change anything.
            keepalive: seconds between probes of the daemon, and how many may go unanswered
                before the link counts as lost.
            timeout_s: limit for opening, seconds.
            ask: answers questions of the log-in: kind (``username``, ``password``) and prompt.
            clock: gives the time, aware, UTC.

        Raises:
            SpecError: the URI has a typo.
            ConnectionLostError: nobody answers there.
            AccessDeniedError: the socket's rights, a key, a password or a certificate say no.
            UnsupportedError: this libvirt has no such driver.
            WaitTimeoutError: no answer in time.
        """
        parsed = Uri.parse(uri) if isinstance(uri, str) else uri
        made = cls(parsed, readonly=readonly, keepalive=keepalive, ask=ask, clock=clock)
        event_loop.hold()
        try:
            made._adopt(made._first_link(timeout_s))
        except BaseException:
            made._state = LinkState.CLOSED
            made._workers.close()
            event_loop.let_go()
            raise
        return made

    def _first_link(self, timeout_s: float) -> Any:
        task = self._workers.start(lambda _: self._links.establish(), late=self._links.dispose)
        if not task.wait(timeout_s):
            raise WaitTimeoutError(
                f"the connection to {self._where} to open",
                timeout_s=timeout_s,
                likely_cause="the daemon or the way to it hangs",
                hint="look at the daemon on the host, or give a longer timeout_s",
            )
        return task.result()

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Connection {self._where} {self._state.value}>"

    @property
    def uri(self) -> Uri:
        """Where it goes."""
        return self._uri

    @property
    def readonly(self) -> bool:
        """Whether it cannot change anything."""
        return self._readonly

    @property
    def state(self) -> LinkState:
        """State of the link now."""
        return self._state

    @property
    def lost_since(self) -> datetime | None:
        """When the link was lost, aware, UTC; None while it is up."""
        return self._lost_since

    @property
    def generation(self) -> int:
        """How often the link has been made: 1 at first, one more at each reconnect."""
        return self._generation

    @property
    def next_attempt_s(self) -> float | None:
        """Seconds until the next try to reconnect; None while the link is up or closed."""
        return self._reconnector.next_attempt_s

    def learn(self, uuid: str, name: str) -> None:
        """Remember the name of an object, for messages."""
        self._names[uuid] = name

    def label(self, uuid: str) -> str:
        """Return the last known name of an object, its UUID when none is known; for messages."""
        return self._names.get(uuid, uuid)

    def now(self) -> datetime:
        """Return the time by the connection's clock: the time of reading of records."""
        return self._clock()

    # calls

    def call(
        self,
        asked: str,
        fn: Callable[[Any], T],
        *,
        timeout_s: float | None = 30.0,
        late: Callable[[T], object] | None = None,
    ) -> T:
        """Run a function of libvirt's connection on a worker; ^C and time-outs come through at once.

        A call that is left goes on in the background as long as libvirt needs.

        Args:
            asked: what is asked, of which object, for messages: ``start domain web1``.
            fn: gets the ``libvirt.virConnect``; must not keep it or anything made from it.
            timeout_s: limit in seconds; None for none.
            late: gets the result when it comes after the caller has left, to clean up.

        Raises:
            HostError: libvirt refused; the class says why (see `failures`).
            ConnectionLostError: there is no link now, or it broke in the middle.
            WaitTimeoutError: no answer in time.
        """
        self._require_link(asked)
        task = self._workers.start(lambda own: self._perform(asked, fn, own), late)
        if task.wait(timeout_s):
            return task.result()
        raise WaitTimeoutError(
            f"{self._where} to {asked}",
            timeout_s=timeout_s or 0.0,
            last_seen=f"the link is {self._state.value}",
            likely_cause="the daemon hangs, or the hypervisor process of the domain does",
            hint="the call goes on in the background: look at the object again before repeating it",
        )

    def _perform(self, asked: str, fn: Callable[[Any], T], task: Task[T]) -> T:
        with self.lease(asked, given_up=lambda: task.left_behind) as raw:
            return fn(raw)

    @contextlib.contextmanager
    def lease(
        self, asked: str, *, given_up: Callable[[], bool] = lambda: False, first: bool = False
    ) -> Iterator[Any]:
        """Lend a ``libvirt.virConnect`` to one blocking call; translates what it raises.

        For calls that need the links of two hosts; everything else goes through `call`.

        Args:
            asked: what for.
            given_up: whether the caller has left; then it is not begun.
            first: the link that carries the events, and no other.
        """
        lanes = self._require_link(asked)
        lane = lanes.take(asked, uri=self._where, given_up=given_up, only_first=first)
        try:
            yield lane.raw
        except libvirt.libvirtError as error:
            raise self._translated(error, asked, lane) from error
        finally:
            lanes.give_back(lane)

    def _translated(self, error: libvirt.libvirtError, asked: str, lane: Lane) -> LabvirtError:
        broken = not is_alive(lane.raw)
        if broken:
            self._link_broke(lane.raw, str(error))
        return translate(error, asked, uri=self._where, lost=broken)

    def _require_link(self, asked: str) -> Lanes:
        lanes = self._lanes
        if self._state is LinkState.CONNECTED and lanes is not None and self._pid == os.getpid():
            return lanes
        raise ConnectionLostError(asked, uri=self._where, hint=self._why_no_link())

    def _why_no_link(self) -> str:
        if self._pid != os.getpid():
            return "the connection was opened before a fork: open another one in this process"
        if self._state is LinkState.CLOSED:
            return "the connection is closed: open it again"
        since = f"{self._lost_since:%H:%M:%S} UTC" if self._lost_since else "just now"
        return (
            f"the link is lost since {since} ({self._lost_why}), reconnecting; "
            f"{self._reconnector.outlook}; wait_link() waits for it"
        )

    def wait_link(self, timeout_s: float = 30.0) -> None:
        """Wait until the link is up; a lost one is tried again at once.

        Raises:
            WaitTimeoutError: it is not back in time.
            ConnectionLostError: the connection is closed.
        """
        self._reconnector.hurry()
        with self._changed:
            self._changed.wait_for(
                lambda: self._state in (LinkState.CONNECTED, LinkState.CLOSED), timeout_s
            )
            state = self._state
        if state is LinkState.CLOSED:
            raise ConnectionLostError("wait for the link", uri=self._where, hint="it is closed")
        if state is not LinkState.CONNECTED:
            raise WaitTimeoutError(
                f"the link to {self._where}",
                timeout_s=timeout_s,
                last_seen=self._reconnector.last_failure,
                hint="is the host up, and libvirtd running on it?",
            )

    def aside(self, fn: Callable[[], object], timeout_s: float = 2.0) -> None:
        """Run something that may block on a worker, and wait for its end only so long."""
        self._workers.start(lambda _: fn()).wait(timeout_s)

    # events and streams

    def listen(self, fn: Listener) -> Subscription:
        """Tell `fn` of every event of the host and of the link, until the subscription is closed.

        It is called on a thread of the connection and may call libvirt; its exceptions are logged.
        After a reconnect comes a ``link`` event with state ``connected``: list everything again.
        """
        subscription = self._events.listen(fn)
        # Events are asked for anew at each reconnect, so a lost link is no obstacle here.
        with contextlib.suppress(ConnectionLostError):
            self._require_link("ask for events")
            self.aside(self._attach, 10.0)
        return subscription

    def _attach(self) -> None:
        with contextlib.suppress(ConnectionLostError), self.lease("listen", first=True) as raw:
            if self._events.wanted:
                self._events.attach(raw)
            if not is_alive(raw):
                self._link_broke(raw, "it broke at once")

    def extra_link(self) -> Any:
        """Open a link of one's own, for a stream; whoever opens it closes it. Blocks."""
        return self._links.open()

    # the link

    def _adopt(self, raw: Any) -> bool:
        """Make a new link the current one; False when the connection was closed meanwhile."""
        lanes = Lanes(
            raw,
            open_more=self._links.open,
            close_one=self._links.dispose,
            calls_each=1 << 30 if self._uri.is_in_process else 1,
            patience_s=0.02 if self._uri.is_local else 0.2,
        )
        with self._changed:
            if self._state is LinkState.CLOSED:
                return False
            self._raw = raw
            self._lanes = lanes
            self._generation += 1
            self._state = LinkState.CONNECTED
            self._lost_since = None
            self._changed.notify_all()
        self._events.post_link(state="connected", generation=self._generation, why="")
        self._attach()  # somebody may have begun to listen while the link was made
        return True

    def _link_broke(self, raw: Any, why: str) -> None:
        with self._changed:
            if raw is not self._raw or self._state is not LinkState.CONNECTED:
                return
            self._state = LinkState.LOST
            self._lost_since = self._clock()
            self._lost_why = why
            lanes, self._lanes, self._raw = self._lanes, None, None
            self._changed.notify_all()
        self._events.post_link(state="lost", generation=self._generation, why=why)
        streams = list(self.streams)
        for stream in streams:
            stream.break_off(why)
        old = lanes.close() if lanes is not None else ()
        self._reconnector.start(
            lambda: self._dispose_all(streams, old), self._set_state, self._adopt
        )

    def _dispose_all(self, streams: Iterable[Any], raws: Iterable[Any]) -> None:
        for stream in streams:
            stream.release()
        for raw in raws:
            self._links.dispose(raw)

    def _set_state(self, state: LinkState) -> None:
        with self._changed:
            if self._state is not LinkState.CLOSED:
                self._state = state

    def close(self) -> None:
        """End the link and every thread of the connection. Safe to call twice and from any thread."""
        with self._changed:
            if self._state is LinkState.CLOSED:
                return
            self._state = LinkState.CLOSED
            lanes, self._lanes, self._raw = self._lanes, None, None
            self._changed.notify_all()
        if self._pid != os.getpid():
            return  # the link belongs to the process that opened it
        self._events.post_link(state="closed", generation=self._generation, why="closed by us")
        self._reconnector.close()
        for stream in list(self.streams):
            stream.break_off("the connection was closed")
        raws = lanes.close() if lanes is not None else ()
        # A hung daemon answers no good-bye: then the link ends with its keepalive, without us.
        self._workers.start(lambda _: self._end(raws)).wait(2.0)
        self._events.close()
        self._workers.close()

    def _end(self, raws: tuple[Any, ...]) -> None:
        try:
            self._dispose_all(list(self.streams), raws)
        finally:
            event_loop.let_go()
