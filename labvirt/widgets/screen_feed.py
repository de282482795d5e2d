"""The kernel's end of a graphical console in the page: one VNC session per view, bytes by number.

A view says ``open``; it gets a connection of its own, whose bytes come as ``b {view, s, n}`` and go as
``w {view, s, n}`` (`s` names the session, `n` counts from 1). A lost message would garble VNC for
good, so whoever sees a hole ends the session, and the view opens another one. ``end {view, s, why}``
tells that the guest hung up. A view that cannot be connected asks for ``still``: a picture that
libvirt takes.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import LabvirtError
from labvirt.widgets.greeting import Greeting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ScreenFeed"]

_PIECE: Final = 256 << 10
#: What may be on its way to a view, bytes: VNC asks for each picture, so this is only a guard.
_WINDOW: Final = 8 << 20
SILENT_S: Final = 30.0
_MOST_VIEWS: Final = 20


class Session:
    """The connection of one view."""

    def __init__(self, sock: socket.socket, view: str, number: int, feed: ScreenFeed) -> None:
        self.sock, self.view, self.number = sock, view, number
        self._feed = feed
        self._greeting = Greeting()
        self._sent = self._got = self._bytes = self._acked = 0
        self._room = threading.Condition()
        self._typed: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.is_over = False
        self.heard = time.monotonic()

    def start(self) -> None:
        """Begin to carry bytes."""
        for run, name in ((self._read, "reader"), (self._write, "writer")):
            thread = threading.Thread(target=run, name=f"labvirt-screen {name}", daemon=True)
            thread.start()

    def _read(self) -> None:
        why = ""
        try:
            while data := self.sock.recv(_PIECE):
                with self._room:
                    self._room.wait_for(
                        lambda: self.is_over or self._bytes - self._acked < _WINDOW, 20.0
                    )
                if self.is_over:
                    return
                answer = self._greeting.hear(data)
                if answer:
                    self._typed.put(answer)
                self._sent += 1
                self._bytes += len(data)
                message = {"t": "b", "view": self.view, "s": self.number, "n": self._sent}
                self._feed.send(message, [data])
        except OSError as error:
            why = error.strerror or str(error)
        finally:
            self.end(why)

    def _write(self) -> None:
        while (data := self._typed.get()) is not None:
            try:
                self.sock.sendall(data)
            except OSError as error:
                self.end(error.strerror or str(error))
                return

    def type(self, number: int, data: bytes) -> None:
        """Take bytes of the view."""
        self.heard = time.monotonic()
        if number != self._got + 1:
            self.end("a message was lost")
            return
        self._got = number
        left = self._greeting.said(data)
        if left is None:
            self.end("the view greets otherwise")
        elif left:
            self._typed.put(left)

    def ack(self, size: int) -> None:
        """Note how much the view has had."""
        with self._room:
            self.heard = time.monotonic()
            self._acked = max(self._acked, size)
            self._room.notify_all()

    def end(self, why: str = "", *, tell: bool = True) -> None:
        """Hang up; twice is harmless."""
        with self._room:
            if self.is_over:
                return
            self.is_over = True
            self._room.notify_all()
        self._typed.put(None)
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self._feed.drop(self)
        if tell:
            self._feed.send({"t": "end", "view": self.view, "s": self.number, "why": why}, [])


class ScreenFeed:
    """Gives each view a session of its own. No comm, no libvirt.

    Args:
        send: takes a message to all views; from any thread.
        connect: opens a connection; raises `LabvirtError`.
        act: takes the name of a button and whether it was confirmed.
        facts: gives the state of the VM.
        words: gives the texts of the view.
        about: gives what a view shall know of the display that it is connected to.
        still: takes a picture: its MIME type, and its bytes.
    """

    def __init__(
        self,
        send: Callable[[dict[str, Any], list[bytes]], None],
        *,
        connect: Callable[[], socket.socket],
        act: Callable[[str, bool], None],
        facts: Callable[[], dict[str, Any]],
        words: Callable[[], dict[str, Any]] = dict,
        about: Callable[[], dict[str, Any]] = dict,
        still: Callable[[], tuple[str, bytes]] = lambda: ("", b""),
    ) -> None:
        self._sender, self._connect, self._act = send, connect, act
        self._about, self._still = about, still
        self._facts, self._words = facts, words
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._numbers = 0
        self._over = False

    def send(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        """Send a message to the views."""
        if not self._over:
            self._sender(message, buffers)

    def push_state(self) -> None:
        """Tell every view what the VM is like."""
        self.send({"t": "state", **self._facts()}, [])

    def say(self, text: str, *, good: bool = True) -> None:
        """Tell every view what came of a button."""
        self.send({"t": "said", "text": text, "good": good}, [])

    @property
    def views(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    def receive(self, message: Mapping[str, Any]) -> None:
        """Take a message of a view; what makes no sense is left alone."""
        view, kind = message.get("view"), message.get("t")
        if not isinstance(view, str) or not 0 < len(view) <= 40 or self._over:
            return
        if kind == "hello":
            self.send({"t": "words", "view": view, "words": self._words()}, [])
            self.push_state()
        elif kind in {"open", "still"}:
            run = self._open if kind == "open" else self._take
            name = f"labvirt-screen {kind}"
            threading.Thread(target=run, args=(view,), name=name, daemon=True).start()
        elif kind == "act":
            self._act(str(message.get("do", "")), message.get("confirm") is True)
        elif kind == "beat":
            self._beat(view)
        else:
            self._of_session(view, str(kind), message)

    def _of_session(self, view: str, kind: str, message: Mapping[str, Any]) -> None:
        session = self._sessions.get(view)
        if session is None:
            return
        if kind == "bye":
            session.end(tell=False)
            return
        if message.get("s") != session.number:
            return
        number, data = message.get("n"), message.get("bytes")
        if kind == "w" and isinstance(number, int) and isinstance(data, bytes):
            session.type(number, data)
        elif kind == "ack" and isinstance(number, int):
            session.ack(number)
        elif kind == "hangup":
            session.end(tell=False)

    def _beat(self, view: str) -> None:
        now = time.monotonic()
        for name, session in list(self._sessions.items()):
            if name == view:
                session.heard = now
            elif now - session.heard > SILENT_S:
                session.end(tell=False)
        self.send({"t": "alive"}, [])

    def _open(self, view: str) -> None:
        """Connect; runs on a thread of its own, because it asks the host."""
        if view not in self._sessions and len(self._sessions) >= _MOST_VIEWS:
            self._refuse(view, str(self._words().get("crowded", "")))
            return
        try:
            sock = self._connect()
        except Exception as error:  # noqa: BLE001 - a thread's error would end under some other cell
            self._refuse(view, str(error) or type(error).__name__)
            return
        about: dict[str, Any] = {}
        with contextlib.suppress(LabvirtError):  # it ended meanwhile: the session will say so
            about = self._about()
        with self._lock:
            if self._over:
                sock.close()
                return
            old = self._sessions.pop(view, None)
            if old is not None:
                old.end(tell=False)
            self._numbers += 1
            number = self._numbers
            # Known before the view hears of it, which may answer at once.
            session = self._sessions[view] = Session(sock, view, number, self)
            self.send({"t": "opened", "view": view, "s": number, "about": about}, [])
            session.start()

    def _take(self, view: str) -> None:
        """Send a picture; without one the view asks no more."""
        mime, data = "", b""
        with contextlib.suppress(LabvirtError):
            mime, data = self._still()
        self.send({"t": "still", "view": view, "mime": mime}, [data] if data else [])

    def _refuse(self, view: str, why: str) -> None:
        self.send({"t": "end", "view": view, "s": 0, "why": why}, [])

    def drop(self, session: Session) -> None:
        """Forget a session that is over."""
        if self._sessions.get(session.view) is session:
            del self._sessions[session.view]

    def close(self) -> None:
        """Hang up everywhere."""
        with self._lock:
            self._over = True
            sessions = list(self._sessions.values())
        for session in sessions:
            session.end(tell=False)
