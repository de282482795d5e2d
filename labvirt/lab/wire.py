"""libvirt's own protocol, as much of it as tells whether a daemon really answers.

A libvirtd accepts connections long before its drivers are ready and keeps the callers waiting, so
an open socket proves nothing. The keeper of a lab carries no libvirt binding; these few calls are
bare RPC messages. Protocol: https://libvirt.org/kbase/internals/rpc.html
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Self

__all__ = ["answers", "ask_capabilities", "connect"]

_PROGRAM, _VERSION = 0x20008086, 1
_CALL, _OK = 0, 0
_OPEN, _CLOSE, _CAPABILITIES, _AUTH_LIST = 1, 2, 7, 66
_HEADER = struct.Struct(">7I")
_RETRY_S = 0.005
_LARGEST = 32 * 1024 * 1024


def connect(link: socket.socket, path: str, timeout_s: float) -> None:
    """Connect to a socket whose owner may be busy.

    A full queue refuses a socket that has a time limit at once (``EAGAIN``) and does not let it
    wait, see unix(7).

    Args:
        link: the socket.
        path: path of the owner's socket.
        timeout_s: how long to try, also set on the socket.

    Raises:
        OSError: nobody listens there, or not in time (``TimeoutError``).
    """
    deadline = time.monotonic() + timeout_s
    link.settimeout(timeout_s)
    while True:
        try:
            link.connect(path)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise TimeoutError("nobody takes the connection") from error
            time.sleep(_RETRY_S)
        else:
            return


class _Link:
    """One connection to a daemon's socket, with one deadline for all of its calls."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self._deadline = time.monotonic() + timeout_s
        self._serial = 0
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            connect(self._socket, path, timeout_s)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def call(self, procedure: int, body: bytes = b"") -> bytes:
        """Make one call and return the body of its answer."""
        self._serial += 1
        size = _HEADER.size + len(body)
        head = _HEADER.pack(size, _PROGRAM, _VERSION, procedure, _CALL, self._serial, _OK)
        self._arm()
        self._socket.sendall(head + body)
        (length,) = struct.unpack(">I", self._read(4))
        if not _HEADER.size <= length <= _LARGEST:
            raise OSError(f"an answer of {length} bytes is none of libvirt's")
        answer = self._read(length - 4)
        status = struct.unpack_from(">6I", answer)[5]
        if status != _OK:
            raise OSError(f"call {procedure} was refused")
        return answer[_HEADER.size - 4 :]

    def _arm(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left)

    def _read(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            self._arm()
            part = self._socket.recv(count - len(parts))
            if not part:
                raise ConnectionResetError("the daemon closed the connection")
            parts += part
        return parts


def answers(path: str, timeout_s: float) -> bool:
    """Tell whether the daemon behind a socket serves calls, its drivers being ready.

    Args:
        path: the daemon's socket.
        timeout_s: how long to wait for the answer.
    """
    try:
        with _Link(path, timeout_s) as link:
            link.call(_AUTH_LIST)
    except OSError:
        return False
    return True


def ask_capabilities(path: str, uri: str, timeout_s: float) -> str:
    """Ask a daemon for its capabilities XML, which makes it probe QEMU when it has not yet.

    Args:
        path: the daemon's socket.
        uri: what to open, ``qemu:///system`` or ``qemu:///session``.
        timeout_s: how long to wait in all.

    Raises:
        OSError: no connection, no answer in time (``TimeoutError``), or refused.
    """
    name = uri.encode("ascii")
    padding = b"\0" * (-len(name) % 4)
    with _Link(path, timeout_s) as link:
        link.call(_AUTH_LIST)
        link.call(_OPEN, struct.pack(">2I", 1, len(name)) + name + padding + struct.pack(">I", 0))
        body = link.call(_CAPABILITIES)
        link.call(_CLOSE)
    (size,) = struct.unpack_from(">I", body)
    return body[4 : 4 + size].decode("utf-8", errors="replace")
