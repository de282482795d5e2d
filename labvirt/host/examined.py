"""What an examination asks of a host's daemon beside its handles; each answer within seconds."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

from labvirt.connection import domain as calls
from labvirt.connection import node, sampling
from labvirt.connection.domain_reading import saved_xml
from labvirt.connection.node_cpu import baseline_cpu, compare_cpu
from labvirt.connection.stats_link import Line
from labvirt.errors import LabvirtError, WaitTimeoutError
from labvirt.host.migrating.check_network import DATA_PORTS, finding_of_way
from labvirt.host.migrating.dialling import dial_ways
from labvirt.host.migrating.looking import as_cpu
from labvirt.host.migrating.preflight import examine
from labvirt.host.migrating.storage_prep import Prepared
from labvirt.model.migration import MigrationSpec
from labvirt.model.xml.capabilities import DomainCapabilities
from labvirt.model.xml.text import XmlDoc
from labvirt.status.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.handle import DomainHandle
    from labvirt.host.host import Host
    from labvirt.host.migrating.preflight import Preflight
    from labvirt.model.xml.domain import DomainXml
    from labvirt.status import ControlRecord, DomainRecord, JobRecord

__all__ = [
    "common_cpu",
    "control",
    "domain_capabilities",
    "domains",
    "gives_cpu",
    "has_balloon",
    "has_monitor",
    "job",
    "preflight",
    "saved",
    "silent",
    "ways",
]

_QUICK_S: Final = 2.0


def control(host: Host, uuid: str) -> ControlRecord | None:
    """Return what the channel to a domain's hypervisor does, without asking it.

    None: its driver does not tell, or the domain is not active.
    """
    try:
        return calls.control_info(host.connection, uuid)
    except LabvirtError:
        return None


def job(host: Host, uuid: str) -> JobRecord:
    """Return what a running domain is busy with.

    Raises:
        LabvirtError: it is not active, or the driver does not tell.
    """
    return calls.job(host.connection, uuid)


def saved(host: Host, uuid: str) -> str | None:
    """Return the XML of the machine that libvirt has saved of a domain; None when it has none."""
    try:
        return saved_xml(host.connection, uuid)
    except LabvirtError:
        return None


def has_monitor(host: Host, uuid: str, timeout_s: float = _QUICK_S) -> bool:
    """Ask the hypervisor process of a running domain something; whether it answers in time.

    It is asked on a link of its own, which is broken off then.
    """
    line = Line(host.connection, f"labvirt-doctor {host.name}")
    try:
        line.run(
            "ask the hypervisor of a domain",
            lambda link: sampling.read_slow(link, [uuid], disk=False, balloon=True, steal=False),
            timeout_s,
        )
    except WaitTimeoutError:
        return False
    finally:
        line.close()
    return True


def has_balloon(host: Host, uuid: str) -> bool:
    """Ask whether a running guest drives its balloon: only then it gives memory back."""
    try:
        told = calls.memory_stats(host.connection, uuid) if has_monitor(host, uuid) else {}
    except LabvirtError:
        return False
    # Only the driver in the guest can say this; `actual` is QEMU's own.
    return any(name in told for name in ("usable", "available", "unused"))


def gives_cpu(host: Host, document: DomainXml) -> bool | None:
    """Return whether a host can give the processor that a definition names; None when not told.

    Only a model by name is compared, with its features.
    """
    cpu = document.element.find("cpu")
    if cpu is None or not document.cpu_model or document.cpu_mode not in {None, "custom"}:
        return None
    doc = XmlDoc.parse("<cpu/>")
    doc.root.attrib.update(cpu.attrib)
    for each in cpu:
        if each.tag in {"model", "vendor", "feature"}:
            doc.root.append(copy.deepcopy(each))
    try:
        found = compare_cpu(
            host.connection, doc.text(), virt=document.type, machine=document.machine
        )
    except LabvirtError:
        return None
    return found != "incompatible"


def domain_capabilities(
    host: Host, *, arch: str | None, machine: str | None, virt: str | None, emulator: str | None
) -> DomainCapabilities:
    """Return what domains of one kind can have on a host.

    Raises:
        UnsupportedError: there is no such combination.
    """
    text = node.domain_capabilities(
        host.connection, arch=arch, machine=machine, virt=virt, emulator=emulator
    )
    return DomainCapabilities.parse(text)


def silent(host: Host, timeout_s: float = _QUICK_S) -> str:
    """Return why a host gives no answer; empty when it does."""
    if host.state in {"lost", "closed"}:
        return f"the connection is {host.state}"
    try:
        node.ping(host.connection, timeout_s)
    except LabvirtError as error:
        return error.what
    return ""


def domains(host: Host) -> tuple[DomainRecord, ...]:
    """Return the records of all domains of a host, read now in a few calls.

    Raises:
        LabvirtError: it does not answer.
    """
    return calls.list_all(host.connection)


def common_cpu(hosts: Sequence[Host], virt: str) -> tuple[str, dict[str, str]]:
    """Return the model that all hosts can give to guests, and what each has of its own.

    The first is empty when there is none, or when libvirt cannot tell.

    Raises:
        LabvirtError: a host does not answer, or they have nothing in common.
    """
    texts, models = [], {}
    for host in hosts:
        root = XmlDoc.parse(node.domain_capabilities(host.connection, virt=virt)).root
        mode = root.find("cpu/mode[@name='host-model']")
        if mode is None or mode.get("supported") != "yes":
            models[host.name] = ""
            continue
        models[host.name] = (mode.findtext("model") or "").strip()
        texts.append(as_cpu(mode))
    if len(texts) < len(hosts):
        return "", models
    common = baseline_cpu(hosts[0].connection, texts, virt=virt)
    return (XmlDoc.parse(common).root.findtext("model") or "").strip(), models


def preflight(
    domain: DomainHandle, document: DomainXml, destination: Host, *, deep: bool = False
) -> Preflight:
    """Look at both hosts as before a migration: offline when the domain is off.

    Args:
        domain: what would move.
        document: its XML.
        destination: where to.
        deep: look at files, clocks and ports too.

    Raises:
        LabvirtError: the domain itself cannot be read.
    """
    spec = MigrationSpec() if domain.is_active else MigrationSpec(offline=True)
    known = destination.facts.migrate_uri
    data_uri = None if known is None else known.format(id=domain.uuid.replace("-", ""))
    return examine(domain, document, destination, spec, Prepared(), data_uri=data_uri, deep=deep)


def ways(source: Host, destination: Host) -> tuple[Finding, ...]:
    """Dial the ports of a migration between two hosts, both ways, within a second."""
    question = f"Does data get from {source.name} to {destination.name}?"
    known = destination.facts.migrate_uri or ""
    if known.startswith("unix:"):
        return (Finding("way:data", question, "ok", "through a socket file on this machine"),)
    found = dial_ways(source, destination, MigrationSpec(), known or None)
    if found is None:
        remedy = f"on {source.name}: nc -vz {destination.name} {DATA_PORTS[0]}"
        return (Finding("way:data", question, "unknown", "not tried from there", "", remedy),)
    return tuple(map(finding_of_way, found))
