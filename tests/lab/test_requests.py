"""A keeper that is gone, silent or confused makes one clear error."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from labvirt.errors import LabError
from labvirt.lab import requests


@pytest.fixture
def record(tmp_path):
    return SimpleNamespace(name="demo", sockets=str(tmp_path))


@contextlib.contextmanager
def keeper(record, answer: bytes | None, fds: tuple[int, ...] = ()):
    """Listen as a keeper does, read one request, answer this; None says nothing."""
    heard: list[dict] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{record.sockets}/keeper")
        server.listen()
        server.settimeout(5)
        gone = threading.Event()

        def serve() -> None:
            with server.accept()[0] as link:
                heard.append(json.loads(link.makefile("rb").readline()))
                if answer is None:
                    gone.wait(5)
                elif fds:
                    socket.send_fds(link, [answer], list(fds))
                else:
                    link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard
        finally:
            gone.set()
            thread.join()


def test_an_answer_is_given_back(record):
    with keeper(record, b'{"ok": true, "n": 1}\n') as heard:
        assert requests.request(record, {"op": "x"}) == {"ok": True, "n": 1}
    assert heard == [{"op": "x"}]


def test_a_long_answer_is_read_whole(record):
    text = "x" * 1_000_000
    with keeper(record, json.dumps({"ok": True, "t": text}).encode() + b"\n"):
        assert requests.request(record, {"op": "x"})["t"] == text


def test_a_refusal_is_an_error_with_the_keepers_words(record):
    with (
        keeper(record, b'{"ok": false, "error": "no host omega", "hint": "alpha"}\n'),
        pytest.raises(LabError, match="lab demo to x: no host omega") as caught,
    ):
        requests.request(record, {"op": "x"})
    assert caught.value.hint == "alpha"


def test_a_keeper_that_is_gone_is_told_with_what_to_do(record):
    with pytest.raises(LabError, match="lab demo to x failed") as caught:
        requests.request(record, {"op": "x"})
    assert "labvirt lab stop demo" in caught.value.hint


def test_a_keeper_that_is_silent_is_not_waited_for(record):
    began = time.monotonic()
    with keeper(record, None), pytest.raises(LabError, match=r"no answer within 0\.1 s"):
        requests.request(record, {"op": "x"}, timeout_s=0.1)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("answer", [b"", b"no json\n", b'{"ok": tr', b"\xff\xfe\n"])
def test_nonsense_is_an_error_too(record, answer):
    with keeper(record, answer), pytest.raises(LabError, match="failed"):
        requests.request(record, {"op": "x"})


def test_a_connection_comes_with_its_descriptor(record):
    ours, theirs = socket.socketpair()
    with keeper(record, b'{"ok": true}\n', (theirs.fileno(),)) as heard:
        dialled = requests.dial(record, "alpha", "192.0.2.1", 80, 3.0)
    theirs.close()
    with ours, dialled:
        ours.sendall(b"hello")
        assert dialled.recv(10) == b"hello"
        assert dialled.gettimeout() == 3.0
    assert heard[0]["address"] == "192.0.2.1"
    assert heard[0]["port"] == 80


def test_a_connection_without_descriptor_is_an_error(record):
    with (
        keeper(record, b'{"ok": true}\n'),
        pytest.raises(LabError, match=r"192\.0\.2\.1:80 from host alpha"),
    ):
        requests.dial(record, "alpha", "192.0.2.1", 80, 3.0)


def test_a_program_gets_its_input_and_gives_its_output(record):
    answer = {"ok": True, "code": -9, "stdout": "b3V0", "stderr": "/w=="}
    with keeper(record, json.dumps(answer).encode() + b"\n") as heard:
        done = requests.run_inside(record, "alpha", ("cat", "-"), b"\x00in", 2.0)
    assert (done.code, done.stdout, done.stderr) == (-9, "out", "\ufffd")
    assert heard[0]["argv"] == ["cat", "-"]
    assert heard[0]["timeout_s"] == 2.0


def test_no_descriptors_are_left_open(record):
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(LabError):
        requests.request(record, {"op": "x"})
    assert len(list(Path("/proc/self/fd").iterdir())) == before
