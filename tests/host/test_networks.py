"""Virtual networks on real hosts: made, changed while they run, seen by virsh, stopped, undone."""

from __future__ import annotations

import datetime as dt
import ipaddress
import subprocess
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import (
    AccessDeniedError,
    ConfirmationError,
    ConflictError,
    NotFoundError,
    PlanError,
    SpecError,
    UnsupportedError,
)
from labvirt.model import (
    DhcpHost,
    DhcpRange,
    DnsHost,
    DnsSrv,
    DnsTxt,
    ForwardDevice,
    NetworkSpec,
    NetworkXml,
    PortGroup,
)

pytestmark = pytest.mark.lab

WEB = "52:54:00:00:0a:01"
FAR = "52:54:00:00:0b:01"


@pytest.fixture(autouse=True)
def no_networks_left(request):
    """Remove the networks that a test made; those of the module's own guest stay."""
    yield
    if "wide" not in request.fixturenames:
        return
    for host in request.getfixturevalue("wide"):
        for network in host.networks:
            if network.name in {"default", "isolated", "fabric", "lan"}:
                continue
            record = network.info()
            if record.persistent:
                network.undefine(stop=True, confirm=True)
            else:
                network.stop(confirm=True)


def shell(domain, text):
    return domain.run(["/bin/sh", "-c", text]).stdout


def static(domain, device, address):
    """Give a card an address by hand; its DHCP client would take it away again."""
    shell(
        domain,
        f"kill $(ps | grep '[u]dhcpc.*{device}' | sed 's/^ *//; s/ .*//'); "
        f"ip link set {device} up; ip addr add {address} dev {device}",
    )


