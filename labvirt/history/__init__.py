"""History: samples kept, in memory, on disk and at Prometheus; all are read in the same way."""

from __future__ import annotations

from labvirt.history.source import Source, Window

__all__ = ["Source", "Window"]
