"""Links for statistics: one call at a time, none shared with buttons, and each can be broken off.

A call that asks a hung hypervisor process never comes back, and closing the link from elsewhere
does not free it. Ending its socket does, at once. Libvirt does not tell which socket that is, so
the open files of this process are looked at before and after a link is opened.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import libvirt

from labvirt.connection.failures import translate
from labvirt.connection.links import close_raw
from labvirt.connection.opening import is_alive
from labvirt.connection.workers import Task, Workers
from labvirt.errors import ConnectionLostError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labvirt.connection.connection import Connection

__all__ = ["Line", "StatsLink"]

T = TypeVar("T")
_Socket = tuple[int, tuple[int, int]]

_opening = threading.Lock()
_TRIES = 3
#: Calls that could not be broken off: each holds a thread here and one of the daemon's workers.
_LEFT_BEHIND = 3
_FREE_S = 1.0
_OPEN_S = 10.0
_LOOK_S = 0.25


class StatsLink:
    """One link of a sampler; open it with `open`, close it on the thread that calls on it.

    Attributes:
        raw: the ``libvirt.virConnect``.
        calls: RPCs made on it by `sampling`.
        broken: it was broken off on purpose.
    """

    def __init__(self, raw: Any, where: str, found: _Socket | None) -> None:
        self.raw = raw
        self.calls = 0
        self.broken = False
        self._where = where
        self._socket = found
        self._handles: dict[str, Any] = {}

    @classmethod
    def open(cls, conn: Connection) -> StatsLink:
        """Open a link to the host of a connection; blocks.

        Raises:
            ConnectionLostError: the connection has no link either, or nobody answers.
            LabvirtError: it cannot be opened.
        """
        where = conn.uri.redacted()
        if conn.uri.is_in_process:
            return cls(conn.extra_link(), where, None)
        # A button may open a socket at the same moment; then it is told apart at the next try.
        for left in reversed(range(_TRIES)):
            with _opening:
                before = _sockets()
                raw = conn.extra_link()
                new = [item for item in _sockets().items() if before.get(item[0]) != item[1]]
            ours = [item for item in new if _leads_to(item[0], conn)]
            if len(ours) == 1 or not left:
                return cls(raw, where, ours[0] if len(ours) == 1 else None)
            close_raw(raw)
        raise AssertionError

    @property
    def can_be_broken_off(self) -> bool:
        """Whether its socket is known."""
        return self._socket is not None

    @contextlib.contextmanager
    def asking(self, asked: str) -> Iterator[Any]:
        """Lend the ``libvirt.virConnect`` and translate what it raises.

        Raises:
            ConnectionLostError: the link broke, or was broken off.
            HostError: libvirt refused.
        """
        try:
            yield self.raw
        except libvirt.libvirtError as error:
            lost = self.broken or not is_alive(self.raw)
            raise translate(error, asked, uri=self._where, lost=lost) from error

    def domain(self, uuid: str) -> Any:
        """Return the handle of a domain; it lives as long as the link."""
        handle = self._handles.get(uuid)
        if handle is None:
            self.calls += 1
            handle = self._handles[uuid] = self.raw.lookupByUUIDString(uuid)
        return handle

    def forget(self, uuid: str) -> None:
        """Drop the handle of a domain that is gone."""
        self._handles.pop(uuid, None)

    def break_off(self) -> bool:
        """End the socket, so that a call under way fails at once; from any thread.

        Returns:
            False when the socket is not known or not open any more.
        """
        self.broken = True
        if self._socket is None:
            return False
        number, identity = self._socket
        try:
            # The copy pins the socket: between the look and the end nobody can put another there.
            with socket.socket(fileno=os.dup(number)) as copy:
                if _identity(copy.fileno()) != identity:
                    return False
                copy.shutdown(socket.SHUT_RDWR)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close it; never while a call is under way on it."""
        self._handles.clear()
        close_raw(self.raw)


