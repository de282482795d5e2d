"""A host's daemon is kept as it is wanted; ordinary programs stand in for libvirtd."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from labvirt.lab import daemon as daemon_module
from labvirt.lab.daemon import Daemon
from labvirt.lab.loop import Loop
from labvirt.lab.records import HostRecord

STUBBORN = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]
PATIENT = ["/bin/sleep", "60"]
SHORT = ["/bin/true"]


class Programs:
    """Starts a real program in place of libvirtd, as a back end would."""

    def __init__(self) -> None:
        self.argv = PATIENT
        self.started: list[int] = []

    def launch(self, host: HostRecord) -> int:
        pid = os.posix_spawn(self.argv[0], self.argv, {"PATH": "/usr/bin:/bin"}, setsid=True)
        self.started.append(pid)
        return pid


@pytest.fixture
def programs():
    return Programs()


@pytest.fixture
def loop():
    before = signal.getsignal(signal.SIGCHLD)
    made = Loop(lambda pid: None)
    yield made
    made.close()
    signal.signal(signal.SIGCHLD, before)


@pytest.fixture
def daemon(programs, loop, monkeypatch):
    monkeypatch.setattr(daemon_module, "_RESTART_DELAY_S", 0.01)
    made = Daemon(HostRecord("alpha", "u", 1), programs, loop)
    loop._child_ended = lambda pid: made.exited() if pid == made.pid else None
    yield made
    made.forget()
    for pid in programs.started:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for pid in programs.started:
        # Those that the loop has reaped already are gone.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def serve(loop, until, limit_s: float = 10.0) -> None:
    """Run the loop until something holds."""
    deadline = time.monotonic() + limit_s

    def look() -> None:
        if until() or time.monotonic() > deadline:
            loop.stop()
        else:
            loop.later(0.005, look)

    look()
    loop._running = True
    loop.run()
    assert until()


def test_it_does_not_run_before_it_is_started(daemon):
    assert (daemon.state, daemon.pid, daemon.restarts) == ("stopped", None, 0)


def test_starting_twice_starts_once(daemon, programs):
    daemon.start()
    daemon.start()
    assert programs.started == [daemon.pid]
    assert daemon.state == "running"


def test_one_that_was_killed_is_started_again(daemon, loop, programs):
    daemon.start()
    daemon.send(signal.SIGKILL)
    serve(loop, lambda: len(programs.started) == 2)
    assert (daemon.state, daemon.restarts, daemon.pid) == ("running", 1, programs.started[1])


def test_one_that_was_stopped_stays_away(daemon, loop, programs):
    daemon.start()
    daemon.stop()
    assert daemon.state == "stopped"
    serve(loop, lambda: daemon.pid is None)
    began = time.monotonic()
    serve(loop, lambda: time.monotonic() - began > 0.1)
    assert len(programs.started) == 1
    assert daemon.restarts == 0


def test_one_that_hangs_is_stopped_all_the_same(daemon, loop):
    daemon.start()
    daemon.send(signal.SIGSTOP)
    daemon.stop()
    serve(loop, lambda: daemon.pid is None)


def test_one_that_does_not_listen_is_killed_after_a_while(daemon, loop, programs, monkeypatch):
    monkeypatch.setattr(daemon_module, "_PATIENCE_S", 0.3)
    programs.argv = STUBBORN
    daemon.start()
    time.sleep(0.2)  # the shell sets its trap
    began = time.monotonic()
    daemon.stop()
    serve(loop, lambda: daemon.pid is None)
    assert time.monotonic() - began >= 0.25


def test_one_that_is_ending_can_be_wanted_again(daemon, loop, programs):
    daemon.start()
    daemon.stop()
    daemon.start()
    serve(loop, lambda: len(programs.started) == 2)
    assert daemon.state == "running"


def test_one_that_always_dies_is_given_up_and_can_be_started_by_hand(daemon, loop, programs):
    programs.argv = SHORT
    daemon.start()
    serve(loop, lambda: daemon.state == "failed")
    assert len(programs.started) == 6
    assert daemon.pid is None
    programs.argv = PATIENT
    daemon.start()
    assert daemon.state == "running"
    assert len(programs.started) == 7


def test_one_that_dies_now_and_then_is_not_given_up(daemon, loop, programs, monkeypatch):
    monkeypatch.setattr(daemon_module, "_WITHIN_S", 0.0)
    programs.argv = SHORT
    daemon.start()
    serve(loop, lambda: len(programs.started) > 8)
    assert daemon.state != "failed"
    daemon.stop()


def test_one_that_was_forgotten_is_not_started_again(daemon, loop, programs):
    daemon.start()
    daemon.send(signal.SIGKILL)
    daemon.forget()
    began = time.monotonic()
    serve(loop, lambda: time.monotonic() - began > 0.1)
    assert len(programs.started) == 1


def test_a_signal_to_nobody_is_no_error(daemon):
    daemon.send(signal.SIGKILL)
    daemon.stop()
    assert daemon.state == "stopped"
