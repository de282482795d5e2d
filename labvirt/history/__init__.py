"""History: samples kept, in memory, on disk and at Prometheus; all are read in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.history.source import Source, Window
from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.history.exporter import Exporter
    from labvirt.history.history import History
    from labvirt.history.merged import Merged
    from labvirt.history.opening import open  # noqa: A004 - read as labvirt.history.open
    from labvirt.history.parquet import ParquetSource
    from labvirt.history.prometheus import PrometheusSource
    from labvirt.history.recorder import Recorder
    from labvirt.history.recording import Recording
    from labvirt.history.replay import Replay
    from labvirt.history.retention import Retention
    from labvirt.history.rolling import rollup

_HOMES = {
    "labvirt.history.exporter": ("Exporter",),
    "labvirt.history.history": ("History",),
    "labvirt.history.merged": ("Merged",),
    "labvirt.history.opening": ("open",),
    "labvirt.history.parquet": ("ParquetSource",),
    "labvirt.history.prometheus": ("PrometheusSource",),
    "labvirt.history.recorder": ("Recorder",),
    "labvirt.history.recording": ("Recording",),
    "labvirt.history.replay": ("Replay",),
    "labvirt.history.retention": ("Retention",),
    "labvirt.history.rolling": ("rollup",),
}

__all__ = [
    "Exporter",
    "History",
    "Merged",
    "ParquetSource",
    "PrometheusSource",
    "Recorder",
    "Recording",
    "Replay",
    "Retention",
    "Source",
    "Window",
    "open",
    "rollup",
]

__getattr__, __dir__ = lazily("labvirt.history", _HOMES, more=("Source", "Window"))
