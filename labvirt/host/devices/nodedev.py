"""The devices of a host: what they are, who uses them, taking PCI devices from the host and back."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.connection import domain as domains
from labvirt.connection import nodedev as calls
from labvirt.errors import ConflictError, NotFoundError, UnsupportedError
from labvirt.host.collection import Collection, Table
from labvirt.model.hostdev import HostPciSpec, HostUsbSpec
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Call, Plan, verb
from labvirt.status.device import own_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labvirt.connection import Connection
    from labvirt.host.host import Host
    from labvirt.status.nodedev import NodeDeviceRecord

__all__ = ["NO_IOMMU", "NodeDevice", "node_devices_of", "owners_of_devices"]

TABLE = Table(
    "node device",
    [
        ("name", "", lambda r: r.name),
        ("type", "", lambda r: r.type),
        ("what", "", lambda r: r.what),
        ("address", "", lambda r: r.address),
        ("vendor_id", "", lambda r: r.vendor_id),
        ("product_id", "", lambda r: r.product_id),
        ("driver", "", lambda r: r.driver),
        ("iommu_group", "", lambda r: r.iommu_group),
        ("node", "", lambda r: r.node),
        ("uses", "", lambda r: r.uses),
        ("used_by", "", lambda r: r.used_by),
        ("parent", "", lambda r: r.parent),
    ],
)
NO_IOMMU = """it is in no IOMMU group: the IOMMU (VT-d, AMD-Vi) is absent, or off in the firmware or \
the kernel"""


class NodeDevices(Collection["NodeDevice"]):
    """The devices of a host."""

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<NodeDevices of {self._where_text}>"


def node_devices_of(host: Host) -> NodeDevices:
    """Return the devices of a host."""
    return NodeDevices(
        "node device",
        host.name,
        records=lambda: read_all(host),
        wrap=lambda record: NodeDevice(host, record),
        table=TABLE,
        cached=lambda: ((), None),
    )


def read_all(host: Host) -> tuple[NodeDeviceRecord, ...]:
    """Read the devices of a host, with what the host and its domains do with them."""
    records = calls.list_all(host.connection)
    owners = owners_of_devices(host)
    uses = _uses(host, records)
    return tuple(
        replace(record, uses=uses.get(record.name, ()), used_by=tuple(sorted(_of(record, owners))))
        for record in records
    )


def _of(record: NodeDeviceRecord, owners: dict[str, set[str]]) -> set[str]:
    if record.type == "pci":
        return owners.get(record.address, set())
    if record.type != "usb_device":
        return set()
    kind = f"{record.vendor_id[2:]}:{record.product_id[2:]}"
    return owners.get(kind, set()) | owners.get(f"usb {record.address}", set())


def owners_of_devices(host: Host) -> dict[str, set[str]]:
    """Return the domains that have a device of the host, by its address."""
    found: dict[str, set[str]] = {}
    for record in domains.list_all(host.connection):
        try:
            document = DomainXml.parse(domains.xml(host.connection, record.uuid))
        except NotFoundError:
            continue
        for view in document.hostdevs:
            found.setdefault(own_name(view), set()).add(record.name)
    return found


def _uses(host: Host, records: Iterable[NodeDeviceRecord]) -> dict[str, tuple[str, ...]]:
    """Return what this machine does with its devices; a device is used when one on it is."""
    if not host.is_local:
        return {}
    known = {record.name: record for record in records}
    routed, mounted = _routed(), _mounted()
    found: dict[str, list[str]] = {}
    for record in known.values():
        told = []
        if record.type == "net" and record.node in routed:
            told.append(f"{record.node} carries the route to {routed[record.node]}")
        if record.type == "storage":
            told += [f"{path} is {how}" for path, how in mounted if path.startswith(record.node)]
        name = record.name if told else ""
        while name:
            found.setdefault(name, []).extend(told)
            name = known[name].parent if name in known else ""
    return {name: tuple(dict.fromkeys(told)) for name, told in found.items()}


def _routed() -> dict[str, str]:
    """Return the network interfaces of this machine that carry a route, and where it leads."""
    found: dict[str, str] = {}
    for line in _lines("/proc/net/route")[1:]:
        name, target = line.split()[:2]
        text = "everywhere" if target == "00000000" else "its network"
        if found.get(name) != "everywhere":
            found[name] = text
    return found


def _mounted() -> list[tuple[str, str]]:
    """Return the block devices of this machine that are mounted or swapped to."""
    found = [(line.split()[0], f"mounted at {line.split()[1]}") for line in _lines("/proc/mounts")]
    found += [(line.split()[0], "swap") for line in _lines("/proc/swaps")[1:]]
    return [(path, how) for path, how in found if path.startswith("/dev/")]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


class NodeDevice:
    """A device of a host.

    Attributes:
        host: whose it is.
        record: what it was when it was read.
    """

    def __init__(self, host: Host, record: NodeDeviceRecord) -> None:
        self.host = host
        self.record = record
        self.name = record.name

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<NodeDevice {self.name} of {self.host.name}: {self.record.what}>"

    def info(self) -> NodeDeviceRecord:
        """Read the device now.

        Raises:
            NotFoundError: it is gone.
        """
        found = next((one for one in read_all(self.host) if one.name == self.name), None)
        if found is None:
            raise NotFoundError(f"find device {self.name}", uri=self.host.label)
        self.record = found
        return found

    def xml(self) -> str:
        """Return the device's XML."""
        return calls.xml(self.host.connection, self.name)

    def spec(self) -> HostPciSpec | HostUsbSpec:
        """Return what gives this device to a domain: ``domain.attach(device.spec())``.

        Raises:
            UnsupportedError: it is neither a PCI nor a USB device.
        """
        if self.record.type == "pci":
            return HostPciSpec(address=self.record.address)
        if self.record.type == "usb_device":
            bus, device = self.record.address.split(":")
            return HostUsbSpec(bus=int(bus), device=int(device))
        raise UnsupportedError(
            f"give {self.name} to a domain",
            uri=self.host.label,
            libvirt_text=f"it is a {self.record.type} device; PCI and USB devices can be given",
            hint=f"the device it sits on: {self.record.parent}" if self.record.parent else "",
        )

    @verb
    def detach(self, *, driver: str | None = None, confirm: bool = False) -> Plan[None]:
        """Take a PCI device from the host's driver, so that a domain can have it.

        Args:
            driver: the driver that takes it: ``vfio``; None for libvirt's choice.
            confirm: agree to what the host loses with it.

        Raises:
            UnsupportedError: no PCI device, or it is in no IOMMU group.
            ConflictError: the host lives on it (route, mounted disk, swap), or a domain has it.
        """
        asked, record = f"take device {self.name} from host {self.host.name}", self.info()
        self._require_pci(asked)
        if record.uses:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text="; ".join(record.uses),
                hint="stop that use first: unmount, swapoff, or move the route to another card",
            )
        self._require_free(asked, record)
        if record.iommu_group is None:
            raise UnsupportedError(
                asked,
                uri=self.host.label,
                libvirt_text=NO_IOMMU,
                hint="switch it on in the firmware; kernel: intel_iommu=on or amd_iommu=on",
            )
        option = ("--driver", driver) if driver else ()
        nodes = [one.node for one in read_all(self.host) if one.parent == self.name and one.node]
        lost = (
            f"the host's use of {record.what} ({', '.join(nodes) or record.driver or 'no driver'})"
        )
        return self._plan(
            asked,
            lambda link: calls.detach(link, self.name, driver),
            ("nodedev-detach", self.name, *option),
            "detach",
            destroys=(lost,),
            warnings=self._group(record),
            confirm=confirm,
        )

    @verb
    def reattach(self) -> Plan[None]:
        """Give a PCI device back to the host's own driver.

        Raises:
            ConflictError: a running domain has it.
        """
        asked, record = f"give device {self.name} back to host {self.host.name}", self.info()
        self._require_pci(asked)
        self._require_free(asked, record)
        return self._plan(
            asked,
            lambda link: calls.reattach(link, self.name),
            ("nodedev-reattach", self.name),
            "reattach",
        )

    @verb
    def reset(self, *, confirm: bool = False) -> Plan[None]:
        """Reset a PCI device that neither host nor domain uses.

        Raises:
            ConflictError: the host or a domain uses it.
        """
        asked, record = f"reset device {self.name} of host {self.host.name}", self.info()
        self._require_pci(asked)
        if record.uses:
            raise ConflictError(asked, uri=self.host.label, libvirt_text="; ".join(record.uses))
        self._require_free(asked, record)
        return self._plan(
            asked,
            lambda link: calls.reset(link, self.name),
            ("nodedev-reset", self.name),
            "reset",
            destroys=(f"the state of {record.what}",),
            confirm=confirm,
        )

    def _require_pci(self, asked: str) -> None:
        if self.record.type != "pci":
            raise UnsupportedError(
                asked,
                uri=self.host.label,
                libvirt_text=f"it is a {self.record.type} device; only PCI devices are taken so",
                hint=f"the device it sits on: {self.record.parent}" if self.record.parent else "",
            )

    def _require_free(self, asked: str, record: NodeDeviceRecord) -> None:
        running = [name for name in record.used_by if self.host.domains[name].is_active]
        if running:
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text=f"domain {', '.join(running)} has it",
                hint="detach it there first",
            )

    def _group(self, record: NodeDeviceRecord) -> tuple[str, ...]:
        """Warn of the other devices that go with it: an IOMMU group is given as a whole."""
        others = [
            f"{one.name} ({one.what})"
            for one in read_all(self.host)
            if one.iommu_group == record.iommu_group and one.name != self.name
        ]
        if not others:
            return ()
        return (f"its IOMMU group {record.iommu_group} also holds {', '.join(others)}",)

    def _plan(
        self,
        asked: str,
        run: Callable[[Connection], None],
        virsh: tuple[str, ...],
        python: str,
        *,
        destroys: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
        confirm: bool = False,
    ) -> Plan[None]:
        call: Call[Host, None] = Call(
            asked,
            lambda host, _: run(host.connection),
            line=shlex.join(virsh),
            loses=destroys,
            before=lambda host: host.require_writable(asked),
        )
        return Plan(
            title=asked,
            host=self.host,
            actions=(call,),
            result=lambda: call.results[-1],
            warnings=warnings,
            python=f"{self.host.python}.devices[{self.name!r}].{python}()",
            confirmed=confirm,
            journal=self.host.journal,
        )
