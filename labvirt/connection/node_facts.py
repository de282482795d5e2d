"""Small facts of a host that a pre-flight asks for: memory that can be had, network devices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import size_of, size_of_kib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labvirt.connection.connection import Connection
    from labvirt.model.units import Size

__all__ = ["available_memory", "network_devices"]

#: libvirt's name of a network device: net_eth0_52_54_00_00_00_01
_NET_NAME = re.compile(r"net_(?P<name>.+?)(_[0-9a-f]{2}){6,}")


def available_memory(conn: Connection) -> Size:
    """Return the memory that a new guest could have, bytes: free, and caches that can be given up."""

    def look(raw: Any) -> Size:
        try:
            found = raw.getMemoryStats(-1, 0)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_SUPPORT", "OPERATION_UNSUPPORTED"):
                raise
            return size_of(raw.getFreeMemory())
        return size_of_kib(sum(found.get(name, 0) for name in ("free", "buffers", "cached")))

    return conn.call("read the memory of the host", look)


def network_devices(conn: Connection) -> frozenset[str] | None:
    """Return the names of the host's bridges and network cards; None when it does not tell.

    What is not known to its device list may be known as an interface, and the other way round.
    """

    def look(raw: Any) -> frozenset[str] | None:
        found: set[str] = set()
        answers = [
            _added(found, lambda: (one.name() for one in raw.listAllInterfaces(0))),
            _added(
                found,
                lambda: (
                    match["name"]
                    for name in raw.listDevices("net", 0)
                    if (match := _NET_NAME.fullmatch(name))
                ),
            ),
        ]
        return frozenset(found) if any(answers) else None

    return conn.call("list the network devices of the host", look)


def _added(found: set[str], names: Callable[[], Iterable[str]]) -> bool:
    try:
        found.update(names())
    except libvirt.libvirtError as error:
        if not is_code(error, "NO_SUPPORT", "OPERATION_UNSUPPORTED", "NO_CONNECT"):
            raise
        return False
    return True
