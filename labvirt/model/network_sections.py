"""What of a network can be changed while it runs, and what two definitions differ in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree

from labvirt.model.xml.network import NetworkXml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

__all__ = ["LIVE_SECTIONS", "EntryChange", "Section", "entry_changes", "later_parts"]


@dataclass(frozen=True)
class Section:
    """A kind of entries that libvirt can change while a network runs.

    Attributes:
        path: where they stand in the network's XML.
        in_place: whether an entry can be changed, and not only added and deleted.
        keys: by which attributes, one group after another, two entries are the same.
    """

    path: str
    in_place: bool
    keys: tuple[tuple[str, ...], ...]


LIVE_SECTIONS: Final[dict[str, Section]] = {
    "ip-dhcp-host": Section(
        "ip/dhcp/host", in_place=True, keys=(("mac",), ("id",), ("name",), ("ip",))
    ),
    "ip-dhcp-range": Section("ip/dhcp/range", in_place=False, keys=(("start", "end"),)),
    "dns-host": Section("dns/host", in_place=False, keys=(("ip",),)),
    "dns-txt": Section("dns/txt", in_place=False, keys=(("name",),)),
    "dns-srv": Section(
        "dns/srv", in_place=False, keys=(("service", "protocol", "domain", "target"),)
    ),
    "portgroup": Section("portgroup", in_place=True, keys=(("name",),)),
    "forward-interface": Section("forward/interface", in_place=False, keys=(("dev",),)),
}
"""By their name in ``virsh net-update``. Of all else (bridge, mtu, domain, ip, forward, route, vlan,
bandwidth) libvirt says that it cannot, or offers no call: that takes effect at the next start."""


@dataclass(frozen=True)
class EntryChange:
    """One entry by which two definitions differ.

    Attributes:
        command: ``add``, ``delete`` or ``modify``.
        section: one of `LIVE_SECTIONS`.
        xml: the entry.
        before: the entry as it was, for ``modify``; else empty.
        place: which ``<ip>`` it belongs to, from 0; -1 for none.
    """

    command: str
    section: str
    xml: str
    before: str
    place: int


def entry_changes(old: NetworkXml, new: NetworkXml) -> Iterator[EntryChange]:
    """Yield what makes the entries of one definition those of another, deletions first."""
    same_ips = [ip.interface for ip in old.ips] == [ip.interface for ip in new.ips]
    for name, section in LIVE_SECTIONS.items():
        if not section.path.startswith("ip/"):
            yield from _changes(name, _entries(old, section), _entries(new, section), -1)
        elif same_ips:
            for place in range(len(old.ips)):
                was, now = (_entries(one, section, place) for one in (old, new))
                yield from _changes(name, was, now, place)


def _entries(document: NetworkXml, section: Section, place: int = -1) -> list[str]:
    if place < 0:
        return [_plain(one) for one in document.element.iterfind(section.path)]
    below = section.path.removeprefix("ip/")
    return [_plain(one) for one in document.ips[place].element.iterfind(below)]


def _plain(element: Element) -> str:
    """Return an element's sense: without white space between tags and order of attributes."""
    text = etree.tostring(element, with_tail=False)
    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)
    return etree.tostring(etree.fromstring(text, parser), method="c14n").decode()


def _changes(name: str, was: list[str], now: list[str], place: int) -> Iterator[EntryChange]:
    gone = [text for text in was if text not in now]
    came = [text for text in now if text not in was]
    if LIVE_SECTIONS[name].in_place:
        for text in list(came):
            old = next((one for one in gone if _owner(one) == _owner(text)), None)
            if old is not None:
                gone.remove(old)
                came.remove(text)
                yield EntryChange("modify", name, text, old, place)
    for text in gone:
        yield EntryChange("delete", name, text, "", place)
    for text in came:
        yield EntryChange("add", name, text, "", place)


def _owner(text: str) -> str:
    """Return whom a reservation is for, or the name of a port group."""
    element = etree.fromstring(text)
    return str(element.get("mac") or element.get("id") or element.get("name"))


def later_parts(old: NetworkXml, new: NetworkXml) -> tuple[str, ...]:
    """Return the names of the elements that differ and take effect at the next start only."""
    was, now = _parts(old), _parts(new)
    return tuple(sorted({name for name in {*was, *now} if was.get(name) != now.get(name)}))


def _parts(document: NetworkXml) -> dict[str, str]:
    """Return the parts of a network by tag, without the entries that can be changed live."""
    copied = NetworkXml.parse(document.text()).element
    for section in LIVE_SECTIONS.values():
        for one in list(copied.iterfind(section.path)):
            _drop(one)
    for path in ("dns", "ip/dhcp"):
        for one in list(copied.iterfind(path)):
            if not len(one) and not one.attrib:
                _drop(one)
    parts = {"network": " ".join(map(str, copied.attrib.items()))}
    for child in copied.iterchildren(tag=etree.Element):
        name = etree.QName(child).localname
        parts[name] = parts.get(name, "") + _plain(child)
    return parts


def _drop(element: Element) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)
