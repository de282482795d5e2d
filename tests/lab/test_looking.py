"""What is told of a lab is what is there, whatever its files say."""

from __future__ import annotations

import os
import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from labvirt.errors import LabError
from labvirt.lab import cleaning
from labvirt.lab.cleaning import end_lab, remains_of
from labvirt.lab.lab import Lab
from labvirt.lab.locks import take
from labvirt.lab.looking import look_at, wait_for_daemon
from labvirt.lab.processes import Process
from labvirt.lab.records import HostRecord, LabRecord, Outcome, write_json
from labvirt.lab.store import Shelf

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path))
    made = Shelf("demo")
    made.folder.mkdir(parents=True)
    sockets = tmp_path / "s"
    sockets.mkdir()
    LabRecord(
        id=f"looking-{tmp_path}",
        name="demo",
        backends=("session",),
        hosts=(HostRecord("alpha", "00000000-0000-4000-8000-000000000001", 1),),
        ephemeral=False,
        starter=1,
        folder=str(made.folder),
        spare_folder=str(tmp_path / "spare"),
        sockets=str(sockets),
        capabilities="",
        keep=(),
        uid=os.geteuid(),
        gid=os.getegid(),
        user="me",
        wire_port=15000,
        created="2026-11-23T00:00:00+00:00",
    ).write(made.folder / "lab.json")
    return made


@pytest.fixture
def outcome(shelf):
    made = Outcome(
        backend="session",
        rootless=False,
        data=str(shelf.folder),
        uris={"alpha": f"qemu+unix:///session?socket={shelf.folder}/none"},
        kvm=False,
    )
    made.write(shelf.folder / "outcome.json")
    return made


@pytest.fixture
def spawn():
    """Start processes with an environment; they end with the test."""
    made: list[subprocess.Popen[bytes]] = []

    def start(**environment: str) -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(["/bin/sleep", "60"], env=environment))
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.wait()


def domain_files(shelf: Shelf, name: str, pid: int, *, with_xml: bool = True) -> None:
    folder = shelf.folder / "hosts/alpha/run/libvirt/qemu/run"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.pid").write_text(str(pid))
    if with_xml:
        (folder / f"{name}.xml").touch()


def home_of(shelf: Shelf) -> str:
    return str(shelf.folder / "hosts/alpha/home")


def test_a_lab_whose_keeper_file_names_a_later_process_is_broken(shelf, outcome):
    mine = Process.of(os.getpid())
    write_json(shelf.folder / "keeper.json", asdict(mine) | {"started": mine.started - 1})
    status = look_at(shelf)
    assert (status.state, status.keeper_pid) == ("broken", None)
    assert [host.state for host in status.hosts] == ["gone"]


def test_a_lab_of_an_earlier_boot_is_broken(shelf, outcome):
    write_json(shelf.folder / "keeper.json", asdict(Process.of(os.getpid())) | {"boot": "x"})
    assert look_at(shelf).state == "broken"


def test_a_lab_that_somebody_is_just_starting_is_not_broken(shelf):
    assert look_at(shelf).state == "broken"
    lock = take(shelf.folder)
    try:
        assert look_at(shelf).state == "starting"
    finally:
        os.close(lock)


def test_a_keeper_that_has_not_finished_is_starting(shelf):
    write_json(shelf.folder / "keeper.json", asdict(Process.of(os.getpid())))
    status = look_at(shelf)
    assert (status.state, status.keeper_pid, status.hosts) == ("starting", os.getpid(), ())
    with pytest.raises(LabError, match="is starting"):
        Lab.attach("demo")


def test_running_domains_are_found_without_any_daemon(shelf, outcome, spawn):
    ours = spawn(HOME=home_of(shelf))
    domain_files(shelf, "web1", ours.pid)
    assert look_at(shelf).hosts[0].domains == ("web1",)


def test_what_only_looks_like_a_running_domain_is_none(shelf, outcome, spawn):
    stranger, ours = spawn(HOME="/"), spawn(HOME=home_of(shelf))
    domain_files(shelf, "recycled", stranger.pid)
    domain_files(shelf, "dead", 2**22 + 1)
    domain_files(shelf, "driver", ours.pid, with_xml=False)
    (shelf.folder / "hosts/alpha/run/libvirt/qemu/run/odd.pid").write_text("no number")
    (shelf.folder / "hosts/alpha/run/libvirt/qemu/run/odd.xml").touch()
    assert look_at(shelf).hosts[0].domains == ()


def test_unkept_processes_are_counted_and_then_ended(shelf, outcome, spawn):
    record = shelf.record()
    marked, guest = spawn(LABVIRT_LAB=record.id), spawn(HOME=home_of(shelf))
    strangers = [spawn(HOME=home_of(shelf) + "x"), spawn(LABVIRT_LAB=record.id + "x"), spawn()]
    assert {process.pid for process in remains_of(record)} == {marked.pid, guest.pid}
    assert "2 of its processes run on unkept" in look_at(shelf).note
    end_lab(shelf)
    assert [process.poll() for process in strangers] == [None] * 3
    assert marked.wait(5) == guest.wait(5) == -9
    assert not shelf.exists


def test_ending_a_lab_that_is_not_there_is_no_error(shelf):
    end_lab(shelf)
    end_lab(shelf)
    assert not shelf.exists


def test_ending_removes_the_spare_folder_and_the_sockets(shelf, tmp_path):
    (tmp_path / "spare" / "hosts").mkdir(parents=True)
    (tmp_path / "s" / "keeper").touch()
    end_lab(shelf)
    assert not (tmp_path / "spare").exists()
    assert not (tmp_path / "s").exists()


def test_what_cannot_be_ended_is_named(shelf, spawn, monkeypatch):
    process = spawn(LABVIRT_LAB=shelf.record().id)
    monkeypatch.setattr(cleaning, "_KILL_S", 0.1)
    monkeypatch.setattr(cleaning, "kill_all", lambda *_: ())
    with pytest.raises(LabError, match=f"processes {process.pid} of lab demo") as caught:
        end_lab(shelf)
    assert caught.value.hint
    assert shelf.exists  # it can be found again


def test_a_folder_that_cannot_be_removed_is_named(shelf, monkeypatch):
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(
        cleaning.shutil, "rmtree", lambda path, **_: refuse(path) if not _ else None
    )
    with pytest.raises(LabError, match=r"cannot be removed.*Permission denied"):
        end_lab(shelf)


def test_waiting_for_a_daemon_ends(shelf, outcome):
    with pytest.raises(LabError, match=r"alpha is not running after 0\.05 s") as caught:
        wait_for_daemon(shelf, "alpha", "running", 0.05)
    assert "libvirtd.log" in caught.value.hint
