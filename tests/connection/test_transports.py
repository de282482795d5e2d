"""Every transport that can be tried on one machine: tcp, tls, ext, ssh; and the options of 13.1."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.connection import Connection, domain, graphics, node
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    ConnectionLostError,
    LabvirtError,
    SpecError,
    UnsupportedError,
)
from labvirt.model.uri import Uri

pytestmark = pytest.mark.lab


def require(*programs: str) -> None:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    packages = {"sshd": "openssh-server", "ssh": "openssh-client", "openssl": "openssl",
                "virt-ssh-helper": "libvirt-daemon or libvirt-clients"}  # fmt: skip
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    if missing:
        pytest.skip("not on this machine: " + ", ".join(f"{packages[n]} ({n})" for n in missing))


def works(uri: str, **options) -> None:
    with Connection.open(uri, timeout_s=20, **options) as conn:
        assert node.hostname(conn) == socket.gethostname()
        assert domain.list_all(conn) == ()


# unix


def test_a_local_socket_can_be_named(shared_daemon):
    works(shared_daemon.uri)


def test_name_chooses_what_the_daemon_opens(shared_daemon):
    """G13.3-15: the daemon of this socket opens its test driver instead of QEMU."""
    uri = f"qemu+unix:///session?socket={shared_daemon.socket}&name=test:///default"
    with Connection.open(uri) as conn:
        assert [record.name for record in domain.list_all(conn)] == ["test"]
        assert node.versions(conn).hypervisor == "TEST"


# tcp


@pytest.fixture(scope="module")
def tcp(start_daemon, free_port_of_module):
    daemon = start_daemon(tcp_port=free_port_of_module())
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def free_port_of_module():
    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


def test_plain_tcp_works_and_warns(tcp):
    uri = Uri.parse(f"qemu+tcp://127.0.0.1:{tcp.tcp_port}/session")
    assert "not encrypted" in uri.warnings[0]
    works(str(uri))
    works(str(uri), readonly=True)


def test_the_test_driver_over_tcp(tcp):
    """G13.3-13, on 127.0.0.1 instead of the guide's 10.1.1.10."""
    with Connection.open(f"test+tcp://127.0.0.1:{tcp.tcp_port}/default") as conn:
        assert [record.name for record in domain.list_all(conn)] == ["test"]


def test_tls_to_a_port_that_speaks_plain_tcp_ends_at_the_limit(tcp):
    began = time.monotonic()
    with pytest.raises(LabvirtError):
        Connection.open(f"qemu+tls://127.0.0.1:{tcp.tcp_port}/session", timeout_s=3)
    assert time.monotonic() - began < 5


# ext


def relay(folder: Path, path: Path) -> Path:
    """A program that connects its standard input and output to a socket, as socat would."""
    program = folder / "relay"
    program.write_text(
        f"#!{sys.executable} -IS\n"
        + textwrap.dedent(f"""
            import os, select, socket, sys
            if sys.argv[1:] == ["-q"]:
                raise SystemExit  # libvirt asks whether this netcat knows the option
            peer = socket.socket(socket.AF_UNIX)
            peer.connect({str(path)!r})
            open_ends = {{0: peer.fileno(), peer.fileno(): 1}}
            while open_ends:
                for source in select.select(list(open_ends), [], [])[0]:
                    data = os.read(source, 65536)
                    if not data:
                        raise SystemExit
                    while data:
                        data = data[os.write(open_ends[source], data):]
        """)
    )
    program.chmod(0o755)
    return program


def test_an_external_program_makes_the_connection(shared_daemon, tmp_path):
    """G13.3-04."""
    program = relay(tmp_path, shared_daemon.socket)
    works(f"qemu+ext:///session?command={program}")


def test_ext_without_a_program_or_with_one_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SpecError, match="program"):
        Connection.open("qemu+ext:///session")
    with pytest.raises(ConnectionLostError):
        Connection.open(f"qemu+ext:///session?command={tmp_path}/nothing", timeout_s=10)


