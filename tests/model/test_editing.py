"""What can be changed, as specs made of the facts of the XML tables."""

from __future__ import annotations

import pytest
from lxml import etree

from labvirt.errors import SpecError
from labvirt.model import ParallelSpec, RedirdevSpec, SmartcardSpec
from labvirt.model.device_edit import edit_device
from labvirt.model.editing import (
    DEVICE_FACTS,
    MACHINE_FACTS,
    edit_specs,
    edits,
    facts_now,
    kind_of,
    spec_of,
)
from labvirt.model.redact import MASK, redact_xml, unmask
from labvirt.model.units import Size
from labvirt.model.xml.devices import DiskXml, InterfaceXml
from labvirt.model.xml.display import GraphicsXml
from labvirt.model.xml.domain import DEVICES, DomainXml

DISK = "<disk type='file' device='{device}'><source file='/a.img'/><target dev='sda' bus='sata'/></disk>"
NIC = "<interface type='network'><source network='default'/><mac address='52:54:00:00:00:01'/></interface>"


def test_every_page_and_every_kind_of_device_has_a_spec():
    assert len(edit_specs()) == len(MACHINE_FACTS) + len(DEVICE_FACTS)
    tags = {"disk" if kind in {"cdrom", "floppy"} else kind for kind in DEVICE_FACTS}
    assert tags == set(DEVICES)
    for spec in edit_specs():
        assert spec() == spec(), spec
        assert all(field.description for field in spec.model_fields.values()), spec


def test_what_holds_fits_the_spec_and_nothing_is_an_edit():
    disk = DiskXml.parse(DISK.format(device="cdrom"))
    assert kind_of(disk) == "cdrom"
    values = facts_now("cdrom", disk)
    assert values == {"source": "/a.img", "bus": "sata", "boot_order": None, "serial": None}
    spec = spec_of("cdrom", disk)
    assert edits(spec(**values), spec(**values)) == {}
    assert edits(spec(**values), spec(**{**values, "source": None})) == {"source": None}


def test_a_word_that_stands_there_stays_allowed_and_no_other_one():
    nic = InterfaceXml.parse(NIC.replace("'network'", "'vdpa'", 1))
    spec = spec_of("interface", nic)
    assert spec(kind="vdpa").kind == "vdpa"
    with pytest.raises(SpecError, match="kind"):
        spec(kind="mcast")
    with pytest.raises(SpecError, match="link_up"):
        spec(link_up="perhaps")


def test_another_kind_of_link_is_given_its_source_anew():
    nic = InterfaceXml.parse(NIC)
    spec = spec_of("interface", nic)
    values = facts_now("interface", nic)
    found = edits(spec(**values), spec(**{**values, "kind": "bridge"}))
    assert list(found.items()) == [("kind", "bridge"), ("source", "default")]
    edit_device(nic, found)
    assert nic.source_bridge == "default"
    assert nic.source_network is None


def test_rates_are_sizes_and_a_password_is_never_read():
    nic = InterfaceXml.parse(NIC)
    nic.inbound_kib_s = 3
    assert facts_now("interface", nic)["inbound"] == Size(3 * 1024)
    view = GraphicsXml.parse("<graphics type='vnc' passwd='geheim' listen='::1'/>")
    assert facts_now("graphics", view)["password"] is None


def test_the_address_to_listen_on_is_written_in_both_places():
    view = GraphicsXml.parse(
        "<graphics type='vnc' listen='127.0.0.1'><listen type='address' address='127.0.0.1'/></graphics>"
    )
    edit_device(view, {"listen_address": "0.0.0.0"})
    assert (view.listen, view.listen_address) == ("0.0.0.0", "0.0.0.0")


def test_the_memory_of_the_machine_is_no_memory_module():
    page = spec_of("memory", DomainXml.new())
    module = spec_of("memory")
    assert "current_memory" in page.model_fields
    assert set(module.model_fields) == {"size", "node"}


@pytest.mark.parametrize(
    ("spec", "xml"),
    [
        (ParallelSpec(), "<parallel type='pty'/>"),
        (ParallelSpec(kind="file", path="/x"), "path='/x'"),
        (RedirdevSpec(), "<redirdev bus='usb' type='spicevmc'/>"),
        (SmartcardSpec(mode="host"), "<smartcard mode='host'/>"),
    ],
)
def test_rarer_devices(spec, xml):
    assert xml in spec.to_xml()


def test_a_parallel_port_without_its_file():
    with pytest.raises(SpecError, match="path"):
        ParallelSpec(kind="dev")
    with pytest.raises(SpecError, match="path"):
        ParallelSpec(kind="pty", path="/dev/parport0")


DOMAIN = """<domain type='qemu'><name>a</name><memory>1</memory>
<description>password=geheim of the guest</description>
<devices><graphics type='vnc' passwd='geheim'/><graphics type='spice' passwd='auch'/></devices></domain>"""


def test_secrets_come_back_where_the_same_stands():
    old = etree.fromstring(DOMAIN)
    new = etree.fromstring(redact_xml(DOMAIN).replace("<memory>1", "<memory>2"))
    unmask(new, old)
    text = etree.tostring(new, encoding="unicode")
    assert MASK not in text
    assert text.count("geheim") == 2
    assert "<memory>2" in text


def test_a_password_that_libvirt_left_out_comes_back_and_a_new_one_stays():
    old = etree.fromstring(DOMAIN)
    new = etree.fromstring(DOMAIN.replace(" passwd='geheim'", "").replace("'auch'", "'neu'"))
    unmask(new, old)
    vnc, spice = new.findall("devices/graphics")
    assert (vnc.get("passwd"), spice.get("passwd")) == ("geheim", "neu")
    other = etree.fromstring("<domain><devices><graphics type='sdl'/></devices></domain>")
    unmask(other, old)
    assert other.find("devices/graphics").get("passwd") is None
