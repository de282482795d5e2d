"""Checks of a domain's interfaces: what they are connected to, cable, hardware address, card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.netfacts import net_facts
from labvirt.doctor.netviews import bridge_of, interface, network_named, network_xml, plugs
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labvirt.doctor.case import Case
    from labvirt.model.xml.devices import InterfaceXml

__all__: list[str] = []

_MACVTAP = frozenset({"private", "vepa", "passthrough", "bridge"})
_EMULATED = frozenset({"rtl8139", "e1000", "e1000e", "ne2k_pci", "pcnet", "i82551", "i82557b"})


def _stored(case: Case) -> InterfaceXml | None:
    """Return the same interface in the stored definition; None when it is not there."""
    record = case.record
    if not (record.persistent and record.state.is_active):
        return None
    mac = (interface(case).mac or "").lower()
    document = case.patient.document(case.domain, stored=True)
    return next((one for one in document.interfaces if (one.mac or "").lower() == mac), None)


@check("interface.source", "Is what {name} is connected to there and active?", guide="G12.1-04")
def source(case: Case) -> Iterator[Seen]:
    """Look for network, bridge or device of the running domain, and of its stored definition."""
    nic = interface(case)
    now = _judge(case, nic, "")
    yield now
    later = _stored(case)
    if later is not None and _place(later) != _place(nic) and now.verdict == "ok":
        stored = _judge(case, later, "next start")
        if stored.verdict in {"fail", "warning"}:
            yield stored


def _place(nic: InterfaceXml) -> tuple[str, str]:
    # Of a domain that runs libvirt tells what it made of the network: <source network= bridge=>.
    if nic.source_network:
        return "network", nic.source_network
    return nic.type or "", nic.source or ""


def _judge(case: Case, nic: InterfaceXml, about: str) -> Seen:
    kind, name = _place(nic)
    if kind == "network":
        return _on_network(case, nic, name, about)
    if kind == "bridge":
        return _on_bridge(case, name, about)
    if kind == "direct":
        return _on_device(case, name, about)
    told = {
        "user": "QEMU's own NAT: outwards only, nobody reaches the guest from outside",
        "mcast": f"multicast group {name}:{nic.source_port or ''}",
        "null": "connected to nothing, by definition",
    }
    return ok(told.get(kind, f"{kind}: needs no network of libvirt"), about=about)


def _on_network(case: Case, nic: InterfaceXml, name: str, about: str) -> Seen:
    patient = case.patient
    network = network_named(patient, name)
    if network is None:
        known = ", ".join(one.name for one in patient.networks) or "none"
        remedy = f"virsh net-define it, or virsh edit {case.domain.name}"
        said = f"there is no network {name}: the domain cannot start"
        return fail(f"networks: {known}", said, remedy, about=about)
    record = patient.network_record(network)
    if not record.is_active:
        shown = f"network {name} is not active"
        said = "its guests have no link, and cannot start"
        remedy = f"virsh net-start {name}"
        return fail(shown, said, remedy, fix=network.start.plan, about=about)
    group = nic.source_portgroup
    if group:
        document = patient.network_document(network)
        groups = [one.get("name", "") for one in document.root.findall("portgroup")]
        if group not in groups:
            shown = f"network {name} has port groups {', '.join(groups) or 'none'}"
            said = f"there is no port group {group}: the domain cannot start"
            return fail(shown, said, f"virsh edit {case.domain.name}", about=about)
    return ok(f"network {name} is active, bridge {record.bridge or 'none'}", about=about)


def _on_bridge(case: Case, name: str, about: str) -> Seen:
    patient = case.patient
    facts = net_facts(patient)
    remedy = f"virsh edit {case.domain.name}: the right <source bridge=...>"
    if not facts.is_bridge(name):
        known = ", ".join(one.name for one in facts.links.values() if facts.is_bridge(one.name))
        said = (
            f"{name} is a device and no bridge"
            if name in facts.links
            else f"there is no bridge {name}"
        )
        return fail(f"bridges: {known or 'none'}", said, remedy, about=about)
    if not facts.links[name].up:
        return fail(
            f"bridge {name} is down", "no frame passes it", f"ip link set {name} up", about=about
        )
    owner = next(
        (one for one in patient.networks if patient.network_record(one).bridge == name), None
    )
    if owner is not None:
        shown = f"bridge {name} is there; it belongs to network {owner.name}"
        if patient.network_record(owner).forward == "bridge":
            return ok(shown, about=about)
        said = (
            "libvirt does not know that the guest is on that network: a restart of it cuts the link"
        )
        mac = interface(case).mac or ""
        return warning(
            shown, said,
            f"virsh edit {case.domain.name}: <interface type='network'>, <source network='{owner.name}'/>",
            fix=_changing(case, mac, kind="network", source=owner.name), about=about,
        )  # fmt: skip
    return ok(f"bridge {name} is there and up", about=about)


def _on_device(case: Case, name: str, about: str) -> Seen:
    facts = net_facts(case.patient)
    link = facts.links.get(name)
    if link is None:
        known = ", ".join(one for one in facts.links if one != "lo")
        said = f"there is no device {name}"
        return fail(f"devices: {known}", said, f"virsh edit {case.domain.name}", about=about)
    if not link.up:
        return fail(f"{name} is down", "nothing passes it", f"ip link set {name} up", about=about)
    return ok(
        f"macvtap on {name}, which is up; guest and host do not reach each other over it",
        about=about,
    )


def _changing(case: Case, mac: str, **changes: Any) -> Callable[[], Any]:
    domain = case.domain
    return lambda: domain.update.plan(mac, **changes)


@check("interface.link", "Is the cable of {name} plugged in?", guide="G16.7-07")
def link(case: Case) -> Seen:
    """Look at the state in the definition, and at the tap device."""
    nic = interface(case)
    mac = nic.mac or ""
    if nic.link_state == "down":
        remedy = f"virsh domif-setlink {case.domain.name} {mac} up"
        said = "somebody pulled the virtual cable: the guest sees no carrier"
        return fail("link state='down'", said, remedy, fix=_changing(case, mac, link_up=True))
    tap = nic.target_dev or ""
    if not case.record.state.is_active or not tap:
        return ok("link up in the definition")
    try:
        found = net_facts(case.patient).links.get(tap)
    except LabvirtError:
        return ok("link up in the definition; the tap device cannot be looked at")
    if found is not None and not found.up:
        said = "somebody switched the tap device off on the host"
        return fail(f"{tap} is down", said, f"ip link set {tap} up")
    later = _stored(case)
    if later is not None and later.link_state == "down":
        said = "at its next start the guest has no carrier"
        remedy = f"virsh domif-setlink {case.domain.name} {mac} up --config"
        return warning("up now, down in the stored definition", said, remedy,
                       fix=_changing(case, mac, link_up=True))  # fmt: skip
    return ok(f"link up{f', {tap} is up' if found is not None else ''}")


@check("interface.mac", "Is the hardware address of {name} its own?", guide="G8.1-08")
def mac(case: Case) -> Seen:
    """Look whether it is a proper address, and whether another interface or bridge has it too."""
    own = (interface(case).mac or "").lower()
    if not own:
        return ok("libvirt makes one at the start")
    first = int(own.partition(":")[0], 16)
    remedy = f"virsh edit {case.domain.name}: leave <mac> out, and libvirt makes another one"
    if first & 1:
        return fail(own, "it is a multicast address: no card may have it", remedy)
    if own == "00:00:00:00:00:00":
        return fail(own, "it is no address at all", remedy)
    twins = [
        one
        for one in plugs(case.patient)
        if (one.nic.mac or "").lower() == own and one.nic.element is not case.element
        and not (one.uuid == case.domain.uuid and _same_place(case, one.nic))
    ]  # fmt: skip
    bridges = [
        one.name
        for one in case.patient.networks
        if own == (network_xml(case.patient, one).mac or "").lower()
    ]
    if bridges:
        said = f"the bridge of network {bridges[0]} has it too: frames go astray"
        return fail(own, said, remedy)
    if not twins:
        return ok(f"{own} is nobody else's on this host")
    names = ", ".join(sorted({f"{one.domain}{'' if one.is_active else ' (off)'}" for one in twins}))
    said = f"{names} has the same address: on one network only one of them is reached"
    both = case.record.state.is_active and any(one.is_active for one in twins)
    together = any(
        bridge_of(case.patient, one.nic) == bridge_of(case.patient, interface(case))
        and _place(one.nic)[1] == _place(interface(case))[1]
        for one in twins
    )
    answer = fail if both and together else warning
    return answer(f"{own} is also that of {names}", said, remedy)


def _same_place(case: Case, nic: InterfaceXml) -> bool:
    """Whether an interface is the very one of the case: the document may be parsed twice."""
    rows = case.document.element.findall("devices/interface")
    here = [place for place, one in enumerate(rows) if one is case.element]
    there = [place for place, one in enumerate(rows) if one is nic.element]
    return here == there


@check("interface.model", "Has {name} a card that is quick?", guide="G9.1-09")
def model(case: Case) -> Seen:
    """Look at the card that the guest sees."""
    found = interface(case).model or ""
    if found.startswith("virtio"):
        return ok(found)
    if not found:
        return not_here("the default of the machine")
    if found not in _EMULATED:
        return ok(found)
    said = "every packet costs exits to QEMU: virtio carries several times as much with less CPU"
    remedy = (
        f"shut it down, then virsh edit {case.domain.name}: <model type='virtio'/>; "
        "Windows needs its drivers first (virtio-win)"
    )
    mac = interface(case).mac or ""
    return warning(found, said, remedy, fix=_changing(case, mac, model="virtio", config=True))


@check("interface.direct", "Do guest and host reach each other over {name}?", guide="G8.2-10")
def direct(case: Case) -> Seen:
    """Macvtap keeps the guest and its own host apart, which surprises."""
    nic = interface(case)
    kind, name = nic.type or "", nic.source_dev or nic.source or ""
    mode = nic.source_mode or "vepa"
    if kind == "network":
        network = network_named(case.patient, nic.source_network or "")
        record = case.patient.network_record(network) if network is not None else None
        mode = record.forward if record is not None and not record.bridge else ""
    if mode not in _MACVTAP or kind not in {"network", "direct"}:
        return not_here("it is no macvtap")
    if mode == "private":
        return ok("private: guests and host are kept apart on purpose")
    if mode == "vepa":
        said = "guests of this host reach each other only by a switch that sends frames back"
        remedy = "mode bridge, or a switch with reflective relay (802.1Qbg)"
        return warning(f"macvtap, mode vepa on {name}", said, remedy)
    return ok(f"macvtap, mode {mode}: the guest reaches everybody but this host, by design")


@check("interface.errors", "Does {name} lose no frames?", guide="G16.7-07", needs="machine")
def errors(case: Case) -> Seen:
    """Compare what the tap device threw away with what it carried."""
    tap = interface(case).target_dev or ""
    if not case.record.state.is_active or not tap:
        return not_here("it has no device on the host")
    found = net_facts(case.patient).links.get(tap)
    if found is None:
        return unknown(f"{tap} is not seen on the machine")
    shown = f"{tap}: {found.tx_packets} frames to the guest, {found.tx_dropped} thrown away"
    if found.tx_dropped > 1000 and found.tx_dropped * 20 > found.tx_packets:
        said = "the guest does not take its frames: it hangs, or its queue is too short"
        remedy = (
            f"virsh edit {case.domain.name}: <driver name='vhost' queues='2' rx_queue_size='1024'/>"
        )
        return warning(shown, said, remedy)
    return ok(shown)
