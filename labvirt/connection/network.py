"""Virtual networks: reading, defining, starting, stopping, and their DHCP leases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import is_code
from labvirt.connection.handles import SLOW_S, bits, find_uuid, flag, on_network
from labvirt.connection.xmlfacts import element_text
from labvirt.status.network import LeaseRecord, NetworkRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from labvirt.connection.connection import Connection

__all__ = [
    "create",
    "define",
    "find",
    "leases",
    "list_all",
    "read",
    "set_autostart",
    "start",
    "stop",
    "undefine",
    "update",
    "xml",
]


def list_all(conn: Connection, known: Iterable[NetworkRecord] = ()) -> tuple[NetworkRecord, ...]:
    """Read every network of the host, active or not (``virsh net-list --all``, G15-42).

    Args:
        conn: the connection.
        known: records that events have kept up to date. What of a network needs its XML is taken
            from them; without them every network costs one call more.
    """
    kept = {record.uuid: record for record in known}
    records = conn.call("list networks", lambda raw: tuple(_all(raw, conn.now(), kept)))
    for record in records:
        conn.learn(record.uuid, record.name)
    return records


def _all(raw: Any, now: datetime, known: Mapping[str, NetworkRecord]) -> Iterator[NetworkRecord]:
    try:
        networks = raw.listAllNetworks(0)
        # What is true of each is asked for all at once: the daemon filters.
        active, persistent, autostart = (
            {one.UUIDString() for one in raw.listAllNetworks(bits)}
            for bits in (
                libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE,
                libvirt.VIR_CONNECT_LIST_NETWORKS_PERSISTENT,
                libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART,
            )
        )
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT"):
            return  # this driver has no networks
        raise
    for network in networks:
        uuid = network.UUIDString()
        seen = known.get(uuid)
        try:
            forward, bridge = (seen.forward, seen.bridge) if seen else _facts(network)
        except libvirt.libvirtError as error:
            if not is_code(error, "NO_NETWORK"):
                raise
            continue
        yield NetworkRecord(
            uuid=uuid,
            name=network.name(),
            is_active=uuid in active,
            persistent=uuid in persistent,
            autostart=uuid in autostart,
            bridge=bridge,
            forward=forward,
            read_at=now,
        )


def _facts(network: Any) -> tuple[str, str]:
    """Return forward mode and bridge."""
    xml = network.XMLDesc(0)
    bridge, forward, mode = element_text(xml, "bridge@name", "forward", "forward@mode")
    return ((mode or forward or "nat") if "<forward" in xml else "isolated"), bridge


def _record(network: Any, now: datetime) -> NetworkRecord:
    forward, bridge = _facts(network)
    return NetworkRecord(
        uuid=network.UUIDString(),
        name=network.name(),
        is_active=bool(network.isActive()),
        persistent=bool(network.isPersistent()),
        autostart=bool(network.isPersistent() and network.autostart()),
        bridge=bridge,
        forward=forward,
        read_at=now,
    )


def read(conn: Connection, uuid: str) -> NetworkRecord:
    """Read one network.

    Raises:
        NotFoundError: it is gone.
    """
    record = on_network(conn, uuid, "read", lambda network: _record(network, conn.now()))
    conn.learn(record.uuid, record.name)
    return record


def find(conn: Connection, key: str) -> str:
    """Return the UUID of the network with a name or a UUID, dashed or not (G15-48).

    Raises:
        NotFoundError: there is none; suggests the nearest name and the right case.
    """
    return find_uuid(
        conn,
        key,
        "network",
        by_name=lambda raw, name: raw.networkLookupByName(name),
        by_uuid=lambda raw, text: raw.networkLookupByUUIDString(text),
        by_id=None,
        names=lambda raw: [network.name() for network in raw.listAllNetworks(0)],
        missing="NO_NETWORK",
    )


def xml(conn: Connection, uuid: str, *, inactive: bool = False) -> str:
    """Return a network's XML (``virsh net-dumpxml``, G15-43).

    Args:
        conn: the connection.
        uuid: which network.
        inactive: what it will be at its next start, instead of what it is.
    """
    flags = bits(NETWORK_XML_INACTIVE=inactive)
    return on_network(conn, uuid, "read the XML of", lambda network: str(network.XMLDesc(flags)))


def define(conn: Connection, xml: str) -> str:
    """Store a network's definition, checked against libvirt's schema (G15-46).

    Returns:
        Its UUID.

    Raises:
        SpecError: libvirt does not accept the XML.
        ConflictError: the name, the UUID or the bridge is taken.
    """
    flags = flag("NETWORK_DEFINE_VALIDATE")
    return _made(conn, "define a network", lambda raw: raw.networkDefineXMLFlags(xml, flags))


def create(conn: Connection, xml: str) -> str:
    """Start a transient network, gone when it stops, checked against libvirt's schema (G15-45).

    Returns:
        Its UUID.
    """
    flags = flag("NETWORK_CREATE_VALIDATE")
    return _made(conn, "create a network", lambda raw: raw.networkCreateXMLFlags(xml, flags))


def _made(conn: Connection, asked: str, fn: Any) -> str:
    def make(raw: Any) -> tuple[str, str]:
        network = fn(raw)
        return network.UUIDString(), network.name()

    uuid, name = conn.call(asked, make, timeout_s=SLOW_S)
    conn.learn(uuid, name)
    return uuid


def start(conn: Connection, uuid: str) -> None:
    """Start a network that is defined (G15-49).

    Raises:
        ConflictError: it is active, or its bridge or address is in use.
    """
    on_network(conn, uuid, "start", lambda network: network.create())


def stop(conn: Connection, uuid: str) -> None:
    """Stop a network; its definition stays, a transient one is gone (G15-47)."""
    on_network(conn, uuid, "stop", lambda network: network.destroy())


def undefine(conn: Connection, uuid: str) -> None:
    """Remove a network's definition; an active one goes on as transient (G15-50)."""
    on_network(conn, uuid, "undefine", lambda network: network.undefine())