class Line:
    """A link for calls with a deadline: a late one is broken off, and the next has a new link.

    One call at a time; calls run on a worker.

    Args:
        conn: the connection to whose host it leads.
        name: for the threads.
    """

    def __init__(self, conn: Connection, name: str) -> None:
        self._conn = conn
        self._workers = Workers(name)
        self._link: StatsLink | None = None
        self._late: list[Task[Any]] = []
        self._hurried = False
        #: Links opened so far.
        self.opened = 0

    def run(self, asked: str, fn: Callable[[StatsLink], T], deadline_s: float) -> T:
        """Run a function of the link; it must keep nothing that it made from it.

        Args:
            asked: what for, for messages.
            fn: what to do.
            deadline_s: after so many seconds the link is dropped.

        Raises:
            WaitTimeoutError: no answer in time.
            ConnectionLostError: there is no link now, or it broke.
            HostError: libvirt refused.
        """
        self._late = [task for task in self._late if not task.ended(0)]
        if len(self._late) >= _LEFT_BEHIND:
            raise ConnectionLostError(
                asked,
                uri=self._conn.uri.redacted(),
                hint="too many earlier calls hang and cannot be broken off",
            )
        self._hurried = False
        link = self._link or self._open(asked)
        self._link = None

        def work(_: Task[T]) -> T:
            try:
                with link.asking(asked):
                    return fn(link)
            finally:
                if link.broken:
                    link.close()

        task = self._workers.start(work)
        if self._await(task, deadline_s):
            return self._finish(task, link)
        link.break_off()
        if not task.ended(_FREE_S):
            self._late.append(task)
        raise self._timeout(asked, deadline_s)

    def hurry(self) -> None:
        """Let the call under way count as late now; from any thread."""
        self._hurried = True

    def _await(self, task: Task[Any], limit_s: float) -> bool:
        until = time.monotonic() + limit_s
        while not self._hurried and (left := until - time.monotonic()) > 0:
            if task.ended(min(left, _LOOK_S)):
                return True
        return False

    def _finish(self, task: Task[T], link: StatsLink) -> T:
        if link.broken:
            return task.result()
        if not is_alive(link.raw):
            link.close()
            return task.result()
        self._link = link
        return task.result()

    def _open(self, asked: str) -> StatsLink:
        task = self._workers.start(lambda _: StatsLink.open(self._conn), late=StatsLink.close)
        if not self._await(task, _OPEN_S) and not task.wait(0):
            self._late.append(task)
            raise self._timeout(asked, _OPEN_S)
        self.opened += 1
        return task.result()

    def _timeout(self, asked: str, limit_s: float) -> WaitTimeoutError:
        return WaitTimeoutError(
            f"{self._conn.uri.redacted()} to {asked}",
            timeout_s=limit_s,
            likely_cause="the daemon hangs, or the hypervisor process of a domain does",
        )

    def close(self) -> None:
        """End the link and its threads; not while `run` is under way. Safe to call twice."""
        link, self._link = self._link, None
        if link is not None:
            task = self._workers.start(lambda _: link.close())
            if not task.ended(_FREE_S):
                link.break_off()
                task.ended(_FREE_S)
        self._workers.close()


def _sockets() -> dict[int, tuple[int, int]]:
    """Return the open sockets of this process with their identities; none where unknown."""
    found: dict[int, tuple[int, int]] = {}
    with contextlib.suppress(OSError):
        for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names are all that is needed
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{entry}").startswith("socket:"):  # noqa: PTH115
                    found[int(entry)] = _identity(int(entry))
    return found


def _identity(number: int) -> tuple[int, int]:
    seen = os.fstat(number)
    return seen.st_dev, seen.st_ino


def _leads_to(number: int, conn: Connection) -> bool:
    """Whether a socket can be the link of a connection: other threads open sockets too."""
    try:
        with socket.socket(fileno=os.dup(number)) as copy:
            peer = copy.getpeername()
            family = copy.family
    except OSError:
        return False
    if conn.uri.effective_transport != "unix":
        return family == socket.AF_UNIX if not isinstance(peer, tuple) else True
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    known = conn.uri.sockets(readonly=conn.readonly, runtime=runtime)
    return peer in known or (not known and isinstance(peer, str) and peer != "")
