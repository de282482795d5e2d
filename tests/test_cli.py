"""The command line as a user meets it: a real process, its words and its exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LABVIRT = str(Path(sys.executable).with_name("labvirt"))


def labvirt(*argv, timeout=120, **env):
    return subprocess.run(
        [LABVIRT, *argv],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, **env},
    )


def ok(*argv, **env):
    done = labvirt(*argv, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(code, *argv, **env):
    done = labvirt(*argv, **env)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("labvirt: ")
    return done.stderr


def test_help_and_no_arguments():
    text = ok("--help")
    for command in ("lab", "run", "list", "journal", "mac", "uuid", "ids", "probe", "notebook"):
        assert command in text
    assert "Usage" in labvirt().stdout + labvirt().stderr


def test_version():
    assert re.search(r"^labvirt \d", ok("version"), re.MULTILINE)


def test_identifiers():
    assert re.fullmatch(r"52:54:00(:[0-9a-f]{2}){3}\n", ok("mac"))
    assert re.fullmatch(
        r"00:16:3e:[0-7][0-9a-f](:[0-9a-f]{2}){2}\n", ok("mac", "--oui", "00:16:3e")
    )
    assert re.fullmatch(r"[0-9a-f-]{36}\n", ok("uuid"))
    assert re.search(r"New UUID: .*\nNew MAC:", ok("ids"))


def test_a_command_that_is_not_there_is_told_on_standard_error():
    done = labvirt("explode")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "explode" in done.stderr


@pytest.mark.parametrize(
    ("argv", "code", "word"),
    [
        (["mac", "--oui", "zz:zz:zz"], 2, "zz:zz:zz"),
        (["list", "qemuu:///system"], 2, "qemu"),
        (["list", "qemu+unix:///session?socket=/nowhere/sock"], 2, "/nowhere/sock"),
        (["list", "qemu+tcp://nosuchhost.invalid/system"], 2, "nosuchhost.invalid"),
        (["lab", "status", "nosuchlab"], 1, "nosuchlab"),
        (["lab", "stop", "nosuchlab"], 1, "nosuchlab"),
        (["lab", "start", "bad/name"], 2, "bad/name"),
        (["lab", "start", "many", "--hosts", "99"], 2, "99"),
        (["run", "nosuchbook"], 2, "nosuchbook"),
        (["run", "instal"], 2, "install"),
        (["run", "install", "-p", "nmae=web1"], 2, "name"),
        (["run", "install", "-p", "vcpus=many"], 2, "vcpus"),
        (["run", "install", "-p", "novalue"], 2, "NAME=VALUE"),
    ],
)
def test_bad_input_is_one_clear_error(argv, code, word):
    assert word in refused(code, *argv)


def test_parameters_of_a_runbook_are_shown():
    text = ok("run", "install", "--parameters")
    for name in ("host", "name", "memory", "vcpus", "disk_size", "network", "source"):
        assert name in text


def test_books_are_listed():
    assert "install" in ok("books")


def test_journal_of_nothing_is_empty(tmp_path):
    assert json.loads(ok("journal", "--json", LABVIRT_HOME=str(tmp_path))) == []


@pytest.mark.lab
def test_a_lab_from_the_shell():
    """Start, look, list, reset, stop: as in the README."""
    name = f"cli-{os.getpid()}"
    try:
        text = ok("lab", "start", name, "--hosts", "2", "--backend", "session")
        assert "alpha" in text
        assert "beta" in text
        status = json.loads(ok("lab", "status", name, "--json"))
        assert [host["state"] for host in status["hosts"]] == ["running", "running"]
        assert name in ok("lab", "list")
        assert json.loads(ok("list", f"lab:{name}/beta", "--json")) == []
        assert "Id" in ok("list", f"lab:{name}/alpha")
        ok("lab", "reset", name)
    finally:
        ok("lab", "stop", name)
    assert name not in ok("lab", "list")
    refused(1, "lab", "status", name)
