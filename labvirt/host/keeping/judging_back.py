"""Looking at a snapshot before it is reverted to or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.connection import snapshot as snapshots
from labvirt.errors import ConflictError, UnsupportedError
from labvirt.host.keeping.judging import OVERLAY_BYTES, busy_disks
from labvirt.host.keeping.verdict import Verdict
from labvirt.host.storage.chain import chains_of, exists, free_space
from labvirt.model.snapshot import overlay_path
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labvirt.errors import LabvirtError
    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.host.storage.chain import DiskChain
    from labvirt.status import SnapshotRecord

__all__ = ["descendants", "fresh_overlays", "judge_delete", "judge_revert"]


def descendants(records: Sequence[SnapshotRecord], name: str) -> tuple[SnapshotRecord, ...]:
    """Return what grew from a snapshot, parents before their children."""
    found: list[SnapshotRecord] = []
    names = {name}
    for record in records:  # they come in this order
        if record.parent in names:
            names.add(record.name)
            found.append(record)
    return tuple(found)


def fresh_overlays(host: Host, record: SnapshotRecord) -> dict[str, str]:
    """Return files for new overlays over the state of an external snapshot, by disk."""
    found = {}
    for target, base in record.bases.items():
        number = 2
        while exists(host, path := overlay_path(base, f"{record.name}-{number}")):
            number += 1
        found[target] = path
    return found


def judge_revert(domain: DomainHandle, record: SnapshotRecord) -> Verdict:
    """Return what reverting to a snapshot would do."""
    what = f"revert domain {domain.name} to snapshot {record.name}"
    chains = chains_of(domain.host, DomainXml.parse(domain.xml()))
    taking = {disk.target for disk in record.disks if disk.location != "no"}
    now = {chain.target: chain for chain in chains if chain.target in taking}
    refusals: list[LabvirtError] = [
        ConflictError(what, uri=domain.host.label, libvirt_text=f"a block job runs: {job}")
        for job in busy_disks(domain, chains)
    ]
    if record.location == "mixed":
        refusals.append(
            UnsupportedError(
                what,
                uri=domain.host.label,
                libvirt_text="some of its disks are internal, some external",
            )
        )
    refusals += [
        ConflictError(
            what,
            uri=domain.host.label,
            libvirt_text=f"the domain has no disk {target} any more",
        )
        for target in sorted(taking - set(now))
    ]
    if record.is_external:
        return _revert_external(domain, record, what, now, refusals)
    return _revert_internal(domain, record, what, now, refusals)


def _revert_internal(
    domain: DomainHandle,
    record: SnapshotRecord,
    what: str,
    now: dict[str, DiskChain],
    refusals: list[LabvirtError],
) -> Verdict:
    for disk in record.disks:
        chain = now.get(disk.target)
        if chain is not None and disk.base and chain.paths[:1] != (disk.base,):
            refusals.append(
                ConflictError(
                    what,
                    uri=domain.host.label,
                    libvirt_text=f"disk {disk.target} lies on {chain.paths[0]} now, and the "
                    f"snapshot is inside {disk.base}",
                )
            )
    discards = [
        f"what was written to {', '.join(now)} since {record.created:%Y-%m-%d %H:%M:%S} UTC"
    ]
    if domain.is_active:
        discards.append(f"what domain {domain.name} has in memory now")
    later = descendants(snapshots.list_all(domain.host.connection, domain.uuid), record.name)
    warnings = []
    if later:
        names = ", ".join(one.name for one in later)
        warnings.append(f"the later snapshots {names} stay, as another branch")
    if domain.info().has_managed_save:
        discards.append("the managed save of the domain")
    return Verdict(
        what=what,
        location=record.location,
        memory=record.memory,
        chains=tuple(now.values()),
        touches=tuple(chain.top.path for chain in now.values() if chain.layers),
        discards=tuple(discards),
        warnings=tuple(warnings),
        refusals=tuple(refusals),
    )


def _revert_external(
    domain: DomainHandle,
    record: SnapshotRecord,
    what: str,
    now: dict[str, DiskChain],
    refusals: list[LabvirtError],
) -> Verdict:
    host = domain.host
    refusals += _revert_obstacles(domain, record, what, now)
    makes = fresh_overlays(host, record)
    kept = set()
    for other in snapshots.list_all(host.connection, domain.uuid):
        kept |= set(other.bases.values())
    leaves = [
        path
        for target, chain in now.items()
        for path in chain.paths
        if path not in kept and path != record.bases.get(target)
    ]
    place = next(iter(makes.values()), "")
    since = f"{record.created:%Y-%m-%d %H:%M:%S} UTC"
    return Verdict(
        what=what,
        location=record.location,
        memory=record.memory,
        chains=tuple(now.values()),
        makes=tuple(makes.values()),
        leaves=tuple(leaves),
        discards=(f"the domain no longer sees what it wrote since {since}; the files stay",),
        needs=Size(OVERLAY_BYTES * len(makes)),
        free=free_space(host, place) if place else None,
        grows=Size(sum(int(chain.top.virtual or 0) for chain in now.values() if chain.layers)),
        by_hand=f"shut {domain.name} down; qemu-img create -f qcow2 -b BASE -F FORMAT NEW for each "
        "disk; virsh edit: let the disks lie on the new files"
        + ("; virsh restore MEMORY --xml" if record.memory == "external" else ""),
        warnings=(
            (
                "libvirt before 9.9 cannot revert to external snapshots: labvirt lays a new overlay "
                "over the old state and lets the definition name it; memory and devices of the "
                "definition stay as they are now"
            ),
        ),
        refusals=tuple(refusals),
    )


def _revert_obstacles(
    domain: DomainHandle, record: SnapshotRecord, what: str, now: dict[str, DiskChain]
) -> Iterator[LabvirtError]:
    uri = domain.host.label
    if domain.is_active:
        yield ConflictError(
            what,
            uri=uri,
            libvirt_text="the domain runs, and its disks cannot be exchanged under it",
            hint="shutdown(), or destroy(confirm=True), then revert",
        )
    elif domain.info().has_managed_save:
        yield ConflictError(
            what,
            uri=uri,
            libvirt_text="it has a managed save, which goes on with the disks as they are",
            hint="managed_save_remove(confirm=True) first",
        )
    if not domain.info().persistent:
        yield ConflictError(what, uri=uri, libvirt_text="it has no stored definition")
    for target, base in record.bases.items():
        chain = now.get(target)
        if not exists(domain.host, base):
            yield ConflictError(
                what, uri=uri, libvirt_text=f"{base}, the state of {target}, is gone"
            )
        elif chain is not None and chain.paths[:1] == (base,):
            yield ConflictError(
                what,
                uri=uri,
                libvirt_text=f"{target} writes to {base} again, so the state of then is gone",
                hint="delete(metadata_only=True) forgets the snapshot",
            )
    if record.memory == "external" and not exists(domain.host, record.memory_file):
        yield ConflictError(
            what, uri=uri, libvirt_text=f"{record.memory_file}, its memory, is gone"
        )


def judge_delete(
    domain: DomainHandle,
    record: SnapshotRecord,
    *,
    children: bool = False,
    children_only: bool = False,
    metadata_only: bool = False,
) -> Verdict:
    """Return what deleting a snapshot would do."""
    host = domain.host
    every = snapshots.list_all(host.connection, domain.uuid)
    below = descendants(every, record.name)
    going = (*below,) if children_only else ((record, *below) if children else (record,))
    names = ", ".join(one.name for one in going) or "none"
    verb = "forget" if metadata_only else "delete"
    what = f"{verb} snapshots {names} of domain {domain.name}"
    chains = chains_of(host, DomainXml.parse(domain.xml()))
    refusals: list[LabvirtError] = []
    if not going:
        refusals.append(
            ConflictError(what, uri=host.label, libvirt_text=f"nothing grew from {record.name}")
        )
    if metadata_only:
        leaves = [path for one in going for path in one.overlays.values()]
        leaves += [one.memory_file for one in going if one.memory_file]
        return Verdict(
            what=what,
            location="none",
            chains=chains,
            leaves=tuple(leaves),
            discards=("only the descriptions: states inside images and overlay files stay",),
            refusals=tuple(refusals),
        )
    refusals += [
        ConflictError(what, uri=host.label, libvirt_text=f"a block job runs: {job}")
        for job in busy_disks(domain, chains)
    ]
    external = [one for one in going if one.is_external]
    refusals += _delete_obstacles(domain, external, every, chains, what, going=going)
    merged = {path for one in external for path in one.overlays.values()}
    merging = [layer for chain in chains for layer in chain.layers if layer.path in merged]
    bases = tuple(base for one in external for base in one.bases.values())
    inside = [disk.base for one in going for disk in one.disks if disk.location == "internal"]
    free = free_space(host, bases[0]) if bases else None
    return Verdict(
        what=what,
        location=record.location,
        memory=record.memory,
        chains=chains,
        touches=tuple(dict.fromkeys((*bases, *inside))),
        discards=tuple(f"the state of snapshot {one.name}" for one in going),
        needs=Size(sum(int(layer.taken or 0) for layer in merging)),
        free=free,
        by_hand="virsh blockcommit DOMAIN DISK --base BASE --top OVERLAY (--active --pivot for the "
        "newest), then virsh snapshot-delete --metadata"
        if external
        else "",
        warnings=tuple(f"{path} is merged into the file below and removed" for path in merged),
        refusals=tuple(refusals),
    )


def _delete_obstacles(
    domain: DomainHandle,
    external: Sequence[SnapshotRecord],
    every: Sequence[SnapshotRecord],
    chains: tuple[DiskChain, ...],
    what: str,
    *,
    going: Sequence[SnapshotRecord],
) -> Iterator[LabvirtError]:
    uri = domain.host.label
    if not external:
        return
    daemon = domain.host.version().daemon
    if tuple(int(part) for part in daemon.split(".")[:2]) < (9, 0):
        yield UnsupportedError(
            what,
            uri=uri,
            libvirt_text=f"libvirt {daemon} cannot delete external snapshots (9.0 can)",
            hint="domain.blockcommit(...) after delete(metadata_only=True)",
        )
    now = {chain.target: chain for chain in chains}
    gone = {one.name for one in going}
    for record in external:
        for target, overlay in record.overlays.items():
            if target not in now or overlay not in now[target].paths:
                yield UnsupportedError(
                    what,
                    uri=uri,
                    libvirt_text=f"{overlay} of snapshot {record.name} is not below disk {target} "
                    "now: the domain goes on from another branch, or the disk was moved",
                    hint="delete(metadata_only=True), then remove the file if nobody needs it",
                )
        kids = [one.name for one in every if one.parent == record.name and one.name not in gone]
        if len(kids) > 1:
            yield UnsupportedError(
                what,
                uri=uri,
                libvirt_text=f"{', '.join(kids)} both grew from it, and it can be merged into one",
                hint="delete all but one of them first",
            )
        parent = next((one for one in every if one.name == record.parent), None)
        if parent is not None and parent.location == "internal":
            yield UnsupportedError(
                what,
                uri=uri,
                libvirt_text=f"it grew from the internal snapshot {parent.name}",
                hint="delete that one first",
            )
