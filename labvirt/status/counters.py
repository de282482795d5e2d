"""What the disks and interfaces of a domain have moved since it started: counters, as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["BlockStatsRecord", "InterfaceStatsRecord"]


@dataclass(frozen=True, slots=True)
class BlockStatsRecord:
    """Counters of one disk (``virsh domblkstat``). None: the hypervisor does not tell.

    Attributes:
        domain: name of the domain.
        device: the disk: ``vda``; empty for all disks together.
        read_ops: finished read requests.
        read_bytes: bytes the guest has read.
        write_ops: finished write requests.
        write_bytes: bytes the guest has written.
        flush_ops: finished flush requests.
        read_ns: time of all read requests together, nanoseconds.
        write_ns: time of all write requests together, nanoseconds.
        flush_ns: time of all flush requests together, nanoseconds.
        read_at: when it was read, UTC.
    """

    kind: ClassVar[str] = "disk"

    domain: str
    device: str
    read_ops: int | None
    read_bytes: int | None
    write_ops: int | None
    write_bytes: int | None
    flush_ops: int | None
    read_ns: int | None
    write_ns: int | None
    flush_ns: int | None
    read_at: datetime = field(compare=False)


@dataclass(frozen=True, slots=True)
class InterfaceStatsRecord:
    """Counters of one interface (``virsh domifstat``), as the guest sees them.

    None: the host cannot count, because the interface has no device of its own on it (``user``,
    ``mcast``: QEMU itself is the network).

    Attributes:
        domain: name of the domain.
        mac: its address.
        device: its device on the host: ``vnet0``; empty without one.
        rx_bytes: bytes the guest received.
        rx_packets: packets it received.
        rx_errors: broken packets to it.
        rx_drops: packets to it that were lost.
        tx_bytes: bytes the guest sent.
        tx_packets: packets it sent.
        tx_errors: broken packets from it.
        tx_drops: packets from it that were lost.
        read_at: when it was read, UTC.
    """

    kind: ClassVar[str] = "interface"

    domain: str
    mac: str
    device: str
    rx_bytes: int | None
    rx_packets: int | None
    rx_errors: int | None
    rx_drops: int | None
    tx_bytes: int | None
    tx_packets: int | None
    tx_errors: int | None
    tx_drops: int | None
    read_at: datetime = field(compare=False)
