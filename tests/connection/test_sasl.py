"""SASL inside TLS: a user made by labvirt logs in, a wrong password does not."""

from __future__ import annotations

import json
import os
import shutil
import socket

import pytest

from labvirt import doctor
from labvirt.connection import Connection, node
from labvirt.errors import LabvirtError
from labvirt.hostprep import pki, sasl
from labvirt.plan import Journal

pytestmark = pytest.mark.lab
PASSWORD = "swordfish-9471"


@pytest.fixture
def folder(open_folder, shared_daemon):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if shutil.which("saslpasswd2", path=path) is None:
        pytest.skip("not on this machine: sasl2-bin (saslpasswd2)")
    config = sasl.SaslConfig(("scram-sha-256",), str(open_folder / "users.db"))
    sasl.write_config(config, root=open_folder).apply()
    plan = sasl.add_user("alice", PASSWORD, realm=socket.gethostname(), database=config.database)
    plan.apply()
    said = [str(plan), plan._repr_html_(), json.dumps(Journal().entries())]
    assert not any(PASSWORD in text for text in said)
    assert sasl.users(config.database) == (f"alice@{socket.gethostname()}",)
    if os.geteuid() == 0:
        os.chown(config.database, shared_daemon.user.pw_uid, shared_daemon.user.pw_gid)
    return open_folder / "etc/sasl2"


def test_a_user_logs_in_by_the_file_of_answers(
    folder, tmp_path, start_daemon, free_port, monkeypatch
):
    assert sasl.parse_config((folder / "libvirt.conf").read_text()).mechanisms == ("scram-sha-256",)
    monkeypatch.setenv("SASL_CONF_PATH", str(folder))
    authority = pki.Authority(tmp_path / "ca")
    authority.create("test CA", days=2)
    bundle = authority.server("127.0.0.1", days=1)
    client = authority.client("alice", days=1)
    daemon = start_daemon(tls_port=free_port(), pki=bundle.folder, sasl=folder)
    try:
        uri = f"qemu+tls://127.0.0.1:{daemon.tls_port}/session?pkipath={client.folder}"
        good = sasl.auth_file(
            tmp_path / "good/auth.conf", {"127.0.0.1": ("alice", PASSWORD)}
        ).apply()
        assert good.stat().st_mode & 0o777 == 0o600
        with Connection.open(f"{uri}&authfile={good}", timeout_s=20) as conn:
            assert node.hostname(conn) == socket.gethostname()
        bad = sasl.auth_file(tmp_path / "bad/auth.conf", {"127.0.0.1": ("alice", "wrong")}).apply()
        with pytest.raises(LabvirtError):
            Connection.open(f"{uri}&authfile={bad}", timeout_s=20)
        found = doctor.connection(f"{uri}&authfile={bad}")
        assert found["rights"].verdict == "fail"
        assert found["accepted"].verdict == "ok"
    finally:
        daemon.stop()


def test_what_is_weak_is_said():
    assert "broken" in sasl.SaslConfig(("digest-md5",)).warnings[0]
    assert sasl.daemon_lines(tcp=True) == ('auth_tls = "sasl"', 'auth_tcp = "sasl"')
