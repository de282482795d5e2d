"""Networks under examination, well and ill: real bridges, dnsmasq and rules, broken one by one."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.model import DhcpHost, DhcpRange
from tests.doctor.net.breaking import CARD, SPARE, defined, look, off_domain, virsh

pytestmark = pytest.mark.lab

# -- well -----------------------------------------------------------------------------------


def test_a_healthy_system_host_raises_no_alarm(system, guest):
    report = lv.doctor.examine(
        system, checks=("network.*", "interface.*", "host.default-network", "guest.address",
                        "guest.reachable"),
    )  # fmt: skip
    assert [str(one) for one in report if one.verdict not in {"ok", "n/a"}] == []
    assert report["guest.reachable:nets"].verdict == "ok"
    assert "192.168.177.1" in report["guest.address:nets"].evidence
    assert report[f"interface.tap:nets/{CARD}"].evidence.endswith("asked for is lvsmall")
    assert "these pass" in report["network.firewall:small"].evidence
    assert report.seconds < 3


def test_a_healthy_session_host_raises_no_alarm(alpha):
    domain = alpha.plan(
        lv.DomainSpec(name="quiet", memory="128 MiB", source=lv.TinyGuest())
    ).apply()
    domain.wait_for("agent", timeout_s=90)
    off = "<network><name>asleep</name><bridge name='lvasleep'/><ip address='10.9.8.1'/></network>"
    with defined(alpha, off, "network"):
        report = lv.doctor.examine(
            alpha, checks=("network.*", "interface.*", "host.default-network", "guest.address",
                           "guest.reachable"),
        )  # fmt: skip
    assert [str(one) for one in report if one.verdict not in {"ok", "n/a"}] == []
    assert report["network.active:asleep"].verdict == "n/a"
    assert report["host.default-network"].verdict == "n/a"
    domain.destroy(confirm=True)


# -- as libvirt knows them --------------------------------------------------------------------


def test_a_stopped_network_is_noticed_by_itself_and_by_its_interfaces(system):
    nic = "<interface type='network'><source network='default'/></interface>"
    virsh(system, "net-destroy", "default")
    with defined(system, off_domain("waits", nic)):
        report = lv.doctor.examine(
            system, checks=("network.active", "interface.source", "host.default-network")
        )
        bad = {one.kind: one for one in report.failures}
        assert set(bad) == {"network.active", "interface.source", "host.default-network"}
        assert bad["network.active"].evidence == "not active, autostart on, used by waits"
        assert "waits cannot start" in bad["host.default-network"].cause
        assert "net-start default" in bad["network.active"].remedy
        report.fix("network.active:default").apply()
        assert lv.doctor.examine(system, checks=("network.active", "host.default*")).failures == ()


def test_one_that_nobody_needs_may_rest(system):
    text = "<network><name>idle</name><bridge name='lvidle'/></network>"
    with defined(system, text, "network"):
        assert look(system, "network.active", "idle").verdict == "warning"


def test_an_interface_of_a_network_that_is_not_there(system):
    nic = "<interface type='network'><source network='nowhere'/></interface>"
    with defined(system, off_domain("lost", nic)):
        found = next(one for one in lv.doctor.examine(system, checks=("interface.source",))
                     if one.id.startswith("interface.source:lost"))  # fmt: skip
        assert (found.verdict, "there is no network nowhere" in found.cause) == ("fail", True)
    for bridge, verdict, word in (("br404", "fail", "no bridge br404"),
                                  ("lo", "fail", "no bridge"),
                                  ("virbr1", "warning", "does not know")):  # fmt: skip
        nic = f"<interface type='bridge'><source bridge='{bridge}'/></interface>"
        with defined(system, off_domain("lost", nic)):
            report = lv.doctor.examine(system, checks=("interface.source",))
            found = next(one for one in report if one.id.startswith("interface.source:lost"))
            assert (found.verdict, word in found.cause) == (verdict, True), found
            if found.fix is not None:
                report.fix(found.id).apply()
                nic = system.domains["lost"].xml()
                assert "<source network='isolated'/>" in nic


def test_autostart_is_asked_of_networks_in_use(system, net, guest):
    net.set_autostart(False)
    found = look(system, "network.autostart", "small")
    assert (found.verdict, found.evidence) == ("warning", "autostart off, used by nets")
    found.fix().apply()
    assert look(system, "network.autostart", "small").verdict == "ok"


def test_a_definition_that_differs_from_what_runs_is_shown(system, net):
    net.edit(domain="later.example")
    found = look(system, "network.pending", "small")
    assert (found.verdict, "later.example" in found.evidence) == ("warning", True)
    net.edit(domain=None)
    assert look(system, "network.pending", "small").verdict == "ok"


def test_a_route_into_the_same_addresses_is_a_clash(system, net, shell):
    shell("ip route add 192.168.177.128/25 dev brfab")
    try:
        found = look(system, "network.subnet", "small")
        assert (found.verdict, "192.168.177.128/25 over brfab" in found.evidence) == ("fail", True)
    finally:
        shell("ip route del 192.168.177.128/25 dev brfab")
    shell("ip route add 192.168.176.0/23 dev brfab")  # wider, as of a VPN
    found = look(system, "network.subnet", "small")
    shell("ip route del 192.168.176.0/23 dev brfab")
    assert (found.verdict, "192.168.176.0/23" in found.evidence) == ("warning", True)
    shell("ip route add 192.168.176.0/23 dev brfab")  # wider, as one of a VPN
    found = look(system, "network.subnet", "small")
    shell("ip route del 192.168.176.0/23 dev brfab")
    assert (found.verdict, "192.168.176.0/23" in found.evidence) == ("warning", True)
    text = ("<network><name>twin</name><bridge name='lvtwin'/>"
            "<ip address='192.168.177.1' netmask='255.255.255.0'/></network>")  # fmt: skip
    with defined(system, text, "network"):
        assert look(system, "network.subnet", "twin").verdict == "warning"


# -- served -----------------------------------------------------------------------------------


def test_a_range_without_a_free_address_fails_and_is_widened(system, net, guest):
    assert look(system, "network.range", "small").evidence.startswith("1 of 2 addresses taken")
    leased = {one.address for one in net.leases()}
    free = next(ip for ip in ("192.168.177.10", "192.168.177.11") if ip not in leased)
    kept = DhcpHost(mac=SPARE, ip=free)
    net.add(kept)
    report = lv.doctor.examine(system, checks=("network.range",))
    assert report["network.range:small"].verdict == "fail"
    assert "2 of 2 addresses taken, 0 free" in report["network.range:small"].evidence
    plan = report.fix("network.range:small")
    assert "192.168.177.12" in plan.virsh
    plan.apply()
    assert look(system, "network.range", "small").verdict == "ok"
    added = plan.actions[0]
    assert added.section == "ip-dhcp-range"
    net.remove(kept)
    net.remove(DhcpRange.model_validate("192.168.177.12-192.168.177.254"))


def test_reservations_that_dnsmasq_cannot_keep(system):
    text = (
        "<network><name>odd</name><bridge name='lvodd'/><ip address='10.44.0.1' "
        "netmask='255.255.255.0'><dhcp><range start='10.44.0.2' end='10.44.0.9'/>"
        f"<host mac='{SPARE}' name='far' ip='10.45.0.9'/></dhcp></ip></network>"
    )
    with defined(system, text, "network"):
        found = look(system, "network.reservations", "odd")
        assert (found.verdict, "far: 10.45.0.9" in found.evidence) == ("fail", True)
    with defined(system, text.replace("10.45.0.9", "10.44.0.77"), "network"):
        found = look(system, "network.reservations", "odd")
        assert (found.verdict, "1 reserved; no domain" in found.evidence) == ("ok", True)


def test_a_dead_dnsmasq_is_noticed_and_the_network_restarted(system, net, guest, shell):
    pid = shell("cat /run/libvirt/network/small.pid").strip()
    shell(f"kill -9 {pid}")
    report = lv.doctor.examine(system, checks=("network.dnsmasq", "network.dns"))
    assert {one.id for one in report.failures} == {"network.dnsmasq:small", "network.dns:small"}
    assert f"process {pid}" in report["network.dnsmasq:small"].evidence
    report.fix("network.dnsmasq:small").apply(confirm=True)
    after = lv.doctor.examine(system, checks=("network.dnsmasq", "network.dns", "interface.tap"))
    assert after.failures == ()


def test_a_second_dhcp_server_on_a_bridge_is_counted(system, shell):
    shell("dnsmasq --port=0 --interface=virbr1 --bind-interfaces --except-interface=lo --conf-file=/dev/null "
          "--dhcp-range=192.168.123.50,192.168.123.60 --pid-file=/run/second.pid "
          "--dhcp-leasefile=/run/second.leases --user=root")  # fmt: skip
    try:
        found = look(system, "network.dhcp-once", "isolated")
        assert (found.verdict, found.evidence.count(":67")) == ("fail", 2)
    finally:
        shell("kill $(cat /run/second.pid); rm -f /run/second.pid /run/second.leases")
    assert look(system, "network.dhcp-once", "isolated").verdict == "ok"


# -- the way --------------------------------------------------------------------------------


def test_a_bridge_that_is_off_or_without_its_address(system, shell):
    shell("ip link set virbr1 down")
    found = look(system, "network.bridge", "isolated")
    assert (found.verdict, found.remedy) == ("fail", "ip link set virbr1 up")
    shell("ip link set virbr1 up; ip address del 192.168.123.1/24 dev virbr1")
    found = look(system, "network.bridge", "isolated")
    assert (found.verdict, "lost its address" in found.cause) == ("fail", True)
    shell(found.remedy)
    assert look(system, "network.bridge", "isolated").verdict == "ok"


def test_a_bridge_that_is_gone_comes_back_by_a_restart(system, shell):
    shell("ip link del virbr1")
    found = look(system, "network.bridge", "isolated")
    assert (found.verdict, "no device virbr1" in found.evidence) == ("fail", True)
    found.fix().apply(confirm=True)
    assert look(system, "network.bridge", "isolated").verdict == "ok"


def test_a_card_of_the_host_in_a_bridge_of_libvirt(system, shell):
    # Not every kernel has bonds or VLANs; this is no tap either.
    shell("ip link add lvcard type ifb; ip link set lvcard master virbr1")
    try:
        found = look(system, "network.ports", "isolated")
        assert (found.verdict, found.remedy) == ("fail", "ip link set lvcard nomaster")
    finally:
        shell("ip link del lvcard")
    shell("ip link set eth0 down")
    found = look(system, "network.ports", "fabric")
    shell("ip link set eth0 up; ip route replace default via 10.99.0.1")
    assert (found.verdict, "eth0 has no link" in found.cause) == ("fail", True)


def test_a_network_that_is_bound_to_a_missing_device(system):
    text = ("<network><name>tied</name><forward mode='nat' dev='eth7'/><bridge name='lvtied'/>"
            "<ip address='10.46.0.1' netmask='255.255.255.0'/></network>")  # fmt: skip
    with defined(system, text, "network"):
        found = look(system, "network.device", "tied")
        assert (found.verdict, "no eth7" in found.cause) == ("fail", True)


def test_forwarding_that_was_switched_off(system, shell):
    shell("echo 0 >/proc/sys/net/ipv4/ip_forward")
    try:
        found = look(system, "network.forward", "default")
        assert (found.verdict, found.evidence[:23]) == ("fail", "net.ipv4.ip_forward = 0")
    finally:
        shell("echo 1 >/proc/sys/net/ipv4/ip_forward")
    assert look(system, "network.forward", "default").verdict == "ok"


def test_an_mtu_that_is_not_the_one_asked_for(system, shell):
    shell("ip link set eth0 mtu 1400; ip link set brfab mtu 1500")
    found = look(system, "network.mtu", "fabric")
    shell("ip link set eth0 mtu 1500")
    assert (found.verdict, found.remedy) == ("fail", "ip link set eth0 mtu 1500")
    assert look(system, "network.mtu", "fabric").verdict == "ok"


@pytest.mark.parametrize(
    ("rule", "stopped"),
    [
        ("-I FORWARD 1 -i virbr0 -j DROP", {"packet to the world"}),
        ("-I INPUT 1 -p udp --dport 67 -j REJECT", {"DHCP request"}),
        ("-t raw -I PREROUTING 1 -i virbr0 -j DROP", {"DHCP request"}),
        ("-P FORWARD DROP", set()),
        ("-I FORWARD 1 -i eth7 -j DROP", set()),
        ("-I FORWARD 1 -i virbr0 -m limit --limit 5/sec -j DROP", set()),
    ],
)
def test_foreign_rules_are_blamed_only_for_what_they_stop(system, shell, rule, stopped):
    shell(f"iptables {rule}")
    try:
        bad = [one for one in lv.doctor.examine(system, checks=("network.firewall",)).failures
               if one.id.startswith("network.firewall:default")]  # fmt: skip
        assert {one.id.rpartition(":")[2] for one in bad} == stopped
        for one in bad[:1]:
            shell(one.remedy.partition(";")[0])
            again = lv.doctor.examine(system, checks=("network.firewall",))
            assert again.failures == ()
    finally:
        undone = rule.replace("-I FORWARD 1", "-D FORWARD").replace(
            "-P FORWARD DROP", "-P FORWARD ACCEPT"
        )
        if not stopped:
            shell(f"iptables {undone}")


def test_rules_of_libvirt_that_were_flushed(system, shell):
    saved = shell("iptables-save")
    shell("iptables -t nat -F LIBVIRT_PRT")
    try:
        found = look(system, "network.firewall", "default")
        assert (found.verdict, "MASQUERADE" in found.evidence) == ("fail", True)
        shell("for t in filter mangle; do iptables -t $t -F; done")
        assert look(system, "network.firewall", "isolated").evidence == "no rule names virbr1"
    finally:
        system.facts.run(["sh", "-c", f"iptables-restore <<'END'\n{saved}\nEND"], 20.0)
    assert look(system, "network.firewall", "default").verdict == "ok"
