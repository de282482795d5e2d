"""The wires of a system lab: one bridge between the hosts, one bridge and uplink in each."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
from typing import TYPE_CHECKING

from labvirt.lab.documents import FABRIC_BRIDGE
from labvirt.lab.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from labvirt.lab.records import HostRecord

__all__ = [
    "TOOLS",
    "TUN",
    "address_of",
    "missing_traffic_control",
    "prove_tap",
    "unwire_lab",
    "wire_host",
    "wire_lab",
    "write_hosts_file",
]

TOOLS = {"ip": "iproute2", "dnsmasq": "dnsmasq-base", "iptables": "iptables"}
"""Programs that the system back end needs -> the package that has them."""

TUN = "/dev/net/tun"
"""The device by which taps are made."""

_SUBNET = "10.99.0"
_FIRST_HOST = 10
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_LIMIT_S = 10.0


def address_of(host: HostRecord) -> str:
    """Return a host's address on the fabric."""
    return f"{_SUBNET}.{_FIRST_HOST + host.number}"


def write_hosts_file(hosts: Iterable[HostRecord], path: Path) -> None:
    """Write the ``/etc/hosts`` by which hosts find each other (migration goes by host name).

    An empty ``resolv.conf`` is put beside it: the lab has no name servers.
    """
    path.with_name("resolv.conf").touch()
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [f"{address_of(host)} {host.name}" for host in hosts]
    path.write_text("\n".join([*lines, ""]), encoding="ascii")
    path.chmod(0o644)


def prove_tap(uid: int) -> None:
    """Make a tap device and let it go again: without taps guests have no network.

    Args:
        uid: user outside, for the remedy.

    Raises:
        Refusal: this machine does not allow it.
    """
    request = struct.pack("16sH22x", b"probe%d", _IFF_TAP | _IFF_NO_PI)
    try:
        handle = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        remedy = f"as root, once: chmod 0666 {TUN}"
        if isinstance(error, FileNotFoundError):
            remedy = f"as root: modprobe tun (in a container: pass the device {TUN})"
        elif uid == 0:
            remedy = f"in a container: pass the device {TUN} and the capability NET_ADMIN"
        raise Refusal(f"{TUN} cannot be opened ({error.strerror})", remedy) from error
    try:
        fcntl.ioctl(handle, _TUNSETIFF, request)
    except OSError as error:
        raise Refusal(
            f"no tap device can be made ({error.strerror})",
            "give the container the capability NET_ADMIN",
        ) from error
    finally:
        os.close(handle)


def _run_ip(commands: Sequence[str], *, force: bool = False) -> None:
    """Run a batch of ``ip`` commands in the network namespace of this process.

    Args:
        commands: the commands, without ``ip``.
        force: go on with the next when one fails.

    Raises:
        OSError: one of them failed; the text says which and why.
    """
    batch = "\n".join(commands) + "\n"
    try:
        done = subprocess.run(
            ["ip", *(["-force"] if force else []), "-batch", "-"],
            input=batch,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"ip did not end within {_LIMIT_S:g} s") from error
    if done.returncode != 0:
        raise OSError(f"ip failed: {' '.join(done.stderr.split())}")


def wire_lab(holders: Mapping[HostRecord, int]) -> None:
    """Build the lab's bridge and a cable from it into every host's network namespace.

    Args:
        holders: host -> pid of a process in its network namespace.

    Raises:
        OSError: it failed.
    """
    commands = [
        "link set lo up",
        "link add fabric type bridge",
        f"addr add {_SUBNET}.1/24 dev fabric",
        "link set fabric up",
    ]
    for host, pid in holders.items():
        cable = _cable(host)
        commands += [
            f"link add {cable} type veth peer name eth0 netns {pid}",
            f"link set {cable} master fabric up",
        ]
    _run_ip(commands)


def unwire_lab(hosts: Iterable[HostRecord]) -> None:
    """Take the lab's bridge and cables down again, as far as they are still there.

    The cables end with the hosts' namespaces too, but at a moment that nobody knows.
    """
    with contextlib.suppress(OSError):
        _run_ip(["link del fabric", *(f"link del {_cable(host)}" for host in hosts)], force=True)


def _cable(host: HostRecord) -> str:
    return f"to-{host.number}"


def wire_host(host: HostRecord) -> None:
    """Bring up the network of one host, from inside its network namespace.

    Raises:
        OSError: it failed.
    """
    _run_ip(
        [
            "link set lo up",
            f"link add {FABRIC_BRIDGE} type bridge",
            f"link set eth0 master {FABRIC_BRIDGE} up",
            f"addr add {address_of(host)}/24 dev {FABRIC_BRIDGE}",
            f"link set {FABRIC_BRIDGE} up",
            f"route add default via {_SUBNET}.1",
        ]
    )


def missing_traffic_control() -> str:
    """Return what this kernel lacks for libvirt's ``<bandwidth>``, in words; empty when nothing.

    Run in a network namespace of the lab, where trying it out disturbs nobody.
    """
    trials = {
        "sch_htb": "qdisc replace dev lo root handle 1: htb",
        "sch_sfq": "qdisc add dev lo parent 1:1 handle 2: sfq perturb 10",
        "cls_fw": "filter add dev lo protocol all prio 1 handle 1 fw flowid 1",
    }
    missing = []
    for part, command in trials.items():
        try:
            done = subprocess.run(
                ["tc", *command.split()], capture_output=True, timeout=_LIMIT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"tc cannot be run ({error})"
        if done.returncode != 0:
            missing.append(part)
    return f"the kernel lacks {', '.join(missing)}" if missing else ""
