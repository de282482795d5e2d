"""Movable: whether a domain could be migrated, by what its definition says alone. Pure (G3.2-09)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labvirt.model.xml.devices import FilesystemXml, HostdevXml, InterfaceXml, TpmXml
from labvirt.model.xml.links import ShmemXml, VsockXml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from labvirt.model.xml.devices import DiskXml
    from labvirt.model.xml.domain import DomainXml

__all__ = ["OBSTACLES", "Movable", "Obstacle", "movable"]

#: Kind: whether it forbids a migration, and what it says of ``{what}``.
OBSTACLES: Final[Mapping[str, tuple[bool, str]]] = {
    "local-file": (True, "{what} is on this host alone: put it on shared storage, or copy it"),
    "local-medium": (True, "{what} is in a drive and on this host alone: eject it before"),
    "transient-disk": (True, "disk {what} drops its changes, and they would be lost"),
    "hostdev": (True, "{what} is a device of this host: detach it before"),
    "shared-folder": (True, "{what} is a folder of this host that the guest mounts: unplug it"),
    "tpm-passthrough": (True, "the TPM of this host is passed through: use an emulated one"),
    "cpu-fixed": (True, "the CPU has {what}, which QEMU does not migrate: leave it out"),
    "shmem": (True, "memory {what} is shared with other guests of this host"),
    "tpm-state": (False, "the state of the TPM goes along: swtpm must be there too"),
    "cpu-same": (False, "CPU mode {what}: the other host needs the very same processor"),
    "network": (False, "the other host needs an active network {what}"),
    "bridge": (False, "the other host needs a bridge {what}"),
    "direct": (False, "the other host needs a device {what} in the same network"),
    "user-network": (False, "connections through QEMU's own NAT are cut"),
    "hugepages": (False, "the other host needs free huge pages"),
    "vsock": (False, "the guest's vsock address must be free there"),
    "qemu-arguments": (False, "QEMU's own arguments must mean the same there: {what}"),
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that forbids a migration, or that it depends on.

    Attributes:
        kind: key of `OBSTACLES`.
        what: path, device or name; may be empty.
    """

    kind: str
    what: str = ""

    @property
    def forbids(self) -> bool:
        """Whether it cannot be migrated at all; else it can on a condition."""
        return OBSTACLES[self.kind][0]

    def __str__(self) -> str:
        return OBSTACLES[self.kind][1].format(what=self.what)


@dataclass(frozen=True, slots=True)
class Movable:
    """Whether a domain can be migrated.

    Attributes:
        obstacles: what speaks against it, what forbids it first.
    """

    obstacles: tuple[Obstacle, ...]

    def __bool__(self) -> bool:
        return not self.reasons

    @property
    def reasons(self) -> tuple[Obstacle, ...]:
        """What forbids it."""
        return tuple(each for each in self.obstacles if each.forbids)

    @property
    def conditions(self) -> tuple[Obstacle, ...]:
        """What the other host needs."""
        return tuple(each for each in self.obstacles if not each.forbids)

    def __str__(self) -> str:
        if self.reasons:
            return "cannot migrate: " + "; ".join(map(str, self.reasons))
        told = "; ".join(map(str, self.conditions))
        return f"can migrate; {told}" if told else "can migrate"


def movable(
    document: DomainXml,
    is_shared: Callable[[str], bool],
    is_shared_pool: Callable[[str], bool] = lambda _name: False,
) -> Movable:
    """Return whether a domain could be migrated, and what speaks against it.

    Args:
        document: its definition.
        is_shared: whether both hosts see the same file or block device at a path.
        is_shared_pool: whether a pool of that name is storage of the network.
    """
    found = [
        *_of_storage(document, is_shared, is_shared_pool),
        *_of_devices(document),
        *_of_interfaces(document),
        *_of_machine(document),
    ]
    unique = dict.fromkeys(found)
    return Movable(tuple(sorted(unique, key=lambda each: not each.forbids)))


def _of_storage(
    document: DomainXml,
    is_shared: Callable[[str], bool],
    is_shared_pool: Callable[[str], bool],
) -> Iterator[Obstacle]:
    for path in (document.kernel, document.initrd):
        if path and not is_shared(path):
            yield Obstacle("local-file", path)
    for disk in document.disks:
        kind = "local-medium" if disk.device in {"cdrom", "floppy"} else "local-file"
        for path in (disk.source_file, disk.source_dev, disk.source_dir, disk.backing_file):
            if path and not is_shared(path):
                yield Obstacle(kind, path)
        if disk.source_pool and not is_shared_pool(disk.source_pool):
            yield Obstacle(kind, _volume(disk))
        if disk.transient:
            yield Obstacle("transient-disk", disk.target or "")


def _volume(disk: DiskXml) -> str:
    return f"{disk.source_pool}/{disk.source_volume}"


def _of_devices(document: DomainXml) -> Iterator[Obstacle]:
    for device in document.devices:
        if isinstance(device, HostdevXml):
            yield Obstacle("hostdev", _hostdev(device))
        elif isinstance(device, FilesystemXml):
            yield Obstacle("shared-folder", device.source_dir or device.target_dir or "")
        elif isinstance(device, TpmXml):
            is_real = device.backend_type == "passthrough"
            yield Obstacle("tpm-passthrough" if is_real else "tpm-state")
        elif isinstance(device, ShmemXml) and device.role != "master":
            yield Obstacle("shmem", device.name or "")
        elif isinstance(device, VsockXml):
            yield Obstacle("vsock")


def _hostdev(device: HostdevXml) -> str:
    if device.usb_vendor:
        return f"{device.type} {device.usb_vendor}:{device.usb_product}"
    address = (device.pci_domain, device.pci_bus, device.pci_slot, device.pci_function)
    return " ".join(part for part in (device.type, *address) if part)


def _of_interfaces(document: DomainXml) -> Iterator[Obstacle]:
    for nic in document.interfaces:
        if nic.type == "hostdev":
            yield Obstacle("hostdev", nic.mac or "interface")
            continue
        kind, what = _link(nic)
        if kind:
            yield Obstacle(kind, what)


def _link(nic: InterfaceXml) -> tuple[str, str]:
    if nic.type == "network":
        return "network", nic.source_network or "default"
    if nic.type == "bridge":
        return "bridge", nic.source_bridge or ""
    if nic.type == "direct":
        return "direct", nic.source_dev or ""
    return ("user-network", "") if nic.type == "user" else ("", "")


def _of_machine(document: DomainXml) -> Iterator[Obstacle]:
    if document.cpu_mode == "host-passthrough":
        if document.cpu_migratable is False:
            yield Obstacle("cpu-fixed", "migratable='off'")
        yield Obstacle("cpu-same", "host-passthrough")
    elif document.cpu_mode == "maximum":
        yield Obstacle("cpu-same", "maximum")
    for feature in document.cpu_features:
        if feature.name == "invtsc" and feature.policy in {None, "require", "force"}:
            yield Obstacle("cpu-fixed", "invtsc")
    if document.hugepages:
        yield Obstacle("hugepages")
    if document.qemu_args:
        yield Obstacle("qemu-arguments", " ".join(document.qemu_args))
