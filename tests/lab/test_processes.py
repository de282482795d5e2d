"""Processes are known again, and a recycled pid is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from labvirt.lab.processes import (
    Process,
    boot_id,
    carrying,
    children,
    descendants,
    kill_all,
    outer_pids,
    pids,
)


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"], env={"MARK": "sleeper", "PATH": os.environ["PATH"]})
    yield process
    process.kill()
    process.wait()


def test_a_running_process_is_alive(sleeper):
    process = Process.of(sleeper.pid)
    assert process.is_alive
    assert process.boot == boot_id()
    assert process.pid in pids()


def test_a_process_that_ended_is_not_alive(sleeper):
    process = Process.of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert not process.is_alive
    assert Process.of(sleeper.pid) is None


def test_a_zombie_is_not_alive(sleeper):
    process = Process.of(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    assert process.wait(5)
    # Nobody has waited for it yet.
    assert Path(f"/proc/{sleeper.pid}").exists()
    assert not process.is_alive


def test_another_process_with_the_same_pid_is_never_killed(sleeper):
    real = Process.of(sleeper.pid)
    for earlier in (replace(real, started=real.started - 1), replace(real, boot="another")):
        assert not earlier.is_alive
        assert earlier.send(signal.SIGKILL) is False
    assert sleeper.poll() is None
    assert real.send(signal.SIGKILL) is True


def test_sending_to_nobody_is_no_error():
    assert Process(2**22 + 1, 1, boot_id()).send(signal.SIGTERM) is False


def test_waiting_ends_at_its_limit(sleeper):
    began = time.monotonic()
    assert Process.of(sleeper.pid).wait(0.05) is False
    assert time.monotonic() - began < 2


def test_children_and_descendants_are_found():
    # The middle one waits for the inner one.
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    outer = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 10
        while not (inner := children(outer.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert outer.pid in children(os.getpid())
        assert {process.pid for process in descendants(outer.pid)} == set(inner)
        everybody = {process.pid for process in descendants(os.getpid())}
        assert {outer.pid, *inner} <= everybody
        assert os.getpid() not in everybody
        assert kill_all(descendants(outer.pid), 5) == ()
    finally:
        outer.kill()
        outer.wait()


def test_a_process_is_known_by_its_environment(sleeper):
    assert [process.pid for process in carrying(["MARK=sleeper"])] == [sleeper.pid]
    assert carrying(["MARK=sleep"]) == ()
    assert carrying([]) == ()


def test_a_process_never_finds_itself():
    code = (
        "from labvirt.lab.processes import carrying; "
        "import sys; sys.exit(len(carrying(['MARK=me'])))"
    )
    environment = {**os.environ, "MARK": "me"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_who_resists_is_named(sleeper):
    # Killing takes no time limit of zero seriously: whoever is dead by then is not named.
    process = Process.of(sleeper.pid)
    assert kill_all([process], 5) == ()
    assert kill_all([process], 0) == ()


def test_pids_are_the_same_inside_and_outside_of_one_namespace(sleeper):
    assert outer_pids(os.getpid())[sleeper.pid] == sleeper.pid
