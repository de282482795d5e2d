"""Layers over the disks of a running domain: laid at one moment, merged back from any state."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from labvirt.connection import blockjob, snapshot
from labvirt.connection import domain as domains
from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError, HostError, NotFoundError, WaitTimeoutError
from labvirt.host.shell import fed
from labvirt.images.tool import Command, run
from labvirt.model.cloning import layers_xml
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["LayDisks", "MergeLayers", "settle"]


def remove_file(host: Host, path: str) -> None:
    """Remove a file that a plan made, by libvirt when it knows it; harmless when it is gone."""
    for record in pools.list_all(host.connection):
        if record.is_active and record.path and Path(path).parent == Path(record.path):
            pools.refresh(host.connection, record.uuid)
            with contextlib.suppress(NotFoundError):
                volumes.delete(host.connection, record.uuid, Path(path).name)
                return
    if host.is_local:
        Path(path).unlink(missing_ok=True)


@dataclass(frozen=True)
class LayDisks(Action["Host"]):
    """Put a qcow2 layer over disks of a running domain; what is below holds still.

    Attributes:
        name: the domain.
        uuid: its UUID.
        layers: path of each new file, by target.
        bases: path of what is below it, by target.
        forms: its format, by target.
        others: targets of the disks that are left alone.
        quiesce: let the agent hold the guest still for the moment.
        timeout_s: limit for merging a layer back, seconds.
    """

    kind: ClassVar[str] = "lay-disks"
    name: str
    uuid: str
    layers: Mapping[str, str]
    bases: Mapping[str, str]
    forms: Mapping[str, str]
    others: Sequence[str] = ()
    quiesce: bool = False
    timeout_s: float = 3600.0

    @property
    def title(self) -> str:
        return f"put a layer over {', '.join(self.layers)} of the running {self.name}"

    @property
    def virsh(self) -> tuple[str, ...]:
        flags = ["--disk-only", "--atomic", "--no-metadata", *["--quiesce"] * self.quiesce]
        line = shlex.join(["snapshot-create", self.name, *flags, "--xmlfile"])
        return (fed(line, layers_xml(self.layers, self.others)),)

    def check(self, host: Host) -> None:
        if domains.read(host.connection, self.uuid).id is None:
            raise ConflictError(
                self.title,
                uri=host.label,
                libvirt_text="it does not run any more",
                hint="live=False",
            )

    def do(self, host: Host, control: JobControl) -> None:
        xml = layers_xml(self.layers, self.others)
        snapshot.create(
            host.connection,
            self.uuid,
            xml,
            disk_only=True,
            remembered=False,
            quiesce=self.quiesce,
        )

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        for target in self.layers:
            settle(host, self, target, None)


@dataclass(frozen=True)
class MergeLayers(Action["Host"]):
    """Write the layers of `LayDisks` back into what is below, and let the guest go on there."""

    kind: ClassVar[str] = "merge-layers"
    laid: LayDisks

    @property
    def title(self) -> str:
        return f"merge the layers of {self.laid.name} back"

    @property
    def virsh(self) -> tuple[str, ...]:
        return tuple(
            shlex.join(
                [
                    "blockcommit",
                    self.laid.name,
                    target,
                    "--active",
                    "--shallow",
                    "--pivot",
                    "--wait",
                ]
            )
            for target in self.laid.layers
        )

    def do(self, host: Host, control: JobControl) -> None:
        for target in self.laid.layers:
            settle(host, self.laid, target, control)

    def to_record(self) -> dict[str, Any]:
        # Half-merged layers are what the undoing of `LayDisks` looks for.
        return {"kind": self.kind, "title": self.title}


def _sources(host: Host, uuid: str, *, inactive: bool) -> dict[str, str]:
    document = DomainXml.parse(domains.xml(host.connection, uuid, inactive=inactive))
    return {disk.target or "": disk.source_path or "" for disk in document.disks}


def settle(host: Host, laid: LayDisks, target: str, control: JobControl | None) -> None:
    """Bring a disk back onto its base, whatever state it is found in; harmless when it is there.

    Raises:
        HostError: it cannot be done; the layer stays and holds the newest data.
        WaitTimeoutError: the merging does not come to an end in time.
    """
    layer, base = laid.layers[target], laid.bases[target]
    try:
        record = domains.read(host.connection, laid.uuid)
    except NotFoundError:
        if host.is_local and Path(layer).exists():
            raise ConflictError(
                f"merge {layer} into {base}",
                uri=host.label,
                libvirt_text=f"domain {laid.name} is gone, and the layer may hold its newest data",
                hint=f"labvirt.images.Image({layer!r}).commit(confirm=True)",
            ) from None
        return
    if record.id is not None and _sources(host, laid.uuid, inactive=False)[target] == layer:
        _merge_running(host, laid, target, control)
    if record.persistent and _sources(host, laid.uuid, inactive=True).get(target) == layer:
        _merge_stopped(host, laid, target)
    if host.users_of(layer):
        raise ConflictError(
            f"remove the layer {layer}",
            uri=host.label,
            libvirt_text=f"{', '.join(host.users_of(layer))} uses it by now",
        )
    remove_file(host, layer)


def _merge_running(host: Host, laid: LayDisks, target: str, control: JobControl | None) -> None:
    link, uuid = host.connection, laid.uuid
    deadline = time.monotonic() + laid.timeout_s
    if blockjob.info(link, uuid, target) is None:
        blockjob.commit(link, uuid, target, base=laid.bases[target], active=True)
    while (job := blockjob.info(link, uuid, target)) is not None:
        if control is not None:
            fraction = job.done / max(job.total, 1)
            control.report(f"merge {target} of {laid.name}", fraction=fraction)
        if job.done >= job.total and _pivoted(link, uuid, target):
            break
        if time.monotonic() > deadline:
            blockjob.abort(link, uuid, target)
            raise WaitTimeoutError(
                f"the layer of {target} of {laid.name} to be merged",
                timeout_s=laid.timeout_s,
                last_seen=f"{job.done} of {job.total} bytes",
                likely_cause="the guest writes faster than the disk of the host",
                hint=f"virsh blockcommit {laid.name} {target} --active --shallow --pivot",
            )
        time.sleep(0.05)
    now = _sources(host, uuid, inactive=False)[target]
    if now != laid.bases[target]:
        raise HostError(
            f"merge the layer of {target} of {laid.name}",
            uri=host.label,
            libvirt_text=f"the guest still writes to {now}; nothing is lost",
            hint=f"virsh blockcommit {laid.name} {target} --active --shallow --pivot",
        )


def _pivoted(link: Connection, uuid: str, target: str) -> bool:
    """Let the guest go on with the layer below; False while QEMU is not yet ready for it."""
    try:
        blockjob.abort(link, uuid, target, pivot=True)
    except HostError as error:
        if "ready" in error.libvirt_text:
            return False
        raise
    return True


def _merge_stopped(host: Host, laid: LayDisks, target: str) -> None:
    """Merge the layer of a domain that was shut down meanwhile, and name the base again."""
    layer, base = laid.layers[target], laid.bases[target]
    if not (host.is_local and os.access(layer, os.W_OK) and os.access(base, os.W_OK)):
        raise ConflictError(
            f"merge {layer} into {base}",
            uri=host.label,
            libvirt_text=f"{laid.name} is off, and its images cannot be written from here",
            hint=f"on the host: qemu-img commit {layer}; then let {target} of {laid.name} be {base}",
        )
    words = ("commit", "-f", "qcow2", layer)
    run(Command(f"commit {layer} into {base}", words), timeout_s=laid.timeout_s)
    document = DomainXml.parse(domains.xml(host.connection, laid.uuid, inactive=True, secure=True))
    disk = document.find_disk(target)
    disk.source_file = base
    disk.driver_type = laid.forms[target]
    backing = disk.element.find("backingStore")
    if backing is not None:
        document.doc.remove(backing)
    domains.define(host.connection, document.text())
