"""What a host offers to a new machine: names and numbers, read once, for forms and scripts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.connection import node
from labvirt.errors import LabvirtError
from labvirt.host.networks.hostnet import HostNet, Taken, taken
from labvirt.model.units import Size
from labvirt.model.xml.capabilities import DomainCapabilities

if TYPE_CHECKING:
    from labvirt.host.host import Host

__all__ = ["HostOffer", "offer_of"]

_DISCS = (".iso", ".img")
_NONE = Size(0)


@dataclass(frozen=True, slots=True)
class HostOffer:
    """What a host has that a new machine could use, as it was when it was read.

    Attributes:
        name: of the host.
        domains: names that are taken by domains.
        networks: names of the virtual networks.
        bridges: bridges of the machine; empty when it cannot be looked at.
        devices: its other network devices; likewise.
        pools: names of the storage pools that run.
        free: bytes free in each of them.
        pool_names: names that are taken by pools, running or not.
        subnets: subnets in use, with whose they are.
        discs: paths of ISO images and the like in the pools.
        images: paths of the other volumes.
        machines: names of machines for the host's own architecture, ``pc`` and ``q35`` first.
        cpu_models: CPU models that can be used.
        firmwares: ``bios`` and, where there is one, ``efi``.
        virt: ``kvm`` or ``qemu``: what guests run under.
        memory: memory of the machine.
        free_memory: free memory of the machine; 0 when it is not told.
        given_memory: memory that its running domains may have together.
        cpus: CPUs of the machine.
        given_vcpus: virtual CPUs of its running domains together.
        max_vcpus: the most virtual CPUs a domain may have.
        lacking: what could not be read, a sentence each.
    """

    name: str
    domains: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    free: tuple[Size, ...] = ()
    discs: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    cpu_models: tuple[str, ...] = ()
    firmwares: tuple[str, ...] = ("bios",)
    virt: str = "qemu"
    memory: Size = _NONE
    free_memory: Size = _NONE
    given_memory: Size = _NONE
    cpus: int = 0
    given_vcpus: int = 0
    max_vcpus: int = 0
    lacking: tuple[str, ...] = ()
    pool_names: tuple[str, ...] = ()
    subnets: tuple[Taken, ...] = ()


def offer_of(host: Host) -> HostOffer:
    """Read what a host offers to a new machine (G2.2-04, G2.2-10 to G2.2-12).

    What cannot be read is left out and named in `HostOffer.lacking`.

    Raises:
        LabvirtError: the host gives no answer at all.
    """
    machine = host.info()
    records = host.domains.records
    running = [each for each in records if each.is_active]
    lacking: list[str] = []
    pools, free, discs, images = _storage(host, lacking)
    net = HostNet.read(host)
    bridges, devices = _links(net)
    machines, models, firmwares = _machines(host, lacking)
    free_memory, most = Size(0), 0
    with contextlib.suppress(LabvirtError):
        free_memory = Size(host.free_memory())
    with contextlib.suppress(LabvirtError):
        most = host.max_vcpus()
    return HostOffer(
        name=host.name,
        domains=tuple(sorted(each.name for each in records)),
        networks=tuple(sorted(each.name for each in host.networks.records)),
        bridges=bridges,
        devices=devices,
        pools=pools,
        free=free,
        discs=discs,
        images=images,
        machines=machines,
        cpu_models=models,
        firmwares=firmwares,
        virt=host.default_virt(),
        memory=machine.memory,
        free_memory=free_memory,
        given_memory=Size(sum(each.max_memory for each in running)),
        cpus=machine.cpus,
        given_vcpus=sum(each.vcpus for each in running),
        max_vcpus=most,
        lacking=tuple(lacking),
        pool_names=tuple(sorted(each.name for each in host.pools.records)),
        subnets=taken(host, net),
    )


def _storage(
    host: Host, lacking: list[str]
) -> tuple[tuple[str, ...], tuple[Size, ...], tuple[str, ...], tuple[str, ...]]:
    names, free, discs, images = [], [], [], []
    for pool in sorted(host.pools, key=lambda each: each.name):
        try:
            record = pool.info()
            if not record.is_active:
                continue
            names.append(record.name)
            free.append(pool.available)
            paths = [each.path for each in pool.volumes.records if each.type in {"file", "block"}]
        except LabvirtError as error:
            lacking.append(error.what)
            continue
        discs += [path for path in paths if path.lower().endswith(_DISCS)]
        images += [path for path in paths if not path.lower().endswith(".iso")]
    return tuple(names), tuple(free), tuple(sorted(discs)), tuple(sorted(images))


def _links(net: HostNet | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if net is None:
        return (), ()
    return tuple(sorted(net.bridges)), tuple(sorted(net.devices - net.bridges - {"lo"}))


def _machines(
    host: Host, lacking: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    try:
        guest = host.capabilities().guest()
        virt = host.default_virt()
        text = node.domain_capabilities(host.connection, virt=virt)
        found = DomainCapabilities.parse(text)
    except LabvirtError as error:
        lacking.append(error.what)
        return (), (), ("bios",)
    names = sorted(guest.machines) if guest else []
    first = [name for name in ("pc", "q35", "virt") if name in names]
    mode = found.cpu_modes.get("custom")
    models = tuple(sorted(mode.usable_models or mode.models)) if mode else ()
    firmwares = ("bios", *(["efi"] if "efi" in found.firmwares else []))
    return tuple(dict.fromkeys([*first, *names])), models, firmwares
