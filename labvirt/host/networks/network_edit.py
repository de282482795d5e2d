"""Changing the definition of a network, and what of it can take effect while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.errors import ConflictError, SpecError, UnsupportedError
from labvirt.host.actions import StartNetwork
from labvirt.host.networks.hostnet import is_session
from labvirt.host.networks.network_actions import DefineNetwork, UpdateNetwork
from labvirt.host.networks.network_plug import ReplugGuests
from labvirt.host.networks.networking import refuse_overlap, require_limits
from labvirt.host.validate import require_valid
from labvirt.model.ident import new_uuid
from labvirt.model.network import MAKES_BRIDGE
from labvirt.model.network_parts import Bandwidth, bandwidth_view
from labvirt.model.network_sections import entry_changes, later_parts
from labvirt.model.xml.network import NetworkXml

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host.networks.network import Network
    from labvirt.plan import Action, Plan
    from labvirt.status import NetworkRecord

__all__ = ["plan_bandwidth", "plan_edit", "require_startable", "restart_actions"]


def require_startable(network: Network, record: NetworkRecord) -> None:
    """Refuse to start a network that cannot start, before anything is touched.

    Raises:
        ConflictError: its addresses are in use; proposes free ones.
        UnsupportedError: the daemon may not make bridges.
    """
    asked = f"start network {network.name}"
    if is_session(network.host) and record.forward in MAKES_BRIDGE:
        raise UnsupportedError(
            asked,
            uri=network.host.label,
            libvirt_text="the daemon of an ordinary user (session) may not make a bridge",
            hint="a system URI starts it; here: interfaces 'user', or kind mcast",
        )
    document = NetworkXml.parse(network.xml(inactive=record.persistent))
    refuse_overlap(network.host, asked, document.ips, own=network.uuid, active_only=True)


def restart_actions(
    network: Network, record: NetworkRecord, define: DefineNetwork | None = None
) -> list[Action[Any]]:
    """Return the actions that stop and start a network and plug its guests in again.

    Args:
        network: which network.
        record: how it is now.
        define: what gives it another definition meanwhile.

    Raises:
        ConflictError: it is not active, or transient.
    """
    asked = f"restart network {network.name}"
    why = "" if record.persistent else "it is transient, and gone when it stops"
    why = why if record.is_active else "it is not active: start() starts it"
    if why:
        raise ConflictError(asked, uri=network.host.label, libvirt_text=why)
    stop = network._stop(record, note=", for a moment")  # noqa: SLF001 - a part of Network
    actions: list[Action[Any]] = [stop]
    if define is not None:
        # Between the two, so that a definition that does not start is taken back before the old
        # one is started again.
        actions.append(define)
    actions.append(StartNetwork(network.name))
    if stop.pairs:
        names = tuple(sorted({one.domain for one in network.guests() if one.is_active}))
        by = f"replug-{new_uuid()[:8]}"
        actions.append(ReplugGuests(network.name, stop.pairs, names, by))
    return actions


def plan_edit(
    network: Network,
    change: str | NetworkXml | Callable[[NetworkXml], object] | None,
    facts: dict[str, Any],
    *,
    restart: bool,
    confirm: bool,
) -> Plan[None]:
    """Return the plan of `Network.edit`."""
    asked = f"edit network {network.name}"
    record = network.info()
    if not record.persistent:
        raise ConflictError(
            asked,
            uri=network.host.label,
            libvirt_text="it is transient and has no definition",
            hint="add(...), remove(...) and modify(...) change what runs",
        )
    before = network.xml(inactive=True)
    document = _changed(asked, before, change, facts)
    require_valid(document.text(), "network")
    old = NetworkXml.parse(before)
    _refuse_other(network, old, document, asked)
    after = document.text()
    warnings = _refuse_clashes(network, old, document, asked)
    active = record.is_active and before != after
    live = _live(network, old, document) if active else []
    later = later_parts(old, document) if active else ()
    define = DefineNetwork(network.name, network.uuid, after, before_xml=before)
    actions: list[Action[Any]] = []
    if before == after:
        warnings += ("nothing is changed",)
    elif later and restart:
        actions += restart_actions(network, record, define)
    else:
        actions += [define, *live]
    if later and not restart:
        warnings += (
            f"takes effect when {network.name} is started anew (restart=True): {', '.join(later)}",
        )
    return network._plan(  # noqa: SLF001 - this module is a part of Network
        "edit", actions, ".edit(...)", warnings=warnings, confirm=confirm
    )


def _changed(
    asked: str,
    before: str,
    change: str | NetworkXml | Callable[[NetworkXml], object] | None,
    facts: dict[str, Any],
) -> NetworkXml:
    if isinstance(change, str):
        document = NetworkXml.parse(change)
    elif isinstance(change, NetworkXml):
        document = NetworkXml.parse(change.text())
    else:
        document = NetworkXml.parse(before)
        if change is not None:
            change(document)
    gone = {name for name, value in facts.items() if value is None}
    document.set(**{name: value for name, value in facts.items() if value is not None})
    for name in gone:
        if name not in NetworkXml.FACTS:
            raise SpecError(f"cannot {asked}: a network has no {name!r}")
        delattr(document, name)
    return document


def _refuse_other(network: Network, old: NetworkXml, new: NetworkXml, asked: str) -> None:
    """Refuse XML of another network."""
    for what, was, now in (("name", old.name, new.name), ("UUID", old.uuid, new.uuid)):
        if now == was:
            continue
        if what == "UUID" and now is None:
            new.uuid = was
            continue
        raise ConflictError(
            asked,
            uri=network.host.label,
            libvirt_text=f"its {what} is {was}, and the XML says {now}",
            hint="libvirt renames no networks: define another one and undefine this one",
        )


def _refuse_clashes(
    network: Network, old: NetworkXml, new: NetworkXml, asked: str
) -> tuple[str, ...]:
    """Refuse subnets and bridges in use, and limits that the kernel cannot keep."""
    subnets = {one.interface for one in old.ips}
    fresh = [one for one in new.ips if one.interface not in subnets]
    refuse_overlap(network.host, asked, fresh, own=network.uuid)
    if new.bridge != old.bridge and new.bridge is not None and new.forward in MAKES_BRIDGE:
        owners = [
            one.name
            for one in network.host.networks.records
            if one.bridge == new.bridge and one.uuid != network.uuid
        ]
        if owners:
            raise ConflictError(
                asked,
                uri=network.host.label,
                libvirt_text=f"the bridge {new.bridge} belongs to network {owners[0]}",
                hint="leave it out: libvirt finds a free name",
            )

    def limited(document: NetworkXml) -> bool:
        return document.element.find(".//bandwidth/*") is not None

    if limited(new) and not limited(old):
        return require_limits(network.host, asked)
    return ()


def _live(network: Network, old: NetworkXml, new: NetworkXml) -> list[UpdateNetwork]:
    """Return what can be changed while the network runs."""
    return [
        UpdateNetwork(
            network.name,
            network.uuid,
            one.command,
            one.section,
            one.xml,
            one.before,
            one.place,
            live=True,
        )
        for one in entry_changes(old, new)
    ]


def plan_bandwidth(
    network: Network, inbound: Bandwidth | int | None, outbound: Bandwidth | int | None
) -> Plan[None]:
    """Return the plan of `Network.set_bandwidth`."""
    both = [Bandwidth(average=one) if isinstance(one, int) else one for one in (inbound, outbound)]
    view = bandwidth_view(both[0], both[1])

    def change(document: NetworkXml) -> None:
        document.bandwidths = [view] if view is not None else []

    return plan_edit(network, change, {}, restart=False, confirm=False)
