"""SSH set up by labvirt and used by libvirt: key, log-in, host key, jump host, doctor (13.1)."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt import doctor
from labvirt.connection import Connection, domain, node
from labvirt.errors import AccessDeniedError
from labvirt.hostprep.ssh import SshFolder, scan
from labvirt.hostprep.ssh_config import HostSettings, program
from labvirt.model.uri import Uri
from labvirt.runbook import undo

pytestmark = pytest.mark.lab


class Server:
    """An sshd of the daemons' user, whose ``.ssh`` labvirt prepares."""

    def __init__(self, folder, daemon, port):
        self.user, self.port, self.folder = daemon.user, port, folder
        self.home = folder / "home"
        self.home.mkdir()
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")],
            check=True, timeout=30,
        )  # fmt: skip
        (folder / "config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nUsePAM no\n"
            f"AuthorizedKeysFile {self.home}/.ssh/authorized_keys\nStrictModes no\nPidFile none\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 200\n"
            f"SetEnv XDG_RUNTIME_DIR={daemon.folder}/run HOME={self.home}\n"
        )
        who = {}
        if os.geteuid() == 0:
            who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
            for path in [folder, *folder.iterdir()]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(sshd), "-D", "-e", "-f", str(folder / "config")],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                start_new_session=True, **who,
            )  # fmt: skip
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                assert self.process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                break

    @property
    def ssh(self):
        return SshFolder(self.home / ".ssh")


@pytest.fixture(scope="module")
def server(shared_daemon, open_folder):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for name in ("sshd", "ssh", "ssh-keyscan"):
        if shutil.which(name, path=path) is None:
            pytest.skip(f"not on this machine: {name} (openssh)")
    if shared_daemon.user.pw_shell.endswith(("nologin", "false")):
        pytest.skip("the only ordinary user of this machine has no shell to log in to")
    folder = open_folder / "sshd"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = Server(folder, shared_daemon, port)
    yield started
    started.process.terminate()
    started.process.wait(10)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return SshFolder(tmp_path_factory.mktemp("ours") / ".ssh")


NETCAT = """
import os, select, socket, sys
if "-U" not in sys.argv:
    raise SystemExit  # libvirt asks whether this netcat knows an option
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[sys.argv.index("-U") + 1])
ends = {0: peer.fileno(), peer.fileno(): 1}
while True:
    for source in select.select(list(ends), [], [])[0]:
        data = os.read(source, 65536)
        if not data:
            raise SystemExit
        while data:
            data = data[os.write(ends[source], data):]
"""


def netcat(server):
    """The helper takes the user's own daemon; only netcat goes to the socket that a URI names."""
    made = server.folder / "netcat"
    made.write_text(f"#!{sys.executable} -IS\n{NETCAT}")
    made.chmod(0o755)
    return str(made)


def connection_uri(server, daemon, tool, **more):
    params = {"socket": str(daemon.socket), "command": str(tool), "proxy": "native", **more}
    return Uri(
        "qemu", transport="ssh", user=server.user.pw_name, host="127.0.0.1", port=server.port,
        path="/session", params=tuple(params.items()),
    )  # fmt: skip


