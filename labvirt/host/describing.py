"""What a host is, in one reading: machine, versions, processors, memory, what guests run under."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.errors import LabvirtError
from labvirt.model.units import Size

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.model.xml.capabilities import Capabilities
    from labvirt.status import NodeRecord, VersionRecord

__all__ = ["HostDescription", "describe"]


@dataclass(frozen=True, slots=True)
class HostDescription:
    """What a host is (G12.4-02, G15-37, G15-38, G17.7-02).

    Attributes:
        node: processors and memory of the machine.
        versions: of libvirt here and there, and of the hypervisor.
        capabilities: what the host can run.
        free_memory: free memory of the machine; None when it is not told.
        virt: what guests run under unless they say otherwise: ``kvm`` or ``qemu``.
        proved: a guest has been run under it; otherwise it is only libvirt's word.
    """

    node: NodeRecord
    versions: VersionRecord
    capabilities: Capabilities
    free_memory: Size | None
    virt: str
    proved: bool

    @property
    def is_accelerated(self) -> bool:
        """Whether guests run by the processor's own virtualization."""
        return self.virt == "kvm"


def describe(host: Host) -> HostDescription:
    """Read what a host is.

    Raises:
        LabvirtError: the host gives no answer.
    """
    free = None
    with contextlib.suppress(LabvirtError):
        free = Size(host.free_memory())
    return HostDescription(
        node=host.info(),
        versions=host.version(),
        capabilities=host.capabilities(),
        free_memory=free,
        virt=host.default_virt(),
        proved=host.facts.virt is not None,
    )
