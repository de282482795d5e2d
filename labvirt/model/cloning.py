"""The definition of a clone: what must be fresh in it, and what is worth a word (G17.12, G17.13)."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from labvirt.errors import Problem, SpecError
from labvirt.model.ident import XEN_OUI, new_mac, new_uuid, normal_mac
from labvirt.model.xml.text import XmlDoc
from labvirt.model.xml.view import plain, remove_attribute

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lxml.etree import _Element as Element

    from labvirt.model.xml.chardev import CharXml
    from labvirt.model.xml.domain import DomainXml

__all__ = ["fresh_definition", "fresh_path", "layers_xml"]

_OWN_FILES: Final = ("file", "unix", "pipe", "nmdm")


def fresh_path(path: str, old: str, new: str, *, tail: str = "") -> str:
    """Return the path for the clone of a file: the domain's name in it changed, or the new one added.

    Args:
        path: path of the original's file.
        old: name of the original.
        new: name of the clone.
        tail: what tells files of one domain apart when the name does not: ``vda``.
    """
    folder, name = posixpath.split(path)
    pattern = rf"(?<![A-Za-z0-9]){re.escape(old)}(?![A-Za-z0-9])"
    made, count = re.subn(pattern, lambda _: new, name, count=1)
    if not count:
        stem, suffix = posixpath.splitext(name)
        if len(suffix) > 8:
            stem, suffix = name, ""
        made = f"{new}-{tail}{suffix}" if tail else f"{stem}-{new}{suffix}"
    return posixpath.join(folder, made)


def fresh_definition(
    document: DomainXml,
    name: str,
    uuid: str,
    *,
    taken: Collection[str],
    macs: Mapping[str, str],
    networks: Mapping[str, str],
) -> tuple[dict[str, str], list[str]]:
    """Make a definition that of a clone: everything two domains cannot share is new.

    Disks and NVRAM are left to the caller.

    Args:
        document: the original's definition; changed in place.
        name: name of the clone.
        uuid: UUID of the clone.
        taken: MAC addresses that others have.
        macs: wanted MAC addresses, by the old ones; the others are made.
        networks: other networks or bridges for the interfaces, by the old ones (G17.12-04).

    Returns:
        The new MAC addresses by the old ones, and what is worth a word.

    Raises:
        SpecError: a MAC address of an interface that is not there, or one that is taken.
    """
    old = document.name or ""
    document.name, document.uuid = name, uuid
    document.title = None
    document.id = None
    if document.genid:
        document.genid = new_uuid()
    if document.cmdline and old:
        named = rf"((?:^|\s)(?:systemd\.)?hostname=){re.escape(old)}(?=\s|$)"
        document.cmdline = re.sub(named, rf"\g<1>{name}", document.cmdline)
    _fresh_smbios(document, uuid)
    changed = _fresh_macs(document, taken, macs)
    _other_networks(document, networks)
    for char in (
        *document.serials,
        *document.consoles,
        *document.channels,
        *document.parallels,
    ):
        _fresh_files(document, char, old, name)
    for one in document.graphics:
        if (one.port or -1) > 0 or (one.tls_port or -1) > 0:
            one.set(port=-1, autoport=True)
            one.tls_port = None
        if (one.websocket or -1) > 0:
            one.websocket = -1
        for fact in ("socket", "listen_socket"):
            if getattr(one, fact):
                setattr(one, fact, fresh_path(getattr(one, fact), old, name))
    for cid in document.element.findall("devices/vsock/cid"):
        remove_attribute(cid, "address")
        cid.set("auto", "yes")
    return changed, _notes(document, old)


def _fresh_smbios(document: DomainXml, uuid: str) -> None:
    """Give the SMBIOS tables another UUID and serial numbers, where they are written down."""
    for entry in document.element.iterfind("sysinfo//entry"):
        if entry.get("name") == "uuid":
            entry.text = uuid
        elif entry.get("name") == "serial":
            entry.text = new_uuid()


def _fresh_macs(
    document: DomainXml, taken: Collection[str], macs: Mapping[str, str]
) -> dict[str, str]:
    wanted = {normal_mac(key): normal_mac(value) for key, value in macs.items()}
    own = [one.mac for one in document.interfaces if one.mac]
    unknown = sorted(set(wanted) - set(own))
    if unknown:
        known = ", ".join(own) or "none"
        problem = Problem("macs", unknown[0], "no interface has it", f"there are: {known}")
        raise SpecError("the MAC addresses of the clone", [problem])
    used = {*taken, *own}
    changed: dict[str, str] = {}
    for interface in document.interfaces:
        interface.target_dev = None
        mac = wanted.get(interface.mac or "")
        if mac is not None and mac in used:
            raise SpecError(
                "the MAC addresses of the clone", [Problem("macs", mac, "is another interface's")]
            )
        oui = XEN_OUI if (interface.mac or "").startswith(XEN_OUI) else None
        mac = mac or (new_mac(oui, taken=used) if oui else new_mac(taken=used))
        used.add(mac)
        if interface.mac:
            changed[interface.mac] = mac
        interface.mac = mac
    return changed


def _other_networks(document: DomainXml, networks: Mapping[str, str]) -> None:
    left = set(networks)
    for interface in document.interfaces:
        source = interface.element.find("source")
        if source is None:
            continue
        for key in ("network", "bridge", "dev"):
            was = plain(source.get(key))
            if was is not None and was in networks:
                source.set(key, networks[was])
                left.discard(was)
    if left:
        names = ", ".join(one.source for one in document.interfaces if one.source) or "none"
        why = "no interface is connected to it"
        raise SpecError(
            "the networks of the clone",
            [Problem("networks", min(left), why, f"there are: {names}")],
        )


def _fresh_files(document: DomainXml, char: CharXml, old: str, new: str) -> None:
    """Let a character device write to a file and listen on a socket of its own."""
    if char.log_file:
        char.log_file = fresh_path(char.log_file, old, new)
    path = char.source_path
    if not path or char.type not in _OWN_FILES or char.source_mode == "connect":
        return
    target = getattr(char, "target_name", None)
    if target and target in path:
        # Libvirt's own place for it has the name of the domain in it.
        source = char.element.find("source")
        assert source is not None
        document.doc.remove(source)
        return
    char.source_path = fresh_path(path, old, new)


def _notes(document: DomainXml, old: str) -> list[str]:
    found = [
        f"the {one.element.get('type') or 'host'} device of the host is in both definitions: "
        "only one of the two can run"
        for one in document.hostdevs
    ]
    found += [
        f"both see the folder {path} of the host"
        for one in document.filesystems
        if (path := _folder(one.element)) is not None
    ]
    if document.tpms:
        found.append("the clone's TPM begins empty: what was sealed to the old one stays closed")
    if old and any(old in arg for arg in document.qemu_args):
        found.append(f"an argument for QEMU itself names {old}: look at it")
    return found


def _folder(element: Element) -> str | None:
    source = element.find("source")
    return None if source is None else source.get("dir")


def layers_xml(layers: Mapping[str, str], others: Collection[str]) -> str:
    """Return the XML of a snapshot that puts a qcow2 file over each disk.

    Args:
        layers: path of the new file, by the disk's target.
        others: targets of the disks that stay as they are.
    """
    doc = XmlDoc.new("domainsnapshot")
    disks = etree.SubElement(doc.root, "disks")
    for target, path in layers.items():
        disk = etree.SubElement(disks, "disk", name=target, snapshot="external", type="file")
        etree.SubElement(disk, "driver", type="qcow2")
        etree.SubElement(disk, "source", file=path)
    for target in others:
        etree.SubElement(disks, "disk", name=target, snapshot="no")
    return doc.text()
