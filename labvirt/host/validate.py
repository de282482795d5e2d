"""Offline validation of XML against the libvirt schemas of this machine."""

from __future__ import annotations

from pathlib import Path

from labvirt.model.schema import KINDS, Schema

__all__ = ["SCHEMAS", "require_valid"]

SCHEMAS = Path("/usr/share/libvirt/schemas")


def require_valid(xml: str, kind: str = "domain") -> None:
    """Refuse XML that libvirt's schema refuses, naming element, attribute and what is allowed.

    A machine without libvirt's schemas leaves the verdict to the host, which always validates.

    Raises:
        SpecError: the XML is not valid.
    """
    if (SCHEMAS / KINDS[kind]).exists():
        Schema.load(SCHEMAS).require(xml, kind=kind)
