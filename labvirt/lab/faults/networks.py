"""Faults of virtual networks and of the firewall in front of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import NotFoundError
from labvirt.host.networks.network_plug import replug
from labvirt.lab.faults.registry import Break, fault
from labvirt.model.network_ip import DhcpRange
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from labvirt.host import Host
    from labvirt.lab.faults.scene import Scene

__all__: list[str] = []

SYSTEM: Final = ("system",)
_MIGRATION_PORTS: Final = "49152:49663"


@fault(
    "network-inactive",
    check="network.active",
    of="network",
    backends=SYSTEM,
    guide="G8.1-04",
    also=(
        "host.default-network",
        "interface.source",
    ),
)
class _NetworkInactive(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        if not scene.network.is_active:
            raise scene.refuse(f"network {scene.where['network']} is not active already")
        return {"pairs": _plugged(scene.host, scene.where["network"])}

    def make(self, scene: Scene) -> None:
        scene.network.stop(confirm=True)

    def mend(self, scene: Scene) -> str:
        started = not scene.network.is_active
        if started:
            scene.network.start()
        again = _plug_again(scene)
        if started:
            return f"network {scene.where['network']} is started again"
        return f"guests are plugged into network {scene.where['network']} again" if again else ""


def _plug_again(scene: Scene) -> int:
    """Plug in the guests that were on the network, and are in its bridge no more; how many."""
    bridge = scene.network.info().bridge
    if not bridge:
        return 0
    out = []
    for uuid, mac in scene.memo["pairs"]:
        if uuid not in {one.uuid for one in scene.host.domains if one.is_active}:
            continue
        cards = DomainXml.parse(scene.host.domains[uuid].xml()).interfaces
        tap = next((one.target_dev for one in cards if one.mac == mac), None)
        if tap and not scene.works("test", "-e", f"/sys/class/net/{bridge}/brif/{tap}"):
            out.append((uuid, mac))
    replug(scene.host, scene.where["network"], out)
    return len(out)


def _plugged(host: Host, network: str) -> list[tuple[str, str]]:
    """Return UUID and MAC address of the interfaces of running guests on a network."""
    found = []
    for domain in host.domains:
        if domain.is_active:
            found += [
                (domain.uuid, one.mac or "")
                for one in DomainXml.parse(domain.xml()).interfaces
                if one.source_network == network
            ]
    return found


@fault(
    "dhcp-exhausted",
    check="network.range",
    of="network",
    backends=SYSTEM,
    guide="G16.15-04",
)
class _DhcpExhausted(Break):
    """The range becomes small, and strangers hold all of it; who has an address loses it."""

    def look(self, scene: Scene) -> dict[str, Any]:
        network = scene.network
        document = XmlDoc.parse(network.xml())
        ranges = document.root.findall("ip/dhcp/range")
        bridge = document.root.find("bridge")
        if not ranges or bridge is None or not network.is_active:
            raise scene.refuse(f"network {network.name} is stopped, or hands out no addresses")
        first = ranges[0].get("start", "")
        end = _small(first)
        return {
            "old": [(one.get("start"), one.get("end")) for one in ranges],
            "new": (first, end),
            "status": f"/var/lib/libvirt/dnsmasq/{bridge.get('name')}.status",
            "real": _read_leases(scene, f"/var/lib/libvirt/dnsmasq/{bridge.get('name')}.status"),
            "macs": [f"52:54:00:fa:{number:02x}:01" for number in range(1, 5)],
        }

    def make(self, scene: Scene) -> None:
        memo = scene.memo
        network = scene.network
        first, _end = memo["new"]
        base, _, last = first.rpartition(".")
        small = {f"{base}.{int(last) + number}" for number in range(len(memo["macs"]))}
        # dnsmasq does not start with more leases than its range has addresses.
        leases = [one for one in memo["real"] if one.get("ip-address") in small]
        held = {one.get("ip-address") for one in leases}
        for number, mac in enumerate(memo["macs"]):
            address = f"{base}.{int(last) + number}"
            if address not in held:
                leases.append(
                    {"ip-address": address, "mac-address": mac, "expiry-time": 4102444800}
                )
        _write_leases(scene, leases)
        for start, end in memo["old"]:
            network.remove(DhcpRange(start=start, end=end))
        network.add(DhcpRange(start=memo["new"][0], end=memo["new"][1]))

    def mend(self, scene: Scene) -> str:
        memo = scene.memo
        network = scene.network
        document = XmlDoc.parse(network.xml())
        here = [
            (one.get("start"), one.get("end")) for one in document.root.findall("ip/dhcp/range")
        ]
        old = [tuple(one) for one in memo["old"]]
        leases = _read_leases(scene, memo["status"])
        left = [one for one in leases if one.get("mac-address") not in memo["macs"]]
        if here == old and left == leases:
            return ""
        known = {one.get("mac-address") for one in left}
        taken = {one.get("ip-address") for one in left}
        left += [
            one
            for one in memo["real"]
            if one.get("mac-address") not in known and one.get("ip-address") not in taken
        ]
        _write_leases(scene, left)
        if tuple(memo["new"]) not in here:
            return "the strangers' leases are gone; the range stays as somebody has set it"
        for start, end in set(here) - set(old):
            network.remove(DhcpRange(start=start, end=end))
        for start, end in old:
            if (start, end) not in here:
                network.add(DhcpRange(start=start, end=end))
        return "the range is as wide as it was, and the strangers' leases are gone"


def _small(first: str) -> str:
    base, _, last = first.rpartition(".")
    return f"{base}.{int(last) + 3}"


def _read_leases(scene: Scene, status: str) -> list[dict[str, Any]]:
    text = scene.run("sh", "-c", f"cat {status} 2>/dev/null || true")
    found: list[dict[str, Any]] = json.loads(text) if text.strip() else []
    return found


def _write_leases(scene: Scene, leases: list[dict[str, Any]]) -> None:
    words = ("sh", "-c", f"cat > {scene.memo['status']}")
    scene.run(*words, stdin=json.dumps(leases, indent=1).encode())


class _Rule(Break):
    """A rule in the host's firewall that drops what must pass."""

    def words(self, scene: Scene) -> tuple[str, ...]:
        raise NotImplementedError

    def look(self, scene: Scene) -> dict[str, Any]:
        return {"rule": self.words(scene)}

    def make(self, scene: Scene) -> None:
        scene.run("iptables", "-w", "-I", *scene.memo["rule"])

    def mend(self, scene: Scene) -> str:
        rule = scene.memo["rule"]
        if not scene.works("iptables", "-w", "-C", *rule):
            return ""
        scene.run("iptables", "-w", "-D", *rule)
        return f"the rule is gone: {' '.join(rule)}"


