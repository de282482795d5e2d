"""A virtual network's XML; see https://libvirt.org/formatnetwork.html."""

from __future__ import annotations

import ipaddress

from labvirt.model.xml.table import Children, Choice, Int, OnOff, Text, YesNo
from labvirt.model.xml.view import View

__all__ = ["DhcpHostXml", "DhcpRangeXml", "NetworkIpXml", "NetworkXml"]


class DhcpRangeXml(View):
    """Addresses that are handed out."""

    TAG = "range"

    start = Text("@start", "first address")
    end = Text("@end", "last address")
    lease = Int("lease/@expiry", "duration of a lease, 0 for ever")
    lease_unit = Choice("lease/@unit", "its unit", values="seconds minutes hours", keep=True)


class DhcpHostXml(View):
    """An address kept for one guest."""

    TAG = "host"

    mac = Text("@mac", "MAC address of the guest")
    name = Text("@name", "host name that it gets")
    ip = Text("@ip", "address that it gets")


class NetworkIpXml(View):
    """An address of the host in the network, and what it serves there."""

    TAG = "ip"

    family = Choice("@family", "family", values="ipv4 ipv6")
    address = Text("@address", "address of the host")
    netmask = Text("@netmask", "netmask, IPv4 only")
    prefix = Int("@prefix", "length of the network's prefix")
    tftp_root = Text("tftp/@root", "folder served by TFTP")
    ranges = Children("dhcp/range", DhcpRangeXml, "addresses handed out by DHCP")
    hosts = Children("dhcp/host", DhcpHostXml, "addresses kept for one guest")
    boot_file = Text("dhcp/bootp/@file", "what guests boot from the network")
    boot_server = Text("dhcp/bootp/@server", "who serves it, when not the host")

    @property
    def interface(self) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
        """Address and network; None when the address is missing or malformed."""
        length = self.netmask or self.prefix
        address = self.address or ""
        try:
            return ipaddress.ip_interface(f"{address}/{length}" if length else address)
        except ValueError:
            return None


class NetworkXml(View):
    """The definition of a virtual network."""

    TAG = "network"

    name = Text("name", "name, unique on the host")
    uuid = Text("uuid", "UUID")
    forward_mode = Choice(
        "forward/@mode",
        "how it is connected; absent: isolated",
        values="nat route open bridge private vepa passthrough hostdev",
    )
    forward_dev = Text("forward/@dev", "the only device of the host it is connected by", keep=True)
    bridge = Text("bridge/@name", "name of the bridge on the host")
    stp = OnOff("bridge/@stp", "spanning tree protocol", keep=True)
    delay_s = Int("bridge/@delay", "forward delay in seconds", keep=True)
    zone = Text("bridge/@zone", "firewalld zone", keep=True)
    mtu = Int("mtu/@size", "MTU in bytes")
    mac = Text("mac/@address", "MAC address of the bridge")
    domain = Text("domain/@name", "DNS domain of the guests")
    domain_local = YesNo("domain/@localOnly", "its names are not asked of other servers", keep=True)
    dns = YesNo("dns/@enable", "the host answers DNS questions", keep=True)
    ips = Children("ip", NetworkIpXml, "addresses of the host in the network")
