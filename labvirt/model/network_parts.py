"""Parts of a virtual network: what its DNS answers, limits, VLANs, port groups, routes."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import Line
from labvirt.model.network_ip import Address, DnsName
from labvirt.model.spec import Spec
from labvirt.model.xml.network import (
    BandwidthXml,
    DnsForwarderXml,
    DnsHostXml,
    DnsSrvXml,
    DnsTxtXml,
    ForwardInterfaceXml,
    PortGroupXml,
    RouteXml,
    VlanTagXml,
    VlanXml,
)

__all__ = [
    "Bandwidth",
    "DeviceName",
    "DnsForwarder",
    "DnsHost",
    "DnsSrv",
    "DnsTxt",
    "ForwardDevice",
    "PortGroup",
    "RouteSpec",
    "VlanSpec",
]

DeviceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,15}$")]
"""Name of a network device: the kernel takes 15 characters."""


class DnsForwarder(Spec):
    """A server that questions are sent on to; short form: its address."""

    address: Address | None = Field(None, description="address of the server", examples=["9.9.9.9"])
    domain: DnsName | None = Field(
        None,
        description="the only domain it is asked about; without address: never sent on",
        examples=["corp.example"],
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"address": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.address is None and self.domain is None:
            problem = Problem("address", "", "is missing", "an address, a domain, or both")
            raise SpecError("DnsForwarder", (problem,))
        return self

    def view(self) -> DnsForwarderXml:
        """Return the ``<forwarder>`` element."""
        return DnsForwarderXml.new(address=self.address, domain=self.domain)


class DnsHost(Spec):
    """Names that the host answers with an address."""

    SECTION: ClassVar[str] = "dns-host"

    ip: Address = Field(description="address that is answered", examples=["192.168.100.1"])
    names: tuple[DnsName, ...] = Field(
        description="names it is answered for", examples=[["gateway", "gw.lab"]]
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.names:
            raise SpecError("DnsHost", (Problem("names", "", "there is none", "e.g. ['gw']"),))
        return self

    @property
    def title(self) -> str:
        """The entry in words."""
        return f"DNS name {', '.join(self.names)} for {self.ip}"

    def view(self) -> DnsHostXml:
        """Return the ``<host>`` element."""
        return DnsHostXml.new(ip=self.ip, names=self.names)


class DnsTxt(Spec):
    """A TXT record."""

    SECTION: ClassVar[str] = "dns-txt"

    name: DnsName = Field(description="name that is asked for", examples=["example.lab"])
    value: Line = Field(description="text that is answered", examples=["v=spf1 -all"])

    @property
    def title(self) -> str:
        """The entry in words."""
        return f"TXT record {self.name}"

    def view(self) -> DnsTxtXml:
        """Return the ``<txt>`` element."""
        return DnsTxtXml.new(name=self.name, value=self.value)


class DnsSrv(Spec):
    """An SRV record: where a service is offered."""

    SECTION: ClassVar[str] = "dns-srv"

    service: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=15)] = Field(
        description="name of the service, without underscore", examples=["ldap"]
    )
    protocol: Literal["tcp", "udp"] = Field("tcp", description="its protocol")
    domain: DnsName | None = Field(None, description="domain of the record")
    target: DnsName | None = Field(
        None, description="host that offers it; left out: nobody does", examples=["ldap1.lab"]
    )
    port: int | None = Field(None, ge=1, le=65535, description="port on that host")
    priority: int | None = Field(None, ge=0, le=65535, description="lower ones are asked first")
    weight: int | None = Field(
        None, ge=0, le=65535, description="share among those of one priority"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.target is not None and self.port is None:
            problem = Problem("port", "", "is missing", f"where {self.target} offers it")
            raise SpecError("DnsSrv", (problem,))
        if self.target is None and self.port is not None:
            raise SpecError("DnsSrv", (Problem("target", "", "is missing", "the host"),))
        return self

    @property
    def title(self) -> str:
        """The entry in words."""
        return f"SRV record {self.service}/{self.protocol}"

    def view(self) -> DnsSrvXml:
        """Return the ``<srv>`` element."""
        return DnsSrvXml.new(
            service=self.service,
            protocol=self.protocol,
            domain=self.domain,
            target=self.target,
            port=self.port,
            priority=self.priority,
            weight=self.weight,
        )


class Bandwidth(Spec):
    """Limits of what flows in one direction; short form: the average."""

    average: int = Field(ge=1, description="KiB per second in the long run", examples=[1000])
    peak: int | None = Field(None, ge=1, description="KiB per second at most")
    burst: int | None = Field(None, ge=1, description="KiB that may flow at peak speed")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"average": data} if isinstance(data, int) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.peak is not None and self.peak < self.average:
            why = f"is less than the average of {self.average}"
            raise SpecError("Bandwidth", (Problem("peak", str(self.peak), why),))
        return self


def bandwidth_view(inbound: Bandwidth | None, outbound: Bandwidth | None) -> BandwidthXml | None:
    """Return the ``<bandwidth>`` element, None when there are no limits."""
    if inbound is None and outbound is None:
        return None
    view = BandwidthXml.new()
    if inbound is not None:
        view.set(in_average=inbound.average, in_peak=inbound.peak, in_burst=inbound.burst)
    if outbound is not None:
        view.set(out_average=outbound.average, out_peak=outbound.peak, out_burst=outbound.burst)
    return view


class VlanSpec(Spec):
    """The VLANs of guests; short form: one number."""

    tags: tuple[Annotated[int, Field(ge=1, le=4094)], ...] = Field(
        description="numbers of the VLANs; several make a trunk", examples=[[42]]
    )
    native: Annotated[int, Field(ge=1, le=4094)] | None = Field(
        None, description="VLAN of a trunk whose frames travel without tag"
    )

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"tags": (data,)} if isinstance(data, int) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [] if self.tags else [Problem("tags", "", "there is none", "e.g. [42]")]
        if len(set(self.tags)) != len(self.tags):
            problems.append(Problem("tags", str(self.tags), "names a VLAN twice"))
        if self.native is not None and self.native not in self.tags:
            problems.append(Problem("native", str(self.native), "is none of the tags"))
        if self.native is not None and len(self.tags) == 1:
            problems.append(Problem("native", str(self.native), "only a trunk has one"))
        if problems:
            raise SpecError("VlanSpec", problems)
        return self

    def view(self) -> VlanXml:
        """Return the ``<vlan>`` element."""
        view = VlanXml.new()
        if len(self.tags) > 1:
            view.trunk = True
        for tag in self.tags:
            native = "untagged" if tag == self.native else None
            view.tags.append(VlanTagXml.new(id=tag, native=native))
        return view


class PortGroup(Spec):
    """A class of connections to the network, which interfaces name."""

    SECTION: ClassVar[str] = "portgroup"

    name: DeviceName = Field(description="its name", examples=["engineering"])
    default: bool = Field(default=False, description="interfaces that name none are in it")
    inbound: Bandwidth | None = Field(None, description="limit of what flows to each guest")
    outbound: Bandwidth | None = Field(None, description="limit of what flows from each guest")
    vlan: VlanSpec | None = Field(None, description="VLANs of its guests")
    trust_guest_rx_filters: bool = Field(
        default=False, description="the host follows the guest's changes of MAC address"
    )

    @property
    def title(self) -> str:
        """The entry in words."""
        return f"port group {self.name}"

    def view(self) -> PortGroupXml:
        """Return the ``<portgroup>`` element."""
        view = PortGroupXml.new(name=self.name)
        if self.default:
            view.default = True
        if self.trust_guest_rx_filters:
            view.trust_guest_rx_filters = True
        limits = bandwidth_view(self.inbound, self.outbound)
        if limits is not None:
            view.bandwidths.append(limits)
        if self.vlan is not None:
            view.vlans.append(self.vlan.view())
        return view


class ForwardDevice(Spec):
    """A device of the host that guests of a macvtap network share; short form: its name."""

    SECTION: ClassVar[str] = "forward-interface"

    dev: DeviceName = Field(description="name of the device", examples=["eth1"])

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"dev": data} if isinstance(data, str) else data

    @property
    def title(self) -> str:
        """The entry in words."""
        return f"device {self.dev}"

    def view(self) -> ForwardInterfaceXml:
        """Return the ``<interface>`` element."""
        return ForwardInterfaceXml.new(dev=self.dev)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError as error:
        hint = "e.g. 10.9.0.0/16"
        raise SpecError("RouteSpec", (Problem("network", text, str(error), hint),)) from None


class RouteSpec(Spec):
    """A static route of the host into a network that is behind a guest."""

    network: Annotated[str, AfterValidator(_network)] = Field(
        description="the network that is reached", examples=["10.9.0.0/16"]
    )
    gateway: Address = Field(description="the guest behind which it is", examples=["10.0.0.2"])
    metric: int | None = Field(None, ge=1, description="lower ones are preferred")

    @model_validator(mode="after")
    def _check(self) -> Self:
        versions = [
            ipaddress.ip_network(self.network).version,
            ipaddress.ip_address(self.gateway).version,
        ]
        if versions[0] != versions[1]:
            why = f"is IPv{versions[1]}, and the network is IPv{versions[0]}"
            raise SpecError("RouteSpec", (Problem("gateway", self.gateway, why),))
        return self

    def view(self) -> RouteXml:
        """Return the ``<route>`` element."""
        network = ipaddress.ip_network(self.network)
        return RouteXml.new(
            family=f"ipv{network.version}",
            address=str(network.network_address),
            prefix=network.prefixlen,
            gateway=self.gateway,
            metric=self.metric,
        )
