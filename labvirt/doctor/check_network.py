"""Checks of virtual networks as libvirt knows them: started, kept, as defined, alone in their subnet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.doctor.netfacts import net_facts
from labvirt.doctor.netviews import is_session, network_named, network_xml, own_bridge, plugs, users
from labvirt.errors import LabvirtError
from labvirt.model.network import MAKES_BRIDGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from labvirt.doctor.case import Case, Patient
    from labvirt.host.networks.network import Network

__all__: list[str] = []

_SESSION = "the daemon of an ordinary user (session) makes no bridges"


@check("host.default-network", "Is there a network that new guests get?", guide="G8.1-01")
def default_network(case: Case) -> Seen:
    """Look for the network ``default``, and whether something takes its place."""
    patient = case.patient
    if is_session(patient):
        return not_here(_SESSION)
    default = network_named(patient, "default")
    wanted = sorted({one.domain for one in plugs(patient) if one.nic.source_network == "default"})
    active = [one.name for one in patient.networks if patient.network_record(one).is_active]
    if default is not None and default.name in active:
        return ok("network default is active")
    remedy = "virsh net-start default && virsh net-autostart default"
    state = "network default is not active"
    if default is None:
        state = "there is no network default"
        remedy = (
            "virsh net-define /usr/share/libvirt/networks/default.xml && " + remedy + " "
            "(package libvirt-daemon-config-network on Debian, Ubuntu, Fedora and RHEL)"
        )
    shown = f"{state}; active: {', '.join(active) or 'none'}"
    if wanted:
        cause = f"{', '.join(wanted[:5])} cannot start without it"
        return fail(shown, cause, remedy, fix=case.host.ensure_network.plan)
    if default is None and active:
        return ok(shown)
    return warning(
        shown,
        "new guests that name no network use default",
        remedy,
        fix=case.host.ensure_network.plan,
    )


@check("network.active", "Is the network {name} active?", guide="G8.1-01", limit_s=3)
def active(case: Case) -> Seen:
    """Look whether it runs; one that nobody needs may rest."""
    patient, network = case.patient, case.network
    record = patient.network_record(network)
    if record.is_active:
        return ok(f"active, {record.forward}, bridge {record.bridge or 'none'}")
    if is_session(patient) and record.forward in MAKES_BRIDGE:
        return not_here(f"not active: {_SESSION}")
    named = sorted({one.domain for one in users(patient, network)})
    shown = f"not active, autostart {'on' if record.autostart else 'off'}"
    shown += f", used by {', '.join(named[:8])}" if named else ", used by no domain"
    remedy = f"virsh net-start {network.name}"
    if named or record.autostart:
        said = "somebody stopped it, or it failed to start with the daemon"
        return fail(shown, said, remedy, fix=network.start.plan)
    said = "it is defined, and nobody started it"
    return warning(shown, said, remedy, fix=network.start.plan)


@check("network.autostart", "Does the network {name} start with the host?", guide="G8.1-03")
def autostart(case: Case) -> Seen:
    """Look at the flag of a network that is in use."""
    network = case.network
    record = case.patient.network_record(network)
    if record.autostart:
        return ok("autostart on")
    if not record.is_active:
        return not_here("it is not active either")
    named = sorted({one.domain for one in users(case.patient, network)})
    if not record.persistent:
        shown = f"transient: it is gone when it stops; used by {', '.join(named) or 'no domain'}"
        if not named:
            return not_here(shown)
        remedy = (
            f"virsh net-dumpxml {network.name} > net.xml && virsh net-define net.xml && "
            f"virsh net-autostart {network.name}"
        )
        return warning(shown, "it has no definition that stays", remedy)
    if not named:
        return ok("autostart off; no domain uses it")
    return warning(
        f"autostart off, used by {', '.join(named[:8])}",
        "after the next start of the host these guests find no network",
        f"virsh net-autostart {network.name}",
        fix=lambda: network.set_autostart.plan(on=True),
    )


@check("network.pending", "Does the network {name} run as it is defined?", guide="G15-43")
def pending(case: Case) -> Seen:
    """Compare what runs with what is stored."""
    network = case.network
    record = case.patient.network_record(network)
    if not (record.is_active and record.persistent):
        return not_here("not active, or transient")
    diff = network.pending
    if not diff:
        return ok("the same")
    lines = [
        line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in {"+++", "---"}
    ]
    return warning(
        "\n".join(lines[:12]),
        "the definition was changed while the network ran; it counts from the next start on",
        f"virsh net-destroy {network.name} && virsh net-start {network.name} "
        "(its guests must be plugged in again)",
        fix=network.restart.plan,
    )


@check(
    "network.subnet", "Does the network {name} share its addresses with nobody?", guide="G8.1-02"
)
def subnet(case: Case) -> Iterator[Seen]:
    """Compare its subnets with those of other networks, and with the routes of the machine."""
    patient, network = case.patient, case.network
    own = _subnets(patient, network)
    if not own:
        yield not_here("it has no addresses of its own")
        return
    clashes = list(_networks_beside(case, own))
    try:
        clashes += _routes_beside(patient, own)
    except LabvirtError as error:
        yield unknown(f"the routes of the machine: {error}", "ip route", about="routes")
    shown = ", ".join(map(str, own))
    if not clashes:
        yield ok(f"{shown} is nobody else's")
        return
    told = "; ".join(text for text, _ in clashes)
    remedy = (
        f"virsh net-edit {network.name}: a subnet that is free, "
        f"for example {_free(case)}; then stop and start it"
    )
    answer = fail if any(hard for _, hard in clashes) else warning
    said = "packets to these addresses take one way only, and the other side is not reached"
    yield answer(f"{shown}; {told}", said, remedy)


def _networks_beside(case: Case, own: list[Any]) -> Iterator[tuple[str, bool]]:
    """Yield other networks with these addresses, and whether both run."""
    patient, network = case.patient, case.network
    mine = patient.network_record(network)
    for other in patient.networks:
        for one in _subnets(patient, other) if other.uuid != network.uuid else ():
            if any(one.version == each.version and one.overlaps(each) for each in own):
                both = mine.is_active and patient.network_record(other).is_active
                yield f"network {other.name} has {one}", both


def _routes_beside(patient: Patient, own: list[Any]) -> Iterator[tuple[str, bool]]:
    """Yield routes of the machine into these addresses, and whether they win over the network."""
    bridges = {own_bridge(patient, one) for one in patient.networks}
    for route, device in net_facts(patient).routes:
        if device in bridges or not route.prefixlen or route.is_link_local:
            continue
        for each in own:
            if route.version == each.version and route.overlaps(each):
                # Of two routes the longer one wins: a wider one takes nothing from the guests.
                wins = route.prefixlen >= each.prefixlen
                yield f"the machine reaches {route} over {device}", wins


def _subnets(patient: Patient, network: Network) -> list[Any]:
    return [
        one.interface.network
        for one in network_xml(patient, network).ips
        if one.interface is not None
    ]


def _free(case: Case) -> str:
    try:
        return str(case.host.free_subnet())
    except LabvirtError:
        return "192.168.200.0/24"
