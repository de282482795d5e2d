"""A virtual network's XML; see https://libvirt.org/formatnetwork.html."""

from __future__ import annotations

import ipaddress

from labvirt.model.xml.table import Children, Choice, Int, OnOff, Text, Values, YesNo
from labvirt.model.xml.view import View

__all__ = [
    "BandwidthXml",
    "DhcpHostXml",
    "DhcpRangeXml",
    "DnsForwarderXml",
    "DnsHostXml",
    "DnsSrvXml",
    "DnsTxtXml",
    "ForwardInterfaceXml",
    "NetworkIpXml",
    "NetworkXml",
    "PciAddressXml",
    "PortGroupXml",
    "RouteXml",
    "VlanTagXml",
    "VlanXml",
]


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
    id = Text("@id", "DUID of the guest, IPv6 only")
    name = Text("@name", "host name that it gets")
    ip = Text("@ip", "address that it gets")
    lease = Int("lease/@expiry", "duration of its lease, 0 for ever")
    lease_unit = Choice("lease/@unit", "its unit", values="seconds minutes hours", keep=True)


class NetworkIpXml(View):
    """An address of the host in the network, and what it serves there."""

    TAG = "ip"

    family = Choice("@family", "family", values="ipv4 ipv6")
    address = Text("@address", "address of the host")
    netmask = Text("@netmask", "netmask, IPv4 only")
    prefix = Int("@prefix", "length of the network's prefix")
    local_ptr = YesNo("@localPtr", "reverse questions are not asked of other servers")
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


class DnsForwarderXml(View):
    """A server that questions are sent on to."""

    TAG = "forwarder"

    address = Text("@addr", "its address")
    domain = Text("@domain", "the only domain it is asked about")


class DnsTxtXml(View):
    """A TXT record."""

    TAG = "txt"

    name = Text("@name", "the name that is asked for")
    value = Text("@value", "the text that is answered")


class DnsSrvXml(View):
    """An SRV record."""

    TAG = "srv"

    service = Text("@service", "name of the service, without underscore")
    protocol = Choice("@protocol", "its protocol", values="tcp udp")
    domain = Text("@domain", "domain of the record")
    target = Text("@target", "host that offers the service")
    port = Int("@port", "its port")
    priority = Int("@priority", "lower ones are asked first")
    weight = Int("@weight", "share among those of one priority")


class DnsHostXml(View):
    """Names that the host answers with an address."""

    TAG = "host"

    ip = Text("@ip", "the address that is answered")
    names = Values("hostname", "the names")


class BandwidthXml(View):
    """Limits of what flows; one class for the network, its ports and interfaces."""

    TAG = "bandwidth"

    in_average = Int("inbound/@average", "KiB/s towards the guests")
    in_peak = Int("inbound/@peak", "KiB/s at most, towards the guests")
    in_burst = Int("inbound/@burst", "KiB that may flow at peak speed, towards the guests")
    in_floor = Int("inbound/@floor", "KiB/s that are granted, towards the guests")
    out_average = Int("outbound/@average", "KiB/s from the guests")
    out_peak = Int("outbound/@peak", "KiB/s at most, from the guests")
    out_burst = Int("outbound/@burst", "KiB that may flow at peak speed, from the guests")


class VlanTagXml(View):
    """One VLAN."""

    TAG = "tag"

    id = Int("@id", "its number")
    native = Choice("@nativeMode", "how frames without tag travel", values="tagged untagged")


class VlanXml(View):
    """The VLANs of a network or port group."""

    TAG = "vlan"

    trunk = YesNo("@trunk", "the guest gets tagged frames of all of them")
    tags = Children("tag", VlanTagXml, "the VLANs")


class PortGroupXml(View):
    """A class of connections to the network."""

    TAG = "portgroup"

    name = Text("@name", "its name")
    default = YesNo("@default", "interfaces that name none are in it")
    trust_guest_rx_filters = YesNo(
        "@trustGuestRxFilters", "the host follows the guest's changes of MAC address"
    )
    port_type = Text("virtualport/@type", "kind of switch port")
    bandwidths = Children("bandwidth", BandwidthXml, "limits of each interface in it")
    vlans = Children("vlan", VlanXml, "its VLANs")


class RouteXml(View):
    """A static route of the host into a network behind a guest."""

    TAG = "route"

    family = Choice("@family", "family", values="ipv4 ipv6")
    address = Text("@address", "address of the network")
    netmask = Text("@netmask", "netmask, IPv4 only")
    prefix = Int("@prefix", "length of its prefix")
    gateway = Text("@gateway", "the guest behind which it is")
    metric = Int("@metric", "lower ones are preferred")


