"""What the guide asks of this room, row by row; the numbers are those of its table."""

from __future__ import annotations

import random
import re

import pytest

from labvirt.errors import SpecError
from labvirt.model import (
    DomainSpec,
    DomainXml,
    InterfaceSpec,
    IsoInstall,
    NetworkBoot,
    NetworkIp,
    NetworkSpec,
    Size,
    check_name,
    new_mac,
    new_uuid,
    normal_uuid,
    virt_install_line,
)


def example_2_1():
    return DomainSpec(
        name="rhel3support",
        memory="756 MiB",
        virt="kvm",
        disks=[{"size": "6 GiB"}],
        source=IsoInstall(path="/dev/sr0"),
        interfaces="network:default",
        graphics="vnc",
    )


def test_g2_1_03_the_graphical_console_is_vnc_on_loopback_with_a_port_of_libvirts_choice():
    graphics = example_2_1().filled().domain_xml().graphics[0]
    assert (graphics.type, graphics.listen_address) == ("vnc", "127.0.0.1")
    assert (graphics.port, graphics.autoport) == (-1, True)


def test_g2_1_04_example_2_1_has_the_memory_of_the_guide():
    domain = example_2_1().filled().domain_xml()
    assert "<memory unit='KiB'>774144</memory>" in domain.text()
    assert domain.type == "kvm"
    assert domain.interfaces[0].source_network == "default"
    cd = domain.find_disk("hda")
    assert (cd.device, cd.source_file, cd.readonly) == ("cdrom", "/dev/sr0", True)
    assert example_2_1().filled().new_volumes[0].volume.capacity == Size.parse("6 GiB")


def test_g2_1_05_example_2_2_has_a_disk_of_three_gib():
    spec = DomainSpec(
        name="Fedora11",
        memory="512 MiB",
        virt="kvm",
        disks="3 GiB",
        source=IsoInstall(path="/tmp/Fedora-11-i386-DVD.iso"),
        graphics="vnc",
    ).filled()
    assert spec.new_volumes[0].volume.capacity == Size.parse("3 GiB")
    assert spec.domain_xml().boot_order == ("hd", "cdrom")


def test_e_08_the_line_for_virt_install_is_of_today():
    line = virt_install_line(example_2_1())
    assert "--memory memory=756,currentMemory=756" in line
    assert "size=6" in line
    assert "--osinfo" in line
    for old in ("--ram", "--file", "--accelerate", "--hvm", "--vnc", "--os-type"):
        assert old not in line.split()


def test_g2_2_11_and_12_startup_memory_and_processors_are_at_most_the_maximum():
    spec = DomainSpec(
        name="a", memory="500 MB", current_memory="400 MB", vcpus=1, max_vcpus=2, virt="qemu"
    )
    domain = spec.domain_xml()
    assert domain.current_memory < domain.memory
    assert (domain.current_vcpus, domain.vcpus) == (1, 2)
    with pytest.raises(SpecError, match="more than the memory 400 MB"):
        DomainSpec(name="a", memory="400 MB", current_memory="500 MB")


def test_g2_3_10_example_2_3_boots_from_the_network():
    spec = DomainSpec(
        name="EL10",
        memory="756 MiB",
        vcpus=4,
        virt="kvm",
        source=NetworkBoot(),
        interfaces="bridge:installation",
        disks=[{"path": "/var/lib/libvirt/images/EL10.img", "format": "raw"}],
    )
    domain = spec.filled().domain_xml()
    assert domain.boot_order == ("hd", "network")
    assert domain.interfaces[0].source_bridge == "installation"
    assert "boot0.dev=hd,boot1.dev=network" in virt_install_line(spec)


def test_g2_3_12_a_fixed_address_is_checked_and_used():
    assert InterfaceSpec(mac="00-16-3E-12-34-56").mac == "00:16:3e:12:34:56"
    with pytest.raises(SpecError, match="multicast"):
        InterfaceSpec(mac="01:16:3e:12:34:56")


@pytest.mark.parametrize("name", ["system1", "rhel5FV", "Fedora11", "satellite"])
def test_g3_2_03_names_of_the_guide_have_neither_spaces_nor_punctuation(name):
    assert check_name(name, mode="guide") == name


@pytest.mark.parametrize("name", ["system 1", "system-1", "system.1", "system_1", "system1!"])
def test_g3_2_03_other_names_are_refused_strictly_but_partly_allowed_by_libvirt(name):
    with pytest.raises(SpecError, match="letters"):
        check_name(name, mode="guide")
    assert check_name(name, mode="libvirt") == name


def test_g15_05_the_repaired_sample_of_dumpxml_is_valid(data, schema, driver):
    text = (data / "domains" / "03-guide-xen-paravirtual.xml").read_text()
    assert schema.check(text) == ()
    assert driver.refuses("domain", text.replace("<type>linux", "<type>xen")) == ""
    domain = DomainXml.parse(text)
    assert domain.uuid == "4a4c59a7ee3fc78196e4288f2862f011"
    assert normal_uuid(domain.uuid) == "4a4c59a7-ee3f-c781-96e4-288f2862f011"


def test_g15_05_the_torn_sample_of_the_guide_is_refused_with_line_and_column(data):
    text = (data / "domains" / "03-guide-xen-paravirtual.xml").read_text()
    torn = text.replace("<source bridge='xenbr0'/>", "<source bridge='xenbr0'>")
    with pytest.raises(SpecError) as caught:
        DomainXml.parse(torn)
    assert re.fullmatch(r"line \d+, column \d+", caught.value.field)


def test_e_75_on_shutdown_is_on_poweroff(schema):
    text = (
        "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os>"
        "<on_shutdown>destroy</on_shutdown></domain>"
    )
    assert "it is called 'on_poweroff'" in str(schema.check(text)[0])


def test_g15_43_the_sample_of_net_dumpxml_is_valid_with_delay_only(schema):
    spec = NetworkSpec(
        name="vnet1",
        forward="nat",
        forward_dev="eth0",
        bridge="virbr1",
        stp=True,
        delay_s=0,
        ips=[
            NetworkIp(
                address="192.168.100.1/24", dhcp_start="192.168.100.128", dhcp_end="192.168.100.254"
            )
        ],
    )
    xml = spec.to_xml()
    assert "stp='on' delay='0'" in xml
    assert schema.check(xml, "network") == ()
    problems = schema.check(xml.replace("delay=", "forwardDelay="), "network")
    assert [one.field for one in problems] == ["/network/bridge/@forwardDelay"]
    assert "did you mean 'delay'" in problems[0].hint


def test_g15_31_the_xml_of_a_device_can_be_attached(schema):
    from labvirt.model import DiskSpec

    disk = DiskSpec(path="/images/satellite.iso", device="cdrom", target="hdc").replace(bus="ide")
    xml = disk.to_xml()
    assert "device='cdrom'" in xml
    assert "<driver name='qemu' type='raw'/>" in xml
    frame = "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os><devices>{}</devices></domain>"
    assert schema.check(frame.format(xml)) == ()


def test_g17_8_addresses_and_uuids_are_those_of_the_guides_scripts():
    rng = random.Random(1)
    assert re.fullmatch(r"00:16:3e:[0-7][0-9a-f](:[0-9a-f]{2}){2}", new_mac("00:16:3e", rng=rng))
    assert re.fullmatch(r"52:54:00(:[0-9a-f]{2}){3}", new_mac(rng=rng))
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", new_uuid()
    )
