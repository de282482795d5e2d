"""A TLS daemon with certificates of our own authority: accepted, and refused for each fault (13.2)."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import subprocess

import pytest

import labvirt as lv
from labvirt import doctor
from labvirt.connection import Connection, domain, node
from labvirt.errors import AccessDeniedError
from labvirt.hostprep import certificates, pki, pki_places
from labvirt.runbook import undo

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = pki.Authority(tmp_path_factory.mktemp("authority") / "ca")
    made.create("test CA", days=2)
    return made


@pytest.fixture(scope="module")
def server(authority):
    return authority.server("localhost", "127.0.0.1", days=1)


@pytest.fixture(scope="module")
def tls(start_daemon, server, free_port):
    daemon = start_daemon(tls_port=free_port(), pki=server.folder)
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def free_port():
    def find():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


def uri(daemon, folder, host="127.0.0.1", more=""):
    return f"qemu+tls://{host}:{daemon.tls_port}/session?pkipath={folder}{more}"


def opens(text):
    with Connection.open(text, timeout_s=10) as conn:
        return node.hostname(conn)


def restart(daemon):
    """Have the daemon read its list of revoked certificates again.

    ``virt-admin server-update-tls`` of libvirt 9.0 reads the default places only.
    """
    daemon.kill()
    daemon.start()


def test_our_own_certificates_open_it_by_name_and_by_address(tls, authority):
    alice = authority.client("alice")
    assert opens(uri(tls, alice.folder)) == opens(uri(tls, alice.folder, "localhost"))


def test_an_installed_bundle_is_a_pkipath(tls, authority, tmp_path):
    """G13.2-04."""
    pki_places.install(authority.client("installed"), "pkipath", root=tmp_path / "mine").apply()
    assert pki_places.check("pkipath", root=tmp_path / "mine", warn_days=0) == ()
    assert opens(uri(tls, tmp_path / "mine"))


def test_a_revoked_client_is_refused_once_the_daemon_has_read_the_list(tls, authority, server):
    """G13.2-01."""
    mallory = authority.client("mallory")
    assert opens(uri(tls, mallory.folder))
    authority.revoke(mallory)
    shutil.copy(server.crl, tls.folder / "pki/cacrl.pem")
    assert opens(uri(tls, mallory.folder)), "nobody has told the daemon yet"
    restart(tls)
    with pytest.raises(AccessDeniedError):
        opens(uri(tls, mallory.folder))
    assert opens(uri(tls, authority.client("friend").folder))


def test_an_expired_client_is_refused(tls, authority):
    late = authority.client("late")
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    signed = certificates.sign(
        "client", "late", late.key, begins=yesterday - dt.timedelta(days=1), ends=yesterday,
        authority=(authority.cert, authority.folder / "cakey.pem"),
    )  # fmt: skip
    late.cert.write_bytes(signed)
    with pytest.raises(AccessDeniedError):
        opens(uri(tls, late.folder))
    with pytest.raises(AccessDeniedError):
        opens(uri(tls, late.folder, more="&no_sanity=1"))
    authority.renew(late)
    assert opens(uri(tls, late.folder))


def test_a_stranger_of_another_authority_is_refused(tls, tmp_path, server):
    other = pki.Authority(tmp_path / "other")
    other.create("another CA", days=2)
    stranger = other.client("stranger")
    with pytest.raises(AccessDeniedError):
        opens(uri(tls, stranger.folder, more="&no_sanity=1"))
    shutil.copy(server.ca, stranger.ca)
    with pytest.raises(AccessDeniedError):
        opens(uri(tls, stranger.folder, more="&no_sanity=1"))


def test_old_tls_is_told_and_can_be_refused(tls, authority, server, start_daemon, free_port):
    """G13.3-01, E-69: the guide has TLS 1.0, and GnuTLS of many systems still takes it."""
    client = authority.client("old")
    strict = start_daemon(
        tls_port=free_port(), pki=server.folder, lines=(pki_places.PRIORITY_LINE,)
    )
    try:
        assert doctor.connection(uri(strict, client.folder))["protocol"].verdict == "ok"
        assert opens(uri(strict, client.folder))
    finally:
        strict.stop()
    found = doctor.connection(uri(tls, client.folder))["protocol"]
    assert found.verdict == "ok" or pki_places.PRIORITY_LINE in found.remedy


def test_certificates_of_an_ordinary_user_need_no_pkipath(tls, authority, open_folder):
    """G13.2-04."""
    if shutil.which("virsh") is None:
        pytest.skip("not on this machine: libvirt-clients (virsh)")
    home = open_folder / "home"
    home.mkdir()
    who = {}
    if os.geteuid() == 0:
        os.chown(home, tls.user.pw_uid, tls.user.pw_gid)
        who = {"user": tls.user.pw_uid, "group": tls.user.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    command = ["virsh", "-c", f"qemu+tls://127.0.0.1:{tls.tls_port}/session", "hostname"]

    def ask():
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=30, **who
        )

    assert ask().returncode != 0
    pki_places.install(authority.client("ordinary"), "user", root=home).apply()
    done = ask()
    assert done.stdout.strip() == socket.gethostname(), done.stderr


@pytest.mark.slow(seconds=10)
def test_a_guest_moves_between_two_hosts_that_are_reached_by_tls(
    tls, authority, server, start_daemon, free_port, domain_xml
):
    mover = authority.client("mover")
    other = start_daemon(tls_port=free_port(), pki=server.folder)
    try:
        with (
            lv.connect(uri(tls, mover.folder)) as here,
            lv.connect(uri(other, mover.folder)) as there,
        ):
            uuid = domain.create(here.connection, domain_xml("traveller"))
            moved = here.domains["traveller"].migrate(there, migrate_uri="tcp://127.0.0.1")
            assert moved.domain.host is there
            assert [each.name for each in here.domains.records] == []
            assert [each.state.text for each in there.domains.records] == ["running"]
            domain.destroy(there.connection, uuid)
    finally:
        other.stop()


def verdicts(text):
    return {one.id: one.verdict for one in doctor.connection(text, timeout_s=10)}


def test_the_doctor_follows_the_way_to_the_version(tls, authority):
    found = doctor.connection(uri(tls, authority.client("patient").folder))
    assert [one.id for one in found] == [
        "uri", "own_files", "name", "port", "certificate", "protocol", "accepted", "daemon", "rights", "version",
    ]  # fmt: skip
    # The test's certificates end soon, and the doctor says so.
    assert {one.verdict for one in found} == {"ok", "warning"}
    assert "TLSv1.3" in found["certificate"].evidence
    assert "<table>" in found._repr_html_()


def test_the_doctor_names_what_is_wrong(tls, authority, server, tmp_path):
    good = authority.client("good")
    name = doctor.connection(uri(tls, good.folder, "ip6-localhost"))
    assert name["uri"].verdict == "ok"
    wrong = doctor.connection(f"qemu+tls://127.0.0.2:{tls.tls_port}/session?pkipath={good.folder}")
    assert wrong["port"].verdict == "fail"  # it listens on 127.0.0.1 only
    assert wrong["daemon"].verdict == "unknown"

    bad = authority.client("doomed")
    authority.revoke(bad)
    shutil.copy(server.crl, tls.folder / "pki/cacrl.pem")
    restart(tls)
    found = doctor.connection(uri(tls, bad.folder))
    assert found["certificate"].verdict in ("ok", "warning")
    assert found["accepted"].verdict == "fail"
    assert "revoked" in found["accepted"].cause

    empty = doctor.connection(uri(tls, tmp_path))
    assert empty["own_files"].verdict == "fail"
    assert "clientcert.pem" in empty["own_files"].evidence

    good.key.chmod(0o644)
    assert "0600" in doctor.connection(uri(tls, good.folder))["own_files"].remedy
    good.key.chmod(0o600)

    other = pki.Authority(tmp_path / "other")
    other.create("another CA", days=2)
    shutil.copy(other.cert, good.ca)
    assert doctor.connection(uri(tls, good.folder))["own_files"].verdict == "fail"


def test_the_doctor_sees_a_name_that_the_certificate_does_not_have(
    start_daemon, authority, free_port
):
    elsewhere = authority.server("kvm7.example.com", days=1)
    daemon = start_daemon(tls_port=free_port(), pki=elsewhere.folder)
    client = authority.client("caller")
    try:
        with pytest.raises(AccessDeniedError, match="host name"):
            opens(uri(daemon, client.folder))
        found = doctor.connection(uri(daemon, client.folder))
        assert found["certificate"].verdict == "fail"
        assert "kvm7.example.com" in found["certificate"].cause
        careless = doctor.connection(uri(daemon, client.folder, more="&no_verify=1"))
        assert careless["certificate"].verdict == "warning"
        assert careless["daemon"].verdict == "ok"
    finally:
        daemon.stop()


def test_the_doctor_of_a_local_socket(shared_daemon, tmp_path):
    assert verdicts(shared_daemon.uri) == dict.fromkeys(
        ["uri", "socket", "daemon", "rights", "version"], "ok"
    )
    gone = doctor.connection(f"qemu+unix:///system?socket={tmp_path}/none")
    assert gone["socket"].verdict == "fail"
    assert "systemctl" in gone["socket"].remedy
    (tmp_path / "file").touch()
    assert (
        "no socket"
        in doctor.connection(f"qemu+unix:///system?socket={tmp_path}/file")["socket"].cause
    )


def test_the_doctor_of_a_uri_that_cannot_be_right():
    found = doctor.connection("qemuu:///system")
    assert found["uri"].verdict == "fail"
    assert "qemu" in found["uri"].cause
    assert verdicts("test:///default")["daemon"] == "ok"
    assert doctor.connection("qemu+ext:///session?command=/nowhere/x")["program"].verdict == "fail"


@pytest.mark.slow(seconds=9)
def test_the_book_sets_it_up_and_takes_it_back(start_daemon, free_port, tmp_path):
    port = free_port()
    values = {
        "host": "127.0.0.1", "names": "localhost", "authority": str(tmp_path / "ca"), "port": port,
        "days": 2, "service": "/session", "server_root": str(tmp_path / "root"),
        "client_folder": str(tmp_path / "mine"),
    }  # fmt: skip
    first = lv.run("remote-tls", values, folder=tmp_path / "first", html=False).require_ok()
    assert (tmp_path / "root/etc/pki/libvirt/private/serverkey.pem").exists()
    daemon = start_daemon(tls_port=port, pki=tmp_path / "ca/server-127.0.0.1")
    try:
        values["connect"] = True
        second = lv.run("remote-tls", values, folder=tmp_path / "second", html=False).require_ok()
        assert [step.verdict for step in second.steps] == ["ok"] * 4
        undo(second.id).require_ok()  # it made nothing
        assert opens(f"qemu+tls://127.0.0.1:{port}/session?pkipath={tmp_path}/mine")
    finally:
        daemon.stop()
    secret = (tmp_path / "mine/clientkey.pem").read_text().splitlines()[1]
    assert secret not in first.notebook.read_text() + second.notebook.read_text()
    undo(first.id).require_ok()
    assert not (tmp_path / "ca").exists()
    assert not (tmp_path / "mine/clientkey.pem").exists()
    assert not (tmp_path / "root/etc/pki/libvirt/servercert.pem").exists()
