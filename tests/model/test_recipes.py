"""What administrators do to a domain, each as the lines of the diff that it must make."""

from __future__ import annotations

import pytest

from labvirt.model import (
    DiskSpec,
    DomainXml,
    GraphicsSpec,
    InterfaceSpec,
    NewVolume,
    SerialSpec,
    Size,
    WatchdogSpec,
)
from labvirt.model.xml import CpuFeatureXml, DiskXml, TimerXml

DOMAIN = """<domain type='kvm'>
  <name>web1</name>
  <memory unit='KiB'>1048576</memory>
  <currentMemory unit='KiB'>1048576</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
  </features>
  <cpu mode='host-model'/>
  <clock offset='utc'>
    <timer name='rtc' tickpolicy='catchup'/>
  </clock>
  <on_reboot>restart</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/images/web1.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <source file='/isos/old.iso'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:12:34:56'/>
      <source network='default'/>
      <model type='virtio'/>
    </interface>
    <graphics type='vnc' port='-1' autoport='yes'/>
    <memballoon model='virtio'/>
  </devices>
</domain>
"""


def grow(domain):
    domain.memory = Size.parse("2 GiB")


def shrink_the_balloon(domain):
    domain.current_memory = Size.parse("512 MiB")


def allow_more_processors(domain):
    domain.vcpus = 4
    domain.current_vcpus = 2


def retitle(domain):
    domain.title = "Web server"
    domain.description = "Serves the shop"


def tag(domain):
    domain.tags = ("web",)


def change_the_cd(domain):
    domain.find_disk("sda").source_file = "/isos/new.iso"


def eject_the_cd(domain):
    domain.find_disk("sda").source_file = None


def remove_the_cd_drive(domain):
    domain.remove_device(domain.find_disk("sda"))


def add_a_disk(domain):
    disk = DiskSpec(
        source=NewVolume(size="1 GiB", pool="p", name="d.qcow2"), bus="virtio", target="vdb"
    )
    domain.add_device(disk.device_xml())


def add_a_disk_from_text(domain):
    domain.add_device("<disk type='block'><source dev='/dev/sdb'/><target dev='vdb'/></disk>")


def tune_the_disk(domain):
    domain.find_disk("vda").set(cache="none", io="native", discard="unmap")


def number_the_boot_order(domain):
    domain.boot_order = ()
    domain.find_disk("vda").boot_order = 2
    domain.interfaces[0].boot_order = 1


def boot_from_cd_first(domain):
    domain.boot_order = ("cdrom", "hd")


def add_an_interface(domain):
    nic = InterfaceSpec(kind="bridge", source="br0", mac="52:54:00:00:00:02")
    domain.add_device(nic.device_xml())


def move_the_interface(domain):
    domain.find_interface("52:54:00:12:34:56").source_network = "lab"


def unplug_the_cable(domain):
    domain.interfaces[0].link_state = "down"


def protect_the_console(domain):
    domain.graphics[0].password = "secret"


def listen_everywhere(domain):
    domain.graphics[0].set(listen_type="address", listen_address="0.0.0.0")


def change_to_spice(domain):
    domain.graphics = [GraphicsSpec(kind="spice", listen="none").device_xml()]


def add_a_serial_port(domain):
    domain.serials.append(SerialSpec(log_path="/log/web1.log").device_xml())


def add_a_watchdog(domain):
    domain.watchdogs.append(WatchdogSpec(action="reset").device_xml())


def fix_the_processor(domain):
    domain.set(cpu_mode="custom", cpu_model="Nehalem")
    domain.cpu_features.append(CpuFeatureXml.new(policy="require", name="vmx"))


def set_the_clock(domain):
    domain.clock_offset = "localtime"
    domain.timers.append(TimerXml.new(name="hpet", present=False))


def stop_at_a_reboot(domain):
    domain.on_reboot = "destroy"
    domain.on_crash = "preserve"


