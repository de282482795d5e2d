"""Guests that count and move between the hosts of the session's lab."""

from __future__ import annotations

import pytest

from tests.bench.migrations import Stage, stages


@pytest.fixture(autouse=True)
def nothing_left():
    """Guests move here, so what a host has afterwards says nothing; each stage cleans up."""


@pytest.fixture(scope="session")
def shared(lab):
    """A guest on storage that both hosts share."""
    stage = Stage(lab)
    yield stage
    stage.remove()


@pytest.fixture(scope="session")
def local(lab):
    """A guest whose disk only one host sees."""
    stage = Stage(lab, "local")
    yield stage
    stage.remove()


@pytest.fixture(scope="module")
def stage_of():
    """The stage of a case of the matrix; labs of its own."""
    with stages() as stage:
        yield stage
