"""Networks, pools and volumes that are asked for: bad input and what is made of good."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.model import (
    Bandwidth,
    DhcpHost,
    DhcpRange,
    DnsForwarder,
    DnsHost,
    DnsSrv,
    DnsTxt,
    FilterUse,
    ForwardDevice,
    NatSpec,
    NetworkIp,
    NetworkSpec,
    NwFilterSpec,
    NwRule,
    PoolSpec,
    PortGroup,
    RouteSpec,
    Size,
    VlanSpec,
    VolumeSpec,
)
from labvirt.model.xml.network import NetworkXml
from labvirt.model.xml.pool import PoolXml
from labvirt.model.xml.volume import VolumeXml

M1 = "52:54:00:00:00:01"
NAT = {"name": "n", "ips": ["192.168.100.1/24"]}

BAD = [
    (NetworkSpec, {**NAT, "name": "a b"}, "name"),
    (NetworkSpec, {"name": "n"}, "ips"),
    (NetworkSpec, {**NAT, "forward": "natt"}, "forward"),
    (NetworkSpec, {**NAT, "bridge": "a-name-that-is-too-long"}, "bridge"),
    (NetworkSpec, {**NAT, "bridge": "br 0"}, "bridge"),
    (NetworkSpec, {"name": "n", "forward": "bridge"}, "bridge"),
    (NetworkSpec, {**NAT, "forward": "bridge", "bridge": "br0"}, "ips"),
    (NetworkSpec, {**NAT, "forward": "isolated", "forward_dev": "eth0"}, "forward_dev"),
    (NetworkSpec, {**NAT, "mac": "01:00:5e:00:00:01"}, "mac"),
    (NetworkSpec, {**NAT, "mtu": 10}, "mtu"),
    (NetworkSpec, {**NAT, "delay_s": -1}, "delay_s"),
    (NetworkSpec, {**NAT, "domain": "<lab>"}, "domain"),
    (NetworkSpec, {"name": "n", "ips": ["192.168.100.0/24"]}, "ips[0].address"),
    (NetworkSpec, {"name": "n", "ips": ["192.168.100.1"]}, "ips[0].address"),
    (NetworkSpec, {"name": "n", "ips": ["192.168.100.1/33"]}, "ips[0].address"),
    (NetworkSpec, {"name": "n", "ips": ["nonsense"]}, "ips[0].address"),
    (NetworkSpec, {"name": "n", "ips": ["10.0.0.1/32"]}, "ips[0].address"),
    (
        NetworkSpec,
        {"name": "n", "ips": ["10.0.0.1/24", {"address": "10.0.0.2/16", "dhcp": False}]},
        "ips[1]",
    ),
    (NetworkSpec, {"name": "n", "ips": ["10.0.0.1/24", "10.1.0.1/24"]}, "ips"),
    (NetworkIp, {"address": "10.0.0.1/24", "dhcp_start": "10.0.0.9"}, "dhcp_end"),
    (
        NetworkIp,
        {"address": "10.0.0.1/24", "dhcp_start": "10.0.0.9", "dhcp_end": "10.0.0.8"},
        "dhcp_end",
    ),
    (
        NetworkIp,
        {"address": "10.0.0.1/24", "dhcp_start": "10.0.1.9", "dhcp_end": "10.0.0.8"},
        "dhcp_start",
    ),
    (
        NetworkIp,
        {"address": "10.0.0.1/24", "dhcp_start": "x", "dhcp_end": "10.0.0.8"},
        "dhcp_start",
    ),
    (NetworkIp, {"address": "10.0.0.1/24", "dhcp": False, "boot_file": "x"}, "dhcp"),
    (NetworkIp, {"address": "10.0.0.1/24", "boot_server": "10.0.0.1"}, "boot_file"),
    (NetworkIp, {"address": "10.0.0.1/24", "tftp_root": "tftp"}, "tftp_root"),
    (
        NetworkIp,
        {"address": "10.0.0.1/24", "hosts": [{"mac": "52:54:00:00:00:01", "ip": "10.9.0.5"}]},
        "hosts[0].ip",
    ),
    (
        NetworkIp,
        {"address": "10.0.0.1/24", "dhcp_start": "10.0.0.1", "dhcp_end": "10.0.0.9"},
        "dhcp_start",
    ),
    (
        NetworkIp,
        {"address": "10.0.0.5/24", "dhcp_start": "10.0.0.1", "dhcp_end": "10.0.0.9"},
        "dhcp_start",
    ),
    (
        NetworkIp,
        {"address": "10.0.0.1/24", "more_ranges": ["10.0.0.9-10.0.0.12"]},
        "more_ranges[0]",
    ),
    (
        NetworkIp,
        {"address": "10.0.0.1/24", "more_ranges": ["10.0.1.9-10.0.1.12"]},
        "more_ranges[0].start more_ranges[0].end",
    ),
    (NetworkIp, {"address": "10.0.0.1/24", "lease_s": 60}, "lease_s"),
    (NetworkIp, {"address": "10.0.0.1/24", "lease_s": -1}, "lease_s"),
    (NetworkIp, {"address": "fd00::1/64", "boot_file": "x"}, "boot_file"),
    (
        NetworkIp,
        {"address": "10.0.0.1/24", "hosts": [{"mac": M1, "ip": "10.0.0.1"}]},
        "hosts[0].ip",
    ),
    (
        NetworkIp,
        {
            "address": "10.0.0.1/24",
            "hosts": [{"mac": M1, "ip": "10.0.0.5"}, {"mac": M1, "ip": "10.0.0.6"}],
        },
        "hosts[1].mac",
    ),
    (
        NetworkIp,
        {
            "address": "10.0.0.1/24",
            "hosts": [{"mac": M1, "ip": "10.0.0.5"}, {"name": "b", "ip": "10.0.0.5"}],
        },
        "hosts[1].ip",
    ),
    (
        NetworkIp,
        {
            "address": "10.0.0.1/24",
            "hosts": [{"name": "b", "ip": "10.0.0.5"}, {"name": "b", "ip": "10.0.0.6"}],
        },
        "hosts[1].name",
    ),
    (NetworkIp, {"address": "10.0.0.1/24", "reserved_only": True}, "hosts"),
    (
        NetworkIp,
        {
            "address": "10.0.0.1/24",
            "reserved_only": True,
            "dhcp_start": "10.0.0.2",
            "dhcp_end": "10.0.0.9",
        },
        "reserved_only",
    ),
    (DhcpHost, {"ip": "10.0.0.5"}, "mac"),
    (DhcpHost, {"ip": "fd00::5"}, "id"),
    (DhcpHost, {"ip": "fd00::5", "mac": M1}, "mac"),
    (DhcpHost, {"ip": "10.0.0.5", "id": "00:01:02:03"}, "id"),
    (DhcpHost, {"ip": "fd00::5", "id": "zz"}, "id"),
    (DhcpRange, {"start": "10.0.0.9", "end": "10.0.0.2"}, "end"),
    (DhcpRange, {"start": "10.0.0.9", "end": "fd00::1"}, "end"),
    (DhcpRange, {"start": "10.0.0.9", "end": "10.9.0.2"}, "end"),
    (NatSpec, {"start": "1.2.3.4"}, "end"),
    (NatSpec, {"start": "1.2.3.4", "end": "1.2.3.3"}, "end"),
    (NatSpec, {"start": "fd00::1", "end": "fd00::2"}, "start end"),
    (NatSpec, {"first_port": 5}, "last_port"),
    (NatSpec, {"first_port": 5, "last_port": 4}, "last_port"),
    (DnsForwarder, {}, "address"),
    (DnsHost, {"ip": "10.0.0.1", "names": []}, "names"),
    (DnsHost, {"ip": "10.0.0.1", "names": ["a b"]}, "names[0]"),
    (DnsTxt, {"name": "a", "value": "b\nc"}, "value"),
    (DnsSrv, {"service": "_ldap"}, "service"),
    (DnsSrv, {"service": "ldap", "target": "a"}, "port"),
    (DnsSrv, {"service": "ldap", "port": 5}, "target"),
    (DnsSrv, {"service": "ldap", "protocol": "icmp"}, "protocol"),
    (Bandwidth, {"average": 0}, "average"),
    (Bandwidth, {"average": 9, "peak": 5}, "peak"),
    (VlanSpec, {"tags": []}, "tags"),
    (VlanSpec, {"tags": [0]}, "tags[0]"),
    (VlanSpec, {"tags": [4095]}, "tags[0]"),
    (VlanSpec, {"tags": [5, 5]}, "tags"),
    (VlanSpec, {"tags": [5, 6], "native": 7}, "native"),
    (VlanSpec, {"tags": [5], "native": 5}, "native"),
    (PortGroup, {"name": "a b"}, "name"),
    (ForwardDevice, {"dev": "a-name-that-is-too-long"}, "dev"),
    (RouteSpec, {"network": "10.9.0.1/16", "gateway": "10.0.0.2"}, "network"),
    (RouteSpec, {"network": "10.9.0.0/16", "gateway": "fd00::2"}, "gateway"),
    (NetworkSpec, {**NAT, "nat": {"ipv6": True}}, "nat.ipv6"),
    (NetworkSpec, {**NAT, "forward": "route", "nat": {"ipv6": True}}, "nat nat.ipv6"),
    (NetworkSpec, {**NAT, "devices": ["eth0"]}, "devices"),
    (NetworkSpec, {**NAT, "pf": "eth0"}, "pf"),
    (NetworkSpec, {**NAT, "openvswitch": True}, "openvswitch"),
    (NetworkSpec, {**NAT, "domain_local": True}, "domain"),
    (NetworkSpec, {**NAT, "dns": False, "dns_txts": [{"name": "a", "value": "b"}]}, "dns"),
    (
        NetworkSpec,
        {**NAT, "routes": [{"network": "10.9.0.0/16", "gateway": "10.0.0.2"}]},
        "routes[0].gateway",
    ),
    (NetworkSpec, {**NAT, "portgroups": [{"name": "a"}, {"name": "a"}]}, "portgroups[1].name"),
    (
        NetworkSpec,
        {**NAT, "portgroups": [{"name": "a", "default": True}, {"name": "b", "default": True}]},
        "portgroups",
    ),
    (
        NetworkSpec,
        {
            **NAT,
            "dns_hosts": [{"ip": "10.0.0.1", "names": ["a"]}, {"ip": "10.0.0.2", "names": ["a"]}],
        },
        "dns_hosts[1].names",
    ),
    (NetworkSpec, {"name": "n", "ips": ["fd00::1/64"], "mtu": 1000}, "mtu"),
    (
        NetworkSpec,
        {"name": "n", "forward": "bridge", "bridge": "br0", "devices": ["eth0"]},
        "bridge",
    ),
    (NetworkSpec, {"name": "n", "forward": "private"}, "devices"),
    (NetworkSpec, {"name": "n", "forward": "vepa", "devices": ["e"], "bridge": "br0"}, "bridge"),
    (NetworkSpec, {"name": "n", "forward": "hostdev"}, "pf"),
    (NetworkSpec, {"name": "n", "forward": "hostdev", "pf": "e", "pci": ["0000:03:10.0"]}, "pf"),
    (NetworkSpec, {"name": "n", "forward": "hostdev", "pci": ["3:10.0"]}, "pci[0]"),
    (
        NetworkSpec,
        {
            "name": "n",
            "forward": "bridge",
            "bridge": "br0",
            "domain": "a",
            "dnsmasq_options": ["x"],
        },
        "domain dnsmasq_options",
    ),
    (NwFilterSpec, {"name": "a b"}, "name"),
    (NwFilterSpec, {"name": "a", "chain": "nonsense"}, "chain"),
    (NwFilterSpec, {"name": "a", "priority": 5000}, "priority"),
    (NwRule, {"action": "drop", "match": {"srcipaddr": "$IP"}}, "protocol"),
    (NwRule, {"action": "drop", "protocol": "ip", "match": {"SRC": "$IP"}}, "match.SRC.[key]"),
    (FilterUse, {"filter": "a", "parameters": {"IP": ["a b"]}}, "parameters.IP[0]"),
    (PoolSpec, {"name": "p", "path": "relative"}, "path"),
    (PoolSpec, {"name": "p", "path": "/"}, "path"),
    (PoolSpec, {"name": "a/b", "path": "/p"}, "name"),
    (PoolSpec, {"name": "p", "path": "/p", "mode": "rwx"}, "mode"),
    (PoolSpec, {"name": "p", "path": "/p", "owner": -1}, "owner"),
    (PoolSpec, {"name": "p", "path": "/p", "kind": "sheepdog"}, "kind"),
    (VolumeSpec, {"name": "v"}, "capacity"),
    (VolumeSpec, {"name": "v", "capacity": "0 b"}, "capacity"),
    (VolumeSpec, {"name": "v", "capacity": "-1"}, "capacity"),
    (VolumeSpec, {"name": "v", "capacity": "12 parsecs"}, "capacity"),
    (VolumeSpec, {"name": "v", "capacity": 5}, "capacity"),
    (VolumeSpec, {"name": "../v", "capacity": "1 GiB"}, "name"),
    (VolumeSpec, {"name": "v", "capacity": "1 GiB", "format": "vmdk"}, "format"),
    (VolumeSpec, {"name": "v", "capacity": "1 GiB", "allocation": "2 GiB"}, "allocation"),
    (VolumeSpec, {"name": "v", "capacity": "1 GiB", "backing_path": "/b"}, "backing_format"),
    (VolumeSpec, {"name": "v", "capacity": "1 GiB", "backing_format": "raw"}, "backing_path"),
    (
        VolumeSpec,
        {"name": "v", "format": "raw", "backing_path": "/b", "backing_format": "raw"},
        "format",
    ),
]


@pytest.mark.parametrize(
    ("cls", "fields", "field"), BAD, ids=[f"{n}-{row[2]}" for n, row in enumerate(BAD)]
)
def test_bad_input_is_one_error_that_names_the_field(cls, fields, field):
    with pytest.raises(SpecError) as caught:
        cls(**fields)
    assert [problem.field for problem in caught.value.problems] == field.split()
    assert caught.value.problems[0].why


def test_dhcp_hands_out_all_addresses_that_are_free():
    def handed(address):
        return NetworkIp(address=address).range

    assert handed("192.168.1.1/24") == ("192.168.1.2", "192.168.1.254")
    assert handed("192.168.1.254/24") == ("192.168.1.1", "192.168.1.253")
    assert handed("192.168.1.100/24") == ("192.168.1.101", "192.168.1.254")
    assert handed("10.0.0.1/8") == ("10.0.0.2", "10.0.255.255")
    assert handed("10.0.0.1/30") == ("10.0.0.2", "10.0.0.2")
    assert handed("fd00::1/64") == ("fd00::2", "fd00::ffff")
    assert NetworkIp(address="10.0.0.1/24", dhcp=False).range is None


def test_a_network_says_what_it_was_asked_to():
    asked = NetworkSpec(
        name="n",
        forward="route",
        ips=["10.1.0.1/24", "fd00::1/64"],
        dns=False,
        domain="lab.example",
    )
    network = NetworkXml.parse(asked.to_xml())
    assert (network.name, network.forward_mode, network.dns) == ("n", "route", False)
    assert [str(one.interface) for one in network.ips] == ["10.1.0.1/24", "fd00::1/64"]
    assert network.ips[0].ranges[0].start == "10.1.0.2"


def test_short_forms():
    ip = NetworkIp(address="10.0.0.1/24", more_ranges=["10.0.0.200"], dhcp_start="10.0.0.2",
                   dhcp_end="10.0.0.9", lease_s=0)  # fmt: skip
    assert [(one.start, one.end, one.lease_s) for one in ip.ranges] == [
        ("10.0.0.2", "10.0.0.9", 0),
        ("10.0.0.200", "10.0.0.200", None),
    ]
    spec = NetworkSpec(
        name="n", forward="bridge", bridge="br0", openvswitch=True, vlan=42, outbound=5
    )
    assert spec.vlan == VlanSpec(tags=(42,))
    assert spec.outbound == Bandwidth(average=5)
    assert spec.limits
    assert not NetworkSpec(**NAT).limits
    use = FilterUse.model_validate({"filter": "a", "parameters": {"IP": "10.0.0.1"}})
    assert use.parameters == {"IP": ("10.0.0.1",)}


def test_a_network_that_serves_reserved_addresses_only_stays_so():
    spec = NetworkSpec(
        name="n",
        ips=[
            {
                "address": "10.0.0.1/24",
                "reserved_only": True,
                "hosts": [{"mac": M1, "ip": "10.0.0.5"}],
            }
        ],
    )
    assert "<range" not in spec.to_xml()
    assert NetworkSpec.from_xml(spec.to_xml()).ips == spec.ips


def test_lease_times_are_read_in_every_unit():
    ip = "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.9'>{}</range></dhcp></ip>"
    for lease, seconds in (
        ("<lease expiry='2' unit='hours'/>", 7200),
        ("<lease expiry='5'/>", 300),
        ("<lease expiry='0'/>", 0),
        ("", None),
    ):
        spec = NetworkSpec.from_xml(f"<network><name>n</name>{ip.format(lease)}</network>")
        assert spec.ips[0].lease_s == seconds


def test_a_network_without_forward_element_is_isolated():
    def forward(inner):
        return NetworkXml.parse(f"<network><name>n</name>{inner}</network>").forward

    assert forward("") == "isolated"
    assert forward("<forward/>") == "nat"
    assert forward("<forward mode='vepa'/>") == "vepa"


def test_addresses_of_a_network_are_read_in_both_ways_of_writing():
    network = NetworkXml.parse(
        "<network><name>n</name><ip address='192.168.122.1' netmask='255.255.255.0'/>"
        "<ip address='nonsense' prefix='24'/><ip/></network>"
    )
    assert [str(one.interface) for one in network.ips] == ["192.168.122.1/24", "None", "None"]


_WORD = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
_DEVICE = st.from_regex(r"[a-z][a-z0-9]{0,14}", fullmatch=True)
_MAC = st.builds("52:54:00:{:02x}:{:02x}:{:02x}".format, *[st.integers(0, 255)] * 3)
_RATE = st.one_of(st.none(), st.integers(1, 9999), st.builds(dict, average=st.integers(1, 99)))


def optional(strategy):
    return st.one_of(st.none(), strategy)


def _ip(number, length, macs, **served):
    network = ipaddress.ip_network((0x0A000000 + number * 65536, length))
    hosts = [
        {"mac": mac, "ip": str(network[place + 2])} for place, mac in enumerate(dict.fromkeys(macs))
    ]
    return {"address": f"{network[1]}/{length}", "hosts": hosts, **served}


_IPS = st.lists(
    st.builds(
        _ip,
        st.integers(0, 200),
        st.integers(16, 27),
        st.lists(_MAC, max_size=4),
        lease_s=optional(st.sampled_from([0, 120, 3600])),
        local_ptr=st.booleans(),
        tftp_root=optional(st.just("/srv/tftp & more")),
        boot_file=optional(_WORD),
    ),
    min_size=1,
    max_size=1,
)
_SPECS = st.builds(
    dict,
    name=_WORD,
    forward=st.sampled_from(["nat", "route", "open", "isolated"]),
    bridge=optional(_DEVICE),
    stp=st.booleans(),
    delay_s=st.integers(0, 30),
    mtu=optional(st.integers(68, 9000)),
    mac=optional(_MAC),
    domain=optional(_WORD.map(lambda word: f"{word}.example")),
    dns_txts=st.lists(st.builds(dict, name=_WORD, value=st.text("a <&'\"é", min_size=1)), max_size=2),
    dns_srvs=st.lists(
        st.builds(dict, service=st.from_regex(r"[a-z]{1,9}", fullmatch=True), target=_WORD,
                  port=st.integers(1, 65535), priority=optional(st.integers(0, 65535))),
        max_size=2,
    ),
    ips=_IPS,
    inbound=_RATE,
    outbound=_RATE,
    port_isolated=st.booleans(),
    portgroups=st.lists(
        st.builds(dict, name=_DEVICE, inbound=_RATE, trust_guest_rx_filters=st.booleans()),
        max_size=3, unique_by=lambda group: group["name"],
    ),
    dnsmasq_options=st.lists(st.text("a=,<&'\" ", min_size=1), max_size=2),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(fields=_SPECS)
def test_every_network_is_valid_for_libvirt_and_read_back_as_it_was_asked_for(fields, schema):
    spec = NetworkSpec(**fields)
    xml = spec.to_xml()
    assert schema.check(xml, "network") == ()
    again = NetworkSpec.from_xml(xml)
    assert again.to_xml() == xml
    assert NetworkXml.parse(xml).text() == xml


def test_a_pool_and_a_volume_say_what_they_were_asked_to():
    pool = PoolXml.parse(PoolSpec(name="p", path="/a b", mode="0711", owner=5, group=6).to_xml())
    assert (pool.type, pool.path, pool.mode, pool.owner, pool.group) == (
        "dir",
        "/a b",
        "0711",
        "5",
        "6",
    )
    volume = VolumeXml.parse(VolumeSpec(name="v.qcow2", capacity="2 GiB").to_xml())
    assert volume.capacity == Size.parse("2 GiB")
    assert volume.allocation == 0
    raw = VolumeXml.parse(VolumeSpec(name="v.img", capacity="2 GiB", format="raw").to_xml())
    assert raw.allocation == raw.capacity


def test_a_live_volume_and_pool_are_read_with_their_units():
    volume = VolumeXml.parse(
        "<volume type='file'><name>v</name><key>/p/v</key><capacity unit='bytes'>1048576</capacity>"
        "<physical>196616</physical><target><path>/p/v</path><format type='qcow2'/></target></volume>"
    )
    assert (volume.capacity, volume.physical, volume.path) == (Size(2**20), Size(196616), "/p/v")
    pool = PoolXml.parse("<pool type='dir'><name>p</name><capacity unit='G'>3</capacity></pool>")
    assert pool.capacity == Size.parse("3 GiB")