# tls


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Two authorities; the first signs the server and the client, the other nobody."""
    require("openssl")
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for ca in ("cacert", "otherca"):
        openssl("req", "-x509", *new, "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-days", "2",
                "-subj", f"/CN={ca}", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    for who, use in (("server", "serverAuth"), ("client", "clientAuth")):
        openssl(
            "req", *new, "-keyout", f"{who}key.pem", "-out", f"{who}.csr", "-subj", f"/CN={who}"
        )
        (folder / "ext").write_text(
            "subjectAltName=IP:127.0.0.1\nkeyUsage=digitalSignature,keyEncipherment\n"
            f"extendedKeyUsage={use}\n"
        )
        openssl("x509", "-req", "-in", f"{who}.csr", "-CA", "cacert.pem", "-CAkey", "cacert.key",
                "-CAcreateserial", "-out", f"{who}cert.pem", "-days", "2", "-extfile", "ext")  # fmt: skip
    wrong = folder / "wrong"
    wrong.mkdir()
    shutil.copy(folder / "otherca.pem", wrong / "cacert.pem")
    for name in ("clientcert.pem", "clientkey.pem"):
        shutil.copy(folder / name, wrong / name)
    return folder


@pytest.fixture(scope="module")
def tls(start_daemon, pki, free_port_of_module):
    daemon = start_daemon(tls_port=free_port_of_module(), pki=pki)
    yield daemon
    daemon.stop()


def test_tls_works_with_certificates_on_both_sides(tls, pki):
    works(f"qemu+tls://127.0.0.1:{tls.tls_port}/session?pkipath={pki}")
    works(f"qemu://127.0.0.1:{tls.tls_port}/session?pkipath={pki}")  # tls is the default


def test_a_certificate_of_the_wrong_authority_is_refused_unless_nobody_looks(tls, pki):
    """G13.3-10, G13.3-19."""
    uri = f"qemu+tls://127.0.0.1:{tls.tls_port}/session?pkipath={pki}/wrong&no_sanity=1"
    with pytest.raises(AccessDeniedError, match=r"cacert\.pem"):
        Connection.open(uri, timeout_s=10)
    careless = Uri.parse(uri + "&no_verify=1")
    assert any("pretend" in warning for warning in careless.warnings)
    works(str(careless))


def test_a_host_name_that_the_certificate_does_not_have_is_refused(tls, pki):
    with pytest.raises(AccessDeniedError, match="host name"):
        Connection.open(f"qemu+tls://localhost:{tls.tls_port}/session?pkipath={pki}", timeout_s=10)


def test_certificates_that_are_not_there_are_named(tls, tmp_path):
    uri = f"qemu+tls://127.0.0.1:{tls.tls_port}/session?pkipath={tmp_path}"
    with pytest.raises(AccessDeniedError, match=r"cacert\.pem"):
        Connection.open(uri, timeout_s=10)


# ssh


class Sshd:
    """A private sshd of the daemons' user, with a key that it accepts and one that it does not.

    Args:
        server: folder for what belongs to the server's user.
        ours: folder for what belongs to us; libvirt gives up root's rights before it runs ssh.
        user: who runs the server and is logged in to.
        port: where it listens on 127.0.0.1.
        runtime: runtime folder of the daemon that is reached.
    """

    def __init__(self, server: Path, ours: Path, user, port: int, runtime: Path) -> None:
        self.server, self.ours, self.user, self.port = server, ours, user, port
        for path in (server / "host", ours / "good", ours / "bad"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)],
                check=True, timeout=30,
            )  # fmt: skip
        shutil.copy(ours / "good.pub", server / "authorized")
        host_key = (server / "host.pub").read_text()
        (ours / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
        (ours / "empty").write_text("")
        (server / "config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {server}/host\nUsePAM no\n"
            f"AuthorizedKeysFile {server}/authorized\nStrictModes no\nPidFile none\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 200\n"
            # The helper on the host finds the daemon of this test there, not one of the user's own.
            f"SetEnv XDG_RUNTIME_DIR={runtime}\n"
        )
        self._client("client", "known")
        self._client("stranger", "empty")
        self.process = self._start()

    def _client(self, name: str, known: str) -> None:
        """Write a program that is ssh with our own known hosts; it notes how it was called."""
        program = self.ours / name
        program.write_text(
            "#!/bin/sh\n"
            f'for word in "$@"; do printf "%s\\0" "$word"; done > {self.ours}/called\n'
            f"exec ssh -F none -o UserKnownHostsFile={self.ours}/{known} "
            '-o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes "$@"\n'
        )
        program.chmod(0o755)

    def called(self) -> list[str]:
        return (self.ours / "called").read_text().split("\0")[:-1]

    def _start(self) -> subprocess.Popen[bytes]:
        who = {}
        if os.geteuid() == 0:
            who = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
            for path in [self.server, *self.server.iterdir()]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        path = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        with (self.server / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(path), "-D", "-e", "-f", str(self.server / "config")],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                start_new_session=True, **who,
            )  # fmt: skip
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert process.poll() is None, (self.server / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return process

    def uri(
        self, daemon, *, key: str = "good", client: str = "client", proxy: str = "native", **params
    ) -> str:
        built = Uri(
            driver="qemu", transport="ssh", user=self.user.pw_name, host="127.0.0.1",
            port=self.port, path="/session",
            params=(
                ("socket", str(daemon.socket)), ("command", str(self.ours / client)),
                ("keyfile", str(self.ours / key)), ("proxy", proxy), *params.items(),
            ),
        )  # fmt: skip
        return str(built)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def sshd(shared_daemon, free_port_of_module, tmp_path_factory, open_folder):
    require("sshd", "ssh", "virt-ssh-helper")
    if shared_daemon.user.pw_shell.endswith(("nologin", "false")):
        pytest.skip("the only ordinary user of this machine has no shell to log in to")
    server = open_folder / "sshd"
    server.mkdir()
    ours = tmp_path_factory.mktemp("ssh")
    user, runtime = shared_daemon.user, shared_daemon.folder / "run"
    started = Sshd(server, ours, user, free_port_of_module(), runtime)
    yield started
    started.stop()


def test_ssh_works_with_the_helper_that_libvirt_brings(shared_daemon, sshd):
    works(sshd.uri(shared_daemon, proxy="native"))


def test_a_netcat_that_the_host_lacks_is_named_with_what_to_do(shared_daemon, sshd):
    with pytest.raises(ConnectionLostError, match="proxy=native"):
        Connection.open(sshd.uri(shared_daemon, proxy="netcat", netcat="no-such-nc"))


def test_ssh_works_with_a_netcat_of_ones_own(shared_daemon, sshd):
    """G13.3-03 and -18: libvirt calls it as `netcat -U socket`."""
    netcat = relay(sshd.server, shared_daemon.socket)
    works(sshd.uri(shared_daemon, proxy="netcat", netcat=str(netcat)))


@pytest.mark.parametrize(
    "options", [{"no_tty": "1"}, {"no_tty": "0"}, {"no_tty": "1", "no_verify": "1"}]
)
def test_the_line_that_is_shown_is_the_line_that_is_run(shared_daemon, sshd, options):
    """G13.3-18: command -p port [-l user] host netcat -U socket."""
    netcat = relay(sshd.server, shared_daemon.socket)
    text = sshd.uri(shared_daemon, proxy="netcat", netcat=str(netcat), **options)
    works(text)
    shown = shlex.split(Uri.parse(text).ssh_line())
    called = [str(sshd.ours / "client"), *sshd.called()]
    host = shown.index("--") + 2
    assert shown[:host] == called[:host]
    assert shown[host:] == [str(netcat), "-U", str(shared_daemon.socket)]
    assert all(word in called[host] for word in shown[host:])


# consoles


def console_over(uri: str, xml: str) -> None:
    """Make a guest that sends every byte back, and talk to it by the console of scripts and views."""
    with lv.connect(uri) as host:
        uuid = domain.create(host.connection, xml)
        try:
            talk_to(host.domains["far-echo"])
        finally:
            domain.destroy(host.connection, uuid)


def talk_to(guest) -> None:
    with guest.console() as console:
        assert console.line.state.kind == "open"
        until = time.monotonic() + 30
        while "?" not in console.text:  # until it has booted
            assert time.monotonic() < until, console.text
            console.send("?")
            time.sleep(0.2)
        console.send("over the wire;")
        console.wait_for("over the wire;", timeout_s=20)


def test_a_console_over_tcp(tcp, echo_disk, domain_xml):
    console_over(
        f"qemu+tcp://127.0.0.1:{tcp.tcp_port}/session", domain_xml("far-echo", echo_disk(tcp))
    )


def test_a_console_over_tls(tls, pki, echo_disk, domain_xml):
    console_over(
        f"qemu+tls://127.0.0.1:{tls.tls_port}/session?pkipath={pki}",
        domain_xml("far-echo", echo_disk(tls)),
    )


def test_a_console_over_ssh(shared_daemon, sshd, echo_disk, domain_xml):
    console_over(sshd.uri(shared_daemon), domain_xml("far-echo", echo_disk(shared_daemon)))


# everything by each way: the connection form, a console, a migration


@pytest.fixture
def manager():
    """A manager in which hosts are opened by its form, one field after the other."""
    view = lv.ui.manager([])

    def connect(uri):
        wanted = Uri.parse(uri)
        form, seen = view.form, len(view.hosts)
        way = "" if wanted.transport == "unix" else wanted.transport
        form.driver.value, form.transport.value = wanted.driver, way
        if wanted.host:
            form.host.value = f"{wanted.host}:{wanted.port}" if wanted.port else wanted.host
        form.user.value, form.path.value = wanted.user, wanted.path
        for name, field in form.more.fields.items():
            value = wanted.param(name)
            field.value = value == "1" if isinstance(field.value, bool) else value or ""
        assert sorted(form.uri().params) == sorted(wanted.params)
        form.go()
        until = time.monotonic() + 30
        while len(view.hosts) == seen:
            assert time.monotonic() < until, form.words.value
            time.sleep(0.05)
        return view.hosts[-1]

    yield connect
    view.close()


def ways_of(kind, request, start_daemon, free_port, open_folder):
    """Return two daemons and how each is reached."""
    if kind == "unix":
        pair = start_daemon(), start_daemon()
        return pair, [f"qemu+unix:///session?socket={each.socket}" for each in pair]
    if kind == "tcp":
        pair = tuple(start_daemon(tcp_port=free_port()) for _ in range(2))
        return pair, [f"qemu+tcp://127.0.0.1:{each.tcp_port}/session" for each in pair]
    if kind == "tls":
        pki = request.getfixturevalue("pki")
        pair = tuple(start_daemon(tls_port=free_port(), pki=pki) for _ in range(2))
        return pair, [
            f"qemu+tls://127.0.0.1:{each.tls_port}/session?pkipath={pki}" for each in pair
        ]
    sshd = request.getfixturevalue("sshd")
    pair = start_daemon(), start_daemon()
    found = []
    for number, each in enumerate(pair):
        folder = open_folder / f"relay{number}"
        folder.mkdir()
        folder.chmod(0o755)
        netcat = relay(folder, each.socket)
        found.append(sshd.uri(each, proxy="netcat", netcat=str(netcat)))
    return pair, found


@pytest.mark.slow(seconds=6)
@pytest.mark.parametrize("kind", ["unix", "tcp", "tls", "ssh"])
def test_form_console_and_migration_by_each_way(
    kind, request, manager, start_daemon, free_port, open_folder, echo_disk, domain_xml
):
    """Chapter 13: what is reached by a way can be used and left by it."""
    pair, uris = ways_of(kind, request, start_daemon, free_port, open_folder)
    try:
        here, there = (manager(uri) for uri in uris)
        assert [host.connection.uri.effective_transport for host in (here, there)] == [kind] * 2
        uuid = domain.create(here.connection, domain_xml("far-echo", echo_disk(pair[0])))
        guest = here.domains["far-echo"]
        talk_to(guest)
        result = guest.migrate(there, migrate_uri="tcp://127.0.0.1", unsafe=True, persist=False)
        assert result.domain.uuid == uuid
        assert result.downtime_ms is not None
        assert "far-echo" not in here.domains
        talk_to(there.domains["far-echo"])
        with lv.connect(uris[1]) as again:
            assert again.domains["far-echo"].state.text == "running"
    finally:
        for each in pair:
            each.stop()


def test_a_key_that_is_not_accepted_fails_at_once_and_does_not_ask(shared_daemon, sshd):
    """G13.3-20: nobody sits at the terminal of a notebook."""
    began = time.monotonic()
    with pytest.raises(AccessDeniedError, match="key"):
        Connection.open(sshd.uri(shared_daemon, key="bad"), timeout_s=20)
    assert time.monotonic() - began < 5
    assert "BatchMode=yes" in " ".join(sshd.called())


def test_a_host_key_that_is_not_known_fails_at_once(shared_daemon, sshd):
    with pytest.raises(AccessDeniedError, match="known_hosts"):
        Connection.open(sshd.uri(shared_daemon, client="stranger"), timeout_s=20)


def test_a_daemon_that_is_not_there_behind_ssh(shared_daemon, sshd):
    netcat = relay(sshd.server, Path("/nowhere/sock"))
    with pytest.raises(ConnectionLostError, match=r"FileNotFoundError|No such file"):
        Connection.open(sshd.uri(shared_daemon, proxy="netcat", netcat=str(netcat)), timeout_s=20)


def _tunnels() -> list[int]:
    """Return the pids of the ssh processes below us."""
    ours = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line.split(maxsplit=1) for line in ours.stdout.splitlines()]
    return [int(pid) for pid, args in lines if args.startswith("ssh -F none")]


def test_a_lost_tunnel_is_made_again(shared_daemon, sshd, eventually):
    with Connection.open(sshd.uri(shared_daemon)) as conn:
        eventually(lambda: len(_tunnels()) == 1, "tunnels of earlier tests to end")
        os.kill(_tunnels()[0], 9)
        eventually(lambda: conn.lost_since is not None, "the loss")
        conn.wait_link(20)
        assert domain.list_all(conn) == ()


def test_an_interrupt_from_the_terminal_does_not_cut_the_tunnel(shared_daemon, sshd):
    """^C goes to the whole process group, and ssh would end with it."""
    if shutil.which("setsid") is None:
        pytest.skip("not on this machine: util-linux (setsid)")
    folder = sshd.ours / "bin"
    folder.mkdir()
    (folder / "ssh").symlink_to(sshd.ours / "client")
    real = shutil.which("ssh")
    (sshd.ours / "client").write_text(
        (sshd.ours / "client").read_text().replace("exec ssh ", f"exec {real} ")
    )
    uri = Uri.parse(sshd.uri(shared_daemon)).with_param("command", None)
    program = textwrap.dedent(f"""
        import os, signal, time
        from labvirt.connection import Connection, domain
        with Connection.open({str(uri)!r}, timeout_s=20) as conn:
            try:
                os.killpg(0, signal.SIGINT)
                time.sleep(1)
            except KeyboardInterrupt:
                time.sleep(0.5)
            print(len(domain.list_all(conn)), conn.generation)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60,
        start_new_session=True, check=False, env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "0 1\n"


