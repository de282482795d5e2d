"""What the tests of this room share: libvirt's schemas, its test driver, and the sample documents."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from labvirt.model.schema import Schema

HERE = Path(__file__).parent
DATA = HERE / "data"
DOMAIN_FILES = sorted((DATA / "domains").glob("*.xml"))


class LibvirtChild:
    """libvirt's own parser in a child process, so that no libvirt is loaded into the tests."""

    def __init__(self, *uri):
        self._child = subprocess.Popen(
            [sys.executable, str(HERE / "driver_child.py"), *uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def refuses(self, kind, xml):
        """Return what libvirt says against a document; empty when it takes it."""
        return self._ask(kind, xml)["error"]

    def memory_kib(self, xml):
        """Return the memory that libvirt reads in a domain."""
        answer = self._ask("domain", xml)
        assert answer["error"] == ""
        return answer["memory_kib"]

    def reads(self, xml):
        """Return a domain's XML as libvirt writes it after reading it."""
        answer = self._ask("domain", xml)
        assert answer["error"] == ""
        return answer["xml"]

    def _ask(self, kind, xml):
        self._child.stdin.write(json.dumps({"kind": kind, "xml": xml}) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        assert answer, "the child with libvirt's test driver died"
        return json.loads(answer)

    def close(self):
        self._child.stdin.close()
        self._child.wait(timeout=20)
        self._child.stdout.close()


@pytest.fixture(scope="session")
def schema():
    return Schema.load()


@pytest.fixture(scope="session")
def driver():
    child = LibvirtChild()
    yield child
    child.close()


@pytest.fixture(scope="module")
def qemu_driver():
    """libvirt's real QEMU driver: a private session daemon of an ordinary user."""
    folder = Path(tempfile.mkdtemp(prefix="lv-model-"))
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    for name in ("run", "home"):
        (folder / name).mkdir(mode=0o700)
        if user:
            os.chown(folder / name, 65534, 65534)
    folder.chmod(0o711)
    env = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        **{f"XDG_{kind}_HOME": str(folder / "home" / kind) for kind in ("CONFIG", "CACHE", "DATA")},
    }
    daemon = subprocess.Popen(
        ["libvirtd", "--timeout", "120"],
        env=env,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **user,
    )
    child = None
    try:
        socket = folder / "run" / "libvirt" / "libvirt-sock"
        end = time.monotonic() + 30
        while not socket.exists():
            assert daemon.poll() is None, "libvirtd ended before it listened"
            assert time.monotonic() < end, "libvirtd did not listen within 30 s"
            time.sleep(0.05)
        child = LibvirtChild(f"qemu+unix:///session?socket={socket}")
        yield child
    finally:
        if child is not None:
            child.close()
        daemon.terminate()
        daemon.wait(timeout=30)
        shutil.rmtree(folder)


@pytest.fixture(params=DOMAIN_FILES, ids=lambda path: path.stem)
def sample(request):
    """Each of the varied domain documents, as text with its own line ends."""
    return request.param.read_bytes().decode()


@pytest.fixture
def data():
    return DATA