def direct_kernel(domain):
    domain.set(kernel="/boot/vmlinuz", initrd="/boot/initrd", cmdline="console=ttyS0")


def drop_acpi(domain):
    domain.acpi = None


RECIPES = [
    (
        grow,
        [
            "-  <memory unit='KiB'>1048576</memory>",
            "+  <memory unit='KiB'>2097152</memory>",
        ],
    ),
    (
        shrink_the_balloon,
        [
            "-  <currentMemory unit='KiB'>1048576</currentMemory>",
            "+  <currentMemory unit='KiB'>524288</currentMemory>",
        ],
    ),
    (
        allow_more_processors,
        [
            "-  <vcpu placement='static'>2</vcpu>",
            "+  <vcpu placement='static' current='2'>4</vcpu>",
        ],
    ),
    (
        retitle,
        [
            "+  <title>Web server</title>",
            "+  <description>Serves the shop</description>",
        ],
    ),
    (
        tag,
        [
            "+  <metadata>",
            "+    <labvirt:labvirt xmlns:labvirt='https://labvirt.org/xmlns/domain/1'>",
            "+      <labvirt:tag>web</labvirt:tag>",
            "+    </labvirt:labvirt>",
            "+  </metadata>",
        ],
    ),
    (
        change_the_cd,
        [
            "-      <source file='/isos/old.iso'/>",
            "+      <source file='/isos/new.iso'/>",
        ],
    ),
    (
        eject_the_cd,
        [
            "-      <source file='/isos/old.iso'/>",
        ],
    ),
    (
        remove_the_cd_drive,
        [
            "-    <disk type='file' device='cdrom'>",
            "-      <driver name='qemu' type='raw'/>",
            "-      <source file='/isos/old.iso'/>",
            "-      <target dev='sda' bus='sata'/>",
            "-      <readonly/>",
            "-    </disk>",
        ],
    ),
    (
        add_a_disk,
        [
            "+    <disk type='volume' device='disk'>",
            "+      <driver name='qemu' type='qcow2'/>",
            "+      <source pool='p' volume='d.qcow2'/>",
            "+      <target dev='vdb' bus='virtio'/>",
            "+    </disk>",
        ],
    ),
    (
        add_a_disk_from_text,
        [
            "+    <disk type='block'>",
            "+      <source dev='/dev/sdb'/>",
            "+      <target dev='vdb'/>",
            "+    </disk>",
        ],
    ),
    (
        tune_the_disk,
        [
            "-      <driver name='qemu' type='qcow2'/>",
            "+      <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap'/>",
        ],
    ),
    (
        number_the_boot_order,
        [
            "-    <boot dev='hd'/>",
            "+      <boot order='2'/>",
            "+      <boot order='1'/>",
        ],
    ),
    (
        boot_from_cd_first,
        [
            "+    <boot dev='cdrom'/>",
        ],
    ),
    (
        add_an_interface,
        [
            "+    <interface type='bridge'>",
            "+      <mac address='52:54:00:00:00:02'/>",
            "+      <source bridge='br0'/>",
            "+      <model type='virtio'/>",
            "+    </interface>",
        ],
    ),
    (
        move_the_interface,
        [
            "-      <source network='default'/>",
            "+      <source network='lab'/>",
        ],
    ),
    (
        unplug_the_cable,
        [
            "+      <link state='down'/>",
        ],
    ),
    (
        protect_the_console,
        [
            "-    <graphics type='vnc' port='-1' autoport='yes'/>",
            "+    <graphics type='vnc' port='-1' autoport='yes' passwd='secret'/>",
        ],
    ),
    (
        listen_everywhere,
        [
            "-    <graphics type='vnc' port='-1' autoport='yes'/>",
            "+    <graphics type='vnc' port='-1' autoport='yes'>",
            "+      <listen type='address' address='0.0.0.0'/>",
            "+    </graphics>",
        ],
    ),
    (
        change_to_spice,
        [
            "-    <graphics type='vnc' port='-1' autoport='yes'/>",
            "+    <graphics type='spice'>",
            "+      <listen type='none'/>",
            "+    </graphics>",
        ],
    ),
    (
        add_a_serial_port,
        [
            "+    <serial type='pty'>",
            "+      <log file='/log/web1.log' append='on'/>",
            "+      <target port='0'/>",
            "+    </serial>",
        ],
    ),
    (
        add_a_watchdog,
        [
            "+    <watchdog model='i6300esb' action='reset'/>",
        ],
    ),
    (
        fix_the_processor,
        [
            "-  <cpu mode='host-model'/>",
            "+  <cpu mode='custom'>",
            "+    <model>Nehalem</model>",
            "+    <feature policy='require' name='vmx'/>",
            "+  </cpu>",
        ],
    ),
    (
        set_the_clock,
        [
            "-  <clock offset='utc'>",
            "+  <clock offset='localtime'>",
            "+    <timer name='hpet' present='no'/>",
        ],
    ),
    (
        stop_at_a_reboot,
        [
            "-  <on_reboot>restart</on_reboot>",
            "+  <on_reboot>destroy</on_reboot>",
            "+  <on_crash>preserve</on_crash>",
        ],
    ),
    (
        direct_kernel,
        [
            "+    <kernel>/boot/vmlinuz</kernel>",
            "+    <initrd>/boot/initrd</initrd>",
            "+    <cmdline>console=ttyS0</cmdline>",
        ],
    ),
    (
        drop_acpi,
        [
            "-    <acpi/>",
        ],
    ),
]


