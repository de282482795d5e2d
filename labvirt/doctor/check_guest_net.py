"""Checks of running guests from outside: a lease, an address, and whether packets arrive."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.addresses import age_s, leased, neighbour
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.netfacts import net_facts
from labvirt.doctor.netviews import bridge_of, interface, network_named, network_xml, plugs
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from labvirt.doctor.case import Case
    from labvirt.host.networks.network import Network
    from labvirt.model.xml.devices import InterfaceXml

__all__: list[str] = []

#: A guest that runs for less may still boot.
YOUNG_S: Final = 90
_AGENT_S: Final = 1.5
#: Is there an answer of any kind? A refused connection proves as much as an echo does.
_KNOCK: Final = """ping -n -c 2 -i 0.2 -W 1 "$1" >/dev/null 2>&1 && { echo ping; exit; }
e=$(timeout 1.5 bash -c "echo >/dev/tcp/$1/22" 2>&1) && { echo open; exit; }
case "$e" in *refused*) echo refused; exit;; esac
ip neigh show "$1"; exit 3"""


def _young(case: Case) -> str:
    age = age_s(case)
    return f"it has run for {age} s only" if age is not None and age < YOUNG_S else ""


def _ranges(case: Case, network: Network) -> bool:
    return any(ip.ranges for ip in network_xml(case.patient, network).ips)


@check("interface.lease", "Has {name} got an address by DHCP?", guide="G8.1-07")
def lease(case: Case) -> Seen:  # noqa: PLR0911 - one for each answer
    """Look for a lease of the card; when there is none, for the likely cause."""
    nic = interface(case)
    mac = (nic.mac or "").lower()
    patient = case.patient
    network = network_named(patient, nic.source_network or "")
    if case.record.state.text != "running" or network is None:
        return not_here("it runs not, or is on no network of libvirt")
    if not patient.network_record(network).is_active or not _ranges(case, network):
        return not_here(f"network {network.name} is not active, or hands out no addresses")
    if nic.link_state == "down":
        return not_here("its cable is pulled")
    found = [one for one in patient.leases(network) if one.mac == mac]
    if found:
        ends = max((one.expires_at for one in found if one.expires_at), default=None)
        left = f", {(ends - datetime.now(UTC)).total_seconds() / 60:.0f} min left" if ends else ""
        return ok(f"{', '.join(one.address for one in found)} of network {network.name}{left}")
    if static := neighbour(patient, mac):
        return ok(f"no lease; the host has seen it as {', '.join(static)}: a static address")
    if young := _young(case):
        return not_here(f"no lease yet: {young}")
    age = age_s(case)
    shown = f"network {network.name} has no lease for {mac}"
    shown += f" after {age} s" if age is not None else ""
    cause, remedy = _likely(case, network)
    return warning(shown, cause, remedy)


@check("interface.address", "Is the address of {name} its own?", guide="G8.1-07",
       needs="machine")  # fmt: skip
def own_address(case: Case) -> Seen:
    """Compare the leases of its card with whom the host sees under these addresses."""
    nic = interface(case)
    mac = (nic.mac or "").lower()
    mine = leased(case.patient, nic.source_network or "", mac)
    if case.record.state.text != "running" or not mine:
        return not_here("it has no lease")
    others = {
        (ip, other)
        for other, ip, state in net_facts(case.patient).neighbours
        if ip in mine and other != mac and state not in {"FAILED", "INCOMPLETE"}
    }
    if not others:
        return ok(f"{', '.join(mine)} is nobody else's")
    names = {(one.nic.mac or "").lower(): one.domain for one in plugs(case.patient)}
    told = ", ".join(
        f"{ip} is {other} ({names.get(other, 'no domain here')})" for ip, other in others
    )
    said = "somebody took this address by hand: packets for the one reach the other"
    remedy = "give that one an address outside of the DHCP range, or a reservation"
    return fail(f"leased to {mac}, but the host sees: {told}", said, remedy)


def _likely(case: Case, network: Network) -> tuple[str, str]:
    """Return the likely cause of a missing lease, and what to do."""
    patient = case.patient
    try:
        line = net_facts(patient).dnsmasq.get(network.name, (0, ""))[1]
    except LabvirtError:
        line = "dnsmasq"
    if "dnsmasq" not in line:
        return "the DHCP server of the network is gone", "see network.dnsmasq"
    size = sum(
        int(ipaddress.ip_address(one.end)) - int(ipaddress.ip_address(one.start)) + 1
        for ip in network_xml(patient, network).ips
        for one in ip.ranges
        if one.start and one.end
    )
    if len(patient.leases(network)) >= size:
        return f"all {size} addresses are handed out", "see network.range"
    if interface(case).filter:
        return "its network filter may stop it", "see interface.filter"
    return (
        "the guest does not ask: it has not booted, has no DHCP client on this card, or a static address",
        f"virsh console {case.domain.name}: ip address; dhclient or networkctl renew",
    )


@check("guest.address", "Has the guest {name} an address?", guide="G8.1-07", limit_s=4,
       needs="monitor")  # fmt: skip
def address(case: Case) -> Seen:  # noqa: PLR0911 - one for each answer
    """Ask leases and the host's neighbours, and then the guest agent when it is connected."""
    nics = list(case.document.interfaces)
    if not nics:
        return not_here("it has no network interface")
    if all(one.link_state == "down" for one in nics):
        return warning("link state='down'", "every cable of it is pulled", "see interface.link")
    found = _known(case, nics)
    if found:
        return ok("; ".join(found))
    told, why = _agent(case)
    if told:
        return ok(f"{', '.join(told)} (its agent says so)")
    if young := _young(case):
        return not_here(f"none known yet: {young}")
    kinds = sorted({one.type or "" for one in nics})
    if not any(one.type in {"network", "bridge"} for one in nics):
        return not_here(f"nobody here can see it ({', '.join(kinds)}); agent: {why}")
    return warning(
        f"no lease, no neighbour of the host has its card; agent: {why}",
        "it has not booted, its network gives no addresses, or it has one of which nobody knows",
        f"virsh console {case.domain.name}; virsh domifaddr {case.domain.name} --source agent",
    )


