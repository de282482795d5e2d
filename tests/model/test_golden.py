"""The XML of specs is what it was, valid for libvirt's schemas, and taken by libvirt's parser.

``LABVIRT_GOLDEN=write pytest tests/model/test_golden.py`` writes the files below ``data/specs``
anew; a file that libvirt refuses cannot stay, because the same test asks libvirt.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.model import (
    BlockSource,
    ClockSpec,
    CpuSpec,
    DhcpHost,
    DiskSpec,
    DomainSpec,
    FeaturesSpec,
    GraphicsSpec,
    ImportImage,
    InterfaceSpec,
    IsoInstall,
    KernelBoot,
    Media,
    NatSpec,
    NetworkBoot,
    NetworkIp,
    NetworkSpec,
    NewVolume,
    NwFilterSpec,
    PoolAuth,
    PoolSpec,
    ScsiAdapter,
    SerialSpec,
    Size,
    TimerSpec,
    TinyGuest,
    VideoSpec,
    VolumeEncryption,
    VolumeSource,
    VolumeSpec,
    WatchdogSpec,
)
from labvirt.model.cpu import CpuFeature, CpuTopology

KERNEL = Media(
    kernel="/media/vmlinuz",
    initrd="/media/initrd.gz",
    cmdline="console=ttyS0 quiet",
    minimum_memory="128 MiB",
    digest="0" * 64,
)
DISK = Media(
    disk="/media/tiny.qcow2", disk_format="qcow2", minimum_memory="128 MiB", digest="1" * 64
)

DOMAINS = {
    "tiny-kernel": DomainSpec(name="web1", memory="256 MiB", source=TinyGuest()).with_media(KERNEL),
    "tiny-disk": DomainSpec(
        name="web2", memory="256 MiB", source=TinyGuest(boot="disk")
    ).with_media(DISK),
    "minimal": DomainSpec(name="m", memory="64 MiB", interfaces=()),
    "kvm": DomainSpec(name="fast", memory="4 GiB", virt="kvm", vcpus=2, disks="20 GiB"),
    "guide-2-1": DomainSpec(  # Example 2.1 of the guide
        name="rhel3support",
        memory="756 MiB",
        virt="kvm",
        disks=[{"size": "6 GB"}],
        source=IsoInstall(path="/dev/sr0"),
        interfaces="network:default",
        graphics="vnc",
    ),
    "guide-2-2": DomainSpec(
        name="Fedora11",
        memory="512 MiB",
        virt="kvm",
        disks=["3 GiB"],
        source=IsoInstall(path="/images/Fedora-11-x86_64-Live.iso"),
        graphics="vnc",
    ),
    "guide-2-3-pxe": DomainSpec(
        name="EL10",
        memory="756 MiB",
        vcpus=4,
        disks=[{"path": "/var/lib/libvirt/images/EL10.img", "format": "raw"}],
        source=NetworkBoot(),
        interfaces="bridge:installation",
    ),
    "import-path": DomainSpec(
        name="imported", memory="1 GiB", source=ImportImage(path="/images/a.qcow2"), disks="1 GiB"
    ),
    "import-volume": DomainSpec(
        name="imported",
        memory="1 GiB",
        source=ImportImage(pool="images", volume="a.raw", format="raw", bus="scsi"),
    ),
    "iso-volume-on-q35": DomainSpec(
        name="inst",
        memory="2 GiB",
        machine="q35",
        source=IsoInstall(pool="isos", volume="debian 12.iso"),
        disks="8 GiB",
    ),
    "kernel": DomainSpec(
        name="k",
        memory="128 MiB",
        source=KernelBoot(kernel="/boot/a & b", initrd="/boot/<i>", cmdline="a=\"b\" c='d' && e"),
    ),
    "network-first": DomainSpec(name="p", memory="1 GiB", source=NetworkBoot(), boot="network"),
    "words": DomainSpec(
        name="w",
        memory="1 GiB",
        title="<Заголовок> & \"quotes\" 'too'",
        description="two\nlines\n\ttab & <tag>",
        tags=["web", "team:storage", "v1.0"],
        uuid="4A4C59A7EE3FC78196E4288F2862F011",
    ),
    "amounts": DomainSpec(
        name="a",
        memory="1000000001 bytes",
        current_memory="512 MiB",
        vcpus=1,
        max_vcpus=12,
        hugepages=True,
        shared_memory=True,
        cpu=CpuSpec(
            model="Nehalem",
            topology=CpuTopology(sockets=1, cores=6, threads=2),
            features=("vmx", CpuFeature(name="x2apic", policy="disable")),
        ),
        features=FeaturesSpec(tb_cache="32 MiB", pae=True),
    ),
    "efi": DomainSpec(name="e", memory="256 MiB", firmware="efi", disks="1 GiB"),
    "secure-boot": DomainSpec(
        name="sb", memory="512 MiB", firmware="efi", secure_boot=True, disks="1 GiB"
    ),
    "windows": DomainSpec(
        name="win",
        memory="4 GiB",
        virt="kvm",
        machine="q35",
        clock=ClockSpec(
            offset="localtime",
            timers=(
                TimerSpec(name="rtc", tick_policy="catchup"),
                TimerSpec(name="hypervclock", present=True),
            ),
        ),
        features=FeaturesSpec(hyperv=True, vmport=False, kvm_hidden=True),
        disks=[
            DiskSpec(source=NewVolume(size="40 GiB"), bus="sata"),
            DiskSpec(path="/isos/win.iso", device="cdrom"),
            DiskSpec(path="/images/unattend.img", device="floppy"),
            DiskSpec(device="cdrom"),
        ],
        interfaces=[InterfaceSpec(kind="user", model="e1000e")],
        graphics=GraphicsSpec(kind="spice", listen="0.0.0.0", password="secret words"),
        video=VideoSpec(model="qxl", heads=2, vram_kib=65536),
        watchdog=WatchdogSpec(action="poweroff"),
        on_crash="preserve",
    ),
    "every-disk": DomainSpec(
        name="d",
        memory="1 GiB",
        disks=[
            DiskSpec(source=BlockSource(path="/dev/vg0/lv0"), cache="none", io="native"),
            DiskSpec(
                source=VolumeSource(pool="p", name="v.qcow2"), serial="ABC 123", discard="unmap"
            ),
            DiskSpec(path="/a.vmdk", format="vmdk", bus="scsi", readonly=True),
            DiskSpec(path="/b.vdi", format="vdi", bus="ide"),
            DiskSpec(size="1 GiB", pool="p", name="n.raw", format="raw", shareable=True),
            DiskSpec(source=NewVolume(size="2 GiB", backing_path="/b.raw", backing_format="raw")),
            DiskSpec(path="/c.img", format="raw", target="sdc", bus="usb"),
        ],
    ),
    "every-interface": DomainSpec(
        name="n",
        memory="1 GiB",
        interfaces=[
            "default",
            "network:lab",
            "bridge:br0",
            "user",
            InterfaceSpec(kind="mcast", address="230.0.0.1", port=5558),
            InterfaceSpec(kind="direct", source="eth0", mode="private"),
            InterfaceSpec(kind="none", link_up=False),
            InterfaceSpec(source="filtered", filter="clean-traffic", mtu=1400, model="e1000"),
        ],
    ),
    "boot-orders": DomainSpec(
        name="o",
        memory="1 GiB",
        source=IsoInstall(path="/a.iso"),
        disks=[{"size": "1 GiB", "boot_order": 2}],
        interfaces=[InterfaceSpec(boot_order=1)],
    ),
    "serial-file": DomainSpec(
        name="s", memory="1 GiB", serial=SerialSpec(kind="file", path="/log/a b.txt")
    ),
    "serial-log": DomainSpec(name="s", memory="1 GiB", serial=SerialSpec(log_path="/log/s.log")),
    "serial-tcp": DomainSpec(
        name="s", memory="1 GiB", serial=SerialSpec(kind="tcp", host="127.0.0.1", port=4555)
    ),
    "serial-unix": DomainSpec(
        name="s", memory="1 GiB", serial=SerialSpec(kind="unix", path="/s.sock")
    ),
    "bare": DomainSpec(
        name="b",
        memory="1 GiB",
        serial=None,
        agent=False,
        balloon=False,
        rng=False,
        interfaces=(),
        features=FeaturesSpec(acpi=False, apic=False),
        clock=ClockSpec(offset="variable", adjustment_s=-3600, timers=()),
        graphics=GraphicsSpec(listen="/run/b.sock", keymap="de"),
    ),
    "no-listen": DomainSpec(name="g", memory="1 GiB", graphics=GraphicsSpec(listen="none")),
    "aarch64": DomainSpec(
        name="arm",
        memory="1 GiB",
        arch="aarch64",
        firmware="efi",
        disks="4 GiB",
        source=IsoInstall(path="/a.iso"),
    ),
}
NETWORKS = {
    "nat": NetworkSpec(name="nat0", bridge="virbr7", ips=["192.168.122.1/24"]),
    "guide-15-vnet1": NetworkSpec(
        name="vnet1",
        forward="nat",
        forward_dev="eth0",
        bridge="virbr9",
        ips=[
            NetworkIp(
                address="192.168.100.1/24", dhcp_start="192.168.100.128", dhcp_end="192.168.100.254"
            )
        ],
    ),
    "isolated-pxe": NetworkSpec(
        name="pxe",
        forward="isolated",
        stp=False,
        domain="lab.example",
        mtu=1400,
        mac="52:54:00:00:00:01",
        ips=[
            NetworkIp(
                address="10.1.0.1/16",
                tftp_root="/srv/tftp",
                boot_file="boot.ipxe",
                boot_server="10.1.0.1",
                hosts=[DhcpHost(mac="52:54:00:aa:bb:cc", ip="10.1.0.5", name="client")],
            )
        ],
    ),
    "route-both-families": NetworkSpec(
        name="r", forward="route", delay_s=2, ips=["10.9.0.1/24", "fd00:9::1/64"]
    ),
    "everything": NetworkSpec(
        name="all",
        forward_dev="eth0",
        bridge="virbr8",
        zone="public",
        nat=NatSpec(start="1.2.3.4", end="1.2.3.10", first_port=500, last_port=1000, ipv6=True),
        domain="lab.example",
        domain_local=True,
        dns_forwarders=["9.9.9.9", {"domain": "corp.example", "address": "10.0.0.53"}],
        dns_hosts=[{"ip": "10.7.0.1", "names": ["gw", "gw.lab.example"]}],
        dns_txts=[{"name": "lab.example", "value": "v=spf1 -all"}],
        dns_srvs=[{"service": "ldap", "target": "ldap1.lab.example", "port": 389, "weight": 5}],
        inbound=1000,
        outbound={"average": 500, "peak": 800, "burst": 64},
        port_isolated=True,
        ips=[
            NetworkIp(
                address="10.7.0.1/24",
                dhcp_start="10.7.0.100",
                dhcp_end="10.7.0.200",
                lease_s=600,
                more_ranges=["10.7.0.220-10.7.0.230"],
                local_ptr=True,
                hosts=[
                    {"mac": "52:54:00:00:00:0a", "ip": "10.7.0.10", "name": "a", "lease_s": 0},
                    {"name": "b", "ip": "10.7.0.11"},
                ],
            ),
            NetworkIp(
                address="fd00:7::1/64",
                hosts=[{"id": "00:03:00:01:52:54:00:00:00:0a", "name": "a", "ip": "fd00:7::a"}],
            ),
            NetworkIp(address="10.17.0.1/24", dhcp=False),
        ],
        routes=[{"network": "10.70.0.0/16", "gateway": "10.7.0.2", "metric": 2}],
        portgroups=[
            {"name": "slow", "default": True, "inbound": 100, "trust_guest_rx_filters": True},
            {"name": "quick"},
        ],
        dnsmasq_options=["log-dhcp", "dhcp-option=option:ntp-server,10.7.0.1"],
    ),
    "macvtap": NetworkSpec(name="mac", forward="bridge", devices=["eth1", "eth2"]),
    "macvtap-vepa": NetworkSpec(name="mac", forward="vepa", devices=["eth1"]),
    "sriov-card": NetworkSpec(name="vf", forward="hostdev", pf="eth3", vlan=42),
    "sriov-addresses": NetworkSpec(name="vf", forward="hostdev", pci=["0000:03:10.0"]),
    "openvswitch": NetworkSpec(
        name="ovs",
        forward="bridge",
        bridge="ovsbr0",
        openvswitch=True,
        vlan={"tags": [42, 47], "native": 42},
        portgroups=[{"name": "red", "vlan": 7}],
    ),
    "guests-only": NetworkSpec(name="quiet", forward="isolated", ipv6=True),
    "bridge": NetworkSpec(name="b", forward="bridge", bridge="br0"),
    "open-no-dhcp": NetworkSpec(
        name="o", forward="open", dns=False, ips=[NetworkIp(address="10.8.0.1/24", dhcp=False)]
    ),
}
FILTERS = {
    "clean": NwFilterSpec(
        name="clean",
        uuid="4a4c59a7ee3fc78196e4288f2862f011",
        chain="root",
        priority=-700,
        uses=["no-spoof", {"filter": "only-from", "parameters": {"IP": ["10.0.0.5", "10.0.0.6"]}}],
        rules=[
            {"action": "drop", "direction": "out", "priority": 100, "protocol": "tcp",
             "match": {"dstportstart": "25"}},
            {"action": "drop", "direction": "out", "protocol": "ip", "negate": True,
             "match": {"srcipaddr": "$IP"}},
            {"action": "accept", "protocol": "arp", "stateless": True},
            {"action": "accept", "direction": "in"},
        ],
    ),
}  # fmt: skip
POOLS = {
    "images": PoolSpec(name="images", path="/var/lib/libvirt/images"),
    "owned": PoolSpec(
        name="own",
        path="/a & b",
        mode="0711",
        owner=0,
        group=0,
        uuid="4a4c59a7ee3fc78196e4288f2862f011",
    ),
    "fs": PoolSpec(
        name="fs",
        kind="fs",
        path="/mnt/a",
        device="/dev/vdb1",
        format="ext4",
        mount_options=["noatime", "nodev"],
    ),
    "nfs": PoolSpec(
        name="nfs",
        kind="netfs",
        path="/mnt/n",
        hosts="nas1",
        dir="/export/a",
        format="nfs",
        protocol_version="4.2",
        mount_options="soft",
    ),
    "cifs": PoolSpec(
        name="cifs", kind="netfs", path="/mnt/c", hosts="nas1", dir="share", format="cifs"
    ),
    "logical": PoolSpec(
        name="vg0",
        kind="logical",
        source_name="vg0",
        devices=["/dev/vdb", "/dev/vdc"],
        format="lvm2",
    ),
    "disk": PoolSpec(
        name="disk", kind="disk", device="/dev/loop7", format="gpt", part_separator=True
    ),
    "iscsi": PoolSpec(
        name="iscsi",
        kind="iscsi",
        hosts="10.0.0.9:3261",
        target="iqn.2024-01.lab.example:disks",
        initiator="iqn.2024-01.lab.example:me",
        auth=PoolAuth(type="chap", user="u", secret_usage="disks"),
    ),
    "iscsi-direct": PoolSpec(
        name="direct",
        kind="iscsi-direct",
        hosts=["nas1"],
        target="iqn.2024-01.lab.example:disks",
        initiator="iqn.2024-01.lab.example:me",
    ),
    "scsi": PoolSpec(name="scsi", kind="scsi", adapter="host0"),
    "npiv": PoolSpec(
        name="npiv",
        kind="scsi",
        adapter=ScsiAdapter(
            wwnn="20000000c9831b4b", wwpn="10000000c9831b4b", parent="scsi_host3", managed=True
        ),
    ),
    "mpath": PoolSpec(name="mpath", kind="mpath"),
    "rbd": PoolSpec(
        name="rbd",
        kind="rbd",
        hosts=["mon1", "mon2:6789"],
        source_name="vms",
        auth={"type": "ceph", "user": "admin", "secret_uuid": "4a4c59a7ee3fc78196e4288f2862f011"},
        refresh_allocation="capacity",
        rbd_options={"client_mount_timeout": "5"},
    ),
    "gluster": PoolSpec(
        name="gluster", kind="gluster", hosts="g1", source_name="vol0", dir="/images"
    ),
    "zfs": PoolSpec(name="zfs", kind="zfs", source_name="tank", device="/dev/vdb"),
    "vstorage": PoolSpec(name="vs", kind="vstorage", source_name="cluster1", path="/mnt/vs"),
}
VOLUMES = {
    "qcow2": VolumeSpec(name="a b.qcow2", capacity="20 GiB"),
    "raw": VolumeSpec(name="a.raw", capacity="1 GB", format="raw"),
    "allocated": VolumeSpec(name="a.qcow2", capacity="1 GiB", allocation="512 MiB"),
    "overlay": VolumeSpec(
        name="o.qcow2", capacity="2 GiB", backing_path="/b.raw", backing_format="raw"
    ),
    "features": VolumeSpec(
        name="f.qcow2",
        capacity="1 GiB",
        mode="0640",
        owner=1,
        group=2,
        compat="1.1",
        cluster_size="128 KiB",
        lazy_refcounts=True,
        extended_l2=True,
        nocow=True,
    ),
    "luks": VolumeSpec(
        name="l.luks",
        capacity="1 GiB",
        format="raw",
        preallocation="off",
        encryption=VolumeEncryption(
            secret_usage="/l.luks",
            cipher="aes",
            key_bits=256,
            mode="cbc",
            hash="sha256",
            iv="essiv",
        ),
    ),
    "luks-in-qcow2": VolumeSpec(
        name="l.qcow2",
        capacity="1 GiB",
        encryption=VolumeEncryption(secret_uuid="4a4c59a7ee3fc78196e4288f2862f011"),
    ),
    "full": VolumeSpec(name="f.raw", capacity="1 GiB", format="raw", preallocation="full"),
    "overlay-as-large": VolumeSpec(name="l.qcow2", backing_path="/b.raw", backing_format="raw"),
}


def filled(spec):
    ready = spec.filled(rng=random.Random(7), virt="qemu", default_pool="default-pool")
    assert ready.filled(rng=random.Random(8)) == ready
    return ready


def cases():
    for name, spec in DOMAINS.items():
        yield pytest.param("domain", f"domain-{name}", filled(spec).to_xml(), id=f"domain-{name}")
    for kind, specs in (
        ("network", NETWORKS),
        ("nwfilter", FILTERS),
        ("pool", POOLS),
        ("volume", VOLUMES),
    ):
        for name, spec in specs.items():
            yield pytest.param(kind, f"{kind}-{name}", spec.to_xml(), id=f"{kind}-{name}")


@pytest.mark.parametrize(("kind", "name", "xml"), list(cases()))
def test_the_xml_is_the_golden_one_and_libvirt_takes_it(kind, name, xml, *, data, schema, driver):
    assert schema.check(xml, kind) == ()
    # libvirt's storage driver takes the size from the image below; its test driver cannot.
    # The test driver has no filters at all.
    untold = kind == "nwfilter" or name == "volume-overlay-as-large"
    assert untold or driver.refuses(kind, xml) == ""
    path = data / "specs" / f"{name}.xml"
    if os.environ.get("LABVIRT_GOLDEN") == "write":
        path.write_text(xml)
    assert xml == path.read_text()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_spec_of_a_network_is_read_back_from_its_xml(name):
    xml = NETWORKS[name].to_xml()
    again = NetworkSpec.from_xml(xml)
    assert again.to_xml() == xml
    assert NetworkSpec.from_xml(again.to_xml()) == again


def test_there_is_no_golden_file_without_its_spec(data):
    known = {case.values[1] for case in cases()}
    assert {path.stem for path in (data / "specs").glob("*.xml")} == known


def test_the_test_driver_refuses_what_is_not_valid(driver):
    """The tests above would prove nothing with a driver that takes everything."""
    xml = filled(DOMAINS["kvm"]).to_xml()
    assert "Unable to validate" in driver.refuses(
        "domain", xml.replace("<devices>", "<devices><x/>")
    )
    assert driver.refuses("network", "<network><name>n</name><x/></network>")


@pytest.mark.lab
@pytest.mark.parametrize("name", [name for name in DOMAINS if name != "aarch64"])
def test_the_real_qemu_driver_takes_every_domain(name, qemu_driver):
    spec = DOMAINS[name].replace(virt="qemu")
    assert qemu_driver.refuses("domain", filled(spec).to_xml()) == ""


@pytest.mark.lab
def test_the_real_qemu_driver_misses_nothing_but_the_emulator_of_another_architecture(qemu_driver):
    said = qemu_driver.refuses("domain", filled(DOMAINS["aarch64"]).to_xml())
    assert said == "" or "No emulator found for arch 'aarch64'" in said


SIZES = st.integers(1, 2**14).map(lambda n: Size(n * 2**20))
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,20}", fullmatch=True)
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="￾￿"),
    min_size=1,
    max_size=30,
)
PATHS = TEXT.map(lambda text: "/x" + text)


def optional(strategy):
    return st.one_of(st.none(), strategy)


DISKS = st.builds(
    dict,
    source=st.one_of(
        st.builds(
            dict, kind=st.just("new-volume"), size=SIZES, format=st.sampled_from(["qcow2", "raw"])
        ),
        st.builds(dict, kind=st.just("file"), path=PATHS),
        st.builds(dict, kind=st.just("block"), path=PATHS),
        st.builds(dict, kind=st.just("volume"), pool=NAMES, name=NAMES),
    ),
    bus=st.sampled_from([None, "virtio", "scsi", "sata", "usb"]),
    readonly=optional(st.booleans()),
    cache=st.sampled_from([None, "none", "unsafe"]),
    serial=optional(st.from_regex(r"[A-Za-z0-9_.+-]{1,20}", fullmatch=True)),
)
INTERFACES = st.one_of(
    st.sampled_from(["default", "user", "none", "network:default", "bridge:br0"]),
    st.builds(dict, kind=st.just("network"), source=NAMES, mtu=optional(st.integers(68, 65535))),
)
SOURCES = st.one_of(
    st.none(),
    st.builds(dict, kind=st.just("import-image"), path=PATHS),
    st.builds(dict, kind=st.just("iso-install"), path=PATHS),
    st.builds(
        dict,
        kind=st.just("kernel-boot"),
        kernel=PATHS,
        initrd=optional(PATHS),
        cmdline=optional(TEXT),
    ),
    st.just({"kind": "network-boot"}),
)
SPECS = st.builds(
    dict,
    name=NAMES,
    memory=SIZES,
    title=optional(TEXT),
    description=optional(TEXT),
    tags=st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=3, unique=True),
    vcpus=st.integers(1, 16),
    virt=st.sampled_from(["kvm", "qemu"]),
    machine=st.sampled_from([None, "pc", "q35"]),
    firmware=st.sampled_from(["bios", "efi"]),
    source=SOURCES,
    disks=st.lists(DISKS, max_size=4),
    interfaces=st.lists(INTERFACES, max_size=3),
    graphics=st.sampled_from([None, "vnc", "spice"]),
    serial=st.sampled_from([None, "pty", "null"]),
    agent=st.booleans(),
    rng=st.booleans(),
    balloon=st.booleans(),
    watchdog=st.sampled_from([None, "reset", "none"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SPECS)
def test_any_spec_that_can_be_made_is_valid_for_libvirt(schema, driver, fields):
    try:
        spec = DomainSpec(**fields)
    except SpecError:
        return  # it cannot be made
    ready = spec.filled()
    xml = ready.to_xml()
    assert schema.check(xml) == ()
    assert driver.refuses("domain", xml) == ""
    assert DomainSpec.model_validate_json(ready.to_json()) == ready
