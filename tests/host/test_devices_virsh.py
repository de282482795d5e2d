"""Devices made by virsh and virt-xml are shown and edited without loss, and ours read by them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from lxml import etree

import labvirt as lv
from labvirt.model import (
    ChannelSpec,
    DomainXml,
    FilesystemSpec,
    InputSpec,
    PanicSpec,
    RngSpec,
    ShmemSpec,
    SoundSpec,
    WatchdogSpec,
)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not shutil.which("virsh"), reason="virsh (libvirt-clients) is not installed"
    ),
]

#: A device with much that no spec of ours knows.
ODD = """<interface type='user'>
  <mac address='52:54:00:0d:d0:01'/>
  <model type='virtio'/>
  <driver name='qemu' txmode='iothread' ioeventfd='on' event_idx='off' rx_queue_size='512'>
    <host csum='off' gso='off'/>
    <guest tso4='off'/>
  </driver>
  <rom bar='off'/>
  <coalesce><rx><frames max='7'/></rx></coalesce>
</interface>"""


def tool(host, *argv, data=None):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, input=data, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def virsh(alpha):
    return lambda *words, data=None: tool(alpha, "virsh", "-q", "-c", alpha.uri, *words, data=data)


def canonical(xml):
    return etree.tostring(etree.fromstring(xml), method="c14n")


def test_what_virsh_attached_is_shown_and_edited_without_loss(blank, virsh):
    name = blank.name
    odd = ODD.replace("<coalesce><rx><frames max='7'/></rx></coalesce>", "")
    virsh("attach-device", name, "/dev/stdin", "--config", data=odd)
    device = blank.devices["52:54:00:0d:d0:01"]
    assert (device.record.live, device.record.stored) == (False, True)
    before = device.xml(stored=True)
    assert "rx_queue_size='512'" in before
    device.update(link_up=False)
    after = blank.devices[device.name].xml(stored=True)
    assert "<link state='down'/>" in after
    device.update(link_up=True)
    back = blank.devices[device.name].xml(stored=True)
    assert canonical(back.replace("<link state='up'/>", "")).split() == canonical(before).split()
    virsh(
        "attach-disk",
        name,
        "/etc/hostname",
        "vdb",
        "--config",
        "--type",
        "disk",
        "--mode",
        "readonly",
    )
    assert blank.devices["vdb"].record.source == "/etc/hostname"
    blank.update("vdb", cache="none")
    disk = DomainXml.parse(virsh("dumpxml", name, "--inactive")).find_disk("vdb")
    assert (disk.cache, disk.readonly, disk.source_file) == ("none", True, "/etc/hostname")
    for key in ("vdb", device.name):
        blank.detach(key)


def test_what_virt_xml_added_is_shown_and_edited_without_loss(alpha, spec, virsh):
    if not shutil.which("virt-xml"):
        pytest.skip("virt-xml (virtinst) is not installed")
    domain = alpha.plan(spec, start=False).apply()
    for words in (
        ("--watchdog", "model=i6300esb,action=poweroff"),
        ("--rng", "/dev/random,rate.bytes=1234,rate.period=2000"),
        ("--sound", "ac97"),
        ("--panic", "isa"),
        ("--filesystem", "/tmp,shared-tag,type=mount,accessmode=mapped"),
        ("--channel", "unix,target.type=virtio,target.name=org.other.1"),
    ):
        tool(alpha, "virt-xml", "-c", alpha.uri, domain.name, "--add-device", *words)
    found = {record.type: record for record in domain.devices.records}
    assert found["watchdog"].what == "watchdog i6300esb, poweroff"
    assert found["rng"].source == "/dev/random"
    assert found["sound"].model == "ac97"
    assert found["filesystem"].name == "shared-tag"
    assert found["channel"].name == "org.other.1"
    domain.update("rng", path="/dev/urandom")
    rng = DomainXml.parse(virsh("dumpxml", domain.name)).rngs[0]
    assert (rng.backend, rng.rate_bytes, rng.rate_period_ms) == ("/dev/urandom", 1234, 2000)
    domain.update("watchdog", action="reset")
    tool(alpha, "virt-xml", "-c", alpha.uri, domain.name, "--edit", "--watchdog", "action=pause")
    assert domain.devices["watchdog"].record.what == "watchdog i6300esb, pause"
    for kind in ("watchdog", "rng", "sound", "panic", "filesystem", "channel"):
        domain.detach(kind)
    assert not {"watchdog", "panic", "sound"} & set(domain.devices.df["type"])


def test_what_we_attached_is_read_by_virsh_with_equal_values(alpha, spec, virsh):
    domain = alpha.plan(spec, start=False).apply()
    asked = [
        lv.DiskSpec(path="/etc/hostname", format="raw", serial="S-1", iops=9, discard="unmap"),
        lv.InterfaceSpec(kind="user", model="e1000", mac="52:54:00:0d:d0:02", link_up=False),
        RngSpec(rate="2 KiB"),
        WatchdogSpec(action="pause"),
        SoundSpec(model="ich6"),
        InputSpec(kind="keyboard", bus="usb"),
        PanicSpec(),
        ShmemSpec(name="pad", size="8 MiB"),
        FilesystemSpec(driver="9p", path="/tmp", tag="t", readonly=True),
        ChannelSpec(name="org.we.1"),
    ]
    for one in asked:
        domain.attach(one)
    told = DomainXml.parse(virsh("dumpxml", domain.name))
    disk = told.disks[0]
    assert (disk.target, disk.serial, disk.total_iops, disk.discard) == ("vda", "S-1", 9, "unmap")
    assert (told.interfaces[0].model, told.interfaces[0].link_state) == ("e1000", "down")
    assert (told.rngs[0].rate_bytes, told.rngs[0].rate_period_ms) == (2048, 1000)
    assert told.watchdogs[0].action == "pause"
    assert told.filesystems[0].readonly
    assert "org.we.1" in {one.target_name for one in told.channels}
    listed = virsh("domblklist", domain.name)
    assert "/etc/hostname" in listed
    assert "52:54:00:0d:d0:02" in virsh("domiflist", domain.name)
    assert (
        virsh("domif-getlink", domain.name, "52:54:00:0d:d0:02", "--config").split()[-1] == "down"
    )


def test_the_virsh_text_of_a_plan_does_the_same(blank, alpha, virsh):
    plan = blank.attach.plan(RngSpec(rate="1 KiB"), config=True)
    tool(alpha, "sh", "-c", plan.virsh)
    assert DomainXml.parse(blank.xml(inactive=True)).rngs[0].rate_bytes == 1024
    plan = blank.update.plan("rng", rate_bytes=4096)
    plan.apply()
    gone = blank.detach.plan("rng", config=True)
    tool(alpha, "sh", "-c", gone.virsh)
    assert not list(DomainXml.parse(blank.xml(inactive=True)).rngs)


def test_a_pc_has_28_slots_and_libvirt_refuses_the_29th(blank):
    from labvirt.connection import domain as calls
    from labvirt.errors import ConflictError, UnsupportedError

    room = blank.hotplug().room
    assert (room.has_ports, room.free) == (False, 28)
    for _ in range(room.free):
        calls.attach(blank.host.connection, blank.uuid, RngSpec().to_xml(), live=True)
    assert blank.hotplug().room.free == 0
    with pytest.raises(UnsupportedError, match="0 of 30 PCI slots free"):
        blank.attach(RngSpec())
    with pytest.raises(ConflictError, match="No more available PCI slots"):
        calls.attach(blank.host.connection, blank.uuid, RngSpec().to_xml(), live=True)
