"""Display: the graphical console of a domain as a socket (G3.1-04, G16.4)."""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.errors import ConflictError, UnsupportedError
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from socket import socket

    from labvirt.host.handle import DomainHandle

__all__ = ["ScreenPlace", "open_screen", "screen_place"]

#: The guest's end of a clipboard is this program of SPICE, whatever the display is.
_AGENT = "com.redhat.spice.0"


@dataclass(frozen=True)
class ScreenPlace:
    """Where the VNC display of a domain listens (G16.4-02).

    Attributes:
        index: which of the ``<graphics>`` devices, from 0.
        address: of the host; empty when it listens on no address.
        port: TCP port; 0 without one, also before libvirt has chosen it.
        path: of a UNIX socket of the host.
        has_clipboard: a channel carries the clipboard between display and guest.
    """

    index: int
    address: str = ""
    port: int = 0
    path: str = ""
    has_clipboard: bool = False

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of the host reach it."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.address).is_loopback
        return self.address == "localhost"

    @property
    def is_everywhere(self) -> bool:
        """Whether it listens on all addresses of the host."""
        return self.address in {"0.0.0.0", "::"}  # noqa: S104 - compared


def open_screen(domain: DomainHandle, index: int | None = None) -> socket:
    """Open the VNC device of a running domain; see `InsideVerbs.screen`."""
    asked = f"open the screen of domain {domain.name}"
    label = domain.host.label
    domain.host.require_writable(asked)
    if not domain.is_active:
        raise ConflictError(
            asked, uri=label, libvirt_text="the domain is not running", hint="start it first"
        )
    place = screen_place(domain, index)
    return calls.open_graphics(domain.host.connection, domain.uuid, place.index)


def screen_place(domain: DomainHandle, index: int | None = None) -> ScreenPlace:
    """Return where the VNC display of a domain listens.

    Args:
        domain: whose.
        index: which of its graphics devices, from 0; None for the first of VNC.

    Raises:
        UnsupportedError: it has no such device, or it is not VNC.
    """
    document = DomainXml.parse(domain.xml())
    kinds = [each.type or "" for each in document.graphics]
    if index is None and "vnc" in kinds:
        index = kinds.index("vnc")
    chosen = kinds[index] if index is not None and 0 <= index < len(kinds) else None
    if chosen != "vnc" or index is None:
        asked = f"open the screen of domain {domain.name}"
        why, hint = _why(kinds, index, chosen)
        raise UnsupportedError(asked, uri=domain.host.label, libvirt_text=why, hint=hint)
    view = document.graphics[index]
    path = view.listen_socket or view.socket or ""
    port = view.port if not path and view.port is not None and view.port > 0 else 0
    return ScreenPlace(
        index=index,
        address=(view.listen_address or view.listen or "") if not path else "",
        port=port,
        path=path,
        has_clipboard=any(
            each.type == "qemu-vdagent" and each.target_name == _AGENT for each in document.channels
        ),
    )


def _why(kinds: list[str], index: int | None, chosen: str | None) -> tuple[str, str]:
    """Return what is missing, and what to do about it."""
    add = "add one and start the domain anew: graphics=lv.GraphicsSpec(kind='vnc', listen='none')"
    if not kinds:
        return "the domain has no graphics device", add
    if index is not None and chosen is None:
        words = f"it has {len(kinds)} graphics devices, numbered from 0"
        return words, f"an index below {len(kinds)}"
    kind = chosen or kinds[0]
    if kind == "spice":
        words = "the graphics device speaks SPICE, which is not spoken here"
        return words, (
            "domain.screenshot() takes its picture and domain.send_key() presses keys; virt-viewer "
            "shows it; or give the domain a VNC device beside it, from the next start on: "
            "graphics=lv.GraphicsSpec(kind='vnc', listen='none')"
        )
    return f"the graphics device is {kind!r}, not VNC", add
