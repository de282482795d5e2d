"""Checks of the way from a domain's interface into the network: tap, MTU, filter, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.doctor.addresses import address_of
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.filtering import filter_tables
from labvirt.doctor.firewall import Packet, stopped_by
from labvirt.doctor.netfacts import net_facts
from labvirt.doctor.netviews import bridge_of, interface, network_named, network_xml, own_bridge
from labvirt.errors import UnsupportedError
from labvirt.model.xml.nwfilter import NwFilterXml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case, Patient
    from labvirt.doctor.filtering import Filters
    from labvirt.doctor.netfacts import Link, NetFacts

__all__: list[str] = []

_LOW_KIB_S = 128


@check("interface.tap", "Is {name} plugged into the bridge that is asked for?", guide="G8.2-09",
       needs="machine")  # fmt: skip
def tap(case: Case) -> Seen:
    """Look into which bridge the tap device is plugged."""
    nic = interface(case)
    name = nic.target_dev or ""
    wanted = bridge_of(case.patient, nic)
    if not case.record.state.is_active or nic.type not in {"network", "bridge"} or not wanted:
        return not_here("it runs not, or has no tap device in a bridge")
    if not name:
        return unknown("libvirt names no tap device")
    facts = net_facts(case.patient)
    found = facts.links.get(name)
    if found is None:
        said = "somebody removed it: the guest has lost its network until the interface is plugged anew"
        remedy = f"virsh detach-interface and attach-interface, or restart {case.domain.name}"
        return fail(f"the machine has no device {name}", said, remedy)
    shown = f"{name} is in {found.master or 'no bridge'}, asked for is {wanted}"
    if found.master == wanted or wanted not in facts.links:
        return ok(shown) if found.master == wanted else unknown(f"{shown}, which is not there")
    said = "its frames go into another network" if found.master else "its frames go nowhere"
    return fail(shown, said, f"ip link set {name} master {wanted}")


@check("interface.mtu", "Is the MTU of {name} that of its network?", guide="G8.2-04",
       needs="machine")  # fmt: skip
def mtu(case: Case) -> Seen:
    """Compare what the guest was told with tap, bridge, and the bridge's way out."""
    nic = interface(case)
    name = nic.target_dev or ""
    bridge_name = bridge_of(case.patient, nic)
    if not case.record.state.is_active or not name or not bridge_name:
        return not_here("it runs not, or is in no bridge")
    facts = net_facts(case.patient)
    link, bridge = facts.links.get(name), facts.links.get(bridge_name)
    if link is None or bridge is None:
        return unknown(f"{name} or {bridge_name} is not seen on the machine")
    network = network_named(case.patient, nic.source_network or "")
    asked = network_xml(case.patient, network).mtu if network is not None else None
    cards = [one for one in facts.ports(bridge_name) if one.kind != "tun"]
    # A tap takes the MTU of its bridge, and libvirt makes bridges of 1500.
    usual = 1500 if network is not None and own_bridge(case.patient, network) else link.mtu
    told = nic.mtu or asked or max((one.mtu for one in cards), default=usual)
    shown = f"guest {told}, {name} {link.mtu}, {bridge_name} {bridge.mtu}"
    shown += "".join(f", {one.name} {one.mtu}" for one in cards)
    if asked and nic.mtu and asked != nic.mtu:
        said = f"its network has {asked}, the interface {nic.mtu}: longer packets are lost"
        return fail(f"{shown}, network {asked}", said, _mend(case), fix=_plan(case, mtu=None))
    if nic.mtu and nic.mtu < bridge.mtu:
        said = f"others on {bridge_name} send up to {bridge.mtu} bytes, this guest takes {nic.mtu}"
        return fail(shown, said, _mend(case), fix=_plan(case, mtu=None))
    return _narrowest(shown, told, link, bridge, facts) or ok(shown)


def _narrowest(shown: str, told: int, link: Link, bridge: Link, facts: NetFacts) -> Seen | None:
    """Return what is narrower than what the guest was told; None when nothing is."""
    if link.mtu != told:
        said = f"the guest sends up to {told} bytes, its tap takes {link.mtu}: the rest is lost"
        remedy = f"ip link set {link.name} mtu {told}"
        remedy += f" && ip link set {bridge.name} mtu {told}" if bridge.mtu < told else ""
        return fail(shown, said, remedy)
    ports = facts.ports(bridge.name)
    odd = next((one for one in ports if one.kind != "tun" and one.mtu < told), None)
    if odd is not None:
        said = f"{odd.name} carries {odd.mtu} bytes only: longer packets are lost without a word"
        return fail(shown, said, f"ip link set {odd.name} mtu {told}; or <mtu size='{odd.mtu}'/>")
    if bridge.mtu >= told:
        return None
    low = [one.name for one in ports if one.mtu == bridge.mtu]
    said = f"{', '.join(low) or bridge.name} lowers the MTU of the whole bridge"
    remedy = f"ip link set {low[0] if low else bridge.name} mtu {told}"
    return warning(shown, said, remedy) if low else fail(shown, said, remedy)


