"""The devices of the real machine, and those of libvirt's test driver where none are real."""

from __future__ import annotations

from pathlib import Path

import pytest

import labvirt as lv
from labvirt.connection import nodedev as calls
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    HostError,
    NotFoundError,
    UnsupportedError,
)
from labvirt.host.devices import nodedev
from labvirt.model import HostUsbSpec
from labvirt.status.nodedev import node_device_record

pytestmark = pytest.mark.lab

SYS = Path("/sys/bus/pci/devices")
USB = """<device><name>usb_1_2</name><path>/sys/x</path><parent>usb_usb1</parent>
<driver><name>usb</name></driver><capability type='usb_device'><bus>1</bus><device>3</device>
<product id='0xc31c'>Keyboard K120</product><vendor id='0x046d'>Logitech, Inc.</vendor>
</capability></device>"""


@pytest.fixture
def card(alpha):
    """The first PCI device of this machine that has a driver."""
    found = [one for one in alpha.devices if one.record.type == "pci" and one.record.driver]
    if not found:
        pytest.skip("this machine shows no PCI device with a driver")
    return found[0]


def test_the_list_is_that_of_sysfs(alpha):
    told = {one.record.address for one in alpha.devices if one.record.type == "pci"}
    assert told == {path.name for path in SYS.iterdir()} if SYS.exists() else not told
    assert "computer" in alpha.devices.names
    frame = alpha.devices.df
    assert {"pci", "net", "system"} <= set(frame["type"]) | {"pci", "net"}
    assert "IOMMU" not in frame.to_string()


def test_driver_and_ids_are_those_of_sysfs(card):
    folder = SYS / card.record.address
    assert card.record.driver == (folder / "driver").resolve().name
    assert card.record.vendor_id == (folder / "vendor").read_text().strip()
    group = folder / "iommu_group"
    wanted = int(group.resolve().name) if group.exists() else None
    assert card.record.iommu_group == wanted
    assert card.spec().address == card.record.address
    assert card.name in card.xml()


def test_a_card_that_carries_the_route_is_refused(alpha):
    used = [
        one
        for one in alpha.devices
        if one.record.type == "pci" and any("route" in use for use in one.record.uses)
    ]
    if not used:
        pytest.skip("no PCI network card of this machine carries a route")
    for call in (used[0].detach, used[0].reset):
        with pytest.raises(ConflictError, match="carries the route"):
            call(confirm=True)


def test_without_an_iommu_nothing_is_given_away(alpha):
    free = [
        one
        for one in alpha.devices
        if one.record.type == "pci" and not one.record.uses and one.record.iommu_group is None
    ]
    if not free:
        pytest.skip("every PCI device of this machine is used or has an IOMMU group")
    with pytest.raises(UnsupportedError, match="IOMMU"):
        free[0].detach(confirm=True)


def test_only_pci_devices_are_taken(alpha):
    with pytest.raises(UnsupportedError, match="only PCI devices"):
        alpha.devices["computer"].detach(confirm=True)
    with pytest.raises(UnsupportedError, match="PCI and USB"):
        alpha.devices["computer"].spec()
    with pytest.raises(NotFoundError, match="did you mean 'computer'"):
        alpha.devices["compuder"]


def test_a_domain_that_has_a_device_is_told(alpha, spec, card):
    domain = alpha.plan(spec, start=False).apply()
    given = domain.attach(card.spec())
    assert given.name == card.record.address
    assert card.info().used_by == (domain.name,)
    assert domain.devices.where(type="hostdev").names == [card.record.address]
    given.detach()
    assert card.info().used_by == ()


def test_giving_a_device_to_a_running_domain_needs_an_iommu(blank, card):
    if card.record.iommu_group is not None:
        pytest.skip("this machine has an IOMMU")
    with pytest.raises(UnsupportedError, match="passthrough"):
        blank.attach(card.spec(), live=True)
    assert "hostdev" not in blank.xml()


def test_a_usb_device_that_is_not_there_is_told(blank):
    before = blank.xml(), blank.xml(inactive=True)
    with pytest.raises(HostError, match=r"046d|USB"):
        blank.attach(HostUsbSpec.model_validate("046d:c31c"))
    assert (blank.xml(), blank.xml(inactive=True)) == before


def test_two_domains_with_one_device_are_warned_of(alpha, spec, card):
    for name in (f"{spec.name}a", f"{spec.name}b"):
        alpha.plan(spec.replace(name=name), start=False).apply()
    first, second = alpha.domains[f"{spec.name}a"], alpha.domains[f"{spec.name}b"]
    first.attach(card.spec())
    plan = second.attach.plan(card.spec())
    assert any(f"also a device of {first.name}" in warning for warning in plan.warnings)


def test_a_detach_is_a_plan_that_says_what_the_host_loses(alpha, card, monkeypatch):
    from dataclasses import replace

    real = calls.list_all
    taken = []

    def grouped(link):
        return tuple(
            replace(one, iommu_group=7) if one.type == "pci" else one for one in real(link)
        )

    monkeypatch.setattr(calls, "list_all", grouped)
    monkeypatch.setattr(nodedev, "_routed", dict)
    monkeypatch.setattr(nodedev, "_mounted", list)
    monkeypatch.setattr(calls, "detach", lambda link, name, driver: taken.append((name, driver)))
    plan = card.detach.plan(driver="vfio")
    assert f"nodedev-detach {card.name} --driver vfio" in plan.virsh
    assert any("use of" in loss for loss in plan.destroys)
    assert any("IOMMU group 7" in warning for warning in plan.warnings)
    with pytest.raises(lv.errors.ConfirmationError):
        plan.apply()
    plan.apply(confirm=True)
    assert taken == [(card.name, "vfio")]


def test_a_usb_device_is_read_and_described():
    import datetime as dt

    record = node_device_record(USB, dt.datetime.now(dt.UTC))
    assert (record.type, record.address, record.driver) == ("usb_device", "1:3", "usb")
    assert record.what == "Logitech, Inc., Keyboard K120"
    spec = nodedev.NodeDevice(None, record).spec()
    assert (spec.bus, spec.device) == (1, 3)


def test_a_read_only_host_shows_devices_and_changes_none(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    with lv.connect(alpha.uri, readonly=True) as host:
        mine = host.domains[domain.name]
        assert "serial0" in mine.devices.names
        for call in (
            lambda: mine.attach(lv.model.RngSpec()),
            lambda: mine.update("memballoon", stats_period_s=5),
            lambda: mine.detach("serial0"),
        ):
            with pytest.raises(AccessDeniedError):
                call()


def test_libvirts_test_driver_lists_its_own():
    with lv.connect("test:///default") as host:
        assert "computer" in host.devices.names
        assert host.devices.where("scsi_host*").names
