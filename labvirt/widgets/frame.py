"""Frame: what makes ipywidgets good neighbours in JupyterLab, for a view that is made of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import anywidget

from labvirt.widgets.code import STATIC

__all__ = ["Frame", "framed"]


@cache
def _code() -> str:
    return (STATIC / "frame.js").read_text(encoding="utf-8")


class Frame(anywidget.AnyWidget):
    """Shows nothing, and looks after the box that holds it.

    Keys in the box are its own and not JupyterLab's, tabs take as many lines as they need, and
    the keyboard goes on when a button goes that it stood on.
    """

    _esm = _code()


def framed(box: Any) -> Any:
    """Return the box with a frame in it."""
    box.add_class("labvirt-frame")
    box.children = (*box.children, Frame())
    return box
