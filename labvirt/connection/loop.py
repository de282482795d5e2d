"""The event loop: the one thread of this process that runs libvirt's events.

Libvirt's loop is global to the process and must exist before the first connection is opened: it
carries events, keepalive and streams. The thread runs while at least one connection is open.

Fork: a child process has the connections' sockets but not this thread. Using libvirt there would
steal the parent's bytes, so `hold` refuses in a child that was forked while connections were open;
start such a child with ``subprocess`` or the ``spawn`` method of ``multiprocessing``.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from typing import Any

import libvirt

from labvirt.errors import ConnectionLostError

__all__ = ["EventLoop", "event_loop"]

_log = logging.getLogger("labvirt")


class EventLoop:
    """Runs libvirt's default event implementation on a daemon thread while somebody needs it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._turn = threading.Lock()
        self._users = 0
        self._thread: threading.Thread | None = None
        self._stop = False
        self._registered = False
        self._wake = -1
        self._spoiled = False
        os.register_at_fork(after_in_child=self._forked)
        atexit.register(self._at_exit)

    @property
    def thread(self) -> threading.Thread | None:
        """The thread of the loop, None while nobody needs it."""
        return self._thread

    def hold(self) -> None:
        """Keep the loop running until `let_go`.

        Raises:
            ConnectionLostError: this process was forked from one with open connections.
        """
        with self._lock:
            if self._spoiled:
                raise ConnectionLostError(
                    "open a connection in a forked process",
                    hint="start the process with subprocess, or multiprocessing's 'spawn' method: "
                    "libvirt cannot be used after a fork of a process that was using it",
                )
            if not self._registered:
                self._register()
            self._users += 1
            if self._thread is None:
                self._stop = False
                self._thread = threading.Thread(
                    target=self._run, name="labvirt events", daemon=True
                )
                self._thread.start()

    def let_go(self) -> None:
        """Say that one user is done; the last one ends the thread."""
        with self._lock:
            self._users -= 1
            thread = self._thread
            if self._users or thread is None:
                return
            self._stop = True
            self._thread = None
            libvirt.virEventUpdateTimeout(self._wake, 0)
        if thread is not threading.current_thread():
            thread.join(2.0)

    def _register(self) -> None:
        libvirt.virEventRegisterDefaultImpl()
        # Libvirt prints every error to stderr unless somebody takes them; ours travel as exceptions.
        libvirt.registerErrorHandler(_ignore, None)
        self._wake = libvirt.virEventAddTimeout(-1, _ignore, None)
        self._registered = True

    def _run(self) -> None:
        me = threading.current_thread()
        with self._turn:  # after a quick close and open the old thread may still be leaving
            rounds_left = 3  # what was closed last is freed in the rounds after it
            while rounds_left:
                with self._lock:
                    if self._stop or self._thread is not me:
                        rounds_left -= 1
                        libvirt.virEventUpdateTimeout(self._wake, 0)
                try:
                    libvirt.virEventRunDefaultImpl()
                except libvirt.libvirtError:
                    _log.exception("libvirt's event loop failed")
                    break
            libvirt.virEventUpdateTimeout(self._wake, -1)

    def _forked(self) -> None:
        self._lock = threading.RLock()
        self._turn = threading.Lock()
        self._spoiled = self._users > 0
        self._users = 0
        self._thread = None
        self._stop = True

    def _at_exit(self) -> None:
        # A thread inside libvirt must not meet a dying interpreter.
        with self._lock:
            thread, self._thread = self._thread, None
            self._stop = True
            if self._registered and thread is not None:
                libvirt.virEventUpdateTimeout(self._wake, 0)
        if thread is not None:
            thread.join(1.0)


def _ignore(*_: Any) -> None:
    """Do nothing."""


#: The loop of this process: libvirt allows one.
event_loop = EventLoop()
