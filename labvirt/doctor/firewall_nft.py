"""Rules as ``nft -j list ruleset`` prints them."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.firewall_rules import Chain, Rule, Table

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from labvirt.doctor.firewall_rules import Match

__all__ = ["read_nft"]

_VERDICTS: Final = {"accept": "accept", "drop": "drop", "reject": "drop", "return": "return"}
_META: Final = {"iifname": "iif", "oifname": "oif", "iif": "iif", "oif": "oif", "l4proto": "proto",
                "ibrname": "lif", "obrname": "lof"}  # fmt: skip
_PAYLOAD: Final = {"saddr": "src", "daddr": "dst", "sport": "sport", "dport": "dport"}
_WITH_PORTS: Final = frozenset({"tcp", "udp", "sctp", "dccp", "udplite"})
#: Statements that decide nothing.
_ASIDE: Final = {"counter", "log", "comment", "limit_log", "notrack"}


def read_nft(text: str, known: AbstractSet[tuple[str, str]]) -> tuple[list[Table], bool]:
    """Return the tables, and whether anything could be read.

    Args:
        text: what nft printed.
        known: family and name of tables that iptables told already: nft shows them once more.
    """
    try:
        told = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError):
        return [], False
    tables: dict[tuple[str, str], Table] = {}
    for one in told:
        for kind, facts in one.items():
            if kind == "table" and (facts["family"], facts["name"]) not in known:
                key = (facts["family"], facts["name"])
                tables[key] = Table(*key, "nft")
            elif kind in {"chain", "rule"}:
                table = tables.get((facts["family"], facts["table"]))
                if table is not None:
                    _add(table, kind, facts)
    return list(tables.values()), True


def _add(table: Table, kind: str, facts: dict[str, Any]) -> None:
    place = f"{table.family} {table.name}"
    if kind == "chain":
        hook = facts.get("hook", "")
        policy = "drop" if facts.get("policy") == "drop" else "accept"
        name = facts["name"]
        remedy = f"nft chain {place} {name} '{{ policy accept ; }}'"
        table.chains[name] = Chain(name, hook, policy, remedy)
        return
    name = facts["chain"]
    remedy = f"nft delete rule {place} {name} handle {facts.get('handle', '?')}"
    rule = _rule(facts.get("expr", []), remedy)
    table.chains.setdefault(name, Chain(name)).rules.append(rule)


def _rule(statements: list[Any], remedy: str) -> Rule:
    matches: list[Match] = []
    target, vague, final = "", False, False
    words: list[str] = []
    for one in statements:
        name = one if isinstance(one, str) else next(iter(one), "")
        body = None if isinstance(one, str) else one.get(name)
        if name == "match":
            found = _match(body)
            words.append(_shown(body))
            vague = vague or found is None
            matches += found or ()
        elif name in _VERDICTS:
            target = _VERDICTS[name]
            words.append(name)
        elif name in {"jump", "goto"}:
            target, final = str((body or {}).get("target", "")), name == "goto"
            words.append(f"{name} {target}")
        elif name in {"vmap", "queue"}:
            target = "?"
            words.append(name)
        elif name not in _ASIDE:
            vague = True
            words.append(name)
    return Rule(tuple(matches), target, " ".join(words), vague, remedy, final)


def _match(body: Any) -> tuple[Match, ...] | None:
    """Return what a comparison asks for; None when it is not understood."""
    left, right = body.get("left", {}), body.get("right")
    negated, protocol = body.get("op") == "!=", ""
    if not isinstance(left, dict) or body.get("op") not in {"==", "!=", "in"}:
        return None
    if "meta" in left:
        name = _META.get(left["meta"].get("key", ""), "")
    elif "payload" in left:
        name = _PAYLOAD.get(left["payload"].get("field", ""), "")
        protocol = left["payload"].get("protocol", "")
    elif left.get("ct", {}).get("key") == "state":
        name = "state"
    else:
        name = ""
    values = _values(name, right) if name else None
    if not values:
        return None
    # "tcp dport 53" asks for the protocol too; "th dport 53" does not.
    asked: tuple[Match, ...] = (("proto", False, (protocol,)),) if protocol in _WITH_PORTS else ()
    return (*asked, (name, negated, values))


def _values(name: str, right: Any) -> tuple[Any, ...] | None:
    if isinstance(right, dict) and "set" in right:
        right = right["set"]
    several = right if isinstance(right, list) else [right]
    found: list[Any] = []
    for one in several:
        value = _value(name, one)
        if value is None:
            return None
        found.append(value)
    return tuple(found)


def _value(name: str, one: Any) -> Any:
    try:
        if name in {"src", "dst"}:
            if isinstance(one, dict):
                prefix = one["prefix"]
                return ipaddress.ip_network(f"{prefix['addr']}/{prefix['len']}", strict=False)
            return ipaddress.ip_network(one)
        if name in {"sport", "dport"}:
            first, last = one["range"] if isinstance(one, dict) else (one, one)
            return int(first), int(last)
    except (KeyError, TypeError, ValueError):
        return None
    return one if isinstance(one, str) else None


def _shown(body: Any) -> str:
    left = body.get("left", {})
    key = next(iter(left.values()), {}) if isinstance(left, dict) else left
    name = key.get("key") or key.get("field") if isinstance(key, dict) else key
    right = body.get("right")
    return f"{name} {body.get('op')} {right if isinstance(right, str) else json.dumps(right)}"
