"""Looking at a domain before a snapshot is made: what it would be, and why it cannot."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import blockjob as jobs
from labvirt.connection import checkpoint as checkpoints
from labvirt.connection import snapshot as snapshots
from labvirt.errors import ConflictError, UnsupportedError
from labvirt.host.keeping.verdict import Verdict
from labvirt.host.storage.chain import chains_of, exists, free_space
from labvirt.model.units import Size
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.errors import LabvirtError
    from labvirt.host.handle import DomainHandle
    from labvirt.host.storage.chain import DiskChain
    from labvirt.model.snapshot import SnapshotSpec

__all__ = ["busy_disks", "judge_create"]

#: What an empty qcow2 overlay takes.
OVERLAY_BYTES = 200 * 1024


def busy_disks(domain: DomainHandle, chains: tuple[DiskChain, ...]) -> Iterator[str]:
    """Yield the block jobs that run on a domain's disks, in words."""
    if not domain.is_active:
        return
    for chain in chains:
        if chain.is_data:
            job = jobs.info(domain.host.connection, domain.uuid, chain.target)
            if job is not None:
                yield str(job)


def _stem(chain: DiskChain) -> str:
    """Return the file of a chain after which overlays are named: the lowest beside the top."""
    folder = posixpath.dirname(chain.top.path)
    return [path for path in chain.paths if posixpath.dirname(path) == folder][-1]


def judge_create(domain: DomainHandle, spec: SnapshotSpec) -> tuple[Verdict, SnapshotSpec, str]:
    """Return the verdict, the snapshot with every disk named, and what becomes of memory.

    Raises:
        SpecError: a disk is named that the domain does not have.
    """
    host = domain.host
    what = f"make snapshot {spec.name} of domain {domain.name}"
    active = domain.is_active
    document = DomainXml.parse(domain.xml())
    chains = chains_of(host, document)
    data = {chain.target: chain for chain in chains if chain.is_data}
    left_out = tuple(chain.target for chain in chains if chain.target not in data)
    filled = spec.filled({target: _stem(chain) for target, chain in data.items()}, left_out)
    memory = spec.memory
    if memory == "auto":
        memory = "internal" if active and spec.disks == "internal" else "none"
    taking = {
        disk.target: data[disk.target]
        for disk in filled.each
        if disk.target in data and disk.state != "no"
    }
    new = tuple(disk.path for disk in filled.each if disk.path is not None)
    files = new + ((spec.memory_file,) if spec.memory_file else ())
    ram = Size(domain.info().memory) if memory != "none" and active else Size(0)
    needs = Size(int(ram) + (OVERLAY_BYTES * len(new)))
    place = files[-1] if files else next((c.top.path for c in taking.values()), "")
    free = free_space(host, place) if place else None
    images = tuple(chain.top.path for chain in taking.values())
    refusals = [
        *_states(domain, what, spec, memory, active=active),
        *_kinds(domain, what, spec, taking, document),
        *_files(domain, what, files, chains),
        *_space(domain, what, needs, free),
    ]
    warnings = []
    if active and memory == "none" and not spec.quiesce:
        warnings.append(
            "the guest is not asked to write out what it holds back: the snapshot is like the disk "
            "after a power cut; quiesce=True if its agent runs"
        )
    if left_out:
        warnings.append(f"not in it: {', '.join(left_out)} (no disk that the guest writes to)")
    skipped = [disk.target for disk in filled.each if disk.state == "no" and disk.target in data]
    if skipped:
        warnings.append(f"left out on wish: {', '.join(skipped)}: they are not reverted with it")
    external = spec.disks == "external"
    verdict = Verdict(
        what=what,
        location=spec.disks if taking else "none",
        memory=memory,
        chains=tuple(taking.values()),
        makes=files,
        touches=() if external else images,
        needs=needs,
        free=free,
        grows=Size(sum(int(chain.top.virtual or 0) for chain in taking.values()))
        if external
        else Size(0),
        warnings=tuple(warnings),
        refusals=tuple(refusals),
    )
    return verdict, filled, memory if active else "none"


