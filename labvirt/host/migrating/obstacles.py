"""Why a migration cannot work, as far as it can be seen before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import domain as calls
from labvirt.connection import network as networks
from labvirt.errors import NotFoundError
from labvirt.host.files import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.model.migration import MigrationSpec
    from labvirt.model.xml.domain import DomainXml

__all__ = ["all_shared", "copied_disks", "is_shared", "obstacles"]


def obstacles(
    domain: DomainHandle, document: DomainXml, destination: Host, spec: MigrationSpec
) -> Iterator[str]:
    """Yield every reason why a migration cannot work."""
    if spec.offline and domain.is_active:
        yield f"{domain.name} is running, and an offline migration moves what is shut off"
    elif not spec.offline and not domain.is_active:
        yield f"{domain.name} is not running (offline=True moves its definition)"
    if destination.readonly:
        yield f"{destination.name} is open read-only"
    if destination == domain.host:
        yield "source and destination are the same host"
        return
    if spec.compression == "mt" and not spec.unsafe:
        # QEMU 7.2: seen to panic after it, though the migration was told to be well; QEMU 9.1
        # has taken this kind of compression out.
        yield (
            "compression='mt' can corrupt the guest's memory: take 'xbzrle', or unsafe=True if you "
            "must"
        )
    name = spec.rename or domain.name
    present = {record.name: record for record in calls.list_all(destination.connection)}
    namesake = present.get(name)
    if namesake is not None and (namesake.uuid != domain.uuid or namesake.id is not None):
        yield f"{destination.name} has a domain {name} ({namesake.state.text}) already"
    yield from _missing_networks(document, destination)
    copied = copied_disks(document, domain.host, destination, spec)
    along = {disk.source_file for disk in document.disks if disk.target in copied}
    below = {disk.backing_file for disk in document.disks if disk.target in copied}
    for path in files_of(document):
        # libvirt copies the whole chain, or with "increment" the top of one that is there.
        if path not in along | below and not is_shared(path, domain.host, destination):
            yield f"{path} is not on storage that both hosts share"


def _missing_networks(document: DomainXml, destination: Host) -> Iterator[str]:
    for name in {i.source_network for i in document.interfaces if i.source_network}:
        link = destination.connection
        try:
            found = networks.read(link, networks.find(link, name))
        except NotFoundError:
            yield f"{destination.name} has no network {name}"
            continue
        if not found.is_active:
            yield f"network {name} of {destination.name} is not active"


def copied_disks(
    document: DomainXml, source: Host, destination: Host, spec: MigrationSpec
) -> tuple[str, ...]:
    """Return the targets of the disks that are copied along: writable files that are not shared."""
    if not spec.copies_disks:
        return ()
    return tuple(
        disk.target
        for disk in document.disks
        if disk.target
        and disk.source_file
        and not disk.readonly
        and (disk.target in spec.disks if spec.disks is not None else True)
        and not is_shared(disk.source_file, source, destination)
    )


def is_shared(path: str, source: Host, destination: Host) -> bool:
    """Return True when both hosts are known to see the same file at this path."""
    both = set(source.facts.shared_folders) & set(destination.facts.shared_folders)
    return any(Path(path).is_relative_to(folder) for folder in both)


def all_shared(document: DomainXml, source: Host, destination: Host) -> bool:
    """Return True when libvirt's own check, which knows only network file systems, may be off."""
    return all(is_shared(path, source, destination) for path in files_of(document))
