"""Host: one libvirt host with what it has, what it can do, and the news about it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from labvirt.connection import Connection, node
from labvirt.errors import AccessDeniedError, LabvirtError
from labvirt.host.actions import ACTIONS
from labvirt.host.create import plan_domain
from labvirt.host.devices.nodedev import node_devices_of
from labvirt.host.facts import HostFacts
from labvirt.host.keeping.verbs import KeepingVerbs
from labvirt.host.lists import domains_of, networks_of, pools_of
from labvirt.host.making import plan_create, plan_define, plan_restore
from labvirt.host.measuring.hosting import MeasuredHost
from labvirt.host.migrating.evacuating import EvacuatedHost
from labvirt.host.networks.host_networks import HostNetworks
from labvirt.host.networks.networking import plan_network
from labvirt.host.news import KINDS, News
from labvirt.host.sampling.recorded import RecordedHost
from labvirt.host.storage.hosting import StorageHost
from labvirt.host.storage.pool_plan import plan_pool
from labvirt.model.network import NetworkSpec
from labvirt.model.pool import PoolSpec
from labvirt.model.uri import Uri
from labvirt.model.xml.capabilities import Capabilities
from labvirt.plan import Journal, verb

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from types import TracebackType

    from labvirt.host.collection import Collection
    from labvirt.host.devices.nodedev import NodeDevice
    from labvirt.host.domain import Domain
    from labvirt.host.media import MediaBuilder
    from labvirt.host.migrating.track import MigrationTrack
    from labvirt.host.networks.network import Network
    from labvirt.host.storage.pool import Pool
    from labvirt.model.domain import DomainSpec
    from labvirt.plan import Plan, Recovered
    from labvirt.status import Change, NodeRecord, VersionRecord

__all__ = ["Host"]


class Host(StorageHost, HostNetworks, KeepingVerbs, RecordedHost, MeasuredHost, EvacuatedHost):
    """An open host. Close it, or use it in a ``with`` block.

    Made by `labvirt.connect` or by a lab. Everything that a widget does is a call here or on what
    its collections give. Records are kept up to date by events; every record carries the time at
    which it was read, and `stale_since` says when the link was lost.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        facts: HostFacts | None = None,
        builder: MediaBuilder | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.connection = connection
        self.facts = facts or HostFacts()
        self.builder = builder
        self.journal = journal or Journal()
        self.serial_marks: dict[str, int] = {}
        self._name = self.facts.name
        self._virt: Literal["kvm", "qemu"] | None = None
        self.news = News(connection)
        self.recovered: tuple[Recovered, ...] = ()
        self.migrations: dict[str, MigrationTrack] = {}

    @classmethod
    def open(
        cls,
        uri: str | Uri,
        *,
        readonly: bool = False,
        facts: HostFacts | None = None,
        builder: MediaBuilder | None = None,
        journal: Journal | None = None,
        keepalive: tuple[int, int] = (3, 3),
        timeout_s: float = 30.0,
    ) -> Self:
        """Open a host by its URI.

        What a process that died in the middle of a plan left half-made on this host is cleaned
        first; see `recovered`.

        Args:
            uri: any libvirt URI (G13.3-07); ``qemu``, ``xen`` and ``test`` stand for the local one.
            readonly: open without the right to change anything.
            facts: what is known of the host beside its URI.
            builder: makes guests' media (kernels, images) on this machine.
            journal: where plans are written down; the user's own journal when None.
            keepalive: seconds between two signs of life, and how many may be missed.
            timeout_s: limit for opening.

        Raises:
            SpecError: the URI has a fault.
            ConnectionLostError: nobody answers there.
            AccessDeniedError: the socket or the credentials are refused.
        """
        parsed = uri if isinstance(uri, Uri) else Uri.parse(uri)
        connection = Connection.open(
            parsed, readonly=readonly, keepalive=keepalive, timeout_s=timeout_s
        )
        host = cls(connection, facts=facts, builder=builder, journal=journal)
        if not readonly:
            host.recovered = host.journal.recover(host, ACTIONS)
        return host

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<Host {self.name} {self.label} {self.state}>"

    def _repr_html_(self) -> str:
        """Return one line as HTML, from the last reading; the first time it reads."""
        stale = self.stale_since
        if stale is None and self.news.is_empty:
            self.news.read_all()
        words = f", stale since {stale:%H:%M:%S} UTC" if stale else ""
        counts = ", ".join(f"{len(self.news.records(kind))} {kind}s" for kind in KINDS)
        return (
            f"<b>{escape(self.name)}</b> <code>{escape(self.label)}</code> "
            f"{escape(self.state)}{words}: {counts}"
        )

    def __enter__(self) -> Self:
        """Return the host itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the link and end its threads; calling it twice is harmless."""
        self._end_sampling()
        self.news.close()
        self.connection.close()

    # -- identity ---------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """The URI without secrets."""
        return self.connection.uri.redacted()

    @property
    def uri(self) -> str:
        """The URI."""
        return self.connection.uri.build()

    @property
    def name(self) -> str:
        """Short name: that of the lab's host, else the machine's own."""
        if not self._name:
            try:
                self._name = node.hostname(self.connection)
            except LabvirtError:
                return self.label
        return self._name

    @property
    def python(self) -> str:
        """Python text that opens this host."""
        if self.facts.lab:
            return f"lv.Lab.attach({self.facts.lab!r})[{self.name!r}]"
        return f"lv.connect({self.label!r})"

    @property
    def is_local(self) -> bool:
        """True when the host is this machine, so that its files can be read here."""
        return self.connection.uri.is_local

    @property
    def readonly(self) -> bool:
        """True when the host was opened without the right to change anything."""
        return self.connection.readonly

    @property
    def state(self) -> str:
        """State of the link: ``connected``, ``lost``, ``reconnecting`` or ``closed``."""
        return self.connection.state.value

    @property
    def stale_since(self) -> dt.datetime | None:
        """Since when the records are out of date (UTC), None while they are not."""
        return self.news.stale_since

    def require_writable(self, asked: str) -> None:
        """Refuse a change on a read-only connection before anything is touched (G2.2-01).

        Raises:
            AccessDeniedError: the host was opened read-only.
        """
        if self.readonly:
            raise AccessDeniedError(
                asked, uri=self.label, hint="open the host again without readonly=True"
            )

    # -- what it has ------------------------------------------------------------------------

    @property
    def domains(self) -> Collection[Domain]:
        """The domains, by name, UUID or number."""
        return domains_of(self)

    @property
    def networks(self) -> Collection[Network]:
        """The virtual networks, by name or UUID."""
        return networks_of(self)

    @property
    def pools(self) -> Collection[Pool]:
        """The storage pools, by name or UUID."""
        return pools_of(self)

    @property
    def devices(self) -> Collection[NodeDevice]:
        """The devices of the machine: PCI, USB, network, disks; with who uses them."""
        return node_devices_of(self)

    # -- what can be made -------------------------------------------------------------------

    @overload
    def plan(
        self,
        spec: DomainSpec,
        *,
        start: bool = True,
        paused: bool = False,
        transient: bool = False,
    ) -> Plan[Domain]: ...
    @overload
    def plan(
        self,
        spec: PoolSpec,
        *,
        start: bool = True,
        autostart: bool = False,
        build: bool = False,
        overwrite: bool = False,
    ) -> Plan[Pool]: ...
    @overload
    def plan(
        self,
        spec: NetworkSpec,
        *,
        start: bool = True,
        autostart: bool = True,
        transient: bool = False,
    ) -> Plan[Network]: ...
    def plan(self, spec: DomainSpec | PoolSpec | NetworkSpec, **options: Any) -> Plan[Any]:
        """Return the plan that makes what a spec asks for on this host; nothing is changed yet.

        Args:
            spec: what is asked for: a domain, a storage pool, a network.
            options: start (True): start it when it is defined. Of a domain or network: transient
                (do not store a definition: it is gone when it is off, G15-06, G15-45). Of a
                domain: paused (leave it paused before its first instruction). Of a pool or
                network: autostart (start it with the host's daemon). Of a pool: build (make its
                folder, file system, label or volume group), overwrite (format its device whatever
                is on it: needs ``apply(confirm=True)``).

        Raises:
            SpecError: it cannot be right on this host (sizes, names, paths, networks, schema).
            ConflictError: something of that name exists, or a device, path or subnet is in use;
                proposes a free subnet.
            UnsupportedError: the host cannot have this; says what it lacks.
        """
        if isinstance(spec, PoolSpec):
            return plan_pool(self, spec, **options)
        if isinstance(spec, NetworkSpec):
            return plan_network(self, spec, **options)
        return plan_domain(self, spec, **options)

    @verb
    def define(self, xml: str) -> Plan[Domain]:
        """Store a definition, or change the one of the same name and UUID (G15-09, G15-40).

        Raises:
            SpecError: the XML is not that of a domain; names element, attribute and value.
        """
        return plan_define(self, xml)

    @verb
    def create(self, xml: str, *, paused: bool = False) -> Plan[Domain]:
        """Start a transient domain from its XML: it is gone when it is off (G15-06).

        Raises:
            SpecError: the XML is not that of a domain.
            ConflictError: a domain of that name or UUID runs already.
        """
        return plan_create(self, xml, paused=paused)

    @verb
    def restore(self, path: str, *, paused: bool | None = None) -> Plan[Domain]:
        """Bring a saved domain back; name and UUID stay, the number is new (G15-18).

        The file is looked at first: whose it is, and whether that domain runs already.

        Args:
            path: file that `Domain.save` wrote, on the host.
            paused: leave it paused, or let it run; None as it was.

        Raises:
            NotFoundError: no such file, or not a saved domain.
            ConflictError: the domain runs already.
        """
        return plan_restore(self, path, paused=paused)

    # -- the machine ------------------------------------------------------------------------

    def info(self) -> NodeRecord:
        """Read processors and memory of the machine (``virsh nodeinfo``, G15-38)."""
        return node.info(self.connection)

    def version(self) -> VersionRecord:
        """Read the versions of libvirt here, libvirt there, and the hypervisor (G15-37)."""
        return node.versions(self.connection)

    def capabilities(self) -> Capabilities:
        """Read what the host can run (``virsh capabilities``, G17.7-02)."""
        return Capabilities.parse(node.capabilities(self.connection))

    def default_virt(self) -> Literal["kvm", "qemu"]:
        """Return what guests run under when a spec leaves it open.

        On this machine a probe has proved it; of another one only libvirt's word is known.
        """
        if self.facts.virt is not None:
            return self.facts.virt
        if self._virt is None:
            types = {virt for guest in self.capabilities().guests for virt in guest.domain_types}
            self._virt = "kvm" if "kvm" in types else "qemu"
        return self._virt

    def max_vcpus(self) -> int:
        """Return the most virtual processors a domain of this host may have."""
        return node.max_vcpus(self.connection, self.default_virt())

    def free_memory(self) -> int:
        """Return the free memory of the machine in bytes."""
        return node.free_memory(self.connection)

    def listen(self, listener: Callable[[tuple[Change, ...]], None]) -> Callable[[], None]:
        """Call `listener` with real changes of domains, networks and pools, once each.

        It is called on a thread of the host.

        Returns:
            A function that ends the listening.
        """
        return self.news.listen(listener)
