"""Each part of a domain that is asked for, as XML of its own."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from labvirt.errors import SpecError
from labvirt.model import (
    BlockSource,
    ClockSpec,
    CpuFeature,
    CpuSpec,
    CpuTopology,
    DiskSpec,
    FeaturesSpec,
    FileSource,
    GraphicsSpec,
    InterfaceSpec,
    NewVolume,
    SerialSpec,
    Size,
    TimerSpec,
    VideoSpec,
    VolumeSource,
    WatchdogSpec,
)
from labvirt.model import fields as kinds
from labvirt.model.xml import DomainXml


def lines(text):
    return [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("disk", "wanted"),
    [
        (
            DiskSpec(path="/a.qcow2"),
            ["<disk type='file' device='disk'>", "<source file='/a.qcow2'/>"],
        ),
        (DiskSpec(path="/a.img", format="raw"), ["<driver name='qemu' type='raw'/>"]),
        (
            DiskSpec(source=FileSource(path="/a", format="vdi")),
            ["<driver name='qemu' type='vdi'/>"],
        ),
        (
            DiskSpec(source=BlockSource(path="/dev/sdb")),
            [
                "<disk type='block' device='disk'>",
                "<source dev='/dev/sdb'/>",
                "<driver name='qemu' type='raw'/>",
            ],
        ),
        (
            DiskSpec(source=VolumeSource(pool="p", name="v")),
            ["<disk type='volume' device='disk'>", "<source pool='p' volume='v'/>"],
        ),
        (
            DiskSpec(source=NewVolume(size="1 GiB", name="n.qcow2")),
            ["<source pool='default' volume='n.qcow2'/>"],
        ),
        (DiskSpec(device="cdrom"), ["<disk type='file' device='cdrom'>", "<readonly/>"]),
        (
            DiskSpec(path="/a.iso", device="cdrom"),
            ["<driver name='qemu' type='raw'/>", "<readonly/>"],
        ),
        (DiskSpec(path="/a", readonly=True, shareable=True), ["<readonly/>", "<shareable/>"]),
        (
            DiskSpec(path="/a", cache="none", io="native", discard="unmap"),
            ["<driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap'/>"],
        ),
        (
            DiskSpec(path="/a", serial="S 1", boot_order=3),
            ["<serial>S 1</serial>", "<boot order='3'/>"],
        ),
    ],
    ids=str,
)
def test_disks_are_written_with_their_source_and_driver(disk, wanted):
    bus = {"cdrom": "ide"}.get(disk.device, "virtio")
    placed = disk.replace(bus=bus, target="hda" if bus == "ide" else "vda")
    written = lines(placed.to_xml())
    for line in wanted:
        assert line in written


def test_a_disk_without_a_place_has_no_xml():
    with pytest.raises(SpecError, match="no place"):
        DiskSpec(path="/a").to_xml()
    with pytest.raises(SpecError, match="no name yet"):
        DiskSpec(size="1 GiB", bus="virtio", target="vda").to_xml()


@pytest.mark.parametrize(
    ("short", "source"),
    [
        ({"size": "2 GiB"}, NewVolume(size="2 GiB")),
        (
            {"size": "2 GiB", "pool": "p", "name": "n", "format": "raw"},
            NewVolume(size="2 GiB", pool="p", name="n", format="raw"),
        ),
        ({"size": "2 GiB", "allocation": "1 GiB"}, NewVolume(size="2 GiB", allocation="1 GiB")),
        ({"path": "/a"}, FileSource(path="/a")),
        ({"path": "/a", "format": "vmdk"}, FileSource(path="/a", format="vmdk")),
        ({"path": "/a.iso", "device": "cdrom"}, FileSource(path="/a.iso", format="raw")),
        ({"device": "cdrom"}, None),
    ],
)
def test_short_forms_of_disks_mean_their_sources(short, source):
    assert DiskSpec(**short).source == source


def test_a_short_form_and_a_source_together_are_refused():
    with pytest.raises(SpecError, match="no such field"):
        DiskSpec(size="1 GiB", source=FileSource(path="/a"))


@pytest.mark.parametrize(
    ("nic", "wanted"),
    [
        (InterfaceSpec(), ["<interface type='network'>", "<source network='default'/>"]),
        (InterfaceSpec(kind="user"), ["<interface type='user'>", "<model type='virtio'/>"]),
        (InterfaceSpec(source="lab"), ["<source network='lab'/>"]),
        (InterfaceSpec(kind="bridge", source="br0"), ["<source bridge='br0'/>"]),
        (InterfaceSpec(kind="direct", source="eth0"), ["<source dev='eth0' mode='bridge'/>"]),
        (
            InterfaceSpec(kind="mcast", address="230.0.0.1", port=5558),
            ["<interface type='mcast'>", "<source address='230.0.0.1' port='5558'/>"],
        ),
        (InterfaceSpec(kind="none"), ["<interface type='null'>"]),
        (InterfaceSpec(mac="52-54-00-AB-CD-EF"), ["<mac address='52:54:00:ab:cd:ef'/>"]),
        (InterfaceSpec(link_up=False, mtu=1400), ["<link state='down'/>", "<mtu size='1400'/>"]),
        (InterfaceSpec(filter="clean-traffic"), ["<filterref filter='clean-traffic'/>"]),
        (
            InterfaceSpec(boot_order=2, model="e1000e"),
            ["<boot order='2'/>", "<model type='e1000e'/>"],
        ),
    ],
    ids=str,
)
def test_interfaces_are_written_with_what_they_are_connected_to(nic, wanted):
    written = lines(nic.to_xml())
    for line in wanted:
        assert line in written


@pytest.mark.parametrize(
    ("graphics", "wanted"),
    [
        (
            GraphicsSpec(),
            [
                "<graphics type='vnc' port='-1' autoport='yes'>",
                "<listen type='address' address='127.0.0.1'/>",
            ],
        ),
        (
            GraphicsSpec(port=5901, listen="::1"),
            [
                "<graphics type='vnc' port='5901' autoport='no'>",
                "<listen type='address' address='::1'/>",
            ],
        ),
        (
            GraphicsSpec(kind="spice", listen="none"),
            ["<graphics type='spice'>", "<listen type='none'/>"],
        ),
        (GraphicsSpec(listen="/run/a.sock"), ["<listen type='socket' socket='/run/a.sock'/>"]),
        (
            GraphicsSpec(password="secret", keymap="de"),
            ["<graphics type='vnc' port='-1' autoport='yes' passwd='secret' keymap='de'>"],
        ),
    ],
    ids=str,
)
def test_graphical_consoles_are_written_with_where_they_listen(graphics, wanted):
    written = lines(graphics.device_xml().text())
    for line in wanted:
        assert line in written


def test_video_cards_are_written():
    assert VideoSpec().device_xml().model == "vga"
    assert lines(VideoSpec(model="qxl", heads=2, vram_kib=65536).device_xml().text()) == [
        "<video>",
        "<model type='qxl' vram='65536' heads='2'/>",
        "</video>",
    ]
    assert VideoSpec(model="none", heads=4).device_xml().heads is None


@pytest.mark.parametrize(
    ("serial", "wanted"),
    [
        (SerialSpec(), ["<serial type='pty'>", "<target port='0'/>"]),
        (SerialSpec(log_path="/l"), ["<log file='/l' append='on'/>"]),
        (SerialSpec(kind="file", path="/f"), ["<source path='/f' append='on'/>"]),
        (SerialSpec(kind="unix", path="/s"), ["<source mode='bind' path='/s'/>"]),
        (
            SerialSpec(kind="tcp", host="127.0.0.1", port=4555),
            ["<source mode='bind' host='127.0.0.1' service='4555'/>", "<protocol type='raw'/>"],
        ),
        (SerialSpec(kind="null"), ["<serial type='null'>"]),
    ],
    ids=str,
)
def test_serial_ports_are_written_with_their_other_end(serial, wanted):
    written = lines(serial.device_xml().text())
    for line in wanted:
        assert line in written
    assert "<target type='serial' port='0'/>" in serial.console_xml().text()


def domain_with(spec, **options):
    domain = DomainXml.new(name="a")
    spec.describe(domain, arch=options.pop("arch", "x86_64"), **options)
    return domain


def test_processors_are_described():
    domain = domain_with(
        CpuSpec(
            model="Nehalem",
            topology=CpuTopology(sockets=2, cores=3, threads=4),
            features=["vmx", {"name": "svm", "policy": "forbid"}],
        ),
        virt="kvm",
    )
    assert (domain.cpu_mode, domain.cpu_model) == ("custom", "Nehalem")
    assert (domain.cpu_sockets, domain.cpu_cores, domain.cpu_threads) == (2, 3, 4)
    assert [(one.name, one.policy) for one in domain.cpu_features] == [
        ("vmx", "require"),
        ("svm", "forbid"),
    ]
    assert CpuTopology(sockets=2, cores=3, threads=4).count == 24
    assert CpuFeature.model_validate("vmx") == CpuFeature(name="vmx")


@pytest.mark.parametrize(
    ("mode", "virt", "arch", "written"),
    [
        ("default", "qemu", "x86_64", ("custom", "qemu64")),
        ("default", "qemu", "i686", ("custom", "qemu32")),
        ("default", "qemu", "riscv64", ("maximum", None)),
        ("default", "kvm", "x86_64", ("host-model", None)),
        ("maximum", "qemu", "x86_64", ("maximum", None)),
        ("host-model", "qemu", "x86_64", ("host-model", None)),
        ("host-passthrough", "kvm", "x86_64", ("host-passthrough", None)),
    ],
)
def test_the_way_of_choosing_the_processor_suits_the_host(mode, virt, arch, written):
    domain = domain_with(CpuSpec(mode=mode), virt=virt, arch=arch)
    assert (domain.cpu_mode, domain.cpu_model) == written


def test_clocks_are_described():
    usual = domain_with(ClockSpec())
    assert usual.clock_offset == "utc"
    assert [one.name for one in usual.timers] == ["rtc", "pit", "hpet"]
    assert len(domain_with(ClockSpec(), arch="aarch64").timers) == 0
    assert len(domain_with(ClockSpec(timers=())).timers) == 0
    zone = domain_with(ClockSpec(offset="timezone", timezone="Europe/Berlin"))
    assert zone.clock_timezone == "Europe/Berlin"
    late = domain_with(ClockSpec(offset="variable", adjustment_s=-60))
    assert late.clock_adjustment == "-60"
    assert domain_with(ClockSpec(offset="variable")).clock_adjustment == "0"
    timers = domain_with(ClockSpec(timers=[TimerSpec(name="tsc", present=True)])).timers
    assert (timers[0].name, timers[0].present) == ("tsc", True)


def test_features_are_described():
    usual = domain_with(FeaturesSpec(), virt="qemu", needs_smm=False)
    assert (usual.acpi, usual.apic, usual.pae, usual.smm) == (True, True, None, None)
    assert usual.tb_cache == Size.parse("64 MiB")
    assert (
        domain_with(FeaturesSpec(tb_cache="8 MiB"), virt="qemu", needs_smm=False).tb_cache
        == 8 * 2**20
    )
    kvm = domain_with(FeaturesSpec(hyperv=True, smm=False), virt="kvm", needs_smm=True)
    assert (kvm.smm, kvm.hyperv_relaxed, kvm.hyperv_retries, kvm.tb_cache) == (
        True,
        True,
        8191,
        None,
    )
    arm = domain_with(FeaturesSpec(), virt="qemu", arch="aarch64", needs_smm=False)
    assert (arm.acpi, arm.apic) == (None, None)


def test_what_makes_domains_without_kvm_fail_is_never_written():
    domain = domain_with(FeaturesSpec(hyperv=True), virt="qemu", needs_smm=False)
    for word in ("vpindex", "synic", "stimer"):
        assert word not in domain.text()


def test_watchdogs_are_written():
    assert WatchdogSpec().device_xml().text() == "<watchdog model='i6300esb' action='reset'/>\n"


def is_good(kind, text):
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (kinds.Prose, ["", "two\nlines\ttab", "Ω 🐧"], ["\0", "\x1b[31m", "\ud800", "\ufffe"]),
        (kinds.Line, ["one line", "<&>"], ["", "two\nlines", "cr\r", "\x00"]),
        (kinds.AbsolutePath, ["/a", "/a b/<c>", "//x"], ["", "a", "./a", "/", "/a\nb", "/\0"]),
        (kinds.SafeName, ["web1", "a.b-c_d+e"], ["", "a b", "-a", "a/b"]),
        (kinds.ObjectName, ["web 1", "ä"], ["", "a/b", "a\nb"]),
        (kinds.Mac, ["52:54:00:00:00:01"], ["", "01:00:5e:00:00:01"]),
        (kinds.Uuid, ["4a4c59a7ee3fc78196e4288f2862f011"], ["", "1"]),
        (kinds.Tag, ["web", "team:a/b@c"], ["", "a b", "<a>", "x" * 65, "-a"]),
    ],
)
def test_kinds_of_text_take_what_xml_and_libvirt_take(kind, good, bad):
    for text in good:
        assert is_good(kind, text), text
    for text in (*bad, None, 5, ["list"]):
        assert not is_good(kind, text), text
