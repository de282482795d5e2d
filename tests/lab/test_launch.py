"""Starts that go wrong before there is a keeper, and who runs the daemons."""

from __future__ import annotations

import os
import pwd
import sys
from typing import TYPE_CHECKING

import pytest

from labvirt.errors import LabError
from labvirt.lab import launch
from labvirt.lab.lab import Lab

if TYPE_CHECKING:
    from types import SimpleNamespace


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path))
    return tmp_path


def nothing_is_left(home) -> bool:
    return Lab.list() == () and not any((home / "labs").iterdir())


def test_a_keeper_that_cannot_be_started_is_told(home, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(LabError, match="cannot be started"):
        Lab.start("demo")
    assert nothing_is_left(home)


def test_a_keeper_that_dies_at_once_is_told_with_its_log(home, monkeypatch, tmp_path_factory):
    python = tmp_path_factory.mktemp("bin") / "python"
    python.write_text("#!/bin/sh\necho no keeper today >&2\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(LabError, match="died while starting the keeper") as caught:
        Lab.start("demo")
    assert "no keeper today" in caught.value.what
    assert nothing_is_left(home)


@pytest.mark.lab
def test_a_start_that_takes_too_long_is_given_up(home):
    with pytest.raises(LabError, match=r"not up within 0\.01 s; last stage") as caught:
        Lab.start("demo", 8, "session", timeout_s=0.01)
    assert "timeout_s" in caught.value.hint
    assert nothing_is_left(home)


@pytest.mark.lab
def test_an_error_of_whoever_is_told_the_progress_leaves_nothing(home):
    def fail(stage: str) -> None:
        raise ZeroDivisionError(stage)

    with pytest.raises(ZeroDivisionError):
        Lab.start("demo", 2, "session", progress=fail)
    assert nothing_is_left(home)


@pytest.fixture
def as_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)


def test_an_ordinary_user_runs_the_daemons_himself(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert launch._daemon_user()[0] == 65534


def test_a_user_without_a_name_is_called_by_his_number(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    assert launch._daemon_user()[2] == "4000000"


def test_root_has_the_daemons_run_by_nobody(as_root):
    assert launch._daemon_user()[2] == "nobody"


def test_root_has_the_daemons_run_by_whoever_called_sudo(as_root, monkeypatch):
    someone = next(each for each in pwd.getpwall() if each.pw_uid not in {0, 65534})
    monkeypatch.setenv("SUDO_UID", str(someone.pw_uid))
    assert launch._daemon_user() == (someone.pw_uid, someone.pw_gid, someone.pw_name)


@pytest.mark.parametrize("value", ["0", "", "x", "4000000", "-1"])
def test_a_strange_sudo_uid_is_ignored(as_root, monkeypatch, value):
    monkeypatch.setenv("SUDO_UID", value)
    assert launch._daemon_user()[2] == "nobody"


def test_without_any_ordinary_user_root_is_told(as_root, monkeypatch):
    def absent(name: str) -> SimpleNamespace:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", absent)
    with pytest.raises(LabError, match="no user nobody"):
        launch._daemon_user()