# screens

SCREEN = "<graphics type='vnc' autoport='yes'{password}><listen type='{kind}'{more}/></graphics>"
LOOPBACK = {"kind": "address", "more": " address='127.0.0.1'"}


@pytest.fixture
def screen(domain_xml):
    """Start a domain with a display; it is gone in the end."""

    @contextlib.contextmanager
    def started(conn, *, password="", **where):
        secret = f" passwd='{password}'" if password else ""
        device = SCREEN.format(password=secret, **(where or LOOPBACK))
        uuid = domain.define(conn, domain_xml("screen", device))
        domain.start(conn, uuid, paused=True)
        try:
            yield uuid
        finally:
            domain.destroy(conn, uuid)
            domain.undefine(conn, uuid)

    return started


def shake(opened):
    """Begin RFB and return the kinds of log-in that the display offers."""
    with opened:
        opened.settimeout(20)
        assert opened.recv(12, socket.MSG_WAITALL) == b"RFB 003.008\n"
        opened.sendall(b"RFB 003.008\n")
        return list(opened.recv(opened.recv(1)[0], socket.MSG_WAITALL))


def test_a_display_on_the_loopback_of_the_host_comes_through_ssh(
    shared_daemon, sshd, screen, eventually
):
    """G13.1-01, G16.4-02: it listens on 127.0.0.1 of the host only, and ssh brings it."""
    with Connection.open(sshd.uri(shared_daemon)) as conn, screen(conn) as uuid:
        tunnels = len(_tunnels())
        assert shake(domain.open_graphics(conn, uuid)) == [1]
        called = sshd.called()
        assert called[called.index("-W") + 1].startswith("127.0.0.1:59")
        assert "BatchMode=yes" in called
        eventually(lambda: len(_tunnels()) == tunnels, "the tunnel to end")