def _known(case: Case, nics: list[InterfaceXml]) -> list[str]:
    found = []
    for one in nics:
        mac = (one.mac or "").lower()
        ips = leased(case.patient, one.source_network or "", mac)
        if ips:
            found.append(f"{', '.join(ips)} (lease of {one.source_network})")
        elif ips := neighbour(case.patient, mac):
            found.append(f"{', '.join(ips)} (neighbour of the host)")
    return found


def _agent(case: Case) -> tuple[list[str], str]:
    """Return the addresses that the agent tells, or why it tells none."""
    channels = [
        one for one in case.document.channels if one.target_name == "org.qemu.guest_agent.0"
    ]
    if not channels:
        return [], "no channel"
    if channels[0].target_state != "connected":
        return [], "not connected"
    try:
        told: Any = case.domain.agent("guest-network-get-interfaces", _AGENT_S)
    except LabvirtError as error:
        return [], str(error).partition("\n")[0]
    found = []
    for one in told or ():
        for each in one.get("ip-addresses", ()):
            ip = ipaddress.ip_address(each.get("ip-address", "0.0.0.0").partition("%")[0])  # noqa: S104 - nothing is bound
            if not (ip.is_loopback or ip.is_link_local or ip.is_unspecified):
                found.append(str(ip))
    return found, "it names none"


@check("guest.reachable", "Does the guest {name} answer over the network?", guide="G8.1-07",
       limit_s=5, needs="machine")  # fmt: skip
def reachable(case: Case) -> Seen:
    """Send a packet from the host to an address of the guest, and look for any answer."""
    facts = net_facts(case.patient)
    target = ""
    for nic in case.document.interfaces:
        bridge = bridge_of(case.patient, nic)
        link = facts.links.get(bridge)
        if link is None or nic.link_state == "down":
            continue
        mac = (nic.mac or "").lower()
        known = (
            *leased(case.patient, nic.source_network or "", mac),
            *neighbour(case.patient, mac),
        )
        subnets = [ipaddress.ip_interface(one).network for one in link.addresses]
        near = [ip for ip in known if any(_within(ip, net) for net in subnets)]
        target = next(iter(near), "")
        if target:
            break
    if not target:
        return not_here("no address of it is known that the host could reach")
    ran = case.machine.run("sh", "-c", _KNOCK, "sh", target, timeout_s=4.5)
    said = ran.out.strip()
    told = {
        "ping": "it answers a ping",
        "open": "its port 22 is open",
        "refused": "it refuses a connection, so it is there",
    }
    if ran:
        return ok(f"{target}: {told.get(said, said)}")
    if young := _young(case):
        return not_here(f"{target} does not answer yet: {young}")
    if "FAILED" not in said and "INCOMPLETE" not in said:
        return unknown(f"{target}: no answer to ping and port 22 ({said or 'no neighbour'})")
    return fail(
        f"{target}: no answer to ping, port 22 and ARP ({said})",
        "the guest hangs, has shut its network down, or frames are lost on the way",
        f"virsh console {case.domain.name}; see interface.tap, interface.filter, domain.hung",
    )


def _within(address: str, net: Any) -> bool:
    found = ipaddress.ip_address(address)
    return found.version == net.version and found in net
