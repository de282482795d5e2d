"""Faults: real breaks of a lab that labvirt started, each of which can be undone.

They are there to be found: by people who learn, and by the checks of `labvirt.doctor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.lab.faults.breaking import Breaking
    from labvirt.lab.faults.planted import Planted
    from labvirt.lab.faults.registry import Fault, all_faults, fault_of

__all__ = ["Breaking", "Fault", "Planted", "all_faults", "fault_of"]

_load, __dir__ = lazily(
    __name__,
    {
        "labvirt.lab.faults.breaking": ("Breaking",),
        "labvirt.lab.faults.planted": ("Planted",),
        "labvirt.lab.faults.registry": ("Fault", "all_faults", "fault_of"),
    },
)
__getattr__ = _load
