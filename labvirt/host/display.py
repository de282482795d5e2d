"""Display: the graphical console of a domain as a socket (G3.1-04, G16.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.errors import ConflictError, UnsupportedError
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from socket import socket

    from labvirt.host.handle import DomainHandle

__all__ = ["open_screen"]


def open_screen(domain: DomainHandle, index: int | None = None) -> socket:
    """Open the VNC device of a running domain; see `InsideVerbs.screen`."""
    asked = f"open the screen of domain {domain.name}"
    label = domain.host.label
    domain.host.require_writable(asked)
    if not domain.is_active:
        raise ConflictError(
            asked, uri=label, libvirt_text="the domain is not running", hint="start it first"
        )
    kinds = [each.type or "" for each in DomainXml.parse(domain.xml()).graphics]
    if index is None and "vnc" in kinds:
        index = kinds.index("vnc")
    chosen = kinds[index] if index is not None and 0 <= index < len(kinds) else None
    if chosen == "vnc" and index is not None:
        return calls.open_graphics(domain.host.connection, domain.uuid, index)
    why, hint = _why(kinds, index, chosen)
    raise UnsupportedError(asked, uri=label, libvirt_text=why, hint=hint)


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
        return words, f"virt-viewer shows it; or {add}"
    return f"the graphics device is {kind!r}, not VNC", add
