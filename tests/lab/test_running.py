"""Starts that fail: what is told, how soon, and what is left. Real keepers, spoilt daemons."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from labvirt.lab.locks import take
from labvirt.lab.records import HostRecord, LabRecord, write_json

pytestmark = pytest.mark.lab

# A keeper as `labvirt.lab.keeper` would make it, but for the program it takes for libvirtd.
KEEPER = """\
import os, socket, sys
from pathlib import Path
from labvirt.lab import kernel, running
from labvirt.lab.records import LabRecord
from labvirt.lab.report import Reporter
from labvirt.lab.session import SessionBackend
kernel.become_subreaper()
record = LabRecord.read(Path(sys.argv[1]))
backend = SessionBackend(record)
backend.prepare()
backend.libvirtd = sys.argv[4]
running._ANSWER_LIMIT_S = 0.5
line = Reporter(socket.socket(fileno=int(sys.argv[2])), -1)
running.RunningLab(record, backend, line, ()).run(int(sys.argv[3]))
"""


@pytest.fixture
def record(tmp_path):
    folder, sockets = tmp_path / "labs" / "demo", tmp_path / "s"
    folder.mkdir(parents=True)
    sockets.mkdir()
    made = LabRecord(
        id=f"test-{os.getpid()}-{time.monotonic_ns()}",
        name="demo",
        backends=("session",),
        hosts=(HostRecord("alpha", "00000000-0000-4000-8000-000000000001", 1),),
        ephemeral=False,
        starter=os.getpid(),
        folder=str(folder),
        spare_folder=str(tmp_path / "spare"),
        sockets=str(sockets),
        capabilities=str(tmp_path / "capabilities"),
        keep=(),
        # The daemons of these tests are shell scripts; they may run as whoever runs the tests.
        uid=os.geteuid(),
        gid=os.getegid(),
        user="me",
        wire_port=15000,
        created="",
    )
    made.write(folder / "lab.json")
    return made


class Birth:
    """A keeper that is being started, and this side of the line to it."""

    def __init__(self, record: LabRecord, libvirtd: str) -> None:
        folder = Path(record.folder)
        lock = take(folder)
        self.line, theirs = socket.socketpair()
        words = [str(folder / "lab.json"), str(theirs.fileno()), str(lock), libvirtd]
        self.process = subprocess.Popen(
            [sys.executable, "-c", KEEPER, *words], pass_fds=(theirs.fileno(), lock)
        )
        theirs.close()
        os.close(lock)

    def said(self) -> list[dict[str, object]]:
        """Return all that the keeper says until it hangs up."""
        self.line.settimeout(20)
        text = b""
        while part := self.line.recv(65536):
            text += part
        return [json.loads(line) for line in text.splitlines()]

    def end(self) -> int:
        self.line.close()
        return self.process.wait(20)


@pytest.fixture
def begin(record):
    births: list[Birth] = []

    def start(libvirtd: str) -> Birth:
        births.append(Birth(record, libvirtd))
        return births[-1]

    yield start
    for birth in births:
        birth.line.close()
        birth.process.kill()
        birth.process.wait()


def program(folder: Path, text: str) -> str:
    path = folder / "daemon"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def everything_is_gone(record: LabRecord) -> bool:
    folder = Path(record.folder)
    return (
        not folder.exists()
        and not Path(record.sockets).exists()
        and not any(folder.parent.iterdir())
    )


def test_a_daemon_that_ends_at_once_is_told_with_its_log(record, begin, tmp_path):
    birth = begin(program(tmp_path, "echo the reason is this >&2; exit 3"))
    *_, last = birth.said()
    assert last["failed"] == "libvirtd of host alpha ended at once"
    assert "the reason is this" in last["log"]
    assert birth.end() == 0
    assert everything_is_gone(record)


def test_a_daemon_that_never_answers_is_given_up(record, begin, tmp_path):
    birth = begin(program(tmp_path, "exec sleep 60"))
    *_, last = birth.said()
    assert "did not answer within 0.5 s" in last["failed"]
    assert last["hint"]
    birth.end()
    assert everything_is_gone(record)


def test_a_daemon_that_cannot_be_run_is_told(record, begin, tmp_path):
    birth = begin(str(tmp_path / "absent"))
    *_, last = birth.said()
    assert "ended at once" in last["failed"]
    assert "No such file" in last["log"]
    birth.end()
    assert everything_is_gone(record)


def test_a_fault_of_our_own_is_told_and_cleaned_up_too(record, begin, tmp_path):
    spoilt = asdict(record)
    spoilt["hosts"] = [{"name": "alpha", "uuid": "no uuid", "number": 1}]
    write_json(Path(record.folder, "lab.json"), spoilt)
    birth = begin(program(tmp_path, "exec sleep 60"))
    *_, last = birth.said()
    assert "the keeper failed" in last["failed"]
    assert "Traceback" in last["log"]
    birth.end()
    assert everything_is_gone(record)


def test_a_start_that_nobody_waits_for_is_given_up(record, begin, tmp_path):
    birth = begin(program(tmp_path, f"touch {tmp_path}/up; exec sleep 60"))
    deadline = time.monotonic() + 10
    while not (tmp_path / "up").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert birth.end() == 0
    assert everything_is_gone(record)


def test_what_a_daemon_has_started_ends_with_the_start(record, begin, tmp_path):
    # Double-forked, in a session of its own: as QEMU is.
    mark = tmp_path / "orphan"
    birth = begin(
        program(
            tmp_path, f"(setsid sh -c 'echo $$ >{mark}; exec sleep 60' &) & wait; exec sleep 60"
        )
    )
    birth.said()
    birth.end()
    pid = int(mark.read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_the_folder_of_another_lab_with_the_same_name_is_left_alone(record, begin, tmp_path):
    folder = Path(record.folder)
    birth = begin(program(tmp_path, f"touch {tmp_path}/up; exec sleep 60"))
    deadline = time.monotonic() + 10
    while not (tmp_path / "up").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    other = asdict(record) | {"id": "another"}
    write_json(folder / "lab.json", other)
    birth.end()
    assert LabRecord.read(folder / "lab.json").id == "another"