def test_a_display_on_a_socket_of_the_host_comes_through_ssh(shared_daemon, sshd, screen):
    where = {"kind": "socket", "more": ""}
    with Connection.open(sshd.uri(shared_daemon)) as conn, screen(conn, **where) as uuid:
        assert shake(domain.open_graphics(conn, uuid)) == [1]


def test_a_display_that_listens_on_nothing_stays_on_its_host(shared_daemon, sshd, screen):
    where = {"kind": "none", "more": ""}
    with (
        Connection.open(sshd.uri(shared_daemon)) as conn,
        screen(conn, **where) as uuid,
        pytest.raises(UnsupportedError, match=r"listens nowhere(?s:.*)127\.0\.0\.1"),
    ):
        domain.open_graphics(conn, uuid)


def test_ssh_that_does_not_let_the_screen_through_asks_for_nothing(shared_daemon, sshd, screen):
    key = sshd.ours / "mine"
    shutil.copy(sshd.ours / "good", key)
    with Connection.open(sshd.uri(shared_daemon, key="mine")) as conn, screen(conn) as uuid:
        shutil.copy(sshd.ours / "bad", key)
        began = time.monotonic()
        with pytest.raises(AccessDeniedError, match="no password is asked"):
            domain.open_graphics(conn, uuid)
        assert time.monotonic() - began < 15


