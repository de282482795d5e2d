"""Network filters: listing, reading, defining, undefining, and where they are in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import find_uuid, flag
from labvirt.errors import UnsupportedError
from labvirt.model.xml.text import XmlDoc
from labvirt.status.nwfilter import FilterBindingRecord, NwFilterRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.connection.connection import Connection

__all__ = ["bindings", "define", "find", "list_all", "undefine", "xml"]

T = TypeVar("T")
_ABSENT = "a host that is opened by its system URI has them"


def _call(conn: Connection, asked: str, fn: Callable[[Any], T]) -> T:
    """Run a call; a driver that is absent is told as such."""
    if conn.uri.path == "/session":
        # It lists nothing and says of a definition only that it "is not valid" in session mode.
        text = "the daemon of an ordinary user (session) has no network filters"
        raise UnsupportedError(asked, uri=conn.uri.redacted(), libvirt_text=text, hint=_ABSENT)
    return conn.call(asked, fn)


def list_all(conn: Connection) -> tuple[NwFilterRecord, ...]:
    """Read the names of all network filters (``virsh nwfilter-list``).

    Raises:
        UnsupportedError: this driver has none (session).
    """
    return _call(
        conn,
        "list network filters",
        lambda raw: tuple(
            NwFilterRecord(uuid=one.UUIDString(), name=one.name(), read_at=conn.now())
            for one in raw.listAllNWFilters(0)
        ),
    )


def find(conn: Connection, key: str) -> str:
    """Return the UUID of the filter with a name or a UUID.

    Raises:
        NotFoundError: there is none; suggests the nearest name.
        UnsupportedError: this driver has none (session).
    """
    list_all(conn)
    return find_uuid(
        conn,
        key,
        "nwfilter",
        by_name=lambda raw, name: raw.nwfilterLookupByName(name),
        by_uuid=lambda raw, text: raw.nwfilterLookupByUUIDString(text),
        by_id=None,
        names=lambda raw: [one.name() for one in raw.listAllNWFilters(0)],
        missing="NO_NWFILTER",
    )


def xml(conn: Connection, uuid: str) -> str:
    """Return a filter's XML (``virsh nwfilter-dumpxml``).

    Raises:
        NotFoundError: it is gone.
    """
    asked = f"read the XML of network filter {conn.label(uuid)}"
    return _call(conn, asked, lambda raw: str(raw.nwfilterLookupByUUIDString(uuid).XMLDesc(0)))


def define(conn: Connection, xml: str) -> str:
    """Store a filter, or change the one of the same name and UUID; running guests get the change.

    Returns:
        Its UUID.

    Raises:
        SpecError: libvirt does not accept the XML.
        ConflictError: the name or the UUID belongs to another filter.
    """

    def make(raw: Any) -> tuple[str, str]:
        flags = flag("NWFILTER_DEFINE_VALIDATE")
        made = raw.nwfilterDefineXMLFlags(xml, flags) if flags else raw.nwfilterDefineXML(xml)
        return made.UUIDString(), made.name()

    uuid, name = _call(conn, "define a network filter", make)
    conn.learn(uuid, name)
    return uuid


def undefine(conn: Connection, uuid: str) -> None:
    """Remove a filter.

    Raises:
        ConflictError: a guest or another filter uses it.
    """
    asked = f"undefine network filter {conn.label(uuid)}"
    _call(conn, asked, lambda raw: raw.nwfilterLookupByUUIDString(uuid).undefine())


def bindings(conn: Connection) -> tuple[FilterBindingRecord, ...]:
    """Read on which ports of the host which filters are in force (``nwfilter-binding-list``).

    Raises:
        UnsupportedError: this driver has none (session).
    """

    def read(raw: Any) -> tuple[FilterBindingRecord, ...]:
        found = []
        for one in raw.listAllNWFilterBindings(0):
            try:
                found.append(_binding(one.XMLDesc(0)))
            except libvirt.libvirtError as error:
                if not is_code(error, "NO_NWFILTER_BINDING"):
                    raise
        return tuple(found)

    return _call(conn, "list the bindings of network filters", read)


def _binding(text: str) -> FilterBindingRecord:
    root = XmlDoc.parse(text).root
    places = {
        "name": ("portdev", "name"),
        "filter": ("filterref", "filter"),
        "mac": ("mac", "address"),
    }
    facts = {
        key: "" if (found := root.find(tag)) is None else str(found.get(attribute) or "")
        for key, (tag, attribute) in places.items()
    }
    given = root.findall("filterref/parameter")
    return FilterBindingRecord(
        domain=root.findtext("owner/name") or "",
        uuid=root.findtext("owner/uuid") or "",
        parameters=tuple(f"{one.get('name')}={one.get('value')}" for one in given),
        **facts,
    )
