"""Sources of which pools can be made: what a server offers, and the free devices of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.connection import pool as pools
from labvirt.errors import Problem, SpecError, UnsupportedError
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.pool_check import busy_device
from labvirt.host.storage.pool_types import require_type
from labvirt.model.pool import PoolHost
from labvirt.model.pool_types import POOL_TYPES
from labvirt.model.units import Size
from labvirt.model.xml.pool import PoolHostXml, PoolXml
from labvirt.model.xml.text import XmlDoc
from labvirt.status import SourceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.host import Host

__all__ = ["discover_sources"]

_DEVICES = ("disk", "fs")


def discover_sources(
    host: Host, kind: str, *, server: str | None = None, initiator: str | None = None
) -> tuple[SourceRecord, ...]:
    """Return sources of pools of one kind; see `Host.discover_sources`."""
    asked = f"look for sources of {kind} pools"
    known = POOL_TYPES.get(kind)
    if known is None or not (known.finds or kind in _DEVICES):
        able = [one.kind for one in POOL_TYPES.values() if one.finds or one.kind in _DEVICES]
        why = "is no kind that can be looked for"
        raise SpecError(asked, [Problem("kind", kind, why, ", ".join(able))])
    if kind in _DEVICES:
        return _devices(host, kind, asked)
    require_type(host, kind, asked)
    source = None
    if kind != "logical":
        if server is None:
            raise SpecError(asked, [Problem("host", "", "is missing: who is asked?", "nas1:3260")])
        place = PoolHost.model_validate(server)
        view = PoolXml.new(type=kind)
        view.hosts.append(PoolHostXml.new(name=place.name, port=place.port))
        view.set(initiator=initiator)
        source = view.hosts[0].element.getparent()
    text = None if source is None else _text(source)
    found = XmlDoc.parse(pools.find_sources(host.connection, kind, text)).root
    return tuple(_record(kind, one) for one in found.iterfind("source"))


def _text(element: Any) -> str:
    from labvirt.model.xml.view import View

    return View(element, XmlDoc(element, None)).text()


def _record(kind: str, element: Any) -> SourceRecord:
    def at(path: str, name: str) -> str:
        found = element.find(path)
        return "" if found is None else found.get(name, "")

    port = at("host", "port")
    return SourceRecord(
        kind=kind,
        host=at("host", "name"),
        port=int(port) if port.isdecimal() else None,
        dir=at("dir", "path"),
        device=at("device", "path"),
        name=(element.findtext("name") or "").strip(),
        format=at("format", "type"),
    )


def _devices(host: Host, kind: str, asked: str) -> tuple[SourceRecord, ...]:
    files = HostFiles.of(host)
    if files is None:
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text="the host is another machine: its devices cannot be seen from here",
            hint="lsblk there",
        )
    return tuple(_block_devices(files, kind))


def _block_devices(files: HostFiles, kind: str) -> Iterator[SourceRecord]:
    """Yield block devices that have a size, and what they are used for (G4.2-10)."""
    for place in sorted(Path("/sys/class/block").iterdir()):
        try:
            size = int((place / "size").read_text()) * 512
        except OSError:
            continue
        is_part = (place / "partition").exists()
        info = files.stat(f"/dev/{place.name}")
        if not size or info is None or (kind == "disk" and is_part):
            continue
        used = busy_device(files, info.st_rdev)
        yield SourceRecord(
            kind=kind,
            device=f"/dev/{place.name}",
            note=f"{Size(size)}{', ' + used if used else ', free'}",
        )
