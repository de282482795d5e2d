"""Pre-flight of networks: the source of every interface, filters, and the ways between the hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.status.finding import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labvirt.host.migrating.sides import Look, Way
    from labvirt.model.xml.devices import InterfaceXml

__all__ = ["DATA_PORTS", "check_filters", "check_interfaces", "check_ways", "finding_of_way"]

#: Ports that QEMU takes for migrations, and libvirt's own of ``qemu.conf``.
DATA_PORTS: Final = (49152, 49215)
_GUIDE: Final = "G12.1-04"
_UNKNOWN: Final[tuple[Verdict, str, str]] = (
    "unknown",
    "what it needs on a host is not known to libvirt",
    "see that the other end is there",
)
#: Interfaces without a name on the host: verdict, cause, remedy.
_OTHERS: Final[Mapping[str, tuple[Verdict, str, str]]] = {
    "user": ("warning", "connections through QEMU's own NAT are cut", "a libvirt network"),
    "hostdev": (
        "fail",
        "the interface is a device of this host",
        "detach it before, attach it again after",
    ),
    "vhostuser": _UNKNOWN,
    "vdpa": _UNKNOWN,
    "ethernet": _UNKNOWN,
}


def check_interfaces(look: Look) -> Iterator[Finding]:
    """Judge whether the source of every interface is there and active."""
    for number, nic in enumerate(look.document.interfaces):
        name = nic.mac or str(number)
        yield _interface(look, nic, f"nic:{name}", f"Is the network of {name} there too?")


def _interface(look: Look, nic: InterfaceXml, key: str, question: str) -> Finding:
    if nic.type == "network":
        return _network(look, nic.source_network or "default", key, question)
    if nic.type in {"bridge", "direct"}:
        return _device(look, nic, key, question)
    kind = nic.type or ""
    if kind in _OTHERS:
        verdict, cause, remedy = _OTHERS[kind]
        return Finding(key, question, verdict, kind, cause, remedy, _GUIDE)
    return Finding(key, question, "ok", f"{kind}: needs nothing of the host", guide=_GUIDE)


def _device(look: Look, nic: InterfaceXml, key: str, question: str) -> Finding:
    there, device = look.destination, nic.source_bridge or nic.source_dev or ""
    evidence = f"{nic.type} {device}"
    if there.devices is None:
        remedy = f"ip link show {device} on {there.name}"
        return Finding(key, question, "unknown", evidence, remedy=remedy, guide=_GUIDE)
    if device in there.devices:
        return Finding(key, question, "ok", evidence, guide=_GUIDE)
    what = "bridge" if nic.type == "bridge" else "network card"
    cause = f"{there.name} has no {what} {device}"
    remedy = f"make it there; it has {_few(there.devices)}"
    return Finding(key, question, "fail", evidence, cause, remedy, _GUIDE)


def _network(look: Look, name: str, key: str, question: str) -> Finding:
    there = look.destination
    evidence = f"network {name}"
    known = there.networks or {}
    virsh = f"virsh -c {there.label}"
    if name not in known:
        cause = f"{there.name} has no network {name}"
        if there.networks is None:
            cause += ": its driver has no networks at all"
        remedy = f"virsh net-dumpxml {name} | {virsh} net-define /dev/stdin; it has {_few(known)}"
        return Finding(key, question, "fail", evidence, cause, remedy, _GUIDE)
    if not known[name]:
        cause = f"network {name} of {there.name} is not active"
        return Finding(key, question, "fail", evidence, cause, f"{virsh} net-start {name}", _GUIDE)
    return Finding(key, question, "ok", f"{evidence}, active", guide=_GUIDE)


def _few(names: object) -> str:
    told = sorted(names) if isinstance(names, (dict, set, frozenset)) else []
    return ", ".join(told[:6]) or "none"


def check_filters(look: Look) -> Iterator[Finding]:
    """Judge whether the filters of its interfaces are there."""
    wanted = sorted({nic.filter for nic in look.document.interfaces if nic.filter})
    question = "Are the filters of its interfaces there too?"
    if not wanted:
        yield Finding("filters", question, "n/a")
        return
    there = look.destination
    if there.filters is None:
        yield Finding("filters", question, "unknown", ", ".join(wanted))
        return
    lacking = [one for one in wanted if one not in there.filters]
    if lacking:
        told = ", ".join(lacking)
        cause = f"{there.name} has no network filter {told}"
        remedy = f"virsh nwfilter-dumpxml {lacking[0]} | virsh -c {there.label} nwfilter-define /dev/stdin"
        yield Finding("filters", question, "fail", told, cause, remedy, _GUIDE)
    else:
        yield Finding("filters", question, "ok", ", ".join(wanted), guide=_GUIDE)


def check_ways(look: Look) -> Iterator[Finding]:
    """Judge the ports between the hosts, both ways (G12.1-03)."""
    here, there = look.source.name, look.destination.name
    question = f"Does data get from {here} to {there}?"
    if look.spec.offline:
        yield Finding("way:data", question, "n/a", "only the definition moves")
    elif look.spec.mode == "tunnelled":
        yield Finding("way:data", question, "n/a", "it goes through the daemons' connection")
    elif (look.data_uri or "").startswith("unix:"):
        yield Finding("way:data", question, "ok", "through a socket file on this machine")
    elif look.ways is None:
        evidence = "not tried from there"
        remedy = f"on {here}: nc -vz {there} {DATA_PORTS[0]}-{DATA_PORTS[1]}"
        yield Finding("way:data", question, "unknown", evidence, remedy=remedy, guide="G12.1-03")
    for way in look.ways or ():
        yield finding_of_way(way)


def finding_of_way(way: Way) -> Finding:
    """Judge one port."""
    question = f"Does {way.start} reach {way.end}, port {way.port}?"
    key = f"way:{way.id}"
    # The way back matters only when the guest is to come home.
    bad: Verdict = "warning" if way.id == "back" else "fail"
    if way.answer == "open" or (way.answer == "refused" and way.id != "daemon"):
        told = "somebody listens" if way.answer == "open" else "packets pass; nobody listens yet"
        return Finding(key, question, "ok", told, guide="G12.1-03")
    if way.answer == "unknown":
        return Finding(key, question, "unknown", way.text, guide="G12.1-03")
    if way.answer == "no-name":
        cause = f"{way.start} cannot resolve the name {way.end}"
        remedy = "a line in /etc/hosts, or migrate_uri='tcp://ADDRESS'"
    elif way.answer == "refused":
        cause = f"no daemon listens on port {way.port} of {way.end}"
        remedy = "start the daemon's socket there, or name it with peer_uri="
    else:
        cause = f"port {way.port} of {way.end} cannot be reached from {way.start}"
        ports = f"{DATA_PORTS[0]}-{DATA_PORTS[1]}" if way.id != "daemon" else str(way.port)
        remedy = f"firewall-cmd --add-port={ports}/tcp on {way.end}; look at the cable and routes"
    return Finding(key, question, bad, f"{way.answer}: {way.text}", cause, remedy, "G12.1-03")
