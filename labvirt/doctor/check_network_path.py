"""Checks of the way packets take: bridge, its ports, devices of the host, forwarding, firewall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.firewall import Packet, stopped_by
from labvirt.doctor.netfacts import net_facts
from labvirt.doctor.netviews import network_xml, own_bridge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case
    from labvirt.doctor.netfacts import Link, NetFacts
    from labvirt.model.xml.network import NetworkXml

__all__: list[str] = []

_TAPS = frozenset({"tun", "macvtap", "vhost"})
#: What people put into libvirt's bridges on purpose: containers, and libvirt's own placeholder.
_HARMLESS = frozenset({"veth", "dummy"})
_PERSIST = "so that it stays: a file in /etc/sysctl.d with that line"


@check("network.bridge", "Is the bridge of {name} there and up?", guide="G8.1-05", needs="machine")
def bridge(case: Case) -> Seen:  # noqa: PLR0911 - one for each answer
    """Look at the device, its addresses, and what is plugged into it."""
    patient, network = case.patient, case.network
    record = patient.network_record(network)
    if not record.is_active or not record.bridge:
        return not_here("not active, or it has no bridge")
    facts = net_facts(patient)
    found = facts.links.get(record.bridge)
    own = bool(own_bridge(patient, network))
    if found is None:
        known = ", ".join(one.name for one in facts.links.values() if facts.is_bridge(one.name))
        shown = f"the machine has no device {record.bridge}; bridges: {known or 'none'}"
        if own:
            said = "somebody removed it while the network ran"
            remedy = f"virsh net-destroy {network.name} && virsh net-start {network.name}"
            return fail(shown, said, remedy, fix=network.restart.plan)
        remedy = f"make it: nmcli connection add type bridge ifname {record.bridge} (Fedora, RHEL); a stanza in /etc/network/interfaces or netplan (Debian, Ubuntu)"
        return fail(shown, "the host's own bridge is missing", remedy)
    if not facts.is_bridge(record.bridge):
        said = f"{record.bridge} is no bridge but a {found.kind or 'card'}"
        return fail(said, "guests cannot be plugged into it", f"virsh net-edit {network.name}")
    missing = _missing_addresses(found, network_xml(patient, network)) if own else []
    ports = [one.name for one in facts.ports(record.bridge)]
    shown = f"{record.bridge}: {'up' if found.up else 'down'}, {', '.join(found.addresses) or 'no address'}, ports: {', '.join(ports) or 'none'}"
    if not found.up:
        remedy = f"ip link set {record.bridge} up"
        return fail(shown, "somebody switched it off: no frame passes it", remedy)
    if missing:
        remedy = f"ip address add {missing[0]} dev {record.bridge}"
        said = f"the host lost its address {', '.join(missing)} there: no gateway, DHCP or DNS"
        return fail(shown, said, remedy, fix=network.restart.plan)
    return ok(shown)


def _missing_addresses(link: Link, document: NetworkXml) -> list[str]:
    have = {one.partition("/")[0] for one in link.addresses}
    return [
        str(ip.interface)
        for ip in document.ips
        if ip.interface is not None and str(ip.interface.ip) not in have
    ]


@check("network.ports", "Are the right devices in the bridge of {name}?", guide="G8.2-09",
       needs="machine")  # fmt: skip
def ports(case: Case) -> Seen:
    """A bridge of libvirt has only taps; one to the world outside has a card."""
    patient, network = case.patient, case.network
    record = patient.network_record(network)
    if not record.is_active or not record.bridge:
        return not_here("not active, or it has no bridge")
    facts = net_facts(patient)
    plugged = facts.ports(record.bridge)
    cards = [one for one in plugged if one.kind not in _TAPS and not one.name.endswith("-nic")]
    shown = ", ".join(f"{one.name} ({one.kind or 'card'})" for one in plugged) or "no ports"
    if own_bridge(patient, network):
        foreign = [one.name for one in cards if one.kind not in _HARMLESS]
        if foreign:
            said = "a card of the host in libvirt's own bridge brings its DHCP to the real network"
            return fail(shown, said, f"ip link set {foreign[0]} nomaster")
        return ok(shown)
    dark = [one.name for one in cards if not (one.up and one.carrier)]
    if not cards:
        said = "guests on it reach each other, and nothing outside"
        remedy = f"ip link set CARD master {record.bridge}; keep it in the host's configuration"
        return warning(shown, said, remedy)
    if len(dark) == len(cards):
        said = f"{', '.join(dark)} has no link: nothing outside is reached"
        return fail(shown, said, f"ip link set {dark[0]} up; look at its cable")
    return ok(shown)


@check("network.device", "Are the devices of the host for {name} there?", guide="G16.15-05",
       needs="machine")  # fmt: skip
def device(case: Case) -> Seen:
    """Look for the devices that the network is bound to."""
    patient, network = case.patient, case.network
    document = network_xml(patient, network)
    wanted = [document.forward_dev, document.forward_pf]
    wanted += [one.dev for one in document.forward_interfaces]
    names = list(dict.fromkeys(name for name in wanted if name))
    if not names:
        return not_here("it is bound to no device")
    facts = net_facts(patient)
    missing = [name for name in names if name not in facts.links]
    dark = [
        name
        for name in names
        if name in facts.links and not (facts.links[name].up and facts.links[name].carrier)
    ]
    shown = ", ".join(
        f"{name}: {'missing' if name in missing else 'no link' if name in dark else 'up'}"
        for name in names
    )
    if missing:
        known = ", ".join(name for name in facts.links if name != "lo")
        said = f"the machine has no {', '.join(missing)}; it has {known}"
        return fail(shown, said, f"virsh net-edit {network.name}: the right <forward dev=...>")
    if len(dark) == len(names):
        return fail(shown, "no link: nothing goes out", f"ip link set {dark[0]} up")
    return warning(shown, "one has no link", f"ip link set {dark[0]} up") if dark else ok(shown)


@check("network.forward", "Does the host pass on the packets of {name}?", guide="G8.1-06",
       needs="machine")  # fmt: skip
def forward(case: Case) -> Iterator[Seen]:
    """Look at the kernel's switch for forwarding, and for a way out."""
    patient, network = case.patient, case.network
    record = patient.network_record(network)
    name = own_bridge(patient, network)
    if not name or record.forward == "isolated":
        yield not_here("not active, or it leads nowhere by design")
        return
    facts = net_facts(patient)
    document = network_xml(patient, network)
    for version in sorted({ip.interface.version for ip in document.ips if ip.interface}):
        about = "" if version == 4 else "ipv6"
        yield _passed_on(case, facts, name, version, about)


