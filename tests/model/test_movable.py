"""Whether a domain could be migrated, by its definition alone."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.model.movable import OBSTACLES, Obstacle, movable
from labvirt.model.xml.domain import DomainXml

DEVICE = "<hostdev mode='subsystem'"
ADDRESS = "domain='0x0' bus='0x1' slot='0x2' function='0x3'"
BARE = {"name": "web1", "memory": "64 MiB", "virt": "qemu", "interfaces": ()}


def document(*devices, **fields):
    made = DomainXml.parse(lv.DomainSpec(**{**BARE, **fields}).filled().to_xml())
    for device in devices:
        made.add_device(device)
    return made


def local(_path):
    return False


def shared(path):
    return path.startswith("/shared/")


def said(made, is_shared=local):
    return {(each.kind, each.what) for each in movable(made, is_shared).obstacles}


def test_nothing_speaks_against_a_domain_without_disks():
    found = movable(document(), local)
    assert found
    assert str(found) == "can migrate"


def test_disks_media_kernel_and_backing_images_must_be_seen_by_both():
    made = document(
        source=lv.model.KernelBoot(kernel="/shared/vmlinuz", initrd="/boot/initrd"),
        disks=(
            lv.DiskSpec(path="/shared/a.qcow2"),
            lv.DiskSpec(path="/images/b.qcow2"),
            lv.DiskSpec(path="/images/c.iso", device="cdrom", format="raw"),
            lv.DiskSpec(source={"kind": "block", "path": "/dev/sdb"}),
            lv.DiskSpec(source={"kind": "volume", "pool": "lvm", "name": "v1"}),
        ),
    )
    found = movable(made, shared)
    assert not found
    assert said(made, shared) == {
        ("local-file", "/boot/initrd"),
        ("local-file", "/images/b.qcow2"),
        ("local-medium", "/images/c.iso"),
        ("local-file", "/dev/sdb"),
        ("local-file", "lvm/v1"),
    }
    assert "lvm/v1" not in str(movable(made, shared, {"lvm"}.__contains__))


@pytest.mark.parametrize(
    ("device", "kind", "what"),
    [
        (
            f"{DEVICE} type='usb'><source><vendor id='0x1'/><product id='0x2'/></source></hostdev>",
            "hostdev",
            "usb 0x1:0x2",
        ),
        (
            f"{DEVICE} type='pci'><source><address {ADDRESS}/></source></hostdev>",
            "hostdev",
            "pci 0x0 0x1 0x2 0x3",
        ),
        (
            "<filesystem type='mount'><source dir='/srv'/><target dir='tag'/></filesystem>",
            "shared-folder",
            "/srv",
        ),
        ("<tpm><backend type='passthrough'/></tpm>", "tpm-passthrough", ""),
        ("<shmem name='s1' role='peer'/>", "shmem", "s1"),
        (
            "<disk type='file'><source file='/shared/t'/><target dev='vdx'/><transient/></disk>",
            "transient-disk",
            "vdx",
        ),
        ("<interface type='hostdev'><mac address='52:54:00:00:00:01'/></interface>", "hostdev",
         "52:54:00:00:00:01"),
    ],
)  # fmt: skip
def test_what_forbids_it(device, kind, what):
    found = movable(document(device), shared)
    assert not found
    assert Obstacle(kind, what) in found.reasons
    assert what in str(found)


@pytest.mark.parametrize(
    ("device", "kind", "what"),
    [
        ("<tpm><backend type='emulator' version='2.0'/></tpm>", "tpm-state", ""),
        ("<interface type='network'><source network='lan'/></interface>", "network", "lan"),
        ("<interface type='bridge'><source bridge='br0'/></interface>", "bridge", "br0"),
        ("<interface type='direct'><source dev='eth1'/></interface>", "direct", "eth1"),
        ("<interface type='user'/>", "user-network", ""),
        ("<vsock><cid auto='yes'/></vsock>", "vsock", ""),
    ],
)
def test_what_it_depends_on(device, kind, what):
    found = movable(document(device), shared)
    assert found
    assert found.conditions == (Obstacle(kind, what),)
    assert str(found).startswith("can migrate; ")


def test_the_processor_counts():
    made = document()
    made.cpu_mode = "host-passthrough"
    assert said(made) == {("cpu-same", "host-passthrough")}
    made.cpu_migratable = False
    assert not movable(made, local)
    made = document(cpu=lv.CpuSpec(model="Nehalem", features=("invtsc",)))
    assert said(made) == {("cpu-fixed", "invtsc")}
    assert ("hugepages", "") in said(document(hugepages=True))


def test_reasons_come_before_conditions_and_every_kind_has_words():
    made = document("<interface type='user'/>", disks=(lv.DiskSpec(path="/images/b.qcow2"),))
    assert [each.forbids for each in movable(made, local).obstacles] == [True, False]
    for kind in OBSTACLES:
        assert "{" not in str(Obstacle(kind, "x"))
