"""Labs on disk: folders, locks, short paths for sockets."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from labvirt import places
from labvirt.errors import LabError
from labvirt.lab import locks, store
from labvirt.lab.lab import Lab
from labvirt.lab.store import Shelf, all_names, forget_orphaned_sockets, locked, new_socket_folder


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    base = tmp_path / "r"
    base.mkdir()
    monkeypatch.setattr(places, "runtime", lambda: base)
    monkeypatch.setattr(store, "_LONGEST_BASE", 500)
    return base


def test_no_labs_are_no_error():
    assert all_names() == ()
    assert Lab.list() == ()


def test_a_folder_without_a_record_is_a_broken_lab_that_can_be_stopped(home):
    (home / "labs" / "odd" / "hosts").mkdir(parents=True)
    (status,) = Lab.list()
    assert (status.name, status.state, status.hosts) == ("odd", "broken", ())
    with pytest.raises(LabError, match="broken"):
        Lab.attach("odd")
    lab = Lab.attach("odd", broken=True)
    assert "never came up" in repr(lab)
    assert len(lab) == 0
    for use in (lambda: lab.uris, lambda: lab.limits, lambda: lab["alpha"], lab.reset):
        with pytest.raises(LabError, match="odd"):
            use()
    lab.stop()
    assert Lab.list() == ()
    assert list((home / "labs").iterdir()) == []


def test_a_damaged_record_is_no_record(home):
    folder = home / "labs" / "odd"
    folder.mkdir(parents=True)
    for name in ("lab.json", "keeper.json", "outcome.json"):
        (folder / name).write_text("{")
    shelf = Shelf("odd")
    assert (shelf.record(), shelf.keeper(), shelf.outcome()) == (None, None, None)
    Lab.attach("odd", broken=True).stop()


def test_an_unknown_lab_is_named_with_those_that_are_known(home):
    (home / "labs" / "mine").mkdir(parents=True)
    with pytest.raises(LabError, match="there is no lab yours") as caught:
        Lab.attach("yours")
    assert "mine" in caught.value.hint


def test_only_one_command_at_a_time_has_a_lab(home):
    with locked("demo", doing="start"):
        assert locks.is_held(home / "labs" / "demo")
        assert locks.take(home / "labs" / "demo") is None
    assert not locks.is_held(home / "labs" / "demo")


def test_a_lock_leaves_no_file_when_there_is_no_lab(home):
    with locked("demo", doing="stop"):
        pass
    assert list((home / "labs").iterdir()) == []


def test_a_lock_stays_with_whoever_inherited_it(home):
    (home / "labs" / "demo").mkdir(parents=True)
    with locked("demo", doing="start") as handle:
        heir = subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=(handle,), stdin=-1)
    assert locks.is_held(home / "labs" / "demo")
    heir.communicate(b"\n")
    assert not locks.is_held(home / "labs" / "demo")


def test_waiting_for_a_lock_ends_with_an_error(home, monkeypatch):
    monkeypatch.setattr(store, "_LOCK_LIMIT_S", 0.05)
    with (
        locked("demo", doing="start"),
        pytest.raises(LabError, match="cannot stop lab demo: another command is busy"),
        locked("demo", doing="stop"),
    ):
        pass


def test_a_lock_is_taken_over_when_it_is_given_back(home):
    order = []

    def second() -> None:
        with locked("demo", doing="stop"):
            order.append("second")

    with locked("demo", doing="start"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_home_that_cannot_be_written_is_told(home, monkeypatch):
    (home / "file").touch()
    monkeypatch.setenv("LABVIRT_HOME", str(home / "file"))
    with pytest.raises(LabError, match="cannot start lab demo") as caught:
        Lab.start("demo")
    assert "LABVIRT_HOME" in caught.value.hint


def test_folders_for_sockets_are_new_and_private(runtime):
    owner = runtime / "lab"
    folders = {new_socket_folder(owner) for _ in range(20)}
    assert len(folders) == 20
    for folder in folders:
        assert folder.stat().st_mode & 0o066 == 0
        assert folder.parent == runtime


def test_a_long_base_is_replaced_by_a_short_one(runtime, monkeypatch):
    monkeypatch.setattr(store, "_LONGEST_BASE", 22)
    folder = new_socket_folder(runtime / "lab")
    try:
        # What libvirt appends for a guest agent still fits into the 107 bytes of a socket's path.
        longest = (
            "/libvirt/qemu/channel/target/domain-999-12345678901234567890/org.qemu.guest_agent.0"
        )
        assert len(f"{folder}/a{longest}") <= 107
        assert folder.stat().st_mode & 0o066 == 0
    finally:
        (folder / store.OWNER_LINK).unlink()
        folder.rmdir()


@pytest.mark.parametrize("reason", [PermissionError("no"), LabError("not private")])
def test_a_base_that_cannot_be_used_is_replaced_too(home, monkeypatch, reason):
    def refuse() -> Path:
        raise reason

    monkeypatch.setattr(places, "runtime", refuse)
    folder = new_socket_folder(home)
    assert folder.parent == Path(tempfile.gettempdir())
    (folder / store.OWNER_LINK).unlink()
    folder.rmdir()
    forget_orphaned_sockets()


def test_folders_for_sockets_are_removed_when_their_lab_is_lost(runtime, home, monkeypatch):
    lost, kept = new_socket_folder(home / "lost"), new_socket_folder(home)
    stranger = runtime / "stranger"
    stranger.mkdir()
    forget_orphaned_sockets()
    assert lost.exists()  # a lab that is just being made looks like this
    monkeypatch.setattr(store, "_ORPHAN_AGE_S", -1.0)
    forget_orphaned_sockets()
    assert not lost.exists()
    assert kept.exists()
    assert stranger.exists()


def test_the_module_of_the_keeper_needs_the_standard_library_only():
    code = (
        "import sys; import labvirt.lab.keeper; "
        "bad = {'platformdirs', 'libvirt', 'lxml', 'pydantic', 'pandas'} & set(sys.modules); "
        "assert not bad, bad"
    )
    root = Path(places.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(root), "PATH": os.environ["PATH"]},
        check=True,
        timeout=30,
    )
