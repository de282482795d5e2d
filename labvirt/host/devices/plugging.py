"""A look at a device before it is plugged in: libvirt checks less of it than of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.errors import ConflictError
from labvirt.host.present import twins
from labvirt.host.validate import require_valid
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from labvirt.host.handle import DomainHandle
    from labvirt.model.xml.text import XmlDoc

__all__ = ["require_pluggable"]

#: The least that libvirt's schema calls a domain.
_DOMAIN = """<domain type="qemu"><name>any</name><memory>1</memory><os><type>hvm</type></os>\
<devices/></domain>"""


def require_pluggable(domain: DomainHandle, device: XmlDoc) -> None:
    """Refuse a device that libvirt's schema refuses, or that would bring a twin.

    Args:
        domain: where it is to go.
        device: its XML.

    Raises:
        SpecError: not the XML of a device; names element, attribute and what is allowed.
        ConflictError: another domain has its image, or somebody its MAC address.
    """
    document = DomainXml.parse(_DOMAIN)
    document.add_device(device)
    require_valid(document.text())
    found = list(twins(domain.host, document, domain.uuid))
    macs = {interface.mac for interface in DomainXml.parse(domain.xml()).interfaces}
    found += [
        f"the MAC address {interface.mac} is {domain.name}'s own already"
        for interface in document.interfaces
        if interface.mac in macs
    ]
    if found:
        raise ConflictError(
            f"attach {device.root.tag} to domain {domain.name}",
            uri=domain.host.label,
            libvirt_text="; ".join(found),
            hint="a MAC address is made when there is none; <shareable/> lets guests share a disk",
        )
