"""Recording and exporting a real host of a lab: command line, signals, a guest that hangs."""

from __future__ import annotations

import os
import sys
import time

import pytest

import labvirt as lv

LABVIRT = [sys.executable, "-m", "labvirt.cli"]
ADDRESS = "52:54:00:00:0a:77"


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"keep-{os.getpid()}", hosts=1, backend="session", ephemeral=True) as lab:
        yield lab


@pytest.fixture(scope="module")
def host(lab):
    return lab["alpha"]


@pytest.fixture(scope="module")
def guest(host):
    """A running domain without a system: its vCPU spins in the firmware now and then."""
    spec = lv.DomainSpec(
        name="web1",
        memory="32 MiB",
        interfaces=(),
        agent=False,
        rng=False,
        disks=[{"size": "8 MiB"}],
        graphics=lv.GraphicsSpec(kind="vnc", listen="none"),
    )
    return host.plan(spec).apply()


def wait_for(claim, what, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not (found := claim()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found
