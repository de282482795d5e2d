"""SSH files: keys, who may log in, settings; each second run changes nothing (13.1)."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import ConfirmationError, ConflictError, SpecError
from labvirt.hostprep import ssh_config
from labvirt.hostprep.ssh import SshFolder, agent_keys
from labvirt.hostprep.ssh_config import HostSettings

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="not on this machine: openssh-client (ssh-keygen)"
)
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHPCBR6v0cJvTvoVJh5kmSvq1zdSXVkVJBB3R3n9tHgQ me"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_key_is_made_once(tmp_path, kind):
    """G13.1-03."""
    ours = SshFolder(tmp_path / ".ssh")
    plan = ours.ensure_key.plan(kind, bits=3072)
    assert f"ssh-keygen -q -t {kind}" in plan.virsh
    pair = plan.apply()
    assert (mode(ours.folder), mode(pair.path)) == (0o700, 0o600)
    assert mode(pair.path.with_name(f"{pair.path.name}.pub")) == 0o644
    before = pair.path.read_bytes()
    assert ours.ensure_key.plan(kind).actions == ()
    assert ours.ensure_key(kind) == pair
    assert pair.path.read_bytes() == before
    told = subprocess.run(
        ["ssh-keygen", "-lf", str(pair.path)], capture_output=True, text=True, check=True
    )
    assert pair.fingerprint in told.stdout
    assert "PRIVATE" not in repr(pair)
    pair.path.chmod(0o644)
    assert "chmod 0600" in ours.problems()[0].hint
    ours.ensure_key(kind)
    assert mode(pair.path) == 0o600
    with pytest.raises(ConfirmationError):
        ours.remove_key(pair)


def test_half_a_key_is_told_and_left(tmp_path):
    (tmp_path / "id_ed25519.pub").write_text(LINE)
    with pytest.raises(ConflictError, match="ssh-keygen -y"):
        SshFolder(tmp_path).ensure_key()
    assert [path.name for path in tmp_path.iterdir()] == ["id_ed25519.pub"]


@pytest.mark.parametrize(
    "options",
    [{"kind": "dsa"}, {"kind": "rsa", "bits": 1024}, {"name": "../x"}, {"comment": "a\nb"}],
)
def test_keys_that_cannot_be_right(tmp_path, options):
    with pytest.raises(SpecError):
        SshFolder(tmp_path).ensure_key(**options)


def test_a_key_is_authorised_once_and_other_lines_stay(tmp_path):
    """G13.1-04, E-66."""
    folder = tmp_path / ".ssh"
    folder.mkdir(mode=0o755)
    listed = folder / "authorized_keys"
    listed.write_text("# mine\nssh-rsa AAAA other")  # without a line break at its end
    listed.chmod(0o644)
    there = SshFolder(folder)
    for _ in range(2):
        there.authorise(LINE)
    assert listed.read_text() == f"# mine\nssh-rsa AAAA other\n{LINE}\n"
    assert (mode(folder), mode(listed)) == (0o700, 0o600)
    there.authorise(LINE.replace(" me", " another comment"))
    assert listed.read_text().count("ssh-ed25519") == 1
    there.withdraw(LINE)
    assert listed.read_text() == "# mine\nssh-rsa AAAA other\n"
    assert [path.name for path in folder.iterdir()] == ["authorized_keys"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "ssh-ed25519 AAA",
        f"{LINE}\n{LINE}",
        'command="x" ' + LINE,
    ],
)
def test_what_is_no_public_key_is_refused(tmp_path, line):
    with pytest.raises(SpecError):
        SshFolder(tmp_path / ".ssh").authorise(line)
    assert not (tmp_path / ".ssh").exists()


def test_an_agent_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert agent_keys() is None
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "none"))
    assert agent_keys() is None


WORD = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,8}", fullmatch=True)


@given(WORD, st.just("") | WORD, st.just("") | WORD, st.none() | st.integers(1, 65535))
def test_settings_are_read_back_as_they_were_written(alias, host, jump, port):
    settings = HostSettings(alias, host=host, port=port, jump=jump)
    found = ssh_config.settings_of(settings.text)[alias]
    wanted = {"hostname": host, "proxyjump": jump, "port": str(port or "")}
    assert found == {name: value for name, value in wanted.items() if value}


def test_ssh_itself_reads_the_settings(tmp_path):
    settings = HostSettings(
        "behind", host="10.1.1.1", user="root", jump="me@gate:2222", keyfile="/k"
    )
    for _ in range(2):
        path = ssh_config.write_settings(tmp_path / "config", settings).apply()
    done = subprocess.run(
        ["ssh", "-F", str(path), "-G", "behind"], capture_output=True, text=True, check=True
    )
    said = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    assert (said["hostname"], said["user"], said["proxyjump"]) == (
        "10.1.1.1",
        "root",
        "me@gate:2222",
    )
    assert said["identitiesonly"] == "yes"
    assert path.read_text().count("Host behind") == 1
    ssh_config.write_settings(path, HostSettings("behind", host="10.1.1.2")).apply()
    assert "10.1.1.1" not in path.read_text()


def test_a_block_of_the_user_stays(tmp_path):
    path = tmp_path / "config"
    path.write_text("Host kvm7\n    User me\n")
    with pytest.raises(ConflictError, match="yours"):
        ssh_config.write_settings(path, HostSettings("kvm7"))
    ssh_config.write_settings(path, HostSettings("kvm8", user="root")).apply()
    assert path.read_text().endswith("Host kvm7\n    User me\n")


@pytest.mark.parametrize(
    "fields",
    [
        {"alias": ""},
        {"alias": "a b"},
        {"alias": "a", "jump": "-oProxyCommand=x"},
        {"alias": "a", "port": 0},
        {"alias": "a", "keyfile": "x\nProxyCommand y"},
    ],
)
def test_settings_that_cannot_be_right(fields):
    with pytest.raises(SpecError):
        HostSettings(**fields)


def test_as_root_the_files_belong_to_the_owner_of_the_folder(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 12345, 12345)
    there = SshFolder(home / ".ssh")
    listed = there.authorise(LINE)
    pair = there.ensure_key()
    assert {path.stat().st_uid for path in (listed, listed.parent, pair.path)} == {12345}
