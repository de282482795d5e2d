"""What a domain's interfaces need of the host before it starts: networks that run, bridges, devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.errors import ConflictError, NotFoundError
from labvirt.host.actions import StartNetwork
from labvirt.host.networks.hostnet import HostNet
from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.model.xml.devices import InterfaceXml

__all__ = ["link_actions", "missing_device"]


def missing_device(net: HostNet | None, kind: str | None, source: str | None) -> str:
    """Return why an interface cannot be plugged in, empty when it can or nobody knows.

    Args:
        net: the network of the host's machine; None when it cannot be looked at.
        kind: kind of the interface; only ``bridge`` and ``direct`` need a device of the host.
        source: the device.
    """
    if net is None or kind not in ("bridge", "direct") or not source:
        return ""
    if source not in net.devices:
        return f"the host has no {'bridge' if kind == 'bridge' else 'device'} {source}"
    if kind == "bridge" and source not in net.bridges:
        return f"{source} is a device of the host and no bridge"
    return ""


def link_actions(host: Host, xml: str, asked: str, *, ensure: bool) -> tuple[StartNetwork, ...]:
    """Look at what the interfaces of a domain need; return what starts the networks it lacks.

    Args:
        host: the host.
        xml: definition of the domain.
        asked: what is asked for, for messages: ``start domain web1``.
        ensure: start networks that are not active; else they are refused.

    Raises:
        NotFoundError: a network, bridge or device is missing; says which there are.
        ConflictError: a network is not active, and `ensure` is not given.
    """
    interfaces = list(DomainXml.parse(xml).interfaces)
    wanted = list(dict.fromkeys(one.source_network for one in interfaces if one.source_network))
    sleeping = []
    if wanted:
        known = {record.name: record for record in host.networks.records}
        for name in wanted:
            record = known.get(name)
            if record is None:
                raise NotFoundError(
                    asked,
                    uri=host.label,
                    libvirt_text=f"it is connected to network {name}, and there is none",
                    hint=f"there are: {', '.join(sorted(known)) or 'none'}; "
                    f"host.plan(NetworkSpec(name={name!r}, ...)) makes it",
                )
            if not record.is_active:
                sleeping.append(name)
    if sleeping and not ensure:
        names = ", ".join(sleeping)
        raise ConflictError(
            asked,
            uri=host.label,
            libvirt_text=f"it is connected to network {names}, which is not active",
            hint=f"start(ensure=True) starts it too; or host.networks[{sleeping[0]!r}].start()",
        )
    _require_devices(host, interfaces, asked)
    return tuple(StartNetwork(name) for name in sleeping)


def _require_devices(host: Host, interfaces: list[InterfaceXml], asked: str) -> None:
    needy = [one for one in interfaces if one.type in ("bridge", "direct")]
    net = HostNet.read(host) if needy else None
    for one in needy:
        why = missing_device(net, one.type, one.source)
        if why and net is not None:
            shown = net.bridges if one.type == "bridge" else net.devices - {"lo"}
            raise NotFoundError(
                asked,
                uri=host.label,
                libvirt_text=f"{why}, to which interface {one.mac} is connected",
                hint=f"there are: {', '.join(sorted(shown)) or 'none'}",
            )
