"""Checks of what libvirt serves on a network: addresses by DHCP, names by DNS."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.netfacts import net_facts
from labvirt.doctor.netviews import network_xml, own_bridge, plugs, users
from labvirt.model.network_ip import DhcpRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from labvirt.doctor.case import Case
    from labvirt.doctor.netfacts import NetFacts
    from labvirt.host.networks.network import Network
    from labvirt.model.xml.network import NetworkIpXml, NetworkXml

__all__: list[str] = []

_ANY = frozenset({"0.0.0.0", "*"})  # noqa: S104 - compared only
_RESTART = (
    "systemctl restart virtnetworkd (or libvirtd), which starts it anew; "
    "its own words: journalctl -t dnsmasq"
)


@check("network.range", "Has DHCP of {name} free addresses?", guide="G16.15-04")
def free_addresses(case: Case) -> Iterator[Seen]:
    """Count the addresses that are handed out, and those that are not."""
    patient, network = case.patient, case.network
    if not patient.network_record(network).is_active:
        yield not_here("not active")
        return
    document = network_xml(patient, network)
    if not any(ip.ranges for ip in document.ips):
        yield not_here("it hands out no addresses")
        return
    leased = {ipaddress.ip_address(one.address) for one in patient.leases(network)}
    macs = {one.mac for one in patient.leases(network)}
    waiting = [
        one.domain
        for one in users(patient, network)
        if one.is_active and (one.nic.mac or "").lower() not in macs
    ]
    for ip in document.ips:
        kept = {ipaddress.ip_address(one.ip) for one in ip.hosts if one.ip}
        pairs = [(one.start, one.end) for one in ip.ranges if one.start and one.end]
        if pairs:
            yield _room(network, ip, pairs, leased, kept, waiting)


def _room(  # noqa: PLR0917 - all of one range
    network: Network,
    ip: NetworkIpXml,
    pairs: Sequence[tuple[str, str]],
    leased: set[Any],
    kept: set[Any],
    waiting: Sequence[str],
) -> Seen:
    bounds = [(ipaddress.ip_address(first), ipaddress.ip_address(last)) for first, last in pairs]
    size = sum(int(last) - int(first) + 1 for first, last in bounds)
    inside = {one for one in leased | kept
              if any(first.version == one.version and first <= one <= last for first, last in bounds)}  # fmt: skip
    free = size - len(inside)
    about = f"ipv{bounds[0][0].version}" if bounds[0][0].version == 6 else ""
    told = ", ".join(f"{first} - {last}" for first, last in pairs)
    shown = f"{len(inside)} of {size} addresses taken, {free} free ({told})"
    if waiting:
        shown += f"; without a lease: {', '.join(sorted(set(waiting))[:5])}"
    wider = _gap(ip, bounds, kept)
    remedy = "widen the range, or shorten the leases"
    fix: Callable[[], Any] | None = None
    if wider is not None:
        first, last = wider
        xml = f"<range start='{first}' end='{last}'/>"
        remedy = (
            f'virsh net-update {network.name} add ip-dhcp-range "{xml}" --live --config; '
            "a guest asks again within a minute, or after its cable was pulled"
        )
        fix = _widening(network, f"{first}-{last}")
    if free <= 0:
        said = "every address of the range is leased or reserved: a further guest gets none"
        return fail(shown, said, remedy, fix=fix, about=about)
    if size >= 10 and free * 10 <= size:
        said = "nine in ten addresses are taken"
        return warning(shown, said, remedy, fix=fix, about=about)
    return ok(shown, about=about)


def _gap(ip: NetworkIpXml, bounds: Sequence[tuple[Any, Any]], kept: set[Any]) -> Any:
    """Return the longest stretch of an IPv4 subnet that nobody uses; None when there is none."""
    if ip.interface is None or ip.interface.version != 4 or ip.interface.network.prefixlen < 16:
        return None
    subnet = ip.interface.network
    used = sorted(
        [
            *bounds,
            *((one, one) for one in kept if one in subnet),
            (ip.interface.ip, ip.interface.ip),
        ]
    )
    best: tuple[int, int] | None = None
    first = int(subnet.network_address) + 1
    for start, end in [*used, (subnet.broadcast_address, subnet.broadcast_address)]:
        last = int(start) - 1
        if last >= first and (best is None or last - first > best[1] - best[0]):
            best = (first, last)
        first = max(first, int(end) + 1)
    return None if best is None else tuple(map(ipaddress.IPv4Address, best))


def _widening(network: Network, text: str) -> Callable[[], Any]:
    return lambda: network.add.plan(DhcpRange.model_validate(text))


@check("network.reservations", "Do the reservations of {name} fit the network?", guide="G8.1-07")
def reservations(case: Case) -> Seen:
    """Look for reserved addresses outside the subnet, and for two of one address or card."""
    document = network_xml(case.patient, case.network)
    count, wrong = 0, []
    macs: dict[str, str] = {}
    addresses: dict[str, str] = {}
    for ip in document.ips:
        for one in ip.hosts:
            count += 1
            name = one.name or one.mac or one.id or "?"
            if ip.interface is not None and one.ip:
                if ipaddress.ip_address(one.ip) not in ip.interface.network:
                    wrong.append(f"{name}: {one.ip} is not in {ip.interface.network}")
                elif one.ip == str(ip.interface.ip):
                    wrong.append(f"{name}: {one.ip} is the address of the host")
            for seen, value in ((macs, (one.mac or "").lower()), (addresses, one.ip or "")):
                if value and value in seen:
                    wrong.append(f"{value} is kept for {seen[value]} and for {name}")
                seen.setdefault(value, name)
    if not count:
        return not_here("it keeps no address for anybody")
    if wrong:
        said = "dnsmasq does not hand these out as they stand"
        return fail("; ".join(wrong), said, f"virsh net-edit {case.network.name}")
    known = {(one.nic.mac or "").lower() for one in plugs(case.patient)}
    idle = [f"{name} ({mac})" for mac, name in macs.items() if mac and mac not in known]
    shown = f"{count} reserved"
    return ok(shown + (f"; no domain here has the card of {', '.join(idle[:5])}" if idle else ""))


def _serves(document: NetworkXml) -> str:
    """Return what dnsmasq has to do on a network; empty when it is not needed."""
    if any(ip.ranges or ip.hosts or ip.tftp_root for ip in document.ips):
        return "DHCP"
    return "DNS" if len(document.ips) and document.dns is not False else ""


@check(
    "network.dnsmasq",
    "Does the server for DHCP and DNS of {name} run?",
    guide="G8.1-04",
    needs="machine",
)
def dnsmasq(case: Case) -> Seen:
    """Look for the process behind the network's pid file, and whether it listens."""
    patient, network = case.patient, case.network
    bridge = own_bridge(patient, network)
    document = network_xml(patient, network)
    work = _serves(document)
    if not bridge or not work:
        return not_here("not active, or libvirt serves nothing on it")
    facts = net_facts(patient)
    pid, line = facts.dnsmasq.get(network.name, (0, ""))
    if "dnsmasq" not in line:
        shown = f"process {pid} of /run/libvirt/network/{network.name}.pid is gone"
        if not pid:
            shown = f"there is no /run/libvirt/network/{network.name}.pid"
        said = f"dnsmasq ended: guests get no {'addresses' if work == 'DHCP' else 'names'}"
        return fail(shown, said, _RESTART, fix=network.restart.plan)
    ports = _served(facts, bridge, document)
    shown = f"process {pid}: {line[:120]}; {ports or 'no socket of it is seen'}"
    return ok(shown)


