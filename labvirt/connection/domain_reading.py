"""Reading domains: lists, records, XML, virtual CPUs, memory, metadata, the control channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import bits, find_uuid, on_domain, size_of_kib
from labvirt.connection.xmlfacts import domain_facts
from labvirt.status.domain import (
    ControlRecord,
    DomainRecord,
    DomainState,
    VcpuRecord,
    reason_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from labvirt.connection.connection import Connection

__all__ = [
    "control_info",
    "find",
    "list_all",
    "memory_stats",
    "metadata",
    "read",
    "saved_xml",
    "vcpus",
    "xml",
]

T = TypeVar("T")
_VCPU_STATES = ("offline", "running", "blocked")
_CONTROL_STATES = ("ok", "job", "occupied", "error")
_CONTROL_ERRORS = ("", "unknown", "monitor", "internal")


def list_all(conn: Connection) -> tuple[DomainRecord, ...]:
    """Read every domain of the host, active or not (``virsh list --all``, G15-03).

    Six calls for all together and two quick ones for each domain; none of them asks a hypervisor
    process, so a hung one does not hold up the list. What vanishes meanwhile is left out.
    """
    records = conn.call("list domains", lambda raw: tuple(_all(raw, conn.now())))
    for record in records:
        conn.learn(record.uuid, record.name)
    return records


def _all(raw: Any, now: datetime) -> Iterator[DomainRecord]:
    domains = raw.listAllDomains(0)
    persistent = _listed(raw, libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)
    autostart = _listed(raw, libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)
    saved = _listed(raw, libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
    kept = _listed_if(raw, libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT)
    states = _states(raw, domains)
    for domain in domains:
        uuid = domain.UUIDString()
        try:
            yield _record(
                domain,
                state=states.get(uuid) or tuple(domain.state()),
                persistent=uuid in persistent,
                autostart=uuid in autostart,
                saved=uuid in saved,
                kept=uuid in kept,
                now=now,
            )
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_DOMAIN"):
                raise


def _listed(raw: Any, filter_flag: int) -> frozenset[str]:
    return frozenset(domain.UUIDString() for domain in raw.listAllDomains(filter_flag))


def _listed_if(raw: Any, filter_flag: int) -> frozenset[str]:
    """Return what a filter finds; nothing where the driver does not know the filter."""
    try:
        return _listed(raw, filter_flag)
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT", "INVALID_ARG", "ARGUMENT_UNSUPPORTED"):
            return frozenset()
        raise


def _states(raw: Any, domains: list[Any]) -> dict[str, tuple[int, int]]:
    if not domains:
        return {}
    try:
        told = raw.domainListGetStats(domains, libvirt.VIR_DOMAIN_STATS_STATE)
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT", "ARGUMENT_UNSUPPORTED"):
            return {}
        raise
    return {
        domain.UUIDString(): (stats["state.state"], stats["state.reason"])
        for domain, stats in told
        if "state.reason" in stats
    }


def read(conn: Connection, uuid: str) -> DomainRecord:
    """Read one domain (``virsh dominfo``, G15-12).

    Raises:
        NotFoundError: it is gone.
    """
    record = on_domain(conn, uuid, "read", lambda domain: _read(domain, conn.now()))
    conn.learn(record.uuid, record.name)
    return record


def _read(domain: Any, now: datetime) -> DomainRecord:
    return _record(
        domain,
        state=tuple(domain.state()),
        persistent=bool(domain.isPersistent()),
        autostart=_if_supported(domain.autostart),
        saved=_if_supported(domain.hasManagedSaveImage),
        kept=_if_supported(domain.snapshotNum),
        now=now,
    )


def _if_supported(fn: Callable[[], Any]) -> bool:
    try:
        return bool(fn())
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT", "OPERATION_INVALID"):
            return False
        raise


def _record(
    domain: Any,
    *,
    state: tuple[int, ...],
    persistent: bool,
    autostart: bool,
    saved: bool,
    kept: bool,
    now: datetime,
) -> DomainRecord:
    _, max_kib, kib, vcpus_now, cpu_time_ns = domain.info()
    facts = domain_facts(domain.XMLDesc(0))
    number = domain.ID()
    known = DomainState.of(state[0])
    return DomainRecord(
        uuid=domain.UUIDString(),
        name=domain.name(),
        id=number if number >= 0 and known.is_active else None,
        state=known,
        reason=reason_text(known, state[1]),
        persistent=persistent,
        autostart=autostart,
        has_managed_save=saved,
        os_type=facts.os_type,
        max_memory=size_of_kib(max_kib),
        memory=size_of_kib(kib),
        vcpus=vcpus_now,
        cpu_time_ns=cpu_time_ns if known.is_active else 0,
        title=facts.title,
        tags=facts.tags,
        read_at=now,
        description=facts.description,
        os=facts.os,
        macs=facts.macs,
        has_snapshots=kept,
    )


def find(conn: Connection, key: int | str) -> str:
    """Return the UUID of the domain with an id, a name, or a UUID dashed or not (G15-41).

    Raises:
        NotFoundError: there is none; suggests the nearest name and the right case.
    """
    return find_uuid(
        conn,
        str(key),
        "domain",
        by_name=lambda raw, name: raw.lookupByName(name),
        by_uuid=lambda raw, text: raw.lookupByUUIDString(text),
        by_id=lambda raw, number: raw.lookupByID(number),
        names=lambda raw: [domain.name() for domain in raw.listAllDomains(0)],
        missing="NO_DOMAIN",
    )


def xml(
    conn: Connection,
    uuid: str,
    *,
    inactive: bool = False,
    secure: bool = False,
    migratable: bool = False,
) -> str:
    """Return a domain's XML (``virsh dumpxml``, G15-05).

    Args:
        conn: the connection.
        uuid: which domain.
        inactive: what it will be at its next start, instead of what it is.
        secure: with passwords; needs a connection that may write.
        migratable: without what libvirt adds for itself.
    """
    flags = bits(
        DOMAIN_XML_INACTIVE=inactive, DOMAIN_XML_SECURE=secure, DOMAIN_XML_MIGRATABLE=migratable
    )
    return on_domain(conn, uuid, "read the XML of", lambda domain: str(domain.XMLDesc(flags)))


def saved_xml(conn: Connection, uuid: str) -> str:
    """Return the XML of the machine in a domain's managed save (``managed-save-dumpxml``).

    Raises:
        HostError: it has none, or the driver does not tell.
    """
    return on_domain(
        conn, uuid, "read the saved state of", lambda domain: str(domain.managedSaveGetXMLDesc(0))
    )


def metadata(conn: Connection, uuid: str, namespace: str, *, inactive: bool = False) -> str | None:
    """Return a domain's metadata element of a namespace as XML, None when it has none."""
    flags = bits(DOMAIN_AFFECT_CONFIG=inactive)

    def look(domain: Any) -> str | None:
        try:
            return str(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, namespace, flags))
        except libvirt.libvirtError as error:
            if is_code(error, "NO_DOMAIN_METADATA"):
                return None
            raise

    return on_domain(conn, uuid, "read metadata of", look)


