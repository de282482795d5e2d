"""``labvirt top`` as a user meets it: a real process on a terminal of its own, and in a pipe."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labvirt.cli import app
from labvirt.errors import LabvirtError

pytestmark = pytest.mark.lab

LABVIRT = str(Path(sys.executable).with_name("labvirt"))


def top(*argv, timeout=60, **options):
    return subprocess.run(
        [LABVIRT, "top", *argv],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **options,
    )


class Terminal:
    """`labvirt top` on a terminal."""

    def __init__(self, *argv, columns=120, lines=30):
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.seen = ""

        # A kernel that ran in this process before leaves its idea of a width there.
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", LABVIRT, "top", *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**inherited, "TERM": "xterm-256color"},
        )
        self.theirs = theirs

    def read(self, seconds):
        """Read what comes for a while."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.ours], [], [], left)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.ours, 65536).decode(errors="replace")

    def expect(self, pattern, seconds=20):
        """Read until something appears; what was before it is forgotten."""
        until = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < until, f"no {pattern!r} in {self.seen[-2000:]!r}"
            self.read(0.1)
        self.seen = self.seen[found.end() :]

    def press(self, keys):
        os.write(self.ours, keys.encode())

    def ended(self):
        """Wait for the end; return the exit code."""
        until = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < until:
            self.read(0.05)
        self.read(0.1)
        return self.process.wait(1)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal():
    made = []

    def start(*argv, **options):
        made.append(Terminal(*argv, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_keys_sort_and_q_ends_it_with_the_terminal_as_it_was(terminal, lab, tiny):
    shell = terminal(f"lab:{lab.name}", "--interval", "0.5", "--filter", "tiny")
    shell.expect(r"by cpu")
    shell.expect(r"tiny")
    assert termios.tcgetattr(shell.theirs) != shell.before
    for key, word in {"m": "memory", "d": "disk", "n": "network", "N": "name", "c": "cpu"}.items():
        shell.press(key)
        shell.expect(rf"by {word}", seconds=3)
    shell.press("q")
    assert shell.ended() == 0
    assert "\x1b[?1049l" in shell.seen
    assert "tiny" in shell.seen.split("\x1b[?1049l")[-1]
    assert termios.tcgetattr(shell.theirs) == shell.before


@pytest.mark.parametrize("how", ["ctrl-c", "term"])
def test_it_ends_cleanly_when_it_is_stopped(terminal, lab, tiny, how):
    shell = terminal(f"lab:{lab.name}/alpha", "--interval", "0.5")
    shell.expect(r"tiny")
    if how == "ctrl-c":
        shell.press("\x03")
    else:
        shell.process.send_signal(signal.SIGTERM)
    assert shell.ended() == {"ctrl-c": 130, "term": 143}[how]
    assert "\x1b[?1049l" in shell.seen
    assert "Traceback" not in shell.seen
    assert termios.tcgetattr(shell.theirs) == shell.before


@pytest.mark.slow(seconds=5)
def test_a_narrow_terminal_is_never_wrapped(terminal, lab, tiny):
    shell = terminal(f"lab:{lab.name}/alpha", "--interval", "0.5", "--count", "2", columns=34)
    assert shell.ended() == 0
    last = shell.seen.split("\x1b[?1049l")[-1]
    lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in last.split("\r\n")]
    assert any(line.startswith("tiny") for line in lines)
    assert max(map(len, lines)) <= 34


def test_json_lines_tell_what_the_guest_does(lab, tiny, burning):
    with burning(tiny):
        done = top(f"lab:{lab.name}/alpha", "--json", "--count", "3", "--interval", "0.5")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == 3
    (line,) = (each for each in told[-1]["domains"] if each["name"] == "tiny")
    assert line["memory_bytes"] == 128 << 20
    assert (line["state"], line["vcpus"]) == ("running", 1)
    assert line["cpu_percent"] > 10
    assert line["cpu_host_percent"] <= line["cpu_percent"]
    assert told[-1]["hosts"][0]["guests_active"] >= 1
    assert told[-1]["interval_s"] == 0.5


@pytest.mark.slow(seconds=5)
def test_csv_has_its_heading_once(lab, tiny):
    done = top(f"lab:{lab.name}", "--csv", "--count", "2", "--interval", "0.5", "--filter", "tiny")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["kind"] for row in rows] == ["host", "host", "domain"] * 2
    assert {row["host"] for row in rows} == {"alpha", "beta"}


