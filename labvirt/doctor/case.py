"""Case: one host under examination, with what has been read of it, each fact once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from labvirt.doctor.machine import Machine
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host import Host
    from labvirt.host.domain import Domain
    from labvirt.host.networks.network import Network
    from labvirt.host.storage.pool import Pool
    from labvirt.status import DomainRecord, LeaseRecord, NetworkRecord, NodeRecord, PoolRecord

__all__ = ["Case", "Patient"]

T = TypeVar("T")


class Patient:
    """A host and what the checks have read of it; each fact is read once, whoever asks first.

    Attributes:
        host: the host.
        deep: whether looks that take long are wanted.
        others: further hosts to which its guests might move.
    """

    def __init__(self, host: Host, *, deep: bool = False, others: tuple[Host, ...] = ()) -> None:
        self.host = host
        self.deep = deep
        self.others = others
        self._facts: dict[object, tuple[threading.Event, list[Any]]] = {}
        self._lock = threading.Lock()

    def once(self, key: object, read: Callable[[], T]) -> T:
        """Return a fact; the first who asks reads it, the others wait for that.

        What went wrong at reading is raised for everybody who asks.
        """
        with self._lock:
            found = self._facts.get(key)
            if mine := found is None:
                found = self._facts[key] = (threading.Event(), [None, None])
        done, box = found
        if mine:
            try:
                box[0] = read()
            except BaseException as error:
                box[1] = error
                raise
            finally:
                done.set()
        done.wait()
        if box[1] is not None:
            raise box[1]
        value: T = box[0]
        return value

    @property
    def machine(self) -> Machine:
        """The machine of the host.

        Raises:
            UnsupportedError: it cannot be looked at from here.
        """
        return self.once("machine", lambda: Machine.of(self.host))

    @property
    def domains(self) -> list[Domain]:
        """All domains."""
        return self.once("domains", lambda: list(self.host.domains))

    @property
    def networks(self) -> list[Network]:
        """All networks."""
        return self.once("networks", lambda: list(self.host.networks))

    @property
    def pools(self) -> list[Pool]:
        """All storage pools."""
        return self.once("pools", lambda: list(self.host.pools))

    @property
    def node(self) -> NodeRecord:
        """Processors and memory."""
        return self.once("node", self.host.info)

    def record(self, domain: Domain) -> DomainRecord:
        """Return the record of a domain."""
        return self.once(("record", domain.uuid), domain.info)

    def text(self, domain: Domain, *, stored: bool = False) -> str:
        """Return the XML of a domain: of the running one, or what is stored."""
        return self.once(("xml", domain.uuid, stored), lambda: domain.xml(inactive=stored))

    def document(self, domain: Domain, *, stored: bool = False) -> DomainXml:
        """Return the XML of a domain, parsed; do not change it."""
        return self.once(
            ("document", domain.uuid, stored),
            lambda: DomainXml.parse(self.text(domain, stored=stored)),
        )

    def network_record(self, network: Network) -> NetworkRecord:
        """Return the record of a network."""
        return self.once(("network", network.uuid), network.info)

    def network_document(self, network: Network) -> XmlDoc:
        """Return the XML of a network, parsed; do not change it."""
        return self.once(("network xml", network.uuid), lambda: XmlDoc.parse(network.xml()))

    def leases(self, network: Network) -> list[LeaseRecord]:
        """Return the leases of a network."""
        return self.once(("leases", network.uuid), lambda: list(network.leases()))

    def pool_record(self, pool: Pool) -> PoolRecord:
        """Return the record of a pool."""
        return self.once(("pool", pool.uuid), pool.info)


@dataclass(frozen=True)
class Case:
    """What one check looks at: the patient, and the thing that the question is about.

    Attributes:
        patient: the host with what has been read of it.
        name: of the thing, as findings name it: ``web1``, ``web1/vda``; empty for the host.
        thing: the `Domain`, `Network` or `Pool`; for a disk or interface its element of the
            domain's XML (lxml); None for the host.
        owner: for a disk or interface: its domain.
    """

    patient: Patient
    name: str = ""
    thing: Any = field(default=None, repr=False)
    owner: Any = field(default=None, repr=False)

    @property
    def host(self) -> Host:
        """The host."""
        return self.patient.host

    @property
    def machine(self) -> Machine:
        """The host's machine.

        Raises:
            UnsupportedError: it cannot be looked at from here.
        """
        return self.patient.machine

    @property
    def domain(self) -> Domain:
        """The domain: that of a disk or interface too."""
        found: Domain = self.thing if self.owner is None else self.owner
        return found

    @property
    def record(self) -> DomainRecord:
        """The record of the domain."""
        return self.patient.record(self.domain)

    @property
    def document(self) -> DomainXml:
        """The XML of the domain as it runs, parsed."""
        return self.patient.document(self.domain)

    @property
    def network(self) -> Network:
        """The network."""
        found: Network = self.thing
        return found

    @property
    def pool(self) -> Pool:
        """The storage pool."""
        found: Pool = self.thing
        return found

    @property
    def element(self) -> Any:
        """The element of a disk or interface in the domain's XML."""
        return self.thing
