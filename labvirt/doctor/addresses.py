"""The addresses of guests, as far as they are known without asking the guests."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from labvirt.doctor.netfacts import net_facts
from labvirt.doctor.netviews import network_named
from labvirt.errors import LabvirtError

if TYPE_CHECKING:
    from labvirt.doctor.case import Case, Patient

__all__ = ["address_of", "age_s", "leased", "neighbour"]


def leased(patient: Patient, network_name: str, mac: str) -> tuple[str, ...]:
    """Return the addresses that a network leased to a card."""
    network = network_named(patient, network_name)
    if network is None or not patient.network_record(network).is_active:
        return ()
    try:
        leases = patient.leases(network)
    except LabvirtError:
        return ()
    return tuple(one.address for one in leases if one.mac == mac.lower())


def neighbour(patient: Patient, mac: str) -> tuple[str, ...]:
    """Return the addresses under which the machine has seen a card."""
    try:
        facts = net_facts(patient)
    except LabvirtError:
        return ()
    found = [ip for own, ip, state in facts.neighbours if own == mac.lower() and state != "FAILED"]
    return tuple(ip for ip in found if not ipaddress.ip_address(ip).is_link_local)


def address_of(case: Case, mac: str) -> str | None:
    """Return an IPv4 address of a card of the case's domain; None when none is known."""
    for nic in case.document.interfaces:
        if (nic.mac or "").lower() == mac.lower():
            found = (
                *leased(case.patient, nic.source_network or "", mac),
                *neighbour(case.patient, mac),
            )
            return next((one for one in found if "." in one), None)
    return None


def age_s(case: Case) -> int | None:
    """Return for how many seconds the domain's process has run; None when nobody can tell."""
    try:
        return net_facts(case.patient).ages.get(case.domain.uuid)
    except LabvirtError:
        return None
