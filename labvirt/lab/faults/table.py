"""The faults as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.host.collection import Table
from labvirt.host.networks.network_guests import rows_of

if TYPE_CHECKING:
    from labvirt.lab.faults.registry import Fault

__all__ = ["FAULTS", "FaultRow", "row_of"]


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault as a lab's table shows it.

    Attributes:
        id: its id.
        title: what it is.
        of: what it breaks.
        check: the doctor's check that notices it.
        here: whether it can be made in this lab.
        backends: where it can be made.
        options: further arguments of `Lab.inject`.
        guide: row of the guide.
    """

    id: str
    title: str
    of: str
    check: str
    here: bool
    backends: str
    options: str
    guide: str


def row_of(fault: Fault, backend: str) -> FaultRow:
    """Return the row of a fault in a lab with this back end."""
    return FaultRow(
        id=fault.id,
        title=fault.title,
        of=fault.of,
        check=fault.check,
        here=backend in fault.backends,
        backends=", ".join(fault.backends),
        options=", ".join(f"{name}={value!r}" for name, value in fault.options),
        guide=fault.guide,
    )


FAULTS = rows_of(
    Table(
        "fault",
        [
            ("id", "", lambda r: r.id),
            ("title", "", lambda r: r.title),
            ("of", "", lambda r: r.of),
            ("check", "", lambda r: r.check),
            ("here", "", lambda r: r.here),
            ("backends", "", lambda r: r.backends),
            ("options", "", lambda r: r.options),
            ("guide", "", lambda r: r.guide),
        ],
    )
)