def diff_lines(text):
    return [line for line in text.splitlines()[2:] if line[0] in "+-"]


@pytest.mark.parametrize(
    ("recipe", "lines"), RECIPES, ids=[recipe.__name__ for recipe, _ in RECIPES]
)
def test_each_task_changes_these_lines_only(recipe, lines, schema):
    domain = DomainXml.parse(DOMAIN)
    recipe(domain)
    assert diff_lines(DomainXml.parse(DOMAIN).doc.diff(domain.doc)) == lines
    assert schema.check(domain.doc) == ()


def test_all_tasks_together_still_make_a_valid_domain(schema):
    domain = DomainXml.parse(DOMAIN)
    for recipe, _ in RECIPES:
        if recipe not in {
            remove_the_cd_drive,
            add_a_disk_from_text,
            change_to_spice,
            boot_from_cd_first,
        }:
            recipe(domain)
    assert schema.check(domain.doc) == ()
    again = DomainXml.parse(domain.text())
    assert again.text() == domain.text()
    assert [one.target for one in again.disks] == ["vda", "sda", "vdb"]


def test_a_domain_is_cloned_under_another_name(schema):
    domain = DomainXml.parse(DOMAIN)
    domain.name = "web2"
    domain.uuid = "4a4c59a7-ee3f-c781-96e4-288f2862f011"
    domain.interfaces[0].mac = None
    domain.find_disk("vda").source_file = "/images/web2.qcow2"
    assert schema.check(domain.doc) == ()
    assert diff_lines(DomainXml.parse(DOMAIN).doc.diff(domain.doc)) == [
        "-  <name>web1</name>",
        "+  <name>web2</name>",
        "+  <uuid>4a4c59a7-ee3f-c781-96e4-288f2862f011</uuid>",
        "-      <source file='/images/web1.qcow2'/>",
        "+      <source file='/images/web2.qcow2'/>",
        "-      <mac address='52:54:00:12:34:56'/>",
    ]


def test_disks_of_two_domains_are_compared():
    one, other = DomainXml.parse(DOMAIN), DomainXml.parse(DOMAIN)
    other.disks.append(DiskXml.new(type="file", source_file="/extra", target="vdc"))
    mine = {disk.source_path for disk in one.disks}
    theirs = {disk.source_path for disk in other.disks}
    assert theirs - mine == {"/extra"}
