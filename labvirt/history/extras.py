"""Packages that are not always there: imported when needed, with one clear error when absent."""

from __future__ import annotations

import importlib
from typing import Any

from labvirt.errors import UnsupportedError

__all__ = ["need"]


def need(module: str, extra: str, asked: str) -> Any:
    """Return a module of an extra.

    Args:
        module: its name.
        extra: the extra of labvirt that brings it.
        asked: what it is needed for, for the message: ``roll up a recording``.

    Raises:
        UnsupportedError: it is not installed; says how to have it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        raise UnsupportedError(
            asked,
            libvirt_text=f"the package {package} is not here ({error})",
            hint=f"pip install 'labvirt[{extra}]'",
        ) from None