def _passed_on(case: Case, facts: NetFacts, name: str, version: int, about: str) -> Seen:
    whole = facts.forwarding.get(f"ipv{version}/all")
    here = facts.forwarding.get(f"ipv{version}/{name}", whole)
    if whole is None and here is None:
        return unknown(
            "the kernel's switch cannot be read", "sysctl net.ipv4.ip_forward", about=about
        )
    key = "net.ipv4.ip_forward" if version == 4 else "net.ipv6.conf.all.forwarding"
    way = facts.default_device(version)
    shown = (
        f"{key} = {int(bool(whole))}, {name}: {int(bool(here))}; default route over {way or 'none'}"
    )
    if not here or (version == 6 and not whole):
        said = "somebody switched forwarding off after the network started"
        return fail(shown, said, f"sysctl -w {key}=1; {_PERSIST}", about=about)
    if not way and not case.host.facts.lab:
        said = "the host has no default route: guests reach no further than its own networks"
        return warning(shown, said, "ip route add default via GATEWAY", about=about)
    return ok(shown, about=about)


@check("network.mtu", "Has the whole of {name} one MTU?", guide="G8.2-04", needs="machine")
def mtu(case: Case) -> Seen:
    """Compare the MTU that is asked for with that of the bridge and its ports."""
    patient, network = case.patient, case.network
    record = patient.network_record(network)
    if not record.is_active or not record.bridge:
        return not_here("not active, or it has no bridge")
    facts = net_facts(patient)
    found = facts.links.get(record.bridge)
    if found is None:
        return unknown(f"there is no device {record.bridge}")
    wanted = network_xml(patient, network).mtu
    cards = [one for one in facts.ports(record.bridge) if one.kind not in _TAPS]
    shown = f"{record.bridge} {found.mtu}" + (f", asked for {wanted}" if wanted else "")
    shown += "".join(f", {one.name} {one.mtu}" for one in cards)
    if wanted and found.mtu != wanted:
        said = f"the bridge has {found.mtu} and should have {wanted}"
        return fail(shown, said, f"ip link set {record.bridge} mtu {wanted}",
                    fix=network.restart.plan)  # fmt: skip
    odd = [one for one in cards if one.mtu != found.mtu]
    if odd:
        said = f"frames between {min(odd[0].mtu, found.mtu)} and {max(odd[0].mtu, found.mtu)} bytes are lost without a word"
        return fail(shown, said, f"ip link set {odd[0].name} mtu {found.mtu}")
    out = facts.links.get(facts.default_device())
    if own_bridge(patient, network) and record.forward != "isolated" and out is not None:
        shown += f", way out {out.name} {out.mtu}"
        if out.mtu < found.mtu:
            # The host tells guests by ICMP: it works unless somebody filters that.
            remedy = (
                f"if connections hang: <mtu size='{out.mtu}'/> in virsh net-edit {network.name}"
            )
            return ok(f"{shown}; {remedy}")
    return ok(shown)


@check("network.firewall", "Does the packet filter let {name} work?", guide="G8.1-06",
       needs="machine")  # fmt: skip
