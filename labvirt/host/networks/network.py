"""Network: a virtual network of a host, with all its verbs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from labvirt.connection import network as networks
from labvirt.errors import ConflictError
from labvirt.host.actions import StartNetwork
from labvirt.host.handle import python_call, xml_diff
from labvirt.host.networks.network_actions import (
    AutostartNetwork,
    StopNetwork,
    UndefineNetwork,
)
from labvirt.host.networks.network_entries import Entry, plan_entry
from labvirt.host.networks.network_guests import LEASES, NetworkGuest, Rows, guests_of
from labvirt.model.xml.network import NetworkXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.model.network_parts import Bandwidth
    from labvirt.plan import Action
    from labvirt.status import LeaseRecord, NetworkRecord

__all__ = ["Network"]


class Network:
    """A virtual network of a host.

    Verbs mean what virsh's ``net-`` commands mean. Calling one does it; ``.plan(...)`` shows it.
    """

    def __init__(self, host: Host, record: NetworkRecord) -> None:
        self.host = host
        self.uuid: str = record.uuid
        self.name: str = record.name

    def __repr__(self) -> str:
        """Return one line, without a call to the host."""
        return f"<Network {self.name} on {self.host.name}>"

    def _repr_html_(self) -> str:
        """Return one line as HTML, from the last record read."""
        record = self.host.news.record("network", self.uuid)
        state = "not read yet"
        if record is not None:
            state = f"{record.forward}, {'active' if record.is_active else 'not active'}"
        return f"<b>{escape(self.name)}</b> on {escape(self.host.name)}: {escape(state)}"

    # -- reading ----------------------------------------------------------------------------

    def info(self) -> NetworkRecord:
        """Read the network now."""
        record = networks.read(self.host.connection, self.uuid)
        self.host.news.note("network", record)
        return record

    @property
    def is_active(self) -> bool:
        """True when it is started, read now."""
        return self.info().is_active

    def xml(self, *, inactive: bool = False) -> str:
        """Return the network's XML (G15-43).

        Args:
            inactive: what it will be at its next start, instead of what it is.
        """
        return networks.xml(self.host.connection, self.uuid, inactive=inactive)

    @property
    def pending(self) -> str:
        """What will change at the next start, as a diff; empty when nothing, or when it is off.

        What libvirt itself adds to a network that runs is left out.
        """
        record = self.info()
        if not (record.is_active and record.persistent):
            return ""
        live = NetworkXml.parse(self.xml())
        stored = NetworkXml.parse(self.xml(inactive=True))
        live.element.attrib.pop("connections", "")
        for one in live.element.iterfind("forward/*[@connections]"):
            del one.attrib["connections"]
        # The ports that libvirt takes when nobody names any.
        added = live.element.find("forward/nat")
        if stored.element.find("forward/nat") is not None:
            added = live.element.find("forward/nat/port")
        if added is not None and stored.element.find("forward/nat/port") is None:
            parent = added.getparent()
            live.doc.remove(added)
            if parent is not None and not len(parent):
                parent.text = None
        if live.doc.pretty == stored.doc.pretty:
            return ""
        return xml_diff(live.doc.pretty, stored.doc.pretty, self.name)

    def leases(self) -> Rows[LeaseRecord]:
        """Return the DHCP leases of the network; ``.df`` has them as a DataFrame."""
        found: Rows[LeaseRecord] = LEASES(networks.leases(self.host.connection, self.uuid))
        return found

    def guests(self) -> Rows[NetworkGuest]:
        """Return the interfaces of domains that are connected to it, running or not."""
        return guests_of(self.host, self.info())

    def _stop(self, record: NetworkRecord, *, note: str = "") -> StopNetwork:
        """Return the action that stops it; it names the links that guests lose."""
        guests = guests_of(self.host, record, active_only=True) if record.is_active else ()
        losses = tuple(f"the link of {one.domain} ({one.mac}){note}" for one in guests)
        if not record.persistent:
            losses += (f"network {self.name} itself: it is transient",)
        pairs = tuple((one.uuid, one.mac) for one in guests)
        return StopNetwork(self.name, self.uuid, losses, pairs)

    # -- life -------------------------------------------------------------------------------

    def _plan(
        self,
        title: str,
        actions: Sequence[Action[Any]],
        python: str,
        *,
        warnings: Sequence[str] = (),
        confirm: bool = False,
    ) -> Plan[None]:
        self.host.require_writable(f"{title} network {self.name}")
        return Plan(
            title=f"{title} network {self.name}",
            host=self.host,
            actions=tuple(actions),
            result=lambda: None,
            warnings=tuple(warnings),
            python=f"{self.host.python}.networks[{self.name!r}]{python}",
            confirmed=confirm,
            journal=self.host.journal,
        )

    @verb
    def start(self) -> Plan[None]:
        """Start the network: its bridge, addresses, firewall rules, DHCP and DNS (G8.1-04, G15-49).

        Raises:
            ConflictError: it is active already, or its addresses or bridge are in use; proposes
                a free subnet.
            UnsupportedError: the daemon of an ordinary user cannot start it.
        """
        from labvirt.host.networks.network_edit import require_startable

        record = self.info()
        if record.is_active:
            raise ConflictError(
                f"start network {self.name}",
                uri=self.host.label,
                libvirt_text="it is active already",
                hint="nothing is left to do",
            )
        require_startable(self, record)
        return self._plan("start", [StartNetwork(self.name)], ".start()")

    @verb
    def stop(self, *, confirm: bool = False) -> Plan[None]:
        """Stop the network; its definition stays, a transient one is gone (G15-47).

        Args:
            confirm: agree that the guests on it lose their link.

        Raises:
            ConflictError: it is not active.
        """
        record = self.info()
        if not record.is_active:
            raise ConflictError(
                f"stop network {self.name}",
                uri=self.host.label,
                libvirt_text="it is not active",
                hint="nothing is left to do",
            )
        action = self._stop(record)
        python = python_call("", "stop", (), {"confirm": bool(action.loses)})
        return self._plan("stop", [action], python, confirm=confirm)

    @verb
    def undefine(self, *, stop: bool = False, confirm: bool = False) -> Plan[None]:
        """Remove the definition; a network that runs goes on as transient (G15-50).

        Args:
            stop: stop it first.
            confirm: agree to lose the definition, and with `stop` the guests' links.

        Raises:
            ConflictError: it is transient and has no definition.
        """
        record = self.info()
        if not record.persistent:
            raise ConflictError(
                f"undefine network {self.name}",
                uri=self.host.label,
                libvirt_text="it is transient and has no definition",
                hint="stop(confirm=True) ends it",
            )
        warnings = []
        actions: list[Action[Any]] = []
        if record.is_active and stop:
            actions.append(self._stop(record))
        elif record.is_active:
            warnings.append(f"{self.name} is active: it goes on as transient until it is stopped")
        users = sorted({guest.domain for guest in self.guests()})
        if users:
            warnings.append(f"{', '.join(users)} is connected to it and will not start without it")
        xml = self.xml(inactive=True)
        actions.append(UndefineNetwork(self.name, self.uuid, xml, record.autostart))
        python = python_call("", "undefine", (), {"stop": stop, "confirm": True})
        return self._plan("undefine", actions, python, warnings=warnings, confirm=confirm)

    @verb
    def set_autostart(self, on: bool = True) -> Plan[None]:  # noqa: FBT001, FBT002 - reads as virsh does
        """Start the network with the host's daemon, or no longer (G8.1-03, G15-44).

        Raises:
            ConflictError: it is transient.
        """
        record = self.info()
        if not record.persistent:
            raise ConflictError(
                f"set autostart of network {self.name}",
                uri=self.host.label,
                libvirt_text="it is transient and has no definition",
                hint=f"host.plan(NetworkSpec(...)) stores one; the XML: "
                f"host.networks[{self.name!r}].xml()",
            )
        action = AutostartNetwork(self.name, self.uuid, on=on, before=record.autostart)
        python = f".set_autostart({on})"
        return self._plan("set autostart of", [action], python)

    # -- changing ---------------------------------------------------------------------------

    @verb
    def edit(
        self,
        /,
        change: str | NetworkXml | Callable[[NetworkXml], object] | None = None,
        *,
        restart: bool = False,
        confirm: bool = False,
        **facts: Any,
    ) -> Plan[None]:
        """Change the definition (``virsh net-edit``); what labvirt does not know stays as it is.

        Entries that libvirt can change while the network runs (reservations, DHCP ranges, DNS
        records, port groups, devices) are changed live too; the plan's warnings name what takes
        effect at the next start only.

        Args:
            change: the new XML, or a function that changes the `NetworkXml` it gets.
            restart: stop and start the network, so that all takes effect now; guests on it are
                plugged in again.
            confirm: agree that guests lose their link for a moment (`restart`).
            facts: single facts of `NetworkXml`: ``mtu=1400``, ``domain="lab.example"``; None
                removes one.

        Raises:
            SpecError: the XML is not that of a network; names element, attribute and value.
            ConflictError: another name or UUID, a subnet or bridge in use.
        """
        from labvirt.host.networks.network_edit import plan_edit

        return plan_edit(self, change, facts, restart=restart, confirm=confirm)

    @verb
    def restart(self, *, confirm: bool = False) -> Plan[None]:
        """Stop and start the network, and plug the guests on it in again.

        Args:
            confirm: agree that the guests on it lose their link for a moment.
        """
        from labvirt.host.networks.network_edit import restart_actions

        record = self.info()
        return self._plan(
            "restart", restart_actions(self, record), ".restart(confirm=True)", confirm=confirm
        )

    @verb
    def set_bandwidth(
        self, *, inbound: Bandwidth | int | None = None, outbound: Bandwidth | int | None = None
    ) -> Plan[None]:
        """Limit what flows to and from all guests together, from the next start on; None: no limit.

        libvirt cannot change the bandwidth of a network that runs.

        Args:
            inbound: towards the guests; a number is the average in KiB/s.
            outbound: from the guests.

        Raises:
            UnsupportedError: the host's kernel cannot limit bandwidth; names what it lacks.
        """
        from labvirt.host.networks.network_edit import plan_bandwidth

        return plan_bandwidth(self, inbound, outbound)

    @verb
    def add(
        self, entry: Entry, *, live: bool | None = None, config: bool | None = None
    ) -> Plan[None]:
        """Add an entry, also while the network runs (``virsh net-update``).

        Args:
            entry: `DhcpHost`, `DhcpRange`, `DnsHost`, `DnsTxt`, `DnsSrv`, `PortGroup`, or
                `ForwardDevice`. libvirt can change nothing else of a network that runs.
            live: change what runs; None: when it is active.
            config: change the definition; None: when it has one.

        Raises:
            SpecError: the entry does not fit the network.
            ConflictError: the address, name or MAC has an entry already.
        """
        return plan_entry(self, "add", entry, live=live, config=config)

    @verb
    def remove(
        self, entry: Entry, *, live: bool | None = None, config: bool | None = None
    ) -> Plan[None]:
        """Take an entry away; see `add`.

        Raises:
            NotFoundError: there is no such entry; says which there are.
        """
        return plan_entry(self, "delete", entry, live=live, config=config)

    @verb
    def modify(
        self, entry: Entry, *, live: bool | None = None, config: bool | None = None
    ) -> Plan[None]:
        """Change a reservation (found by its MAC, DUID or name) or a port group; see `add`.

        Raises:
            UnsupportedError: libvirt changes no other entries; remove and add do.
            NotFoundError: there is no such entry.
        """
        return plan_entry(self, "modify", entry, live=live, config=config)
