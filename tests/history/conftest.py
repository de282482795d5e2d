"""Synthetic hosts, files to record to, and small disks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lab.sqlite"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MiB."""
    if os.geteuid() != 0:
        pytest.skip("root is missing: a small file system is mounted")
    folder = tmp_path / "small"
    folder.mkdir()
    asked = ["mount", "-t", "tmpfs", "-o", "size=12m", "none", folder]
    done = subprocess.run(asked, check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)
