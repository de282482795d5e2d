"""Which files of the host a domain's XML names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labvirt.model.xml.domain import DomainXml

__all__ = ["files_of"]


def files_of(document: DomainXml) -> tuple[str, ...]:
    """Return the files a domain runs on: images, what they are laid over, kernel, RAM disk."""
    named = [document.kernel, document.initrd]
    for disk in document.disks:
        named += [disk.source_file, disk.backing_file]
    return tuple(dict.fromkeys(path for path in named if path))