class ForwardInterfaceXml(View):
    """A device of the host that guests are connected to."""

    TAG = "interface"

    dev = Text("@dev", "its name")


class PciAddressXml(View):
    """A PCI device that is given to guests."""

    TAG = "address"

    type = Choice("@type", "kind of address", values="pci")
    domain = Text("@domain", "PCI domain")
    bus = Text("@bus", "bus")
    slot = Text("@slot", "slot")
    function = Text("@function", "function")


class NetworkXml(View):
    """The definition of a virtual network."""

    TAG = "network"

    ipv6 = YesNo("@ipv6", "guests may speak IPv6 to each other without an address of the host")
    trust_guest_rx_filters = YesNo(
        "@trustGuestRxFilters", "the host follows the guest's changes of MAC address"
    )
    name = Text("name", "name, unique on the host")
    uuid = Text("uuid", "UUID")
    forward_mode = Choice(
        "forward/@mode",
        "how it is connected; absent: isolated",
        values="nat route open bridge private vepa passthrough hostdev",
    )
    forward_dev = Text("forward/@dev", "the only device of the host it is connected by", keep=True)
    forward_managed = YesNo(
        "forward/@managed", "libvirt takes the device from its driver", keep=True
    )
    forward_pf = Text("forward/pf/@dev", "physical function whose virtual ones are handed out")
    forward_driver = Choice("forward/driver/@name", "driver for PCI devices", values="vfio kvm")
    forward_interfaces = Children(
        "forward/interface", ForwardInterfaceXml, "devices of the host that guests share"
    )
    forward_addresses = Children("forward/address", PciAddressXml, "PCI devices handed out")
    nat_ipv6 = YesNo("forward/nat/@ipv6", "IPv6 is translated too")
    nat_start = Text("forward/nat/address/@start", "first address that guests appear as")
    nat_end = Text("forward/nat/address/@end", "last address that guests appear as")
    nat_port_start = Int("forward/nat/port/@start", "first port that is used for translation")
    nat_port_end = Int("forward/nat/port/@end", "last port that is used for translation")
    bridge = Text("bridge/@name", "name of the bridge on the host")
    stp = OnOff("bridge/@stp", "spanning tree protocol", keep=True)
    delay_s = Int("bridge/@delay", "forward delay in seconds", keep=True)
    zone = Text("bridge/@zone", "firewalld zone", keep=True)
    mac_table = Choice(
        "bridge/@macTableManager",
        "who fills the bridge's table",
        values="kernel libvirt",
        keep=True,
    )
    mtu = Int("mtu/@size", "MTU in bytes")
    mac = Text("mac/@address", "MAC address of the bridge")
    domain = Text("domain/@name", "DNS domain of the guests")
    domain_local = YesNo("domain/@localOnly", "its names are not asked of other servers", keep=True)
    dns = YesNo("dns/@enable", "the host answers DNS questions", keep=True)
    dns_forward_plain = YesNo(
        "dns/@forwardPlainNames", "names without a dot are asked of other servers", keep=True
    )
    dns_forwarders = Children("dns/forwarder", DnsForwarderXml, "servers questions are sent on to")
    dns_txts = Children("dns/txt", DnsTxtXml, "TXT records")
    dns_srvs = Children("dns/srv", DnsSrvXml, "SRV records")
    dns_hosts = Children("dns/host", DnsHostXml, "names with addresses")
    vlans = Children("vlan", VlanXml, "its VLANs")
    bandwidths = Children("bandwidth", BandwidthXml, "limits of all guests together")
    port_isolated = YesNo("port/@isolated", "guests do not see each other")
    ips = Children("ip", NetworkIpXml, "addresses of the host in the network")
    routes = Children("route", RouteXml, "networks behind guests")
    port_type = Text("virtualport/@type", "kind of switch port")
    portgroups = Children("portgroup", PortGroupXml, "classes of connections")
    dnsmasq_options = Values(
        "dnsmasq:options/dnsmasq:option/@value", "lines added to dnsmasq's configuration"
    )

    @property
    def forward(self) -> str:
        """How it is connected, in one word; ``isolated`` when it is not."""
        if self.element.find("forward") is None:
            return "isolated"
        return self.forward_mode or "nat"
