"""Labs on which the exercises are done."""

from __future__ import annotations

import os

import pytest

import labvirt as lv


@pytest.fixture(scope="session")
def session_lab():
    name = f"ex-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend="session", ephemeral=True) as lab:
        yield lab


@pytest.fixture(scope="session")
def system_lab():
    if os.geteuid() != 0:
        pytest.skip("needs root: a system lab")
    name = f"exs-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend="system", ephemeral=True) as lab:
        yield lab
