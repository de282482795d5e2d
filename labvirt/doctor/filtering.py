"""Network filters of libvirt, turned into tables of rules: which rule stops a guest's packet."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.firewall_rules import Chain, Rule, Table
from labvirt.model.xml.nwfilter import NwFilterXml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labvirt.doctor.firewall_rules import Match

__all__ = ["Filters", "filter_tables"]

#: Order of libvirt's chains of each protocol within the root chain.
_PLACES: Final = {"mac": -800, "ipv4": -700, "ipv6": -600, "arp": -500, "rarp": -400}
_LAYER2: Final = {"mac": "", "ip": "ipv4", "ipv6": "ipv6", "arp": "arp", "rarp": "rarp", "stp": "stp",
                  "vlan": "vlan"}  # fmt: skip
_LAYER3: Final = {"all": "", "tcp": "tcp", "udp": "udp", "icmp": "icmp", "igmp": "igmp", "sctp": "sctp",
                  "esp": "esp", "ah": "ah", "udplite": "udplite"}  # fmt: skip
_ACTIONS: Final = {"drop": "drop", "reject": "drop", "accept": "accept", "return": "return"}
_FACTS: Final = {
    "srcmacaddr": "srcmac",
    "srcipaddr": "src",
    "dstipaddr": "dst",
    "arpsrcipaddr": "arpsrc",
    "arpsrcmacaddr": "srcmac",
    "protocol": "proto",
}
_PORTS: Final = {"srcportstart": ("sport", "srcportend"), "dstportstart": ("dport", "dstportend")}
_ASIDE: Final = frozenset({"match", "comment", "srcportend", "dstportend", "gratuitous"})

#: The parsed filters of a host by name.
Filters = dict[str, NwFilterXml]
#: Priority and rule, as they come.
_Row = tuple[int, Rule]


def filter_tables(
    name: str, filters: Filters, values: Mapping[str, Sequence[str]]
) -> tuple[tuple[Table, ...], str]:
    """Return a filter as tables with the hooks ``out`` and ``in``, and the name of one it lacks.

    Args:
        name: the filter.
        filters: all filters of the host.
        values: values of its variables; ``MAC`` among them.
    """
    rows: dict[tuple[str, str, str], list[_Row]] = {}
    chains: dict[str, int] = {}
    missing = _collect(name, filters, values, rows, chains, set())
    tables = []
    for layer in ("frames", "packets"):
        table = Table("bridge", name, f"nwfilter {layer} of")
        for way in ("out", "in"):
            root = list(rows.get((layer, "root", way), ()))
            for chain, place in chains.items():
                inner = rows.get((layer, chain, way))
                if chain == "root" or not inner:
                    continue
                label = f"{chain}-{way}"
                table.chains[label] = Chain(label, rules=_sorted(inner))
                root.append((place, Rule(_of_chain(chain), label, f"chain {chain}")))
            table.chains[f"root-{way}"] = Chain(f"root-{way}", hook=way, rules=_sorted(root))
        tables.append(table)
    return tuple(tables), missing


def _sorted(rows: list[_Row]) -> list[Rule]:
    return [rule for _, rule in sorted(rows, key=lambda row: row[0])]


def _of_chain(chain: str) -> tuple[Match, ...]:
    protocol = chain.partition("-")[0]
    return () if protocol in {"root", "mac"} else (("l2", False, (protocol,)),)


def _collect(  # noqa: PLR0917 - it walks through all of them
    name: str,
    filters: Filters,
    values: Mapping[str, Sequence[str]],
    rows: dict[tuple[str, str, str], list[_Row]],
    chains: dict[str, int],
    seen: set[str],
) -> str:
    if name not in filters:
        return name
    if name in seen:
        return ""
    seen.add(name)
    found = filters[name]
    chain = found.chain or "root"
    place = _PLACES.get(chain.partition("-")[0], 0)
    chains.setdefault(chain, found.priority if found.priority is not None else place)
    for one in found.rules:
        layer, matches, vague, shown = _parts(one.element, values)
        for way in ("out", "in"):
            if one.direction not in {way, "inout"}:
                continue
            turned = one.direction == "inout" and way == "in"
            doubt = vague or (turned and any(match[0] in {"src", "dst"} for match in matches))
            text = f"{one.action} {one.direction} {shown}".strip()
            target = _ACTIONS.get(one.action or "", "")
            rule = Rule(matches, target, f"{name}: {text}", doubt, f"virsh nwfilter-edit {name}")
            priority = one.priority if one.priority is not None else 500
            rows.setdefault((layer, chain, way), []).append((priority, rule))
    lacking = [_collect(ref.filter or "", filters, {**values, **_given(ref)}, rows, chains, seen)
               for ref in found.refs]  # fmt: skip
    return next(filter(None, lacking), "")


def _given(ref: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in ref.parameters:
        found.setdefault(one.name or "", []).append(one.value or "")
    return found


def _parts(
    element: Any, values: Mapping[str, Sequence[str]]
) -> tuple[str, tuple[Match, ...], bool, str]:
    """Return where a rule counts, what it asks for, whether it asks for more, and its text."""
    children = [one for one in element if isinstance(one.tag, str)]
    if not children:
        return "frames", (), False, ""
    child = children[0]
    matches: list[Match] = []
    vague = len(children) > 1
    layer = "packets"
    if child.tag in _LAYER2:
        layer = "frames"
        if _LAYER2[child.tag]:
            matches.append(("l2", False, (_LAYER2[child.tag],)))
    elif child.tag in _LAYER3:
        matches.append(("l2", False, ("ipv4",)))
        if _LAYER3[child.tag]:
            matches.append(("proto", False, (_LAYER3[child.tag],)))
    else:
        return layer, (), True, child.tag
    asked = list(_attributes(child, values))
    negated = child.get("match") == "no"
    # Turned round as a whole: of several we cannot say which one differs.
    vague = vague or any(one is None for one in asked) or (negated and len(asked) > 1)
    matches += [(one[0], negated, one[2]) for one in asked if one is not None]
    shown = " ".join([child.tag, *(f"{key}={value}" for key, value in child.items())])
    return layer, tuple(matches), vague, shown


def _attributes(child: Any, values: Mapping[str, Sequence[str]]) -> Iterator[Match | None]:
    for key, raw in child.items():
        if key in _ASIDE:
            continue
        known = values.get(raw[1:].partition("[")[0]) if raw.startswith("$") else [raw]
        if known is None:
            yield None
        elif key in _PORTS:
            name, end = _PORTS[key]
            last = child.get(end, raw)
            plain = known[0].isdigit() and last.isdigit()
            yield (name, False, ((int(known[0]), int(last)),)) if plain else None
        elif key in {"srcipaddr", "dstipaddr"}:
            mask = child.get(key.replace("addr", "mask"), "32")
            yield _net(_FACTS[key], known, mask)
        elif key in {"srcipmask", "dstipmask"}:
            continue
        elif key in _FACTS:
            yield _FACTS[key], False, tuple(one.lower() for one in known)
        else:
            yield None


def _net(name: str, known: Sequence[str], mask: str) -> Match | None:
    try:
        return (
            name,
            False,
            tuple(ipaddress.ip_network(f"{one}/{mask}", strict=False) for one in known),
        )
    except ValueError:
        return None
