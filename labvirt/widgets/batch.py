"""Batch: is anybody there to look on, or is the notebook run by a program?"""

from __future__ import annotations

import os

from labvirt.widgets.registry import cell_now

__all__ = ["is_batch"]


def is_batch() -> bool:
    """Return whether a kernel works for papermill, nbconvert or ``labvirt run``.

    Front ends name the cell that they run; those programs do not, and no view would ever say hello
    to a widget there. ``LABVIRT_STATIC`` set to 1 or 0 decides it otherwise.
    """
    said = os.environ.get("LABVIRT_STATIC", "")
    if said in {"0", "1"}:
        return said == "1"
    now = cell_now()
    if now is None or now[0]:
        return False
    # Voila runs the cells like papermill, but shows widgets to people.
    return "voila" not in os.environ.get("SERVER_SOFTWARE", "")
