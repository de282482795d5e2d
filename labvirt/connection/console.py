"""Consoles: the bytes of a domain's serial line, both ways, through a stream of libvirt."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import libvirt

from labvirt.connection.handles import bits
from labvirt.connection.links import close_raw
from labvirt.connection.reconnect import LinkState
from labvirt.errors import ConnectionLostError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection.connection import Connection

__all__ = ["ConsoleStream", "open_console"]

_READABLE = libvirt.VIR_STREAM_EVENT_READABLE
_WRITABLE = libvirt.VIR_STREAM_EVENT_WRITABLE
_PIECE = 64 << 10
#: What is kept of output that nobody reads; then the oldest goes.
_KEPT = 4 << 20
#: What waits to be sent before `write` blocks.
_UNSENT = 256 << 10


class _Ear:
    """What libvirt-python calls at an event of a stream."""

    __slots__ = ("hear",)

    def __init__(self, hear: Callable[[int], object]) -> None:
        self.hear = hear

    def _dispatchStreamEventCallback(self, events: int, _: object) -> int:  # noqa: N802 - its name
        self.hear(events)
        return 0


def _ignore(_: int) -> None:
    """Hear nothing any more."""


class ConsoleStream:
    """An open serial console; close it, or use it in a ``with`` block.

    The bytes are moved on libvirt's event thread; reading and writing never touch libvirt, so they
    may be done from any thread.

    Attributes:
        dropped: bytes of output thrown away because nobody read them.
    """

    def __init__(self, conn: Connection, raw: Any, stream: Any, name: str) -> None:
        self._conn = conn
        self._raw = raw
        self._stream = stream
        self._ear = _Ear(self._on_event)
        self._name = name
        # Whoever touches the stream holds this: libvirt frees parts of it when it is finished, under
        # the feet of another thread that reads. It is taken before `_changed`, never after it.
        self._using = threading.Lock()
        self._changed = threading.Condition()
        self._received = bytearray()
        self._unsent = bytearray()
        self._why_ended = ""
        self._closed = False
        self.dropped = 0

    def __repr__(self) -> str:
        state = "closed" if self._closed else self._why_ended or "open"
        return f"<ConsoleStream of {self._name}, {state}>"

    def begin(self, domain: Any, device: str | None, flags: int) -> None:
        """Connect to the device and listen; blocks, so it is called on a worker."""
        domain.openConsole(device, self._stream, flags)
        # Stream.eventAddCallback would do, but libvirt never frees what it is given there (seen
        # with 9.0), and that holds the stream, which holds the link: so it gets an ear instead.
        data = {"stream": self._ear, "cb": None, "opaque": None}
        if libvirt.libvirtmod.virStreamEventAddCallback(self._stream._o, _READABLE, data) == -1:  # noqa: SLF001 - as the method does
            raise libvirt.libvirtError("virStreamEventAddCallback() failed")

    @property
    def ended(self) -> bool:
        """Whether the other side has hung up, or the console is closed."""
        return self._closed or bool(self._why_ended)

    def read(self, timeout_s: float | None = None, limit: int | None = None) -> bytes:
        """Return what has come, waiting for the first byte.

        Args:
            timeout_s: how long to wait, seconds; 0 does not wait, None waits without limit.
            limit: the most bytes to return; None for all.

        Returns:
            Everything that has come, up to the limit; empty when nothing came in time.

        Raises:
            ConnectionLostError: the other side hung up or the console is closed, and all that
                came before has been read.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._received or self.ended, timeout_s)
            if not self._received and self.ended:
                raise self._ended_error("read")
            data = bytes(self._received[:limit])
            del self._received[: len(data)]
            return data

    def write(self, data: bytes, timeout_s: float = 10.0) -> None:
        """Send bytes; returns when they are on their way, not when the guest has read them.

        Args:
            data: what to send.
            timeout_s: how long to wait while much is still unsent, seconds.

        Raises:
            ConnectionLostError: the other side hung up or the console is closed.
            WaitTimeoutError: the guest takes nothing.
        """
        with self._changed:
            room = self._changed.wait_for(
                lambda: self.ended or len(self._unsent) < _UNSENT, timeout_s
            )
            if self.ended:
                raise self._ended_error("write to")
            if not room:
                raise WaitTimeoutError(
                    f"the console of {self._name} to take what is written",
                    timeout_s=timeout_s,
                    likely_cause="the guest does not read its serial line",
                )
            self._unsent += data
        with self._using:
            self._watch(_READABLE | _WRITABLE)

    def _ended_error(self, verb: str) -> ConnectionLostError:
        why = "it is closed" if self._closed else self._why_ended
        return ConnectionLostError(
            f"{verb} the console of {self._name}",
            uri=self._conn.uri.redacted(),
            libvirt_text=why,
            hint="open it again",
        )

    def _watch(self, events: int) -> None:
        if self._stream is not None:
            with contextlib.suppress(libvirt.libvirtError):  # it broke; the callback hears of it
                self._stream.eventUpdateCallback(events)

    def _on_event(self, events: int) -> None:
        with self._using:
            stream = self._stream
            if stream is None:
                return
            # An exception here would come again for ever: the event stays until it is dealt with.
            try:
                if events & _READABLE:
                    self._receive(stream)
                if events & _WRITABLE:
                    self._send(stream)
                if events & ~(_READABLE | _WRITABLE):
                    self._hang_up(stream, "the other side hung up")
            except libvirt.libvirtError as error:
                self._hang_up(stream, str(error))

    def _receive(self, stream: Any) -> None:
        data = stream.recv(_PIECE)
        if data == -2:  # would block
            return
        if not data:
            self._hang_up(stream, "the other side closed it")
            return
        with self._changed:
            self._received += data
            surplus = len(self._received) - _KEPT
            if surplus > 0:
                del self._received[:surplus]
                self.dropped += surplus
            self._changed.notify_all()

    def _send(self, stream: Any) -> None:
        with self._changed:
            data = bytes(self._unsent[:_PIECE])
        sent = stream.send(data) if data else 0
        with self._changed:
            if sent > 0:
                del self._unsent[:sent]
            all_sent = not self._unsent
            self._changed.notify_all()
        if all_sent:  # `write` adds first and asks for this event again after us
            self._watch(_READABLE)

    def _hang_up(self, stream: Any, why: str) -> None:
        # Only what cannot block may be done on the event thread; the rest is for `release`.
        self.break_off(why)
        with contextlib.suppress(libvirt.libvirtError):
            stream.eventRemoveCallback()

    def break_off(self, why: str) -> None:
        """End the console from our side, without asking anybody; `release` must follow."""
        with self._changed:
            self._why_ended = self._why_ended or why
            self._changed.notify_all()

    def release(self) -> None:
        """Give the stream back to libvirt, once; may block, so it is called on a worker."""
        with self._using:
            stream, self._stream = self._stream, None
            if stream is None:
                return
            self._ear.hear = _ignore
            with contextlib.suppress(libvirt.libvirtError):  # it hung up before
                stream.eventRemoveCallback()
        # Finishing waits until the guest has taken everything; what it refuses must not hold us.
        with contextlib.suppress(libvirt.libvirtError):
            if self._why_ended or self._unsent:
                stream.abort()
            else:
                stream.finish()
        del stream  # a stream that is still known keeps its link open
        raw, self._raw = self._raw, None
        close_raw(raw)
        self._conn.streams.discard(self)

    def close(self, flush_s: float = 1.0) -> None:
        """Send what waits, give the console back. Safe to call twice and from any thread.

        Args:
            flush_s: how long to wait for unsent bytes, seconds.
        """
        deadline = time.monotonic() + flush_s
        with self._changed:
            while self._unsent and not self.ended and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            self._closed = True
            self._changed.notify_all()
        self._conn.aside(self.release)

    def __enter__(self) -> Self:
        """Return the console itself."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_console(
    conn: Connection,
    uuid: str,
    device: str | None = None,
    *,
    force: bool = False,
    safe: bool = False,
) -> ConsoleStream:
    """Open the serial console of a running domain (``virsh console``).

    Args:
        conn: the connection.
        uuid: which domain.
        device: alias of the device; None for the first one.
        force: take it away from whoever has it.
        safe: only when the driver makes sure that nobody else can open it.

    Raises:
        ConflictError: somebody else has it, or the domain is not running.
        NotFoundError: there is no such device.
    """
    name = conn.label(uuid)
    flags = bits(DOMAIN_CONSOLE_FORCE=force, DOMAIN_CONSOLE_SAFE=safe)

    def connect(_: Any) -> ConsoleStream:
        # A link of its own: what is typed must not wait for another call (see `lanes`).
        raw = conn.extra_link()
        console = ConsoleStream(conn, raw, raw.newStream(libvirt.VIR_STREAM_NONBLOCK), name)
        try:
            console.begin(raw.lookupByUUIDString(uuid), device, flags)
        except libvirt.libvirtError:
            console.break_off("it could not be opened")
            console.release()
            raise
        # Known to the connection only now: it must not be released while it is being opened.
        conn.streams.add(console)
        if conn.generation != generation or conn.state is not LinkState.CONNECTED:
            console.break_off("the link was lost meanwhile")
        return console

    generation = conn.generation
    return conn.call(f"open the console of domain {name}", connect, late=ConsoleStream.release)
