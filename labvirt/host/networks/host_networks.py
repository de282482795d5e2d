"""What a host offers around networks: free subnets, network filters, a network that must be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from labvirt.host.networks.hostnet import free_subnet
from labvirt.host.networks.network_actions import AutostartNetwork
from labvirt.host.networks.network_xml import plan_xml
from labvirt.host.networks.networking import plan_network
from labvirt.host.networks.nwfilter import filters_of, plan_filter
from labvirt.model.network import NetworkSpec
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from typing import Any

    from labvirt.host.host import Host
    from labvirt.host.networks.network import Network
    from labvirt.host.networks.nwfilter import NwFilter, NwFilters
    from labvirt.model.nwfilter import NwFilterSpec
    from labvirt.model.subnet import IPNetwork
    from labvirt.plan import Action

__all__ = ["HostNetworks"]


class HostNetworks:
    """The part of `Host` that is about networks."""

    @property
    def _whole(self) -> Host:
        return cast("Host", self)

    def free_subnet(self, *, version: int = 4, prefix: int | None = None) -> IPNetwork:
        """Return a private subnet that no libvirt network and no route of the host uses.

        Routes are those of the machine on which the host's libvirt runs; of a remote host only
        libvirt's networks are known.

        Args:
            version: 4 or 6.
            prefix: length of its prefix: 24 for IPv4 and 64 for IPv6 when None.

        Raises:
            SpecError: no such version or prefix.
            NotFoundError: nothing is free.
        """
        return free_subnet(self._whole, version=version, prefix=prefix)

    @verb
    def ensure_network(self, name: str = "default") -> Plan[Network]:
        """Make sure that a network is there, runs, and starts with the host (G8.1-01, G8.1-02).

        One that does not exist is made with NAT and DHCP on a free subnet.

        Args:
            name: name of the network.

        Raises:
            UnsupportedError: the daemon of an ordinary user cannot start it.
        """
        host = self._whole
        if name not in host.networks:
            subnet = free_subnet(host)
            spec = NetworkSpec.model_validate(
                {"name": name, "ips": [f"{subnet[1]}/{subnet.prefixlen}"]}
            )
            return plan_network(host, spec, start=True, autostart=True, transient=False)
        network = host.networks[name]
        record = network.info()
        actions: list[Action[Any]] = []
        if not record.is_active:
            actions += network.start.plan().actions
        if record.persistent and not record.autostart:
            actions.append(AutostartNetwork(name, network.uuid, on=True))
        return Plan(
            title=f"ensure network {name}",
            host=host,
            actions=tuple(actions),
            result=lambda: network,
            python=f"{host.python}.ensure_network({name!r})",
            journal=host.journal,
        )

    @verb
    def define_network(self, xml: str, *, transient: bool = False) -> Plan[Network]:
        """Store a network's definition, or change the one of the same name (G15-45, G15-46).

        It is not started: `Network.start` does that. One that runs is changed as by `Network.edit`.

        Args:
            xml: its XML; what labvirt does not know stays as it is.
            transient: start it without a definition: it is gone when it stops.

        Raises:
            SpecError: the XML is not that of a network; names element, attribute and value.
            ConflictError: the UUID, a subnet or the bridge is in use.
        """
        return plan_xml(self._whole, xml, transient=transient)

    @property
    def nwfilters(self) -> NwFilters:
        """The network filters, by name or UUID.

        Reading them raises `UnsupportedError` on a host without filters (session).
        """
        return filters_of(self._whole)

    @verb
    def define_nwfilter(self, filter_: NwFilterSpec | str) -> Plan[NwFilter]:
        """Store a network filter; XML of one that exists changes it (``virsh nwfilter-define``).

        Args:
            filter_: the filter, or its XML.

        Raises:
            SpecError: it is not valid; names element and attribute.
            ConflictError: the name or UUID is taken.
            NotFoundError: it uses a filter that does not exist.
            UnsupportedError: the host has no filters (session).
        """
        return plan_filter(self._whole, filter_)
