"""Consoles: bytes both ways, one at a time, and a clean end whoever ends it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from labvirt.connection import Connection, domain
from labvirt.errors import ConflictError, ConnectionLostError, HostError, WaitTimeoutError

pytestmark = pytest.mark.lab

SPEAK = bytes.fromhex(
    "ba f8 03"     # mov dx, 0x3f8
    "b0 2e"        # mov al, '.'
    "ee"           # again: out dx, al
    "eb fd"        # jmp again
)  # fmt: skip


@pytest.fixture
def echo(conn, shared_daemon, domain_xml, echo_disk):
    """UUID of a running domain that sends every byte back."""
    return domain.create(conn, domain_xml("echo", echo_disk(shared_daemon)))


def answered(console, question: bytes, timeout_s: float = 20.0) -> bytes:
    """Ask until the guest has booted far enough to answer."""
    deadline = time.monotonic() + timeout_s
    seen = b""
    while question not in seen:
        assert time.monotonic() < deadline, f"no answer, only {seen!r}"
        console.write(question)
        seen += console.read(0.2)
    return seen


def read_all(console, size: int, timeout_s: float = 20.0) -> bytes:
    seen = bytearray()
    deadline = time.monotonic() + timeout_s
    while len(seen) < size:
        assert time.monotonic() < deadline, f"{len(seen)} of {size} bytes came"
        seen += console.read(0.5)
    return bytes(seen)


def drain(console) -> None:
    while console.read(0.3):
        pass


def test_what_is_written_comes_back_from_the_guest(conn, echo):
    with domain.open_console(conn, echo) as console:
        answered(console, b"?")
        drain(console)
        text = bytes(range(1, 256)) * 20
        console.write(text)
        assert read_all(console, len(text)) == text
        assert not console.ended
        assert "open" in repr(console)


def test_the_answer_to_one_key_comes_quickly(conn, echo):
    with domain.open_console(conn, echo) as console:
        answered(console, b"?")
        drain(console)
        began = time.monotonic()
        for _ in range(10):
            console.write(b"x")
            assert read_all(console, 1, 5.0) == b"x"
        assert (time.monotonic() - began) / 10 < 0.2


def test_reading_nothing_gives_nothing_at_the_limit(conn, paused):
    with domain.open_console(conn, paused) as console:
        assert console.read(0) == b""
        began = time.monotonic()
        assert console.read(0.2) == b""
        assert 0.15 < time.monotonic() - began < 1.0


def test_a_second_reader_is_refused_and_force_takes_over(conn, paused):
    with domain.open_console(conn, paused) as first:
        with pytest.raises(ConflictError, match="force=True"):
            domain.open_console(conn, paused)
        with domain.open_console(conn, paused, force=True) as second:
            with pytest.raises(ConnectionLostError, match="open it again"):
                first.read(5.0)
            assert first.ended
            assert second.read(0) == b""
            assert not second.ended


def test_closing_frees_it_for_the_next_one(conn, paused):
    for _ in range(5):
        console = domain.open_console(conn, paused)
        console.close()
        console.close()
    with pytest.raises(ConnectionLostError, match="it is closed"):
        console.read(1.0)
    with pytest.raises(ConnectionLostError, match="it is closed"):
        console.write(b"x")


def test_the_end_of_the_domain_ends_the_console_without_burning_the_processor(conn, paused):
    console = domain.open_console(conn, paused)
    domain.destroy(conn, paused)
    with pytest.raises(ConnectionLostError):
        console.read(5.0)
    with pytest.raises(ConnectionLostError):
        console.write(b"x")
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.15
    console.close()


def read_to_the_end(console, seen: list[bytes]) -> None:
    while True:
        seen.append(console.read(5.0))


def test_what_came_before_the_end_can_still_be_read(conn, echo):
    console = domain.open_console(conn, echo)
    answered(console, b"?")
    drain(console)
    console.write(b"last words")
    time.sleep(0.5)
    domain.destroy(conn, echo)
    seen: list[bytes] = []
    with pytest.raises(ConnectionLostError):
        read_to_the_end(console, seen)
    assert b"".join(seen) == b"last words"
    console.close()


def test_the_loss_of_the_link_ends_the_console_and_a_new_one_works(daemon, domain_xml):
    with Connection.open(daemon.uri) as conn:
        uuid = domain.create(conn, domain_xml("web1"))
        console = domain.open_console(conn, uuid)
        threading.Timer(0.2, daemon.kill).start()
        with pytest.raises(ConnectionLostError):
            console.read(10.0)
        daemon.start()
        conn.wait_link(10)
        console.close()
        with domain.open_console(conn, uuid) as again:
            assert not again.ended


def test_closing_the_connection_ends_its_consoles(shared_daemon, conn, paused):
    other = Connection.open(shared_daemon.uri)
    console = domain.open_console(other, paused)
    other.close()
    with pytest.raises(ConnectionLostError):
        console.read(1.0)
    console.close()
    domain.open_console(conn, paused).close()


def test_output_that_nobody_reads_is_kept_up_to_a_limit(
    conn, shared_daemon, domain_xml, boot_disk, eventually, monkeypatch
):
    monkeypatch.setattr("labvirt.connection.console._KEPT", 10_000)
    uuid = domain.create(conn, domain_xml("speak", boot_disk(shared_daemon, SPEAK, "speak.img")))
    with domain.open_console(conn, uuid) as console:
        eventually(lambda: console.dropped > 20_000, "output to be dropped", 30)
        domain.suspend(conn, uuid)
        time.sleep(0.3)
        kept = console.read(1.0)
        assert 5_000 < len(kept) <= 10_000
        assert set(kept) == {ord(".")}


def write_for_ever(console) -> None:
    for _ in range(1000):
        console.write(b"x" * (1 << 16), timeout_s=0.3)


def test_a_guest_that_reads_nothing_stops_the_writer_at_its_limit(conn, paused, monkeypatch):
    monkeypatch.setattr("labvirt.connection.console._UNSENT", 1 << 16)
    console = domain.open_console(conn, paused)
    with pytest.raises(WaitTimeoutError, match="does not read its serial line"):
        write_for_ever(console)
    console.close()


def test_a_device_that_is_not_there_is_refused(conn, paused, domain_xml):
    with pytest.raises(HostError):
        domain.open_console(conn, paused, "serial7")
    mute = domain.create(conn, domain_xml("mute", ""))
    with pytest.raises(HostError):
        domain.open_console(conn, mute)
    off = domain.define(conn, domain_xml("off"))
    with pytest.raises(ConflictError, match="start it first"):
        domain.open_console(conn, off)
    assert conn.streams == set()


def test_no_thread_and_no_descriptor_stays(conn, paused, eventually):
    domain.open_console(conn, paused).close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        domain.open_console(conn, paused).close()
    eventually(
        lambda: len(list(Path("/proc/self/fd").iterdir())) <= before, "descriptors to be closed"
    )
    assert conn.streams == set()


def test_typing_goes_on_while_other_calls_hang(conn, echo):
    """What is typed has a link of its own: it does not wait for a call that does."""
    release = threading.Event()
    hanging = [
        threading.Thread(target=conn.call, args=("wait", lambda _: release.wait(30)))
        for _ in range(3)
    ]
    for thread in hanging:
        thread.start()
    with domain.open_console(conn, echo) as console:
        answered(console, b"?")
        drain(console)
        began = time.monotonic()
        console.write(b"x")
        assert read_all(console, 1, 5.0) == b"x"
        assert time.monotonic() - began < 0.5
    release.set()
    for thread in hanging:
        thread.join(5)