def _states(
    domain: DomainHandle, what: str, spec: SnapshotSpec, memory: str, *, active: bool
) -> Iterator[LabvirtError]:
    uri = domain.host.label
    if not active and (spec.quiesce or memory == "external"):
        word = "quiesce=True" if spec.quiesce else "memory='external'"
        yield ConflictError(
            what, uri=uri, libvirt_text=f"the domain is off, and {word} needs a running one"
        )
    if active and spec.disks == "internal" and memory == "none":
        yield UnsupportedError(
            what,
            uri=uri,
            libvirt_text="an internal snapshot of a running domain always keeps its memory",
            hint="memory='internal', or disks='external'",
        )
    for record in snapshots.list_all(domain.host.connection, domain.uuid):
        if record.name == spec.name:
            yield ConflictError(
                what, uri=uri, libvirt_text="a snapshot of that name exists already"
            )
        elif record.location not in (spec.disks, "none"):
            yield ConflictError(
                what,
                uri=uri,
                libvirt_text=f"snapshot {record.name} is {record.location}: internal and external "
                "snapshots of one domain cannot be reverted and deleted safely",
                hint=f"disks={record.location!r}, or delete the others first",
            )


def _kinds(
    domain: DomainHandle,
    what: str,
    spec: SnapshotSpec,
    taking: dict[str, DiskChain],
    document: DomainXml,
) -> Iterator[LabvirtError]:
    uri = domain.host.label
    if not taking:
        yield UnsupportedError(
            what,
            uri=uri,
            libvirt_text="no disk takes part: it has none that is a file of the host",
        )
    if spec.disks != "internal":
        for target, chain in taking.items():
            if chain.encrypted:
                yield UnsupportedError(
                    what,
                    uri=uri,
                    libvirt_text=f"disk {target} is encrypted, and its overlay would not be",
                    hint="an internal snapshot of an encrypted qcow2 image stays encrypted",
                )
        return
    odd = [
        f"{target} is {chain.top.format or 'of unknown format'}"
        for target, chain in taking.items()
        if chain.top.format != "qcow2"
    ]
    if odd:
        yield UnsupportedError(
            what,
            uri=uri,
            libvirt_text=f"only qcow2 images hold snapshots: {', '.join(odd)}",
            hint="disks='external'",
        )
    if document.loader_type == "pflash" or document.firmware == "efi":
        yield UnsupportedError(
            what,
            uri=uri,
            libvirt_text="libvirt makes no internal snapshots of domains with UEFI variables",
            hint="disks='external'",
        )
    if checkpoints.list_all(domain.host.connection, domain.uuid):
        yield ConflictError(
            what,
            uri=uri,
            libvirt_text="it has checkpoints, whose bitmaps an internal snapshot would break",
            hint="disks='external', or delete the checkpoints first",
        )


def _files(
    domain: DomainHandle, what: str, files: tuple[str, ...], chains: tuple[DiskChain, ...]
) -> Iterator[LabvirtError]:
    uri = domain.host.label
    for path in files:
        if exists(domain.host, path):
            yield ConflictError(
                what,
                uri=uri,
                libvirt_text=f"{path} exists already",
                hint="another name, or another path in `each`",
            )
        elif domain.host.is_local and not Path(path).parent.is_dir():
            yield ConflictError(
                what, uri=uri, libvirt_text=f"{posixpath.dirname(path)} is no folder"
            )
    for job in busy_disks(domain, chains):
        yield ConflictError(
            what, uri=uri, libvirt_text=f"a block job runs: {job}", hint="wait for it, or end it"
        )


def _space(
    domain: DomainHandle, what: str, needs: Size, free: Size | None
) -> Iterator[LabvirtError]:
    if free is not None and needs > free:
        yield ConflictError(
            what,
            uri=domain.host.label,
            libvirt_text=f"{needs} are needed, {free} are free",
            hint="free some space on the host",
        )
