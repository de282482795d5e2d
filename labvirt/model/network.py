"""A virtual network that is asked for."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import AbsolutePath, Line, Mac, SafeName, Uuid
from labvirt.model.spec import Spec
from labvirt.model.xml.network import DhcpHostXml, DhcpRangeXml, NetworkIpXml, NetworkXml

__all__ = ["DhcpHost", "NetworkIp", "NetworkSpec"]

_RANGE_MASK = 0xFFFF  # libvirt wants first and last address equal but for their last 16 bits

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def _interface(text: str) -> str:
    """Return ``address/prefix`` in its usual form; the prefix must be given."""
    hint = "e.g. 192.168.100.1/24"
    try:
        found = ipaddress.ip_interface(text.strip())
    except ValueError:
        found = None
    if found is None or "/" not in text:
        why = "is no address with the length of its network's prefix"
        raise SpecError("NetworkIp", (Problem("address", text, why, hint),))
    if found.network.num_addresses > 2 and found.ip == found.network.network_address:
        why = "is the address of the network, not of the host in it"
        example = f"e.g. {found.ip + 1}/{found.network.prefixlen}"
        raise SpecError("NetworkIp", (Problem("address", text, why, example),))
    return str(found)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        why = "is no IP address"
        raise SpecError("NetworkIp", (Problem("", text, why, "e.g. 192.168.100.2"),)) from None


Address = Annotated[str, AfterValidator(_address)]
BridgeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,15}$")]


class DhcpHost(Spec):
    """An address kept for one guest."""

    mac: Mac = Field(description="MAC address of the guest")
    ip: Address = Field(description="address that it gets", examples=["192.168.100.10"])
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] | None = Field(
        None, description="host name that it gets"
    )


class NetworkIp(Spec):
    """An address of the host in the network, and what it serves there; short form: the address."""

    address: Annotated[str, AfterValidator(_interface)] = Field(
        description="address of the host with the length of the prefix",
        examples=["192.168.100.1/24", "fd00:1::1/64"],
    )
    dhcp: bool = Field(default=True, description="hand out addresses by DHCP")
    dhcp_start: Address | None = Field(
        None, description="first address handed out; left out: all that are free"
    )
    dhcp_end: Address | None = Field(None, description="last address handed out")
    hosts: tuple[DhcpHost, ...] = Field((), description="addresses kept for one guest each")
    tftp_root: AbsolutePath | None = Field(None, description="folder served by TFTP, for PXE")
    boot_file: Line | None = Field(
        None, description="what guests boot from the network", examples=["pxelinux.0", "boot.ipxe"]
    )
    boot_server: Address | None = Field(None, description="who serves it, when not the host")

    @model_validator(mode="before")
    @classmethod
    def _read_short_form(cls, data: Any) -> Any:
        return {"address": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        network = self.interface.network
        given = [("dhcp_start", self.dhcp_start), ("dhcp_end", self.dhcp_end)]
        given += [(f"hosts[{place}].ip", host.ip) for place, host in enumerate(self.hosts)]
        for field, text in given:
            if text is not None and ipaddress.ip_address(text) not in network:
                problems.append(Problem(field, text, f"is not in the network {network}"))
        if (self.dhcp_start is None) != (self.dhcp_end is None):
            missing = "dhcp_start" if self.dhcp_start is None else "dhcp_end"
            problems.append(Problem(missing, "", "is missing", "start and end belong together"))
        if not self.dhcp and (self.dhcp_start or self.hosts or self.boot_file):
            problems.append(Problem("dhcp", "False", "is needed by ranges, hosts and boot_file"))
        if self.dhcp and not problems and self.range is None:
            problems.append(Problem("address", self.address, "leaves no address for DHCP"))
        if not problems and self.range and self._key(self.range[0]) > self._key(self.range[1]):
            problems.append(Problem("dhcp_end", self.range[1], f"comes before {self.range[0]}"))
        if self.boot_server is not None and self.boot_file is None:
            problems.append(Problem("boot_file", "", "is missing", "boot_server serves it"))
        if problems:
            raise SpecError("NetworkIp", problems)
        return self

    @property
    def interface(self) -> Interface:
        """Address and network."""
        return ipaddress.ip_interface(self.address)

    @property
    def range(self) -> tuple[str, str] | None:
        """First and last address that DHCP hands out; None without DHCP or room for it."""
        if not self.dhcp:
            return None
        if self.dhcp_start is not None and self.dhcp_end is not None:
            return self.dhcp_start, self.dhcp_end
        network, own = self.interface.network, int(self.interface.ip)
        first, last = int(network[0]) + 1, int(network[-1]) - (1 if network.version == 4 else 0)
        # The larger of the two stretches beside the host's own address.
        low, high = (first, own - 1), (own + 1, last)
        start, end = max((low, high), key=lambda stretch: stretch[1] - stretch[0])
        end = min(end, start | _RANGE_MASK)
        kind = type(self.interface.ip)
        return (str(kind(start)), str(kind(end))) if start <= end else None

    @staticmethod
    def _key(text: str) -> int:
        return int(ipaddress.ip_address(text))

    def view(self) -> NetworkIpXml:
        """Return the ``<ip>`` element."""
        found = self.interface
        family = "ipv6" if found.version == 6 else None
        view = NetworkIpXml.new(family=family, address=str(found.ip))
        view.set(prefix=found.network.prefixlen, tftp_root=self.tftp_root)
        if self.range is not None:
            view.ranges.append(DhcpRangeXml.new(start=self.range[0], end=self.range[1]))
        for host in self.hosts:
            view.hosts.append(DhcpHostXml.new(mac=host.mac, name=host.name, ip=host.ip))
        view.set(boot_file=self.boot_file, boot_server=self.boot_server)
        return view


class NetworkSpec(Spec):
    """A virtual network of the host."""

    name: SafeName = Field(description="name, unique on the host", examples=["installation"])
    uuid: Uuid | None = Field(None, description="UUID; libvirt makes one when left out")
    forward: Literal["nat", "route", "open", "bridge", "isolated"] = Field(
        "nat",
        description="how guests reach the world: by NAT, by routes, without firewall rules (open), "
        "through a bridge of the host, or not at all",
    )
    forward_dev: BridgeName | None = Field(
        None, description="the only device of the host that traffic may leave by"
    )
    bridge: BridgeName | None = Field(
        None, description="bridge of the host; libvirt makes virbrN when left out"
    )
    stp: bool = Field(default=True, description="spanning tree protocol on the bridge")
    delay_s: int = Field(0, ge=0, le=30, description="seconds before a new port forwards")
    mtu: int | None = Field(None, ge=68, le=65535, description="MTU in bytes")
    mac: Mac | None = Field(None, description="MAC address of the bridge")
    domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")] | None = Field(
        None, description="DNS domain of the guests", examples=["lab.example"]
    )
    dns: bool = Field(default=True, description="the host answers DNS questions")
    ips: tuple[NetworkIp, ...] = Field(
        (), description="addresses of the host in the network", examples=[["192.168.100.1/24"]]
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = []
        if self.forward == "bridge":
            if self.bridge is None:
                problems.append(Problem("bridge", "", "forward bridge needs one", "e.g. br0"))
            unused = (("ips", self.ips), ("mtu", self.mtu), ("mac", self.mac))
            problems += [
                Problem(name, str(value), "belongs to the bridge, which libvirt does not make")
                for name, value in (*unused, ("domain", self.domain))
                if value
            ]
        if self.forward in {"nat", "route"} and not self.ips:
            why = f"forward {self.forward} needs an address"
            problems.append(Problem("ips", "", why, "e.g. ['192.168.100.1/24']"))
        if self.forward in {"isolated", "bridge"} and self.forward_dev is not None:
            problems.append(Problem("forward_dev", self.forward_dev, f"{self.forward} has none"))
        served = [one.interface.version for one in self.ips if one.dhcp]
        problems += [
            Problem(
                "ips", f"IPv{version}", "has DHCP twice; libvirt serves one range", "dhcp=False"
            )
            for version in (4, 6)
            if served.count(version) > 1
        ]
        networks = [one.interface.network for one in self.ips]
        for place, one in enumerate(networks):
            for other in networks[:place]:
                if one.version == other.version and one.overlaps(other):
                    problems.append(Problem(f"ips[{place}]", str(one), f"overlaps {other}"))
        if problems:
            raise SpecError(f"network {self.name}", problems)
        return self

    def to_xml(self) -> str:
        """Return the definition; see https://libvirt.org/formatnetwork.html."""
        network = NetworkXml.new(name=self.name, uuid=self.uuid)
        if self.forward != "isolated":
            network.set(forward_mode=self.forward, forward_dev=self.forward_dev)
        network.set(bridge=self.bridge)
        if self.forward != "bridge":
            network.set(stp=self.stp, delay_s=self.delay_s)
        network.set(mtu=self.mtu, mac=self.mac, domain=self.domain)
        if not self.dns:
            network.dns = False
        for one in self.ips:
            network.ips.append(one.view())
        return network.text()
