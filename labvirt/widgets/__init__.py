"""Views: charts and forms in a notebook, offered as ``lv.ui``; they hold no logic."""

from __future__ import annotations

from typing import Any

from labvirt.lazy import lazily

_HOMES: dict[str, tuple[str, ...]] = {}

__all__: list[str] = []

_load, __dir__ = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    return _load(name)
