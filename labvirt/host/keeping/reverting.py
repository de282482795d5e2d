"""The steps of a revert: by libvirt for internal snapshots, by fresh overlays for external ones."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from labvirt.connection import snapshot as snapshots
from labvirt.errors import UnsupportedError
from labvirt.host.keeping.judging_back import descendants
from labvirt.host.keeping.snapshot_text_actions import PointSnapshot, RestoreMemory
from labvirt.host.storage.chain import pool_of, volume_at
from labvirt.host.storage.disk_actions import MakeVolume, NameFiles
from labvirt.model.volume import VolumeSpec
from labvirt.plan import Call

if TYPE_CHECKING:
    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.host.keeping.verdict import Verdict
    from labvirt.plan import Action, JobControl
    from labvirt.status import SnapshotRecord

__all__ = ["revert_external", "revert_internal"]


def revert_internal(
    domain: DomainHandle,
    record: SnapshotRecord,
    verdict: Verdict,
    *,
    running: bool,
    paused: bool,
    force: bool,
) -> list[Action[Any]]:
    """Return the one call by which libvirt reverts to an internal snapshot."""
    uuid, name = domain.uuid, record.name
    words = ["snapshot-revert", domain.name, name]
    words += ["--running"] * running + ["--paused"] * paused + ["--force"] * force

    def run(host: Host, _: JobControl) -> None:
        snapshots.revert(host.connection, uuid, name, running=running, paused=paused, force=force)

    call: Call[Host, None] = Call(
        verdict.what,
        run,
        line=domain.virsh(*words),
        loses=verdict.discards,
        before=lambda host: host.require_writable(verdict.what),
    )
    return [call]


def revert_external(
    domain: DomainHandle,
    record: SnapshotRecord,
    verdict: Verdict,
    *,
    running: bool,
    paused: bool,
    force: bool,  # noqa: ARG001 - the same options for both kinds
) -> list[Action[Any]]:
    """Return the steps that lay new overlays over the state of an external snapshot.

    Raises:
        UnsupportedError: a file is in no active pool, so that nobody can make an overlay there;
            or the domain shall run and there is no memory to restore.
    """
    host = domain.host
    if (running or paused) and record.memory != "external":
        raise UnsupportedError(
            verdict.what,
            uri=host.label,
            libvirt_text="the snapshot has no memory: the domain is off afterwards",
            hint="revert, then start()",
        )
    fresh = dict(zip(record.bases, verdict.makes, strict=True))
    actions: list[Action[Any]] = [
        _overlay(domain, verdict, disk.base, disk.base_format, fresh[disk.target])
        for disk in record.disks
        if disk.target in fresh
    ]
    now = {chain.target: chain.top for chain in verdict.chains}
    after = {target: (path, "qcow2") for target, path in fresh.items()}
    before = {target: (now[target].path, now[target].format or "qcow2") for target in fresh}
    actions.append(NameFiles(domain.uuid, domain.name, before=before, after=after))
    every = snapshots.list_all(host.connection, domain.uuid)
    current = next((one.name for one in every if one.is_current), "")
    # Without children its old overlays belong to no branch: the new ones take their place.
    moved = {} if descendants(every, record.name) else fresh
    actions.append(
        PointSnapshot(
            domain.uuid,
            domain.name,
            record.name,
            "" if current == record.name else current,
            before=record.overlays if moved else {},
            after=moved,
        )
    )
    if record.memory == "external":
        actions.append(
            RestoreMemory(
                domain.uuid, domain.name, record.name, record.memory_file, after, paused=paused
            )
        )
    return actions


def _overlay(domain: DomainHandle, verdict: Verdict, base: str, form: str, path: str) -> MakeVolume:
    host = domain.host
    pool = pool_of(host, path)
    below = volume_at(host, base)
    if pool is None or below is None:
        raise UnsupportedError(
            verdict.what,
            uri=host.label,
            libvirt_text=f"no active pool has {base}, so libvirt cannot lay an overlay over it",
            hint=f"define a pool for {posixpath.dirname(base)}; or by hand: {verdict.by_hand}",
        )
    spec = VolumeSpec(
        name=posixpath.basename(path),
        capacity=below.capacity,
        format="qcow2",
        backing_path=base,
        backing_format=form or below.format or "raw",
    )
    return MakeVolume(pool[1], spec.name, path, int(below.capacity), spec.to_xml())
