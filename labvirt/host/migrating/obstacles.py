"""Which storage two hosts are known to share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.host.files import files_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from labvirt.host.host import Host
    from labvirt.model.xml.domain import DomainXml

__all__ = ["all_shared", "is_shared"]


def is_shared(path: str, source: Host, destination: Host) -> bool:
    """Return True when both hosts are known to see the same file at this path."""
    both = set(source.facts.shared_folders) & set(destination.facts.shared_folders)
    return any(Path(path).is_relative_to(folder) for folder in both)


def all_shared(
    document: DomainXml, source: Host, destination: Host, copied: Collection[str] = ()
) -> bool:
    """Return True when libvirt's own check, which knows only network file systems, may be off.

    Args:
        document: the domain.
        source: where it runs.
        destination: where it goes.
        copied: targets of the disks that are copied along: they need not be shared.
    """
    apart = {one.source_path for one in document.disks if one.target in copied}
    files = [path for path in files_of(document) if path not in apart]
    return bool(files) and all(is_shared(path, source, destination) for path in files)
