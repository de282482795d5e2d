"""A virt-install line, of 2009 or of today, and a domain's XML as the fields of a spec."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model import DiskSpec, DomainSpec
from labvirt.model.capacity import memory_ratio, swap_wanted, vcpu_ratio
from labvirt.model.domain_read import read_domain
from labvirt.model.virtinstall import virt_install_line
from labvirt.model.virtinstall_read import read_virt_install

OLD = (
    "virt-install --network network:default --name rhel3support --ram=756 "
    "--file=/var/lib/libvirt/images/rhel3support.img --file-size=6 --vnc --cdrom=/dev/sr0 "
    "--accelerate --hvm"
)
SPECS = [
    DomainSpec(name="a", memory="256 MiB", virt="qemu", interfaces=("user",)),
    DomainSpec(
        name="b",
        title="two words, and a comma",
        memory="1 GiB",
        current_memory="512 MiB",
        virt="qemu",
        vcpus=2,
        max_vcpus=4,
        disks=(
            DiskSpec(path="/x/a.qcow2", cache="none", boot_order=1),
            DiskSpec(path="/x/b.raw", format="raw", bus="scsi", serial="abc"),
            {"source": {"kind": "volume", "pool": "p", "name": "v"}},
            {"source": {"kind": "block", "path": "/dev/vg/web"}},
        ),
        interfaces=("network:default", "bridge:br0", {"kind": "user", "link_up": False}),
        graphics={"kind": "vnc", "listen": "0.0.0.0", "port": 5905, "keymap": "de"},
        firmware="efi",
        watchdog="pause",
    ),
    DomainSpec(
        name="c", memory="64 MiB", virt="qemu", interfaces=(), graphics="spice", serial=None
    ),
]
SAME = (
    *("name", "title", "memory", "current_memory", "vcpus", "max_vcpus", "virt", "machine"),
    *("placed_disks", "interfaces", "firmware", "usual_machine"),
)


def without_macs(spec):
    return [(nic.kind, nic.source, nic.model, nic.link_up) for nic in spec.interfaces]


def same(found, spec):
    assert (found.name, found.title, found.memory) == (spec.name, spec.title, spec.memory)
    assert (found.vcpus, found.max_vcpus) == (spec.vcpus, spec.max_vcpus)
    assert found.current_memory == spec.current_memory
    assert (found.virt, found.firmware) == (spec.virt, spec.firmware)
    assert [d.replace(readonly=None) for d in found.placed_disks] == [
        d.replace(readonly=None) for d in spec.placed_disks
    ]
    assert without_macs(found) == without_macs(spec)
    mine, theirs = found.graphics, spec.graphics
    assert (mine and (mine.kind, mine.listen, mine.port)) == (
        theirs and (theirs.kind, theirs.listen, theirs.port)
    )


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_todays_line_comes_back(spec):
    fields, left = read_virt_install(virt_install_line(spec))
    assert left == ()
    same(DomainSpec(**fields), spec)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_xml_comes_back(spec):
    fields, left = read_domain(spec.filled().to_xml())
    assert left == ()
    found = DomainSpec(**fields)
    same(found, spec)
    assert found.serial is None or spec.serial is not None


def test_the_spelling_of_2009_of_example_2_1():
    fields, left = read_virt_install(OLD)
    spec = DomainSpec(**fields)
    assert str(spec.memory) == "756 MiB"
    assert str(spec.disks[0].source.size) == "6 GiB"
    assert spec.source.path == "/dev/sr0"
    assert spec.interfaces[0].source == "default"
    assert spec.graphics.kind == "vnc"
    assert [each for each in left if "folder" not in each] == []
    short = OLD.replace("--name ", "-n ").replace("--ram=", "-r ").replace("--cdrom=", "-c ")
    assert read_virt_install(short)[0] == fields


def test_lines_are_joined_and_what_cannot_be_said_is_named():
    fields, left = read_virt_install(
        "sudo virt-install --name=x \\\n --memory 512 --location http://a/b --tpm default "
        "--graphics vnc,password=geheim --disk size=4 --import nonsense"
    )
    assert fields["memory"] == "512 MiB"
    assert "--location http://a/b" in left
    assert "--tpm default" in left
    assert "nonsense" in left
    assert "geheim" not in str((fields, left))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "ls -l",
        "virt-install",
        "virt-install --name 'x",
        "\x00",
        "<domain/>",
        "sudo sudo",
    ],
)
def test_what_is_no_line_is_refused(line):
    with pytest.raises(SpecError):
        read_virt_install(line)


@pytest.mark.parametrize(
    "line",
    [
        "virt-install --__init__ x --data y --take z --left w",
        "virt-install --disk --network --graphics --memory",
        "virt-install --disk ,,,== --network =,",
        "virt-install " + "--disk size=1 " * 300,
        "virt-install --name '<script>' --memory lots",
    ],
)
def test_odd_lines_are_read_without_harm(line):
    fields, left = read_virt_install(line)
    assert isinstance(fields, dict)
    assert isinstance(left, tuple)


@pytest.mark.parametrize(
    "xml", ["", "<domain", "<network/>", "no xml", "<!DOCTYPE x [<!ENTITY a 'b'>]><domain/>"]
)
def test_what_is_no_domain_is_refused(xml):
    with pytest.raises(SpecError):
        read_domain(xml)


def test_what_a_spec_cannot_say_is_named():
    xml = (
        "<domain type='kvm'><name>a</name><memory unit='MiB'>64</memory>"
        "<sysinfo type='smbios'/><devices><tpm model='tpm-crb'/>"
        "<disk type='network' device='disk'><source protocol='rbd' name='x'/>"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    fields, left = read_domain(xml)
    assert fields["name"] == "a"
    assert set(left) == {"<sysinfo>", "<tpm>", "disk vda of type network"}


def test_g17_4_04_swap_space():
    gib = 2**30
    assert swap_wanted(32 * gib, 0.5) == 32 * gib
    assert swap_wanted(32 * gib, 0) == 16 * gib
    for bad in ((-1, 0.5), (gib, -0.5)):
        with pytest.raises(SpecError, match="negative"):
            swap_wanted(*bad)
    assert memory_ratio(24 * gib, 48 * gib) == 1
    assert memory_ratio(24 * gib, 8 * gib) == memory_ratio(0, gib) == 0
    assert vcpu_ratio(2, 10) == 5


def test_one_dash_where_two_are_meant_is_read_and_told():
    odd = "virt-install -hvm -s 5 -f /x/w.dsk -n w -cdrom=/ISOs/w.iso -vnc -r 1024"
    right = "virt-install --hvm -s 5 -f /x/w.dsk -n w --cdrom=/ISOs/w.iso --vnc -r 1024"
    found, left = read_virt_install(odd)
    assert found == read_virt_install(right)[0]
    assert found["source"]["path"] == "/ISOs/w.iso"
    assert left[:3] == (
        "-hvm is read as --hvm",
        "-cdrom is read as --cdrom",
        "-vnc is read as --vnc",
    )
