"""The network interfaces of a host's machine: its cards, bridges, taps, and what is on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labvirt.host.networks.hostnet import run_there

if TYPE_CHECKING:
    from labvirt.host.host import Host

__all__ = ["LinkRecord", "links_of"]


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """One network interface of a machine (``ip link``, ``virsh nodedev-list --cap net``).

    Attributes:
        name: its name: ``eth0``, ``virbr0``.
        kind: ``bridge``, ``tun``, ``veth`` ...; ``card`` for one that is none of them, and empty
            when only libvirt could be asked.
        mac: hardware address, lower case; empty when it has none.
        state: ``up``, ``down``, ``unknown``.
        mtu: longest packet, bytes; 0 when it is not known.
        master: the bridge it is plugged into; empty when none.
        addresses: its addresses with prefix; empty also when only libvirt could be asked.
    """

    name: str
    kind: str
    mac: str
    state: str
    mtu: int
    master: str
    addresses: tuple[str, ...]


def links_of(host: Host) -> tuple[LinkRecord, ...]:
    """Return the network interfaces of a host's machine, by name.

    A machine that cannot be looked at from here is asked through libvirt, which tells less.

    Raises:
        LabvirtError: the host gives no answer.
    """
    found = run_there(host, ["ip", "-d", "-j", "address"])
    if found is not None and found[0] == 0:
        return tuple(sorted(map(_link, json.loads(found[1] or "[]")), key=lambda one: one.name))
    return tuple(
        LinkRecord(
            name=one.node,
            kind="",
            mac=one.address,
            state=one.what.rpartition(" ")[2],
            mtu=0,
            master="",
            addresses=(),
        )
        for one in sorted(host.devices.records, key=lambda one: one.node)
        if one.type == "net"
    )


def _link(told: dict[str, Any]) -> LinkRecord:
    kind = told.get("linkinfo", {}).get("info_kind", "")
    if not kind:
        kind = "loopback" if told.get("link_type") == "loopback" else "card"
    return LinkRecord(
        name=told.get("ifname", ""),
        kind=kind,
        mac=told.get("address", "") if told.get("link_type") == "ether" else "",
        state=str(told.get("operstate", "unknown")).lower(),
        mtu=int(told.get("mtu", 0)),
        master=told.get("master", ""),
        addresses=tuple(
            f"{one['local']}/{one.get('prefixlen', '')}"
            for one in told.get("addr_info", ())
            if one.get("local")
        ),
    )
