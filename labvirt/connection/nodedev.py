"""Devices of the host: listing them, taking PCI devices from their drivers and giving them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S
from labvirt.status.nodedev import NodeDeviceRecord, node_device_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labvirt.connection.connection import Connection

__all__ = ["detach", "list_all", "reattach", "reset", "xml"]


def list_all(conn: Connection) -> tuple[NodeDeviceRecord, ...]:
    """Read every device of the host (``virsh nodedev-list``); none where the driver has no list."""
    return conn.call("list devices of the host", lambda raw: tuple(_all(raw, conn)))


def _all(raw: Any, conn: Connection) -> Iterator[NodeDeviceRecord]:
    try:
        devices = raw.listAllDevices(0)
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT"):
            return
        raise
    now = conn.now()
    for device in devices:
        try:
            text = device.XMLDesc(0)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_NODE_DEVICE"):
                raise
        else:
            yield node_device_record(text, now)


def xml(conn: Connection, name: str) -> str:
    """Return a device's XML (``virsh nodedev-dumpxml``).

    Raises:
        NotFoundError: there is none.
    """
    return str(_on(conn, name, "read", lambda device: device.XMLDesc(0)))


def detach(conn: Connection, name: str, driver: str | None = None) -> None:
    """Take a PCI device from its driver, so that a domain can have it.

    Args:
        conn: the connection.
        name: libvirt's name of the device.
        driver: the driver that takes it: ``vfio``; None for libvirt's choice.

    Raises:
        UnsupportedError: the host has no IOMMU.
    """
    _on(conn, name, "detach", lambda device: device.detachFlags(driver, 0))


def reattach(conn: Connection, name: str) -> None:
    """Give a PCI device back to the host's driver."""
    _on(conn, name, "give back", lambda device: device.reAttach())


def reset(conn: Connection, name: str) -> None:
    """Reset a PCI device."""
    _on(conn, name, "reset", lambda device: device.reset())


def _on(conn: Connection, name: str, verb: str, fn: Callable[[Any], Any]) -> Any:
    return conn.call(
        f"{verb} device {name}",
        lambda raw: fn(raw.nodeDeviceLookupByName(name)),
        timeout_s=SLOW_S,
    )
