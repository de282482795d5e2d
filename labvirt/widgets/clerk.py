"""Clerk: puts still forms into a notebook whose page was loaded again since its views were shown.

JupyterLab finds the output that a kernel updates by its display id, and keeps these in the page: after a
reload it has forgotten them. The clerk is a widget that is never shown. It comes back with the page, finds
the outputs by the widgets in them, and is in no other front end's way.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import anywidget

from labvirt.widgets.code import STATIC
from labvirt.widgets.registry import cell_now

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["lay", "wake"]

_lock = threading.Lock()


class _Clerk(anywidget.AnyWidget):
    """One for all views of a kernel."""

    _esm = (STATIC / "clerk.js").read_text(encoding="utf-8")


@cache
def _clerk() -> _Clerk:
    return _Clerk()


def wake() -> None:
    """Be there for pages that are loaded from now on."""
    if cell_now() is not None:
        with _lock:
            _clerk()


def lay(models: Iterable[str], made: dict[str, Any]) -> None:
    """Put a bundle in the place of every output that still shows one of these widgets.

    Args:
        models: ids of widgets.
        made: what is put there, by MIME type.
    """
    if cell_now() is not None:
        with _lock:
            _clerk().send({"t": "lay", "ids": list(models), "data": made})
