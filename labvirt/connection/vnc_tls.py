"""VNC through TLS with certificates (VeNCrypt, X.509): the page's end stays plain RFB.

The browser's VNC client cannot check a certificate of a host, so this side does: it speaks VeNCrypt
and TLS with the display and hands on what is inside, log-in included.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import AccessDeniedError, ConnectionLostError, LabvirtError, UnsupportedError

if TYPE_CHECKING:
    import ssl

    from labvirt.model.uri import Uri

__all__ = ["secure"]

_VERSION: Final = b"RFB 003.008\n"
_VENCRYPT: Final = 19
#: VeNCrypt's kinds with a certificate, and what they are inside: no password, or VNC's.
_INSIDE: Final = {260: 1, 261: 2}
_PIECE: Final = 256 << 10


def secure(opened: socket.socket, uri: Uri, asked: str, *, timeout_s: float) -> socket.socket:
    """Return a plain socket to an encrypted display; the display's certificate is checked.

    Args:
        opened: connected to the display, nothing read yet; it is closed when this fails.
        uri: of the connection: its host is the name in the certificate; ``pkipath`` and
            ``no_verify`` count.
        asked: what it is for, for errors.
        timeout_s: limit for the handshake.

    Raises:
        UnsupportedError: the display does not speak TLS with certificates.
        AccessDeniedError: a certificate was refused.
        ConnectionLostError: the display hung up.
    """
    import ssl

    try:
        opened.settimeout(timeout_s)
        inside = _VeNCrypt(opened, uri, asked).choose()
        within = _context(uri, asked).wrap_socket(opened, server_hostname=uri.host)
    except ssl.SSLError as error:
        opened.close()
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        raise AccessDeniedError(
            asked,
            uri=uri.redacted(),
            libvirt_text=f"TLS with the display failed: {why}",
            hint="check cacert.pem here, server-cert.pem in the host's vnc_tls_x509_cert_dir, and "
            f"the name in it: it must be {uri.host}",
        ) from error
    except OSError as error:
        opened.close()
        why = error.strerror or str(error)
        raise ConnectionLostError(asked, uri=uri.redacted(), libvirt_text=why) from error
    except LabvirtError:
        opened.close()
        raise
    here, there = socket.socketpair()
    threading.Thread(
        target=_carry, args=(within, there, inside), name="labvirt-vnc-tls", daemon=True
    ).start()
    return here


class _VeNCrypt:
    """The talk with the display before TLS begins."""

    def __init__(self, opened: socket.socket, uri: Uri, asked: str) -> None:
        self._opened, self._uri, self._asked = opened, uri, asked

    def choose(self) -> int:
        """Return what is inside: RFB's number for no password or for VNC's."""
        _exactly(self._opened, 12)
        self._opened.sendall(_VERSION)
        if _VENCRYPT not in _exactly(self._opened, _exactly(self._opened, 1)[0]):
            raise self._refusal("its display is not encrypted, and the connection is")
        self._opened.sendall(bytes([_VENCRYPT]))
        _exactly(self._opened, 2)
        self._opened.sendall(b"\x00\x02")
        if _exactly(self._opened, 1) != b"\x00":
            raise self._refusal("its display speaks another VeNCrypt than 0.2")
        count = _exactly(self._opened, 1)[0]
        kinds = struct.unpack(f">{count}I", _exactly(self._opened, 4 * count))
        chosen = next((kind for kind in kinds if kind in _INSIDE), None)
        if chosen is None:
            raise self._refusal(f"its display has no certificate or asks for SASL: kinds {kinds}")
        self._opened.sendall(struct.pack(">I", chosen))
        if _exactly(self._opened, 1) != b"\x01":
            raise self._refusal("its display refused TLS")
        return _INSIDE[chosen]

    def _refusal(self, why: str) -> UnsupportedError:
        return UnsupportedError(
            self._asked,
            uri=self._uri.redacted(),
            libvirt_text=why,
            hint="vnc_tls=1 and vnc_tls_x509_cert_dir in the host's qemu.conf; or open the host "
            f"by ssh, which brings its displays too: qemu+ssh://user@{self._uri.host}/system",
        )


def _context(uri: Uri, asked: str) -> ssl.SSLContext:
    """Return the certificates: those of ``pkipath``, else where VNC clients and libvirt keep them."""
    import ssl

    given = uri.param("pkipath")
    home, system = Path.home() / ".pki", Path("/etc/pki")
    folders = [Path(given)] if given else [home / "CA", home / "libvirt", system / "CA"]
    authority = next((p for each in folders if (p := each / "cacert.pem").is_file()), None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if uri.flag("no_verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif authority is None:
        raise AccessDeniedError(
            asked,
            uri=uri.redacted(),
            libvirt_text="there is no cacert.pem to check the display's certificate with",
            hint="looked in " + ", ".join(map(str, folders)),
        )
    else:
        context.load_verify_locations(authority)
    owners = [home / "libvirt-vnc", system / "libvirt-vnc", home / "libvirt", system / "libvirt"]
    for folder in [Path(given)] if given else owners:
        for key in (folder / "clientkey.pem", folder / "private" / "clientkey.pem"):
            if (folder / "clientcert.pem").is_file() and key.is_file():
                context.load_cert_chain(folder / "clientcert.pem", key)
                return context
    return context


def _exactly(opened: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = opened.recv(size - len(found))
        if not piece:
            raise ConnectionResetError("the display hung up")
        found += piece
    return found


def _carry(within: ssl.SSLSocket, there: socket.socket, inside: int) -> None:
    """Play the server's beginning to the page's client, then hand on bytes both ways."""
    with contextlib.suppress(OSError), within, there:
        there.sendall(_VERSION)
        _exactly(there, 12)
        there.sendall(bytes([1, inside]))
        if _exactly(there, 1)[0] != inside:
            return
        within.settimeout(0)  # a record without data (a ticket) must not hold up what is typed
        while _once(within, there):
            pass


def _once(within: ssl.SSLSocket, there: socket.socket) -> bool:
    waiting = () if within.pending() else select.select([within, there], [], [])[0]
    if not waiting or within in waiting:
        data = _now(within.recv, _PIECE)
        if data == b"":
            return False
        there.sendall(data or b"")
    if there in waiting:
        typed = there.recv(_PIECE)
        while typed:
            sent = _now(within.send, typed)
            if sent is None:
                select.select([], [within], [], 1.0)
            typed = typed[sent or 0 :]
            if not typed:
                return True
        return False
    return True


def _now(call: Any, what: Any) -> Any:
    """Call, or return None when TLS has to wait for the network."""
    import ssl

    try:
        return call(what)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