def set_autostart(conn: Connection, uuid: str, on: bool) -> None:  # noqa: FBT001 - the value itself
    """Start a network with the host's daemon, or no longer (G15-44)."""
    on_network(conn, uuid, "set autostart of", lambda network: network.setAutostart(int(on)))


#: The words of ``virsh net-update`` for what is changed and where.
_COMMANDS = {
    "add": libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
    "delete": libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE,
    "modify": libvirt.VIR_NETWORK_UPDATE_COMMAND_MODIFY,
}
_SECTIONS = {
    "ip-dhcp-host": libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST,
    "ip-dhcp-range": libvirt.VIR_NETWORK_SECTION_IP_DHCP_RANGE,
    "forward-interface": libvirt.VIR_NETWORK_SECTION_FORWARD_INTERFACE,
    "portgroup": libvirt.VIR_NETWORK_SECTION_PORTGROUP,
    "dns-host": libvirt.VIR_NETWORK_SECTION_DNS_HOST,
    "dns-txt": libvirt.VIR_NETWORK_SECTION_DNS_TXT,
    "dns-srv": libvirt.VIR_NETWORK_SECTION_DNS_SRV,
}


def update(
    conn: Connection,
    uuid: str,
    command: str,
    section: str,
    xml: str,
    *,
    place: int = -1,
    live: bool = False,
    config: bool = False,
) -> None:
    """Change one entry of a network while it runs (``virsh net-update``).

    Args:
        conn: the connection.
        uuid: which network.
        command: ``add``, ``delete`` or ``modify``.
        section: ``ip-dhcp-host``, ``ip-dhcp-range``, ``forward-interface``, ``portgroup``,
            ``dns-host``, ``dns-txt`` or ``dns-srv``; libvirt knows no others.
        xml: the entry.
        place: which ``<ip>`` it belongs to, from 0; -1 lets libvirt choose.
        live: change what runs.
        config: change the definition.

    Raises:
        ConflictError: the entry exists already, or does not exist, or the network is not active.
        UnsupportedError: libvirt cannot do this to this section.
    """
    flags = bits(NETWORK_UPDATE_AFFECT_LIVE=live, NETWORK_UPDATE_AFFECT_CONFIG=config)
    words = (_COMMANDS[command], _SECTIONS[section], place, xml, flags)
    on_network(conn, uuid, f"{command} {section} of", lambda network: network.update(*words))


def leases(conn: Connection, uuid: str, *, mac: str | None = None) -> tuple[LeaseRecord, ...]:
    """Return the DHCP leases of a network.

    Args:
        conn: the connection.
        uuid: which network.
        mac: only those of this hardware address.
    """
    told = on_network(conn, uuid, "read the leases of", lambda network: network.DHCPLeases(mac, 0))
    return tuple(_lease(found) for found in told)


def _lease(found: dict[str, Any]) -> LeaseRecord:
    expires = found.get("expirytime") or 0
    return LeaseRecord(
        mac=(found.get("mac") or "").lower(),
        family="ipv6" if found.get("type") == libvirt.VIR_IP_ADDR_TYPE_IPV6 else "ipv4",
        address=found.get("ipaddr") or "",
        prefix=found.get("prefix") or 0,
        hostname=found.get("hostname") or "",
        client_id=found.get("clientid") or "",
        expires_at=datetime.fromtimestamp(expires, UTC) if expires > 0 else None,
    )
