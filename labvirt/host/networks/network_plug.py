"""Plugging guests in again: a network that was stopped and started knows none of its old taps."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.connection import domain as domains
from labvirt.connection import network as networks
from labvirt.errors import ConflictError, NotFoundError, SpecError
from labvirt.model.ident import new_uuid
from labvirt.model.network import NetworkSpec
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["ReplugGuests", "replug"]

#: UUID of a domain, and MAC address of its interface.
Pair = tuple[str, str]


def replug(host: Host, name: str, pairs: Sequence[Pair], by: str = "") -> None:
    """Put the taps of running guests onto the bridge of a network that was started anew.

    libvirt moves a tap when its interface changes to another network, and sees no reason to when
    it stays on the same; so they go by a second network that exists for that moment only.

    Args:
        host: the host.
        name: the network.
        pairs: the guests' interfaces.
        by: name of the second network; one is made up when empty.
    """
    if not pairs:
        return
    by = by or f"replug-{new_uuid()[:8]}"
    link = host.connection
    bridge = networks.read(link, networks.find(link, name)).bridge
    uuid = networks.create(link, NetworkSpec(name=by, forward="isolated", stp=False).to_xml())
    try:
        other = networks.read(link, uuid).bridge
        for domain, mac in pairs:
            _move(host, domain, mac, (name, bridge), (by, other))
            _move(host, domain, mac, (by, other), (name, bridge))
    finally:
        networks.stop(link, uuid)


def _move(host: Host, domain: str, mac: str, here: Pair, there: Pair) -> None:
    """Move one interface from a network, or from its bridge, to another one."""
    try:
        document = DomainXml.parse(domains.xml(host.connection, domain))
        interface = document.find_interface(mac)
    except (NotFoundError, SpecError):
        # The guest, or the card, was taken away meanwhile.
        return
    source = interface.element.find("source")
    if source is None:
        return
    if interface.type == "bridge" and interface.source_bridge == here[1]:
        interface.source_bridge = there[1]
    elif interface.source_network == here[0]:
        for made_by_libvirt in ("portid", "bridge"):
            source.attrib.pop(made_by_libvirt, "")
        interface.source_network = there[0]
    else:
        return
    domains.update_device(host.connection, domain, interface.text(), live=True)


@dataclass(frozen=True)
class ReplugGuests(Action["Host"]):
    """Put the cards of running guests onto a network that was started anew."""

    kind: ClassVar[str] = "replug-guests"
    name: str
    pairs: tuple[Pair, ...]
    names: tuple[str, ...]
    by: str

    @property
    def title(self) -> str:
        return f"plug {', '.join(self.names)} into network {self.name} again"

    @property
    def virsh(self) -> tuple[str, ...]:
        return tuple(
            shlex.join(["update-device", uuid, "/dev/stdin", "--live"])
            + f" # interface {mac}: to another network, and back to {self.name}"
            for uuid, mac in self.pairs
        )

    def do(self, host: Host, control: JobControl) -> None:
        replug(host, self.name, self.pairs, self.by)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        link = host.connection
        try:
            record = networks.read(link, networks.find(link, self.by))
            bridge = networks.read(link, networks.find(link, self.name)).bridge
        except NotFoundError:
            return
        for domain, mac in self.pairs:
            try:
                _move(host, domain, mac, (self.by, record.bridge), (self.name, bridge))
            except ConflictError:
                # The network is not active: the guest stays without a link.
                continue
        networks.stop(link, record.uuid)
