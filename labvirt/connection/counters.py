"""Counters of a domain's disks and interfaces, and its monitor where libvirt has no call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import libvirt
import libvirt_qemu  # type: ignore[import-untyped] # ships no type information

from labvirt.connection.failures import is_code
from labvirt.connection.handles import on_domain
from labvirt.errors import HostError
from labvirt.status.counters import BlockStatsRecord, InterfaceStatsRecord

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = ["block_stats", "interface_stats", "monitor", "monitor_words"]


#: In this order libvirt gives the counters of an interface.
_ORDER = (
    *(f"rx_{what}" for what in ("bytes", "packets", "errors", "drops")),
    *(f"tx_{what}" for what in ("bytes", "packets", "errors", "drops")),
)


def block_stats(conn: Connection, uuid: str, device: str) -> BlockStatsRecord:
    """Read the counters of a disk (``virsh domblkstat``, G15-29). Asks the hypervisor process.

    Args:
        conn: the connection.
        uuid: which domain.
        device: target or path of the disk; empty for all disks together.

    Raises:
        SpecError: there is no such disk.
        ConflictError: the domain is not active.
    """
    told = on_domain(
        conn,
        uuid,
        f"read the counters of {device or 'the disks'} of",
        lambda domain: dict(domain.blockStatsFlags(device)),
    )
    return BlockStatsRecord(
        domain=conn.label(uuid),
        device=device,
        read_ops=_known(told.get("rd_operations")),
        read_bytes=_known(told.get("rd_bytes")),
        write_ops=_known(told.get("wr_operations")),
        write_bytes=_known(told.get("wr_bytes")),
        flush_ops=_known(told.get("flush_operations")),
        read_ns=_known(told.get("rd_total_times")),
        write_ns=_known(told.get("wr_total_times")),
        flush_ns=_known(told.get("flush_total_times")),
        read_at=conn.now(),
    )


def interface_stats(
    conn: Connection, uuid: str, mac: str, device: str = ""
) -> InterfaceStatsRecord:
    """Read the counters of an interface (``virsh domifstat``, G15-30); asks no hypervisor process.

    Args:
        conn: the connection.
        uuid: which domain.
        mac: its address.
        device: its device on the host; without one nothing can be counted.

    Raises:
        ConflictError: the domain is not active.
    """

    def look(domain: Any) -> tuple[int, ...]:
        try:
            return tuple(domain.interfaceStats(device))
        except libvirt.libvirtError as error:
            if is_code(error, "NO_SUPPORT", "OPERATION_UNSUPPORTED"):
                return ()
            raise

    counted = on_domain(conn, uuid, f"read the counters of {mac} of", look) if device else ()
    named = dict(zip(_ORDER, map(_known, counted or [None] * len(_ORDER)), strict=True))
    return InterfaceStatsRecord(
        domain=conn.label(uuid), mac=mac, device=device, read_at=conn.now(), **named
    )


def _known(value: int | None) -> int | None:
    # libvirt says -1 for what the hypervisor does not tell.
    return None if value is None or value < 0 else int(value)


def monitor_words(conn: Connection, uuid: str, command: str) -> str:
    """Return the answer of a command for people of QEMU's monitor: ``info jit``.

    Raises:
        ConflictError: the domain is not active.
        UnsupportedError: this is no QEMU, or not reached through its daemon.
    """
    return on_domain(
        conn,
        uuid,
        f"ask the monitor ({command}) of",
        lambda domain: str(
            libvirt_qemu.qemuMonitorCommand(
                domain, command, libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP
            )
        ),
    )


def monitor(conn: Connection, uuid: str, command: str, **arguments: Any) -> Any:
    """Return the answer of a QMP command of QEMU's monitor: ``query-stats``.

    Raises:
        HostError: QEMU refused it.
        ConflictError: the domain is not active.
    """
    text = json.dumps({"execute": command, **({"arguments": arguments} if arguments else {})})
    asked = f"ask the monitor ({command}) of"
    answer = on_domain(
        conn, uuid, asked, lambda domain: libvirt_qemu.qemuMonitorCommand(domain, text, 0)
    )
    told = json.loads(answer)
    if "error" in told:
        raise HostError(
            f"{asked} domain {conn.label(uuid)}",
            uri=conn.uri.redacted(),
            libvirt_text=str(told["error"].get("desc", told["error"])),
        )
    return told["return"]
