"""The host itself (libvirt's "node"): machine, versions, capabilities, free memory."""

from __future__ import annotations

import contextlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, size_of, size_of_kib
from labvirt.connection.reconnect import LinkState
from labvirt.status.host import NodeRecord, VersionRecord, version_text

if TYPE_CHECKING:
    from labvirt.connection.connection import Connection
    from labvirt.model.units import Size

__all__ = [
    "capabilities",
    "domain_capabilities",
    "free_memory",
    "hostname",
    "info",
    "is_alive",
    "max_vcpus",
    "ping",
    "versions",
]


def info(conn: Connection) -> NodeRecord:
    """Read the machine of the host (``virsh nodeinfo``, G15-38)."""

    def look(raw: Any) -> NodeRecord:
        model, memory_mib, cpus, mhz, nodes, sockets, cores, threads = raw.getInfo()
        memory_kib = memory_mib * 1024
        with contextlib.suppress(libvirt.libvirtError, KeyError):
            exact_kib = raw.getMemoryStats(-1, 0)["total"]
            # The same figure before it was cut to MiB; anything else would disagree with virsh.
            memory_kib = exact_kib if exact_kib // 1024 == memory_mib else memory_kib
        return NodeRecord(model, size_of_kib(memory_kib), cpus, mhz, nodes, sockets, cores, threads)

    return conn.call("read the machine of the host", look)


def versions(conn: Connection) -> VersionRecord:
    """Read the versions of everything between us and a guest (``virsh version``, G15-37)."""

    def look(raw: Any) -> VersionRecord:
        try:
            hypervisor = version_text(raw.getVersion())
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_SUPPORT", "INTERNAL_ERROR", "OPERATION_UNSUPPORTED"):
                raise
            hypervisor = ""
        return VersionRecord(
            library=version_text(libvirt.getVersion()),
            binding=_binding_version(),
            daemon=version_text(raw.getLibVersion()),
            hypervisor=str(raw.getType()),
            hypervisor_version=hypervisor,
        )

    return conn.call("read the versions of the host", look)


def _binding_version() -> str:
    try:
        return metadata.version("libvirt-python")
    except metadata.PackageNotFoundError:
        return ""  # put there by hand


def capabilities(conn: Connection) -> str:
    """Return the host's capabilities as XML (``virsh capabilities``).

    The first time after a daemon's start this probes every QEMU: seconds.
    """
    return conn.call(
        "read the capabilities of the host",
        lambda raw: str(raw.getCapabilities()),
        timeout_s=SLOW_S,
    )


def domain_capabilities(
    conn: Connection,
    *,
    arch: str | None = None,
    machine: str | None = None,
    virt: str | None = None,
    emulator: str | None = None,
) -> str:
    """Return what domains of one kind can have, as XML (``virsh domcapabilities``).

    Args:
        conn: the connection.
        arch: e.g. ``x86_64``; None for the host's own.
        machine: e.g. ``pc`` or ``q35``; None for the default.
        virt: ``kvm`` or ``qemu``; None for the best.
        emulator: path of the hypervisor program on the host.

    Raises:
        UnsupportedError: the host has no such combination.
    """
    return conn.call(
        "read the domain capabilities of the host",
        lambda raw: str(raw.getDomainCapabilities(emulator, arch, machine, virt, 0)),
        timeout_s=SLOW_S,
    )


def hostname(conn: Connection) -> str:
    """Return the name the host calls itself."""
    return conn.call("read the name of the host", lambda raw: str(raw.getHostname()))


def free_memory(conn: Connection) -> Size:
    """Return the host's free memory, bytes."""
    return conn.call("read the free memory of the host", lambda raw: size_of(raw.getFreeMemory()))


def max_vcpus(conn: Connection, virt: str | None = None) -> int:
    """Return the most virtual CPUs a domain can have.

    Args:
        conn: the connection.
        virt: ``kvm`` or ``qemu``; None for the driver's default.
    """
    return conn.call("read the most virtual CPUs", lambda raw: int(raw.getMaxVcpus(virt)))


def ping(conn: Connection, timeout_s: float) -> None:
    """Ask the daemon the simplest thing there is.

    Raises:
        LabvirtError: no answer in time.
    """
    conn.call("ask for the version", lambda raw: int(raw.getLibVersion()), timeout_s=timeout_s)


def is_alive(conn: Connection) -> bool:
    """Whether the link is up as far as is known; asks nobody."""
    return conn.state is LinkState.CONNECTED
