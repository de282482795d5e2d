"""The serial console without a notebook: shared by scripts, and attached again by itself."""

from __future__ import annotations

import gc
import os
import threading
import time

import psutil
import pytest

import labvirt as lv
from labvirt.errors import ConflictError, ConnectionLostError, SpecError, WaitTimeoutError
from labvirt.host.line import line_of

pytestmark = pytest.mark.lab


class Heard:
    """Listens to a line."""

    def __init__(self):
        self.data, self.next, self.states = bytearray(), None, []

    def take(self, at, data):
        assert self.next in {None, at}, "bytes are counted without a hole"
        self.data += data
        self.next = at + len(data)

    def turn(self, state):
        self.states.append(state.kind)


@pytest.fixture
def other(lab):
    """The same host by a second connection, as another program has it."""
    host = lab.open("alpha")
    yield host
    host.close()


def test_scripts_share_one_reader(tiny):
    with tiny.console() as first, tiny.console() as second:
        assert first.line is second.line
        first.send("\n")
        assert first.run("echo one$((1+1))") == "one2"
        assert "one2" in second.wait_for("one2").group()
        assert "one2" in second.text
        second.send("echo two$((1+1))\n")
        first.wait_for("two2", timeout_s=10)
    with pytest.raises(ConnectionLostError, match="it is closed"):
        first.send("x")
    first.close()
    with pytest.raises(SpecError, match="regular"), tiny.console() as third:
        third.wait_for("(")


def test_another_program_is_refused_unless_it_forces_and_the_first_comes_back(
    tiny, other, eventually
):
    theirs = other.domains["tiny"]
    with tiny.console(wait=True) as ours:
        with pytest.raises(ConflictError, match="force=True"):
            theirs.console()
        with theirs.console(force=True) as second:
            second.send("\n")
            assert second.run("echo taken") == "taken"
            eventually(lambda: ours.line.state.kind == "taken", "the first to hear of it")
            with pytest.raises(ConnectionLostError, match="taken"):
                ours.send("x")
        eventually(lambda: ours.line.state.kind == "open", "the first to have it again")
        ours.send("\n")
        assert ours.run("echo back") == "back"


def test_a_console_of_a_guest_that_is_off(blank, eventually, tmp_path):
    blank.destroy(confirm=True)
    with pytest.raises(ConflictError, match="not running"):
        blank.console()
    log = tmp_path / "web.log"
    with blank.console(wait=True, transcript=log) as console:
        assert console.line.state.kind == "stopped"
        with pytest.raises(ConnectionLostError, match="not running"):
            console.send("x")
        with pytest.raises(WaitTimeoutError, match="the line is stopped"):
            console.wait_for("BIOS", timeout_s=0.2)
        blank.start()
        eventually(lambda: console.line.state.kind == "open", "the line to be open")
        blank.destroy(confirm=True)
        eventually(lambda: console.line.state.kind == "stopped", "the line to end")
    assert log.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SpecError, match="cannot be written"):
        blank.console(transcript=tmp_path / "no" / "folder")


def test_the_transcript_has_every_byte_and_is_added_to(tiny, tmp_path):
    log = tmp_path / "tiny.log"
    for number in range(2):
        with tiny.console(transcript=log) as console:
            console.send("\n")
            console.run(f"echo number $(({number} + 100))")
    assert b"number 100" in log.read_bytes()
    assert b"number 101" in log.read_bytes()


def test_a_flood_is_heard_by_all_without_a_hole(tiny):
    line, heard = line_of(tiny), Heard()
    try:
        line.wait_open()
        line.join(heard)
        with tiny.console() as console:
            console.send("\n")
            # The mark must not stand in the echo of the line.
            console.send("seq 1 40000; echo fin''ished\n")
            console.wait_for("finished", timeout_s=90)
        text = bytes(heard.data).replace(b"\r", b"")
        assert b"\n".join(b"%d" % n for n in range(1, 40001)) in text
    finally:
        line.quit(heard)
        line.leave()


def test_a_long_text_reaches_the_guest_whole(tiny):
    with tiny.console() as console:
        console.send("\n")
        console.run("stty -echo")
        console.send("cat > /tmp/long\n")
        console.send("".join(f"line {n} {'x' * 60}\n" for n in range(400)) + "\x04")
        console.send("stty echo\n")
        assert console.run("wc -l < /tmp/long", timeout_s=60).strip() == "400"


@pytest.mark.slow(seconds=10)
def test_it_follows_a_migration(alpha, beta, name, eventually):
    spec = lv.DomainSpec(name=name, memory="128 MiB", source=lv.TinyGuest(), interfaces=())
    guest = alpha.plan(spec).apply()
    with guest.console(wait=True) as console:
        guest.wait_for("agent", timeout_s=90)
        result = guest.migrate(beta)
        eventually(
            lambda: console.line.state.kind == "open" and console.line.domain.host is beta,
            "the line to be open on the destination",
        )
        console.send("\n")
        assert console.run("echo moved") == "moved"
        result.domain.destroy(confirm=True)


def cycles(domain, count):
    for _ in range(count):
        domain.console().close()


def kept():
    gc.collect()
    process = psutil.Process(os.getpid())
    return threading.active_count(), process.num_fds(), process.memory_info().rss


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.slow(seconds=60))])
def test_opening_and_closing_leaves_nothing(blank, count):
    cycles(blank, 10)
    time.sleep(0.3)
    threads, files, memory = kept()
    cycles(blank, count)
    time.sleep(0.3)
    after = kept()
    assert after[0] <= threads
    assert after[1] <= files + 2
    assert after[2] - memory < 12 << 20
