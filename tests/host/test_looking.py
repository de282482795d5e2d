"""One look at networks, pools, devices and interfaces of a host, and what a host is."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.host.describing import describe
from labvirt.host.devices.passing import passing_of, tree_of
from labvirt.host.networks.links import links_of
from labvirt.host.networks.looking import look_at_networks
from labvirt.host.storage.looking import look_at_pools, look_at_volumes
from labvirt.model import VolumeSpec
from labvirt.status.nodedev import NodeDeviceRecord


def device(name, kind="pci", parent="", **facts):
    base = {
        "what": "", "address": "", "vendor_id": "", "product_id": "", "driver": "",
        "iommu_group": 3, "node": "",
    }  # fmt: skip
    return NodeDeviceRecord(name=name, type=kind, parent=parent, **{**base, **facts})


def test_a_device_stands_below_its_parent():
    found = tree_of(
        [
            device("usb1", "usb", "pci2"), device("computer", "system"),
            device("pci2", parent="computer"), device("orphan", parent="nobody"),
        ]
    )  # fmt: skip
    assert [(depth, one.name) for depth, one in found] == [
        (0, "orphan"), (0, "computer"), (1, "pci2"), (2, "usb1"),
    ]  # fmt: skip


def test_devices_that_are_each_other_s_parents_are_shown_once():
    found = tree_of([device("a", parent="b"), device("b", parent="a"), device("c", parent="c")])
    assert sorted(one.name for _depth, one in found) == ["a", "b", "c"]


def test_which_device_can_be_given_away_and_why_not():
    assert passing_of(device("a")).can
    assert "IOMMU" in passing_of(device("a", iommu_group=None)).why
    used = passing_of(device("a", uses=("/dev/vda is mounted at /",)))
    assert (used.can, used.why) == (False, "the host lives on it: /dev/vda is mounted at /")
    shared = passing_of(device("a", used_by=("web1",)))
    assert shared.can
    assert "web1" in shared.why
    card = passing_of(device("eth0", "net", "pci9"))
    assert (card.can, card.why) == (
        False, "only PCI and USB devices are given: the device it sits on may be, pci9",
    )  # fmt: skip
    assert passing_of(device("u", "usb_device", iommu_group=None)).can


@pytest.mark.lab
def test_pools_and_volumes_with_what_is_promised_laid_over_and_used(alpha, name):
    images = alpha.pools["default"]
    before = {look.record.name: look for look in look_at_pools(alpha)}["default"]
    base = images.plan(VolumeSpec(name=f"{name}.b", capacity="3 MiB", format="qcow2")).apply()
    over = VolumeSpec(
        name=f"{name}.o", capacity="3 MiB", format="qcow2",
        backing_path=base.path, backing_format="qcow2",
    )  # fmt: skip
    top = images.plan(over).apply()
    disk = lv.DiskSpec(source=lv.FileSource(path=top.path))
    spec = lv.DomainSpec(name=name, memory="32 MiB", disks=(disk,), interfaces=(), agent=False)
    alpha.plan(spec, start=False).apply()
    after = {look.record.name: look for look in look_at_pools(alpha)}["default"]
    assert after.volumes == before.volumes + 2
    assert after.promised == before.promised + (6 << 20)
    assert after.overcommit == after.promised / after.record.capacity
    looks = {look.record.name: look for look in look_at_volumes(images)}
    assert looks[f"{name}.o"].chain == (base.path,)
    assert [(user.kind, user.name) for user in looks[f"{name}.o"].users] == [("domain", name)]
    kinds = {user.kind for user in looks[f"{name}.b"].users}
    assert "volume" in kinds


@pytest.mark.lab
def test_a_host_is_described_and_has_interfaces(alpha):
    found = describe(alpha)
    assert found.versions.daemon == alpha.version().daemon
    assert found.capabilities.guests
    assert found.is_accelerated == (found.virt == "kvm")
    assert found.proved
    loopback = next(link for link in links_of(alpha) if link.name == "lo")
    assert loopback.mac in {"", "00:00:00:00:00:00"}
    assert look_at_networks(alpha) == ()
