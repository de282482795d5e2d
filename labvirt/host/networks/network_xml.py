"""Planning a network from XML that somebody else wrote."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from labvirt.errors import ConflictError, Problem, SpecError, UnsupportedError
from labvirt.host.handle import python_call
from labvirt.host.networks.hostnet import is_session
from labvirt.host.networks.network_actions import CreateNetwork, DefineNetwork, require_new_network
from labvirt.host.networks.networking import refuse_overlap
from labvirt.host.validate import require_valid
from labvirt.model.ident import new_uuid
from labvirt.model.names import check_name
from labvirt.model.network import MAKES_BRIDGE
from labvirt.model.xml.network import NetworkXml
from labvirt.plan import Plan

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.host.networks.network import Network
    from labvirt.plan import Action

__all__ = ["plan_xml"]


def plan_xml(host: Host, xml: str, *, transient: bool) -> Plan[Network]:
    """Return the plan of `Host.define_network`."""
    document = NetworkXml.parse(xml)
    require_valid(document.text(), "network")
    if not document.name:
        raise SpecError("the XML of a network", [Problem("name", "", "is missing")])
    name = check_name(document.name, what="network", mode="libvirt")
    asked = f"{'create' if transient else 'define'} network {name}"
    host.require_writable(asked)
    known = {record.name: record for record in host.networks.records}
    python = host.python + python_call("", "define_network", (xml,), {"transient": transient})
    if name in known and not transient:
        network = host.networks[name]
        plan: Plan[Any] = network.edit.plan(document)
        return dataclasses.replace(plan, result=lambda: network, python=python)
    require_new_network(host, name)
    owner = next((one.name for one in known.values() if one.uuid == document.uuid), None)
    if owner is not None:
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"the UUID {document.uuid} belongs to network {owner}",
            hint="leave it out: a free one is made",
        )
    if document.uuid is None:
        document.uuid = new_uuid([one.uuid for one in known.values()])
    if document.forward in MAKES_BRIDGE:
        _require_free(host, document, asked, transient=transient)
    text, uuid = document.text(), document.uuid
    kind = CreateNetwork if transient else DefineNetwork
    action: Action[Any] = kind(name, uuid, text)
    return Plan(
        title=asked,
        host=host,
        actions=(action,),
        result=lambda: host.networks[uuid],
        python=python,
        journal=host.journal,
    )


def _require_free(host: Host, document: NetworkXml, asked: str, *, transient: bool) -> None:
    """Refuse a bridge or subnet in use, and a start that the daemon may not make."""
    if transient and is_session(host):
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text="the daemon of an ordinary user (session) may not make a bridge",
            hint="a system URI can",
        )
    refuse_overlap(host, asked, document.ips)
    owner = next(
        (one.name for one in host.networks.records if one.bridge and one.bridge == document.bridge),
        None,
    )
    if owner is not None:
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"the bridge {document.bridge} belongs to network {owner}",
            hint="leave it out: libvirt finds a free name",
        )
