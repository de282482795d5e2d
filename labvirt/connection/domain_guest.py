"""Reaching into a guest: its agent, names and addresses, its screen and its keyboard."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import libvirt
import libvirt_qemu  # type: ignore[import-untyped] # ships no type information

from labvirt.connection.handles import on_domain
from labvirt.connection.keycodes import CODESETS
from labvirt.errors import HostError, SpecError
from labvirt.status.domain import AddressRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.connection.connection import Connection

__all__ = [
    "Screenshot",
    "agent",
    "guest_hostname",
    "interface_addresses",
    "screenshot",
    "send_key",
]

_ADDRESS_SOURCES = {
    "lease": libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
    "agent": libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
    "arp": libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
}
_NAME_SOURCES = {
    None: 0,
    "lease": libvirt.VIR_DOMAIN_GET_HOSTNAME_LEASE,
    "agent": libvirt.VIR_DOMAIN_GET_HOSTNAME_AGENT,
}
#: Largest picture taken from a host, bytes.
_PICTURE_LIMIT = 64 << 20
#: VIR_DOMAIN_SEND_KEY_MAX_KEYS, which libvirt-python leaves out.
_KEYS_LIMIT = 16


@dataclass(frozen=True, slots=True)
class Screenshot:
    """A picture of a guest's screen; shows itself in a notebook cell.

    Attributes:
        mime: ``image/png`` from today's QEMU, ``image/x-portable-pixmap`` from one before 7.1.
        data: the picture.
    """

    mime: str
    data: bytes = field(repr=False)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        if self.mime != "image/png":
            return {"text/plain": repr(self)}
        return {self.mime: base64.b64encode(self.data).decode(), "text/plain": repr(self)}


def interface_addresses(
    conn: Connection, uuid: str, *, source: str = "lease"
) -> tuple[AddressRecord, ...]:
    """Return the addresses of a guest's interfaces.

    Args:
        conn: the connection.
        uuid: which domain.
        source: ``lease`` (DHCP server of the host's networks), ``agent`` (the guest itself), or
            ``arp`` (the host's ARP table; broken in libvirt 9.0 on new kernels).

    Raises:
        ConflictError: the domain is not active, or the agent does not answer.
    """
    if source not in _ADDRESS_SOURCES:
        raise SpecError(f"the source {source!r} is not known", hint=", ".join(_ADDRESS_SOURCES))
    told = on_domain(
        conn,
        uuid,
        f"ask ({source}) for the addresses of",
        lambda domain: domain.interfaceAddresses(_ADDRESS_SOURCES[source], 0),
    )
    return tuple(
        AddressRecord(
            interface=name,
            mac=(facts["hwaddr"] or "").lower(),
            family="ipv6" if found["type"] == libvirt.VIR_IP_ADDR_TYPE_IPV6 else "ipv4",
            address=found["addr"],
            prefix=found["prefix"],
            source=source,
        )
        for name, facts in told.items()
        for found in facts["addrs"] or ()
    )


def guest_hostname(conn: Connection, uuid: str, *, source: str | None = None) -> str:
    """Return the name a guest calls itself.

    Args:
        conn: the connection.
        uuid: which domain.
        source: ``lease`` or ``agent``; None lets the driver choose.

    Raises:
        HostError: nobody told a name.
    """
    if source not in _NAME_SOURCES:
        raise SpecError(f"the source {source!r} is not known", hint="lease or agent")
    flags = _NAME_SOURCES[source]
    return on_domain(conn, uuid, "ask for the host name of", lambda d: str(d.hostname(flags)))


def agent(
    conn: Connection, uuid: str, command: Mapping[str, Any], timeout_s: float = 10.0
) -> dict[str, Any]:
    """Send one command to the guest agent of a QEMU domain and return its whole answer.

    Args:
        conn: the connection.
        uuid: which domain.
        command: e.g. ``{"execute": "guest-ping"}``.
        timeout_s: how long the agent may take, seconds.

    Returns:
        E.g. ``{"return": {}}``.

    Raises:
        ConflictError: no agent is connected, or it does not answer in time.
    """
    text = json.dumps(command)
    limit = max(1, round(timeout_s))

    def ask(domain: Any) -> str | None:
        answer: str | None = libvirt_qemu.qemuAgentCommand(domain, text, limit, 0)
        return answer

    asked = f"tell the guest agent {command.get('execute')} in"
    answer = on_domain(conn, uuid, asked, ask, timeout_s=limit + 5.0)
    try:
        parsed = json.loads(answer or "{}")
    except ValueError as error:
        raise HostError(
            f"{asked} domain {conn.label(uuid)}",
            uri=conn.uri.redacted(),
            libvirt_text=f"the agent's answer is no JSON: {str(answer)[:80]!r}",
        ) from error
    return parsed if isinstance(parsed, dict) else {"return": parsed}


def screenshot(conn: Connection, uuid: str, *, screen: int = 0) -> Screenshot:
    """Take a picture of a running guest's screen.

    Args:
        conn: the connection.
        uuid: which domain.
        screen: which of its screens.

    Raises:
        ConflictError: it is not running.
        UnsupportedError: it has no screen.
    """

    def take(raw: Any) -> Screenshot:
        stream = raw.newStream(0)
        try:
            mime = raw.lookupByUUIDString(uuid).screenshot(stream, screen, 0)
            data = bytearray()
            while (piece := stream.recv(256 << 10)) and len(data) < _PICTURE_LIMIT:
                data += piece
        except libvirt.libvirtError:
            _abort(stream)
            raise
        stream.finish()
        return Screenshot(mime, bytes(data))

    return conn.call(f"take a screenshot of domain {conn.label(uuid)}", take)


def _abort(stream: Any) -> None:
    try:
        stream.abort()
    except libvirt.libvirtError:
        return  # it was never opened


def send_key(
    conn: Connection, uuid: str, codeset: str, keys: Sequence[int], hold_ms: int = 0
) -> None:
    """Press keys together and let go of them.

    Args:
        conn: the connection.
        uuid: which domain.
        codeset: which numbers these are: ``linux`` (see `KEYCODES`), ``xt``, ``usb`` ...
        keys: 1 to 16 key codes.
        hold_ms: how long they are held, milliseconds.

    Raises:
        SpecError: an unknown codeset, or no or too many keys.
    """
    if codeset not in CODESETS:
        raise SpecError(f"the codeset {codeset!r} is not known", hint=", ".join(CODESETS))
    if not 1 <= len(keys) <= _KEYS_LIMIT:
        raise SpecError(f"{len(keys)} keys at a time cannot be pressed", hint=f"1 to {_KEYS_LIMIT}")
    codes = list(keys)
    number = CODESETS[codeset]
    on_domain(
        conn, uuid, "press keys in", lambda d: d.sendKey(number, hold_ms, codes, len(codes), 0)
    )
