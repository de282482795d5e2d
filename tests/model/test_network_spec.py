"""Networks, pools and volumes that are asked for: bad input and what is made of good."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model import NetworkIp, NetworkSpec, PoolSpec, Size, VolumeSpec
from labvirt.model.xml.network import NetworkXml
from labvirt.model.xml.pool import PoolXml
from labvirt.model.xml.volume import VolumeXml

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
    assert [problem.field for problem in caught.value.problems] == [field]
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


def test_addresses_of_a_network_are_read_in_both_ways_of_writing():
    network = NetworkXml.parse(
        "<network><name>n</name><ip address='192.168.122.1' netmask='255.255.255.0'/>"
        "<ip address='nonsense' prefix='24'/><ip/></network>"
    )
    assert [str(one.interface) for one in network.ips] == ["192.168.122.1/24", "None", "None"]


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
