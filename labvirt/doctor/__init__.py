"""Doctor: looks, changes nothing, and says for each question what was seen and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.doctor.asking import examine, table
    from labvirt.doctor.connecting import connection
    from labvirt.doctor.explaining import Explanation, explain
    from labvirt.doctor.report import Report

__all__ = ["Explanation", "Report", "connection", "examine", "explain", "table"]

_load, __dir__ = lazily(
    __name__,
    {
        "labvirt.doctor.asking": ("examine", "table"),
        "labvirt.doctor.connecting": ("connection",),
        "labvirt.doctor.explaining": ("Explanation", "explain"),
        "labvirt.doctor.report": ("Report",),
    },
)
__getattr__ = _load
