"""The embedded lab: real libvirt hosts on this machine that start by themselves.

Names are loaded when first used, so that the keeper process of a lab, which lives in this
package too, starts with the standard library alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labvirt.lab.lab import Lab
    from labvirt.lab.records import HostStatus, LabStatus, Limit

__all__ = ["HostStatus", "Lab", "LabStatus", "Limit"]

_HOME = {
    "Lab": "labvirt.lab.lab",
    "HostStatus": "labvirt.lab.records",
    "LabStatus": "labvirt.lab.records",
    "Limit": "labvirt.lab.records",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'labvirt.lab' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
