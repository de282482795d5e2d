"""The definition of a clone: every fresh value, and nothing else changed."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model.cloning import fresh_definition, fresh_path, layers_xml
from labvirt.model.xml.domain import DomainXml

MAC = "52:54:00:11:22:33"
XML = f"""<domain type='qemu' id='3'>
  <name>web1</name>
  <uuid>11111111-2222-4333-8444-555555555555</uuid>
  <genid>aaaaaaaa-2222-4333-8444-555555555555</genid>
  <title>The first</title>
  <memory>1</memory>
  <sysinfo type='smbios'>
    <system>
      <entry name='manufacturer'>Acme</entry>
      <entry name='uuid'>11111111-2222-4333-8444-555555555555</entry>
      <entry name='serial'>A-1</entry>
    </system>
  </sysinfo>
  <os><type>hvm</type><cmdline>quiet hostname=web1 name=web1</cmdline></os>
  <devices>
    <interface type='network'>
      <mac address='{MAC}'/>
      <source network='default'/>
      <target dev='tap7'/>
    </interface>
    <interface type='bridge'>
      <mac address='00:16:3e:11:22:33'/>
      <source bridge='xenbr0'/>
    </interface>
    <serial type='file'>
      <source path='/var/log/web1.txt'/>
      <log file='/var/log/serial/web1-0.log'/>
      <target port='0'/>
    </serial>
    <channel type='unix'>
      <source mode='bind' path='/run/x/web1/org.qemu.guest_agent.0'/>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <channel type='unix'>
      <source mode='connect' path='/run/web1.sock'/>
      <target type='virtio' name='other'/>
    </channel>
    <graphics type='vnc' port='5901' autoport='no' websocket='5700'/>
    <graphics type='vnc' socket='/run/web1.vnc'/>
    <tpm model='tpm-tis'><backend type='emulator'/></tpm>
    <filesystem type='mount'><source dir='/srv/www'/><target dir='www'/></filesystem>
    <hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>
    <vsock model='virtio'><cid auto='no' address='3'/></vsock>
  </devices>
</domain>
"""
UUID = "99999999-2222-4333-8444-555555555555"


def cloned(**options):
    document = DomainXml.parse(XML)
    given = {"taken": (), "macs": {}, "networks": {}} | options
    macs, notes = fresh_definition(document, "web2", UUID, **given)
    return DomainXml.parse(document.text()), macs, notes


def test_all_that_two_domains_cannot_share_is_fresh():
    clone, macs, _ = cloned()
    assert (clone.name, clone.uuid, clone.id, clone.title) == ("web2", UUID, None, None)
    assert clone.genid not in (None, "aaaaaaaa-2222-4333-8444-555555555555")
    entries = {e.get("name"): e.text for e in clone.element.iter("entry")}
    assert entries["uuid"] == UUID
    assert entries["serial"] != "A-1"
    assert entries["manufacturer"] == "Acme"
    assert clone.cmdline == "quiet hostname=web2 name=web1"
    one, two = clone.interfaces
    assert macs == {MAC: one.mac, "00:16:3e:11:22:33": two.mac}
    assert one.mac.startswith("52:54:00:")
    assert one.mac != MAC
    assert two.mac.startswith("00:16:3e:")
    assert one.target_dev is None
    (serial,) = clone.serials
    assert serial.source_path == "/var/log/web2.txt"
    assert serial.log_file == "/var/log/serial/web2-0.log"
    agent, other = clone.channels
    assert agent.source_path is None
    assert other.source_path == "/run/web1.sock", "the other end is somebody else's"
    port, socket = clone.graphics
    assert (port.port, port.autoport, port.websocket) == (-1, True, -1)
    assert socket.socket == "/run/web2.vnc"
    assert clone.element.find("devices/vsock/cid").attrib == {"auto": "yes"}


def test_what_both_share_is_told():
    _, _, notes = cloned()
    text = "\n".join(notes)
    assert "usb device of the host" in text
    assert "/srv/www" in text
    assert "TPM begins empty" in text


def test_wanted_addresses_and_networks():
    clone, _, _ = cloned(
        macs={MAC: "52:54:00:00:00:07"}, networks={"xenbr0": "br0", "default": "lan"}
    )
    assert clone.interfaces[0].mac == "52:54:00:00:00:07"
    assert [one.source for one in clone.interfaces] == ["lan", "br0"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"macs": {"52:54:00:00:00:01": MAC}}, "no interface has it"),
        ({"macs": {MAC: MAC}}, "is another interface's"),
        ({"macs": {MAC: "52:54:00:00:00:09"}, "taken": ("52:54:00:00:00:09",)}, "another"),
        ({"macs": {MAC: "01:00:00:00:00:00"}}, "multicast"),
        ({"networks": {"nowhere": "x"}}, "no interface is connected"),
    ],
)
def test_wrong_wishes(options, text):
    with pytest.raises(SpecError, match=text):
        cloned(**options)


@pytest.mark.parametrize(
    ("path", "tail", "wanted"),
    [
        ("/i/web1.qcow2", "vda", "/i/web2.qcow2"),
        ("/i/web1-vda.qcow2", "vda", "/i/web2-vda.qcow2"),
        ("/i/web10.qcow2", "vda", "/i/web2-vda.qcow2"),
        ("/i/disk.img", "vdb", "/i/web2-vdb.img"),
        ("/i/disk", "vdb", "/i/web2-vdb"),
        ("/var/nvram/web1_VARS.fd", "VARS", "/var/nvram/web2_VARS.fd"),
        ("/log/serial.log", "", "/log/serial-web2.log"),
    ],
)
def test_paths_carry_the_new_name(path, tail, wanted):
    assert fresh_path(path, "web1", "web2", tail=tail) == wanted


def test_the_snapshot_that_lays_disks_escapes_what_it_is_given():
    text = layers_xml({"vda": "/i/a&b<c.qcow2"}, ("vdb",))
    assert "/i/a&amp;b&lt;c.qcow2" in text
    assert "snapshot='no'" in text or 'snapshot="no"' in text
