"""Graphics: the socket of a guest's graphical console, handed over by the daemon itself (VNC)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from labvirt.connection.handles import on_domain
from labvirt.errors import UnsupportedError

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = ["open_graphics"]


def open_graphics(conn: Connection, uuid: str, index: int = 0) -> socket.socket:
    """Return a socket that speaks the protocol of a graphics device; no port is involved.

    The hypervisor treats it as any other client: it asks for a password that the device has.

    Args:
        conn: the connection; only one over this machine's UNIX socket can hand over a socket.
        uuid: which domain.
        index: which of its graphics devices, from 0.

    Raises:
        UnsupportedError: the host is another machine.
        ConflictError: the domain is not running.
        HostError: it has no such device.
    """
    if not conn.uri.is_local:
        raise UnsupportedError(
            f"open the screen of domain {conn.label(uuid)}",
            uri=conn.uri.redacted(),
            libvirt_text="a socket can be handed over on this machine only",
            hint="domain.screenshot() works from anywhere; or run the notebook on that host",
        )
    fd = on_domain(conn, uuid, "open the screen of", lambda raw: int(raw.openGraphicsFD(index, 0)))
    return socket.socket(fileno=fd)
