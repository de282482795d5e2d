"""Networks and interfaces that no lab can have: machines and definitions made for the question."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network
from types import SimpleNamespace

import pytest

from labvirt.doctor.netfacts import Link, Listener, NetFacts
from labvirt.errors import UnsupportedError
from labvirt.model.xml.domain import DomainXml
from labvirt.model.xml.text import XmlDoc
from labvirt.status import DomainState, LeaseRecord, NetworkRecord

MAC = "52:54:00:00:00:07"


def network(inner="", forward="nat", *, on=True, bridge="virbr0", name="n"):
    record = NetworkRecord(f"u-{name}", name, on, True, True, bridge, forward, datetime.now(UTC))
    made = SimpleNamespace(name=name, uuid=record.uuid, info=lambda: record, xml=str, leases=list,
                           restart=SimpleNamespace(plan=None))  # fmt: skip
    facts = {("network", record.uuid): record, "networks": [made], "plugs": (),
             ("network xml", record.uuid): XmlDoc.parse(f"<network><name>{name}</name>{inner}</network>")}  # fmt: skip
    return made, facts


def host(uri="/system", daemon="9.0.0", lab=""):
    return SimpleNamespace(
        name="fake",
        connection=SimpleNamespace(uri=SimpleNamespace(path=uri)),
        facts=SimpleNamespace(lab=lab),
        version=lambda: SimpleNamespace(daemon=daemon),
        ensure_network=SimpleNamespace(plan=None),
    )


def net_of(*links, **more):
    return NetFacts({one.name: one for one in links}, **more)


def nic_case(inner, *, kind="network", state=DomainState.RUNNING):
    text = (f"<domain type='qemu'><name>g</name><devices><interface type='{kind}'>"
            f"<mac address='{MAC}'/>{inner}</interface></devices></domain>")  # fmt: skip
    document = DomainXml.parse(text)
    record = SimpleNamespace(state=state, persistent=False)
    facts = {("document", "u", False): document, ("record", "u"): record}
    owner = SimpleNamespace(name="g", uuid="u", info=lambda: record, xml=lambda **_: text)
    return {"owner": owner, "thing": document.element.find("devices/interface")}, facts


def test_a_host_without_a_default_network(ask):
    assert [one.verdict for one in ask("host.default-network", host=host("/session"))] == ["n/a"]
    (found,) = ask("host.default-network", host=host(), facts={"networks": [], "plugs": ()})
    assert (found.verdict, "libvirt-daemon-config-network" in found.remedy) == ("warning", True)
    _, facts = network(name="other")
    (found,) = ask("host.default-network", host=host(), facts=facts)
    assert (found.verdict, "active: other" in found.evidence) == ("ok", True)


@pytest.mark.parametrize(
    ("inner", "forward", "daemon", "verdict"),
    [
        ("", "nat", "9.0.0", "n/a"),
        ("<vlan><tag id='42'/></vlan>", "bridge", "9.0.0", "fail"),
        ("<vlan><tag id='42'/></vlan>", "bridge", "11.2.0", "ok"),
        ("<vlan><tag id='42'/></vlan><virtualport type='openvswitch'/>", "bridge", "9.0.0", "ok"),
        ("<portgroup name='a'><vlan><tag id='7'/></vlan></portgroup>", "nat", "11.0.0", "fail"),
    ],
)
def test_tags_need_a_switch_that_takes_them(ask, inner, forward, daemon, verdict):
    made, facts = network(inner, forward)
    (found,) = ask("network.vlan", host=host(daemon=daemon), facts=facts, thing=made)
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("address", "switches", "verdict"),
    [
        ("fd00:1::1/64", {"virbr0/disable_ipv6": "0"}, "ok"),
        ("fd00:1::1/64", {"virbr0/disable_ipv6": "1"}, "fail"),
        ("fd00:1::1/64", {"virbr0/disable_ipv6": "0", "eth0/accept_ra": "1"}, "warning"),
        ("fd00:1::1/64", {"virbr0/disable_ipv6": "0", "eth0/accept_ra": "2"}, "ok"),
        ("fd00:1::1/80", {"virbr0/disable_ipv6": "0"}, "warning"),
        ("10.1.1.1/24", {}, "n/a"),
        ("fd00:1::1/64", {}, "unknown"),
    ],
)
def test_ipv6_that_cannot_work(ask, machine, address, switches, verdict):
    ip, _, prefix = address.partition("/")
    family = "ipv6" if ":" in ip else "ipv4"
    made, facts = network(f"<ip family='{family}' address='{ip}' prefix='{prefix}'/>")
    facts["network facts"] = net_of(routes=((ip_network("::/0"), "eth0"),))
    files = {f"/proc/sys/net/ipv6/conf/{key}": value for key, value in switches.items()}
    (found,) = ask("network.ipv6", machine(files), facts=facts, thing=made)
    assert found.verdict == verdict


IP = "<ip address='192.168.122.1' prefix='24'><dhcp><range start='192.168.122.2' end='192.168.122.9'/></dhcp></ip>"


@pytest.mark.parametrize(
    ("sockets", "verdict", "word"),
    [
        ([("udp", "192.168.122.1", "", 53)], "ok", "asks 1.1.1.1"),
        ([("udp", "0.0.0.0", "", 53)], "fail", "another server"),
        ([("udp", "10.0.0.1", "", 53)], "fail", "nobody listens"),
        ([], "unknown", "ss told nothing"),
    ],
)
def test_who_answers_names(ask, sockets, verdict, word):
    made, facts = network(IP)
    facts["network facts"] = net_of(listeners=tuple(Listener(*one) for one in sockets),
                                    resolvers=("1.1.1.1",))  # fmt: skip
    (found,) = ask("network.dns", host=host(), facts=facts, thing=made)
    assert (found.verdict, word in found.evidence) == (verdict, True)


def test_names_outside_need_a_server(ask):
    made, facts = network(IP)
    facts["network facts"] = net_of(listeners=(Listener("udp", "192.168.122.1", "", 53),))
    assert ask("network.dns", host=host(), facts=facts, thing=made)[0].verdict == "warning"
    assert ask("network.dns", host=host(lab="x"), facts=facts, thing=made)[0].verdict == "ok"


def test_a_machine_without_a_way_out(ask):
    made, facts = network(IP)
    facts["network facts"] = net_of(forwarding={"ipv4/all": True, "ipv4/virbr0": True})
    (found,) = ask("network.forward", host=host(), facts=facts, thing=made)
    assert (found.verdict, "no default route" in found.cause) == ("warning", True)


def test_a_card_in_a_bridge_of_libvirt_and_none_in_one_of_the_host(ask):
    made, facts = network(IP)
    plugged = Link("eth1", master="virbr0")
    facts["network facts"] = net_of(
        Link("virbr0", "bridge"), plugged, Link("vnet0", "tun", master="virbr0")
    )
    (found,) = ask("network.ports", facts=facts, thing=made)
    assert (found.verdict, found.remedy) == ("fail", "ip link set eth1 nomaster")
    made, facts = network("", "bridge", bridge="br0")
    facts["network facts"] = net_of(Link("br0", "bridge"), Link("vnet0", "tun", master="br0"))
    assert ask("network.ports", facts=facts, thing=made)[0].verdict == "warning"


def test_macvtap_keeps_host_and_guest_apart(ask):
    for mode, verdict in (("vepa", "warning"), ("bridge", "ok"), ("private", "ok")):
        case, facts = nic_case(f"<source dev='eth0' mode='{mode}'/>", kind="direct")
        (found,) = ask("interface.direct", facts=facts, **case)
        assert found.verdict == verdict
    case, facts = nic_case("<source bridge='br0'/>", kind="bridge")
    assert ask("interface.direct", facts=facts, **case)[0].verdict == "n/a"


def test_devices_that_an_interface_needs(ask):
    case, facts = nic_case("<source dev='eth0' mode='bridge'/>", kind="direct")
    for links, verdict in (((Link("eth0"),), "ok"), ((Link("eth0", up=False),), "fail"),
                           ((Link("lo"),), "fail")):  # fmt: skip
        told = {**facts, "network facts": net_of(*links)}
        (found,) = ask("interface.source", facts=told, **case)
        assert found.verdict == verdict


def test_a_guest_that_does_not_take_its_frames(ask):
    case, facts = nic_case("<target dev='vnet0'/>")
    for dropped, verdict in ((0, "ok"), (900, "ok"), (50_000, "warning")):
        link = Link("vnet0", "tun", tx_packets=100_000, tx_dropped=dropped)
        (found,) = ask("interface.errors", facts={**facts, "network facts": net_of(link)}, **case)
        assert found.verdict == verdict


def test_an_address_that_somebody_took_by_hand(ask):
    made, facts = network(IP)
    lease = LeaseRecord(MAC, "ipv4", "192.168.122.5", 24, "", "", None)
    facts[("leases", made.uuid)] = [lease]
    case, more = nic_case("<source network='n'/>")
    for seen, verdict in ((MAC, "ok"), ("52:54:00:99:99:99", "fail")):
        told = {**facts, **more,
                "network facts": net_of(neighbours=((seen, "192.168.122.5", "REACHABLE"),))}  # fmt: skip
        (found,) = ask("interface.address", facts=told, **case)
        assert found.verdict == verdict


@pytest.mark.parametrize(
    ("nic", "asked", "tap", "bridge", "card", "verdict"),
    [
        ("", "", 1500, 1500, 1500, "ok"),
        ("", "", 9000, 9000, 9000, "ok"),
        ("<mtu size='9000'/>", "", 9000, 9000, 9000, "ok"),
        ("<mtu size='1400'/>", "<mtu size='1400'/>", 1400, 1400, 1400, "ok"),
        ("<mtu size='1400'/>", "<mtu size='1500'/>", 1400, 1500, 1500, "fail"),
        ("<mtu size='9000'/>", "", 9000, 1500, 1500, "fail"),
        ("<mtu size='1400'/>", "", 1400, 1500, 1500, "fail"),
        ("", "", 1400, 1400, 1500, "fail"),
        ("", "", 1500, 1300, 1500, "fail"),
    ],
)
def test_every_part_of_the_way_counts(ask, nic, asked, tap, bridge, card, verdict):
    _, facts = network(asked, "bridge", bridge="br0")
    case, more = nic_case(f"<source network='n'/><target dev='vnet0'/>{nic}")
    told = net_of(Link("br0", "bridge", mtu=bridge), Link("vnet0", "tun", mtu=tap, master="br0"),
                  Link("eth0", mtu=card, master="br0"))  # fmt: skip
    (found,) = ask("interface.mtu", facts={**facts, **more, "network facts": told}, **case)
    assert found.verdict == verdict, found


@pytest.mark.parametrize(
    ("out", "code", "age", "verdict"),
    [
        ("ping\n", 0, 500, "ok"),
        ("refused\n", 0, 500, "ok"),
        ("192.168.122.5 dev virbr0 FAILED\n", 3, 500, "fail"),
        ("192.168.122.5 dev virbr0 INCOMPLETE\n", 3, 500, "fail"),
        ("192.168.122.5 dev virbr0 INCOMPLETE\n", 3, 5, "n/a"),
        (f"192.168.122.5 dev virbr0 lladdr {MAC} REACHABLE\n", 3, 500, "unknown"),
    ],
)
def test_what_counts_as_an_answer(ask, machine, out, code, age, verdict):
    made, facts = network(IP)
    facts[("leases", made.uuid)] = [LeaseRecord(MAC, "ipv4", "192.168.122.5", 24, "", "", None)]
    case, more = nic_case("<source network='n'/>")
    link = Link("virbr0", "bridge", addresses=("192.168.122.1/24",))
    facts["network facts"] = net_of(link, ages={"u": age})
    (found,) = ask("guest.reachable", machine({}, {"sh": (code, out, "")}), facts={**facts, **more},
                   thing=case["owner"])  # fmt: skip
    assert found.verdict == verdict


def test_a_far_host_without_a_shell_is_asked_what_libvirt_knows(ask):
    made, facts = network(IP)
    case, more = nic_case("<source network='n'/>")
    lease = LeaseRecord(MAC, "ipv4", "192.168.122.5", 24, "", "", None)
    facts = {**facts, **more, ("leases", made.uuid): [lease]}
    far = host()
    far.is_local = False
    far.label = "far"
    far.connection.uri = SimpleNamespace(path="/system", effective_transport="tls", user="", host="f",
                                         port=None)  # fmt: skip
    for key in ("interface.source", "interface.link", "interface.lease", "interface.mac"):
        (found,) = ask(key, host=far, facts=facts, **case)
        assert found.verdict == "ok", (key, found)
    assert ask("guest.address", host=far, facts=facts, thing=case["owner"])[0].verdict == "ok"
    with pytest.raises(UnsupportedError):  # an examination makes "unknown" of it
        ask("network.bridge", host=far, facts=facts, thing=made)
