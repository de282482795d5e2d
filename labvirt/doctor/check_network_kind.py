"""Checks of what not every network has: VLAN tags, and IPv6."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.netfacts import net_facts
from labvirt.doctor.netviews import network_xml, own_bridge
from labvirt.model.network import MAKES_BRIDGE

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__: list[str] = []

#: From this libvirt on the kernel's bridges take VLAN tags of a network.
_TAGGING_BRIDGES = 11


@check("network.vlan", "Can the VLAN tags of {name} be set?", guide="G16.15-05")
def vlan(case: Case) -> Seen:
    """Only Open vSwitch, virtual functions and, of late, bridges of the host take tags."""
    network = case.network
    document = network_xml(case.patient, network)
    groups = [one for one in document.portgroups if any(each.tags for each in one.vlans)]
    tagged = [*document.vlans, *(each for one in groups for each in one.vlans)]
    tags = [str(tag.id) for one in tagged for tag in one.tags]
    if not tags:
        return not_here("no tags")
    forward = case.patient.network_record(network).forward
    shown = f"VLAN {', '.join(tags)}, forward {forward}"
    switched = document.port_type == "openvswitch" or (
        bool(groups) and all(one.port_type == "openvswitch" for one in groups)
    )
    if switched or forward in {"hostdev", "passthrough"}:
        return ok(shown)
    version = case.host.version().daemon
    if forward == "bridge" and int(version.partition(".")[0]) >= _TAGGING_BRIDGES:
        return ok(f"{shown}, libvirt {version}")
    return fail(
        f"{shown}, libvirt {version}, no Open vSwitch",
        "the network starts, and no guest can be plugged into it",
        f"virsh net-edit {network.name}: <virtualport type='openvswitch'/> with such a bridge; or "
        "a bridge of the host on a VLAN device (eth0.42), and no <vlan>",
    )


@check("network.ipv6", "Can {name} speak IPv6 as it is defined?", guide="G16.15-05",
       needs="machine")  # fmt: skip
def ipv6(case: Case) -> Seen:
    """Look for what keeps libvirt from starting it, and guests from configuring themselves."""
    patient, network = case.patient, case.network
    document = network_xml(patient, network)
    forward = patient.network_record(network).forward
    subnets = [
        one.interface.network
        for one in document.ips
        if one.interface is not None and one.interface.version == 6
    ]
    if not subnets or forward not in MAKES_BRIDGE:
        return not_here("it has no IPv6 address of the host")
    told = ", ".join(map(str, subnets))
    bridge = own_bridge(patient, network) or "default"
    disabled = case.machine.sysctl(f"net.ipv6.conf.{bridge}.disable_ipv6")
    if disabled is None:
        return unknown(f"{told}; the kernel's switches cannot be read")
    if disabled == "1":
        remedy = f"sysctl -w net.ipv6.conf.{bridge}.disable_ipv6=0; keep it in /etc/sysctl.d"
        said = "the kernel does not speak IPv6 there: the network cannot start"
        return fail(f"{told}; disable_ipv6 = 1 of {bridge}", said, remedy)
    way = net_facts(patient).default_device(6)
    # By router advertisements the kernel takes routes only while it does not forward, unless 2.
    heeds = case.machine.sysctl(f"net.ipv6.conf.{way}.accept_ra") if way else None
    if forward != "isolated" and heeds == "1":
        shown = f"{told}; accept_ra = 1 of {way}"
        said = "with forwarding the host loses its own IPv6 route, so libvirt refuses to start it"
        remedy = f"sysctl -w net.ipv6.conf.{way}.accept_ra=2; keep it in /etc/sysctl.d"
        return warning(shown, said, remedy)
    odd = [str(one) for one in subnets if one.prefixlen != 64]
    if odd and not any(ip.ranges for ip in document.ips if ip.family == "ipv6"):
        said = "guests make themselves addresses in a /64 only, and there is no DHCPv6 range"
        return warning(told, said, f"virsh net-edit {network.name}: prefix='64'")
    return ok(told)
