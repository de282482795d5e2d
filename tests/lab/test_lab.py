"""Labs as their users meet them: both back ends, as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab


def test_a_lab_is_started_found_reset_and_stopped(stage):
    player, backend = stage
    player.play("life", backend=backend)


def test_only_the_first_start_probes_qemu(stage):
    player, backend = stage
    player.play("cold", backend=backend)


def test_four_hosts_work(stage):
    player, backend = stage
    player.play("many", backend=backend, hosts=4)


def test_two_labs_live_side_by_side(stage):
    player, backend = stage
    player.play("two", backend=backend)


def test_guests_survive_their_libvirtd_and_are_destroyed_quickly(stage):
    player, backend = stage
    player.play("work", backend=backend)


def test_a_running_domain_migrates_between_two_hosts(stage):
    player, backend = stage
    player.play("migrate", backend=backend)


def test_programs_and_connections_inside_a_host(stage):
    player, backend = stage
    player.play("inside", backend=backend)


def test_hosts_are_opened_with_what_is_known_of_them(stage):
    player, backend = stage
    player.play("hosts", backend=backend)


@pytest.mark.parametrize("who", ["user", pytest.param("root", marks=pytest.mark.root)])
def test_a_guest_gets_an_address_on_the_nat_network(request, who, open_tun):
    if not open_tun:
        pytest.skip("/dev/net/tun is closed")
    request.getfixturevalue(who).play("dhcp")


def test_auto_takes_the_system_back_end_where_it_can(user, open_tun):
    found = user.play("choose")
    assert found["backend"] == ("system" if open_tun else "session")


@pytest.mark.root
def test_auto_falls_back_to_session_and_says_why(user):
    tun = Path("/dev/net/tun")
    mode = tun.stat().st_mode
    if os.geteuid() != 0:
        pytest.skip("needs root to close the tap device")
    tun.chmod(0o600)
    try:
        found = user.play("choose")
    finally:
        tun.chmod(mode)
    assert found["backend"] == "session"
    what, why, remedy = found["limits"][0]
    assert what == "the system back end"
    assert "/dev/net/tun" in why
    assert remedy == "as root, once: chmod 0666 /dev/net/tun"


def test_where_nothing_is_allowed_the_reasons_are_told(user):
    # Root of a user namespace in which no other namespaces and no other users can be had.
    inner = (
        "echo 0 >/proc/sys/user/max_user_namespaces; "
        "exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "
        f"{sys.executable} {Path(__file__).with_name('scenarios.py')} nothing_allowed '{{}}'"
    )
    done = subprocess.run(
        user.command("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inner),
        env=user.environment(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert "the system back end: the kernel refuses namespaces" in done.stdout
    assert "the session back end" in done.stdout
    assert "SYS_ADMIN" in done.stdout
    assert '"left": 0' in done.stdout


@pytest.mark.root
def test_session_daemons_of_root_live_where_their_user_can_reach(root):
    # Below a folder that only root may enter.
    closed = Path(tempfile.mkdtemp(prefix="lvt-"))
    player = type(root)(root.name, root.uid, closed / "home")
    try:
        found = player.play("hosts", backend="session")
        player.play("starter_killed", backend="session")
        assert found["data"].startswith("/var/tmp/labvirt-")
        assert not Path(found["data"]).exists()
    finally:
        shutil.rmtree(closed)
