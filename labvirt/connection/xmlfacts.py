"""A few facts read out of the XML that libvirt itself writes; asking and editing is `model`'s.

The standard library's parser is enough and fast here: the text comes from libvirt's own writer,
which puts no DTD and no entity into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from labvirt.model.xml.view import NAMESPACES

__all__ = ["DomainFacts", "domain_facts", "element_text", "memory_balloon", "name_in"]

_LABVIRT = f"{{{NAMESPACES['labvirt']}}}"
_OSINFO = "{http://libosinfo.org/xmlns/libvirt/domain/1.0}"


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What a domain's record needs from its XML.

    Attributes:
        os_type: ``hvm``, ``linux``, ``exe``; empty when not said.
        title: the title; empty when none.
        tags: labvirt's tags.
        description: the description; empty when none.
        os: short name of the operating system that libosinfo's metadata names; empty when not said.
        macs: hardware addresses of the interfaces, lower case.
    """

    os_type: str
    title: str
    tags: tuple[str, ...]
    description: str = ""
    os: str = ""
    macs: tuple[str, ...] = ()


def _root(xml: str) -> ET.Element:
    return ET.fromstring(xml)  # noqa: S314 - libvirt's own output, see the docstring


def domain_facts(xml: str) -> DomainFacts:
    """Return the facts of a domain's record."""
    root = _root(xml)
    tags = root.iterfind(f"metadata/{_LABVIRT}labvirt/{_LABVIRT}tag")
    return DomainFacts(
        os_type=root.findtext("os/type", "").strip(),
        title=root.findtext("title", ""),
        tags=tuple(text for tag in tags if (text := (tag.text or "").strip())),
        description=root.findtext("description", ""),
        os=_os_name(root),
        macs=tuple(
            mac.get("address", "").lower() for mac in root.iterfind("devices/interface/mac")
        ),
    )


def _os_name(root: ET.Element) -> str:
    """Return ``debian 12`` for ``http://debian.org/debian/12``, as virt-manager's forms write it."""
    found = root.find(f"metadata/{_OSINFO}libosinfo/{_OSINFO}os")
    parts = (
        found.get("id", "").split("://")[-1].strip("/").split("/")[1:] if found is not None else []
    )
    return " ".join(part for part in parts if part)


def element_text(xml: str, *paths: str) -> tuple[str, ...]:
    """Return texts or attributes (``target/format@type``) of a document; empty where absent."""
    root = _root(xml)
    found = []
    for path in paths:
        where, _, attribute = path.partition("@")
        element = root.find(where) if where else root
        if element is None:
            found.append("")
        else:
            found.append(element.get(attribute, "") if attribute else (element.text or "").strip())
    return tuple(found)


def name_in(xml: str) -> str:
    """Return the name in an XML for a message, without parsing what may be broken or hostile."""
    start = xml.find("<name>")
    end = xml.find("</name>", start)
    found = xml[start + 6 : end] if 0 <= start < end else ""
    return found if len(found) <= 80 and found.isprintable() else ""


def memory_balloon(xml: str) -> tuple[str, int]:
    """Return the model of a domain's balloon (empty: none) and its statistics' period (0: off)."""
    balloon = _root(xml).find("./devices/memballoon")
    if balloon is None:
        return "", 0
    stats = balloon.find("stats")
    return balloon.get("model", ""), int(stats.get("period", "0")) if stats is not None else 0
