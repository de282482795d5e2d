"""A network's XML as the spec that asks for it, as far as a spec can say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labvirt.model.xml.network import (
        BandwidthXml,
        DhcpHostXml,
        DhcpRangeXml,
        NetworkIpXml,
        NetworkXml,
        PortGroupXml,
        VlanXml,
    )

__all__ = ["network_fields"]

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600, None: 60}


def network_fields(document: NetworkXml) -> dict[str, Any]:
    """Return the fields of a `NetworkSpec` for a network; what no field speaks of is left out.

    Raises:
        SpecError: a value cannot be read.
    """
    found = {
        **_plain(document),
        **_devices(document),
        "nat": _given(
            start=document.nat_start,
            end=document.nat_end,
            first_port=document.nat_port_start,
            last_port=document.nat_port_end,
            ipv6=document.nat_ipv6,
        ),
        "dns_forwarders": [
            _given(address=one.address, domain=one.domain) for one in document.dns_forwarders
        ],
        "dns_hosts": [{"ip": one.ip, "names": one.names} for one in document.dns_hosts],
        "dns_txts": [{"name": one.name, "value": one.value} for one in document.dns_txts],
        "dns_srvs": [
            _given(**{name: getattr(one, name) for name in type(one).FACTS})
            for one in document.dns_srvs
        ],
        "ips": [_ip(one) for one in document.ips if one.interface is not None],
        "routes": [
            _given(
                network=f"{one.address}/{one.netmask or one.prefix or ''}".rstrip("/"),
                gateway=one.gateway,
                metric=one.metric,
            )
            for one in document.routes
        ],
        "portgroups": [_group(one) for one in document.portgroups],
        "dnsmasq_options": document.dnsmasq_options,
        **_limits(document.bandwidths),
        **_vlan(document.vlans),
    }
    return {name: value for name, value in found.items() if value not in (None, [], {}, ())}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(document: NetworkXml) -> dict[str, Any]:
    names = (
        *("name", "uuid", "ipv6", "forward_dev", "bridge", "stp", "delay_s", "zone", "mtu", "mac"),
        *("domain", "domain_local", "dns", "port_isolated"),
    )
    found = _given(**{name: getattr(document, name) for name in names})
    found["forward"] = document.forward
    if document.port_type == "openvswitch":
        found["openvswitch"] = True
    return found


def _devices(document: NetworkXml) -> dict[str, Any]:
    addresses = [
        "{:04x}:{:02x}:{:02x}.{:x}".format(
            *(int(part or "0", 0) for part in (one.domain, one.bus, one.slot, one.function))
        )
        for one in document.forward_addresses
    ]
    pf = document.forward_pf
    return {
        "devices": [one.dev for one in document.forward_interfaces if pf is None],
        "pf": pf,
        "pci": addresses if pf is None else [],
    }


def _lease(one: DhcpRangeXml | DhcpHostXml) -> int | None:
    return None if one.lease is None else one.lease * _SECONDS[one.lease_unit]


def _ip(view: NetworkIpXml) -> dict[str, Any]:
    ranges = list(view.ranges)
    first = ranges[0] if ranges else None
    found = _given(
        address=str(view.interface),
        dhcp_start=first.start if first else None,
        dhcp_end=first.end if first else None,
        lease_s=_lease(first) if first else None,
        local_ptr=view.local_ptr,
        tftp_root=view.tftp_root,
        boot_file=view.boot_file,
        boot_server=view.boot_server,
    )
    found["dhcp"] = bool(ranges or len(view.hosts))
    found["reserved_only"] = bool(len(view.hosts) and not ranges)
    found["more_ranges"] = [
        _given(start=one.start, end=one.end, lease_s=_lease(one)) for one in ranges[1:]
    ]
    found["hosts"] = [
        _given(mac=one.mac, id=one.id, name=one.name, ip=one.ip, lease_s=_lease(one))
        for one in view.hosts
    ]
    return {name: value for name, value in found.items() if value != []}


def _limits(views: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    view: BandwidthXml
    for view in views:
        for field, side in (("inbound", "in"), ("outbound", "out")):
            parts = ("average", "peak", "burst")
            given = _given(**{name: getattr(view, f"{side}_{name}") for name in parts})
            if given:
                found[field] = given
    return found


def _vlan(views: Any) -> dict[str, Any]:
    view: VlanXml
    for view in views:
        native = next((tag.id for tag in view.tags if tag.native == "untagged"), None)
        return {"vlan": _given(tags=[tag.id for tag in view.tags], native=native)}
    return {}


def _group(view: PortGroupXml) -> dict[str, Any]:
    return {
        **_given(
            name=view.name,
            default=view.default,
            trust_guest_rx_filters=view.trust_guest_rx_filters,
        ),
        **_limits(view.bandwidths),
        **_vlan(view.vlans),
    }
