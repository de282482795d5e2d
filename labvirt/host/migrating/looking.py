"""Looking at both hosts and the domain before a migration: many quick questions, side by side.

Without `deep` only libvirt is asked, some ten milliseconds; `deep` runs a small script on both
hosts (files, clock) and dials ports both ways, where the hosts' facts say how.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from labvirt.connection import blockjob, checkpoint, node, nwfilter, pool, snapshot, volume
from labvirt.connection import domain as calls
from labvirt.connection import network as networks
from labvirt.connection.node_cpu import baseline_cpu, compare_cpu
from labvirt.connection.node_facts import available_memory, network_devices
from labvirt.errors import LabvirtError
from labvirt.host.files import files_of
from labvirt.host.migrating.check_storage import SHARED_POOLS
from labvirt.host.migrating.dialling import dial_ways
from labvirt.host.migrating.peeking import peek
from labvirt.host.migrating.sides import FileSeen, Look, PoolSeen, Side
from labvirt.model.xml.capabilities import Capabilities, DomainCapabilities
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.host.migrating.storage_prep import Prepared
    from labvirt.model.migration import MigrationSpec
    from labvirt.model.xml.domain import DomainXml
    from labvirt.status import DomainRecord

__all__ = ["as_cpu", "look_at"]

_CPU = re.compile(r"<cpu\b.*?(?:</cpu>|/>)", re.DOTALL)


def look_at(
    domain: DomainHandle,
    document: DomainXml,
    destination: Host,
    spec: MigrationSpec,
    prepared: Prepared,
    *,
    data_uri: str | None = None,
    deep: bool = False,
) -> Look:
    """Look at everything that the checks judge; a host that does not answer is told as such.

    Args:
        domain: what would move.
        document: its XML as it runs.
        destination: where to.
        spec: how.
        prepared: where disks that are copied land, and what speaks against it.
        data_uri: where the data would go; None: the destination says.
        deep: look at files, clocks and ports too, where that is known how.

    Raises:
        LabvirtError: the domain itself cannot be read.
    """
    is_same = destination is domain.host or destination.connection is domain.host.connection
    record = domain.info()
    with ThreadPoolExecutor(4, thread_name_prefix="labvirt-preflight") as pool_of_threads:
        own = pool_of_threads.submit(_own, domain, document, record)
        here = pool_of_threads.submit(_side, domain.host, document, None, deep=deep)
        cpu = _cpu_of(domain, document, spec)
        there = pool_of_threads.submit(_side, destination, document, cpu, deep=deep)
        ways = None
        if deep and not is_same and not spec.offline:
            ways = dial_ways(domain.host, destination, spec, data_uri)
        source, target = here.result(), there.result()
        told = own.result()
    if target.cpu_verdict == "incompatible" or document.cpu_mode in {"host-passthrough", "maximum"}:
        target = _with_baseline(domain.host, destination, document, target)
    return Look(
        name=domain.name,
        uuid=domain.uuid,
        document=document,
        record=record,
        spec=spec,
        source=source,
        destination=target,
        is_same=is_same,
        copied={one.target: f"{one.path} of pool {one.pool}" for one in prepared.landings},
        copy_problems=tuple(prepared.problems),
        ways=ways,
        data_uri=data_uri,
        **told,
    )


def _own(domain: DomainHandle, document: DomainXml, record: DomainRecord) -> dict[str, Any]:
    """Ask what the domain is busy with, and what libvirt keeps of it."""
    link, uuid = domain.host.connection, domain.uuid
    told: dict[str, Any] = {
        "snapshots": len(snapshot.list_all(link, uuid)) if record.has_snapshots else 0,
        "checkpoints": len(_or(lambda: checkpoint.list_all(link, uuid), ())),
    }
    if record.id is None:
        return told
    job = _or(lambda: calls.job(link, uuid), None)
    told["job"] = (job.operation or job.kind) if job is not None and job.is_running else ""
    jobs = {}
    for disk in document.disks:
        if disk.target and disk.source_path:
            found = _or(partial(blockjob.info, link, uuid, disk.target), None)
            if found is not None:
                jobs[disk.target] = found.type
    told["block_jobs"] = jobs
    return told


def _side(host: Host, document: DomainXml, cpu: str | None, *, deep: bool) -> Side:
    facts = host.facts
    base = Side(host.name, host.label, host.readonly, lab=facts.lab)
    try:
        return _read_side(host, document, cpu, base, deep=deep)
    except LabvirtError as error:
        return Side(host.name, host.label, host.readonly, error=error.what, lab=facts.lab)


def _read_side(host: Host, document: DomainXml, cpu: str | None, base: Side, *, deep: bool) -> Side:
    link = host.connection
    versions, info = node.versions(link), node.info(link)
    found = Capabilities.parse(node.capabilities(link))
    kind = document.type
    records = networks.list_all(link) if _has_networks(document) else ()
    pools = tuple(_pool(host, one) for one in _or(lambda: pool.list_all(link), ()))
    peeked = peek(host, _paths(document)) if deep else None
    files = peeked.files if peeked else {}
    return Side(
        name=base.name,
        label=base.label,
        readonly=base.readonly,
        lab=base.lab,
        driver=versions.hypervisor,
        daemon=versions.daemon,
        hypervisor=versions.hypervisor_version,
        cpu=" ".join(part for part in (found.cpu_vendor, found.cpu_model) if part),
        guests=found.guests,
        domcaps=_or(lambda: _domcaps(host, document), None),
        cpu_verdict=""
        if cpu is None
        else _or(lambda: compare_cpu(link, cpu, virt=kind, machine=document.machine), ""),
        memory=int(info.memory),
        available=min(int(available_memory(link)), int(info.memory)),
        cpus=info.cpus,
        max_vcpus=_or(lambda: node.max_vcpus(link, kind), 0),
        domains=calls.list_all(link),
        networks={one.name: one.is_active for one in records},
        devices=_or(lambda: network_devices(link), None) if _has_devices(document) else None,
        filters=_filters(host) if any(nic.filter for nic in document.interfaces) else None,
        pools=pools,
        shared_folders=tuple(map(str, host.facts.shared_folders)),
        files={**_volumes(host, document, set(files)), **files},
        boot_id=peeked.boot_id if peeked else "",
        clock_ahead_s=peeked.clock_ahead_s if peeked else None,
    )


def _domcaps(host: Host, document: DomainXml) -> DomainCapabilities | None:
    if not document.tpms and document.loader is None:
        return None
    text = node.domain_capabilities(
        host.connection, arch=document.arch, machine=document.machine, virt=document.type
    )
    return DomainCapabilities.parse(text)


def _has_networks(document: DomainXml) -> bool:
    return any(nic.type == "network" for nic in document.interfaces)


def _has_devices(document: DomainXml) -> bool:
    return any(nic.type in {"bridge", "direct"} for nic in document.interfaces)


def _filters(host: Host) -> frozenset[str] | None:
    found = _or(lambda: nwfilter.list_all(host.connection), None)
    return None if found is None else frozenset(one.name for one in found)


def _pool(host: Host, record: Any) -> PoolSeen:
    source = ""
    if record.type in SHARED_POOLS:
        root = XmlDoc.parse(pool.xml(host.connection, record.uuid)).root
        name, folder = root.find("source/host"), root.find("source/dir")
        server = "" if name is None else name.get("name") or ""
        source = f"{server}:{'' if folder is None else folder.get('path')}"
    active = record.state.value in {"running", "degraded"}
    return PoolSeen(record.name, record.type, active, record.path, int(record.available), source)


def _paths(document: DomainXml) -> tuple[str, ...]:
    named = [disk.source_path for disk in document.disks]
    return tuple(dict.fromkeys([*files_of(document), *(one for one in named if one)]))


def _volumes(host: Host, document: DomainXml, known: set[str]) -> dict[str, FileSeen]:
    """Ask libvirt for the paths; one that no pool has tells nothing, for pools may be stale."""
    found = {}
    for path in _paths(document):
        if path not in known:
            with contextlib.suppress(LabvirtError):
                record = volume.by_path(host.connection, path)
                found[path] = FileSeen(exists=True, size=int(record.capacity))
    return found


def _cpu_of(domain: DomainHandle, document: DomainXml, spec: MigrationSpec) -> str | None:
    """Return the guest's processor as the other host must give it; None when it is left open."""
    if spec.offline or document.cpu_mode not in {"custom", "host-model"}:
        return None
    text = calls.xml(domain.host.connection, domain.uuid, migratable=True)
    match = _CPU.search(text)
    return match.group(0) if match else None


def _with_baseline(here: Host, there: Host, document: DomainXml, side: Side) -> Side:
    """Ask for a processor that both hosts can give."""

    def ask() -> str:
        texts = []
        for host in (here, there):
            text = node.domain_capabilities(host.connection, virt=document.type)
            root = XmlDoc.parse(text).root
            mode = root.find("cpu/mode[@name='host-model']")
            if mode is None or mode.get("supported") != "yes":
                return ""
            texts.append(as_cpu(mode))
        common = baseline_cpu(there.connection, texts, virt=document.type)
        return (XmlDoc.parse(common).root.findtext("model") or "").strip()

    found = _or(ask, "")
    return dataclasses.replace(side, cpu_baseline=found)


def as_cpu(mode: Any) -> str:
    """Return a mode of domain capabilities as the ``<cpu>`` that libvirt compares."""
    document = XmlDoc.parse("<cpu/>")
    for child in mode:
        if child.tag in {"model", "vendor", "feature"}:
            document.root.append(child)
    return document.text()


def _or(ask: Callable[[], Any], otherwise: Any) -> Any:
    """Return an answer, or what stands for none: not every driver knows everything."""
    try:
        return ask()
    except LabvirtError:
        return otherwise
