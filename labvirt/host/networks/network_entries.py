"""Changing single entries of a network while it runs: what virNetworkUpdate can."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from labvirt.errors import (
    ConflictError,
    NotFoundError,
    Problem,
    SpecError,
    UnsupportedError,
)
from labvirt.host.networks.network_actions import UpdateNetwork
from labvirt.host.networks.networking import refuse_foreign_macs
from labvirt.host.present import Present
from labvirt.model.network_ip import DhcpHost, DhcpRange
from labvirt.model.network_parts import DnsHost, DnsSrv, DnsTxt, ForwardDevice, PortGroup
from labvirt.model.network_sections import LIVE_SECTIONS
from labvirt.model.spec_text import spec_text
from labvirt.model.xml.network import NetworkXml
from labvirt.model.xml.view import View

if TYPE_CHECKING:
    from labvirt.host.networks.network import Network
    from labvirt.plan import Plan

__all__ = ["Entry", "plan_entry"]

Entry = DhcpHost | DhcpRange | DnsHost | DnsTxt | DnsSrv | PortGroup | ForwardDevice


def scope(network: Network, *, live: bool | None, config: bool | None) -> tuple[bool, bool]:
    """Settle what a change applies to: the running network, its definition, or both.

    Raises:
        ConflictError: live on a network that is not active, or config on a transient one.
    """
    record = network.info()
    asked = f"a change of network {network.name}"
    if live and not record.is_active:
        raise ConflictError(
            f"{asked} while it runs",
            uri=network.host.label,
            libvirt_text=f"network {network.name} is not active",
            hint="leave out live=True, or start it first",
        )
    if config and not record.persistent:
        raise ConflictError(
            f"{asked} in its definition",
            uri=network.host.label,
            hint="the network is transient and has none: use live=True",
        )
    if live is None and config is None:
        return record.is_active, record.persistent
    return bool(live), bool(config)


def plan_entry(
    network: Network, command: str, entry: Entry, *, live: bool | None, config: bool | None
) -> Plan[None]:
    """Return the plan of `Network.add`, `Network.remove` or `Network.modify`."""
    words = {"add": "add", "delete": "remove", "modify": "modify"}
    asked = f"{words[command]} {entry.title} in network {network.name}"
    on_live, on_config = scope(network, live=live, config=config)
    action, warnings = update_for(network, command, entry, asked, live=on_live, config=on_config)
    options = "".join(
        f", {name}={value}" for name, value in (("live", live), ("config", config))
        if value is not None
    )  # fmt: skip
    return network._plan(  # noqa: SLF001 - this module is a part of Network
        f"{words[command]} {entry.title} in",
        [action],
        f".{words[command]}({spec_text(entry)}{options})",
        warnings=warnings,
    )


def update_for(
    network: Network, command: str, entry: Entry, asked: str, *, live: bool, config: bool
) -> tuple[UpdateNetwork, tuple[str, ...]]:
    """Return the action, after a look at what is there, and warnings."""
    section = type(entry).SECTION
    kind = LIVE_SECTIONS[section]
    if command == "modify" and not kind.in_place:
        raise UnsupportedError(
            asked,
            uri=network.host.label,
            libvirt_text=f"libvirt adds and deletes entries of {section}, and changes none",
            hint="remove(the old one), then add(the new one)",
        )
    document = NetworkXml.parse(network.xml(inactive=not live))
    place = -1
    warnings: tuple[str, ...] = ()
    if isinstance(entry, DhcpHost | DhcpRange):
        place = _place(document, entry, asked)
    there = list(document.element.iterfind(kind.path))
    same = [one for one in there if _matches(one, entry.view(), section, every=command != "add")]
    if command == "add":
        if same:
            raise ConflictError(
                asked,
                uri=network.host.label,
                libvirt_text=f"there is {_shown(same[0])} already",
                hint="modify(...) changes it"
                if kind.in_place
                else "remove(...) takes it away first",
            )
        warnings = _check_new(network, document, entry, asked, place)
    elif not same:
        listed = ", ".join(_shown(one) for one in there)
        raise NotFoundError(
            asked,
            uri=network.host.label,
            libvirt_text="there is no such entry",
            hint=f"there are: {listed}" if listed else "there are none",
        )
    before = View(same[0], document.doc).text() if same else ""
    return (
        UpdateNetwork(
            network.name,
            network.uuid,
            command,
            section,
            before if command == "delete" else entry.view().text(),
            before_xml=before if command == "modify" else "",
            place=place,
            live=live,
            config=config,
            text=entry.title,
        ),
        warnings,
    )


def _shown(element: Any) -> str:
    facts = " ".join(f"{key}={value}" for key, value in element.attrib.items())
    return f"{element.tag} {facts}"


def _matches(element: Any, wanted: View, section: str, *, every: bool) -> bool:
    """Tell whether an entry is the wanted one: by one of its keys, or by all it says."""
    if section == "portgroup" or not every:
        return any(
            all(element.get(name) == wanted.element.get(name) for name in names)
            and any(wanted.element.get(name) for name in names)
            for names in LIVE_SECTIONS[section].keys
        )
    given = {
        name for names in LIVE_SECTIONS[section].keys for name in names if wanted.element.get(name)
    }
    if section == "ip-dhcp-host":
        # Who it is for says which it is; the address may be the one that is to be changed.
        given = {name for name in given if name != "ip"} or given
    return all(
        str(element.get(name) or "").lower() == str(wanted.element.get(name)).lower()
        for name in given
    )


def _place(document: NetworkXml, entry: DhcpHost | DhcpRange, asked: str) -> int:
    """Return which address of the network an entry belongs to.

    Raises:
        SpecError: to none.
    """
    text = entry.ip if isinstance(entry, DhcpHost) else entry.start
    address = ipaddress.ip_address(text)
    field = "ip" if isinstance(entry, DhcpHost) else "start"
    subnets = []
    for place, one in enumerate(document.ips):
        if one.interface is None:
            continue
        subnets.append(str(one.interface.network))
        if address in one.interface.network:
            if isinstance(entry, DhcpRange) and ipaddress.ip_address(entry.end) not in (
                one.interface.network
            ):
                why = f"is not in the network {one.interface.network}"
                raise SpecError(f"cannot {asked}:", [Problem("end", entry.end, why)])
            return place
    why = "is in no subnet of the network"
    hint = f"it has: {', '.join(subnets) or 'none'}"
    raise SpecError(f"cannot {asked}:", [Problem(field, text, why, hint)])


def _check_new(
    network: Network, document: NetworkXml, entry: Entry, asked: str, place: int
) -> tuple[str, ...]:
    """Refuse a new entry that contradicts the network; return warnings."""
    problems: list[Problem] = []
    warnings: list[str] = []
    if isinstance(entry, DhcpHost):
        ip = document.ips[place]
        if ip.interface is not None and ipaddress.ip_address(entry.ip) == ip.interface.ip:
            problems.append(Problem("ip", entry.ip, "is the host's own address"))
        if not len(ip.ranges) and not len(ip.hosts):
            why = "DHCP is not served there: libvirt starts it with the network only"
            problems.append(Problem("ip", entry.ip, why, "edit(...) with a range, and a restart"))
        if entry.mac and entry.name:
            refuse_foreign_macs(network.host, asked, [entry], Present(network.host).macs)
        warnings += _lease_warnings(network, entry)
    if isinstance(entry, DhcpRange):
        problems += _crossing(document, entry, place)
    if isinstance(entry, DnsHost | DnsTxt | DnsSrv) and document.dns is False:
        problems.append(Problem("dns", "no", "the network answers no DNS questions"))
    if isinstance(entry, ForwardDevice) and not len(document.forward_interfaces):
        why = f"forward {document.forward} has no list of devices"
        problems.append(Problem("dev", entry.dev, why, "only networks by macvtap have one"))
    if problems:
        raise SpecError(f"cannot {asked}:", problems)
    return tuple(warnings)


def _crossing(document: NetworkXml, entry: DhcpRange, place: int) -> list[Problem]:
    start, end = entry.numbers()
    ip = document.ips[place]
    problems = []
    if ip.interface is not None and start <= int(ip.interface.ip) <= end:
        why = f"the range to {entry.end} holds the host's own address {ip.interface.ip}"
        problems.append(Problem("start", entry.start, why))
    for other in ip.ranges:
        low, high = (int(ipaddress.ip_address(word or "")) for word in (other.start, other.end))
        if start <= high and low <= end:
            why = f"crosses the range {other.start} to {other.end}"
            problems.append(Problem("start", entry.start, why))
    return problems


def _lease_warnings(network: Network, entry: DhcpHost) -> list[str]:
    """Warn when somebody has the address now, or the guest has another one."""
    found = []
    for lease in network.leases() if network.is_active else ():
        if lease.address == entry.ip and entry.mac and lease.mac != entry.mac:
            who = lease.hostname or lease.mac
            found.append(f"{entry.ip} is leased to {who} until {lease.expires_at:%H:%M:%S} UTC")
        elif entry.mac and lease.mac == entry.mac and lease.address != entry.ip:
            found.append(f"the guest has {lease.address} now: it gets {entry.ip} when it asks anew")
    return found
