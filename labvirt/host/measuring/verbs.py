"""Measuring verbs of a domain: counters of its disks and interfaces, of its accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from labvirt.connection import counters
from labvirt.errors import ConflictError, HostError, NotFoundError, UnsupportedError
from labvirt.host.collection import Table
from labvirt.host.handle import DomainHandle
from labvirt.host.measuring.readings import Readings, columns_of
from labvirt.model.spec import did_you_mean
from labvirt.model.xml.domain import DomainXml
from labvirt.status.accelerator import AcceleratorRecord, parse_info_jit, parse_query_stats
from labvirt.status.counters import BlockStatsRecord, InterfaceStatsRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.measuring.alerts import Alert, AlertEvent
    from labvirt.status.condition import Condition

__all__ = ["MeasuringVerbs"]

_DISKS = Table("disk", columns_of(BlockStatsRecord))
_INTERFACES = Table("interface", columns_of(InterfaceStatsRecord))


class MeasuringVerbs(DomainHandle):
    """Verbs that read counters now; rates over time are `Host.sample` and `Host.history`."""

    @overload
    def block_stats(self, device: str) -> BlockStatsRecord: ...
    @overload
    def block_stats(self, device: None = None) -> Readings[BlockStatsRecord]: ...
    def block_stats(
        self, device: str | None = None
    ) -> BlockStatsRecord | Readings[BlockStatsRecord]:
        """Read what a disk has moved since the domain started (``virsh domblkstat``, G15-29).

        Args:
            device: target of the disk (``vda``), or its path on the host; None for all of them.

        Returns:
            The record; of all disks a tuple of records with ``.df`` (one row per disk, bytes,
            requests and nanoseconds as whole numbers).

        Raises:
            NotFoundError: it has no such disk; names the nearest.
            ConflictError: the domain is not active.
        """
        disks = self._active_xml("read the counters of disks of").disks
        if device is None:
            read = [
                counters.block_stats(self._link, self.uuid, each.target or "") for each in disks
            ]
            return Readings(_DISKS, f"{len(read)} disks of {self.name}, since it started", read)
        targets = [each.target or "" for each in disks]
        paths = [each.source_path for each in disks]
        if device not in targets and device not in paths:
            raise self._no_device("disk", device, targets)
        target = device if device in targets else targets[paths.index(device)]
        return counters.block_stats(self._link, self.uuid, target)

    @overload
    def interface_stats(self, device: str) -> InterfaceStatsRecord: ...
    @overload
    def interface_stats(self, device: None = None) -> Readings[InterfaceStatsRecord]: ...
    def interface_stats(
        self, device: str | None = None
    ) -> InterfaceStatsRecord | Readings[InterfaceStatsRecord]:
        """Read what an interface has moved since it was plugged in (``virsh domifstat``, G15-30).

        Args:
            device: its MAC address, or its device on the host (``vnet0``); None for all of them.

        Returns:
            The record; of all interfaces a tuple of records with ``.df`` (one row per interface),
            in which those that cannot be counted have no numbers.

        Raises:
            NotFoundError: it has no such interface; names the nearest.
            UnsupportedError: the interface has no device on the host that counts (``user``,
                ``mcast``: QEMU itself is the network).
            ConflictError: the domain is not active.
        """
        asked = "read the counters of interfaces of"
        found = [
            (each.mac or "", (each.target_dev or ""), each.type or "")
            for each in self._active_xml(asked).interfaces
        ]
        if device is None:
            read = [
                counters.interface_stats(self._link, self.uuid, mac, tap) for mac, tap, _ in found
            ]
            words = f"{len(read)} interfaces of {self.name}, since they were plugged in"
            return Readings(_INTERFACES, words, read)
        for mac, tap, kind in found:
            if device.lower() not in (mac.lower(), tap.lower()):
                continue
            record = counters.interface_stats(self._link, self.uuid, mac, tap)
            if record.rx_bytes is None:
                raise UnsupportedError(
                    f"{asked} domain {self.name}",
                    uri=self.host.label,
                    libvirt_text=f"the interface {mac} of type {kind} has no device on the host",
                    hint="an interface on a network or bridge is counted; inside the guest: ip -s link",
                )
            return record
        raise self._no_device(
            "interface", device, [one for mac, tap, _ in found for one in (mac, tap)]
        )

    def accelerator_stats(self) -> AcceleratorRecord:
        """Read the counters of the guest's accelerator: TCG's translator, or KVM's exits (G14-12).

        QEMU's monitor is asked (``info jit``; ``query-stats`` under KVM): libvirt notes in its log
        that the domain is tainted by ``custom-monitor``, which changes nothing else.

        Raises:
            AccessDeniedError: the connection is read-only.
            ConflictError: the domain is not active.
            UnsupportedError: this hypervisor is no QEMU, or one before 7.1 under KVM.
        """
        asked = f"read the accelerator's counters of domain {self.name}"
        self.host.require_writable(asked)
        virt = self._active_xml("read the accelerator's counters of").type
        if virt not in ("kvm", "qemu"):
            raise UnsupportedError(
                asked, uri=self.host.label, libvirt_text=f"{virt} is neither KVM nor QEMU"
            )
        link, uuid = self._link, self.uuid
        if virt == "qemu":
            told = parse_info_jit(counters.monitor_words(link, uuid, "info jit"))
            return AcceleratorRecord(self.name, "tcg", told, link.now())
        try:
            machine, vcpus = (
                counters.monitor(link, uuid, "query-stats", target=target)
                for target in ("vm", "vcpu")
            )
        except HostError as error:
            if "not been found" not in error.libvirt_text:
                raise
            raise UnsupportedError(
                asked,
                uri=self.host.label,
                libvirt_text="this QEMU has no query-stats",
                hint="QEMU 7.1 or newer; host.tools.kvm_stat() reads the host's own counters",
            ) from error
        return AcceleratorRecord(self.name, "kvm", parse_query_stats(machine, vcpus), link.now())

    def alert(
        self,
        condition: str | Condition,
        call: Callable[[AlertEvent], object] | None = None,
        *,
        title: str = "",
    ) -> Alert:
        """Watch a condition on a number of this domain; see `Host.alert`.

        Raises:
            SpecError: the condition cannot be read; says what may stand there.
            ConnectionLostError: the host is closed.
        """
        return self.host.alert(condition, (self.uuid,), call, title=title)

    def _active_xml(self, asked: str) -> DomainXml:
        if not self.is_active:
            raise ConflictError(
                f"{asked} domain {self.name}",
                uri=self.host.label,
                libvirt_text="it is not running, and counts nothing",
                hint="start it first",
            )
        return DomainXml.parse(self.xml())

    def _no_device(self, kind: str, device: str, known: Sequence[str]) -> NotFoundError:
        there = [each for each in known if each]
        return NotFoundError(
            f"find {kind} {device!r} of domain {self.name}",
            uri=self.host.label,
            hint=did_you_mean(device, there) if there else f"it has no {kind}",
        )