def test_only_the_display_of_this_domain_is_opened(shared_daemon, sshd, screen, monkeypatch):
    real = graphics._connected
    with Connection.open(sshd.uri(shared_daemon)) as conn, screen(conn) as uuid:

        def anew(*arguments):
            opened = real(*arguments)
            domain.destroy(conn, uuid)
            domain.start(conn, uuid, paused=True)
            return opened

        with monkeypatch.context() as patch:
            patch.setattr(graphics, "_connected", anew)
            with pytest.raises(ConflictError, match="started anew"):
                domain.open_graphics(conn, uuid)
        for port, kind, words in (
            (sshd.port, ConflictError, "no VNC server"),
            (1, ConnectionLostError, "nothing answers there"),
        ):
            there = graphics.Display(1, "127.0.0.1", port)
            monkeypatch.setattr(graphics, "_display", lambda *_, there=there: there)
            with pytest.raises(kind, match=words):
                domain.open_graphics(conn, uuid)


def test_over_tcp_a_display_is_reached_directly_or_it_is_said_why_not(tcp, screen, monkeypatch):
    uri = f"qemu+tcp://127.0.0.1:{tcp.tcp_port}/session"
    with Connection.open(uri) as conn, screen(conn, password="sesame") as uuid:
        assert shake(domain.open_graphics(conn, uuid)) == [2]
        monkeypatch.setattr(graphics, "_is_here", lambda _: False)
        words = r"127\.0\.0\.1 of the host only(?s:.*)qemu\+ssh"
        with pytest.raises(UnsupportedError, match=words):
            domain.open_graphics(conn, uuid)


def test_over_tls_a_display_needs_a_certificate_of_its_own(tls, pki, tcp, screen, monkeypatch):
    """G13.2-01: VNC with X.509 certificates, checked here; the password is asked inside."""
    uri = f"qemu+tls://127.0.0.1:{tls.tls_port}/session?pkipath={pki}"
    with Connection.open(uri) as conn, screen(conn, password="sesame") as uuid:
        assert shake(domain.open_graphics(conn, uuid)) == [2]
        wrong = Uri.parse(uri).with_param("pkipath", f"{pki}/wrong")
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "uri", wrong)
            with pytest.raises(AccessDeniedError, match=r"cacert\.pem"):
                domain.open_graphics(conn, uuid)
    with (
        Connection.open(f"qemu+tcp://127.0.0.1:{tcp.tcp_port}/session") as conn,
        screen(conn) as uuid,
        monkeypatch.context() as patch,
    ):
        patch.setattr(Connection, "uri", Uri.parse(uri))
        with pytest.raises(UnsupportedError, match="vnc_tls=1"):
            domain.open_graphics(conn, uuid)