def _mend(case: Case) -> str:
    return f"virsh edit {case.domain.name}: the same <mtu size=...> as its network, or none"


def _plan(case: Case, **changes: Any) -> Any:
    domain, mac = case.domain, interface(case).mac or ""
    return lambda: domain.update.plan(mac, **changes)


@check("interface.bandwidth", "Is {name} fast enough by its limits?", guide="G16.7-07")
def bandwidth(case: Case) -> Seen:
    """Look at the limits of the interface, and whether the kernel keeps them."""
    nic = interface(case)
    rates = {"to the guest": nic.inbound_kib_s, "from the guest": nic.outbound_kib_s}
    set_rates = {way: rate for way, rate in rates.items() if rate}
    if not set_rates:
        return not_here("no limits")
    shown = ", ".join(f"{rate} KiB/s {way}" for way, rate in set_rates.items())
    low = [way for way, rate in set_rates.items() if rate < _LOW_KIB_S]
    if low:
        said = f"{' and '.join(low)} there is less than {_LOW_KIB_S} KiB/s (1 Mbit/s): all is slow"
        remedy = f"virsh domiftune {case.domain.name} {nic.mac} --inbound 0 --outbound 0"
        return warning(shown, said, remedy, fix=_plan(case, inbound=None, outbound=None))
    return ok(shown)


@check("interface.filter", "Does the network filter of {name} let the guest work?", guide="G8-01")
def filtered(case: Case) -> Iterator[Seen]:
    """Read the filter with its values, and ask for each usual packet which rule would drop it."""
    nic = interface(case)
    name = nic.filter
    if not name:
        yield not_here("it has none")
        return
    patient = case.patient
    try:
        filters = patient.once("nwfilters", lambda: _filters(patient))
    except UnsupportedError:
        yield not_here("this host has no network filters (session)")
        return
    mac = (nic.mac or "").lower()
    values = _values(nic.element, mac)
    tables, missing = filter_tables(name, filters, values)
    domain = case.domain
    fix = lambda: domain.set_filter.plan(mac, None)  # noqa: E731 - one line says it
    if missing:
        known = ", ".join(sorted(filters)) or "none"
        said = f"there is no network filter {missing}: the domain cannot start"
        remedy = "install libvirt-daemon-config-nwfilter, or virsh nwfilter-define it"
        yield fail(f"filters: {known}", said, remedy, fix=fix)
        return
    given = ", ".join(f"{key}={'/'.join(each)}" for key, each in values.items() if key != "MAC")
    wells, stopped = [], False
    for packet in _packets(case, values):
        stop = stopped_by(tables, packet)
        if stop is None:
            wells.append(packet.text)
            continue
        stopped = True
        yield fail(
            f"{packet.text}: {stop.rule}" + (f" (with {given})" if given else ""),
            f"network filter {name} drops it",
            f"{stop.remedy}; or the right <parameter> for it (virsh edit {domain.name})",
            fix=fix, about=packet.text,
        )  # fmt: skip
    if stopped:
        return
    shown = f"{name}{f' with {given}' if given else ''}; these pass: {', '.join(wells)}"
    if case.record.state.is_active and nic.target_dev not in _ports(patient, name):
        said = "no port of the host has it: it was taken off, or was never put on"
        yield warning(shown, said, f"virsh nwfilter-binding-list; then restart {domain.name}")
        return
    yield ok(shown)


def _filters(patient: Patient) -> Filters:
    return {one.name: NwFilterXml.parse(one.xml()) for one in patient.host.nwfilters}


def _ports(patient: Patient, name: str) -> set[str]:
    bindings = patient.once("bindings", patient.host.nwfilters.bindings)
    return {one.name for one in bindings if one.filter == name}


def _values(element: Any, mac: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"MAC": [mac]}
    for one in element.iterfind("filterref/parameter"):
        found.setdefault(one.get("name", ""), []).append(one.get("value", ""))
    return found


def _packets(case: Case, values: dict[str, list[str]]) -> Iterator[Packet]:
    """Yield what every guest has to send and to hear."""
    mac = values["MAC"][0]
    own = address_of(case, mac) or next(iter(values.get("IP", ())), None)
    frame = {"srcmac": mac}
    asks = {**frame, "l2": "ipv4", "src": "0.0.0.0", "dst": "255.255.255.255", "proto": "udp",  # noqa: S104 - what DHCP sends
            "sport": 68, "dport": 67}  # fmt: skip
    yield Packet("DHCP request of the guest", "out", "bridge", asks)
    who = {**frame, "l2": "arp", **({"arpsrc": own} if own else {})}
    yield Packet("ARP request of the guest", "out", "bridge", who)
    out = {**frame, "l2": "ipv4", "proto": "tcp", **({"src": own} if own else {})}
    yield Packet("packet of the guest", "out", "bridge", out)
    back = {"l2": "ipv4", "proto": "tcp", **({"dst": own} if own else {})}
    yield Packet("packet to the guest", "in", "bridge", back)
