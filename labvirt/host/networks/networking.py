"""Planning a new network: everything that can be wrong with it is looked at before."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.errors import ConflictError, NotFoundError, Problem, SpecError, UnsupportedError
from labvirt.host.actions import StartNetwork
from labvirt.host.networks.hostnet import HostNet, free_subnet, is_session, missing_limits, taken
from labvirt.host.networks.network_actions import (
    AutostartNetwork,
    CreateNetwork,
    DefineNetwork,
    require_new_network,
)
from labvirt.host.present import Present
from labvirt.host.validate import require_valid
from labvirt.model.ident import new_uuid
from labvirt.model.network import MAKES_BRIDGE, NetworkSpec
from labvirt.model.spec_text import spec_text
from labvirt.model.subnet import overlapping
from labvirt.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from labvirt.host.host import Host
    from labvirt.host.networks.network import Network
    from labvirt.model.network_ip import DhcpHost, NetworkIp
    from labvirt.plan import Action

__all__ = ["plan_network", "refuse_foreign_macs", "refuse_overlap", "require_limits"]

#: libvirt tags frames on an ordinary bridge from this version on.
_VLAN_ON_BRIDGES = 11


def plan_network(
    host: Host,
    spec: NetworkSpec,
    *,
    start: bool = True,
    autostart: bool = True,
    transient: bool = False,
) -> Plan[Network]:
    """Return the plan that makes a network; see `Host.plan`."""
    asked = f"create network {spec.name}"
    host.require_writable(asked)
    require_new_network(host, spec.name)
    look = _Look(host, spec, asked, start=start or transient)
    look.require_all()
    ready = spec if spec.uuid else spec.replace(uuid=new_uuid(look.uuids))
    xml, uuid = ready.to_xml(), str(ready.uuid)
    require_valid(xml, "network")
    actions: list[Action[Any]] = []
    if transient:
        actions.append(CreateNetwork(spec.name, uuid, xml))
    else:
        actions.append(DefineNetwork(spec.name, uuid, xml))
        actions += [StartNetwork(spec.name)] * start
        actions += [AutostartNetwork(spec.name, uuid, on=True)] * autostart
    options = ["start=False"] * (not start) + ["autostart=False"] * (not autostart)
    options += ["transient=True"] * transient
    return Plan(
        title=asked,
        host=host,
        actions=tuple(actions),
        result=lambda: host.networks[uuid],
        warnings=tuple(look.warnings),
        python=f"{host.python}.plan({', '.join([spec_text(spec), *options])}).apply()",
        journal=host.journal,
    )


def refuse_overlap(
    host: Host,
    asked: str,
    ips: Iterable[NetworkIp | Any],
    *,
    own: str = "",
    active_only: bool = False,
) -> None:
    """Refuse addresses that a network or a route of the host has already; propose free ones.

    Args:
        host: the host.
        asked: what is asked for, for the message.
        ips: the addresses: they have ``interface``.
        own: UUID of the network they belong to.
        active_only: networks that do not run are no obstacle.

    Raises:
        ConflictError: says who has the addresses, and what is free.
    """
    wanted = [one.interface.network for one in ips if one.interface is not None]
    if not wanted:
        return
    net = HostNet.read(host)
    used = taken(host, net, leave_out=own, active_only=active_only)
    clashes, offers = [], []
    for one in wanted:
        other = overlapping(one, [known.subnet for known in used])
        if other is None:
            continue
        owner = next(known for known in used if known.subnet == other)
        clashes.append(f"{one} overlaps {other} of {owner.by}")
        # What is larger than any private range is offered as large as there is.
        prefix = max(one.prefixlen, 9 if one.version == 4 else 48)
        everybody = taken(host, net, leave_out=own) if active_only else used
        free = free_subnet(host, version=one.version, prefix=prefix, used=everybody)
        offers.append(f"{free} is free: '{free[1]}/{free.prefixlen}'")
    if clashes:
        raise ConflictError(
            asked, uri=host.label, libvirt_text="; ".join(clashes), hint="; ".join(offers)
        )


def refuse_foreign_macs(
    host: Host, asked: str, reservations: Iterable[DhcpHost], owners: Mapping[str, str]
) -> None:
    """Refuse a reservation under the name of one guest with the MAC address of another.

    Args:
        host: the host.
        asked: what is asked for, for the message.
        reservations: what is reserved.
        owners: MAC address -> name of its domain.

    Raises:
        ConflictError: says whose it is.
    """
    names = set(owners.values())
    for one in reservations:
        owner = owners.get(one.mac or "")
        if owner is not None and one.name in names - {owner}:
            text = f"the MAC address {one.mac}, reserved for {one.name}, belongs to {owner}"
            hint = f"{one.name}'s own MAC address, or name={owner!r}"
            raise ConflictError(asked, uri=host.label, libvirt_text=text, hint=hint)


def require_limits(host: Host, asked: str) -> tuple[str, ...]:
    """Refuse a bandwidth that the host's kernel cannot keep; return warnings.

    Raises:
        UnsupportedError: names what is missing.
    """
    missing = missing_limits(host)
    if missing:
        raise UnsupportedError(
            asked,
            uri=host.label,
            libvirt_text=f"the host lacks {missing}, by which libvirt limits bandwidth",
            hint="leave the limits out; or a kernel with these parts (modprobe), and iproute2",
        )
    if missing is None:
        return ("whether the host's kernel can limit bandwidth cannot be tried from here",)
    return ()


class _Look:
    """A look at the host and at what a network wants of it."""

    def __init__(self, host: Host, spec: NetworkSpec, asked: str, *, start: bool) -> None:
        self.host, self.spec, self.asked, self.start = host, spec, asked, start
        self.net = HostNet.read(host)
        self.records = host.networks.records
        self.uuids = {record.uuid: record.name for record in self.records}
        self.warnings: list[str] = []

    def require_all(self) -> None:
        """Refuse what cannot work.

        Raises:
            LabvirtError: the first kind of trouble found.
        """
        self._require_back_end()
        self._require_identity()
        self._require_devices()
        self._require_macs()
        refuse_overlap(self.host, self.asked, self.spec.ips)
        self._require_files()
        self._require_vlan()
        if self.spec.limits:
            self.warnings += require_limits(self.host, self.asked)
        self._warn()

    def _conflict(self, text: str, hint: str = "") -> ConflictError:
        return ConflictError(self.asked, uri=self.host.label, libvirt_text=text, hint=hint)

    def _require_back_end(self) -> None:
        """Refuse to start a bridge with a daemon that may not make one."""
        if self.start and is_session(self.host) and self.spec.forward in MAKES_BRIDGE:
            raise UnsupportedError(
                self.asked,
                uri=self.host.label,
                libvirt_text="the daemon of an ordinary user (session) may not make a bridge, nor "
                "serve addresses on it",
                hint="start=False, autostart=False only defines it; a system URI starts it; for "
                "guests here: interfaces 'user', or kind mcast to join guests with each other",
            )

    def _require_identity(self) -> None:
        if self.spec.uuid in self.uuids:
            text = f"the UUID {self.spec.uuid} belongs to network {self.uuids[self.spec.uuid]}"
            raise self._conflict(text, "leave it out: a free one is made")
        bridge = self.spec.bridge
        if bridge is None or self.spec.forward not in MAKES_BRIDGE:
            return
        owner = next((one.name for one in self.records if one.bridge == bridge), None)
        hint = "leave bridge out: libvirt finds a free name"
        if owner is not None:
            raise self._conflict(f"the bridge {bridge} belongs to network {owner}", hint)
        if self.net is not None and bridge in self.net.devices:
            text = f"the host has a device {bridge} already"
            raise self._conflict(text, f"{hint}; forward='bridge' uses one that exists")

    def _require_devices(self) -> None:
        """Refuse devices that the host does not have."""
        if self.net is None:
            return
        spec = self.spec
        if not self.net.ipv6 and any(one.interface.version == 6 for one in spec.ips):
            raise UnsupportedError(
                self.asked,
                uri=self.host.label,
                libvirt_text="the host's kernel has no IPv6",
                hint="leave the IPv6 addresses out; or boot the host without ipv6.disable=1",
            )
        wanted = [("devices", dev) for dev in spec.devices]
        wanted += [("pf", spec.pf)] if spec.pf else []
        wanted += [("forward_dev", spec.forward_dev)] if spec.forward_dev else []
        if spec.forward == "bridge" and spec.bridge:
            wanted.append(("bridge", spec.bridge))
        real = sorted(self.net.devices - {"lo"})
        for field, dev in wanted:
            if dev not in self.net.devices:
                shown = sorted(self.net.bridges) if field == "bridge" else real
                raise NotFoundError(
                    self.asked,
                    uri=self.host.label,
                    libvirt_text=f"{field}: the host has no device {dev}",
                    hint=f"it has: {', '.join(shown) or 'none'}",
                )
            # A bridge of Open vSwitch is an ordinary device for the kernel.
            if field == "bridge" and dev not in self.net.bridges and not spec.openvswitch:
                why = "is a device of the host and no bridge"
                hint = f"devices=[{dev!r}] puts guests on it by macvtap"
                raise SpecError(self.asked, [Problem(field, dev, why, hint)])

    def _require_macs(self) -> None:
        """Refuse MAC addresses that belong to somebody else."""
        hosts = [host for one in self.spec.ips for host in one.hosts if host.mac]
        if not hosts and not self.spec.mac:
            return
        owners = Present(self.host).macs
        if self.spec.mac in owners:
            text = f"the MAC address {self.spec.mac} of the bridge belongs to domain "
            raise self._conflict(text + owners[str(self.spec.mac)], "leave it out: one is made")
        refuse_foreign_macs(self.host, self.asked, hosts, owners)

    def _require_files(self) -> None:
        """Refuse a TFTP folder or boot file that is not there."""
        if not self.host.is_local:
            return
        for place, one in enumerate(self.spec.ips):
            if one.tftp_root is None:
                continue
            root = Path(one.tftp_root)
            if not root.is_dir():
                problem = Problem(f"ips[{place}].tftp_root", str(root), "is no folder of the host")
                raise SpecError(self.asked, [problem])
            closed = [
                str(part) for part in (root, *root.parents) if not part.stat().st_mode & 0o001
            ]
            if closed:
                self.warnings.append(
                    f"{closed[-1]} is closed to other users: dnsmasq, which serves {root} as one "
                    "of them, may not reach it"
                )
            remote = one.boot_server is not None or "://" in (one.boot_file or "")
            if one.boot_file and not remote and not (root / one.boot_file.lstrip("/")).is_file():
                why = f"is not in {root}"
                field = f"ips[{place}].boot_file"
                raise SpecError(self.asked, [Problem(field, one.boot_file, why)])

    def _require_vlan(self) -> None:
        spec = self.spec
        tagged = spec.vlan is not None or any(group.vlan for group in spec.portgroups)
        if not tagged or spec.openvswitch or spec.forward in {"hostdev", "passthrough"}:
            return
        on_bridge = spec.forward == "bridge" and spec.bridge is not None
        major = int(self.host.version().daemon.partition(".")[0])
        if on_bridge and major >= _VLAN_ON_BRIDGES:
            return
        raise UnsupportedError(
            self.asked,
            uri=self.host.label,
            libvirt_text="this libvirt tags frames only on Open vSwitch bridges and on virtual "
            "functions (SR-IOV): the network would start, and no guest could be plugged into it",
            hint="openvswitch=True with such a bridge, forward='hostdev', or a bridge of the host "
            "on a VLAN device (eth0.42)",
        )

    def _warn(self) -> None:
        """Say what will work and may surprise."""
        spec = self.spec
        six = [one.interface for one in spec.ips if one.interface.version == 6]
        if six and spec.forward == "nat" and not spec.nat.ipv6:
            self.warnings.append(
                f"{six[0].network} is routed, not translated: the world needs a route back to it; "
                "nat=NatSpec(ipv6=True) translates it"
            )
        odd = [one.network for one in six if one.network.prefixlen != 64]
        if odd:
            self.warnings.append(f"{odd[0]} is no /64: guests cannot configure themselves in it")
        for one in spec.ips:
            if not ipaddress.ip_network(one.interface.network).is_private:
                self.warnings.append(f"{one.interface.network} belongs to the public internet")
        if spec.dnsmasq_options:
            self.warnings.append(
                "dnsmasq's own options are not checked: a wrong one stops the start"
            )
        if self.net is None:
            self.warnings.append(
                "devices and routes of the host cannot be seen from here: only libvirt's own "
                "networks were compared"
            )
