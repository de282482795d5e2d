"""Case: one host under examination, with what has been read of it, each fact once."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from labvirt.doctor.hypervisor import Process, read_processes
from labvirt.doctor.machine import Machine
from labvirt.errors import LabvirtError, WaitTimeoutError
from labvirt.host import examined
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host import Host
    from labvirt.host.domain import Domain
    from labvirt.host.networks.network import Network
    from labvirt.host.storage.pool import Pool
    from labvirt.model.xml.capabilities import Capabilities, DomainCapabilities
    from labvirt.status import DomainRecord, LeaseRecord, NetworkRecord, NodeRecord, PoolRecord

__all__ = ["AGENT", "Case", "Patient"]

T = TypeVar("T")
#: The name of the channel of the guest agent.
AGENT: Final = "org.qemu.guest_agent.0"
#: Nobody waits longer than this for what somebody else reads.
_FACT_S: Final = 3.0
#: A channel to QEMU that has owed an answer for so long is one that hangs.
_OWED_S: Final = 2.0


class _Fact:
    """One fact, or what went wrong at reading it."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None


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
        self._facts: dict[object, _Fact] = {}
        self._lock = threading.Lock()

    def once(self, key: object, read: Callable[[], T], *, limit_s: float = _FACT_S) -> T:
        """Return a fact; the first who asks reads it, the others wait for that.

        What went wrong at reading is raised for everybody who asks.

        Args:
            key: what tells it from other facts.
            read: reads it.
            limit_s: how long the others wait, in seconds from the beginning of the reading.

        Raises:
            WaitTimeoutError: somebody else reads it and has got no answer in time.
        """
        with self._lock:
            found = self._facts.get(key)
            if mine := found is None:
                found = self._facts[key] = _Fact()
        if mine:
            try:
                found.value = read()
            except BaseException as error:
                found.error = error
                raise
            finally:
                found.done.set()
        elif not found.done.wait(max(0.0, found.began + limit_s - time.monotonic())):
            what = key if isinstance(key, str) else " ".join(map(str, _words(key)))
            cause = "the daemon hangs, or a command on its machine"
            raise WaitTimeoutError(
                f"{what} of {self.host.name}", timeout_s=limit_s, likely_cause=cause
            )
        if found.error is not None:
            raise found.error
        value: T = found.value
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

    @property
    def capabilities(self) -> Capabilities:
        """What the host can run."""
        return self.once("capabilities", self.host.capabilities)

    def capabilities_for(self, document: DomainXml) -> DomainCapabilities:
        """Return what domains of the kind of one can have.

        Raises:
            UnsupportedError: the host runs no such kind.
        """
        kind = {
            "arch": document.arch,
            "machine": document.machine,
            "virt": document.type,
            "emulator": document.emulator,
        }
        return self.once(
            ("domain capabilities", *kind.values()),
            lambda: examined.domain_capabilities(self.host, **kind),
        )

    # -- what hangs -------------------------------------------------------------------------

    @property
    def processes(self) -> dict[str, Process]:
        """The hypervisor processes of the machine by UUID of their domain.

        Raises:
            UnsupportedError: the machine cannot be looked at from here.
        """
        return self.once("processes", lambda: read_processes(self.machine))

    def silence(self, domain: Domain) -> str:
        """Return why the hypervisor process of a domain gives no answer; empty when it may.

        It is not asked: the kernel and libvirt tell.
        """
        return self.once(("silence", domain.uuid), lambda: self._silence(domain))

    def _silence(self, domain: Domain) -> str:
        process = None
        # Without a shell there the daemon still knows whether QEMU owes it an answer.
        with contextlib.suppress(LabvirtError):
            process = self.processes.get(domain.uuid)
        if process is not None and process.is_stopped:
            return f"{process} is {process.words}"
        control = examined.control(self.host, domain.uuid)
        if control is not None and control.state == "error":
            return f"its channel to libvirt is broken: {control.detail}"
        if control is not None and control.state == "occupied" and control.for_ms > _OWED_S * 1000:
            owed = f"has owed libvirt an answer for {control.for_ms / 1000:.0f} s"
            return f"{process or 'its hypervisor process'} {owed}"
        return ""

    def agent(self, domain: Domain) -> str:
        """Return why the agent in a guest cannot be asked; empty when it answers."""
        return self.once(("agent", domain.uuid), lambda: self._agent(domain))

    def _agent(self, domain: Domain) -> str:
        states = [
            each.target_state
            for each in self.document(domain).channels
            if each.target_name == AGENT
        ]
        if not states:
            return "there is no channel for it"
        if states[0] == "disconnected":
            return "its channel is disconnected: no agent runs in the guest"
        if silent := self.silence(domain):
            return silent
        try:
            domain.agent("guest-ping", timeout_s=2.0)
        except LabvirtError as error:
            return error.what
        return ""

    # -- further hosts ----------------------------------------------------------------------

    @property
    def reached(self) -> tuple[Host, ...]:
        """Those of `others` that answer."""
        return tuple(one for one in self.others if not self.silent_host(one))

    def silent_host(self, other: Host) -> str:
        """Return why another host gives no answer; empty when it does."""
        return self.once(("host", other.name, other.label), lambda: examined.silent(other))

    def records_of(self, other: Host) -> dict[str, DomainRecord]:
        """Return what another host has, by UUID."""

        def read() -> dict[str, DomainRecord]:
            return {one.uuid: one for one in examined.domains(other)}

        return self.once(("domains of", other.name, other.label), read)


def _words(key: object) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else (key,)


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
