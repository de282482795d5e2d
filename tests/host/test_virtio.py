"""A real guest on IDE and e1000 is looked at, converted, boots from virtio, and goes back."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.errors import ConflictError, PreconditionError, SpecError
from labvirt.host.devices.guest_drivers import DriverReport, Finding, _read
from labvirt.model import DiskSpec, DomainXml

pytestmark = pytest.mark.lab


@pytest.fixture
def old(alpha, name):
    """A guest that boots from an IDE disk and has a card that it has no driver for."""
    media = alpha.builder(lv.TinyGuest(boot="disk"), alpha.facts.media_folder)
    system = lv.model.NewVolume(backing_path=media.disk, backing_format="qcow2")
    spec = lv.DomainSpec(
        name=name,
        memory="128 MiB",
        machine="pc",
        disks=(DiskSpec(source=system, bus="ide"),),
        interfaces=(lv.InterfaceSpec(kind="user", model="e1000"),),
    )
    domain = alpha.plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    return domain


def blocks(domain):
    return domain.ask("sleep 1; ls /sys/block; ls /sys/class/net").text.split()


@pytest.mark.slow(seconds=20)
def test_the_guide_s_conversion_and_the_way_back(old):
    assert old.not_virtio[0] == "hda"
    old.ask("echo '/dev/sda1 / ext4 defaults 0 1' > /etc/fstab")
    check = old.virtio_check()
    assert check.ready
    assert "driver virtio_blk" in str(check)
    assert any(one.where == "/etc/fstab line 1" for one in check.findings)
    with pytest.raises(ConflictError, match="shut it down"):
        old.convert_to_virtio(check=check)
    old.shutdown(timeout_s=30)
    with pytest.raises(PreconditionError, match="nobody looked"):
        old.convert_to_virtio()
    plan = old.convert_to_virtio.plan(check=check)
    assert "-      <target dev='hda' bus='ide'/>" in plan.diff
    assert "+      <target dev='vda' bus='virtio'/>" in plan.diff
    assert any("/etc/fstab" in warning for warning in plan.warnings)
    plan.apply()
    old.start()
    old.wait_for("agent", timeout_s=90)
    seen = blocks(old)
    assert "vda" in seen
    assert "eth0" in seen
    assert "sda" not in seen
    assert old.not_virtio == ()
    old.shutdown(timeout_s=30)
    swaps = old.convert_back()
    assert {one.name for one in swaps} >= {"hda"}
    found = DomainXml.parse(old.xml(inactive=True))
    assert (found.disks[0].target, found.disks[0].bus) == ("hda", "ide")
    assert found.interfaces[0].model == "e1000"


def test_a_guest_without_the_driver_is_not_converted(alpha, spec):
    disk = DiskSpec(size="1 MiB", bus="ide")
    domain = alpha.plan(spec.replace(disks=(disk,)), start=False).apply()
    other = DriverReport("other", "other", "guest agent", ())
    with pytest.raises(SpecError, match="that of domain other"):
        domain.convert_to_virtio(check=other)
    lacks = Finding("blocker", "no driver virtio_blk", "", "install a kernel that has it")
    check = DriverReport(domain.uuid, domain.name, "guest agent", (lacks,))
    with pytest.raises(PreconditionError, match="no driver virtio_blk"):
        domain.convert_to_virtio(check=check)
    assert domain.convert_to_virtio(drivers_installed=True)[0].now == "vda"
    with pytest.raises(SpecError, match="nothing that virtio"):
        domain.convert_to_virtio(drivers_installed=True)


def test_what_a_guest_says_is_read():
    text = (
        "kernel|5.10\r\ndriver|virtio_pci|builtin\ndriver|virtio_blk|module\n"
        "driver|virtio_net|absent\ndriver|virtio_scsi|absent\ninitrd|virtio_net.ko\n"
        "name|/boot/grub/menu.lst:7:root=/dev/hda1\nnet|/etc/udev/rules.d/70-net.rules:3:DRIVERS\n"
    )
    found = _read(text)
    levels = {one.what: one.level for one in found}
    assert levels["no driver virtio_net"] == "blocker"
    assert levels["no driver virtio_scsi"] == "warning"
    assert levels["the initial RAM disk lacks virtio_blk"] == "blocker"
    assert any(one.where == "/boot/grub/menu.lst line 7" for one in found)
    assert any("old card" in one.what for one in found)
    assert _read("sh: syntax error")[0].level == "blocker"


def test_a_windows_guest_is_asked_for_its_drivers(blank, monkeypatch):
    answers = {
        "guest-ping": {},
        "guest-get-osinfo": {"id": "mswindows"},
        "guest-get-devices": [{"driver-name": "Red Hat VirtIO SCSI controller viostor"}],
    }
    monkeypatch.setattr(
        type(blank), "agent", lambda _self, command, *_args, **_more: answers[command]
    )
    check = blank.virtio_check()
    assert [one.level for one in check.findings] == ["ok", "blocker"]
    assert "netkvm" in check.blockers[0].cure
