"""A virtual network that is asked for."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import Line, Mac, SafeName, Uuid
from labvirt.model.network_ip import Address, DhcpHost, DhcpRange, NetworkIp
from labvirt.model.network_parts import (
    Bandwidth,
    DeviceName,
    DnsForwarder,
    DnsHost,
    DnsSrv,
    DnsTxt,
    ForwardDevice,
    PortGroup,
    RouteSpec,
    VlanSpec,
    bandwidth_view,
)
from labvirt.model.network_read import network_fields
from labvirt.model.spec import Spec
from labvirt.model.subnet import overlapping
from labvirt.model.xml.network import NetworkXml, PciAddressXml

__all__ = [
    "MACVTAP",
    "MAKES_BRIDGE",
    "DhcpHost",
    "DhcpRange",
    "NatSpec",
    "NetworkIp",
    "NetworkSpec",
]

Forward = Literal[
    "nat", "route", "open", "bridge", "isolated", "private", "vepa", "passthrough", "hostdev"
]
MAKES_BRIDGE: Final = frozenset({"nat", "route", "open", "isolated"})
"""Modes in which libvirt makes a bridge of its own and serves addresses on it."""

MACVTAP: Final = frozenset({"private", "vepa", "passthrough"})
"""Modes in which guests sit on devices of the host; ``bridge`` with devices is one too."""

_OWN_BRIDGE_ONLY: Final = (
    *("ips", "routes", "mtu", "mac", "domain", "domain_local", "dns_hosts", "dns_txts"),
    *("dns_srvs", "dns_forwarders", "dnsmasq_options", "zone", "ipv6"),
)
_PCI: Final = r"^[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]$"
_IPV6_MTU: Final = 1280


class NatSpec(Spec):
    """How addresses are translated, forward nat."""

    start: Address | None = Field(None, description="first address that guests appear as")
    end: Address | None = Field(None, description="last address that guests appear as")
    first_port: int | None = Field(None, ge=1, le=65535, description="first port that is used")
    last_port: int | None = Field(None, ge=1, le=65535, description="last port that is used")
    ipv6: bool = Field(default=False, description="translate IPv6 too; it is routed otherwise")

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        for low, high in (("start", "end"), ("first_port", "last_port")):
            first, last = getattr(self, low), getattr(self, high)
            if (first is None) != (last is None):
                missing = low if first is None else high
                problems.append(Problem(missing, "", "is missing", f"{low} and {high} go together"))
        for name in ("start", "end"):
            text = getattr(self, name)
            if text is not None and ipaddress.ip_address(text).version != 4:
                problems.append(Problem(name, text, "is no IPv4 address: libvirt takes no other"))
        if not problems:
            if self.start and int(ipaddress.ip_address(self.start)) > int(
                ipaddress.ip_address(self.end or "")
            ):
                problems.append(Problem("end", self.end or "", f"comes before {self.start}"))
            if self.first_port and self.first_port > (self.last_port or 0):
                why = f"comes before {self.first_port}"
                problems.append(Problem("last_port", str(self.last_port), why))
        if problems:
            raise SpecError("NatSpec", problems)
        return self


class NetworkSpec(Spec):
    """A virtual network of the host."""

    name: SafeName = Field(description="name, unique on the host", examples=["installation"])
    uuid: Uuid | None = Field(None, description="UUID; one is made when left out")
    forward: Forward = Field(
        "nat",
        description="how guests reach the world: by NAT, by routes, without firewall rules (open), "
        "through a bridge of the host or on devices of it by macvtap (bridge), on devices by the "
        "other modes of macvtap (private, vepa, passthrough), by virtual functions of a card "
        "(hostdev), or not at all (isolated)",
    )
    forward_dev: DeviceName | None = Field(
        None, description="the only device of the host that traffic may leave by"
    )
    devices: tuple[DeviceName, ...] = Field(
        (), description="devices of the host that guests sit on, macvtap", examples=[["eth1"]]
    )
    pf: DeviceName | None = Field(
        None, description="card whose virtual functions guests get, forward hostdev"
    )
    pci: tuple[Annotated[str, Field(pattern=_PCI)], ...] = Field(
        (), description="PCI addresses of virtual functions, forward hostdev"
    )
    nat: NatSpec = Field(default_factory=NatSpec, description="how addresses are translated")
    bridge: DeviceName | None = Field(
        None, description="bridge of the host; libvirt makes virbrN when left out"
    )
    stp: bool = Field(default=True, description="spanning tree protocol on the bridge")
    delay_s: int = Field(0, ge=0, le=30, description="seconds before a new port forwards")
    zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,17}$")] | None = Field(
        None, description="firewalld zone of the bridge"
    )
    mtu: int | None = Field(None, ge=68, le=65535, description="MTU in bytes")
    mac: Mac | None = Field(None, description="MAC address of the bridge")
    domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] | None = Field(
        None, description="DNS domain of the guests", examples=["lab.example"]
    )
    domain_local: bool = Field(
        default=False, description="names of the domain are not asked of other servers"
    )
    dns: bool = Field(default=True, description="the host answers DNS questions")
    dns_forwarders: tuple[DnsForwarder, ...] = Field(
        (), description="servers that questions are sent on to"
    )
    dns_hosts: tuple[DnsHost, ...] = Field((), description="names with addresses")
    dns_txts: tuple[DnsTxt, ...] = Field((), description="TXT records")
    dns_srvs: tuple[DnsSrv, ...] = Field((), description="SRV records")
    ips: tuple[NetworkIp, ...] = Field(
        (), description="addresses of the host in the network", examples=[["192.168.100.1/24"]]
    )
    routes: tuple[RouteSpec, ...] = Field((), description="networks behind guests")
    ipv6: bool = Field(
        default=False, description="guests may speak IPv6 to each other without any ips for it"
    )
    vlan: VlanSpec | None = Field(
        None, description="VLANs of the guests, with Open vSwitch or SR-IOV"
    )
    openvswitch: bool = Field(default=False, description="the bridge is one of Open vSwitch")
    inbound: Bandwidth | None = Field(None, description="limit of what flows to all guests")
    outbound: Bandwidth | None = Field(None, description="limit of what flows from all guests")
    port_isolated: bool = Field(
        default=False, description="guests reach the host and the world, and not each other"
    )
    portgroups: tuple[PortGroup, ...] = Field((), description="classes of connections")
    dnsmasq_options: tuple[Line, ...] = Field(
        (), description="lines added to dnsmasq's configuration; libvirt does not check them"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = self._mode_problems() + self._device_problems()
        if self.forward in MAKES_BRIDGE:
            problems += self._address_problems()
        problems += self._part_problems()
        if problems:
            raise SpecError(f"network {self.name}", problems)
        return self

    def _mode_problems(self) -> list[Problem]:
        """Return fields that do not fit the mode."""
        problems = []
        if self.forward not in MAKES_BRIDGE:
            why = f"belongs to a bridge that libvirt makes, and forward {self.forward} has none"
            problems += [
                Problem(name, str(value) if isinstance(value, (str, int)) else "", why)
                for name in _OWN_BRIDGE_ONLY
                if (value := getattr(self, name))
            ]
        if self.forward in {"nat", "route"} and not self.ips:
            why = f"forward {self.forward} needs an address"
            problems.append(Problem("ips", "", why, "e.g. ['192.168.100.1/24']"))
        if self.forward_dev is not None and self.forward not in {"nat", "route"}:
            problems.append(Problem("forward_dev", self.forward_dev, f"{self.forward} has none"))
        if self.forward != "nat" and self.nat != NatSpec():
            problems.append(Problem("nat", "", f"forward {self.forward} translates nothing"))
        if self.nat.ipv6 and not any(one.interface.version == 6 for one in self.ips):
            why = "there is no IPv6 address to translate"
            problems.append(Problem("nat.ipv6", "True", why, "ips=[..., 'fd00:1::1/64']"))
        return problems

    def _device_problems(self) -> list[Problem]:
        """Return what is wrong with the devices of the host."""
        problems = []
        if self.forward == "bridge" and (self.bridge is None) == (not self.devices):
            why = "forward bridge needs a bridge of the host, or devices for macvtap"
            problems.append(Problem("bridge", self.bridge or "", why, "e.g. br0; not both"))
        if self.forward in MACVTAP | {"hostdev"} and self.bridge is not None:
            problems.append(Problem("bridge", self.bridge, f"forward {self.forward} has none"))
        if self.forward in MACVTAP and not self.devices:
            why = f"forward {self.forward} needs one"
            problems.append(Problem("devices", "", why, "e.g. ['eth1']"))
        if self.devices and self.forward not in MACVTAP | {"bridge"}:
            why = f"forward {self.forward} has none"
            problems.append(Problem("devices", ", ".join(self.devices), why))
        if self.forward == "hostdev" and (self.pf is None) == (not self.pci):
            why = "forward hostdev needs the card (pf), or addresses of virtual functions (pci)"
            problems.append(Problem("pf", self.pf or "", why, "not both"))
        problems += [
            Problem(name, str(value), f"only forward hostdev has it, not {self.forward}")
            for name, value in (("pf", self.pf), ("pci", self.pci))
            if value and self.forward != "hostdev"
        ]
        if self.openvswitch and (self.forward != "bridge" or self.bridge is None):
            why = "needs forward bridge and the name of its bridge"
            problems.append(Problem("openvswitch", "True", why))
        return problems

    def _address_problems(self) -> list[Problem]:
        """Return what is wrong with the addresses."""
        served = [one.interface.version for one in self.ips if one.dhcp]
        hint = "dhcp=False"
        problems = [
            Problem("ips", f"IPv{version}", "has DHCP twice; libvirt serves it once", hint)
            for version in (4, 6)
            if served.count(version) > 1
        ]
        networks = [one.interface.network for one in self.ips]
        problems += [
            Problem(f"ips[{place}]", str(one), f"overlaps {other}")
            for place, one in enumerate(networks)
            if (other := overlapping(one, networks[:place])) is not None
        ]
        if self.mtu is not None and self.mtu < _IPV6_MTU and any(n.version == 6 for n in networks):
            why = f"is too small for IPv6, which needs {_IPV6_MTU}"
            problems.append(Problem("mtu", str(self.mtu), why))
        for place, route in enumerate(self.routes):
            gateway = ipaddress.ip_address(route.gateway)
            if not any(gateway in network for network in networks):
                why = "is in no network of ips"
                problems.append(Problem(f"routes[{place}].gateway", route.gateway, why))
        return problems

    def _part_problems(self) -> list[Problem]:
        """Return what is wrong with DNS, VLANs and port groups."""
        problems = []
        records = bool(self.dns_hosts or self.dns_txts or self.dns_srvs or self.dns_forwarders)
        if not self.dns and records:
            problems.append(Problem("dns", "False", "is needed by its hosts, records, forwarders"))
        if self.domain_local and self.domain is None and self.forward in MAKES_BRIDGE:
            problems.append(Problem("domain", "", "is missing", "domain_local speaks of it"))
        names = [group.name for group in self.portgroups]
        problems += [
            Problem(f"portgroups[{place}].name", name, "is there twice")
            for place, name in enumerate(names)
            if name in names[:place]
        ]
        if sum(group.default for group in self.portgroups) > 1:
            problems.append(Problem("portgroups", "", "more than one is the default"))
        taken: dict[str, str] = {}
        for place, entry in enumerate(self.dns_hosts):
            for name in entry.names:
                if taken.setdefault(name, entry.ip) != entry.ip:
                    why = f"is the name of {taken[name]} already"
                    problems.append(Problem(f"dns_hosts[{place}].names", name, why))
        return problems

    @classmethod
    def from_xml(cls, xml: str | NetworkXml) -> Self:
        """Return the spec that asks for a network like this one.

        What no field speaks of is not in it: to change a network that exists, use `Network.edit`.

        Raises:
            SpecError: not the XML of a network, or not one that a spec would ask for.
        """
        document = xml if isinstance(xml, NetworkXml) else NetworkXml.parse(xml)
        return cls.model_validate(network_fields(document))

    @property
    def limits(self) -> bool:
        """True when a bandwidth is limited anywhere."""
        groups = any(group.inbound or group.outbound for group in self.portgroups)
        return bool(self.inbound or self.outbound or groups)

    def to_xml(self) -> str:
        """Return the definition; see https://libvirt.org/formatnetwork.html."""
        network = NetworkXml.new(name=self.name, uuid=self.uuid)
        if self.ipv6:
            network.ipv6 = True
        if self.forward != "isolated":
            network.set(forward_mode=self.forward, forward_dev=self.forward_dev)
            self._add_devices(network)
        network.set(bridge=self.bridge)
        if self.forward in MAKES_BRIDGE:
            network.set(stp=self.stp, delay_s=self.delay_s, zone=self.zone)
        network.set(mtu=self.mtu, mac=self.mac, domain=self.domain)
        if self.domain_local:
            network.domain_local = True
        self._add_dns(network)
        self._add_parts(network)
        return network.text()

    def _add_parts(self, network: NetworkXml) -> None:
        if self.vlan is not None:
            network.vlans.append(self.vlan.view())
        limits = bandwidth_view(self.inbound, self.outbound)
        if limits is not None:
            network.bandwidths.append(limits)
        if self.port_isolated:
            network.port_isolated = True
        for one in self.ips:
            network.ips.append(one.view())
        for route in self.routes:
            network.routes.append(route.view())
        if self.openvswitch:
            network.port_type = "openvswitch"
        for group in self.portgroups:
            network.portgroups.append(group.view())
        network.dnsmasq_options = self.dnsmasq_options

    def _add_devices(self, network: NetworkXml) -> None:
        network.set(forward_pf=self.pf)
        if self.forward == "hostdev":
            network.forward_managed = True
        for dev in self.devices:
            network.forward_interfaces.append(ForwardDevice(dev=dev).view())
        for address in self.pci:
            domain, bus, rest = address.split(":")
            slot, function = rest.split(".")
            parts: dict[str, Any] = {"domain": domain, "bus": bus, "slot": slot}
            parts = {name: f"0x{value}" for name, value in {**parts, "function": function}.items()}
            network.forward_addresses.append(PciAddressXml.new(type="pci", **parts))
        network.set(nat_start=self.nat.start, nat_end=self.nat.end)
        network.set(nat_port_start=self.nat.first_port, nat_port_end=self.nat.last_port)
        if self.nat.ipv6:
            network.nat_ipv6 = True

    def _add_dns(self, network: NetworkXml) -> None:
        if not self.dns:
            network.dns = False
        for forwarder in self.dns_forwarders:
            network.dns_forwarders.append(forwarder.view())
        for txt in self.dns_txts:
            network.dns_txts.append(txt.view())
        for srv in self.dns_srvs:
            network.dns_srvs.append(srv.view())
        for host in self.dns_hosts:
            network.dns_hosts.append(host.view())
