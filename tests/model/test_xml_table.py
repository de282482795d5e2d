"""Every line of the table is read, set and deleted, and what comes out is valid for libvirt."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model.units import Size
from labvirt.model.xml import (
    chardev,
    devices,
    display,
    machine,
    network,
    nwfilter,
    pool,
    volume,
)
from labvirt.model.xml.domain import DEVICES, DomainXml
from labvirt.model.xml.order import ORDER
from labvirt.model.xml.table import Children, Choice, Int, SizeFact, Text, Values
from labvirt.model.xml.text import XmlDoc
from labvirt.model.xml.view import View

DOMAIN = (
    "<domain type='qemu'><name>a</name><memory>65536</memory><os><type>hvm</type></os>{}</domain>"
)

# A valid document for each kind of view, and the tag below which the view is found.
FRAMES = {
    DomainXml: (DOMAIN.format(""), "domain", "domain"),
    machine.TimerXml: (
        DOMAIN.format("<clock offset='utc'><timer name='rtc'/></clock>"),
        "timer",
        "domain",
    ),
    machine.CpuFeatureXml: (
        DOMAIN.format("<cpu><model>a</model><feature policy='require' name='x'/></cpu>"),
        "feature",
        "domain",
    ),
    machine.FirmwareFeatureXml: (
        DOMAIN.format("").replace(
            "<os><type>hvm</type>",
            "<os firmware='efi'><type>hvm</type><firmware><feature enabled='yes' name='secure-boot'/></firmware>",
        ),
        "feature",
        "domain",
    ),
    machine.SeclabelXml: (
        DOMAIN.format("<seclabel type='dynamic' model='selinux'/>"),
        "seclabel",
        "domain",
    ),
    network.NetworkXml: (
        "<network><name>n</name><bridge name='virbr1'/></network>",
        "network",
        "network",
    ),
    network.NetworkIpXml: (
        "<network><name>n</name><ip address='10.0.0.1'/></network>",
        "ip",
        "network",
    ),
    network.DhcpRangeXml: (
        "<network><name>n</name><ip><dhcp><range start='10.0.0.2' end='10.0.0.3'/></dhcp></ip></network>",
        "range",
        "network",
    ),
    network.DhcpHostXml: (
        "<network><name>n</name><ip><dhcp><host name='n' ip='10.0.0.2'/></dhcp></ip></network>",
        "host",
        "network",
    ),
    **{
        cls: (f"<network><name>n</name>{text}</network>", cls.TAG, "network")
        for cls, text in {
            network.DnsForwarderXml: "<dns><forwarder/></dns>",
            network.DnsTxtXml: "<dns><txt name='a' value='b'/></dns>",
            network.DnsSrvXml: "<dns><srv service='a' protocol='tcp'/></dns>",
            network.DnsHostXml: "<dns><host ip='10.0.0.1'><hostname>h</hostname></host></dns>",
            network.BandwidthXml: "<bandwidth/>",
            network.VlanTagXml: "<vlan><tag id='5'/></vlan>",
            network.VlanXml: "<vlan><tag id='5'/></vlan>",
            network.PortGroupXml: "<portgroup name='a'/>",
            network.RouteXml: "<route address='10.9.0.0' gateway='10.0.0.1'/>",
            network.ForwardInterfaceXml: "<forward><interface dev='a'/></forward>",
            network.PciAddressXml: "<forward><address type='pci' domain='0x0000' bus='0x00' "
            "slot='0x00' function='0x1'/></forward>",
        }.items()
    },
    **{
        cls: (f"<filter name='f'>{text}</filter>", cls.TAG, "nwfilter")
        for cls, text in {
            nwfilter.NwFilterXml: "",
            nwfilter.NwRuleXml: "<rule action='drop' direction='in'/>",
            nwfilter.FilterRefXml: "<filterref filter='a'/>",
            nwfilter.FilterParameterXml: "<filterref filter='a'>"
            "<parameter name='a' value='b'/></filterref>",
        }.items()
    },
    pool.PoolXml: (
        "<pool type='dir'><name>n</name><target><path>/p</path></target></pool>",
        "pool",
        "pool",
    ),
    volume.VolumeXml: (
        "<volume><name>n</name><capacity>1</capacity><target/></volume>",
        "volume",
        "volume",
    ),
}
DEVICE_FRAMES = {
    "disk": "<disk type='file'><source file='/a'/><target dev='vda'/></disk>",
    "interface": "<interface type='network'><source network='n'/></interface>",
    "controller": "<controller type='usb' index='0'/>",
    "input": "<input type='tablet' bus='usb'/>",
    "memballoon": "<memballoon model='virtio'/>",
    "rng": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "watchdog": "<watchdog model='i6300esb'/>",
    "tpm": "<tpm model='tpm-tis'><backend type='emulator'/></tpm>",
    "filesystem": "<filesystem type='mount'><source dir='/s'/><target dir='t'/></filesystem>",
    "hostdev": "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/>"
    "<product id='0xbeef'/></source></hostdev>",
    "sound": "<sound model='ich9'/>",
    "panic": "<panic model='isa'/>",
    "memory": "<memory model='dimm'><target><size unit='KiB'>1024</size><node>0</node></target></memory>",
    "vsock": "<vsock model='virtio'><cid auto='no' address='3'/></vsock>",
    "shmem": "<shmem name='s'><model type='ivshmem-plain'/></shmem>",
    "iommu": "<iommu model='intel'/>",
    "redirdev": "<redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4000'/></redirdev>",
    "smartcard": "<smartcard mode='passthrough' type='spicevmc'/>",
    "serial": "<serial type='pty'/>",
    "parallel": "<parallel type='pty'/>",
    "console": "<console type='pty'/>",
    "channel": "<channel type='unix'><target type='virtio' name='a'/></channel>",
    "graphics": "<graphics type='vnc'/>",
    "video": "<video><model type='vga'/></video>",
}

# Facts that only stand in one form of their element: the form in which they are tried.
USB = DEVICE_FRAMES["hostdev"]
PCI = (
    "<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x06' slot='0x12' "
    "function='0x5'/></source></hostdev>"
)
UDP = (
    "<interface type='udp'><source address='127.0.0.1' port='11115'>"
    "<local address='127.0.0.1' port='11116'/></source></interface>"
)
FORMS = {
    "disk.source_dev": "<disk type='block'><source dev='/a'/><target dev='vda'/></disk>",
    "disk.source_dir": "<disk type='dir'><source dir='/a'/><target dev='vda'/></disk>",
    "disk.source_pool": "<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>",
    "disk.source_protocol": "<disk type='network'><source protocol='rbd' name='v'><host name='h'/></source><target dev='vda'/></disk>",
    "disk.backing_file": "<disk type='file'><source file='/a'/><backingStore type='file'>"
    "<format type='raw'/><source file='/b'/></backingStore><target dev='vda'/></disk>",
    "disk.tray": "<disk type='file' device='cdrom'><source file='/a'/><target dev='vda'/></disk>",
    "interface.source_bridge": "<interface type='bridge'><source bridge='b'/></interface>",
    "interface.source_dev": "<interface type='direct'><source dev='e' mode='vepa'/></interface>",
    "interface.source_address": UDP,
    "serial.tty": "<serial type='pty' tty='/dev/pts/1'/>",
    "smartcard.mode": "<smartcard mode='host'/>",
    "channel.target_name": DEVICE_FRAMES["channel"],
    "hostdev.usb_device": "<hostdev mode='subsystem' type='usb'><source>"
    "<address bus='1' device='2'/></source></hostdev>",
    "hostdev.driver_name": PCI,
    "controller.hotplug": "<controller type='pci' index='1' model='pcie-root-port'/>",
    "hostdev.pci_bus": PCI,
    "hostdev.managed": PCI,
    "hostdev.boot_order": PCI,
    "graphics.tls_port": "<graphics type='spice'/>",
    "tpm.backend_version": "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>",
    "tpm.backend_device": "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
}
POOL = "<pool type='{}'><name>n</name><source>{}</source><target><path>/p</path></target></pool>"
_ISCSI = "<host name='h'/><device path='iqn.2024-01.lab:d'/>{}"
_FC = POOL.format(
    "scsi", "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='10000000c9831b4b'/>"
)
_CHAP = POOL.format(
    "iscsi", _ISCSI.format("<auth type='chap' username='u'><secret {}='s'/></auth>")
)
_LUKS = (
    "<volume><name>n</name><target><encryption format='luks'><secret type='passphrase' {}/>{}"
    "</encryption></target></volume>"
)
_CIPHER = _LUKS.format(
    "usage='s'", "<cipher name='aes' size='256' mode='cbc' hash='sha1'/><ivgen name='essiv'/>"
)
_RBD = (
    "<pool type='rbd'><name>n</name><source><host name='h'/><name>p</name></source>"
    "<rbd:config_opts xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'>"
    "<rbd:option name='x' value='1'/><rbd:option name='y' value='2'/></rbd:config_opts></pool>"
)
FORMS |= {
    "pool.devices": POOL.format("logical", "<device path='/d'/>"),
    "pool.part_separator": POOL.format("disk", "<device path='/d'/>"),
    "pool.adapter_type": POOL.format("scsi", "<adapter name='host0'/>"),
    "pool.adapter_name": POOL.format("scsi", "<adapter type='scsi_host' name='host0'/>"),
    "pool.adapter_parent": _FC,
    "pool.adapter_managed": _FC,
    "pool.adapter_wwnn": _FC,
    "pool.adapter_wwpn": _FC,
    "pool.initiator": POOL.format("iscsi", _ISCSI.format("")),
    "pool.auth_type": _CHAP.format("usage"),
    "pool.auth_user": _CHAP.format("usage"),
    "pool.auth_uuid": _CHAP.format("uuid"),
    "pool.auth_usage": _CHAP.format("usage"),
    "pool.protocol_version": POOL.format("netfs", "<host name='h'/><dir path='/d'/>"),
    "pool.vendor": POOL.format("iscsi", _ISCSI.format("")),
    "pool.product": POOL.format("iscsi", _ISCSI.format("")),
    "pool.refresh_allocation": _RBD,
    "pool.rbd_options": _RBD,
    "pool.rbd_values": _RBD,
    "pool.mount_options": POOL.format("netfs", "<host name='h'/><dir path='/d'/>"),
    "volume.encryption": _LUKS.format("usage='s'", ""),
    "volume.encryption_engine": _LUKS.format("usage='s'", ""),
    "volume.secret_uuid": _LUKS.format("uuid='4dea22b3-1d52-d8f3-2516-782e98ab3fa0'", ""),
    "volume.secret_usage": _LUKS.format("usage='s'", ""),
    "volume.cipher": _CIPHER,
    "volume.cipher_size": _CIPHER,
    "volume.cipher_mode": _CIPHER,
    "volume.cipher_hash": _CIPHER,
    "volume.ivgen": _CIPHER,
    "volume.ivgen_hash": _CIPHER,
    "pool.source_host": POOL.format("netfs", "<host name='h'/><dir path='/d'/>"),
    "pool.source_dir": POOL.format("netfs", "<host name='h'/><dir path='/d'/>"),
    "pool.source_device": POOL.format("fs", "<device path='/d'/>"),
    "pool.source_name": POOL.format("logical", "<device path='/d'/>"),
    "pool.source_format": POOL.format("fs", "<device path='/d'/>"),
    "filesystem.type": "<filesystem><source dir='/s'/><target dir='t'/></filesystem>",
    "disk.source_volume": FORMS["disk.source_pool"],
    "disk.source_name": FORMS["disk.source_protocol"],
    "disk.backing_type": FORMS["disk.backing_file"],
    "interface.source_mode": FORMS["interface.source_dev"],
    "interface.source_port": UDP,
    "interface.source_local_address": UDP,
    "interface.source_local_port": UDP,
    "hostdev.pci_domain": PCI,
    "hostdev.pci_slot": PCI,
    "hostdev.pci_function": PCI,
}
for _char in ("serial", "parallel", "console", "channel"):
    _target = {"channel": "<target type='virtio' name='a'/>", "console": ""}.get(_char, "")
    FORMS[f"{_char}.source_path"] = f"<{_char} type='file'><source path='/a'/>{_target}</{_char}>"
    FORMS[f"{_char}.source_append"] = FORMS[f"{_char}.source_path"]
    FORMS[f"{_char}.source_mode"] = (
        f"<{_char} type='unix'><source mode='bind' path='/a'/>{_target}</{_char}>"
    )
    FORMS[f"{_char}.source_host"] = (
        f"<{_char} type='tcp'><source mode='bind' host='::1' service='1'/>"
        f"<protocol type='raw'/>{_target}</{_char}>"
    )
    FORMS[f"{_char}.source_service"] = FORMS[f"{_char}.source_host"]
    FORMS[f"{_char}.protocol"] = FORMS[f"{_char}.source_host"]

# Values, where the first word of the fact or a plain one would not do.
VALUES = {
    "smartcard.mode": "host",
    "domain.uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
    "domain.genid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
    "domain.type": "kvm",
    "domain.os_type": "hvm",
    "domain.arch": "x86_64",
    "domain.machine": "q35",
    "domain.vcpu_cpuset": "0-1",
    "domain.firmware": "efi",
    "domain.clock_adjustment": "5",
    "domain.cpu_fallback": "forbid",
    "interface.mac": "52:54:00:12:34:56",
    "interface.source_address": "127.0.0.1",
    "interface.source_local_address": "127.0.0.1",
    "interface.mtu": 1500,
    "disk.wwn": "0123456789abcdef",
    "disk.target": "vdb",
    "disk.driver_type": "qcow2",
    "disk.backing_type": "raw",
    "disk.source_protocol": "rbd",
    "disk.driver_name": "qemu",
    "pool.source_name": "vg0",
    "pool.devices": ("/dev/a",),
    "pool.adapter_type": "scsi_host",
    "pool.adapter_name": "host1",
    "pool.adapter_wwnn": "20000000c9831b4c",
    "pool.adapter_wwpn": "10000000c9831b4c",
    "pool.initiator": "iqn.2024-01.lab:me",
    "pool.auth_type": "chap",
    "pool.auth_uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
    "pool.protocol_version": "4.2",
    "volume.secret_uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa1",
    "volume.cipher": "aes",
    "volume.cipher_size": 128,
    "volume.cipher_mode": "cbc",
    "volume.cipher_hash": "sha256",
    "volume.ivgen": "essiv",
    "volume.ivgen_hash": "sha256",
    "volume.changed_at": "1.5",
    "volume.status_at": "1.5",
    "pool.source_host": "h",
    "pool.source_format": "ext4",
    "filesystem.type": "mount",
    "hostdev.type": "usb",
    "hostdev.driver_name": "vfio",
    "graphics.password_until": "2027-01-31T18:00:00",
    "graphics.connected": "keep",
    "vsock.cid": 4,
    "shmem.name": "s",
    "hostdev.usb_vendor": "0x1234",
    "hostdev.usb_product": "0x1234",
    "hostdev.pci_domain": "0x0000",
    "hostdev.pci_bus": "0x01",
    "hostdev.pci_slot": "0x01",
    "hostdev.pci_function": "0x1",
    "channel.target_name": "org.example.0",
    "filesystem.driver_type": "path",
    "serial.target_type": "isa-serial",
    "serial.target_model": "isa-serial",
    "controller.model": "qemu-xhci",
    "input.model": "virtio",
    "graphics.listen_type": "address",
    "graphics.listen_address": "127.0.0.1",
    "graphics.listen": "127.0.0.1",
    "forwarder.domain": "corp.example",
    "txt.name": "a.example",
    "srv.domain": "a.example",
    "route.address": "10.0.0.0",
    "route.gateway": "10.0.0.1",
    "route.netmask": "255.0.0.0",
    "forwarder.address": "10.0.0.1",
    "address.domain": "0x0001",
    "address.bus": "0x01",
    "address.slot": "0x01",
    "address.function": "0x2",
    "host.id": "0:3:0:1:0:16:3e:11:22:33",
    "network.nat_start": "10.0.0.1",
    "network.nat_end": "10.0.0.1",
    "network.port_type": "openvswitch",
    "portgroup.port_type": "openvswitch",
    "filter.uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
    "filter.name": "f",
    "filter.chain": "root",
    "filterref.filter": "f",
    "parameter.name": "IP",
    "parameter.value": "10.0.0.1",
    "network.mac": "52:54:00:12:34:56",
    "network.uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
    "pool.uuid": "4dea22b3-1d52-d8f3-2516-782e98ab3fa0",
    "ip.address": "10.0.0.1",
    "ip.netmask": "255.255.255.0",
    "ip.prefix": 24,
    "ip.boot_server": "10.0.0.9",
    "range.start": "10.0.0.4",
    "range.end": "10.0.0.5",
    "host.ip": "10.0.0.4",
    "host.mac": "52:54:00:12:34:56",
    "volume.mode": "0644",
    "pool.mode": "0711",
    "volume.owner": "1",
    "volume.group": "1",
    "pool.owner": "1",
    "pool.group": "1",
    "volume.format": "qcow2",
    "volume.backing_format": "qcow2",
    "volume.compat": "1.1",
    "feature.name": "x",
    "network.zone": "public",
    "network.domain": "lab.example",
    "pool.name": "p",
    "volume.name": "v",
    "disk.source_pool": "p",
    "disk.source_volume": "v",
    "disk.serial": "ABC-1",
    "interface.model": "virtio",
    "interface.filter": "clean-traffic",
}
# What must be there already for a fact to be allowed.
SETUP = {
    "domain.max_memory": {"max_memory_slots": 16},
    "domain.max_memory_slots": {"max_memory": Size.parse("2 GiB")},
    "domain.current_vcpus": {"vcpus": 2},
    "domain.vcpu_placement": {"vcpus": 2},
    "domain.vcpu_cpuset": {"vcpus": 2},
    "domain.boot_menu_timeout_ms": {"boot_menu": True},
    "domain.hyperv_retries": {"hyperv_spinlocks": True},
    "domain.cpu_sockets": {"cpu_cores": 1, "cpu_threads": 1},
    "domain.cpu_cores": {"cpu_sockets": 1, "cpu_threads": 1},
    "domain.cpu_threads": {"cpu_cores": 1, "cpu_sockets": 1},
    "domain.clock_timezone": {"clock_offset": "timezone"},
    "domain.clock_adjustment": {"clock_offset": "variable"},
    "domain.clock_basis": {"clock_offset": "variable"},
    "domain.nvram_template": {"nvram": "/n"},
    "timer.frequency_hz": {"name": "tsc"},
    "network.domain_local": {"domain": "lab.example"},
    "network.nat_start": {"nat_end": "10.0.0.9"},
    "network.nat_end": {"nat_start": "10.0.0.1"},
    "network.nat_port_start": {"nat_port_end": 9},
    "network.nat_port_end": {"nat_port_start": 1},
    "host.lease_unit": {"lease": 5},
    "ip.boot_server": {"boot_file": "x"},
    "range.lease_unit": {"lease": 5},
    "volume.backing_format": {"backing_path": "/b"},
    "graphics.listen_address": {"listen_type": "address"},
    "graphics.listen_network": {"listen_type": "network"},
    "graphics.listen_socket": {"listen_type": "socket"},
    "rng.rate_period_ms": {"rate_bytes": 1},
    "serial.log_append": {"log_file": "/l"},
    "parallel.log_append": {"log_file": "/l"},
    "console.log_append": {"log_file": "/l"},
    "channel.log_append": {"log_file": "/l"},
}


def views():
    yield from FRAMES
    yield from DEVICES.values()


def _facts():
    for cls in views():
        for name, fact in cls.FACTS.items():
            yield pytest.param(cls, name, fact, id=f"{cls.TAG}.{name}")


FACTS = list(_facts())


def frame(cls, name):
    if cls in FRAMES:
        text, tag, kind = FRAMES[cls]
        text = FORMS.get(f"{cls.TAG}.{name}", text)
    else:
        text = DOMAIN.format(
            f"<devices>{FORMS.get(f'{cls.TAG}.{name}', DEVICE_FRAMES[cls.TAG])}</devices>"
        )
        tag, kind = cls.TAG, "domain"
    doc = XmlDoc.parse(text)
    found = [node for node in doc if node.tag == tag]
    view = cls(found[-1], doc)
    view.set(**SETUP.get(f"{cls.TAG}.{name}", {}))
    return view, kind, doc.text()


PLAIN = {"alias": "ua-one", "address_type": "unassigned"}


def value_for(cls, name, fact):
    if isinstance(fact, Values):
        return fact.values[:2] or ("a", "b")
    if isinstance(fact, SizeFact):
        return Size.parse("3 MiB")
    usual = "/a/b"
    if isinstance(fact, Int):
        usual = 1
    elif isinstance(fact, Choice):
        usual = fact.values[0]
    elif not isinstance(fact, Text):
        usual = True
    given = VALUES.get(f"{cls.TAG}.{name}", PLAIN.get(name, usual))
    return usual if fact.values and given not in fact.values else given


@pytest.mark.parametrize(("cls", "name", "fact"), FACTS)
def test_each_fact_is_set_read_and_deleted(cls, name, fact, schema):
    if isinstance(fact, Children):
        return
    view, kind, text = frame(cls, name)
    if f"{cls.TAG}.{name}" not in SETUP:
        assert schema.check(text, kind) == ()
    value = value_for(cls, name, fact)
    setattr(view, name, value)
    reread = cls(view.element, XmlDoc.parse(view.doc.text()))
    assert getattr(view, name) == value == getattr(reread, name)
    problems = schema.check(view.doc.text(), kind)
    if (cls.TAG, name) == ("smartcard", "alias"):
        # libvirt writes it, and its own schema does not know it.
        assert len(problems) == 1
        problems = ()
    assert problems == (), [str(one) for one in problems]
    delattr(view, name)
    assert getattr(view, name) in {None, ()}
    setattr(view, name, None)
    assert XmlDoc.parse(view.doc.text()).text() == view.doc.text()


@pytest.mark.parametrize(("cls", "name", "fact"), FACTS)
def test_each_fact_that_was_added_goes_without_a_trace(cls, name, fact):
    if isinstance(fact, Children):
        return
    view, _, text = frame(cls, name)
    if getattr(view, name) not in {None, ()}:
        return
    setattr(view, name, value_for(cls, name, fact))
    delattr(view, name)
    if not fact.keep and not isinstance(fact, SizeFact):
        assert view.doc.text() == text


@pytest.mark.parametrize(("cls", "name", "fact"), FACTS)
def test_each_fact_says_what_it_means(cls, name, fact):
    assert fact.about
    assert fact.name == name


@pytest.mark.parametrize(("cls", "name", "fact"), FACTS)
def test_words_outside_the_table_are_refused_with_those_inside(cls, name, fact):
    if not isinstance(fact, Choice):
        return
    view, _, text = frame(cls, name)
    with pytest.raises(SpecError, match="allowed") as caught:
        setattr(view, name, "nonsense")
    assert caught.value.field == name
    assert view.doc.text() == text


@pytest.mark.parametrize("tag", [tag for tag in ORDER if tag in DEVICES or tag == "domain"])
def test_the_order_knows_every_element_that_the_table_makes(tag):
    cls = DomainXml if tag == "domain" else DEVICES[tag]
    for fact in cls.FACTS.values():
        if fact.steps and fact.steps[0].tag != "{https://labvirt.org/xmlns/domain/1}labvirt":
            assert fact.steps[0].tag in ORDER[tag], fact.path


def test_elements_are_made_in_the_order_in_which_libvirt_writes_them():
    domain = DomainXml.new(name="a", type="qemu")
    for name in (
        "on_crash",
        "cpu_mode",
        "os_type",
        "memory",
        "title",
        "acpi",
        "uuid",
        "clock_offset",
    ):
        setattr(domain, name, value_for(DomainXml, name, DomainXml.FACTS[name]))
    tags = [child.tag for child in domain.element]
    assert tags == ["name", "uuid", "title", "memory", "os", "features", "cpu", "clock", "on_crash"]


def test_a_number_that_is_none_is_told_with_its_place():
    domain = DomainXml.parse(DOMAIN.format("<vcpu>many</vcpu>"))
    with pytest.raises(SpecError, match="/domain/vcpu = 'many': is not a whole number"):
        _ = domain.vcpus
    domain.vcpus = 2
    assert domain.vcpus == 2


def test_a_size_that_is_none_is_told_with_its_place():
    domain = DomainXml.parse(DOMAIN.format("").replace("65536", "lots"))
    with pytest.raises(SpecError, match=r"/domain/memory = 'lots KiB'"):
        _ = domain.memory


def test_a_boolean_that_is_none_is_told_with_its_words():
    domain = DomainXml.parse(DOMAIN.format("<features><smm state='maybe'/></features>"))
    with pytest.raises(SpecError, match="neither on nor off"):
        _ = domain.smm


def test_a_text_that_xml_cannot_carry_is_refused():
    domain = DomainXml.new(name="a")
    with pytest.raises(SpecError, match="XML cannot carry"):
        domain.title = "a\x00b"


def test_an_unknown_fact_is_refused_with_the_nearest():
    with pytest.raises(SpecError, match="did you mean 'memory'"):
        DomainXml.new(memroy=1)


def test_another_root_is_refused():
    with pytest.raises(SpecError, match="root is not <domain>"):
        DomainXml.parse("<network/>")


def test_children_are_listed_added_and_removed():
    domain = DomainXml.parse(DOMAIN.format(""))
    first = domain.disks.append(devices.DiskXml.new(type="file", target="vda"))
    second = domain.disks.append(devices.DiskXml.new(type="file", target="vdb"))
    assert [one.target for one in domain.disks] == ["vda", "vdb"]
    assert domain.disks[0] == first != second
    assert {first, domain.disks[0]} == {first}
    domain.disks.remove(first)
    assert [one.target for one in domain.disks] == ["vdb"]
    with pytest.raises(SpecError, match="not in this document"):
        domain.disks.remove(first)
    domain.disks = [devices.DiskXml.new(type="file", target="vdx"), second]
    assert [one.target for one in domain.disks] == ["vdx", "vdb"]
    del domain.disks
    assert len(domain.disks) == 0
    assert domain.text() == DOMAIN.format("")


def test_a_child_of_another_kind_is_refused():
    domain = DomainXml.parse(DOMAIN.format(""))
    with pytest.raises(SpecError, match="another kind"):
        domain.disks.append(devices.InterfaceXml.new(type="user"))


def test_what_is_added_is_a_copy():
    disk = devices.DiskXml.new(type="file", target="vda")
    domain = DomainXml.parse(DOMAIN.format(""))
    domain.disks.append(disk)
    disk.target = "vdb"
    assert domain.disks[0].target == "vda"


def test_a_device_is_added_from_text_and_has_its_class():
    domain = DomainXml.parse(DOMAIN.format(""))
    added = domain.add_device("<graphics type='vnc'/>")
    assert isinstance(added, display.GraphicsXml)
    assert isinstance(domain.add_device("<serial type='pty'/>"), chardev.SerialXml)
    hub = domain.add_device("<hub type='usb'/>")
    assert type(hub).__name__ == "DeviceXml"
    assert [one.element.tag for one in domain.devices] == ["serial", "graphics", "hub"]
    domain.remove_device(hub)
    assert len(domain.devices) == 2


def test_a_device_gives_its_own_xml():
    domain = DomainXml.parse(DOMAIN.format("<devices><hub type='usb'/>\n</devices>"))
    assert domain.devices[0].text() == "<hub type='usb'/>\n"
    assert View(domain.element, domain.doc).text() == domain.text()


def test_a_repr_shows_place_and_no_value():
    domain = DomainXml.parse(DOMAIN.format("<devices><graphics type='vnc' passwd='x'/></devices>"))
    assert repr(domain.graphics[0]) == "<GraphicsXml /domain/devices/graphics>"
    assert repr(domain.graphics) == "<1 x graphics>"
