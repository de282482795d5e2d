"""Devices plugged into and out of a real guest, which tells what it sees; live and stored."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.connection import node
from labvirt.errors import (
    ConfirmationError,
    ConflictError,
    HostError,
    NotFoundError,
    SpecError,
    UnsupportedError,
    WaitTimeoutError,
)
from labvirt.host.actions import ACTIONS
from labvirt.host.devices.device_actions import AttachDevice, ChangeDefinition
from labvirt.model import (
    CdromSpec,
    ChannelSpec,
    ConsoleSpec,
    ControllerSpec,
    DiskSpec,
    DomainCapabilities,
    DomainXml,
    FilesystemSpec,
    FloppySpec,
    InputSpec,
    InterfaceSpec,
    MemballoonSpec,
    PanicSpec,
    RngSpec,
    ShmemSpec,
    SoundSpec,
    TpmSpec,
    VideoSpec,
    WatchdogSpec,
)
from labvirt.plan import Crash

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def guest(lab):
    """A guest of machine pc with a CD drive; each test leaves it with what it had."""
    spec = lv.DomainSpec(
        name="devices",
        memory="160 MiB",
        source=lv.TinyGuest(),
        disks=(CdromSpec(bus="ide"),),
        graphics=lv.GraphicsSpec(kind="vnc", listen="none", password="first"),
    )
    domain = lab["alpha"].plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    yield domain
    domain.destroy(confirm=True)
    domain.undefine(confirm=True)


@pytest.fixture(autouse=True)
def as_it_was(request):
    """Hold that a test leaves the shared guest with the devices it had."""
    if "guest" not in request.fixturenames:
        yield
        return
    guest = request.getfixturevalue("guest")
    before = [record.uuid for record in guest.devices.records]
    yield
    for record in guest.devices.records:
        if record.uuid not in before:
            guest.detach(record.uuid, timeout_s=10)
    assert [record.uuid for record in guest.devices.records] == before
    # QEMU never removes shared memory.
    Path(f"/dev/shm/lab-{os.getpid()}").unlink(missing_ok=True)


def image(host, name, data=b"\0" * 2**20):
    path = Path(host.pools["default"].info().path) / name
    path.write_bytes(data)
    path.chmod(0o666)
    return str(path)


def sector(kind, *fields):
    """Return a volume descriptor of ISO 9660 with these (offset, bytes)."""
    made = bytearray(2048)
    made[:7] = bytes([kind]) + b"CD001\x01"
    for at, data in fields:
        made[at : at + len(data)] = data
    return bytes(made)


def both(number, size):
    return number.to_bytes(size, "little") + number.to_bytes(size, "big")


def entry(name, at, size, flags):
    """Return an entry of a folder."""
    body = bytes([0]) + both(at, 4) + both(size, 4) + bytes(7) + bytes([flags, 0, 0])
    body += both(1, 2) + bytes([len(name)]) + name
    body += bytes((len(body) + 1) % 2)
    return bytes([len(body) + 1]) + body


def iso(host, name, text):
    """Make a disc whose only file holds a text."""
    folder = entry(b"\0", 20, 2048, 2) + entry(b"\1", 20, 2048, 2)
    folder += entry(b"HELLO.TXT;1", 21, len(text), 0)
    table = bytes([1, 0, 20, 0, 0, 0, 1, 0, 0, 0])
    primary = sector(
        1, (8, b" " * 32), (40, name.upper().encode().ljust(32)), (80, both(22, 4)),
        (120, both(1, 2)), (124, both(1, 2)), (128, both(2048, 2)), (132, both(10, 4)),
        (140, (18).to_bytes(4, "little")), (148, (19).to_bytes(4, "big")),
        (156, entry(b"\0", 20, 2048, 2)), (881, b"\x01"),
    )  # fmt: skip
    parts = [primary, sector(255), table, table, folder, text.encode()]
    data = bytes(32768) + b"".join(part.ljust(2048, b"\0") for part in parts)
    return image(host, f"{name}.iso", data)


def sees(guest, command, word, eventually, *, gone=False):
    eventually(
        lambda: (word in guest.ask(command).text.split()) is not gone,
        f"{word} {'to go' if gone else 'to come'} in the guest: {command}",
    )


def test_a_new_disk_is_made_plugged_seen_and_taken_away(guest, eventually):
    plan = guest.attach.plan(DiskSpec(size="8 MiB", serial="LAB-1"))
    assert [action.kind for action in plan.actions] == ["create-volume", "attach-device"]
    assert "+    <disk" in plan.diff
    assert "attach-device devices --live --config" in plan.virsh
    device = plan.apply()
    assert (device.record.name, device.record.live, device.record.stored) == ("vda", True, True)
    sees(guest, "ls /sys/block", "vda", eventually)
    assert guest.ask("cat /sys/block/vda/serial").text.strip() == "LAB-1"
    assert guest.ask("cat /sys/block/vda/size").text.strip() == str(8 * 2048)
    guest.detach("vda")
    sees(guest, "ls /sys/block", "vda", eventually, gone=True)
    assert "vda" not in guest.xml() + guest.xml(inactive=True)


def test_a_scsi_disk_brings_the_controller_that_a_guest_has_a_driver_for(guest, eventually):
    disk = DiskSpec(path=image(guest.host, "scsi.img"), format="raw", bus="scsi")
    plan = guest.attach.plan(disk)
    assert [action.title for action in plan.actions] == [
        "attach controller scsi0 to domain devices",
        "attach disk sda to domain devices",
    ]
    device = plan.apply()
    assert guest.devices["scsi0"].record.model == "virtio-scsi"
    sees(guest, "ls /sys/block", "sda", eventually)
    with pytest.raises(ConflictError, match="on it sit sda"):
        guest.detach("scsi0")
    second = guest.attach(DiskSpec(path=image(guest.host, "b.img"), format="raw", bus="scsi"))
    assert second.name == "sdb"
    second.detach()
    device.detach()
    guest.detach("scsi0")
    assert "virtio-scsi" not in guest.xml(inactive=True)


@pytest.mark.parametrize(
    ("spec", "command", "word"),
    [
        (InterfaceSpec(kind="user"), "ls /sys/class/net", "eth1"),
        (RngSpec(), "cat /sys/class/misc/hw_random/rng_available", "virtio_rng.1"),
        (ChannelSpec(name="org.lab.1"), "cat /sys/class/virtio-ports/vport*/name", "org.lab.1"),
        (InputSpec(bus="virtio"), "cat /proc/bus/input/devices", 'Name="QEMU'),
        (WatchdogSpec(), "cat /sys/bus/pci/devices/*/device", "0x25ab"),
        (ShmemSpec(name=f"lab-{os.getpid()}"), "cat /sys/bus/pci/devices/*/device", "0x1110"),
    ],
)
def test_a_device_comes_and_goes_in_the_guest(guest, eventually, spec, command, word):
    device = guest.attach(spec)
    assert device.record.live
    assert device.record.stored
    sees(guest, command, word, eventually)
    device.detach()
    sees(guest, command, word, eventually, gone=True)


@pytest.mark.parametrize("spec", [InputSpec(), ConsoleSpec()])
def test_a_device_that_the_guest_has_no_driver_for_comes_and_goes_too(guest, spec):
    device = guest.attach(spec)
    assert device.record.live
    device.detach()


def test_a_usb_disk_is_plugged_without_a_slot(guest):
    free = guest.hotplug().room.free
    disk = guest.attach(DiskSpec(path=image(guest.host, "usb.img"), format="raw", bus="usb"))
    assert disk.record.address.startswith("usb ")
    assert guest.hotplug().room.free == free
    disk.detach()


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        (CdromSpec(path="/etc/hostname", bus="ide"), "an IDE bus"),
        (DiskSpec(path="/etc/hostname", format="raw", bus="sata"), "SATA"),
        (FloppySpec(path="/etc/hostname"), "floppy controller"),
        (SoundSpec(), "no sound cards"),
        (PanicSpec(), "part of the machine"),
        (TpmSpec(model="tpm-tis"), "no TPM"),
        (InputSpec(kind="mouse", bus="ps2"), "soldered"),
        (WatchdogSpec(model="ib700"), "part of the machine"),
        (ControllerSpec(kind="usb", model="qemu-xhci"), "SCSI controllers only"),
        (lv.GraphicsSpec(kind="spice"), "when QEMU starts"),
        (FilesystemSpec(driver="9p", path="/tmp", tag="t"), "no 9p"),
        (FilesystemSpec(path="/tmp", tag="t"), "memory that is shared|crashes"),
    ],
)
def test_what_cannot_be_plugged_is_said_before_anything_is_done(guest, spec, word):
    before = guest.xml(), guest.xml(inactive=True)
    with pytest.raises(UnsupportedError, match=word):
        guest.attach(spec)
    assert (guest.xml(), guest.xml(inactive=True)) == before


@pytest.mark.parametrize(
    ("spec", "error", "word"),
    [
        (DiskSpec(path="/nowhere/a.img", format="raw"), SpecError, "no such file"),
        (CdromSpec(path="/nowhere/a.iso", bus="usb"), SpecError, "no such file"),
        (DiskSpec(path="/etc", format="raw"), SpecError, "neither a file"),
        (InterfaceSpec(kind="network", source="nosuch"), SpecError, "no such network"),
        (FilesystemSpec(driver="9p", path="/nowhere", tag="t"), UnsupportedError, "9p"),
        (ChannelSpec(), ConflictError, "has the channel org.qemu.guest_agent.0 already"),
        (MemballoonSpec(), ConflictError, "has the memballoon already"),
        (CdromSpec(bus="usb"), UnsupportedError, "only with a disc"),
        (
            DiskSpec(path="/etc/hostname", format="raw", bus="ide", target="hda"),
            ConflictError,
            "hda",
        ),
        (7, SpecError, "int is no device"),
    ],
)
def test_bad_devices_are_refused_with_one_clear_error(guest, spec, error, word):
    before = guest.xml(), guest.xml(inactive=True)
    with pytest.raises(error, match=word):
        guest.attach(spec)
    assert (guest.xml(), guest.xml(inactive=True)) == before


def test_the_devices_are_a_collection(guest):
    frame = guest.devices.df
    assert {"disk", "interface", "serial", "channel", "rng", "memballoon"} <= set(frame["type"])
    assert frame["live"].all()
    mac = DomainXml.parse(guest.xml()).interfaces[0].mac
    assert guest.devices[mac.upper()].record == guest.devices["net0"].record
    assert guest.devices["interface"].name == mac
    assert guest.devices["hda"].record.what == "ide CD drive, empty"
    assert "CD drive" in guest.devices._repr_html_()
    assert guest.devices["hda"].xml().startswith("<disk")
    assert "first" not in guest.devices["graphics"].xml()
    assert guest.devices.where(type="disk").names == ["hda"]
    with pytest.raises(NotFoundError, match="did you mean 'hda'"):
        guest.devices["hdb"]
    with pytest.raises(NotFoundError, match="several"):
        guest.devices["input"]


def test_a_medium_is_put_in_read_by_the_guest_changed_and_taken_out(guest, eventually):
    first, second = iso(guest.host, "one", "first disc"), iso(guest.host, "two", "second disc")
    read = "mount -t iso9660 -o ro /dev/sr0 /mnt && cat /mnt/*; umount /mnt"
    plan = guest.insert.plan("hda", first)
    assert not plan.warnings
    assert "+      <source file=" in plan.diff
    plan.apply()
    eventually(lambda: "first disc" in guest.ask(read).text, "the guest to read the disc")
    guest.insert("hda", second)
    eventually(lambda: "second disc" in guest.ask(read).text, "the guest to read the other disc")
    assert guest.devices["hda"].record.source == second
    assert second in guest.xml(inactive=True)
    guest.eject("hda")
    assert guest.devices["hda"].record.what == "ide CD drive, empty"
    assert second not in guest.xml(inactive=True)


def test_a_tray_that_the_guest_has_locked_needs_force(guest, eventually):
    guest.insert("hda", iso(guest.host, "locked", "held"))
    eventually(
        lambda: not guest.ask("mount -t iso9660 -o ro /dev/sr0 /mnt").text, "the guest to mount"
    )
    with pytest.raises(ConflictError, match="force=True") as caught:
        guest.eject("hda")
    assert "locked" in str(caught.value)
    assert "locked.iso" in guest.xml(inactive=True)
    guest.eject("hda", force=True)
    assert guest.devices["hda"].record.source == ""
    guest.ask("umount /mnt")


def test_a_file_that_is_no_disc_is_warned_of(guest):
    plan = guest.insert.plan("hda", image(guest.host, "no.iso", b"text" * 20000))
    assert any("no ISO image" in warning for warning in plan.warnings)
    with pytest.raises(NotFoundError, match="no file"):
        guest.insert("hda", "/nowhere/disc.iso")
    with pytest.raises(SpecError, match="folder"):
        guest.insert("hda", "/etc")


def test_the_cable_is_pulled_and_the_guest_notices(guest, eventually):
    guest.update("net0", link_up=False)
    eventually(
        lambda: guest.ask("cat /sys/class/net/eth0/carrier").text.strip() == "0", "no carrier"
    )
    assert "cable out" in guest.devices["net0"].record.what
    assert not guest.pending
    guest.update("net0", link_up=True)
    eventually(
        lambda: guest.ask("cat /sys/class/net/eth0/carrier").text.strip() == "1", "the carrier"
    )


def test_a_change_that_must_wait_says_so_and_shows_the_difference(guest):
    plan = guest.update.plan("net0", model="e1000", link_up=True)
    assert any("model cannot change while it runs" in warning for warning in plan.warnings)
    assert "--config" in plan.virsh
    assert "--live" not in plan.virsh
    plan.apply()
    assert "+      <model type='e1000'/>" in guest.pending
    assert DomainXml.parse(guest.xml()).interfaces[0].model == "virtio"
    guest.update("net0", model="virtio", config=True)
    with pytest.raises(UnsupportedError, match="model cannot change"):
        guest.update("net0", model="e1000", live=True)


def test_limits_of_a_disk_change_while_it_runs(guest):
    disk = guest.attach(DiskSpec(path=image(guest.host, "slow.img"), format="raw"))
    disk.update(bytes_per_s="1 MiB", iops=50)
    for inactive in (False, True):
        view = DomainXml.parse(guest.xml(inactive=inactive)).find_disk(disk.name)
        assert (view.total_bytes_s, view.total_iops) == (2**20, 50)
    disk.update(bytes_per_s=None, iops=None)
    assert DomainXml.parse(guest.xml()).find_disk(disk.name).total_bytes_s is None
    plan = guest.update.plan(disk, cache="writethrough")
    assert any("next start" in warning for warning in plan.warnings)
    disk.detach()


def test_a_password_is_set_and_never_shown(guest):
    plan = guest.update.plan("graphics", password="Geheim1")
    for text in (str(plan), plan.virsh, plan.diff, plan.python, plan._repr_html_()):
        assert "Geheim1" not in text
    plan.apply()
    for inactive in (False, True):
        assert "passwd='Geheim1'" in guest.xml(inactive=inactive, secure=True)
    journal = (guest.host.journal.folder / "journal.jsonl").read_text()
    assert "Geheim1" not in journal
    with pytest.raises(SpecError, match="8 characters") as caught:
        guest.update("graphics", password="much-too-long")
    assert "much-too-long" not in str(caught.value)


def test_the_balloon_tells_of_memory_when_asked(guest):
    guest.update("memballoon", stats_period_s=2)
    assert DomainXml.parse(guest.xml()).memballoons[0].stats_period_s == 2
    assert DomainXml.parse(guest.xml(inactive=True)).memballoons[0].stats_period_s == 2


@pytest.mark.parametrize(
    ("device", "changes", "word"),
    [
        ("net0", {}, "no change is named"),
        ("net0", {"modle": "e1000"}, "did you mean 'model'"),
        ("net0", {"link_up": 1}, "is no bool"),
        ("net0", {"mtu": "wide"}, "mtu"),
        ("net0", {"source": "x"}, "type user has none"),
        ("hda", {"source": 7}, "no medium"),
        ("hda", {"cache": "often"}, "allowed"),
        ("hda", {"bytes_per_s": "7"}, "7 of what"),
        ("graphics", {"password_until": "soon"}, "password_until|passwdValidTo"),
    ],
)
def test_bad_changes_are_refused_before_anything_is_done(guest, device, changes, word):
    before = guest.xml(secure=True), guest.xml(inactive=True, secure=True)
    with pytest.raises(SpecError, match=word):
        guest.update(device, **changes)
    assert (guest.xml(secure=True), guest.xml(inactive=True, secure=True)) == before


def test_a_paused_guest_lets_go_later_and_that_is_noticed(guest, eventually):
    disk = guest.attach(DiskSpec(path=image(guest.host, "late.img"), format="raw"))
    sees(guest, "ls /sys/block", disk.name, eventually)
    guest.suspend()
    plan = guest.detach.plan(disk)
    assert any("paused" in warning for warning in plan.warnings)
    with pytest.raises(WaitTimeoutError, match="the domain is paused") as caught:
        guest.detach(disk, timeout_s=0.5)
    assert disk.name in caught.value.what
    record = guest.devices[disk.name].record
    assert (record.live, record.stored) == (True, True)
    guest.resume()
    eventually(lambda: not guest.devices[disk.name].record.live, "the guest to release the disk")
    assert guest.devices[disk.name].record.stored
    guest.detach(disk.name)
    assert disk.name not in guest.devices.names


def test_kinds_that_are_defined_whole_are_added_to_the_definition(alpha, spec):
    domain = alpha.plan(spec.replace(balloon=False), start=False).apply()
    for device in (PanicSpec(), VideoSpec(model="virtio"), MemballoonSpec(stats_period_s=3)):
        domain.attach(device)
    found = DomainXml.parse(domain.xml(inactive=True))
    assert [one.model for one in found.panics] == ["isa"]
    assert [one.stats_period_s for one in found.memballoons] == [3]
    assert [one.model for one in found.videos] == ["vga", "virtio"]
    domain.detach("panic")
    domain.update("video0", model="cirrus", heads=None)
    assert "panic" not in domain.devices.df["type"].to_list()


def test_a_drive_is_added_to_a_definition_and_a_sound_card_too(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    drive = domain.attach(CdromSpec())
    assert (drive.name, drive.record.bus) == ("hda", "ide")
    floppy = domain.attach(FloppySpec())
    assert floppy.name == "fda"
    card = domain.attach(SoundSpec(model="ac97"))
    assert card.record.what == "ac97 sound"
    share = domain.attach(FilesystemSpec(driver="9p", path="/tmp", tag="share"))
    assert share.name == "share"
    for device in (drive, floppy, card, share):
        device.detach()
    assert not DomainXml.parse(domain.xml(inactive=True)).filesystems


def test_a_failed_plan_leaves_neither_volume_nor_controller(guest, monkeypatch):
    from labvirt.connection import domain as calls

    real = calls.attach

    def attach(link, uuid, xml, **options):
        if "<disk" in xml:
            raise HostError("attach a device", libvirt_text="as told by the test")
        real(link, uuid, xml, **options)

    monkeypatch.setattr(calls, "attach", attach)
    volumes = set(guest.host.pools["shared"].volumes.names)
    with pytest.raises(lv.errors.PlanError, match="as told by the test") as caught:
        guest.attach(DiskSpec(size="1 MiB", bus="scsi"))
    assert any("create volume" in title for title in caught.value.undone)
    assert set(guest.host.pools["shared"].volumes.names) == volumes
    assert "virtio-scsi" not in guest.xml()
    assert "virtio-scsi" not in guest.xml(inactive=True)


def test_a_floppy_is_changed_while_the_domain_runs(alpha, spec):
    first = image(alpha, "a.flp", b"A" * 1474560)
    second = image(alpha, "b.flp", b"B" * 1474560)
    domain = alpha.plan(spec.replace(disks=(FloppySpec(path=first),))).apply()
    assert domain.devices["fda"].record.source == first
    domain.insert("fda", second)
    assert domain.devices["fda"].record.source == second
    domain.eject("fda")
    assert domain.devices["fda"].record.what == "fdc floppy drive, empty"
    odd = image(alpha, "odd.flp", b"C" * 1000)
    assert any("no size of a floppy" in told for told in domain.insert.plan("fda", odd).warnings)


def test_media_of_a_domain_that_is_off(alpha, spec):
    domain = alpha.plan(spec.replace(disks=(CdromSpec(),)), start=False).apply()
    disc = iso(alpha, "off", "x")
    plan = domain.insert.plan("hda", disc)
    assert "--config" in plan.virsh
    plan.apply()
    assert domain.devices["hda"].record.source == disc
    domain.eject("hda")
    assert domain.devices["hda"].record.source == ""
    with pytest.raises(SpecError, match="never empty"):
        domain.update(domain.attach(DiskSpec(size="1 MiB")), source=None)


def test_a_password_ends_when_it_is_told_to(guest):
    ends = dt.datetime(2031, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    guest.update("graphics", password="Kurz", password_until=ends)
    assert DomainXml.parse(guest.xml(inactive=True)).graphics[0].password_until == (
        "2031-02-03T04:05:06"
    )
    with pytest.raises(SpecError, match="time zone"):
        guest.update("graphics", password_until=ends.replace(tzinfo=None))


def test_memory_statistics_come_from_the_guest(guest, eventually):
    from labvirt.connection import domain as calls

    guest.update("memballoon", stats_period_s=1)
    stats = eventually(
        lambda: (
            found
            if "unused" in (found := calls.memory_stats(guest.host.connection, guest.uuid))
            else None
        ),
        "statistics of the guest's memory",
    )
    assert 0 < stats["unused"] < 160 * 1024


def test_a_pci_serial_port_is_plugged_by_its_xml(guest):
    port = guest.attach("<serial type='pty'><target type='pci-serial'/></serial>")
    assert (port.record.type, port.record.model) == ("serial", "pci-serial")
    port.detach()


def crash(*, finished=False):
    return Crash(dt.datetime.now(dt.UTC), finished=finished)


def test_an_attach_that_was_cut_short_is_undone_by_the_next_process(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    path = image(alpha, "cut.img")
    xml = DiskSpec(path=path, format="raw", target="vda").to_xml()
    action = AttachDevice(domain.name, domain.uuid, xml, live=False, config=True)
    action.undo(alpha, crash())
    domain.attach(xml)
    assert (
        ACTIONS["attach-device"](**{k: v for k, v in action.to_record().items() if k != "kind"})
        == action
    )
    action.undo(alpha, crash())
    assert "vda" not in domain.devices.names
    other = DiskSpec(path=image(alpha, "other.img"), format="raw", target="vda").to_xml()
    domain.attach(other)
    action.undo(alpha, crash())
    assert "vda" in domain.devices.names


def test_a_definition_that_was_cut_short_is_put_back_only_when_it_is_ours(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    before = domain.xml(inactive=True, secure=True)
    after = before.replace("type='vnc'", "type='vnc' keymap='de'").replace(
        "<graphics", "<sound model='ac97'/><graphics", 1
    )
    assert after != before
    action = ChangeDefinition(domain.name, domain.uuid, "test", before, after)
    action.undo(alpha, crash())
    assert domain.xml(inactive=True, secure=True) == before
    action.do(alpha, None)
    assert "ac97" in domain.xml(inactive=True)
    action.undo(alpha, crash())
    assert "ac97" not in domain.xml(inactive=True)
    with pytest.raises(ConflictError, match="was changed since"):
        ChangeDefinition(domain.name, domain.uuid, "test", after, before).check(alpha)


def test_spice_is_there_when_qemu_has_it_and_said_when_not(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    types = DomainCapabilities.parse(
        node.domain_capabilities(alpha.connection, virt="qemu")
    ).graphics_types
    wish = lv.GraphicsSpec(kind="spice", password="Geheim2")
    plan = domain.attach.plan(wish)
    assert "Geheim2" not in str(plan) + plan.virsh
    if "spice" in types:
        plan.apply()
        assert "Geheim2" in domain.xml(inactive=True, secure=True)
        domain.update("graphics1", password="Anders2")
        assert "Anders2" in domain.xml(inactive=True, secure=True)
    else:
        with pytest.raises(HostError, match="spice"):
            plan.apply()


def test_a_mounted_disk_is_taken_only_when_its_loss_is_agreed_to(guest, eventually):
    path = image(guest.host, "mounted.img", b"\0" * 4 * 2**20)
    subprocess.run(["mke2fs", "-q", "-F", path], check=True, capture_output=True, timeout=30)
    for bus in ("virtio", "scsi"):
        disk = guest.attach(DiskSpec(path=path, format="raw", bus=bus))
        sees(guest, "ls /sys/block", disk.name, eventually)
        assert not guest.ask(f"mkdir -p /mnt/m; mount /dev/{disk.name} /mnt/m").text
        with pytest.raises(ConfirmationError, match="not yet written to /mnt/m"):
            disk.detach()
        assert guest.devices[disk.name].record.live
        guest.ask("umount /mnt/m")
        disk.detach()


def test_a_plan_that_is_out_of_date_changes_nothing(alpha, spec):
    domain = alpha.plan(spec.replace(disks=(CdromSpec(),)), start=False).apply()
    plan = domain.insert.plan("hda", iso(alpha, "late", "x"))
    domain.set_title("changed meanwhile")
    with pytest.raises(ConflictError, match="changed since"):
        plan.apply()
    assert domain.info().title == "changed meanwhile"
    assert domain.devices["hda"].record.source == ""