def vcpus(conn: Connection, uuid: str) -> tuple[VcpuRecord, ...]:
    """Read a domain's virtual CPUs (``virsh vcpuinfo``, G15-27); an inactive one has no times."""

    def look(raw: Any) -> tuple[VcpuRecord, ...]:
        domain = raw.lookupByUUIDString(uuid)
        host_cpus = raw.getCPUMap()[0]
        if domain.isActive():
            times, maps = domain.vcpus()
            return tuple(
                VcpuRecord(
                    number,
                    _VCPU_STATES[state] if state < len(_VCPU_STATES) else "unknown",
                    cpu if cpu >= 0 else None,
                    time_ns,
                    _set_of(cpu_map),
                    host_cpus,
                )
                for (number, state, time_ns, cpu), cpu_map in zip(times, maps, strict=True)
            )
        maps = domain.vcpuPinInfo(libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        count = domain.info()[3]
        return tuple(
            VcpuRecord(number, "unknown", None, None, _set_of(cpu_map), host_cpus)
            for number, cpu_map in enumerate(maps[:count])
        )

    return conn.call(f"read the virtual CPUs of domain {conn.label(uuid)}", look)


def _set_of(cpu_map: tuple[bool, ...]) -> frozenset[int]:
    return frozenset(cpu for cpu, on in enumerate(cpu_map) if on)


def memory_stats(conn: Connection, uuid: str) -> dict[str, int]:
    """Read what the balloon knows of a guest's memory, under libvirt's names, KiB.

    ``swap_in``, ``swap_out``, ``major_fault``, ``minor_fault`` are counters, ``last_update`` is
    in seconds since 1970. This asks the hypervisor process.

    Raises:
        ConflictError: the domain is not active.
    """
    return on_domain(conn, uuid, "read the memory of", lambda domain: dict(domain.memoryStats()))


def control_info(conn: Connection, uuid: str) -> ControlRecord:
    """Read what the channel to a domain's hypervisor is doing, without asking that process.

    ``occupied`` for long means that the process hangs.

    Raises:
        ConflictError: the domain is not active.
    """
    state, detail, for_ms = on_domain(
        conn, uuid, "check the control channel of", lambda domain: tuple(domain.controlInfo(0))
    )
    return ControlRecord(_CONTROL_STATES[state], _CONTROL_ERRORS[detail], for_ms)
