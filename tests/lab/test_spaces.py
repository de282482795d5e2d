"""What a system host sees of the machine, looked at from inside, and that the machine sees nothing."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.lab

# Process 1 of a new space, and in it one host; prints what `look` finds in each.
INSIDE = """\
import json, os, socket, sys
from pathlib import Path
from labvirt.lab import fabric, kernel, spaces
from labvirt.lab.backend import in_child
from labvirt.lab.records import HostRecord
from labvirt.lab.refusal import Refusal
scratch, keep = Path(sys.argv[1]), sys.argv[2:]
def look():
    return {
        "pid": os.getpid(),
        "run": sorted(os.listdir("/run")),
        "kept": [sorted(os.listdir(folder)) for folder in keep],
        "etc": len(os.listdir("/etc")),
        "hostname": socket.gethostname(),
        "links": sorted(os.listdir("/sys/class/net")),
        "hosts": Path("/etc/hosts").read_text(),
        "names": Path("/etc/resolv.conf").read_text() if Path("/etc/resolv.conf").exists() else "",
        "accounts": [line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()],
        "libvirt": {place: os.listdir(place) for place in ("/etc/libvirt", "/var/lib/libvirt",
                    "/var/cache/libvirt", "/var/log/libvirt", "/run/libvirt")},
    }
host = HostRecord("alpha", "u", 1)
try:
    rootless = spaces.enter_new_space(os.geteuid(), os.getegid())
except Refusal as refusal:
    print(json.dumps({"refused": refusal.why}))
    sys.exit()
def lab():
    spaces.furnish_lab(scratch, keep, uid=1)
    found = {"rootless": rootless, "lab": look()}
    for name in ("etc", "run", "lib", "cache", "log"):
        (scratch / "alpha" / name).mkdir(parents=True)
        (scratch / "alpha" / name / f"my-{name}").touch()
    fabric.write_hosts_file([host], scratch / "hosts.txt")
    def inside():
        spaces.furnish_host("alpha", scratch / "alpha", scratch / "hosts.txt", keep)
        Path("/run/written-inside").touch()
        Path("/var/lib/libvirt/written-inside").touch()
        found["host"] = look()
        print(json.dumps(found), flush=True)
        return 0
    return in_child(inside)
sys.exit(in_child(lab))
"""


@pytest.fixture
def folders():
    """A scratch folder, and one that is kept, outside of anything private to root."""
    with tempfile.TemporaryDirectory(prefix="lvs-") as text:
        top = Path(text)
        top.chmod(0o777)
        for name in ("scratch", "kept"):
            (top / name).mkdir()
            (top / name).chmod(0o777)
        (top / "kept" / "here").touch()
        yield top


def look_inside(player: Any, folders: Path) -> dict[str, Any]:
    done = subprocess.run(
        player.command(
            sys.executable, "-c", INSIDE, str(folders / "scratch"), str(folders / "kept")
        ),
        env=player.environment() | {"PATH": "/usr/sbin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if "refused" in found:
        pytest.skip(found["refused"])
    return found


@pytest.fixture(params=["user", pytest.param("root", marks=pytest.mark.root)])
def found(request, folders):
    player = request.getfixturevalue(request.param)
    seen = look_inside(player, folders)
    assert seen["rootless"] == (player.uid != 0)
    yield seen
    # The sub-folders belong to whoever played.
    for path in sorted((folders / "scratch").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def test_the_keeper_is_process_1_of_its_own_space(found):
    assert found["lab"]["pid"] == 1


def test_nothing_of_the_machines_run_folder_is_in_sight(found):
    assert found["lab"]["run"] == ["libvirt", "lock"]
    assert "dbus" not in found["host"]["run"]


def test_kept_folders_are_the_same_inside(found):
    assert found["lab"]["kept"] == found["host"]["kept"] == [["here"]]


def test_the_machines_settings_stay_in_sight(found):
    outside = len(list(Path("/etc").iterdir()))
    # A missing mount point may have been added.
    assert outside <= found["host"]["etc"] <= outside + 2


def test_a_host_has_its_own_name_network_and_libvirt_folders(found):
    host = found["host"]
    assert host["hostname"] == "alpha"
    assert host["links"] == ["lo"]
    assert sorted(itertools.chain(*host["libvirt"].values())) == [
        "my-cache", "my-etc", "my-lib", "my-log", "my-run", "written-inside",
    ]  # fmt: skip


def test_a_host_knows_the_hosts_of_its_lab_and_no_name_server(found):
    assert "10.99.0.11 alpha" in found["host"]["hosts"]
    assert found["host"]["names"] == ""


def test_libvirt_finds_the_accounts_it_insists_on(found):
    assert {"root", "libvirt-qemu", "nobody"} <= set(found["host"]["accounts"])
    assert len(set(found["host"]["accounts"])) == len(found["host"]["accounts"])


def test_the_machine_sees_nothing_of_it(found, folders):
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(folders) not in mounts
    assert not Path("/run/written-inside").exists()
    assert not Path("/var/lib/libvirt/written-inside").exists()
    # It went to the host's own folder.
    assert (folders / "scratch/alpha/lib/written-inside").exists()
