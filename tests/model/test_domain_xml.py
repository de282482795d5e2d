"""What is read in the varied domain documents, fact by fact."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model.units import Size
from labvirt.model.xml import (
    ChannelXml,
    DiskXml,
    DomainXml,
    GraphicsXml,
    HostdevXml,
    InterfaceXml,
    MemballoonXml,
    RngXml,
    TimerXml,
    XmlDoc,
)
from labvirt.model.xml.order import ORDER, insert_in_order


@pytest.fixture
def read(data):
    return lambda name: DomainXml.parse((data / "domains" / f"{name}.xml").read_bytes())


def test_the_smallest_domain_has_few_facts(read):
    domain = read("01-minimal")
    assert (domain.type, domain.name, domain.memory) == ("qemu", "web1", Size.parse("256 MiB"))
    assert (domain.os_type, domain.arch, domain.machine) == ("hvm", "x86_64", "pc")
    for name in [
        "uuid",
        "title",
        "description",
        "current_memory",
        "vcpus",
        "cpu_mode",
        "emulator",
        "kernel",
        "id",
        "acpi",
    ]:
        assert getattr(domain, name) is None, name
    assert domain.devices == ()
    assert domain.tags == ()
    assert len(domain.disks) == 0
    assert domain.boot_order == ()


def test_a_running_domain_is_read(read):
    domain = read("02-running-kvm-dump")
    assert (domain.type, domain.id, domain.name) == ("kvm", 7, "db-01.example")
    assert domain.uuid == "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
    assert domain.genid.startswith("3a2a3b0a")
    assert domain.title == "Main database"
    assert domain.description == "Holds the orders.\nAsk the storage team before a reboot."
    assert (domain.memory, domain.current_memory) == (Size.parse("4 GiB"), Size.parse("2 GiB"))
    assert (domain.vcpus, domain.current_vcpus, domain.vcpu_placement) == (4, 2, "static")
    assert (domain.cpu_mode, domain.cpu_migratable) == ("host-passthrough", True)
    assert domain.vmport is False
    assert domain.suspend_to_mem is False
    assert domain.emulator == "/usr/bin/qemu-system-x86_64"
    assert [(one.name, one.tick_policy, one.present) for one in domain.timers] == [
        ("rtc", "catchup", None),
        ("pit", "delay", None),
        ("hpet", None, False),
    ]
    assert [one.model for one in domain.seclabels] == ["selinux", "dac"]
    assert domain.seclabels[1].label == "+64055:+64055"


def test_devices_of_a_running_domain_are_read(read):
    domain = read("02-running-kvm-dump")
    disk = domain.disks[0]
    assert (disk.target, disk.bus, disk.driver_type, disk.discard) == (
        "vda",
        "virtio",
        "qcow2",
        "unmap",
    )
    assert disk.source_path == "/var/lib/libvirt/images/db-01.snap2"
    assert (disk.backing_file, disk.backing_type) == (
        "/var/lib/libvirt/images/db-01.qcow2",
        "qcow2",
    )
    assert (disk.alias, disk.address_type) == ("virtio-disk0", "pci")
    nic = domain.interfaces[0]
    assert (nic.type, nic.source, nic.source_bridge) == ("bridge", "default", "virbr0")
    assert (nic.mac, nic.target_dev, nic.model) == ("52:54:00:6d:90:02", "vnet3", "virtio")
    serial = domain.serials[0]
    assert (serial.source_path, serial.target_type, serial.target_model) == (
        "/dev/pts/4",
        "isa-serial",
        "isa-serial",
    )
    assert domain.consoles[0].tty == "/dev/pts/4"
    channel = domain.channels[0]
    assert (channel.target_name, channel.target_state) == ("org.qemu.guest_agent.0", "connected")
    graphics = domain.graphics[0]
    assert (graphics.port, graphics.autoport, graphics.listen_address) == (5900, True, "127.0.0.1")
    assert (domain.videos[0].model, domain.videos[0].primary) == ("virtio", True)
    assert domain.memballoons[0].stats_period_s == 5
    assert (domain.rngs[0].backend, domain.rngs[0].backend_model) == ("/dev/urandom", "random")
    assert [(one.type, one.model) for one in domain.controllers] == [
        ("usb", "qemu-xhci"),
        ("pci", "pcie-root"),
    ]
    assert [one.type for one in domain.inputs] == ["tablet", "mouse"]


def test_the_xen_domain_of_the_guide_is_read(read):
    domain = read("03-guide-xen-paravirtual")
    assert (domain.type, domain.id, domain.os_type) == ("xen", 13, "linux")
    assert domain.name == "r5b2-mySQL01"
    assert domain.memory == Size.parse("512000 KiB")
    assert domain.bootloader == "/usr/bin/pygrub"
    assert domain.cmdline == "ro root=/dev/VolGroup00/LogVol00 rhgb quiet"
    assert (domain.on_reboot, domain.on_crash) == ("restart", "restart")
    assert domain.interfaces[0].source_bridge == "xenbr0"
    assert domain.graphics[0].port == 5900
    assert domain.consoles[0].tty == "/dev/pts/4"


def test_a_xen_hvm_domain_is_read(read):
    domain = read("04-xen-hvm")
    assert domain.loader == "/usr/lib/xen/boot/hvmloader"
    assert domain.boot_order == ("cdrom", "hd")
    assert domain.pae
    assert [(one.device, one.target, one.readonly) for one in domain.disks] == [
        (None, "hda", None),
        ("cdrom", "hdc", True),
    ]


def test_host_devices_are_read(read):
    domain = read("06-host-devices")
    assert domain.memory == Size.parse("8 GiB")
    assert domain.memory_locked
    assert domain.vcpu_cpuset == "0-3,^2"
    assert (domain.boot_menu, domain.boot_menu_timeout_ms) == (True, 3000)
    assert domain.kvm_hidden
    pci, usb, mdev = domain.hostdevs
    assert (pci.type, pci.managed, pci.pci_bus, pci.pci_slot, pci.pci_function) == (
        "pci",
        True,
        "0x06",
        "0x12",
        "0x5",
    )
    assert pci.boot_order == 1
    assert (usb.usb_vendor, usb.usb_product, usb.managed) == ("0x1234", "0xbeef", None)
    assert mdev.type == "mdev"
    assert [one.element.tag for one in domain.devices][3:] == ["redirdev", "iommu", "vsock"]


def test_firmware_tpm_and_windows_features_are_read(read):
    domain = read("07-secure-boot-tpm")
    assert domain.firmware == "efi"
    assert [(one.name, one.enabled) for one in domain.firmware_features] == [
        ("enrolled-keys", True),
        ("secure-boot", True),
    ]
    assert (domain.loader_readonly, domain.loader_secure, domain.loader_type) == (
        True,
        True,
        "pflash",
    )
    assert domain.nvram.endswith("win11_VARS.fd")
    assert domain.nvram_template.endswith("OVMF_VARS_4M.ms.fd")
    assert (domain.smm, domain.hyperv_relaxed, domain.hyperv_retries) == (True, True, 8191)
    assert (domain.tpms[0].model, domain.tpms[0].backend_version) == ("tpm-crb", "2.0")
    assert domain.clock_offset == "localtime"
    assert domain.disks[0].device == "floppy"
    assert domain.graphics[0].password == "hunter2"
    assert (domain.sounds[0].model, domain.panics[0].model) == ("ich9", "hyperv")
    assert domain.watchdogs[0].action == "reset"


def test_memory_and_processors_in_detail_are_read(read):
    domain = read("08-numa-hugepages")
    assert (domain.max_memory, domain.max_memory_slots) == (Size.parse("16 GiB"), 16)
    assert domain.hugepages
    assert (domain.memory_source, domain.memory_access) == ("memfd", "shared")
    assert domain.iothreads == 2
    assert (domain.cpu_model, domain.cpu_fallback, domain.cpu_match) == (
        "Nehalem",
        "allow",
        "exact",
    )
    assert (domain.cpu_sockets, domain.cpu_cores, domain.cpu_threads) == (2, 2, 1)
    assert [(one.name, one.policy) for one in domain.cpu_features] == [
        ("vmx", "require"),
        ("x2apic", "disable"),
    ]
    assert domain.memory_devices[0].size == Size.parse("512 MiB")


def test_arguments_for_qemu_are_read_and_changed(read):
    domain = read("09-qemu-commandline")
    assert domain.qemu_args[0] == "-netdev"
    assert len(domain.qemu_args) == 4
    before = domain.text()
    domain.qemu_args = (*domain.qemu_args, "-S")
    assert domain.text() == before.replace(
        "    <qemu:env", "    <qemu:arg value='-S'/>\n    <qemu:env"
    )
    domain.qemu_args = domain.qemu_args[:-1]
    assert domain.text() == before


def test_elements_of_other_namespaces_are_not_mistaken_for_facts(read):
    domain = read("10-foreign-metadata")
    assert domain.memory == Size.parse("2 GiB")
    assert domain.title is None
    assert domain.name == "instance-00000a1f"
    assert domain.tags == ()


def test_texts_are_read_as_people_mean_them(read):
    assert read("12-crlf").description == "First line\nsecond line"
    assert read("12-crlf").disks[0].source_file == "/images/Ä ö.img"
    assert read("15-quotes-and-references").title == 'He said: "5 > 4 & 3 < 4" — d\'accord'
    assert read("15-quotes-and-references").disks[0].source_file == '/im\'ages/"a".img'
    assert read("21-byte-order-mark").title.startswith("Заголовок")
    assert read("22-labvirt-tags").tags == ("web", "blue")


def test_what_is_unknown_is_read_as_far_as_it_goes(read):
    domain = read("16-from-the-future")
    assert domain.name == "tomorrow"
    disk = domain.disks[0]
    assert (disk.type, disk.device, disk.source_path) == ("holographic", "crystal", None)
    assert [one.element.tag for one in domain.devices] == ["hologram", "disk", "teleporter"]


def test_every_kind_of_disk_source_is_read(read):
    rbd, iscsi, volume, nvme = read("19-network-disks").disks
    assert (rbd.source_protocol, rbd.source_name) == ("rbd", "pool/image")
    assert iscsi.source_name == "iqn.2013-07.com.example:iscsi-nopool/2"
    assert (volume.source_pool, volume.source_volume) == ("blk-pool0", "blk-pool0-vol0")
    assert nvme.type == "nvme"
    assert all(one.source_path is None for one in (rbd, iscsi, volume, nvme))


def test_an_interface_says_what_it_is_connected_to():
    for text, source in (
        ("<interface type='network'><source network='n'/></interface>", "n"),
        ("<interface type='bridge'><source bridge='b'/></interface>", "b"),
        ("<interface type='direct'><source dev='e'/></interface>", "e"),
        ("<interface type='mcast'><source address='230.0.0.1' port='5'/></interface>", "230.0.0.1"),
        ("<interface type='user'/>", None),
    ):
        assert InterfaceXml.parse(text).source == source


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (
            DiskXml.new(type="file", device="disk", target="vda", bus="virtio", source_file="/a"),
            "<disk type='file' device='disk'>\n  <source file='/a'/>\n  <target dev='vda' bus='virtio'/>\n</disk>\n",
        ),
        (
            InterfaceXml.new(type="user", model="virtio", mac="52:54:00:00:00:01"),
            "<interface type='user'>\n  <mac address='52:54:00:00:00:01'/>\n  <model type='virtio'/>\n</interface>\n",
        ),
        (MemballoonXml.new(model="none"), "<memballoon model='none'/>\n"),
        (
            RngXml.new(model="virtio", backend_model="random", backend="/dev/urandom"),
            "<rng model='virtio'>\n  <backend model='random'>/dev/urandom</backend>\n</rng>\n",
        ),
        (
            ChannelXml.new(type="unix", target_type="virtio", target_name="a"),
            "<channel type='unix'>\n  <target type='virtio' name='a'/>\n</channel>\n",
        ),
        (
            GraphicsXml.new(type="vnc", port=-1, autoport=True, listen_type="none"),
            "<graphics type='vnc' port='-1' autoport='yes'>\n  <listen type='none'/>\n</graphics>\n",
        ),
        (TimerXml.new(name="hpet", present=False), "<timer name='hpet' present='no'/>\n"),
        (HostdevXml.new(mode="subsystem", type="usb"), "<hostdev mode='subsystem' type='usb'/>\n"),
    ],
    ids=lambda value: value.TAG if hasattr(value, "TAG") else "",
)
def test_devices_are_built_as_libvirt_writes_them(view, text):
    assert view.text() == text
    assert type(view).parse(text) != view
    assert type(view).parse(text).text() == text


def test_a_domain_is_built_from_nothing():
    domain = DomainXml.new(type="kvm", name="a", memory=Size.parse("1 GiB"), vcpus=2, os_type="hvm")
    domain.disks.append(DiskXml.new(type="file", source_file="/a", target="vda"))
    assert domain.text() == (
        "<domain type='kvm'>\n  <name>a</name>\n  <memory unit='KiB'>1048576</memory>\n"
        "  <vcpu>2</vcpu>\n  <os>\n    <type>hvm</type>\n  </os>\n  <devices>\n"
        "    <disk type='file'>\n      <source file='/a'/>\n      <target dev='vda'/>\n    </disk>\n"
        "  </devices>\n</domain>\n"
    )


def test_a_device_goes_from_one_domain_to_another(read):
    source, other = read("02-running-kvm-dump"), read("13-tabs")
    before = source.text()
    moved = other.disks.append(source.disks[0])
    assert moved.target == "vda"
    assert source.text() == before
    lines = other.text().splitlines()
    at = next(place for place, line in enumerate(lines) if "db-01.snap2" in line)
    assert lines[at].startswith("\t\t\t<source")


def test_a_device_keeps_the_namespaces_it_needs():
    domain = DomainXml.parse(
        "<domain xmlns:x='urn:x'><devices><disk><x:note/></disk></devices></domain>"
    )
    text = domain.disks[0].text()
    assert XmlDoc.parse(text).root[0].tag == "{urn:x}note"


def test_removing_a_device_of_another_document_is_refused(read):
    one, other = read("02-running-kvm-dump"), read("02-running-kvm-dump")
    with pytest.raises(SpecError, match="not in this document"):
        one.remove_device(other.disks[0])


def test_boot_devices_are_changed_in_place(read):
    domain = read("04-xen-hvm")
    before = domain.text()
    domain.boot_order = ("hd",)
    assert domain.text() == before.replace(
        '  <boot dev="cdrom"/>\n  <boot dev="hd"/>\n', '  <boot dev="hd"/>\n'
    )
    domain.boot_order = ("cdrom", "hd", "network")
    assert domain.text() == before.replace(
        '  <boot dev="hd"/>\n', '  <boot dev="hd"/>\n  <boot dev="network"/>\n'
    )
    with pytest.raises(SpecError, match="allowed: hd, fd, cdrom, network"):
        domain.boot_order = ("floppy",)


def test_a_new_element_is_put_where_libvirt_writes_it():
    doc = XmlDoc.parse("<domain><name/><!-- about os --><os/><devices/></domain>")
    for tag in ("memory", "vcpu", "title", "seclabel", "unheard-of", "unheard-of"):
        insert_in_order(doc.root, doc.root.makeelement(tag))
    tags = [str(node.tag) for node in doc.root if isinstance(node.tag, str)]
    assert tags == [
        "name",
        "title",
        "memory",
        "vcpu",
        "os",
        "devices",
        "seclabel",
        "unheard-of",
        "unheard-of",
    ]
    assert doc.root[4].text == " about os "  # the comment stays next to what it is about


def test_a_new_first_element_goes_before_what_comes_later():
    doc = XmlDoc.parse("<domain><devices/></domain>")
    insert_in_order(doc.root, doc.root.makeelement("name"))
    assert [node.tag for node in doc.root] == ["name", "devices"]


def test_the_order_names_each_element_once():
    for parent, children in ORDER.items():
        assert len(children) == len(set(children)), parent
