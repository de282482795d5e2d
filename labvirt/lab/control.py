"""The keeper's side of the control socket: one request per connection, JSON lines.

A request is ``{"op": ..., ...}``, the answer ``{"ok": true, ...}`` or ``{"ok": false, "error": ...,
"hint": ...}``. The operations stand in one table, so that a new one is one entry. What may take
long runs in a forked child, which answers by itself.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

from labvirt.lab.backend import restore_signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labvirt.lab.records import HostRecord
    from labvirt.lab.running import RunningLab

__all__ = ["SOCKET_NAME", "ControlServer"]

SOCKET_NAME = "keeper"
"""Name of the control socket in the lab's folder for sockets."""

_LARGEST_REQUEST = 1024 * 1024
_LARGEST_OUTPUT = 8 * 1024 * 1024
_PATIENCE_S = 10.0
_MOST_CALLERS = 200
_LONGEST_S = 3600.0
_SIGNALS = {
    "KILL": signal.SIGKILL,
    "TERM": signal.SIGTERM,
    "STOP": signal.SIGSTOP,
    "CONT": signal.SIGCONT,
}


class _RequestError(Exception):
    """The request cannot be done; the text goes back to who asked."""


class ControlServer:
    """Listens, reads requests, answers.

    Args:
        lab: the lab.
        path: where to listen.
    """

    def __init__(self, lab: RunningLab, path: Path) -> None:
        self._lab = lab
        self._path = path
        self._pending: dict[int, tuple[socket.socket, bytearray]] = {}
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(mask)
        self._listener.listen(512)
        self._listener.settimeout(0)
        lab.loop.add(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Stop listening and hang up on everybody."""
        self._lab.loop.remove(self._listener.fileno())
        self._listener.close()
        for fd in tuple(self._pending):
            self._drop(fd)
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        # All that wait: a burst of callers must not fill the queue.
        with contextlib.suppress(OSError):
            while True:
                self._welcome(self._listener.accept()[0])

    def _welcome(self, connection: socket.socket) -> None:
        # Somebody who connects and says nothing is not kept for ever, and not beside too many.
        if len(self._pending) >= _MOST_CALLERS:
            self._drop(next(iter(self._pending)))
        connection.settimeout(0)
        fd = connection.fileno()
        self._pending[fd] = (connection, bytearray())
        self._lab.loop.add(fd, lambda: self._read(fd))
        self._lab.loop.later(_PATIENCE_S, lambda: self._expire(fd, connection))

    def _expire(self, fd: int, connection: socket.socket) -> None:
        if self._pending.get(fd, (None,))[0] is connection:
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        connection, _ = self._pending.pop(fd)
        self._lab.loop.remove(fd)
        connection.close()

    def _read(self, fd: int) -> None:
        connection, received = self._pending[fd]
        try:
            part = connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        received += part
        line, end, _ = bytes(received).partition(b"\n")
        if end:
            del self._pending[fd]
            self._lab.loop.remove(fd)
            connection.settimeout(_PATIENCE_S)
            try:
                self._serve(connection, line)
            finally:
                connection.close()
        elif not part or len(received) > _LARGEST_REQUEST:
            self._drop(fd)

    def _serve(self, connection: socket.socket, line: bytes) -> None:
        try:
            request = json.loads(line)
            operation = _OPERATIONS.get(request.get("op"))
            if operation is None:
                raise _RequestError(f"unknown operation {request.get('op')!r}")  # noqa: TRY301 - one answer for all
            answer = operation(self._lab, request, connection)
        except _RequestError as error:
            answer = {"ok": False, "error": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            answer = {"ok": False, "error": f"not a request: {error!r}"}
        if answer is not None:
            _answer(connection, answer)


def _answer(connection: socket.socket, answer: dict[str, Any], fd: int | None = None) -> None:
    """Send an answer, with a descriptor if there is one; a caller that left is no trouble."""
    line = json.dumps(answer).encode() + b"\n"
    with contextlib.suppress(OSError):
        if fd is None:
            connection.sendall(line)
        else:
            socket.send_fds(connection, [line], [fd])


def _host(lab: RunningLab, request: dict[str, Any]) -> HostRecord:
    for host in lab.record.hosts:
        if host.name == request.get("host"):
            return host
    raise _RequestError(f"no host {request.get('host')!r} in lab {lab.record.name}")


def _status(
    lab: RunningLab, _request: dict[str, Any], _connection: socket.socket
) -> dict[str, Any]:
    hosts = [
        {
            "name": daemon.host.name,
            "state": daemon.state,
            "pid": daemon.pid,
            "restarts": daemon.restarts,
        }
        for daemon in lab.daemons.values()
    ]
    return {"ok": True, "hosts": hosts}


def _stop(lab: RunningLab, _request: dict[str, Any], _connection: socket.socket) -> dict[str, Any]:
    lab.stopper_has_lock = True
    lab.loop.stop()
    return {"ok": True}


def _reset(lab: RunningLab, _request: dict[str, Any], _connection: socket.socket) -> dict[str, Any]:
    try:
        lab.reset()
    except Exception as error:  # noqa: BLE001 - the caller is told, then the lab ends
        lab.loop.stop()
        return {"ok": False, "error": f"the hosts did not come back: {error}"}
    return {"ok": True}


def _daemon(lab: RunningLab, request: dict[str, Any], _connection: socket.socket) -> dict[str, Any]:
    daemon = lab.daemons[_host(lab, request).name]
    action = request.get("do")
    if action == "start":
        daemon.start()
    elif action == "stop":
        daemon.stop()
    elif action in _SIGNALS:
        daemon.send(_SIGNALS[action])
    else:
        raise _RequestError(f"a daemon cannot be told to {action!r}")
    return {"ok": True, "state": daemon.state, "pid": daemon.pid}


def _limit(request: dict[str, Any]) -> float:
    limit = float(request.get("timeout_s", _PATIENCE_S))
    if not 0 < limit <= _LONGEST_S:
        raise _RequestError(f"a time limit of {limit:g} s is not between 0 and {_LONGEST_S:g} s")
    return limit


def _exec(lab: RunningLab, request: dict[str, Any], connection: socket.socket) -> None:
    host, limit = _host(lab, request), _limit(request)
    argv = [str(word) for word in request["argv"]]
    given = base64.b64decode(request.get("stdin", ""))

    def work() -> dict[str, Any]:
        environment = lab.backend.environment(host)
        lab.backend.enter(host)
        os.chdir("/")
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(given, timeout=limit)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise _RequestError(f"{argv[0]} did not end within {limit:g} s") from None
        return {
            "ok": True,
            "code": process.returncode,
            "stdout": base64.b64encode(out[:_LARGEST_OUTPUT]).decode(),
            "stderr": base64.b64encode(err[:_LARGEST_OUTPUT]).decode(),
        }

    _in_child(connection, lambda: (work(), None))


def _dial(lab: RunningLab, request: dict[str, Any], connection: socket.socket) -> None:
    host, limit = _host(lab, request), _limit(request)
    address, port = str(request["address"]), int(request["port"])

    def work() -> tuple[dict[str, Any], int]:
        lab.backend.enter(host)
        dialled = socket.create_connection((address, port), timeout=limit)
        # The deadline was this process's; the caller sets his own.
        dialled.settimeout(None)
        return {"ok": True}, dialled.detach()

    _in_child(connection, work)


def _in_child(
    connection: socket.socket, work: Callable[[], tuple[dict[str, Any], int | None]]
) -> None:
    """Do something in a forked child that answers by itself; the keeper's loop goes on."""
    if os.fork():
        return
    fd: int | None = None
    try:
        restore_signals()
        connection.settimeout(_PATIENCE_S)
        try:
            answer, fd = work()
        except (OSError, _RequestError) as error:
            answer = {"ok": False, "error": str(error)}
        _answer(connection, answer, fd)
    finally:
        os._exit(0)


_OPERATIONS: dict[
    str, Callable[[RunningLab, dict[str, Any], socket.socket], dict[str, Any] | None]
] = {
    "status": _status,
    "stop": _stop,
    "reset": _reset,
    "daemon": _daemon,
    "exec": _exec,
    "dial": _dial,
}