def test_from_nothing_to_a_connection(server, ours, shared_daemon, tmp_path):
    """G13.1-03, G13.1-04: each stage fails as the doctor says until its step is done."""
    pair = ours.ensure_key()
    assert (mode(ours.folder), mode(pair.path)) == (0o700, 0o600)
    settings = HostSettings(
        "*", keyfile=str(pair.path), known_hosts=str(ours.folder / "known_hosts")
    )
    tool = program(tmp_path / "bin/ssh-lab", settings).apply()
    uri = connection_uri(server, shared_daemon, tool)

    found = doctor.connection(uri)
    assert found["host_key"].verdict == "fail"
    assert "ssh-keyscan" in found["host_key"].remedy
    with pytest.raises(AccessDeniedError, match="known_hosts"):
        Connection.open(uri, timeout_s=20)

    shown = scan("127.0.0.1", server.port)
    with pytest.raises(AccessDeniedError, match="other keys"):
        ours.trust("127.0.0.1", server.port, fingerprint="SHA256:" + "A" * 43)
    assert not ours.knows("127.0.0.1", server.port)
    ours.trust("127.0.0.1", server.port, fingerprint=shown[0].fingerprint)
    assert ours.knows("127.0.0.1", server.port)

    found = doctor.connection(uri)
    assert (found["host_key"].verdict, found["key"].verdict) == ("ok", "fail")
    assert "ssh-copy-id" in found["key"].remedy

    with pytest.raises(AccessDeniedError, match="ssh-copy-id"):
        ours.authorise_there(pair, (str(tool), "-p", str(server.port), "-l", server.user.pw_name, "127.0.0.1"))  # fmt: skip

    listed = server.ssh.authorise(pair)
    assert (mode(listed.parent), mode(listed)) == (0o700, 0o600)
    assert pwd.getpwuid(listed.stat().st_uid).pw_name == server.user.pw_name
    before = listed.read_text()
    assert server.ssh.authorise.plan(pair).actions == ()
    server.ssh.authorise(pair)
    assert listed.read_text() == before

    found = doctor.connection(uri)
    assert {one.id for one in found if one.verdict not in ("ok", "n/a")} == {"helper"}, found
    assert "proxy=netcat" in found["helper"].remedy
    assert found["key"].evidence == f"logged in as {server.user.pw_name}"
    with Connection.open(uri, timeout_s=20) as conn:
        assert node.hostname(conn) == socket.gethostname()


def test_a_second_key_is_let_in_over_the_first(server, ours, tmp_path):
    pair = ours.ensure_key()
    second = SshFolder(tmp_path / "second").ensure_key(comment="second")
    server.ssh.authorise(pair)
    key = scan("127.0.0.1", server.port)[0]
    ours.trust("127.0.0.1", server.port, fingerprint=key.fingerprint)
    settings = HostSettings(
        "*", keyfile=str(pair.path), known_hosts=str(ours.folder / "known_hosts")
    )
    tool = program(tmp_path / "ssh-lab", settings).apply()
    words = (str(tool), "-p", str(server.port), "-l", server.user.pw_name, "127.0.0.1")
    real = Path(pwd.getpwnam(server.user.pw_name).pw_dir) / ".ssh"
    listed = server.home / ".ssh/authorized_keys"
    if not _uses_home(words, server.home):
        pytest.skip(f"this sshd takes the home from the user's entry: {real} would be changed")
    for _ in range(2):
        ours.authorise_there(second, words)
    assert listed.read_text().count(second.public) == 1
    ours.withdraw_there(second, words)
    assert second.public not in listed.read_text()
    assert pair.public in listed.read_text()


