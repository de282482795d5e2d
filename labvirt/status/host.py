"""What a host is at one moment: its machine and its versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labvirt.model.units import Size

__all__ = ["NodeRecord", "VersionRecord", "version_text"]


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """The machine under a host (``virsh nodeinfo``, G15-38).

    Attributes:
        model: CPU model as libvirt names the architecture, e.g. ``x86_64``.
        memory: physical memory, bytes.
        cpus: active CPUs.
        mhz: expected CPU frequency; 0 when unknown.
        nodes: NUMA cells; 1 for an unusual topology.
        sockets: CPU sockets per cell.
        cores: cores per socket.
        threads: threads per core.
    """

    model: str
    memory: Size
    cpus: int
    mhz: int
    nodes: int
    sockets: int
    cores: int
    threads: int


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """Versions of everything between us and a guest (``virsh version``, G15-37).

    Attributes:
        library: libvirt on this side, e.g. ``9.0.0``.
        binding: libvirt-python on this side; empty when it does not say.
        daemon: libvirt on the host.
        hypervisor: kind of the hypervisor, e.g. ``QEMU``.
        hypervisor_version: its version; empty when the driver does not say.
    """

    library: str
    binding: str
    daemon: str
    hypervisor: str
    hypervisor_version: str


def version_text(number: int) -> str:
    """Return libvirt's packed version (1000000 * major + 1000 * minor + release) as text."""
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"