def virsh(host, *words):
    done = subprocess.run(
        ["virsh", "-c", host.uri, *words], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(claim, what, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not (seen := claim()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.1)
    return seen


# -- made -----------------------------------------------------------------------------------


def test_a_plan_defines_starts_and_autostarts_and_virsh_sees_the_same(host, lan):
    record = lan.info()
    assert (record.is_active, record.persistent, record.autostart) == (True, True, True)
    told = virsh(host, "net-info", "lan")
    assert f"UUID:           {lan.uuid}" in told
    assert told.count("yes") == 3
    assert f"Bridge:         {record.bridge}" in told
    assert virsh(host, "net-dumpxml", "lan").strip() == lan.xml().strip()
    document = NetworkXml.parse(lan.xml())
    assert document.dnsmasq_options == ("dhcp-option=option:ntp-server,192.168.150.1",)
    assert (document.domain, document.domain_local) == ("lab.example", True)
    assert document.ips[0].ranges[0].lease == 600
    assert lan.pending == ""
    assert lan.name in host.networks.df["name"].to_list()


def test_the_same_spec_is_the_same_xml_for_virsh_and_for_labvirt(host):
    spec = NetworkSpec(name="both", ips=["10.44.0.1/24"], mtu=1400, bridge="lvboth")
    network = host.plan(spec, start=False, autostart=False).apply()
    ours = NetworkXml.parse(network.xml())
    network.undefine(confirm=True)
    subprocess.run(
        ["virsh", "-c", host.uri, "net-define", "/dev/stdin"],
        input=spec.to_xml(), text=True, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    theirs = NetworkXml.parse(virsh(host, "net-dumpxml", "both"))
    for document in (ours, theirs):
        document.set(uuid="4dea22b3-1d52-d8f3-2516-782e98ab3fa0", mac="52:54:00:00:00:01")
    assert ours.doc.pretty == theirs.doc.pretty


def test_a_network_is_read_as_a_spec_and_made_again_elsewhere(host, lan):
    spec = NetworkSpec.from_xml(lan.xml(inactive=True))
    assert spec.domain == "lab.example"
    assert spec.ips[0].hosts[0].name == "web1"
    free = host.free_subnet()
    copy = spec.replace(
        name="copy", uuid=None, mac=None, bridge=None, dns_hosts=(), dnsmasq_options=(),
        ips=[{"address": f"{free[1]}/24", "reserved_only": True,
              "hosts": [{"mac": "52:54:00:00:0a:44", "ip": str(free[44])}]}],
    )  # fmt: skip
    assert host.plan(copy).apply().is_active


def test_a_network_of_virsh_is_edited_without_loss(host):
    xml = (
        "<network>\n  <name>foreign</name>\n"
        "  <metadata><x:y xmlns:x='urn:x'>kept</x:y></metadata>\n"
        "  <bridge name='lvfor' macTableManager='libvirt'/>\n"
        "  <ip address='10.45.0.1' netmask='255.255.255.0' localPtr='yes'/>\n</network>\n"
    )
    subprocess.run(
        ["virsh", "-c", host.uri, "net-define", "/dev/stdin"],
        input=xml, text=True, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    network = host.networks["foreign"]
    before = network.xml().splitlines()
    plan = network.edit.plan(mtu=1300, domain="for.example")
    assert [line for line in plan.diff.splitlines() if line[0] in "+-" and line[1] != line[0]] == [
        '+  <mtu size="1300"/>' if '"' in before[2] else "+  <mtu size='1300'/>",
        "+  <domain name='for.example'/>",
    ]
    plan.apply()
    after = network.xml().splitlines()
    assert set(before) < set(after)
    assert len(after) == len(before) + 2
    assert "kept" in network.xml()
    network.edit(mtu=None, domain=None)
    assert network.xml().splitlines() == before


def test_a_transient_network_is_gone_when_it_stops(host):
    network = host.plan(NetworkSpec(name="brief", forward="isolated"), transient=True).apply()
    assert not network.info().persistent
    with pytest.raises(ConflictError, match="transient"):
        network.set_autostart()
    with pytest.raises(ConflictError, match="transient"):
        network.edit(mtu=1300)
    with pytest.raises(ConfirmationError, match="brief itself"):
        network.stop()
    network.stop(confirm=True)
    assert "brief" not in host.networks


@pytest.mark.parametrize(
    "fields",
    [
        {"forward": "route", "ips": ["10.46.0.1/24", "fd00:46::1/64"]},
        {"forward": "open", "ips": ["10.46.0.1/24"]},
        {"forward": "isolated", "ipv6": True},
        {"forward": "isolated", "ips": ["10.46.0.1/24"], "port_isolated": True, "mtu": 1400},
        {"forward": "bridge", "bridge": "brfab"},
        {"forward": "bridge", "devices": ["brfab"]},
        {"forward": "private", "devices": ["brfab"]},
        {
            "forward": "nat",
            "forward_dev": "brfab",
            "ips": ["10.46.0.1/24", "fd00:46::1/64"],
            "nat": {"start": "10.99.0.77", "end": "10.99.0.78", "first_port": 2000,
                    "last_port": 3000, "ipv6": True},
            "dns_forwarders": ["10.99.0.1"],
            "dns_txts": [{"name": "a.lab", "value": "words"}],
            "routes": [{"network": "10.47.0.0/24", "gateway": "10.46.0.9"}],
        },
    ],
    ids=lambda fields: f"{fields['forward']}-{len(fields)}",
)  # fmt: skip
def test_every_kind_of_network_starts(host, fields):
    spec = NetworkSpec(name="kind", stp=False, **fields)
    network = host.plan(spec, autostart=False).apply()
    assert network.is_active
    assert network.pending == ""
    assert network.info().forward == fields["forward"]


def test_a_plan_that_fails_leaves_nothing(host):
    spec = NetworkSpec(name="half", ips=["10.48.0.1/24"], dnsmasq_options=["no-such-option=1"])
    plan = host.plan(spec)
    assert "not checked" in plan.warnings[0]
    with pytest.raises(PlanError, match="start network half failed") as caught:
        plan.apply()
    assert caught.value.undone
    assert "half" not in host.networks


def test_a_network_that_another_process_left_half_made_is_removed(host, tmp_path):
    from labvirt.connection import network as calls
    from labvirt.host.networks.network_actions import DefineNetwork
    from labvirt.plan import Crash

    plan = host.plan(NetworkSpec(name="torn", ips=["10.49.0.1/24"]))
    define = plan.actions[0]
    record = define.to_record()
    assert record.pop("kind") == "define-network"
    calls.define(host.connection, define.xml)
    calls.start(host.connection, define.uuid)
    DefineNetwork(**record).undo(host, Crash(dt.datetime.now(dt.UTC), finished=True))
    assert "torn" not in host.networks


# -- refused --------------------------------------------------------------------------------


def refused(host, error, match, **fields):
    before = host.networks.names
    with pytest.raises(error, match=match) as caught:
        host.plan(NetworkSpec(**{"name": "new", **fields}))
    assert host.networks.names == before
    return caught.value


def test_overlaps_are_refused_with_a_free_subnet(host, lan):
    error = refused(host, ConflictError, "of network lan", ips=["192.168.150.129/25"])
    free = ipaddress.ip_network(error.hint.split(" is free")[0])
    assert free.prefixlen == 25
    error = refused(host, ConflictError, "10.99.0.0/24 of the route over brfab", ips=["10.0.0.1/8"])
    error = refused(host, ConflictError, "fd00:150::/64", ips=["fd00:150::5/80"], forward="open")
    assert "/80 is free" in error.hint
    offered = host.free_subnet()
    network = host.plan(NetworkSpec(name="offered", ips=[f"{offered[1]}/24"])).apply()
    assert network.is_active
    assert host.free_subnet() != offered
    assert host.free_subnet(version=6).prefixlen == 64
    with pytest.raises(SpecError, match="version"):
        host.free_subnet(version=5)


def test_names_bridges_and_devices_that_are_taken_or_missing(host, lan):
    refused(host, ConflictError, "network lan exists already", name="lan", forward="isolated")
    refused(host, ConflictError, "belongs to network lan", forward="isolated", uuid=lan.uuid)
    bridge = lan.info().bridge
    refused(
        host, ConflictError, f"{bridge} belongs to network lan", forward="isolated", bridge=bridge
    )
    refused(host, ConflictError, "belongs to network fabric", forward="isolated", bridge="brfab")
    refused(host, ConflictError, "a device eth0 already", forward="isolated", bridge="eth0")
    error = refused(host, NotFoundError, "no device br9", forward="bridge", bridge="br9")
    assert "brfab" in error.hint
    refused(host, NotFoundError, "no device eth9", forward="vepa", devices=["eth9"])
    refused(host, NotFoundError, "no device eth9", forward="hostdev", pf="eth9")
    refused(host, NotFoundError, "no device eth9", forward_dev="eth9", ips=["10.50.0.1/24"])
    error = refused(host, SpecError, "no bridge", forward="bridge", bridge="eth0")
    assert "macvtap" in str(error)


def test_macs_of_guests_are_not_taken(host, web):
    refused(host, ConflictError, "belongs to domain web1", forward="isolated", mac=WEB)
    other = {"mac": FAR, "ip": "10.50.0.9", "name": "web1"}
    assert host.plan(NetworkSpec(name="x", ips=[{"address": "10.50.0.1/24", "hosts": [other]}]))
    quiet = lv.DomainSpec(name="db1", memory="32 MiB", interfaces=["network:isolated"])
    db = host.plan(quiet, start=False).apply()
    try:
        hosts = [{**other, "name": "db1"}]
        refused(
            host, ConflictError, "reserved for db1, belongs to web1",
            ips=[{"address": "10.50.0.1/24", "hosts": hosts}],
        )  # fmt: skip
    finally:
        db.undefine(confirm=True)


def test_what_this_libvirt_or_kernel_lacks_is_said(host, wide):
    error = refused(
        host, UnsupportedError, "Open vSwitch", forward="bridge", bridge="brfab", vlan=5
    )
    assert "hostdev" in error.hint
    for fields, why in (
        ({"forward": "hostdev", "pf": "eth0"}, "no virtual functions"),
        ({"ips": ["10.50.0.1/24"], "zone": "public"}, "start firewalld"),
    ):
        with pytest.raises(PlanError, match="start network new failed") as caught:
            host.plan(NetworkSpec(name="new", **fields)).apply()
        assert why in caught.value.hint
        assert "new" not in host.networks
    limits = " ".join(str(limit) for limit in wide.limits)
    if "bandwidth" not in limits:
        pytest.skip("this kernel can limit bandwidth")
    refused(host, UnsupportedError, "the host lacks", ips=["10.50.0.1/24"], inbound=100)
    with pytest.raises(UnsupportedError, match="the host lacks"):
        host.networks["isolated"].set_bandwidth(inbound=100)


def test_a_tftp_folder_and_boot_file_must_be_there(host, tmp_path):
    ip = {"address": "10.50.0.1/24", "tftp_root": str(tmp_path / "none")}
    refused(host, SpecError, "no folder", ips=[ip])
    ip = {**ip, "tftp_root": str(tmp_path), "boot_file": "a.ipxe"}
    refused(host, SpecError, "boot_file = 'a.ipxe': is not in", ips=[ip])
    (tmp_path / "a.ipxe").touch()
    host.plan(NetworkSpec(name="x", ips=[ip]))


def test_surprises_are_warnings(host):
    words = "\n".join(
        host.plan(NetworkSpec(name="x", ips=["8.8.0.1/24", "fd00:51::1/80"])).warnings
    )
    assert "routed, not translated" in words
    assert "no /64" in words
    assert "public internet" in words


def test_a_read_only_connection_plans_nothing(wide):
    with wide.open("alpha", readonly=True) as host:
        with pytest.raises(AccessDeniedError):
            host.plan(NetworkSpec(name="x", forward="isolated"))
        with pytest.raises(AccessDeniedError):
            host.networks["isolated"].stop(confirm=True)


# -- changed while it runs ------------------------------------------------------------------


def test_a_guest_gets_its_reserved_address(web, lan):
    web.wait_for("network", timeout_s=60)
    found = until(lambda: [a for a in web.addresses() if a.mac == WEB], "the reserved lease")
    assert {a.address for a in found if a.family == "ipv4"} == {"192.168.150.10"}
    assert "network lan leased it until" in found[0].evidence
    leases = lan.leases()
    assert "192.168.150.10" in leases.df["address"].to_list()
    assert leases.df.attrs["units"]["expires_at"] == "UTC"
    guests = lan.guests()
    assert [(g.domain, g.mac, g.is_active) for g in guests] == [("web1", WEB, True)]
    assert guests.df["device"][0].startswith("vnet")
    assert "web1" in guests._repr_html_()
    assert "nat, active" in lan._repr_html_()
    (lease,) = [one for one in leases if one.address == "192.168.150.10"]
    assert lease.expires_at - dt.datetime.now(dt.UTC) < dt.timedelta(seconds=601)


def test_a_guest_reaches_another_host_through_nat(wide, web):
    until(lambda: "default via 192.168.150.1" in shell(web, "ip route"), "its route")
    other = wide.run("beta", ["ip", "-4", "-o", "addr", "show", "brfab"]).stdout.split()[3]
    assert "2 packets received" in shell(web, f"ping -c 2 -W 2 {other.partition('/')[0]}")


def test_an_ipv6_address_that_nobody_leased_is_found(web):
    shell(web, "ip addr add fd00:150::77/64 dev eth0; sleep 2; ping -6 -c 2 fd00:150::1")
    found = web.addresses(every=True)
    six = [one for one in found if one.address == "fd00:150::77"]
    assert [one.family for one in six] == ["ipv6"] * len(six)
    assert {one.source for one in six} <= {"agent", "arp"}
    assert six, found.answers


def test_names_are_answered_and_added_live(web, lan):
    until(lambda: "192.168.150.10" in shell(web, "ip addr"), "its address")
    assert "192.168.150.1" in shell(web, "nslookup gw 192.168.150.1")
    entries = [
        DnsHost(ip="192.168.150.77", names=["new", "new.lab.example"]),
        DnsTxt(name="note", value="some words"),
        DnsSrv(service="ldap", domain="lab.example", target="web1.lab.example", port=389),
    ]
    for entry in entries:
        lan.add(entry)
        with pytest.raises(ConflictError):
            lan.add(entry)
        with pytest.raises(UnsupportedError, match="changes none"):
            lan.modify(entry)
    assert lan.pending == ""
    until(lambda: "150.77" in shell(web, "nslookup new 192.168.150.1"), "the new name")
    for entry in entries:
        lan.remove(entry)
        with pytest.raises(NotFoundError):
            lan.remove(entry)
    assert "new.lab" not in lan.xml()
    assert "new.lab" not in lan.xml(inactive=True)


def test_reservations_and_ranges_are_changed_live(lan):
    one = DhcpHost(mac="52:54:00:00:0a:09", ip="192.168.150.19", name="later")
    plan = lan.add.plan(one)
    assert "net-update lan add ip-dhcp-host" in plan.virsh
    assert "--live --config" in plan.virsh
    plan.apply()
    for twin in (
        DhcpHost(mac=one.mac, ip="192.168.150.18"),
        DhcpHost(mac="52:54:00:00:0a:08", ip=one.ip),
        DhcpHost(name="later", ip="192.168.150.17"),
    ):
        with pytest.raises(ConflictError, match="already"):
            lan.add(twin)
    lan.modify(DhcpHost(mac=one.mac, ip="192.168.150.20", name="later"))
    for inactive in (False, True):
        hosts = NetworkXml.parse(lan.xml(inactive=inactive)).ips[0].hosts
        assert [h.ip for h in hosts if h.mac == one.mac] == ["192.168.150.20"]
    lan.remove(DhcpHost(mac=one.mac, ip="192.168.150.20"))
    six = DhcpHost(id="00:03:00:01:52:54:00:00:0a:09", ip="fd00:150::99", name="six")
    lan.add(six)
    assert [h.id for h in NetworkXml.parse(lan.xml()).ips[1].hosts] == [six.id]
    lan.remove(six)
    more = DhcpRange(start="192.168.150.200", end="192.168.150.210")
    lan.add(more)
    assert len(NetworkXml.parse(lan.xml()).ips[0].ranges) == 2
    lan.remove(more)
    assert lan.pending == ""


def test_entries_that_do_not_fit_are_refused_before(lan, host, web):
    bad = [
        (DhcpHost(mac="52:54:00:00:0a:09", ip="10.1.1.1"), "in no subnet"),
        (DhcpHost(mac="52:54:00:00:0a:09", ip="192.168.150.1"), "host's own address"),
        (DhcpRange(start="192.168.150.1", end="192.168.150.9"), "host's own address"),
        (DhcpRange(start="192.168.150.110", end="192.168.150.130"), "crosses"),
        (DhcpRange(start="192.168.150.250", end="192.168.151.3"), "is not in the network"),
        (ForwardDevice(dev="eth0"), "no list of devices"),
    ]
    before = lan.xml()
    for entry, why in bad:
        with pytest.raises(SpecError, match=why):
            lan.add(entry)
    assert lan.xml() == before
    quiet = lv.DomainSpec(name="db2", memory="32 MiB", interfaces=["network:lan"])
    db = host.plan(quiet, start=False).apply()
    try:
        with pytest.raises(ConflictError, match="reserved for db2, belongs to web1"):
            lan.add(DhcpHost(mac=FAR, ip="192.168.150.33", name="db2"))
    finally:
        db.undefine(confirm=True)
    off = host.plan(
        NetworkSpec(name="off", forward="isolated", ips=["10.52.0.1/24"]), start=False
    ).apply()
    with pytest.raises(ConflictError, match="not active"):
        off.add(DnsTxt(name="a", value="b"), live=True)
    off.add(DnsTxt(name="a", value="b"))
    assert "txt" in off.xml()


def test_port_groups_and_devices_are_changed_live(lan, host):
    lan.add(PortGroup(name="spare"))
    lan.modify(PortGroup(name="spare", trust_guest_rx_filters=True))
    assert "trustGuestRxFilters" in lan.xml(inactive=True)
    lan.remove(PortGroup(name="spare"))
    network = host.plan(NetworkSpec(name="tap", forward="bridge", devices=["brfab"])).apply()
    network.add(ForwardDevice(dev="eth0"))
    assert len(NetworkXml.parse(network.xml()).forward_interfaces) == 2
    network.remove(ForwardDevice(dev="eth0"))


def test_edit_changes_live_what_can_be_and_says_what_waits(lan):
    before = lan.xml(inactive=True)

    def change(document):
        document.ips[0].hosts.append(DhcpHost(mac="52:54:00:00:0a:07", ip="192.168.150.17").view())
        document.dns_txts.append(DnsTxt(name="edited", value="yes").view())
        document.mtu = 1400

    plan = lan.edit.plan(change)
    assert plan.actions[0].title == "change the definition of network lan"
    assert len(plan.actions) == 3
    assert "restart=True): mtu" in plan.warnings[0]
    plan.apply()
    live = NetworkXml.parse(lan.xml())
    assert live.mtu is None
    assert "edited" in live.text()
    assert "192.168.150.17" in live.text()
    assert "mtu" in lan.pending
    lan.edit(before)
    assert lan.pending == ""
    assert "nothing is changed" in lan.edit.plan(before).warnings
    with pytest.raises(ConflictError, match="its name is lan"):
        lan.edit(name="other")
    with pytest.raises(SpecError, match="nonsense"):
        lan.edit(nonsense=1)
    with pytest.raises(ConflictError, match=r"10\.99\.0\.0/24"):
        lan.edit(lambda document: setattr(document.ips[0], "address", "10.99.0.9"))
    with pytest.raises(SpecError, match="allowed"):
        lan.edit(before.replace("<bridge ", "<bridge nonsense='1' "))


# -- life -----------------------------------------------------------------------------------


def test_a_stop_names_the_guests_that_lose_their_link(lan, web):
    with pytest.raises(ConfirmationError, match=f"the link of web1 \\({WEB}\\)"):
        lan.stop()
    assert lan.is_active
    plan = lan.undefine.plan()
    assert any("goes on as transient" in text for text in plan.warnings)
    assert any("web1 is connected" in text for text in plan.warnings)


def test_after_a_restart_the_guests_are_plugged_in_again(lan, web):
    until(lambda: "192.168.150.10" in shell(web, "ip addr"), "its address")
    with pytest.raises(ConfirmationError, match="for a moment"):
        lan.restart()
    names = lan.host.networks.names
    lan.edit(mtu=1420, restart=True, confirm=True)
    assert NetworkXml.parse(lan.xml()).mtu == 1420
    assert "3 packets received" in shell(web, "ping -c 3 -W 2 192.168.150.1")
    assert lan.host.networks.names == names


def test_a_restart_that_fails_is_taken_back_and_the_guests_keep_their_network(lan, web):
    until(lambda: "192.168.150.10" in shell(web, "ip addr"), "its address")
    before = lan.xml(inactive=True)

    def change(document):
        document.dnsmasq_options = ("no-such-option=1",)

    with pytest.raises(PlanError, match="start network lan failed") as caught:
        lan.edit(change, restart=True, confirm=True)
    assert caught.value.remains == ()
    assert lan.is_active
    assert lan.xml(inactive=True) == before
    assert "3 packets received" in shell(web, "ping -c 3 -W 2 192.168.150.1")


def test_a_guest_on_the_bridge_by_name_counts_and_is_plugged_in_again(lan, web):
    bridge = lan.info().bridge
    xml = f"""<interface type='bridge'><mac address='52:54:00:00:0a:05'/><source bridge='{bridge}'/>
    <model type='virtio'/></interface>"""
    web.attach(xml, live=True, config=False)
    try:
        assert {one.mac for one in lan.guests()} == {WEB, "52:54:00:00:0a:05"}
        lan.restart(confirm=True)
        slaves = lan.host.facts.run(["ls", f"/sys/class/net/{bridge}/brif"], 5)[1].split()
        assert len([one for one in slaves if one.startswith("vnet")]) == 2
    finally:
        web.detach(xml, live=True, config=False)


def test_xml_is_defined_changed_and_created(host):
    xml = (
        "<network><name>from-xml</name><forward mode='nat'/>"
        "<ip address='10.56.0.1' prefix='24'/></network>"
    )
    network = host.define_network(xml)
    assert not network.is_active
    assert network.info().forward == "nat"
    plan = host.define_network.plan(xml.replace("'nat'", "'route'"))
    assert "change the definition" in plan.actions[0].title
    assert plan.apply().info().forward == "route"
    with pytest.raises(SpecError, match="natt"):
        host.define_network(xml.replace("'nat'", "'natt'"))
    with pytest.raises(ConflictError, match="overlaps"):
        host.define_network(xml.replace("from-xml", "twin"))
    with pytest.raises(ConflictError, match="belongs to network from-xml"):
        host.define_network(f"<network><name>b</name><uuid>{network.uuid}</uuid></network>")
    with pytest.raises(ConflictError, match="exists already"):
        host.define_network(xml, transient=True)
    brief = host.define_network("<network><name>tr</name></network>", transient=True)
    assert brief.is_active


def test_a_change_by_somebody_else_is_seen(host):
    xml = (
        "<network><name>theirs</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>"
        "<bridge name='{}'/></network>"
    )

    def define(bridge):
        subprocess.run(
            ["virsh", "-c", host.uri, "net-define", "/dev/stdin"],
            input=xml.format(bridge), text=True, check=True, capture_output=True, timeout=30,
        )  # fmt: skip

    def bridge():
        return {one.name: one.bridge for one in host.networks.records}.get("theirs")

    define("lvone")
    assert until(lambda: bridge() == "lvone", "the new network", 5.0)
    define("lvtwo")
    assert until(lambda: bridge() == "lvtwo", "the new bridge", 5.0)
    virsh(host, "net-start", "theirs")
    assert until(lambda: host.networks["theirs"].is_active, "the start", 5.0)
    assert {one.name: one.is_active for one in host.networks.records}["theirs"]


def test_kill_9_in_the_middle_leaves_no_network(host):
    import sys
    import textwrap

    program = textwrap.dedent(f"""
        import os, signal
        import labvirt as lv
        from labvirt.host.actions import StartNetwork
        from labvirt.model import NetworkSpec
        host = lv.connect({host.uri!r})
        plain = StartNetwork.do
        def die(self, host, control):
            plain(self, host, control)
            os.kill(os.getpid(), signal.SIGKILL)
        StartNetwork.do = die
        host.plan(NetworkSpec(name="killed", ips=["10.57.0.1/24"])).apply()
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -9, done.stderr
    with lv.connect(host.uri) as again:
        assert again.recovered[0].title == "create network killed"
        assert again.recovered[0].remains == ()
    assert "killed" not in host.networks


def test_start_stop_and_autostart(host):
    network = host.plan(NetworkSpec(name="life", ips=["10.53.0.1/24"])).apply()
    with pytest.raises(ConflictError, match="active already"):
        network.start()
    network.set_autostart(False)
    assert not network.info().autostart
    network.stop()
    with pytest.raises(ConflictError, match="not active"):
        network.stop()
    twin = NetworkSpec(name="twin", ips=["10.54.0.1/24"], bridge="lvtwin")
    other = host.plan(twin, start=False, autostart=False).apply()
    virsh_xml = other.xml().replace("10.54.", "10.53.").replace("<range", "<range ")
    subprocess.run(
        ["virsh", "-c", host.uri, "net-define", "/dev/stdin"],
        input=virsh_xml, text=True, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    network.start()
    with pytest.raises(ConflictError, match=r"overlaps 10.53.0.0/24 of network life") as caught:
        other.start()
    assert "is free" in caught.value.hint
    network.stop()
    other.start()
    assert other.is_active


def test_the_default_network_is_ensured(host):
    network = host.ensure_network("default")
    assert host.ensure_network.plan("default").actions == ()
    network.stop()
    network.set_autostart(False)
    assert [a.title for a in host.ensure_network.plan("default").actions] == [
        "start network default",
        "start network default with the host",
    ]
    assert host.ensure_network("default").info().autostart
    made = host.ensure_network("made-up")
    assert made.is_active
    assert NetworkXml.parse(made.xml()).ips[0].interface.network.is_private


def test_starting_a_domain_on_a_sleeping_network_is_one_action(host):
    network = host.plan(
        NetworkSpec(name="sleepy", forward="isolated", ips=["10.55.0.1/24"]), start=False
    ).apply()
    spec = lv.DomainSpec(name="sleeper", memory="32 MiB", interfaces=["network:sleepy"])
    domain = host.plan(spec, start=False).apply()
    try:
        with pytest.raises(ConflictError, match="network sleepy, which is not active") as caught:
            domain.start()
        assert "start(ensure=True)" in caught.value.hint
        plan = domain.start.plan(ensure=True)
        assert [action.title for action in plan.actions] == [
            "start network sleepy",
            "start domain sleeper",
        ]
        plan.apply()
        assert network.is_active
        domain.destroy(confirm=True)
        network.undefine(stop=True, confirm=True)
        with pytest.raises(NotFoundError, match="network sleepy, and there is none"):
            domain.start(ensure=True)
    finally:
        if domain.is_active:
            domain.destroy(confirm=True)
        domain.undefine(confirm=True)


def test_a_missing_bridge_is_found_before_the_start(host):
    spec = lv.DomainSpec(name="bridged", memory="32 MiB", interfaces=["bridge:brfab"])
    domain = host.plan(spec, start=False).apply()
    try:
        other = domain.xml(inactive=True).replace("brfab", "brnone")
        host.define(other)
        with pytest.raises(NotFoundError, match="no bridge brnone") as caught:
            domain.start()
        assert "brfab" in caught.value.hint
        with pytest.raises(SpecError, match="no bridge brnone"):
            host.plan(spec.replace(name="b2", interfaces=["bridge:brnone"]))
    finally:
        domain.undefine(confirm=True)


def test_a_guest_of_virt_install_is_seen(host, lan):
    subprocess.run(
        ["virt-install", "--connect", host.uri, "--name", "vi", "--memory", "64", "--disk", "none",
         "--import", "--network", "network=lan,portgroup=usual", "--graphics", "none",
         "--osinfo", "detect=off,require=off", "--virt-type", "qemu", "--noreboot",
         "--noautoconsole", "--boot", "network"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    try:
        (guest,) = [one for one in lan.guests() if one.domain == "vi"]
        assert guest.portgroup == "usual"
    finally:
        if host.domains["vi"].is_active:
            host.domains["vi"].destroy(confirm=True)
        host.domains["vi"].undefine(confirm=True)


# -- the whole way --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def far(wide):
    """A guest on the other host, with a static address on the wire between the hosts."""
    spec = lv.DomainSpec(
        name="far1",
        memory="128 MiB",
        source=lv.TinyGuest(),
        interfaces=["network:fabric"],
    )
    domain = wide["beta"].plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    static(domain, "eth0", "10.99.0.202/24")
    return domain


def test_a_static_address_is_found_by_agent_arp_and_serial(far):
    told = far.addresses()
    assert [a.address for a in far.known_addresses()] == ["10.99.0.202"]
    assert told.source == "agent"
    assert str(told.answers[0]) == "lease: fabric has no lease for it"
    shell(far, "ping -c 1 -W 2 10.99.0.12; echo 'eth0: 10.99.0.202' >/dev/console")
    everyone = until(
        lambda: (seen := far.addresses(every=True)).answers[3].found and seen, "the serial line"
    )
    by_source = {answer.source: answer for answer in everyone.answers}
    assert by_source["arp"].found == 1, by_source["arp"].reason
    assert by_source["serial"].found >= 1
    assert {"10.99.0.202"} <= {a.address for a in everyone}
    assert "evidence" in everyone.df


def test_guests_of_two_hosts_reach_each_other_and_a_daemon_restart_changes_nothing(
    wide, web, far, lan
):
    static(web, "eth1", "10.99.0.201/24")
    until(lambda: "192.168.150.10" in shell(web, "ip addr"), "its address")

    def all_is_well():
        guest = wide["alpha"].domains["web1"]
        addresses = {a.address for a in guest.addresses()}
        return (
            "192.168.150.10" in addresses
            and "2 packets received" in shell(guest, "ping -c 2 -W 2 10.99.0.202")
            and "2 packets received" in shell(guest, "ping -c 2 -W 2 192.168.150.1")
            and wide["alpha"].networks["lan"].is_active
        )

    until(all_is_well, "the guests to reach each other")
    wide.daemon("alpha", "stop")
    wide.daemon("alpha", "start")
    wide["alpha"].connection.wait_link(30)
    wide["alpha"].domains["web1"].wait_for("agent", timeout_s=60)
    until(all_is_well, "all to be as it was", 40.0)
    lease = [one for one in lan.leases() if one.mac == WEB and one.family == "ipv4"]
    assert lease[0].address == "192.168.150.10"
    assert lan.info().autostart
    lan.add(DnsTxt(name="after", value="restart"))
    lan.remove(DnsTxt(name="after", value="restart"))


# -- a daemon of an ordinary user -----------------------------------------------------------


def test_session_defines_and_edits_and_says_what_it_cannot(alpha):
    before = alpha.networks.names
    with pytest.raises(UnsupportedError, match="may not make a bridge") as caught:
        alpha.plan(NetworkSpec(name="s", ips=["10.58.0.1/24"]))
    assert "start=False" in caught.value.hint
    network = alpha.plan(
        NetworkSpec(name="s", ips=["10.58.0.1/24"]), start=False, autostart=False
    ).apply()
    try:
        with pytest.raises(UnsupportedError, match="may not make a bridge"):
            network.start()
        network.add(DhcpHost(mac=WEB, ip="10.58.0.9"))
        network.edit(mtu=1400)
        document = NetworkXml.parse(network.xml())
        assert (document.mtu, document.ips[0].hosts[0].ip) == (1400, "10.58.0.9")
        assert network.leases() == ()
        assert network.guests() == ()
        spec = lv.DomainSpec(name="on-s", memory="32 MiB", interfaces=["network:s"])
        domain = alpha.plan(spec, start=False).apply()
        with pytest.raises(ConflictError, match="not active"):
            domain.start()
        assert [one.domain for one in network.guests()] == ["on-s"]
        # Without a bridge of its own a network runs here too.
        macvtap = alpha.plan(NetworkSpec(name="m", forward="private", devices=["lo"])).apply()
        assert macvtap.is_active
        macvtap.undefine(stop=True, confirm=True)
    finally:
        network.undefine(confirm=True)
    assert alpha.networks.names == before


def test_the_network_of_this_machine_is_read_but_not_that_of_another_or_of_a_socket():
    from types import SimpleNamespace

    from labvirt.host import HostFacts
    from labvirt.host.networks.hostnet import HostNet, missing_limits, neighbours
    from labvirt.model import Uri

    def stub(uri, *, is_local=True):
        link = SimpleNamespace(uri=Uri.parse(uri))
        return SimpleNamespace(connection=link, facts=HostFacts(), is_local=is_local)

    here = HostNet.read(stub("qemu:///system"))
    assert "lo" in here.devices
    assert here.ipv6 is Path("/proc/net/if_inet6").exists()
    assert neighbours(stub("qemu:///system")) is not None
    for other in (
        stub("qemu+ssh://somewhere/system", is_local=False),
        stub("qemu+unix:///system?socket=/run/x"),
    ):
        assert HostNet.read(other) is None
        assert neighbours(other) is None
        assert missing_limits(other) is None


def test_routes_are_read_as_the_kernel_prints_them():
    from labvirt.host.networks.hostnet import _routes4, _routes6

    four = """eth0 00000000 010010AC 0003 0 0 0 00000000 0 0 0
eth0 000010AC 00000000 0001 0 0 0 00F0FFFF 0 0 0
docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0
dead0 000012AC 00000000 0000 0 0 0 0000FFFF 0 0 0""".splitlines()
    assert [(str(one.subnet), one.device) for one in _routes4(four)] == [
        ("172.16.0.0/20", "eth0"),
        ("172.17.0.0/16", "docker0"),
    ]
    zero = "0" * 32
    six = f"""fd000150000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 virbr2
fe800000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0
{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo
00000000000000000000000000000001 80 {zero} 00 {zero} 00000000 00000006 00000000 80200001 lo
ff000000000000000000000000000000 08 {zero} 00 {zero} 00000100 00000003 00000000 00000001 eth0"""
    assert [str(one.subnet) for one in _routes6(six.splitlines())] == ["fd00:150::/64"]


def test_records_are_trusted_only_while_every_event_was_looked_at(alpha):
    """What of a network needs its XML is read once, so a lost event must not be believed away."""
    from labvirt.connection.events import Event

    news = alpha.news
    network = alpha.plan(
        NetworkSpec(name="known", forward="isolated", bridge="lvk0"), start=False, autostart=False
    ).apply()
    try:
        names = alpha.networks.names
        until(lambda: {r.name for r in news.settled("network")[1]} >= set(names), "trust", 5.0)
        mark, _ = news.settled("network")
        assert news.note_all_since("network", alpha.networks.records, mark)
        assert not news.note_all_since("network", (), mark - 1)
        assert set(names) <= {r.name for r in news.records("network")}
        at = dt.datetime.now(dt.UTC)
        news._post(Event("overflow", "connection", "", "", {}, at))
        assert news.settled("network")[1] == ()
        assert alpha.networks.names == names
        until(lambda: news.settled("network")[1], "trust again", 5.0)
    finally:
        network.undefine(confirm=True)
