"""Running outside tools: limits, words, and no process left."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from labvirt.errors import LabError
from labvirt.install.command import PACKAGES, require, run


def test_the_output_is_returned():
    assert (
        run(["sh", "-c", "echo $HELLO"], doing="x", timeout_s=10, env={"HELLO": "you"}) == b"you\n"
    )


def test_a_failure_carries_the_tools_own_words():
    with pytest.raises(LabError, match="cannot bake: sh said: no flour") as caught:
        run(["sh", "-c", "echo start; echo no flour >&2; exit 3"], doing="bake", timeout_s=10)
    assert caught.value.hint == ""
    with pytest.raises(LabError, match="exit code 3"):
        run(["sh", "-c", "exit 3"], doing="bake", timeout_s=10)


def test_of_apts_words_the_first_error_counts():
    words = "W: odd\\nE: the cause\\nE: a consequence"
    with pytest.raises(LabError, match=r"said: the cause$"):
        run(["sh", "-c", f"printf '{words}' >&2; exit 100"], doing="fetch", timeout_s=10)


def test_credentials_in_an_url_are_not_repeated():
    words = "E: no route to http://user:secret@mirror/debian"
    with pytest.raises(LabError) as caught:
        run(["sh", "-c", f"echo '{words}' >&2; exit 1"], doing="fetch", timeout_s=10)
    assert "secret" not in str(caught.value)
    assert "http://***@mirror/debian" in str(caught.value)


def test_a_full_disk_comes_with_advice():
    with pytest.raises(LabError) as caught:
        run(["dd", "if=/dev/zero", "of=/dev/full", "count=1"], doing="write", timeout_s=10)
    assert "LABVIRT_CACHE" in caught.value.hint


def test_a_tool_that_takes_too_long_is_stopped():
    mark = f"300.{os.getpid()}"
    with pytest.raises(LabError, match=r"sleep took longer than 0\.2 s"):
        run(["sleep", mark], doing="rest", timeout_s=0.2)
    assert not [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]


def test_a_tool_dies_with_a_killed_labvirt(python):
    mark = f"301.{os.getpid()}"
    code = "import sys; from labvirt.install.command import run\n"
    child = python(code + "run(['sleep', sys.argv[1]], doing='rest', timeout_s=60)", mark)

    def alive():
        return [
            p
            for p in psutil.process_iter(["cmdline"])
            if p.info["cmdline"]
            and p.info["cmdline"][0].endswith("sleep")
            and mark in p.info["cmdline"]
        ]

    until = time.monotonic() + 20
    while not alive():
        assert time.monotonic() < until
        time.sleep(0.02)
    child.kill()
    while alive():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("tool", sorted(PACKAGES))
def test_a_missing_tool_is_named_with_its_package(tool, scratch, monkeypatch):
    monkeypatch.setenv("PATH", str(scratch))
    monkeypatch.setattr("labvirt.install.command.search_path", lambda: str(scratch))
    with pytest.raises(LabError, match=f"the tool {tool} is needed") as caught:
        require(tool)
    assert f"apt-get install {PACKAGES[tool]} " in caught.value.hint
