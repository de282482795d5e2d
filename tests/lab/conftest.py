"""Fixtures of the lab's tests: who plays, where it is written down, and what must not be left.

Scenarios run in processes of their own, as root or as an ordinary user, so that the starter of a
lab can be killed like any other process. What is looked for afterwards are traces of these labs
only: other daemons may come and go on this machine meanwhile.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPO = Path(__file__).parents[2]
TUN = Path("/dev/net/tun")
IS_ROOT = os.geteuid() == 0
MACHINE_FOLDERS = tuple(
    Path(name)
    for name in (
        "/run/libvirt/libvirt-sock",
        "/run/libvirt/qemu",
        "/run/libvirt/network",
        "/var/lib/libvirt",
        "/var/cache/libvirt",
        "/var/log/libvirt",
        "/etc/libvirt/qemu",
        "/etc/libvirt/storage",
        "/run/netns",
    )
)


@dataclass(frozen=True)
class Player:
    """Somebody who uses labs, with a LABVIRT_HOME of his own."""

    name: str
    uid: int
    home: Path

    def environment(self) -> dict[str, str]:
        # As little as a login would give; no XDG folder of whoever runs the tests.
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": pwd.getpwuid(self.uid).pw_dir,
            "LABVIRT_HOME": str(self.home),
            "PYTHONPATH": str(REPO),
            "LANG": "C.UTF-8",
        }

    def command(self, *words: str) -> list[str]:
        if self.uid == os.geteuid():
            return list(words)
        switch = ["setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups"]
        return [*switch, *words]

    def play(self, scenario: str, **asked: Any) -> dict[str, Any]:
        """Run a scenario to its end and return what it found."""
        script = str(Path(__file__).with_name("scenarios.py"))
        done = subprocess.run(
            self.command(sys.executable, script, scenario, json.dumps(asked)),
            env=self.environment(),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        if done.returncode != 0:
            self._clean_up(script)
        assert done.returncode == 0, f"{scenario} as {self.name}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"{scenario} {asked} as {self.name}: {found.get('figures', '')}")
        return found

    def _clean_up(self, script: str) -> None:
        """Stop what a scenario that failed has left running."""
        subprocess.run(
            self.command(sys.executable, script, "clean_up", "{}"),
            env=self.environment(),
            cwd="/",
            timeout=60,
            check=False,
        )


def traces_of(home: Path) -> dict[str, list[str]]:
    """Return what is to be seen of labs with this home: processes, mounts, sockets, files."""
    mark = str(home)
    processes, namespaces = [], []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            settings = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        ours = any(each.startswith(("LABVIRT_LAB=", f"HOME={mark}")) for each in settings)
        if state not in "ZX" and (ours and mark in "".join(settings) + words):
            processes.append(f"{entry.name} {words.replace(chr(0), ' ')}")
            namespaces.append(str((entry / "ns" / "net").readlink()))
    mounts = [
        line for line in Path("/proc/self/mountinfo").read_text().splitlines() if mark in line
    ]
    sockets = [line for line in Path("/proc/net/unix").read_text().splitlines() if mark in line]
    files = [str(path) for path in home.rglob("*") if (home / "labs") in path.parents]
    return {
        "processes": processes,
        "namespaces": sorted(set(namespaces)),
        "mounts": mounts,
        "sockets": sockets,
        "files": files,
    }


NOTHING: dict[str, list[str]] = {
    "processes": [],
    "namespaces": [],
    "mounts": [],
    "sockets": [],
    "files": [],
}


def socket_folders(home: Path) -> set[str]:
    """Return the folders in which labs with this home have their sockets."""
    found = set()
    for base in (Path("/run/labvirt"), *Path("/tmp").glob("labvirt-*"), Path("/tmp")):
        if base.is_dir() and os.access(base, os.R_OK):
            for link in base.glob("*/lab"):
                if link.is_symlink() and str(home) in str(link.readlink()):
                    found.add(str(link.parent))
    return found


def is_there(folder: Path) -> bool | None:
    """Return whether the machine has a folder, None when this user may not look."""
    try:
        return folder.exists()
    except PermissionError:
        return None


@pytest.fixture(scope="session")
def machine_before() -> dict[str, bool | None]:
    return {str(folder): is_there(folder) for folder in MACHINE_FOLDERS}


@pytest.fixture(scope="session")
def open_tun() -> Iterator[bool]:
    """Taps for ordinary users: root opens the device as an administrator would, and closes it again."""
    if not TUN.exists():
        yield False
        return
    mode = stat.S_IMODE(TUN.stat().st_mode)
    if IS_ROOT:
        TUN.chmod(0o666)
    yield os.access(TUN, os.R_OK | os.W_OK)
    if IS_ROOT:
        TUN.chmod(mode)


def _home_of(uid: int) -> Path:
    # Not below pytest's folder: session daemons of root's labs must be able to reach it.
    home = Path(tempfile.mkdtemp(prefix="lvt-"))
    home.chmod(0o755)
    os.chown(home, uid, -1)
    return home


@pytest.fixture(scope="session")
def homes() -> Iterator[Callable[[int], Path]]:
    made: dict[int, Path] = {}

    def home(uid: int) -> Path:
        if uid not in made:
            made[uid] = _home_of(uid)
        return made[uid]

    yield home
    for path in made.values():
        shutil.rmtree(path)


@pytest.fixture
def user(homes: Callable[[int], Path]) -> Player:
    """An ordinary user: whoever runs the tests, or for root the user made for this."""
    if not IS_ROOT:
        return Player(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), homes(os.geteuid()))
    for name in ("lvuser", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Player(name, found.pw_uid, homes(found.pw_uid))
    pytest.skip("there is no ordinary user on this machine")


@pytest.fixture
def root(homes: Callable[[int], Path]) -> Player:
    if not IS_ROOT:
        pytest.skip("needs root")
    return Player("root", 0, homes(0))


KINDS = [
    pytest.param(("user", "session"), id="session-user"),
    pytest.param(("user", "system"), id="system-user", marks=pytest.mark.slow(seconds=6)),
    pytest.param(
        ("root", "session"),
        id="session-root",
        marks=[pytest.mark.root, pytest.mark.slow(seconds=6)],
    ),
    pytest.param(("root", "system"), id="system-root", marks=pytest.mark.root),
]


@pytest.fixture(params=KINDS)
def stage(
    request: pytest.FixtureRequest, open_tun: bool, machine_before: dict[str, bool | None]
) -> Iterator[tuple[Player, str]]:
    """Each back end, played by root and by an ordinary user; afterwards nothing may be left."""
    who, backend = request.param
    player = request.getfixturevalue(who)
    if backend == "system" and who == "user" and not open_tun:
        pytest.skip(f"{TUN} is closed to ordinary users")
    yield player, backend
    # A keeper whose starter was killed before it had heard of it ends by itself, a moment later.
    deadline = time.monotonic() + 10
    while traces_of(player.home) != NOTHING and time.monotonic() < deadline:
        time.sleep(0.1)
    assert traces_of(player.home) == NOTHING
    assert socket_folders(player.home) == set()
    assert {str(folder): is_there(folder) for folder in MACHINE_FOLDERS} == machine_before
