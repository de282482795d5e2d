"""Interfaces and addresses of guests, well and ill, on a system host."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.doctor import check_guest_net
from labvirt.model import FilterUse, NwFilterSpec, NwRule
from labvirt.model.xml.domain import DomainXml
from tests.doctor.net.breaking import CARD, defined, look, off_domain, virsh

pytestmark = pytest.mark.lab

NIC = f"nets/{CARD}"


@pytest.fixture
def mute(system, net):
    """A running domain without a system, and without the card's own boot code: it never asks."""
    nic = (
        "<interface type='network'><source network='small'/><model type='virtio'/>"
        "<rom enabled='no'/></interface><channel type='unix'>"
        "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    )
    with defined(system, off_domain("mute", nic)) as name:
        domain = system.domains[name]
        domain.start()
        yield domain
        domain.destroy(confirm=True)


def tap(domain):
    return domain.xml().partition("<target dev='")[2].partition("'")[0]


def test_a_pulled_cable_is_noticed_and_plugged_in(system, guest, shell):
    guest.update(CARD, link_up=False)
    report = lv.doctor.examine(system, checks=("interface.link",))
    found = report[f"interface.link:{NIC}"]
    assert (found.verdict, found.evidence) == ("fail", "link state='down'")
    assert look(system, "interface.lease", NIC).verdict == "n/a"
    report.fix(found.id).apply()
    assert look(system, "interface.link", NIC).verdict == "ok"
    shell(f"ip link set {tap(guest)} down")
    found = look(system, "interface.link", NIC)
    assert (found.verdict, "on the host" in found.cause) == ("fail", True)
    shell(found.remedy)


def test_a_tap_in_no_bridge_is_noticed_and_the_guest_out_of_reach(system, guest, shell):
    name = tap(guest)
    shell(f"ip link set {name} nomaster; ip neigh flush dev lvsmall")
    try:
        found = look(system, "interface.tap", NIC)
        assert found.verdict == "fail"
        assert found.evidence == f"{name} is in no bridge, asked for is lvsmall"
        away = look(system, "guest.reachable", "nets")
        assert away.verdict in {"fail", "n/a", "unknown"}
        assert "no answer" in away.evidence or "does not answer" in away.evidence
    finally:
        shell(found.remedy)
    assert look(system, "interface.tap", NIC).verdict == "ok"


def test_an_mtu_that_differs_along_the_way(system, guest, shell):
    name = tap(guest)
    shell(f"ip link set {name} mtu 1400")
    found = look(system, "interface.mtu", NIC)
    shell(found.remedy)
    assert (found.verdict, f"{name} 1400" in found.evidence) == ("fail", True)
    assert look(system, "interface.mtu", NIC).verdict == "ok"


@pytest.mark.slow(seconds=9)
def test_a_filter_that_stops_everything_or_only_a_wrong_address(system, guest):
    every = system.define_nwfilter(
        NwFilterSpec(name="shut", rules=[NwRule(action="drop", direction="inout")])
    )
    only = system.define_nwfilter(
        NwFilterSpec(name="mine", rules=[NwRule(action="drop", direction="out", protocol="ip",
                                                negate=True, match={"srcipaddr": "$IP"})])
    )  # fmt: skip
    own = guest.addresses()[0].address
    try:
        guest.set_filter(CARD, "shut")
        bad = lv.doctor.examine(system, checks=("interface.filter",))
        told = {one.id.rpartition(":")[2] for one in bad.failures}
        assert told == {"DHCP request of the guest", "ARP request of the guest",
                        "packet of the guest", "packet to the guest"}  # fmt: skip
        assert "shut: drop inout" in bad.failures[0].evidence
        guest.set_filter(CARD, FilterUse(filter="mine", parameters={"IP": [own, "0.0.0.0"]}))
        assert look(system, "interface.filter", NIC).verdict == "ok"
        guest.set_filter(CARD, FilterUse(filter="mine", parameters={"IP": ["10.1.1.1"]}))
        bad = lv.doctor.examine(system, checks=("interface.filter",))
        told = {one.id.rpartition(":")[2] for one in bad.failures}
        assert told == {"DHCP request of the guest", "packet of the guest"}
        bad.failures[0].fix().apply()
        assert look(system, "interface.filter", NIC).verdict == "n/a"
    finally:
        guest.set_filter(CARD, None)
        every.undefine(confirm=True)
        only.undefine(confirm=True)


def test_a_guest_without_a_lease(system, mute, shell, monkeypatch):
    found = [one for one in lv.doctor.examine(system, checks=("interface.lease", "guest.address"))
             if "mute" in one.id]  # fmt: skip
    assert {one.verdict for one in found} == {"n/a"}
    assert all("has run for" in one.evidence for one in found)
    monkeypatch.setattr(check_guest_net, "YOUNG_S", 0)
    found = {one.kind: one for one in
             lv.doctor.examine(system, checks=("interface.lease", "guest.address"))
             if "mute" in one.id}  # fmt: skip
    assert {one.verdict for one in found.values()} == {"warning"}
    assert "does not ask" in found["interface.lease"].cause
    assert "not connected" in found["guest.address"].evidence
    name = next(one.id for one in found.values() if one.kind == "interface.lease").partition(":")[2]
    shell("iptables -I INPUT 1 -i lvsmall -p udp --dport 67 -j DROP")
    try:
        assert "-i lvsmall" in look(system, "interface.lease", name).cause
    finally:
        shell("iptables -D INPUT -i lvsmall -p udp --dport 67 -j DROP")
    shell("kill -9 $(cat /run/libvirt/network/small.pid)")
    assert "DHCP server" in look(system, "interface.lease", name).cause
    system.networks["small"].restart(confirm=True)


def test_cards_and_addresses_of_a_definition(system, guest):
    nic = (f"<interface type='network'><mac address='{CARD}'/><source network='small'/>"
           "<model type='e1000'/><bandwidth><inbound average='64'/></bandwidth></interface>")  # fmt: skip
    with defined(system, off_domain("old", nic)):
        report = lv.doctor.examine(system, checks=("interface.*",))
        mine = {one.kind: one for one in report if one.id.endswith(f"old/{CARD}")}
        assert mine["interface.model"].verdict == "warning"
        assert (mine["interface.mac"].verdict, "nets" in mine["interface.mac"].cause) == (
            "warning",
            True,
        )
        assert mine["interface.bandwidth"].verdict == "warning"
        report.fix(mine["interface.model"].id).apply()
        assert look(system, "interface.model", f"old/{CARD}").verdict == "ok"
        mine["interface.bandwidth"].fix().apply()
        assert look(system, "interface.bandwidth", f"old/{CARD}").verdict == "n/a"


def test_addresses_that_no_card_may_have(ask):
    for mac, word in (("01:00:5e:00:00:01", "multicast"), ("00:00:00:00:00:00", "no address")):
        text = off_domain("m", f"<interface type='user'><mac address='{mac}'/></interface>")
        document = DomainXml.parse(text)
        owner = SimpleNamespace(name="m", uuid="u")
        (found,) = ask("interface.mac", owner=owner, thing=document.element.find("devices/interface"),
                       facts={("document", "u", False): document, "plugs": (), "networks": []})  # fmt: skip
        assert (found.verdict, word in found.cause) == ("fail", True)


def test_a_bridge_that_only_the_next_start_will_miss(system, guest):
    before = guest.xml(inactive=True)
    wrong = before.replace("type='network'>", "type='bridge'>", 1).replace(
        "<source network='small'/>", "<source bridge='br404'/>"
    )
    virsh(system, "define", "/dev/stdin", text=wrong)
    try:
        bad = lv.doctor.examine(system, checks=("interface.*",)).failures
        assert [one.id for one in bad] == [f"interface.source:{NIC}:next start"]
        assert "no bridge br404" in bad[0].cause
    finally:
        virsh(system, "define", "/dev/stdin", text=before)
    assert look(system, "interface.source", NIC).verdict == "ok"


def test_a_network_that_stops_under_a_running_guest(system, net, guest, shell):
    virsh(system, "net-destroy", "small")
    report = lv.doctor.examine(system, checks=("network.*", "interface.*", "guest.address"))
    assert {one.id for one in report.failures} == {
        "network.active:small",
        f"interface.source:{NIC}",
    }
    report.fix("network.active:small").apply()
    after = lv.doctor.examine(system, checks=("network.*", "interface.*"))
    assert [one.id for one in after.failures] == [f"interface.tap:{NIC}"]
    shell(after.failures[0].remedy)
    assert lv.doctor.examine(system, checks=("network.*", "interface.*")).failures == ()
