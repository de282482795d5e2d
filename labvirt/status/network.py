"""What a virtual network is at one moment: its record and its DHCP leases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["LeaseRecord", "NetworkRecord"]


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """One libvirt virtual network (``virsh net-info``).

    Attributes:
        uuid: the identity, dashed, lower case.
        name: the name.
        is_active: whether it is started.
        persistent: whether a definition remains when it stops.
        autostart: whether it starts with the host's daemon.
        bridge: name of its bridge; empty when it has none.
        forward: how it reaches the world: ``nat``, ``route``, ``open``, ``bridge`` ...;
            ``isolated`` when it does not.
        read_at: when it was read, aware, UTC.
    """

    kind: ClassVar[str] = "network"

    uuid: str
    name: str
    is_active: bool
    persistent: bool
    autostart: bool
    bridge: str
    forward: str
    read_at: datetime = field(compare=False)


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """One DHCP lease of a network.

    Attributes:
        mac: hardware address, lower case; empty when the server did not say.
        family: ``ipv4`` or ``ipv6``.
        address: the address without prefix.
        prefix: length of the network prefix, bits.
        hostname: what the guest called itself; empty when it did not.
        client_id: DHCP client id, or DUID for IPv6; empty when none.
        expires_at: aware, UTC; None for a lease without end.
    """

    mac: str
    family: str
    address: str
    prefix: int
    hostname: str
    client_id: str
    expires_at: datetime | None
