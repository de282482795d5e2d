"""Fixtures of the tests of views: a board with known numbers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

# Notebooks that the tests open import these modules too, by the same names.
sys.path.insert(0, str(Path(__file__).parent))

_spec = importlib.util.spec_from_file_location(
    "labvirt_test_boards", Path(__file__).with_name("boards.py")
)
_boards = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _boards
_spec.loader.exec_module(_boards)


@pytest.fixture(scope="session")
def boards():
    """The module with sources and panels made for tests."""
    return _boards
