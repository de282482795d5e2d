"""The files a host's libvirtd finds when it starts: its configuration, networks and pools.

They are written before the daemon starts, and marked for autostart, so that networks and pools
are there when it answers for the first time. The keeper carries the standard library only, hence
ElementTree and not `labvirt.model`.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from labvirt.lab.records import HostRecord

__all__ = ["FABRIC_BRIDGE", "write_daemon", "write_networks", "write_pools"]

FABRIC_BRIDGE = "brfab"
"""Bridge inside every system host that reaches the other hosts of the lab."""

_FIRST_MIGRATION_PORT, _PORTS_PER_HOST = 49152, 64
_NAT, _ISOLATED = "192.168.122", "192.168.123"


def write_daemon(host: HostRecord, folder: Path, shared: Sequence[Path], *, system: bool) -> None:
    """Write ``libvirtd.conf`` and ``qemu.conf``.

    Args:
        host: the host.
        folder: the daemon's configuration folder (``/etc/libvirt`` or its session twin).
        shared: the folders that all hosts of the lab have in common.
        system: for a privileged daemon.
    """
    daemon: dict[str, object] = {
        "host_uuid": host.uuid,
        "auth_unix_rw": "none",
        "auth_unix_ro": "none",
        "unix_sock_rw_perms": "0700",
        "unix_sock_ro_perms": "0700",
        "log_level": 3,
        "log_outputs": "3:stderr",
    }
    first = _FIRST_MIGRATION_PORT + (host.number - 1) * _PORTS_PER_HOST
    qemu: dict[str, object] = {
        # virtlogd would be one more daemon per host; it outlives libvirtd and belongs to nobody.
        "stdio_handler": "file",
        "security_driver": "none",
        # Newer libvirts take images there for shared; older ones need the flag "unsafe".
        "shared_filesystems": [str(path) for path in shared],
        "migration_port_min": first,
        "migration_port_max": first + _PORTS_PER_HOST - 1,
    }
    if system:
        daemon["unix_sock_group"] = "root"
        qemu |= {
            "user": "root",
            "group": "root",
            "remember_owner": 0,
            # QEMU's private /dev cannot be built where /dev/pts belongs to another user namespace.
            "namespaces": [],
            # All hosts share one cgroup tree, in which their guests would meet under one name.
            "cgroup_controllers": [],
        }
    folder.mkdir(parents=True, exist_ok=True)
    _write_settings(folder / "libvirtd.conf", daemon)
    _write_settings(folder / "qemu.conf", qemu)


def _write_settings(path: Path, settings: Mapping[str, object]) -> None:
    """Write libvirt's ``name = value`` file."""
    lines = []
    for name, value in settings.items():
        if isinstance(value, list):
            shown = "[" + ", ".join(f'"{item}"' for item in value) + "]"
        else:
            shown = str(value) if isinstance(value, int) else f'"{value}"'
        lines.append(f"{name} = {shown}\n")
    path.write_text("".join(lines), encoding="utf-8")


def write_networks(host: HostRecord, folder: Path) -> None:
    """Write the networks of a system host: ``default`` (NAT), ``isolated``, ``fabric``.

    Args:
        host: the host.
        folder: the daemon's configuration folder.
    """
    default = _network(host, "default", bridge="virbr0", subnet=_NAT)
    default.insert(2, ET.Element("forward", mode="nat"))
    isolated = _network(host, "isolated", bridge="virbr1", subnet=_ISOLATED)
    fabric = _named("network", host, "fabric")
    ET.SubElement(fabric, "forward", mode="bridge")
    ET.SubElement(fabric, "bridge", name=FABRIC_BRIDGE)
    for network in (default, isolated, fabric):
        _write_autostarted(folder / "qemu" / "networks", network)


def _network(host: HostRecord, name: str, *, bridge: str, subnet: str) -> ET.Element:
    """Return a network with DHCP on a bridge of its own."""
    network = _named("network", host, name)
    # Without spanning tree a guest's first DHCP request passes at once.
    ET.SubElement(network, "bridge", name=bridge, stp="off", delay="0")
    address = ET.SubElement(network, "ip", address=f"{subnet}.1", netmask="255.255.255.0")
    dhcp = ET.SubElement(address, "dhcp")
    ET.SubElement(dhcp, "range", start=f"{subnet}.2", end=f"{subnet}.254")
    return network


def write_pools(host: HostRecord, folder: Path, pools: Mapping[str, Path]) -> None:
    """Write directory pools.

    Args:
        host: the host.
        folder: the daemon's configuration folder.
        pools: name of each pool -> its folder, which exists.
    """
    for name, target in pools.items():
        pool = _named("pool", host, name)
        pool.set("type", "dir")
        ET.SubElement(ET.SubElement(pool, "target"), "path").text = str(target)
        _write_autostarted(folder / "storage", pool)


def _named(tag: str, host: HostRecord, name: str) -> ET.Element:
    """Return an element with a name and an identity that is the same after every reset."""
    element = ET.Element(tag)
    ET.SubElement(element, "name").text = name
    identity = uuid.uuid5(uuid.UUID(host.uuid), f"{tag}/{name}")
    ET.SubElement(element, "uuid").text = str(identity)
    return element


def _write_autostarted(folder: Path, element: ET.Element) -> None:
    """Write a definition where libvirt looks for it, and the link by which it starts with the daemon."""
    links = folder / "autostart"
    links.mkdir(parents=True, exist_ok=True)
    file = folder / f"{element.findtext('name')}.xml"
    ET.ElementTree(element).write(file, encoding="utf-8")
    (links / file.name).symlink_to(f"../{file.name}")
