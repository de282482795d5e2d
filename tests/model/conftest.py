"""What the tests of this room share: libvirt's schemas, its test driver, and the sample documents."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labvirt.model.schema import Schema

HERE = Path(__file__).parent
DATA = HERE / "data"
DOMAIN_FILES = sorted((DATA / "domains").glob("*.xml"))


class LibvirtTestDriver:
    """libvirt's own parser in a child process, so that no libvirt is loaded into the tests."""

    def __init__(self):
        self._child = subprocess.Popen(
            [sys.executable, str(HERE / "driver_child.py")],
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
    child = LibvirtTestDriver()
    yield child
    child.close()


@pytest.fixture(params=DOMAIN_FILES, ids=lambda path: path.stem)
def sample(request):
    """Each of the varied domain documents, as text with its own line ends."""
    return request.param.read_bytes().decode()


@pytest.fixture
def data():
    return DATA