def _uses_home(words, home):
    *head, host = words
    done = subprocess.run(
        [*head, "-o", "BatchMode=yes", "--", host, "echo ~"],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    return done.stdout.strip() == str(home)


def test_by_way_of_a_jump_host(server, ours, shared_daemon, tmp_path):
    """The client's settings hold the jump host: libvirt's URI has no parameter for one."""
    pair = ours.ensure_key()
    server.ssh.authorise(pair)
    key = scan("127.0.0.1", server.port)[0]
    ours.trust("127.0.0.1", server.port, fingerprint=key.fingerprint)
    known = str(ours.folder / "known_hosts")
    with (ours.folder / "known_hosts").open("a") as file:
        file.write(f"behind {key.kind} {key.key}\n")
    user = server.user.pw_name
    hop = HostSettings("hop", host="127.0.0.1", user=user, port=server.port, keyfile=str(pair.path), known_hosts=known)  # fmt: skip
    goal = HostSettings("behind", host="127.0.0.1", user=user, port=server.port, keyfile=str(pair.path), known_hosts=known, jump="hop")  # fmt: skip
    everything = HostSettings("*", known_hosts=known)
    tool = program(tmp_path / "ssh-jump", hop, goal, everything).apply()
    uri = Uri(
        "qemu", transport="ssh", host="behind", path="/session",
        params=(("socket", str(shared_daemon.socket)), ("command", str(tool)), ("proxy", "native")),
    )  # fmt: skip
    before = (server.folder / "log").read_text().count("Accepted publickey")
    with Connection.open(uri, timeout_s=20) as conn:
        assert node.hostname(conn) == socket.gethostname()
        assert (server.folder / "log").read_text().count("Accepted publickey") == before + 2


@pytest.mark.slow(seconds=10)
def test_a_guest_moves_between_two_hosts_that_are_reached_by_ssh(
    server, ours, start_daemon, domain_xml, tmp_path
):
    pair = ours.ensure_key()
    server.ssh.authorise(pair)
    key = scan("127.0.0.1", server.port)[0]
    ours.trust("127.0.0.1", server.port, fingerprint=key.fingerprint)
    settings = HostSettings(
        "*", keyfile=str(pair.path), known_hosts=str(ours.folder / "known_hosts")
    )
    tool = program(tmp_path / "ssh-lab", settings).apply()
    daemons = start_daemon(), start_daemon()
    try:
        far = {"proxy": "netcat", "netcat": netcat(server)}
        uris = [str(connection_uri(server, each, tool, **far)) for each in daemons]
        with lv.connect(uris[0]) as here, lv.connect(uris[1]) as there:
            uuid = domain.create(here.connection, domain_xml("traveller"))
            moved = here.domains["traveller"].migrate(there, migrate_uri="tcp://127.0.0.1")
            assert moved.domain.host is there
            assert [each.name for each in here.domains.records] == []
            assert [each.state.text for each in there.domains.records] == ["running"]
            domain.destroy(there.connection, uuid)
    finally:
        for each in daemons:
            each.stop()


def test_the_doctor_tells_a_socket_that_we_may_not_use(server, ours, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to make a socket of another user")
    pair = ours.ensure_key()
    server.ssh.authorise(pair)
    key = scan("127.0.0.1", server.port)[0]
    ours.trust("127.0.0.1", server.port, fingerprint=key.fingerprint)
    settings = HostSettings(
        "*", keyfile=str(pair.path), known_hosts=str(ours.folder / "known_hosts")
    )
    tool = program(tmp_path / "ssh-lab", settings).apply()
    place = server.folder / "closed-sock"
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(place))
        closed.listen(1)
        place.chmod(0o600)
        params = (("socket", str(place)), ("command", str(tool)))
        uri = Uri("qemu", transport="ssh", user=server.user.pw_name, host="127.0.0.1",
                  port=server.port, path="/system", params=params)  # fmt: skip
        found = doctor.connection(uri)
    assert found["key"].verdict == "ok"
    assert found["socket"].verdict == "fail"
    assert "usermod -aG libvirt" in found["socket"].remedy
    assert (
        doctor.connection(uri.with_param("proxy", "netcat").with_param("netcat", "no-such-nc"))[
            "helper"
        ].verdict
        == "fail"
    )


@pytest.mark.slow(seconds=9)
def test_the_book_sets_it_up_and_takes_it_back(server, shared_daemon, tmp_path):
    listed = server.ssh.authorise("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHPCBR6v0cJvTvoVJh5kmSvq1zdSXVkVJBB3R3n9tHgQ me")  # fmt: skip
    before = listed.read_text()
    values = {
        "host": "127.0.0.1", "user": server.user.pw_name, "port": server.port, "service": "/session",
        "extra": f"proxy=native&socket={shared_daemon.socket}", "folder": str(tmp_path / "ssh"),
        "account": str(server.home / ".ssh"),
    }  # fmt: skip
    refused = lv.run("remote-ssh", values, folder=tmp_path / "refused", html=False)
    assert (refused.outcome, refused.exit_code) == ("precondition", 3)
    shown = scan("127.0.0.1", server.port)[0].fingerprint
    assert shown in refused.error
    assert not (tmp_path / "ssh").exists()
    values["fingerprint"] = shown
    record = lv.run("remote-ssh", values, folder=tmp_path / "done", html=False).require_ok()
    assert [step.verdict for step in record.steps] == ["ok"] * 5
    assert listed.read_text() != before
    secret = next((tmp_path / "ssh").rglob("id_ed25519")).read_text().splitlines()[2]
    assert secret not in record.notebook.read_text()
    undo(record.id).require_ok()
    assert listed.read_text() == before
    assert not list((tmp_path / "ssh").rglob("*"))
