"""Rules as iptables-save, ip6tables-save and ebtables-save print them."""

from __future__ import annotations

import ipaddress
import shlex
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.firewall_rules import Chain, Rule, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.firewall_rules import Match

__all__ = ["read_saved"]

_HOOKS: Final = {
    "INPUT": "input",
    "FORWARD": "forward",
    "PREROUTING": "prerouting",
}
_TARGETS: Final = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "RETURN": "return",
                   "NFQUEUE": "?", "QUEUE": "?"}  # fmt: skip
#: Options with one value that are no condition, or one that is told otherwise.
_ASIDE: Final = {
    "-m": 1,
    "--reject-with": 1,
    "--comment": 1,
    "-c": 2,
    "--to-ports": 1,
    "--to-source": 1,
    "--log-prefix": 1,
    "--log-level": 1,
    "--set-mark": 1,
    "--set-xmark": 1,
    "--checksum-fill": 0,
    "--random": 0,
}
_DEVICES: Final = {
    "-i": "iif",
    "--in-interface": "iif",
    "-o": "oif",
    "--out-interface": "oif",
    "--logical-in": "lif",
    "--logical-out": "lof",
}
_SUBNETS: Final = {"-s": "src", "-d": "dst"}
_PORTS: Final = {"--sport": "sport", "--dport": "dport", "--sports": "sport", "--dports": "dport"}
_STATES: Final = {"--ctstate", "--state"}


def read_saved(text: str, family: str, tool: str) -> Iterator[Table]:
    """Yield the tables of what ``iptables-save`` and its likes print."""
    table = Table(family, "", tool)
    for line in text.splitlines():
        if line.startswith("*"):
            if table.name:
                yield table
            table = Table(family, line[1:].strip(), tool)
        elif line.startswith(":"):
            name, policy, *_ = [*line[1:].split(), "-"]
            hook = _HOOKS.get(name, "")
            command = f"{tool} -t {table.name} -P {name} ACCEPT"
            table.chains[name] = Chain(
                name, hook, "drop" if policy == "DROP" else "accept", command
            )
        elif line.startswith("-A "):
            _add(table, line, tool)
    if table.name:
        yield table


def _add(table: Table, line: str, tool: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError:
        return
    name = words[1]
    rule = _rule(words[2:], line, f"{tool} -t {table.name} -D {line[3:]}")
    table.chains.setdefault(name, Chain(name)).rules.append(rule)


def _rule(words: list[str], line: str, remedy: str) -> Rule:
    matches: list[Match] = []
    target, vague, negated, final = "", False, False, False
    place = 0
    while place < len(words):
        word = words[place]
        value = words[place + 1] if place + 1 < len(words) else ""
        place += 2
        if word == "!":
            negated = True
            place -= 1
            continue
        if word in {"-j", "-g"}:
            target, final = value, word == "-g"
        elif word in _ASIDE:
            place += _ASIDE[word] - 1
        elif (found := _match(word, value, negated=negated)) is not None:
            matches.append(found)
        else:
            vague = True
            # Its values are passed over.
            place -= 1
            while place < len(words) and not words[place].startswith(("-", "!")):
                place += 1
        negated = False
    return Rule(tuple(matches), _TARGETS.get(target, target), line, vague, remedy, final)


def _match(word: str, value: str, *, negated: bool) -> Match | None:
    if word in _DEVICES:
        return _DEVICES[word], negated, (value,)
    if word in _SUBNETS:
        nets = _nets(value)
        return (_SUBNETS[word], negated, nets) if nets else None
    if word == "-p":
        return "proto", negated, (value.lower().replace("ipv6-icmp", "icmpv6"),)
    if word in _PORTS:
        ranges = _ranges(value)
        return (_PORTS[word], negated, ranges) if ranges else None
    if word in _STATES:
        return "state", negated, tuple(value.lower().split(","))
    return None


def _nets(value: str) -> tuple[Any, ...]:
    try:
        return tuple(ipaddress.ip_network(one, strict=False) for one in value.split(","))
    except ValueError:
        return ()


def _ranges(value: str) -> tuple[Any, ...]:
    found = []
    for one in value.split(","):
        first, _, last = one.partition(":")
        if not first.isdigit() or not (last or first).isdigit():
            return ()
        found.append((int(first), int(last or first)))
    return tuple(found)
