"""The packet filter of a machine: which rule stops a packet. Rules that are not understood never do.

Read from ``iptables-save``, ``ip6tables-save``, ``ebtables-save`` and ``nft -j list ruleset``.
Every table is asked on its own, as the kernel does: a packet passes when none of them drops it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.firewall_iptables import read_saved
from labvirt.doctor.firewall_nft import read_nft
from labvirt.doctor.firewall_rules import Chain, Rule, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Chain", "Packet", "Rule", "Stop", "Table", "stopped_by", "tables_of"]

_DEPTH: Final = 20
#: What becomes of a packet at rules that decide.
_DECIDE: Final = {"accept": "accept", "return": "", "drop": "drop"}
_SAVED: Final = {"iptables": "ip", "ip6tables": "ip6", "ebtables": "bridge"}


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of which it is asked whether it passes; what is None is not known.

    Attributes:
        text: what it is, for people.
        hook: ``input``, ``forward`` or ``prerouting``.
        family: ``ip``, ``ip6``, or ``bridge`` for a frame on its way through a bridge.
        facts: iif, oif, src, dst, proto, sport, dport, state.
    """

    text: str
    hook: str
    family: str = "ip"
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """The rule that stops a packet.

    Attributes:
        where: table and chain, ``filter FORWARD``.
        rule: the rule as text.
        remedy: the command that takes it away.
    """

    where: str
    rule: str
    remedy: str


def tables_of(
    parts: Mapping[str, str], *, complete: str, complaints: str = ""
) -> tuple[tuple[Table, ...], str]:
    """Return the tables that were read, and why others were not; empty when all were.

    Args:
        parts: output of ``iptables``, ``ip6tables``, ``ebtables`` and ``nft``.
        complete: the line that ends what could be read whole.
        complaints: what the commands complained of.
    """
    tables: list[Table] = []
    for name, family in _SAVED.items():
        text = parts.get(name, "")
        if complete in text:
            tables += read_saved(text.replace(complete, ""), family, name)
    native, readable = read_nft(parts.get("nft", ""), {(one.family, one.name) for one in tables})
    tables += native
    if readable or complete in parts.get("iptables", ""):
        return tuple(tables), ""
    words = [line for line in complaints.splitlines() if "tables" in line or "nft" in line]
    return tuple(tables), next(iter(words), "neither iptables-save nor nft is there")


def stopped_by(tables: Iterable[Table], packet: Packet) -> Stop | None:
    """Return the rule that surely stops a packet; None when it passes, or nobody knows."""
    for table in tables:
        if packet.family not in table.families:
            continue
        for chain in table.chains.values():
            if chain.hook == packet.hook:
                verdict, stop, unsure = _walk(table, chain, packet, 0)
                if verdict == "drop" and not unsure:
                    return stop
    return None


def _walk(table: Table, chain: Chain, packet: Packet, depth: int) -> tuple[str, Stop | None, bool]:
    """Return what becomes of a packet, by which rule, and whether another might have decided."""
    unsure = False
    if depth > _DEPTH:
        return "", None, True
    for rule in chain.rules:
        fits = _fits(rule, packet)
        if fits is False:
            continue
        if rule.target in table.chains:
            verdict, stop, doubt = _walk(table, table.chains[rule.target], packet, depth + 1)
            unsure = unsure or doubt
            if verdict and fits:
                return verdict, stop, unsure
            if rule.final and fits:
                break
            # Its drop might come, or might not; its acceptance would save the packet.
            unsure = unsure or verdict == "accept" or rule.final
        elif rule.target in _DECIDE and fits:
            found = Stop(f"{table.title} {chain.name}", rule.text, rule.remedy)
            return _DECIDE[rule.target], found if rule.target == "drop" else None, unsure
        elif rule.target in {"accept", "return", "?"}:
            unsure = True
    if chain.policy == "drop":
        text = f"policy DROP of {chain.name}"
        return "drop", Stop(f"{table.title} {chain.name}", text, chain.remedy), unsure
    return "", None, unsure


def _fits(rule: Rule, packet: Packet) -> bool | None:
    """Return whether a rule fits; None when that cannot be told."""
    sure = not rule.vague
    for name, negated, wanted in rule.matches:
        have = packet.facts.get(name)
        if have is None:
            sure = False
            continue
        if _equal(name, have, wanted) == negated:
            return False
    return True if sure else None


def _equal(name: str, have: Any, wanted: tuple[Any, ...]) -> bool:
    if name in {"iif", "oif", "lif", "lof"}:
        return any(_same_device(have, one) for one in wanted)
    if name in {"src", "dst"}:
        address = ipaddress.ip_address(have)
        return any(address in one for one in wanted)
    if name in {"sport", "dport"}:
        return any(first <= have <= last for first, last in wanted)
    return have in wanted


def _same_device(have: str, pattern: str) -> bool:
    if pattern.endswith(("+", "*")):
        return have.startswith(pattern[:-1])
    return have == pattern
