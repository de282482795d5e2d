"""Plugging guests in again: a network that was stopped and started knows none of its old taps."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from labvirt.connection import domain as domains
from labvirt.connection import network as networks
from labvirt.errors import ConflictError, NotFoundError, SpecError
from labvirt.model.network import NetworkSpec
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Action

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Crash, JobControl

__all__ = ["ReplugGuests"]


@dataclass(frozen=True)
class ReplugGuests(Action["Host"]):
    """Put the taps of running guests onto the bridge of a network that was started anew.

    libvirt moves a tap when the interface changes to another network, and sees no reason to when
    it stays on the same; so they go by a second network that exists for that moment only.
    """

    kind: ClassVar[str] = "replug-guests"
    name: str
    pairs: tuple[tuple[str, str], ...]
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
        spec = NetworkSpec(name=self.by, forward="isolated", stp=False)
        uuid = networks.create(host.connection, spec.to_xml())
        try:
            for domain, mac in self.pairs:
                control.check()
                self._move(host, domain, mac, self.by)
                self._move(host, domain, mac, self.name)
        finally:
            networks.stop(host.connection, uuid)

    def _move(self, host: Host, domain: str, mac: str, name: str) -> None:
        try:
            document = DomainXml.parse(domains.xml(host.connection, domain))
            interface = document.find_interface(mac)
        except (NotFoundError, SpecError):
            # The guest, or the card, was taken away meanwhile.
            return
        if interface.source_network not in (self.name, self.by):
            return
        source = interface.element.find("source")
        if source is None:
            return
        for made_by_libvirt in ("portid", "bridge"):
            source.attrib.pop(made_by_libvirt, "")
        interface.source_network = name
        domains.update_device(host.connection, domain, interface.text(), live=True)

    def undo(self, host: Host, crash: Crash | None = None) -> None:
        try:
            uuid = networks.find(host.connection, self.by)
        except NotFoundError:
            return
        for domain, mac in self.pairs:
            try:
                self._move(host, domain, mac, self.name)
            except ConflictError:
                # The network is not active: the guest stays without a link.
                continue
        networks.stop(host.connection, uuid)
