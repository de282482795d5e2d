"""Fixtures of the tests of views: a board with known numbers, and a host that nobody runs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


def _load(name, file):
    """Load a helper beside the tests, which are no package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(file))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


_boards = _load("labvirt_test_boards", "boards.py")
_load("synthetic", "synthetic.py")
_load("making", "making.py")
_load("crowd", "crowd.py")
_load("guide16", "guide16.py")
_load("catalogue", "catalogue.py")
_load("ptyline", "ptyline.py")


@pytest.fixture(scope="session")
def boards():
    """The module with sources and panels made for tests."""
    return _boards
