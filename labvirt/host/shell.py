"""Shell text: a document fed to a command, so that the line can be pasted as it is."""

from __future__ import annotations

from labvirt.model.redact import redact_xml

__all__ = ["fed"]


def fed(command: str, xml: str) -> str:
    """Return a virsh command that reads this XML, without its secrets, from its standard input."""
    return f"{command} /dev/stdin <<'XML'\n{redact_xml(xml).rstrip()}\nXML"
