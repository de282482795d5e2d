"""What the network of a host's own machine looks like: devices, bridges, routes, neighbours.

It is read where the host's libvirt runs, as far as that can be reached: on this machine, or in a
lab. Of a remote host nothing is known but its libvirt networks.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.connection import network as networks
from labvirt.errors import LabvirtError, NotFoundError
from labvirt.model import subnet
from labvirt.model.xml.network import NetworkXml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from labvirt.host.host import Host
    from labvirt.model.subnet import IPNetwork

__all__ = [
    "HostNet",
    "Neighbour",
    "Taken",
    "free_subnet",
    "is_session",
    "missing_limits",
    "neighbours",
    "run_there",
    "taken",
]

_LIMIT_S = 5.0
_MARK = "=="
_LOOK = f"""cat /proc/net/route; echo {_MARK}; cat /proc/net/ipv6_route 2>/dev/null; echo {_MARK}
ls /sys/class/net; echo {_MARK}; ls -d /sys/class/net/*/bridge 2>/dev/null; echo {_MARK}
test -e /proc/net/if_inet6 && echo ipv6
"""
_UP, _REJECT = 0x1, 0x200
#: What libvirt's <bandwidth> needs of the kernel, and how to try it; in a network of its own.
_TRIALS = """for trial in "sch_htb qdisc replace dev lo root handle 1: htb" \
"sch_sfq qdisc add dev lo parent 1:1 handle 2: sfq perturb 10" \
"cls_fw filter add dev lo protocol all prio 1 handle 1 fw flowid 1"
do tc ${trial#* } >/dev/null 2>&1 || echo "${trial%% *}"; done; echo done"""


@dataclass(frozen=True)
class Taken:
    """A subnet that is in use.

    Attributes:
        subnet: the subnet.
        by: who has it, in words: ``network lab``, ``the route over eth0``.
        network: name of the libvirt network; empty for a route.
        device: the host's device; empty when unknown.
    """

    subnet: IPNetwork
    by: str
    network: str = ""
    device: str = ""


@dataclass(frozen=True)
class Neighbour:
    """An address that the host has seen on one of its links.

    Attributes:
        address: the address.
        mac: hardware address, lower case.
        device: the host's device.
        state: the kernel's word for how fresh it is.
    """

    address: str
    mac: str
    device: str
    state: str


@dataclass(frozen=True)
class HostNet:
    """The network of a host's machine at one moment.

    Attributes:
        devices: names of its network devices.
        bridges: those that are bridges.
        routes: the subnets that are reached over a device, default routes left out.
        ipv6: whether its kernel knows IPv6.
    """

    devices: frozenset[str]
    bridges: frozenset[str]
    routes: tuple[Taken, ...]
    ipv6: bool = True

    @classmethod
    def read(cls, host: Host) -> HostNet | None:
        """Look at a host; None when its machine cannot be looked at from here."""
        found = run_there(host, ["sh", "-c", _LOOK])
        if found is None:
            return None
        parts = found[1].split(_MARK + "\n")
        if len(parts) < 5:
            return None
        bridges = frozenset(line.split("/")[-2] for line in parts[3].split())
        routes = (*_routes4(parts[0].splitlines()[1:]), *_routes6(parts[1].splitlines()))
        return cls(frozenset(parts[2].split()), bridges, routes, "ipv6" in parts[4])


def is_session(host: Host) -> bool:
    """Tell whether a host's daemon is that of an ordinary user."""
    return host.connection.uri.path == "/session"


def run_there(
    host: Host, argv: Sequence[str], *, timeout_s: float = _LIMIT_S
) -> tuple[int, str, str] | None:
    """Run a program where a host's libvirt runs; None when that cannot be done from here."""
    try:
        if host.facts.run is not None:
            return host.facts.run(argv, timeout_s)
        uri = host.connection.uri
        if not host.is_local or host.facts.lab or uri.param("socket"):
            # A daemon behind a socket of its own may live in another network than this process.
            return None
        done = subprocess.run(
            list(argv), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (LabvirtError, OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode, done.stdout, done.stderr


def _routes4(lines: Iterable[str]) -> Iterator[Taken]:
    for line in lines:
        device, target, _, flags, _, _, _, mask, *_ = line.split()
        raw = [int(word, 16).to_bytes(4, sys.byteorder) for word in (target, mask)]
        length = sum(byte.bit_count() for byte in raw[1])
        if int(flags, 16) & (_UP | _REJECT) == _UP and length:
            found = ipaddress.IPv4Network((raw[0], length), strict=False)
            yield Taken(found, f"the route over {device}", device=device)


def _routes6(lines: Iterable[str]) -> Iterator[Taken]:
    for line in lines:
        target, length, *_, flags, device = line.split()
        found = ipaddress.IPv6Network((bytes.fromhex(target), int(length, 16)), strict=False)
        own = device == "lo" or found.is_link_local or found.is_multicast
        if int(flags, 16) & (_UP | _REJECT) == _UP and found.prefixlen and not own:
            yield Taken(found, f"the route over {device}", device=device)


def taken(
    host: Host, net: HostNet | None, *, leave_out: str = "", active_only: bool = False
) -> tuple[Taken, ...]:
    """Return the subnets in use on a host: by its libvirt networks, then by its routes.

    Args:
        host: the host.
        net: its machine, None when it cannot be looked at.
        leave_out: UUID of a network that does not count.
        active_only: only networks that run count.
    """
    link = host.connection
    found: list[Taken] = []
    bridges: set[str] = set()
    for record in host.networks.records:
        if record.bridge and record.forward != "bridge":
            bridges.add(record.bridge)
        if record.uuid == leave_out or (active_only and not record.is_active):
            continue
        try:
            document = NetworkXml.parse(networks.xml(link, record.uuid, inactive=record.persistent))
        except NotFoundError:
            continue
        found += [
            Taken(ip.interface.network, f"network {record.name}", record.name, record.bridge)
            for ip in document.ips
            if ip.interface is not None
        ]
    # A route over a network's own bridge is that network once more.
    return (*found, *(one for one in net.routes if one.device not in bridges)) if net else (*found,)


def free_subnet(
    host: Host,
    *,
    version: int = 4,
    prefix: int | None = None,
    used: Iterable[Taken] | None = None,
) -> IPNetwork:
    """Return a private subnet that nobody on the host uses; see `Host.free_subnet`."""
    known = taken(host, HostNet.read(host)) if used is None else used
    return subnet.free_subnet(
        [one.subnet for one in known], version=version, prefix=prefix, seed=host.uri
    )


def neighbours(host: Host) -> tuple[Neighbour, ...] | None:
    """Return what the host has seen on its links (ARP and NDP); None when it cannot be read."""
    found = run_there(host, ["ip", "-j", "neigh"])
    if found is None or found[0]:
        return None
    return tuple(
        Neighbour(one["dst"], one["lladdr"].lower(), one["dev"], " ".join(one.get("state", ())))
        for one in json.loads(found[1] or "[]")
        if "lladdr" in one
    )


def missing_limits(host: Host) -> str | None:
    """Return what a host's kernel lacks for libvirt's ``<bandwidth>``, empty when nothing.

    It is tried out in a network namespace of its own. None when it cannot be tried from here.
    """
    found = run_there(host, ["unshare", "--net", "sh", "-c", _TRIALS])
    if found is None or not found[1].endswith("done\n"):
        return None
    if run_there(host, ["sh", "-c", "command -v tc >/dev/null"]) != (0, "", ""):
        return "the program tc (package iproute2)"
    return ", ".join(found[1].split()[:-1])
