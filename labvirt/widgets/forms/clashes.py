"""Clashes: what a form's values meet on the host already, told while one types. Pure."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import LabvirtError
from labvirt.model.names import free_name
from labvirt.model.subnet import free_subnet, overlapping
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from labvirt.host.offering import HostOffer
    from labvirt.widgets.forms.raw import Raw

__all__ = ["free_names", "name_clash", "readouts", "subnet_clashes", "taken_names"]

#: What something without a name could be called.
_USUAL: Final = {"DomainSpec": "vm1", "NetworkSpec": "net1", "PoolSpec": "pool1"}
_TAKEN: Final = {"DomainSpec": "domains", "NetworkSpec": "networks", "PoolSpec": "pool_names"}


def taken_names(spec: str, offer: HostOffer | None) -> Collection[str]:
    """Return the names that things of a kind have on the host."""
    return getattr(offer, _TAKEN[spec]) if offer is not None and spec in _TAKEN else ()


def free_names(spec: str, given: str, taken: Collection[str]) -> tuple[str, ...]:
    """Return names to propose: one like what was given, or the usual ones."""
    wanted = given.strip() or _USUAL.get(spec, "")
    return (free_name(wanted, taken),) if wanted else ()


def name_clash(name: Raw, taken: Collection[str], where: str) -> Mapping[str, str]:
    """Return the error for a name that somebody has, with a free one."""
    text = str(name).strip()
    if text not in taken:
        return {}
    told = _("{name} exists already on {host}; {free} is free")
    return {"name": told.format(name=text, host=where, free=free_name(text, taken))}


def subnet_clashes(raw: Mapping[str, Raw], offer: HostOffer) -> dict[str, str]:
    """Return the addresses of a network that somebody has, with a subnet that is free."""
    found = {}
    used = [each.subnet for each in offer.subnets]
    for path, value in raw.items():
        net = _network(value) if path.startswith("ips[") and path.endswith("].address") else None
        other = overlapping(net, used) if net is not None else None
        if net is None or other is None:
            continue
        whose = next(each.by for each in offer.subnets if each.subnet == other)
        told = _("{net} overlaps {other} of {whose}")
        text = told.format(net=net, other=other, whose=whose)
        try:
            free = free_subnet(used, version=net.version, prefix=max(net.prefixlen, 9))
            text += "; " + _("{subnet} is free").format(subnet=free)
        except LabvirtError:
            pass
        found[path] = text
    return found


def readouts(raw: Mapping[str, Raw]) -> tuple[str, ...]:
    """Return what the address page of the guide shows (G16.15-03): masks, numbers, kinds."""
    told = []
    for path, value in sorted(raw.items()):
        net = _network(value) if path.startswith("ips[") and path.endswith("].address") else None
        if net is None:
            continue
        kind = _("private") if net.is_private else _("public")
        if net.version == 4:
            text = _(
                "{net}: netmask {mask}, broadcast {last}, gateway {gateway}, {count} addresses, {kind}"
            )
        else:
            text = _("{net}: prefix {mask}, gateway {gateway}, {count} addresses, {kind}")
        mask = net.netmask if net.version == 4 else net.prefixlen
        told.append(
            text.format(
                net=net,
                mask=mask,
                last=net[-1],
                gateway=str(value).split("/")[0].strip(),
                count=_count(net),
                kind=kind,
            )
        )
    return tuple(told)


def _count(net: Any) -> str:
    return str(net.num_addresses) if net.num_addresses < 10**9 else f"2^{128 - net.prefixlen}"


def _network(value: Raw) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    text = str(value).strip()
    try:
        return ipaddress.ip_interface(text).network if "/" in text else None
    except ValueError:
        return None
