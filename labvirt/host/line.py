"""Line: one reader of a domain's serial console, shared by scripts and views (G3.1-04, G3.1-19).

Libvirt gives a console to one reader at a time. The line holds it, hands every byte to all who
listen, and attaches again by itself: at the guest's next start, when the link is back, when
somebody else lets go of it, and on the new host after a migration.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from labvirt.connection import domain as calls
from labvirt.errors import (
    ConflictError,
    ConnectionLostError,
    LabvirtError,
    NotFoundError,
    WaitTimeoutError,
)

if TYPE_CHECKING:
    from labvirt.connection import Event
    from labvirt.connection.console import ConsoleStream
    from labvirt.connection.events import Subscription
    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host

__all__ = ["LineState", "Listener", "SerialLine", "line_of", "moved"]

_log = logging.getLogger("labvirt")

#: How much of the newest output a newcomer is given, bytes.
RING = 200_000
_PIECE = 64 << 10
#: Pieces that follow each other are put together for so long, seconds: of an answer, and of a flood.
_GATHER_S, _FLOOD_S, _FLOOD = 0.004, 0.016, 25
#: What is typed goes out in such pieces: a terminal driver holds 4 KiB of one line.
_KEYS, _KEYS_PAUSE_S = 1024, 0.01

LineKind = Literal["connecting", "open", "stopped", "taken", "lost", "gone", "refused", "closed"]
#: How long each state lasts at most before it is looked at again, seconds; events come sooner.
_PATIENCE_S: dict[LineKind, float] = {"stopped": 5.0, "taken": 3.0, "lost": 1.0, "gone": 5.0}


@dataclass(frozen=True, slots=True)
class LineState:
    """What a serial line is like.

    Attributes:
        kind: ``open``; ``connecting``; ``stopped`` (the guest is off), ``taken`` (by another
            reader), ``lost`` (no link to the host), ``gone`` (no such domain there), ``refused``
            (see `error`), ``closed``.
        error: why it is not open, None while it is.
    """

    kind: LineKind
    error: LabvirtError | None = None


class Listener(Protocol):
    """Who hears a line, on its thread; must not block."""

    def take(self, at: int, data: bytes) -> None:
        """Take output; `at` counts the bytes that came before it."""
        ...

    def turn(self, state: LineState) -> None:
        """Take a new state."""
        ...


class SerialLine:
    """The serial console of one domain; get it with `line_of`, and `leave` it.

    Args:
        domain: whose.
        device: alias of the device; None for the first one.
    """

    def __init__(self, domain: DomainHandle, device: str | None = None) -> None:
        self.domain, self.device = domain, device
        self.users = 0
        self.total = 0
        self._ring = bytearray()
        self._listeners: tuple[Listener, ...] = ()
        # A listener may write, so `_telling` is taken before `_changed`, and whoever writes, maybe
        # under a lock that listeners need too, waits for none of them.
        self._telling = threading.RLock()
        self._changed = threading.Condition(threading.RLock())
        self._wake = threading.Event()
        self._state = LineState("connecting")
        self._stream: ConsoleStream | None = None
        self._force = False
        self._over = False
        self._watched: tuple[Host, Subscription] | None = None
        self._typed: queue.SimpleQueue[tuple[ConsoleStream, bytes] | None] = queue.SimpleQueue()
        self._typist: threading.Thread | None = None
        self._reader = threading.Thread(
            target=self._run, name=f"labvirt-line {domain.name}"[:60], daemon=True
        )

    def __repr__(self) -> str:
        """Return one line."""
        return f"<SerialLine of {self.domain.name} on {self.domain.host.name}: {self._state.kind}>"

    @property
    def state(self) -> LineState:
        """What the line is like now."""
        return self._state

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()

    # -- who listens -----------------------------------------------------------------------------

    def join(self, listener: Listener) -> tuple[int, bytes]:
        """Let somebody hear everything from now on.

        Returns:
            How many bytes have come, and the newest of them (200 kB at most).
        """
        with self._telling:
            self._listeners = (*self._listeners, listener)
            return self.total, bytes(self._ring)

    def quit(self, listener: Listener) -> None:
        """Let somebody hear no more; twice is harmless."""
        with self._telling:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

    def wait_open(self, timeout_s: float = 30.0) -> LineState:
        """Wait until it is settled whether the line can be had, and return its state."""
        with self._changed:
            self._changed.wait_for(lambda: self._state.kind != "connecting", timeout_s)
            return self._state

    def _turn(self, kind: LineKind, error: LabvirtError | None = None) -> None:
        with self._changed:
            before, self._state = self._state, LineState(kind, error)
            self._changed.notify_all()
        if before.kind == kind and str(before.error) == str(error):
            return
        with self._telling:
            for each in self._listeners:
                self._safely(each.turn, self._state)

    def _deliver(self, data: bytes) -> None:
        with self._telling:
            at, self.total = self.total, self.total + len(data)
            self._ring += data
            if len(self._ring) > 2 * RING:
                del self._ring[:-RING]
            for each in self._listeners:
                self._safely(each.take, at, data)

    @staticmethod
    def _safely(call: object, *args: object) -> None:
        try:
            call(*args)  # type: ignore[operator]
        except Exception:  # noqa: BLE001 - one broken view must not silence the others
            _log.exception("a listener of a serial line failed")

    # -- reading ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over:
            self._wake.clear()
            self._watch()
            stream = self._connect()
            if stream is None:
                self._wake.wait(_PATIENCE_S.get(self._state.kind, 30.0))
                continue
            began = time.monotonic()
            self._follow(stream)
            if time.monotonic() - began < 1.0:
                self._wake.wait(0.2)  # a guest that is ending lets go at once, again and again
        self._unwatch()
        self._turn("closed")

    def _watch(self) -> None:
        host = self.domain.host
        if self._watched is not None and self._watched[0] is host:
            return
        self._unwatch()

        def heard(event: Event) -> None:
            if event.kind == "link" or event.uuid == self.domain.uuid:
                self._wake.set()

        self._watched = (host, host.connection.listen(heard))

    def _unwatch(self) -> None:
        watched, self._watched = self._watched, None
        if watched is not None:
            watched[1].close()

    def _connect(self) -> ConsoleStream | None:
        """Open the console, or note why it cannot be had."""
        domain = self.domain
        link = domain.host.connection
        force, self._force = self._force, False
        try:
            if calls.read(link, domain.uuid).id is None:
                self._turn("stopped", self._off())
                return None
            return calls.open_console(link, domain.uuid, self.device, force=force)
        except NotFoundError as error:
            self._turn("refused" if self._is_there() else "gone", error)
        except ConflictError as error:
            off = not self._is_running()
            self._turn("stopped" if off else "taken", self._off() if off else error)
        except (ConnectionLostError, WaitTimeoutError) as error:
            self._over = self._over or domain.host.state == "closed"
            self._turn("lost", error)
        except LabvirtError as error:
            self._turn("refused", error)
        return None

    def _off(self) -> ConflictError:
        return ConflictError(
            f"open the console of domain {self.domain.name}",
            uri=self.domain.host.label,
            libvirt_text="the domain is not running",
            hint="start it; a console with wait=True attaches when it runs",
        )

    def _is_there(self) -> bool:
        try:
            calls.read(self.domain.host.connection, self.domain.uuid)
        except LabvirtError:
            return False
        return True

    def _is_running(self) -> bool:
        try:
            return calls.read(self.domain.host.connection, self.domain.uuid).id is not None
        except LabvirtError:
            return True

    def _follow(self, stream: ConsoleStream) -> None:
        with self._changed:
            self._stream = stream
        if self._over:
            stream.close()
        self._turn("open")
        row = 0
        try:
            while True:
                began = time.monotonic()
                data = stream.read(None, _PIECE)
                # The first piece goes at once: it is the echo of a key.
                row = row + 1 if time.monotonic() - began < _GATHER_S else 0
                self._deliver(data)
                if row:
                    time.sleep(_FLOOD_S if row > _FLOOD else _GATHER_S)
        except ConnectionLostError:
            pass  # why it ended shows when it is opened again
        finally:
            with self._changed:
                self._stream = None
            stream.close(0.0)

    # -- writing ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Type bytes, in order, without waiting.

        Returns:
            Whether the line is open; what is typed into one that is not is not kept.
        """
        with self._changed:
            stream = self._stream
            if stream is None or self._over:
                return False
            if self._typist is None:
                self._typist = threading.Thread(
                    target=self._type, name="labvirt-line typist", daemon=True
                )
                self._typist.start()
            self._typed.put((stream, data))
            return True

    def _type(self) -> None:
        while (item := self._typed.get()) is not None:
            stream, data = item
            for start in range(0, len(data), _KEYS):
                if start:
                    time.sleep(_KEYS_PAUSE_S)
                if not self._put(stream, data[start : start + _KEYS]):
                    break

    def _put(self, stream: ConsoleStream, piece: bytes) -> bool:
        while True:
            try:
                stream.write(piece, 1.0)
            except WaitTimeoutError:
                continue  # the guest takes nothing now; the line's end ends this too
            except ConnectionLostError:
                return False
            return True

    # -- steering --------------------------------------------------------------------------------

    def retry(self, *, force: bool = False) -> None:
        """Try again now.

        Args:
            force: take the console away from whoever has it.
        """
        self._force = force
        self._wake.set()

    def move(self, domain: DomainHandle) -> None:
        """Go on with the same domain on another host."""
        with self._changed:
            self.domain = domain
            stream = self._stream
        self._wake.set()
        if stream is not None:
            stream.break_off("the domain has moved")

    def leave(self) -> None:
        """Give back what `line_of` gave; the last one closes the line."""
        with _lines_lock:
            self.users -= 1
            if self.users > 0:
                return
            for key in [key for key, line in _lines.items() if line is self]:
                del _lines[key]
        self._close()

    def _close(self) -> None:
        with self._changed:
            self._over = True
            stream, typist = self._stream, self._typist
            self._typed.put(None)
        if typist is not None:
            typist.join(1.0)  # what was typed goes out first
        self._wake.set()
        if stream is not None:
            stream.close()
        if threading.current_thread() is not self._reader:
            with contextlib.suppress(RuntimeError):  # it was never started
                self._reader.join(2.0)


_lines: dict[tuple[Host, str, str | None], SerialLine] = {}
_lines_lock = threading.Lock()


def line_of(domain: DomainHandle, device: str | None = None) -> SerialLine:
    """Return the line of a domain, the one there is or a new one; give it back with `leave`."""
    with _lines_lock:
        key = (domain.host, domain.uuid, device)
        line = _lines.get(key)
        if line is None or line.state.kind == "closed":
            line = _lines[key] = SerialLine(domain, device)
            line.start()
        line.users += 1
        return line


def moved(source: DomainHandle, domain: DomainHandle) -> None:
    """Let open lines of a domain go on with it on the host that it has moved to."""
    with _lines_lock:
        found = [key for key in _lines if key[:2] == (source.host, source.uuid)]
        lines = [_lines.pop(key) for key in found]
        for line in lines:
            _lines.setdefault((domain.host, domain.uuid, line.device), line)
    for line in lines:
        line.move(domain)
