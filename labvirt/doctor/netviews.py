"""What checks of networks and interfaces ask of a case: parsed definitions, and who uses what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError
from labvirt.model.network import MAKES_BRIDGE
from labvirt.model.xml.devices import InterfaceXml
from labvirt.model.xml.network import NetworkXml

if TYPE_CHECKING:
    from labvirt.doctor.case import Case, Patient
    from labvirt.host.networks.network import Network

__all__ = [
    "Plug",
    "bridge_of",
    "interface",
    "is_session",
    "network_named",
    "network_xml",
    "own_bridge",
    "plugs",
    "users",
]


@dataclass(frozen=True, slots=True)
class Plug:
    """One interface of a domain: its domain, whether that runs, and the interface's XML."""

    domain: str
    uuid: str
    is_active: bool
    nic: InterfaceXml


def network_xml(patient: Patient, network: Network) -> NetworkXml:
    """Return the definition of a network, as it runs when it does."""
    document = patient.network_document(network)
    return NetworkXml(document.root, document)


def interface(case: Case) -> InterfaceXml:
    """Return the interface of a case."""
    return InterfaceXml(case.element, case.document.doc)


def is_session(patient: Patient) -> bool:
    """Whether the daemon is that of an ordinary user, who may make no bridges."""
    return patient.host.connection.uri.path == "/session"


def own_bridge(patient: Patient, network: Network) -> str:
    """Return the bridge that libvirt makes for a network; empty when it makes none, or is off."""
    record = patient.network_record(network)
    if not record.is_active or record.forward not in MAKES_BRIDGE:
        return ""
    return record.bridge


def network_named(patient: Patient, name: str) -> Network | None:
    """Return the network of that name."""
    return next((one for one in patient.networks if one.name == name), None)


def plugs(patient: Patient) -> tuple[Plug, ...]:
    """Return the interfaces of all domains, as they run or as they would."""
    return patient.once("plugs", lambda: _plugs(patient))


def _plugs(patient: Patient) -> tuple[Plug, ...]:
    found: list[Plug] = []
    for domain in patient.domains:
        try:
            active = patient.record(domain).state.is_active
            nics = patient.document(domain).interfaces
            found += [Plug(domain.name, domain.uuid, active, nic) for nic in nics]
        except LabvirtError:
            continue  # it went away meanwhile
    return tuple(found)


def users(patient: Patient, network: Network) -> tuple[Plug, ...]:
    """Return the interfaces that are on a network, or would be."""
    bridge = patient.network_record(network).bridge
    return tuple(
        one
        for one in plugs(patient)
        if one.nic.source_network == network.name
        or (one.nic.type == "bridge" and bridge and one.nic.source_bridge == bridge)
    )


def bridge_of(patient: Patient, nic: InterfaceXml) -> str:
    """Return the bridge into which an interface should be plugged; empty when there is none."""
    if nic.type == "bridge":
        return nic.source_bridge or ""
    if nic.type != "network":
        return ""
    named: Any = nic.source_bridge or ""
    network = network_named(patient, nic.source_network or "")
    return patient.network_record(network).bridge if network is not None else str(named)
