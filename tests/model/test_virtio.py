"""Definitions converted to virtio and back: what changes, what stays, what is refused."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model import DomainXml
from labvirt.model.virtio import candidates, swap_back, to_virtio

OLD = """<domain type='qemu'>
  <name>old</name>
  <metadata><app:x xmlns:app='http://example.org/app'/></metadata>
  <memory unit='KiB'>65536</memory>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <!-- the system -->
      <driver name='qemu' type='raw' cache='none'/>
      <source file='/a.img'/>
      <target dev='hda' bus='ide'/>
      <boot order='1'/>
      <wwn>5000c50015ea71aa</wwn>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/>
    </disk>
    <disk type='file' device='disk'>
      <source file='/b.img'/>
      <target dev='sda' bus='sata'/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='hdc' bus='ide'/>
      <readonly/>
    </disk>
    <disk type='file' device='disk'>
      <source file='/c.img'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <controller type='ide' index='0'/>
    <controller type='sata' index='0'/>
    <controller type='pci' index='0' model='pci-root'/>
    <interface type='network'>
      <mac address='52:54:00:aa:bb:cc'/>
      <source network='default'/>
      <model type='e1000'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </interface>
  </devices>
</domain>
"""


def test_disks_and_cards_change_and_the_rest_stays():
    domain = DomainXml.parse(OLD)
    assert candidates(domain) == ("hda", "sda", "52:54:00:aa:bb:cc")
    swaps = to_virtio(domain)
    assert [str(one) for one in swaps] == [
        "disk hda (ide) becomes vdb (virtio)",
        "disk sda (sata) becomes vdc (virtio)",
        "interface 52:54:00:aa:bb:cc (e1000) becomes virtio",
    ]
    system = domain.find_disk("vdb")
    assert (system.bus, system.cache, system.boot_order, system.wwn) == ("virtio", "none", 1, None)
    assert system.element.find("address") is None
    assert "<!-- the system -->" in domain.text()
    assert domain.interfaces[0].element.find("address").get("slot") == "0x03"
    assert [one.type for one in domain.controllers] == ["ide", "pci"]
    assert domain.find_disk("hdc").bus == "ide"


def test_the_way_back_restores_what_was_and_keeps_what_came_after():
    domain = DomainXml.parse(OLD)
    to_virtio(domain)
    domain = DomainXml.parse(domain.text())
    domain.find_disk("vdb").source_file = "/overlay.img"
    swap_back(domain)
    system = domain.find_disk("hda")
    assert (system.bus, system.source_file, system.wwn) == (
        "ide",
        "/overlay.img",
        "5000c50015ea71aa",
    )
    assert domain.interfaces[0].model == "e1000"
    assert domain.swapped == ()
    assert "http://example.org/app" in domain.text()
    with pytest.raises(SpecError, match="was not converted"):
        swap_back(domain)


def test_only_what_is_named_is_converted():
    domain = DomainXml.parse(OLD)
    assert [one.name for one in to_virtio(domain, ["hda"])] == ["hda"]
    assert candidates(domain) == ("sda", "52:54:00:aa:bb:cc")
    with pytest.raises(SpecError, match="no IDE or SATA disk"):
        to_virtio(domain, ["hdc"])
    to_virtio(domain)
    with pytest.raises(SpecError, match="nothing that virtio"):
        to_virtio(domain)


def test_a_full_bus_is_refused():
    full = "".join(
        f"<rng model='virtio'><backend model='random'>/dev/urandom</backend>"
        f"<address type='pci' bus='0x00' slot='{slot:#x}'/></rng>"
        for slot in range(2, 32)
        if slot != 3
    )
    domain = DomainXml.parse(OLD.replace("</devices>", f"{full}</devices>"))
    with pytest.raises(SpecError, match="0 of 30 PCI slots free"):
        to_virtio(domain)


def test_a_conversion_is_valid_for_libvirts_schema(schema):
    domain = DomainXml.parse(OLD)
    to_virtio(domain)
    assert schema.check(domain.text()) == ()
    swap_back(domain)
    assert schema.check(domain.text()) == ()
