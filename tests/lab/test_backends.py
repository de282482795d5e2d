"""What the back ends put in place, and why they refuse."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from labvirt.lab import fabric
from labvirt.lab.records import HostRecord, LabRecord
from labvirt.lab.refusal import Refusal, StarterGoneError, tail
from labvirt.lab.report import Reporter
from labvirt.lab.session import SessionBackend
from labvirt.lab.system import SystemBackend


@pytest.fixture
def record(tmp_path, monkeypatch):
    # A back end chooses the PATH of the keeper; here that is this process.
    monkeypatch.setenv("PATH", os.environ["PATH"])
    for name in ("lab", "sockets"):
        (tmp_path / name).mkdir()
    return LabRecord(
        id="1",
        name="demo",
        backends=("session",),
        hosts=tuple(
            HostRecord(name, f"00000000-0000-4000-8000-00000000000{number}", number)
            for number, name in enumerate(("alpha", "beta"), 1)
        ),
        ephemeral=False,
        starter=os.getpid(),
        folder=str(tmp_path / "lab"),
        spare_folder=str(tmp_path / "spare"),
        sockets=str(tmp_path / "sockets"),
        capabilities=str(tmp_path / "capabilities"),
        keep=(),
        uid=os.geteuid(),
        gid=os.getegid(),
        user="me",
        wire_port=15000,
        created="",
    )


@pytest.mark.parametrize("kind", [SessionBackend, SystemBackend])
def test_without_libvirtd_a_back_end_says_what_to_install(record, kind):
    backend = kind(record)
    backend.libvirtd = ""
    with pytest.raises(Refusal, match="libvirtd is not installed") as caught:
        backend.prepare()
    assert "apt-get install" in caught.value.remedy


def test_without_its_tools_the_system_back_end_says_which_package_has_them(record, monkeypatch):
    monkeypatch.setattr(fabric, "TOOLS", {"no-such-tool": "some-package"})
    with pytest.raises(Refusal, match="no-such-tool is not installed") as caught:
        SystemBackend(record).prepare()
    assert caught.value.remedy == "apt-get install some-package"


def test_session_hosts_have_all_they_need_of_their_own(record):
    backend = SessionBackend(record)
    backend.build()
    seen = []
    for host in record.hosts:
        environment = backend.environment(host)
        folders = [Path(environment[name]) for name in environment if name.startswith("XDG_")]
        assert len(folders) == 4
        assert all(folder.is_dir() for folder in folders)
        seen += [folder.resolve() for folder in folders]
        assert Path(environment["XDG_CONFIG_HOME"], "libvirt", "libvirtd.conf").is_file()
        assert Path(environment["HOME"]).is_dir()
        assert environment["LABVIRT_LAB"] == "1"
    assert len(set(seen)) == 8
    backend.unfurnish()
    assert list(Path(record.folder).iterdir()) == []
    assert list(Path(record.sockets).iterdir()) == []


def test_nobody_else_may_enter_the_folders_of_a_lab(record):
    SessionBackend(record).build()
    for name in ("shared", "media", "serial", "hosts/alpha/config", "hosts/alpha/images"):
        assert Path(record.folder, name).stat().st_mode & 0o077 == 0


def test_uris_lead_through_the_short_folder(record):
    alpha, beta = record.hosts
    session, system = SessionBackend(record), SystemBackend(record)
    base = f"qemu+unix:///session?socket={record.sockets}"
    assert session.uri(alpha) == f"{base}/A/libvirt/libvirt-sock"
    assert session.uri(beta) == f"{base}/B/libvirt/libvirt-sock"
    assert system.uri(beta) == f"qemu+unix:///system?socket={record.sockets}/B/libvirt-sock"


def test_hosts_find_each_other_by_name(record, tmp_path):
    fabric.write_hosts_file(record.hosts, tmp_path / "hosts")
    lines = (tmp_path / "hosts").read_text().splitlines()
    assert "10.99.0.11 alpha" in lines
    assert "10.99.0.12 beta" in lines
    assert (tmp_path / "resolv.conf").read_text() == ""


def test_a_tap_device_that_is_closed_is_refused_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(fabric, "TUN", str(tmp_path))
    with pytest.raises(Refusal, match="cannot be opened") as caught:
        fabric.prove_tap(4711)
    assert caught.value.remedy.startswith("as root, once: chmod 0666")
    monkeypatch.setattr(fabric, "TUN", str(tmp_path / "absent"))
    with pytest.raises(Refusal) as caught:
        fabric.prove_tap(4711)
    assert "modprobe tun" in caught.value.remedy
    monkeypatch.setattr(fabric, "TUN", os.devnull)
    with pytest.raises(Refusal, match="no tap device can be made") as caught:
        fabric.prove_tap(0)
    assert "NET_ADMIN" in caught.value.remedy


@pytest.mark.parametrize("kind", [SessionBackend])
def test_every_limit_says_what_why_and_what_would_help(record, kind):
    for limit in kind(record).limits():
        assert limit.what
        assert limit.why
        assert limit.remedy


def test_the_keeper_hears_that_its_starter_hung_up():
    ours, theirs = socket.socketpair()
    reporter = Reporter(theirs, -1)
    reporter.check(0.001)
    reporter.stage("building")
    assert ours.recv(100) == b'{"stage": "building"}\n'
    ours.close()
    with pytest.raises(StarterGoneError):
        reporter.check()
    reporter.say(too="late")
    reporter.hang_up()


def test_the_keeper_hears_that_its_starter_ended():
    ours, theirs = socket.socketpair()
    pid = os.posix_spawn("/bin/true", ["true"], {})
    reporter = Reporter(theirs, os.pidfd_open(pid))
    with pytest.raises(StarterGoneError):
        reporter.check(5)
    os.waitpid(pid, 0)
    assert len(reporter.handles) == 2
    reporter.hang_up()
    ours.close()


def test_the_end_of_a_log_is_quoted(tmp_path):
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_bytes(b"\xff\n" + b"".join(b"line %d\n" % number for number in range(2000)))
    assert tail(log, 2) == "line 1998\nline 1999"
