"""Whether a CPU that a guest has seen can be had on this host too (G12.1-02)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import libvirt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.connection.connection import Connection

__all__ = ["baseline_cpu", "compare_cpu"]

CpuVerdict = Literal["incompatible", "identical", "superset"]
_VERDICTS: dict[int, CpuVerdict] = {
    libvirt.VIR_CPU_COMPARE_INCOMPATIBLE: "incompatible",
    libvirt.VIR_CPU_COMPARE_IDENTICAL: "identical",
    libvirt.VIR_CPU_COMPARE_SUPERSET: "superset",
}


def compare_cpu(
    conn: Connection,
    xml: str,
    *,
    virt: str | None = None,
    emulator: str | None = None,
    machine: str | None = None,
) -> CpuVerdict:
    """Compare a CPU's XML with what the hypervisor of this host can give to a guest.

    Args:
        conn: the connection.
        xml: a ``<cpu>`` element.
        virt: ``kvm`` or ``qemu``; None is the host's best.
        emulator: path of the hypervisor on the host.
        machine: machine type.

    Returns:
        ``identical`` and ``superset``: a guest with that CPU can run here.

    Raises:
        UnsupportedError: the driver cannot compare.
        HostError: the XML names what this libvirt does not know.
    """

    def run(raw: libvirt.virConnect) -> int:
        return int(raw.compareHypervisorCPU(emulator, None, machine, virt, xml, 0))

    return _VERDICTS.get(conn.call("compare a CPU with that of the host", run), "incompatible")


def baseline_cpu(
    conn: Connection, xmls: Sequence[str], *, virt: str | None = None, migratable: bool = True
) -> str:
    """Return the ``<cpu>`` that a guest can have on all hosts whose CPUs are given.

    Args:
        conn: the connection.
        xmls: ``<cpu>`` elements, as host capabilities or domain capabilities give them.
        virt: ``kvm`` or ``qemu``; None is the host's best.
        migratable: leave out features that cannot move.

    Raises:
        HostError: they have nothing in common.
    """
    flags = libvirt.VIR_CONNECT_BASELINE_CPU_MIGRATABLE if migratable else 0

    def run(raw: libvirt.virConnect) -> str:
        return str(raw.baselineHypervisorCPU(None, None, None, virt, list(xmls), flags))

    return conn.call("find a CPU that several hosts can give", run)
