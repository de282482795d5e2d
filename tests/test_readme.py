"""Every code block of the README runs, in the order in which it stands there."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import LabvirtError

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def stop(name):
    with contextlib.suppress(LabvirtError):
        lv.Lab.attach(name, broken=True).stop()


@pytest.mark.lab
def test_python_blocks_run_in_order():
    found = blocks("python")
    assert len(found) >= 6
    code = "\n\n".join(found)
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
    finally:
        stop("readme")
        stop("readme-views")
        stop("readme-doctor")
    assert done.returncode == 0, done.stderr
    assert "would destroy" in done.stdout
    assert "alpha -> beta" in done.stdout
    assert "cpu > 20 % for 1 s" in done.stdout
    assert "create domain web1" in done.stdout
    assert "create domain db1 on alpha" in done.stdout
    assert "Is pool default active? fail" in done.stdout
    assert "512 MiB" in done.stdout or "524288" in done.stdout


@pytest.mark.lab
def test_shell_blocks_run_in_order(tmp_path):
    """Those of the command line; the scripts of binder/ have their own test."""
    (block,) = [block for block in blocks("sh") if "labvirt lab start" in block]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        for line in block.strip().splitlines():
            done = subprocess.run(
                shlex.split(line),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    finally:
        stop("demo")


def test_the_scripts_that_the_readme_names_exist():
    for block in blocks("sh"):
        for line in block.splitlines():
            if line.startswith("bash "):
                assert (ROOT / line.split()[1]).stat().st_mode & 0o111


@pytest.mark.lab
def test_the_tour_of_the_demo_ends_well_and_leaves_nothing_running():
    done = subprocess.run(
        [sys.executable, str(ROOT / "binder" / "tour.py")],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the counter inside went on" in done.stdout
    assert re.search(r"Record: +\S+install\.ipynb", done.stdout)
    assert "demo" not in [lab.name for lab in lv.Lab.list()]