def firewall(case: Case) -> Iterator[Seen]:
    """Look for libvirt's own rules, and ask for each usual packet which rule would stop it."""
    patient, network = case.patient, case.network
    record = patient.network_record(network)
    if not record.is_active or not record.bridge:
        yield not_here("not active, or it has no bridge")
        return
    facts = net_facts(patient)
    if facts.unread:
        yield unknown(
            f"the rules cannot be read: {facts.unread}", "as root: iptables-save; nft list ruleset"
        )
        return
    document = network_xml(patient, network)
    subnets = [
        ip.interface
        for ip in document.ips
        if ip.interface is not None and ip.interface.version == 4
    ]
    own = own_bridge(patient, network)
    packets = (
        _usual(facts, record.bridge, record.forward, subnets)
        if own
        else _bridged(facts, record.bridge)
    )
    wells = []
    stopped = False
    for packet in packets:
        stop = stopped_by(facts.tables, packet)
        if stop is None:
            wells.append(packet.text)
            continue
        stopped = True
        yield fail(
            f"{packet.text}: {stop.where}: {stop.rule}",
            "this rule stops it before libvirt's own rules count",
            f"{stop.remedy}; and out of what sets it at boot (nftables.conf, firewalld, ufw, Docker)",
            about=packet.text,
        )
    missing = _missing_rules(facts, record.bridge, record.forward, subnets) if own else ""
    if missing:
        yield fail(
            missing,
            "somebody flushed the rules after the network started (a firewall that was restarted)",
            "systemctl reload virtnetworkd (or libvirtd): it puts its rules back",
            fix=network.restart.plan,
        )
    elif not stopped:
        count = sum(len(chain.rules) for table in facts.tables for chain in table.chains.values())
        yield ok(f"{count} rules; these pass: {', '.join(wells) or 'nothing is asked'}")


def _usual(facts: NetFacts, name: str, forward: str, subnets: list[Any]) -> Iterator[Packet]:
    """Yield the packets without which a network of libvirt is no use."""
    asks = {"iif": name, "src": "0.0.0.0", "dst": "255.255.255.255", "proto": "udp",  # noqa: S104 - what DHCP sends
            "sport": 68, "dport": 67, "state": "new"}  # fmt: skip
    if not subnets:
        return
    gateway, guest = str(subnets[0].ip), str(subnets[0].network[-2])
    yield Packet("DHCP request", "input", facts=asks)
    yield Packet("DHCP request", "prerouting", facts=asks)
    question = {**asks, "src": guest, "dst": gateway, "sport": 40000, "dport": 53}
    yield Packet("DNS question", "input", facts=question)
    way = facts.default_device()
    if forward in {"nat", "route", "open"} and way:
        out = {"iif": name, "oif": way, "src": guest, "dst": "198.51.100.7", "proto": "tcp",
               "sport": 40000, "dport": 443, "state": "new"}  # fmt: skip
        yield Packet("packet to the world", "forward", facts=out)
        back = {"iif": way, "oif": name, "src": "198.51.100.7", "dst": guest, "proto": "tcp",
                "sport": 443, "dport": 40000, "state": "established"}  # fmt: skip
        yield Packet("answer from the world", "forward", facts=back)


def _bridged(facts: NetFacts, name: str) -> Iterator[Packet]:
    """Yield what passes through a bridge of the host: only iptables with bridge-nf sees it."""
    frame = {"lif": name, "lof": name, "proto": "tcp", "state": "new", "dport": 443}
    found = facts.links.get(name)
    calls = found is not None and found.details.get("nf_call_iptables") == 1
    if facts.bridge_nf or calls:
        inside = {"iif": name, "oif": name, "src": "198.51.100.8", "dst": "198.51.100.7",
                  "proto": "tcp", "sport": 40000, "dport": 443, "state": "new"}  # fmt: skip
        yield Packet("frame between guests", "forward", facts=inside)
    yield Packet("frame on the bridge", "forward", "bridge", frame)


def _missing_rules(facts: NetFacts, name: str, forward: str, subnets: list[Any]) -> str:
    """Return what libvirt's own rules lack; empty when they are there."""
    if forward == "open" or not facts.tables or not subnets:
        return ""
    texts = [
        rule for table in facts.tables for chain in table.chains.values() for rule in chain.rules
    ]
    named = [rule for rule in texts if any(name in match[2] for match in rule.matches)]
    if not named:
        return f"no rule names {name}"
    if forward == "nat":
        subnet = subnets[0].network
        masked = [
            rule
            for rule in texts
            if any(match[0] == "src" and subnet in match[2] for match in rule.matches)
            and (
                rule.target in {"MASQUERADE", "SNAT"}
                or "masquerade" in rule.text
                or "snat" in rule.text
            )
        ]
        if not masked:
            return f"no rule translates {subnet} (MASQUERADE)"
    return ""
