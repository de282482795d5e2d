"""What the network of a host's machine looks like, read once by one command for all checks."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.firewall import Table, tables_of
from labvirt.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labvirt.doctor.case import Patient
    from labvirt.doctor.machine import Machine

__all__ = ["Link", "Listener", "NetFacts", "net_facts", "read_facts"]

_MARK: Final = "=lv="
_LOOK: Final = f"""m() {{ echo; echo "{_MARK}$1"; }}
m links; ip -s -d -j address
m routes4; ip -j -4 route
m routes6; ip -j -6 route
m neighbours; ip -j neigh
m listening; ss -H -lnu; ss -H -lnt
m dnsmasq; for f in /run/libvirt/network/*.pid; do test -e "$f" || continue
p=$(cat "$f"); n=${{f##*/}}; echo "${{n%.pid}} $p $(tr '\\0' ' ' 2>/dev/null </proc/$p/cmdline)"; done
m guests; ps -eo etimes=,args= | sed -n 's/^ *\\([0-9]*\\) .* -uuid \\([0-9a-f-]*\\) .*/\\1 \\2/p'
m resolvers; cat /etc/resolv.conf
m forwarding; grep -H . /proc/sys/net/ipv[46]/conf/*/forwarding
m bridge-nf; cat /proc/sys/net/bridge/bridge-nf-call-iptables
m iptables; iptables-save && echo "{_MARK}complete"
m ip6tables; ip6tables-save && echo "{_MARK}complete"
m ebtables; ebtables-save && echo "{_MARK}complete"
m nft; nft -j list ruleset
m qdiscs; tc qdisc show
m end
"""
_LIMIT_S: Final = 2.8


@dataclass(frozen=True, slots=True)
class Link:
    """One network device of the machine.

    Attributes:
        name: its name.
        kind: ``bridge``, ``tun``, ``veth``, ...; empty for a card.
        mac: hardware address, lower case.
        up: whether somebody switched it on.
        carrier: whether something is at the other end.
        mtu: bytes.
        master: the bridge it is plugged into; empty when none.
        addresses: its addresses with prefix.
        rx_dropped: frames that came from its other end and were thrown away.
        tx_dropped: frames that could not be handed to its other end.
        tx_packets: frames that were handed to its other end.
        details: what ``ip -d`` says of its kind.
    """

    name: str
    kind: str = ""
    mac: str = ""
    up: bool = True
    carrier: bool = True
    mtu: int = 1500
    master: str = ""
    addresses: tuple[str, ...] = ()
    rx_dropped: int = 0
    tx_dropped: int = 0
    tx_packets: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits: protocol, address, device it is bound to (empty: any), port."""

    protocol: str
    address: str
    device: str
    port: int


@dataclass(frozen=True)
class NetFacts:
    """The network of a machine at one moment.

    Attributes:
        links: its devices, by name.
        routes: subnet and device; default routes as ``0.0.0.0/0`` and ``::/0``.
        neighbours: hardware address, address, state, as the kernel has seen them.
        listeners: sockets that wait.
        dnsmasq: name of each network with a pid file: pid and command line, which is empty
            when the process is gone.
        ages: seconds for which each guest's process has run, by the UUID of its domain.
        resolvers: name servers of ``/etc/resolv.conf``.
        forwarding: ``ipv4/virbr0`` -> whether packets are passed on; ``ipv4/all`` for the whole.
        bridge_nf: whether frames within a bridge pass through iptables.
        tables: the tables of the packet filter that could be read.
        unread: what of the packet filter could not be read, and why; empty when all was.
        qdiscs: what ``tc`` says of each device.
    """

    links: Mapping[str, Link]
    routes: tuple[tuple[Any, str], ...] = ()
    neighbours: tuple[tuple[str, str, str], ...] = ()
    listeners: tuple[Listener, ...] = ()
    dnsmasq: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    ages: Mapping[str, int] = field(default_factory=dict)
    resolvers: tuple[str, ...] = ()
    forwarding: Mapping[str, bool] = field(default_factory=dict)
    bridge_nf: bool = False
    tables: tuple[Table, ...] = ()
    unread: str = ""
    qdiscs: Mapping[str, str] = field(default_factory=dict)

    def ports(self, bridge: str) -> tuple[Link, ...]:
        """Return the devices that are plugged into a bridge."""
        return tuple(one for one in self.links.values() if one.master == bridge)

    def is_bridge(self, name: str) -> bool:
        """Whether there is a device of that name which works as a switch."""
        found = self.links.get(name)
        return found is not None and found.kind in {"bridge", "openvswitch"}

    def default_device(self, version: int = 4) -> str:
        """Return the device of the default route; empty when there is none."""
        for subnet, device in self.routes:
            if subnet.version == version and not subnet.prefixlen:
                return device
        return ""


def net_facts(patient: Patient) -> NetFacts:
    """Return the network of a host's machine; it is read once for all checks.

    Raises:
        LabvirtError: the machine cannot be looked at.
    """
    return patient.once("network facts", lambda: read_facts(patient.machine))


def read_facts(machine: Machine) -> NetFacts:
    """Look at a machine.

    Raises:
        HostError: it has no ``ip``, or said something else.
    """
    ran = machine.run("sh", "-c", _LOOK, timeout_s=_LIMIT_S)
    parts = _parts(ran.out)
    links = {one.name: one for one in map(_link, _list(parts.get("links", "")))}
    if not links:
        raise HostError(
            f"look at the network of {machine.name}",
            libvirt_text=ran.err.strip().rpartition("\n")[2],
            hint="install iproute2 there",
        )
    tables, unread = tables_of(parts, complete=f"{_MARK}complete", complaints=ran.err)
    return NetFacts(
        links=links,
        routes=tuple(_routes(parts)),
        neighbours=tuple(
            (one["lladdr"].lower(), one["dst"], " ".join(one.get("state", ())))
            for one in _list(parts.get("neighbours", ""))
            if "lladdr" in one
        ),
        listeners=tuple(_listeners(parts.get("listening", ""))),
        dnsmasq={
            words[0]: (int(words[1]), " ".join(words[2:]))
            for words in map(str.split, parts.get("dnsmasq", "").splitlines())
            if len(words) > 1 and words[1].isdigit()
        },
        ages={
            words[1]: int(words[0])
            for words in map(str.split, parts.get("guests", "").splitlines())
            if len(words) == 2
        },
        resolvers=tuple(
            re.findall(r"^nameserver\s+(\S+)", parts.get("resolvers", ""), re.MULTILINE)
        ),
        forwarding=dict(_forwarding(parts.get("forwarding", ""))),
        bridge_nf=parts.get("bridge-nf", "").strip() == "1",
        tables=tables,
        unread=unread,
        qdiscs=_qdiscs(parts.get("qdiscs", "")),
    )


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(f"\n{_MARK}"):
        name, _, body = part.partition("\n")
        if name == "complete":
            # It ends the list of rules before it.
            last = next(reversed(found), "")
            found[last] = f"{found.get(last, '')}\n{_MARK}complete"
            continue
        found[name.removeprefix(_MARK)] = body
    return found


def _list(text: str) -> list[dict[str, Any]]:
    try:
        told = json.loads(text or "[]")
    except ValueError:
        return []
    return [one for one in told if isinstance(one, dict) and one]


def _link(told: dict[str, Any]) -> Link:
    info = told.get("linkinfo", {})
    stats = told.get("stats64", {})
    flags = told.get("flags", ())
    return Link(
        name=told.get("ifname", ""),
        kind=info.get("info_kind", ""),
        mac=str(told.get("address", "")).lower() if told.get("link_type") == "ether" else "",
        up="UP" in flags,
        carrier="LOWER_UP" in flags,
        mtu=int(told.get("mtu", 0)),
        master=told.get("master", ""),
        addresses=tuple(
            f"{one['local']}/{one.get('prefixlen', '')}"
            for one in told.get("addr_info", ())
            if one.get("local")
        ),
        rx_dropped=int(stats.get("rx", {}).get("dropped", 0)),
        tx_dropped=int(stats.get("tx", {}).get("dropped", 0)),
        tx_packets=int(stats.get("tx", {}).get("packets", 0)),
        details=info.get("info_data", {}),
    )


def _routes(parts: Mapping[str, str]) -> Iterator[tuple[Any, str]]:
    for name, everywhere in (("routes4", "0.0.0.0/0"), ("routes6", "::/0")):
        for one in _list(parts.get(name, "")):
            text = everywhere if one.get("dst") == "default" else str(one.get("dst", ""))
            try:
                yield ipaddress.ip_network(text, strict=False), str(one.get("dev", ""))
            except ValueError:
                continue


def _listeners(text: str) -> Iterator[Listener]:
    for line in text.splitlines():
        words = line.split()
        if len(words) < 5:
            continue
        local = words[3]
        # ss of UDP says UNCONN, of TCP LISTEN.
        protocol = "udp" if words[0] == "UNCONN" else "tcp"
        address, _, port = local.rpartition(":")
        address, _, device = address.partition("%")
        if port.isdigit():
            yield Listener(protocol, address.strip("[]"), device.strip("[]"), int(port))


def _forwarding(text: str) -> Iterator[tuple[str, bool]]:
    for line in text.splitlines():
        path, _, value = line.rpartition(":")
        words = path.split("/")
        if len(words) > 6:
            yield f"{words[4]}/{words[6]}", value.strip() == "1"


def _qdiscs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = re.match(r"qdisc (\S+) \S+ dev (\S+)", line)
        if match:
            found[match[2]] = f"{found.get(match[2], '')} {match[1]}".strip()
    return found
