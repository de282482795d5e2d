"""History: samples kept, in memory, on disk and at Prometheus; all are read in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.history.source import Source, Window
from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.history.history import History
    from labvirt.history.merged import Merged

_HOMES = {"labvirt.history.history": ("History",), "labvirt.history.merged": ("Merged",)}

__all__ = ["History", "Merged", "Source", "Window"]

__getattr__, __dir__ = lazily("labvirt.history", _HOMES, more=("Source", "Window"))
