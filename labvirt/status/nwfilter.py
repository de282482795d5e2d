"""What a network filter is, and where it is in force."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["FilterBindingRecord", "NwFilterRecord"]


@dataclass(frozen=True, slots=True)
class NwFilterRecord:
    """One network filter (``virsh nwfilter-list``).

    Attributes:
        uuid: the identity, dashed, lower case.
        name: the name.
        read_at: when it was read, aware, UTC.
    """

    uuid: str
    name: str
    read_at: datetime = field(compare=False)


@dataclass(frozen=True, slots=True)
class FilterBindingRecord:
    """A filter that is in force on a port of the host (``virsh nwfilter-binding-list``).

    Attributes:
        name: the port: name of the tap device.
        filter: name of the filter.
        domain: name of the domain it belongs to; empty when libvirt does not say.
        mac: hardware address of the guest's interface.
        parameters: values of the filter's variables, as ``NAME=value``.
        uuid: UUID of the domain.
    """

    name: str
    filter: str
    domain: str
    mac: str
    parameters: tuple[str, ...]
    uuid: str
