"""Two definitions of a network: what can change while it runs, what waits for the next start."""

from __future__ import annotations

import pytest

from labvirt.model import DhcpHost, DnsTxt, NetworkSpec, NetworkXml, PortGroup
from labvirt.model.network_sections import LIVE_SECTIONS, entry_changes, later_parts
from labvirt.model.xml.network import ForwardInterfaceXml

MAC = "52:54:00:00:00:0a"


def network(**fields):
    spec = {"name": "n", "ips": [{"address": "10.0.0.1/24"}], **fields}
    return NetworkXml.parse(NetworkSpec(**spec).to_xml())


def changed(change, **fields):
    old, new = network(**fields), network(**fields)
    change(new)
    new = NetworkXml.parse(new.text())
    return [(one.command, one.section, one.place) for one in entry_changes(old, new)], later_parts(
        old, new
    )


def test_the_same_is_no_change():
    assert changed(lambda new: None) == ([], ())


def test_white_space_and_quotes_are_no_change():
    old = network()
    new = NetworkXml.parse(old.text().replace("'", '"').replace("  <ip", "\n\n  <ip"))
    assert list(entry_changes(old, new)) == []
    assert later_parts(old, new) == ()


def test_entries_are_added_changed_and_deleted_live():
    hosts = [{"mac": MAC, "ip": "10.0.0.9"}, {"name": "b", "ip": "10.0.0.8"}]
    fields = {"ips": [{"address": "10.0.0.1/24", "hosts": hosts}], "portgroups": [{"name": "p"}]}

    def change(new):
        new.ips[0].hosts[0].ip = "10.0.0.19"
        new.ips[0].hosts.remove(new.ips[0].hosts[1])
        new.dns_txts.append(DnsTxt(name="a", value="b").view())
        new.portgroups = [PortGroup(name="p", default=True).view(), PortGroup(name="q").view()]

    live, later = changed(change, **fields)
    assert live == [
        ("modify", "ip-dhcp-host", 0),
        ("delete", "ip-dhcp-host", 0),
        ("add", "dns-txt", -1),
        ("modify", "portgroup", -1),
        ("add", "portgroup", -1),
    ]
    assert later == ()


def test_a_txt_record_is_changed_by_two_steps():
    live, later = changed(
        lambda new: setattr(new.dns_txts[0], "value", "c"), dns_txts=[{"name": "a", "value": "b"}]
    )
    assert live == [("delete", "dns-txt", -1), ("add", "dns-txt", -1)]
    assert later == ()


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        ({"mtu": 1400}, ("mtu",)),
        ({"domain": "a.b", "stp": False}, ("bridge", "domain")),
        ({"dns": False}, ("dns",)),
        ({"ipv6": True}, ("network",)),
        ({"dnsmasq_options": ("log-dhcp",)}, ("options",)),
    ],
)
def test_other_parts_wait_for_the_next_start(facts, names):
    assert changed(lambda new: new.set(**facts)) == ([], names)


def test_another_address_waits_with_all_that_is_served_there():
    def change(new):
        new.ips[0].address = "10.0.0.2"
        new.ips[0].hosts.append(DhcpHost(mac=MAC, ip="10.0.0.9").view())

    assert changed(change) == ([], ("ip",))


def test_devices_are_added_live():
    live, later = changed(
        lambda new: new.forward_interfaces.append(ForwardInterfaceXml.new(dev="eth2")),
        forward="private", ips=[], devices=["eth1"],
    )  # fmt: skip
    assert (live, later) == ([("add", "forward-interface", -1)], ())


def test_the_sections_are_those_of_libvirt():
    libvirt = pytest.importorskip("libvirt")
    for name in LIVE_SECTIONS:
        assert hasattr(libvirt, f"VIR_NETWORK_SECTION_{name.upper().replace('-', '_')}")
