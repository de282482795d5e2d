"""Changing what a domain has: memory, virtual CPUs, devices, name, labels, metadata (15.2).

`live` changes the running domain, `config` its stored definition; with neither libvirt chooses
what fits the state of the domain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.handles import SLOW_S, affects, bits, on_domain
from labvirt.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Collection

    from labvirt.connection.connection import Connection

__all__ = [
    "attach",
    "detach",
    "pin_vcpu",
    "rename",
    "set_autostart",
    "set_description",
    "set_max_memory",
    "set_memory",
    "set_metadata",
    "set_title",
    "set_vcpus",
    "update_device",
]


def set_autostart(conn: Connection, uuid: str, on: bool) -> None:  # noqa: FBT001 - the value itself
    """Start a domain with the host's daemon, or no longer."""
    on_domain(conn, uuid, "set autostart of", lambda domain: domain.setAutostart(int(on)))


def _kib(size: int) -> int:
    return -(-size // 1024)


def set_memory(
    conn: Connection, uuid: str, size: int, *, live: bool = False, config: bool = False
) -> None:
    """Set the memory a domain has now or from its next start (G15-24).

    A running guest's balloon driver must cooperate; libvirt does not wait for it.

    Args:
        conn: the connection.
        uuid: which domain.
        size: bytes, rounded up to whole KiB; at most the domain's maximum.
        live: change the running domain.
        config: change the stored definition.

    Raises:
        ConflictError: more than the maximum, or the domain is not in that state.
    """
    flags = affects(live=live, config=config)
    on_domain(conn, uuid, "set the memory of", lambda d: d.setMemoryFlags(_kib(size), flags))


def set_max_memory(
    conn: Connection, uuid: str, size: int, *, live: bool = False, config: bool = True
) -> None:
    """Set the most memory a domain may have, bytes; QEMU takes it at the next start (G15-25)."""
    flags = affects(live=live, config=config) | libvirt.VIR_DOMAIN_MEM_MAXIMUM
    verb = "set the maximum memory of"
    on_domain(conn, uuid, verb, lambda d: d.setMemoryFlags(_kib(size), flags))


def set_vcpus(
    conn: Connection,
    uuid: str,
    count: int,
    *,
    live: bool = False,
    config: bool = False,
    maximum: bool = False,
    guest: bool = False,
) -> None:
    """Set how many virtual CPUs a domain has (G15-26).

    Args:
        conn: the connection.
        uuid: which domain.
        count: how many.
        live: change the running domain.
        config: change the stored definition.
        maximum: set the maximum instead (config only).
        guest: switch them on or off inside the guest, by its agent.

    Raises:
        ConflictError: more than the maximum.
    """
    flags = affects(live=live, config=config)
    flags |= bits(DOMAIN_VCPU_MAXIMUM=maximum, DOMAIN_VCPU_GUEST=guest)
    on_domain(
        conn,
        uuid,
        "set the virtual CPUs of",
        lambda d: d.setVcpusFlags(count, flags),
        timeout_s=SLOW_S,
    )


def pin_vcpu(
    conn: Connection,
    uuid: str,
    vcpu: int,
    cpus: Collection[int],
    *,
    live: bool = False,
    config: bool = False,
) -> None:
    """Say on which host CPUs a virtual CPU may run (G15-28).

    Raises:
        SpecError: no CPU, or one that the host does not have.
    """
    flags = affects(live=live, config=config)

    def pin(raw: Any) -> None:
        host_cpus = raw.getCPUMap()[0]
        wrong = sorted(cpu for cpu in cpus if not 0 <= cpu < host_cpus)
        if wrong or not cpus:
            why = f"the host has no CPU {wrong[0]}" if wrong else "at least one CPU is needed"
            problem = Problem("cpus", str(wrong or ""), why, f"0 to {host_cpus - 1}")
            raise SpecError(f"pin virtual CPU {vcpu} of domain {conn.label(uuid)}", (problem,))
        cpu_map = tuple(cpu in cpus for cpu in range(host_cpus))
        raw.lookupByUUIDString(uuid).pinVcpuFlags(vcpu, cpu_map, flags)

    conn.call(f"pin virtual CPU {vcpu} of domain {conn.label(uuid)}", pin)


def attach(
    conn: Connection, uuid: str, xml: str, *, live: bool = False, config: bool = False
) -> None:
    """Add a device by its XML (G15-31).

    Raises:
        SpecError: libvirt does not accept the XML.
        ConflictError: the place is taken.
    """
    flags = affects(live=live, config=config)
    on_domain(
        conn,
        uuid,
        "attach a device to",
        lambda d: d.attachDeviceFlags(xml, flags),
        timeout_s=SLOW_S,
    )


def detach(
    conn: Connection, uuid: str, xml: str, *, live: bool = False, config: bool = False
) -> None:
    """Take a device away, named by its XML (G15-34).

    A running guest must let go of it first: a ``device-removed`` event says when it has.

    Raises:
        NotFoundError: there is no such device.
    """
    flags = affects(live=live, config=config)
    on_domain(
        conn,
        uuid,
        "detach a device from",
        lambda d: d.detachDeviceFlags(xml, flags),
        timeout_s=SLOW_S,
    )


def update_device(
    conn: Connection,
    uuid: str,
    xml: str,
    *,
    live: bool = False,
    config: bool = False,
    force: bool = False,
) -> None:
    """Change a device in place: the medium of a drive, the link of an interface.

    Args:
        conn: the connection.
        uuid: which domain.
        xml: the whole device as it shall be.
        live: change the running domain.
        config: change the stored definition.
        force: open a locked tray.
    """
    flags = affects(live=live, config=config) | bits(DOMAIN_DEVICE_MODIFY_FORCE=force)
    on_domain(
        conn,
        uuid,
        "update a device of",
        lambda d: d.updateDeviceFlags(xml, flags),
        timeout_s=SLOW_S,
    )


def rename(conn: Connection, uuid: str, new: str) -> None:
    """Give an inactive domain another name; its UUID stays.

    Raises:
        ConflictError: it is active, or the name is taken.
    """
    on_domain(conn, uuid, f"rename to {new} the", lambda domain: domain.rename(new, 0))
    conn.learn(uuid, new)


def _set_metadata(  # the shape of libvirt's call
    conn: Connection,
    uuid: str,
    what: str,
    part: int,
    text: str | None,
    *,
    prefix: str | None = None,
    namespace: str | None = None,
    live: bool,
    config: bool,
) -> None:
    flags = affects(live=live, config=config)
    on_domain(
        conn,
        uuid,
        f"set the {what} of",
        lambda domain: domain.setMetadata(part, text, prefix, namespace, flags),
    )


def set_title(
    conn: Connection, uuid: str, text: str | None, *, live: bool = False, config: bool = False
) -> None:
    """Set a domain's title, one line; None removes it."""
    part = libvirt.VIR_DOMAIN_METADATA_TITLE
    _set_metadata(conn, uuid, "title", part, text or None, live=live, config=config)


def set_description(
    conn: Connection, uuid: str, text: str | None, *, live: bool = False, config: bool = False
) -> None:
    """Set a domain's description; None removes it."""
    part = libvirt.VIR_DOMAIN_METADATA_DESCRIPTION
    _set_metadata(conn, uuid, "description", part, text or None, live=live, config=config)


def set_metadata(
    conn: Connection,
    uuid: str,
    namespace: str,
    prefix: str,
    xml: str | None,
    *,
    live: bool = False,
    config: bool = False,
) -> None:
    """Set a domain's metadata element of one namespace; None removes it.

    Args:
        conn: the connection.
        uuid: which domain.
        namespace: URI of the namespace.
        prefix: prefix for it in the domain's XML.
        xml: one element, without the namespace's prefix.
        live: change the running domain.
        config: change the stored definition.
    """
    _set_metadata(
        conn,
        uuid,
        "metadata",
        libvirt.VIR_DOMAIN_METADATA_ELEMENT,
        xml,
        prefix=prefix,
        namespace=namespace,
        live=live,
        config=config,
    )
