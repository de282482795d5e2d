"""A daemon that accepts connections is not one that answers."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from labvirt.lab import wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def listening(path: Path, replies: bytes | None) -> Iterator[None]:
    """Listen like a daemon; say `replies` to whoever calls, or nothing at all."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(0.05)
        done = threading.Event()

        def serve() -> None:
            kept = []
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    link, _ = server.accept()
                    kept.append(link)
                    if replies is not None:
                        link.recv(1000)
                        link.sendall(replies)
                        link.close()
            for link in kept:
                link.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def reply(status: int = 0, body: bytes = b"", length: int | None = None) -> bytes:
    size = 28 + len(body) if length is None else length
    return struct.pack(">7I", size, 0x20008086, 1, 66, 1, 1, status) + body


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s"


def test_no_socket_is_no_answer(path):
    assert wire.answers(str(path), 1) is False


def test_a_daemon_that_is_silent_does_not_answer_and_is_not_waited_for(path):
    began = time.monotonic()
    with listening(path, None):
        assert wire.answers(str(path), 0.1) is False
        with pytest.raises(TimeoutError):
            wire.ask_capabilities(str(path), "qemu:///session", 0.1)
    assert time.monotonic() - began < 3


def test_a_daemon_that_answers_answers(path):
    with listening(path, reply()):
        assert wire.answers(str(path), 1) is True


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 400",
        reply(status=1),
        reply(length=7),
        reply(length=2**31),
        reply(length=100),
        reply()[:10],
    ],
)
def test_whatever_else_is_said_is_no_answer(path, said):
    with listening(path, said):
        assert wire.answers(str(path), 0.5) is False


def take_one(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_full_queue_is_waited_for_until_there_is_room(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(0)
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            wire.connect(first, str(path), 1)
            began = time.monotonic()
            with pytest.raises(TimeoutError, match="nobody takes"):
                wire.connect(second, str(path), 0.05)
            assert time.monotonic() - began < 3
            room = threading.Timer(0.1, take_one, [server])
            room.start()
            wire.connect(second, str(path), 5)
            room.join()