def test_once_in_a_pipe_is_plain_text_with_rates(lab, tiny):
    done = top(f"lab:{lab.name}", "--once", "--interval", "0.5")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("tiny"))
    assert line.split()[1:3] == ["alpha", "running"]
    assert re.fullmatch(r"[\d.]+", line.split()[4])
    told = json.loads(top(f"lab:{lab.name}/alpha", "--once", "--json", "--interval", "0.5").stdout)
    (domain,) = (each for each in told["domains"] if each["name"] == "tiny")
    assert domain["cpu_percent"] is not None
    assert domain["memory_bytes"] == 128 << 20


def test_a_reader_that_leaves_is_no_error(lab, tiny):
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"{LABVIRT} top lab:{lab.name}/alpha --interval 0.3 | head -n 1; exit ${{PIPESTATUS[0]}}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith("labvirt top")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow(seconds=15)
def test_a_stalled_guest_is_marked_and_the_host_goes_on(lab, tiny):
    (process,) = (
        each for each in lab["alpha"].tools.qemu_processes(seconds=0.05) if each.domain == "tiny"
    )
    argv = [LABVIRT, "top", f"lab:{lab.name}/alpha", "--json", "--interval", "0.5"]
    argv += ["--filter", "tiny"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as viewer:
        try:
            json.loads(viewer.stdout.readline())
            os.kill(process.pid, signal.SIGSTOP)
            began = time.monotonic()
            line = {"stalled_since": None}
            while line["stalled_since"] is None:
                assert time.monotonic() - began < 10
                (line,) = json.loads(viewer.stdout.readline())["domains"]
            assert line["memory_used_bytes"] is None
            assert line["memory_bytes"] == 128 << 20
        finally:
            os.kill(process.pid, signal.SIGCONT)
            viewer.terminate()
    tiny.wait_for("agent", timeout_s=30)


@pytest.mark.slow(seconds=5)
def test_a_lost_host_is_shown_and_comes_back(lab, tiny):
    argv = [LABVIRT, "top", f"lab:{lab.name}", "--json", "--interval", "0.3", "--filter", "tiny"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:

        def until(claim, what):
            for _ in range(60):
                told = json.loads(process.stdout.readline())
                if claim(told["hosts"][0]["state"], told):
                    return told
            raise AssertionError(f"never {what}: {told}")

        try:
            until(lambda state, told: state == "connected" and told["domains"], "connected")
            lab.daemon("alpha", "stop")
            try:
                lost = until(lambda state, _: state != "connected", "lost")
                assert lost["domains"] == []
                assert lost["hosts"][1]["state"] == "connected"
            finally:
                lab.daemon("alpha", "start")
            back = until(lambda state, told: state == "connected" and told["domains"], "back")
            assert back["domains"][0]["name"] == "tiny"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143


def test_the_filter_leaves_the_others_out(lab, tiny):
    done = top(f"lab:{lab.name}/alpha", "--once", "--interval", "0.3", "--filter", "web*")
    assert "No domain fits." in done.stdout
    assert re.search(r"\d+ left out", done.stdout)


@pytest.mark.parametrize(
    ("argv", "code", "word"),
    [
        (["test:///default", "--interval", "0"], 2, "interval_s"),
        (["test:///default", "--interval", "-1"], 2, "interval_s"),
        (["test:///default", "--interval", "0.001"], 2, "interval_s"),
        (["test:///default", "--interval", "nan"], 2, "interval_s"),
        (["test:///default", "--count", "0"], 2, "--count"),
        (["test:///default", "--sort", "size"], 2, "--sort"),
        (["test:///default", "--json", "--csv"], 2, "one of them"),
        (["qemuu:///system"], 2, "qemu"),
        (["test:///default", "qemu+unix:///session?socket=/nowhere/sock"], 2, "/nowhere/sock"),
        (["lab:nosuchlab"], 1, "nosuchlab"),
        (["lab:"], 2, "lab:"),
    ],
)
def test_bad_input_is_one_clear_error(argv, code, word):
    done = CliRunner().invoke(app, ["top", *argv])
    if isinstance(done.exception, LabvirtError):
        assert done.exception.exit_code == code
        assert word in str(done.exception)
    else:
        assert done.exit_code == code
        assert word in done.output + done.stderr


def test_an_error_of_ours_is_a_sentence_and_an_exit_code():
    done = top("test:///default", "--interval", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("labvirt: ")
    assert "Traceback" not in done.stderr
