"""Graphics: a socket to a guest's VNC display, wherever the host is.

On this machine the daemon hands over the socket itself, and no port is involved. Of a host that is
reached by ssh, the display's port or UNIX socket comes through ssh; the other end is then checked to
be this domain's display: the domain said the same about it before and after the connection was made.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.connection.handles import on_domain
from labvirt.connection.tunnel import Tunnel, broken, open_tunnel
from labvirt.connection.vnc_tls import secure
from labvirt.errors import ConflictError, ConnectionLostError, UnsupportedError
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection

__all__ = ["open_graphics"]

_SSH: Final = ("ssh", "libssh", "libssh2")
_GREETING: Final = b"RFB "
#: The host is another machine, ssh has to log in.
_PATIENCE_S: Final = 20.0
_LOOPBACK: Final = "listen='127.0.0.1' of its GraphicsSpec, from the next start on"


@dataclass(frozen=True)
class Display:
    """Where a running domain's display is; `run` is the domain's number, another one each start."""

    run: int
    address: str = ""
    port: int = 0
    path: str = ""


def open_graphics(conn: Connection, uuid: str, index: int = 0) -> socket.socket:
    """Return a socket that speaks the protocol of a graphics device.

    The hypervisor treats it as any other client: it asks for a password that the device has.

    Args:
        conn: the connection. Over this machine's UNIX socket, any display will do; over ssh, one
            that listens on a port or a socket of the host; over tls and tcp, one that listens on
            an address that this machine reaches, over tls only with VNC's own TLS (G13.2-01).
        uuid: which domain.
        index: which of its graphics devices, from 0.

    Raises:
        UnsupportedError: the display cannot be reached from here; says what would.
        ConflictError: the domain is not running, or its display changed meanwhile.
        AccessDeniedError: ssh or TLS refused.
        ConnectionLostError: nothing answers.
        HostError: it has no such device.
    """
    asked = "open the screen of"
    if conn.uri.is_local:
        fd = on_domain(conn, uuid, asked, lambda raw: int(raw.openGraphicsFD(index, 0)))
        return socket.socket(fileno=fd)
    display = _display(conn, uuid, index)
    opened = _connected(conn, f"{asked} domain {conn.label(uuid)}", display)
    try:
        now = _display(conn, uuid, index)
    except BaseException:
        opened.close()
        raise
    if now != display:
        opened.close()
        raise ConflictError(
            f"{asked} domain {conn.label(uuid)}",
            uri=conn.uri.redacted(),
            libvirt_text="the domain started anew or its display moved while it was being opened",
            hint="try again",
        )
    return opened


def _display(conn: Connection, uuid: str, index: int) -> Display:
    """Ask the domain where its display is."""

    def read(raw: Any) -> tuple[int, str]:
        return raw.ID(), raw.XMLDesc(0)

    run, text = on_domain(conn, uuid, "look for the screen of", read)
    asked = f"open the screen of domain {conn.label(uuid)}"
    if run < 0:
        hint = "start it first"
        why = "the domain is not running"
        raise ConflictError(asked, uri=conn.uri.redacted(), libvirt_text=why, hint=hint)
    found = DomainXml.parse(text).graphics
    view = found[index] if index < len(found) else None
    path = (view.listen_socket or view.socket or "") if view is not None else ""
    address = (view.listen_address or view.listen or "") if view is not None else ""
    port = (view.port or 0) if view is not None else 0
    if path:
        return Display(run, path=path)
    if port > 0 and re.fullmatch(r"[\w:][\w.:-]*", address):
        return Display(run, address=address, port=port)
    raise UnsupportedError(
        asked,
        uri=conn.uri.redacted(),
        libvirt_text="its display listens nowhere, and only on the host itself could be handed over",
        hint=f"{_LOOPBACK}, and a connection by ssh; or run the notebook on that host; "
        "domain.screenshot() works from anywhere",
    )


def _connected(conn: Connection, asked: str, display: Display) -> socket.socket:
    transport = conn.uri.effective_transport
    if transport in _SSH:
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(display.address, display.address)  # noqa: S104
        tunnel = open_tunnel(
            conn.uri, asked, address=address, port=display.port, path=display.path,
            timeout_s=_PATIENCE_S,
        )  # fmt: skip
        return _greeted(conn, asked, tunnel)
    if transport not in ("tcp", "tls"):
        raise UnsupportedError(
            asked,
            uri=conn.uri.redacted(),
            libvirt_text=f"no way to a display is known beside a {transport!r} connection",
            hint=f"open the host by ssh: qemu+ssh://user@{conn.uri.host or 'host'}/system",
        )
    return _direct(conn, asked, display, encrypted=transport == "tls")


def _direct(conn: Connection, asked: str, display: Display, *, encrypted: bool) -> socket.socket:
    """Connect without ssh: the display must listen where this machine reaches it."""
    host = conn.uri.host
    ssh = f"open the host by ssh, which brings its displays too: qemu+ssh://user@{host}/system"
    if display.path or (_is_loopback(display.address) and not _is_here(conn)):
        where = display.path or display.address
        raise UnsupportedError(
            asked,
            uri=conn.uri.redacted(),
            libvirt_text=f"its display listens on {where} of the host only",
            hint=f"{ssh}; or let it listen on an address of the host, with VNC's TLS",
        )
    target = host if display.address in ("0.0.0.0", "::") else display.address  # noqa: S104
    try:
        opened = socket.create_connection((target, display.port), _PATIENCE_S)
    except OSError as error:
        raise ConnectionLostError(
            asked,
            uri=conn.uri.redacted(),
            libvirt_text=f"{target} port {display.port}: {error.strerror or error}",
            hint=f"check the firewall between here and the host; or {ssh}",
        ) from error
    opened.settimeout(None)
    greeted = _greeted(conn, asked, opened)
    return secure(greeted, conn.uri, asked, timeout_s=_PATIENCE_S) if encrypted else greeted


def _is_loopback(address: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(address).is_loopback
    return address == "localhost"


def _is_here(conn: Connection) -> bool:
    """Whether a TCP connection leads to this machine itself, and not through a port forwarding."""
    if not _is_loopback(conn.uri.host):
        return False
    asked = "ask the host for its name"
    return str(conn.call(asked, lambda raw: raw.getHostname())) == socket.gethostname()


def _greeted(conn: Connection, asked: str, opened: socket.socket) -> socket.socket:
    """Return the socket when a VNC server is at its other end; nothing is taken from it."""
    seen, why = b"", "nothing came in time"
    try:
        opened.settimeout(_PATIENCE_S)
        seen = opened.recv(len(_GREETING), socket.MSG_PEEK)
        why = "the other end hung up"
    except OSError as error:
        why = error.strerror or str(error) or why
    if _GREETING.startswith(seen) and seen:
        opened.settimeout(None)
        return opened
    said = opened.complaints() if isinstance(opened, Tunnel) and not seen else ""
    opened.close()
    if seen:
        why = "what answers there is no VNC server"
        raise ConflictError(asked, uri=conn.uri.redacted(), libvirt_text=why)
    if isinstance(opened, Tunnel):
        raise broken(conn.uri, asked, said or why)
    raise ConnectionLostError(asked, uri=conn.uri.redacted(), libvirt_text=why)