@fault(
    "firewall-drop",
    check="network.firewall",
    of="network",
    backends=SYSTEM,
    guide="G8.2-08",
)
class _FirewallDrop(_Rule):
    def words(self, scene: Scene) -> tuple[str, ...]:
        bridge = scene.network.info().bridge
        if not scene.network.is_active or not bridge:
            raise scene.refuse(f"network {scene.where['network']} has no bridge now")
        return ("INPUT", "-i", bridge, "-p", "udp", "--dport", "67", "-j", "DROP")


@fault(
    "migration-port-closed",
    check="host.migration-ports",
    of="host",
    backends=SYSTEM,
    guide="G10-15",
)
class _MigrationPortClosed(_Rule):
    def words(self, scene: Scene) -> tuple[str, ...]:  # noqa: ARG002 - the same on every host
        return ("INPUT", "-p", "tcp", "--dport", _MIGRATION_PORTS, "-j", "DROP")


@fault(
    "destination-network",
    check="domain.movable",
    of="network",
    backends=SYSTEM,
    guide="G12.3-01",
)
class _DestinationNetwork(Break):
    """The host to which guests would move has no network of that name; `host` is that one."""

    def look(self, scene: Scene) -> dict[str, Any]:
        record = scene.network.info()
        if not record.persistent:
            raise scene.refuse("it is transient, and could not be defined again")
        return {
            "xml": scene.network.xml(inactive=True),
            "active": record.is_active,
            "autostart": bool(record.autostart),
            "pairs": _plugged(scene.host, scene.where["network"]),
        }

    def make(self, scene: Scene) -> None:
        scene.network.undefine(stop=scene.memo["active"], confirm=True)

    def mend(self, scene: Scene) -> str:
        try:
            network = scene.network
        except NotFoundError:
            network = scene.host.define_network(scene.memo["xml"])
            done = f"network {network.name} is defined again"
        else:
            done = ""
        if scene.memo["active"] and not network.is_active:
            network.start()
            done = done or f"network {network.name} is started again"
        if scene.memo["active"] and _plug_again(scene):
            done = done or f"guests are plugged into network {network.name} again"
        if scene.memo["autostart"] and not network.info().autostart:
            network.set_autostart(True)
        return done
