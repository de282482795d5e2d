"""A TLS daemon with certificates of our own authority: accepted, and refused for each fault (13.2)."""

from __future__ import annotations

import datetime as dt
import shutil

import pytest

from labvirt.connection import Connection, node
from labvirt.errors import AccessDeniedError
from labvirt.hostprep import certificates, pki, pki_places

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
    import socket

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
