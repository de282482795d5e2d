"""Where files go: by environment, by user, and never into a folder of somebody else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labvirt import places
from labvirt.errors import LabError


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.delenv("LABVIRT_HOME", raising=False)
    monkeypatch.delenv("LABVIRT_CACHE", raising=False)


def test_one_variable_moves_everything(monkeypatch, tmp_path):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path))
    assert places.home() == tmp_path
    for place in (places.labs(), places.journal(), places.runs(), places.cache()):
        assert place.is_relative_to(tmp_path)


def test_the_cache_can_be_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("LABVIRT_HOME", "/somewhere")
    monkeypatch.setenv("LABVIRT_CACHE", str(tmp_path))
    assert places.cache() == tmp_path


def test_root_uses_the_folders_of_the_system(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert places.home() == Path("/var/lib/labvirt")
    assert places.cache() == Path("/var/cache/labvirt")


def test_others_use_their_own(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert places.home() == tmp_path / "data" / "labvirt"


def test_the_folder_for_sockets_is_short_and_closed(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", os.getuid)
    folder = places.runtime()
    assert len(str(folder)) < 30
    assert folder.stat().st_mode & 0o022 == 0
    assert folder.stat().st_uid == os.getuid()


def test_a_folder_that_others_can_write_is_refused(monkeypatch):
    run = Path(f"/tmp/lvx{os.getpid()}")
    run.mkdir()
    try:
        (run / "labvirt").mkdir()
        (run / "labvirt").chmod(0o777)
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 4242)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
        with pytest.raises(LabError, match="cannot be trusted"):
            places.runtime()
    finally:
        (run / "labvirt").rmdir()
        run.rmdir()