def _served(facts: NetFacts, bridge: str, document: NetworkXml) -> str:
    own = {str(ip.interface.ip) for ip in document.ips if ip.interface is not None}
    found = sorted(
        {
            f"{one.protocol} {one.address}%{one.device}:{one.port}".replace("%:", ":")
            for one in facts.listeners
            if (one.device == bridge or one.address in own) and one.port in {53, 67, 547}
        }
    )
    return ", ".join(found)


@check(
    "network.dhcp-once",
    "Is there only one DHCP server on {name}?",
    guide="G8.1-04",
    needs="machine",
)
def dhcp_once(case: Case) -> Seen:
    """Count the DHCP servers of the machine that hear what comes from the network's bridge."""
    patient, network = case.patient, case.network
    record = patient.network_record(network)
    if not record.is_active or not record.bridge:
        return not_here("not active, or it has no bridge")
    document = network_xml(patient, network)
    facts = net_facts(patient)
    own = {str(ip.interface.ip) for ip in document.ips if ip.interface is not None}
    heard = [
        one
        for one in facts.listeners
        if one.protocol == "udp"
        and one.port == 67
        and (one.device == record.bridge or (not one.device and one.address in own | _ANY))
    ]
    guests = sorted({one.domain for one in users(patient, network) if one.is_active})
    if not facts.listeners:
        return unknown("ss told nothing", "install iproute2 there")
    shown = ", ".join(f"udp {one.address}%{one.device or 'any device'}:67" for one in heard)
    if len(heard) < 2:
        return ok(shown or f"none on this machine; guests on it: {', '.join(guests) or 'none'}")
    return fail(
        shown,
        "two servers answer: guests get addresses now from the one, now from the other",
        "find the other one: ss -lnup 'sport = :67'; in its dnsmasq.conf: "
        f"except-interface={record.bridge} and bind-interfaces; then restart it",
    )


@check("network.dns", "Are names answered on {name}?", guide="G8.1-04", needs="machine")
def dns(case: Case) -> Seen:
    """Look whether somebody listens for questions, and to whom he can pass them on."""
    patient, network = case.patient, case.network
    bridge = own_bridge(patient, network)
    document = network_xml(patient, network)
    own = [str(ip.interface.ip) for ip in document.ips if ip.interface is not None]
    if not bridge or not own or document.dns is False:
        return not_here("not active, or the host answers no names on it")
    facts = net_facts(patient)
    if not facts.listeners:
        return unknown("ss told nothing", "install iproute2 there")
    heard = {
        (one.address, one.protocol)
        for one in facts.listeners
        if one.port == 53 and (one.address in own or one.device == bridge)
    }
    everywhere = [one for one in facts.listeners if one.port == 53 and one.address in _ANY]
    if not heard and everywhere:
        return fail(
            "port 53 is held for all addresses by another server",
            "libvirt's dnsmasq does not get its port",
            "let that server listen on its own addresses only: bind-interfaces (dnsmasq), "
            "listen-on (BIND), DNSStubListener=no (systemd-resolved)",
        )
    if not heard:
        return fail(
            f"nobody listens on port 53 of {', '.join(own)}",
            "guests that take the host as name server find no names",
            _RESTART,
            fix=network.restart.plan,
        )
    shown = ", ".join(sorted(f"{protocol} {address}:53" for address, protocol in heard))
    forward = patient.network_record(network).forward
    told = [one.address for one in document.dns_forwarders if one.address] or list(facts.resolvers)
    if not told and forward != "isolated" and not case.host.facts.lab:
        return warning(
            f"{shown}; no server in /etc/resolv.conf",
            "names outside cannot be asked for",
            "put a nameserver into /etc/resolv.conf of the host, or <forwarder addr='...'/> "
            f"into <dns> of the network (virsh net-edit {network.name})",
        )
    return ok(f"{shown}; asks {', '.join(told) or 'nobody else'}")
