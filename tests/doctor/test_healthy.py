"""No false alarm: a healthy lab, on both back ends, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.doctor.healthy import unexplained

REPO = Path(__file__).parents[2]
#: What must have been looked at and found well, else nothing was proved.
LOOKED = {
    *("connection.answers", "connection.daemons", "host.memory", "host.swap", "host.logging"),
    *("storage.active:default", "storage.target:default", "domain.state:tiny", "domain.log:tiny"),
    *("domain.pending:tiny", "disk.readable:tiny/vda", "disk.format:tiny/vda", "guest.agent:tiny"),
}
WIDE = {"network.active:default", "network.bridge:default", "network.dnsmasq:default"}


@pytest.fixture
def home():
    # Not below pytest's folder, which is closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="lvh-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def account(who):
    if os.geteuid() != 0:
        if who == "root":
            pytest.skip("needs root")
        return pwd.getpwuid(os.geteuid())
    if who == "root":
        return pwd.getpwuid(0)
    try:
        return pwd.getpwnam("lvuser")
    except KeyError:
        pytest.skip("there is no user lvuser on this machine")


@pytest.mark.lab
@pytest.mark.parametrize(
    ("who", "backend"),
    [
        pytest.param("root", "system", marks=pytest.mark.slow(seconds=45)),
        pytest.param("lvuser", "session", marks=pytest.mark.slow(seconds=45)),
        pytest.param("lvuser", "system", marks=pytest.mark.slow(seconds=45)),
    ],
)
def test_nothing_is_wrong_with_a_healthy_lab(who, backend, home):
    """The session back end as root is looked at in test_domain_running, on the lab that is there."""
    player = account(who)
    os.chown(home, player.pw_uid, -1)
    words = [sys.executable, str(Path(__file__).with_name("healthy.py")), backend, "healthy"]
    if player.pw_uid != os.geteuid():
        name = player.pw_name
        words = ["setpriv", "--reuid", name, "--regid", name, "--init-groups", *words]
    done = subprocess.run(
        words,
        cwd="/",
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "LABVIRT_HOME": str(home / "labvirt"),
            "PYTHONPATH": str(REPO),
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    if "LabError" in done.stderr and backend == "system":
        pytest.skip(f"the system back end does not work here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert unexplained(found["ill"]) == {}
    assert found["fails"] == []
    wanted = LOOKED | (WIDE if backend == "system" else set())
    assert wanted <= set(found["ok"]), wanted - set(found["ok"])
