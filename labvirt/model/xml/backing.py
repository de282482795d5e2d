"""The chain of files below a disk's image, as a domain's XML tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

    from labvirt.model.xml.devices import DiskXml

__all__ = ["backing_of"]


def _path(element: Element) -> str:
    source = element.find("source")
    return "" if source is None else str(source.get("file") or source.get("dev") or "")


def backing_of(disk: DiskXml) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Return what lies below a disk's image.

    Returns:
        Path and format of each file, the upper ones first; and whether the XML says that there is
        nothing below the last: an empty <backingStore/> says so, a missing one says nothing.
    """
    found = []
    below = disk.element.find("backingStore")
    while below is not None and (path := _path(below)):
        form = below.find("format")
        found.append((path, "" if form is None else str(form.get("type", ""))))
        below = below.find("backingStore")
    return tuple(found), below is not None
