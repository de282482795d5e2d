"""The JavaScript of the widgets: what was built from ``js/`` and stands in ``static/``."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

__all__ = ["STATIC", "bundle", "bundle_key", "stub"]

STATIC = Path(__file__).parent / "static"


@cache
def stub() -> str:
    """Return the module that travels with each widget and fetches the rest once per page."""
    return (STATIC / "stub.js").read_text(encoding="utf-8")


@cache
def bundle(name: str) -> bytes:
    """Return the code of a widget, for example of ``charts``."""
    return (STATIC / f"{name}.js").read_bytes()


@cache
def bundle_key(name: str) -> str:
    """Return the name under which a page keeps this very code."""
    return f"{name}:{hashlib.sha256(bundle(name)).hexdigest()[:16]}"
