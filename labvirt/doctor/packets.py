"""The packets without which a network is no use, and the rules that libvirt makes for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.doctor.firewall import Packet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.netfacts import NetFacts

__all__ = ["bridged_packets", "missing_rules", "usual_packets"]


def usual_packets(facts: NetFacts, name: str, forward: str, subnets: list[Any]) -> Iterator[Packet]:
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


def bridged_packets(facts: NetFacts, name: str) -> Iterator[Packet]:
    """Yield what passes through a bridge of the host: only iptables with bridge-nf sees it."""
    frame = {"lif": name, "lof": name, "proto": "tcp", "state": "new", "dport": 443}
    found = facts.links.get(name)
    calls = found is not None and found.details.get("nf_call_iptables") == 1
    if facts.bridge_nf or calls:
        inside = {"iif": name, "oif": name, "src": "198.51.100.8", "dst": "198.51.100.7",
                  "proto": "tcp", "sport": 40000, "dport": 443, "state": "new"}  # fmt: skip
        yield Packet("frame between guests", "forward", facts=inside)
    yield Packet("frame on the bridge", "forward", "bridge", frame)


def missing_rules(facts: NetFacts, name: str, forward: str, subnets: list[Any]) -> str:
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
