"""Editing any domain XML changes the place that is meant, and not one byte besides.

The two dozen documents below ``data/domains`` are as different as those in the world: Xen, LXC,
LUKS, host devices, foreign namespaces, CDATA, comments, CRLF, tabs, one line, unknown elements.
"""

from __future__ import annotations

import difflib

import pytest

from labvirt.errors import SpecError
from labvirt.model.units import Size
from labvirt.model.xml import DiskXml, DomainXml, InterfaceXml, XmlDoc

NEW_DISK = {
    "type": "file",
    "device": "disk",
    "driver_name": "qemu",
    "driver_type": "qcow2",
    "source_file": "/images/new disk.qcow2",
    "target": "vdz",
    "bus": "virtio",
}


def only_change(before, after):
    """Return what was taken out and what was put in, when all else is the same text."""
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    rest = min(len(before), len(after)) - head
    while tail < rest and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return before[head : len(before) - tail], after[head : len(after) - tail]


def changed_lines(before, after):
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    removed, added = [], []
    for code, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if code != "equal":
            removed += old[a:b]
            added += new[c:d]
    return removed, added


def is_on_one_line(text):
    return text.count("\n") < 2


def has_disks_in_line(text):
    return is_on_one_line(text) or "<devices ><disk" in text


def test_there_are_more_than_twenty_varied_documents(data):
    assert len(list((data / "domains").glob("*.xml"))) >= 20


def test_reading_every_fact_changes_nothing(sample):
    domain = DomainXml.parse(sample)
    for name in domain.FACTS:
        getattr(domain, name)
    for device in domain.devices:
        for name in device.FACTS:
            getattr(device, name)
    assert domain.text() == sample


def test_setting_what_is_there_already_changes_nothing(sample):
    domain = DomainXml.parse(sample)
    for view in (domain, *domain.devices):
        for name, fact in view.FACTS.items():
            value = getattr(view, name)
            if value is not None and not hasattr(value, "append"):
                setattr(view, name, value)
                assert view.doc.text() == sample, fact.path


def test_changing_memory_changes_the_number_only(sample):
    domain = DomainXml.parse(sample)
    unit = domain.element.find("memory").get("unit", "KiB")
    old = domain.element.find("memory")
    digits = "".join(old.xpath("text()")).strip()
    domain.memory = Size.parse(f"{int(digits) + 12345} {unit}")
    after = domain.text()
    taken, put = only_change(sample, after)
    if "<!--" not in sample[sample.index("<memory") : sample.index("</memory")]:
        assert digits.endswith(taken.strip())
        assert put.strip().isdigit()
    removed, added = changed_lines(sample, after)
    assert len(added) == 1
    assert str(int(digits) + 12345) in added[0]
    assert len(removed) <= 3
    assert DomainXml.parse(after).memory == domain.memory
    domain.memory = Size.parse(f"{digits} {unit}")
    assert DomainXml.parse(domain.text()).memory == DomainXml.parse(sample).memory


def test_adding_a_disk_inserts_it_and_removing_it_leaves_no_trace(sample):
    domain = DomainXml.parse(sample)
    disk = domain.disks.append(DiskXml.new(**NEW_DISK))
    after = domain.text()
    taken, put = only_change(sample, after)
    assert "/images/new disk.qcow2" in put
    assert taken in {"", "/"}  # the slash of <devices/>, which is opened
    removed, added = changed_lines(sample, after)
    assert len(removed) <= 1
    if not has_disks_in_line(sample):
        assert sum("disk" in line for line in added) >= 2
    reread = DomainXml.parse(after)
    assert [one.target for one in reread.disks][-1] == "vdz"
    assert len(reread.devices) == len(DomainXml.parse(sample).devices) + 1
    domain.remove_device(disk)
    assert domain.text() == sample


def test_an_added_disk_is_indented_like_its_neighbours(sample):
    domain = DomainXml.parse(sample)
    if has_disks_in_line(sample) or not len(domain.disks):
        return
    domain.disks.append(DiskXml.new(**NEW_DISK))
    lines = domain.text().splitlines()
    mine = next(
        line for line in lines if "<target dev='vdz'" in line or '<target dev="vdz"' in line
    )
    others = [line for line in lines if line.lstrip().startswith("<target dev=")]
    assert mine[: len(mine) - len(mine.lstrip())] in {
        line[: len(line) - len(line.lstrip())] for line in others
    }


def test_retitling_touches_the_title_only(sample):
    domain = DomainXml.parse(sample)
    had = domain.title is not None
    domain.title = "A <new> word & more"
    after = domain.text()
    removed, added = changed_lines(sample, after)
    assert len(added) == 1
    assert "A &lt;new&gt; word &amp; more" in added[0]
    if not had and not is_on_one_line(sample):
        assert len(removed) <= 1
        taken, put = only_change(sample, after)
        assert taken == ""
        assert put.count("title") == 2
    assert len(removed) <= 1
    assert DomainXml.parse(after).title == "A <new> word & more"


def test_a_title_that_was_added_goes_without_a_trace(sample):
    domain = DomainXml.parse(sample)
    if domain.title is not None:
        return
    domain.title = "x"
    domain.text()
    domain.title = None
    assert domain.text() == sample


def test_tags_are_added_beside_foreign_metadata_and_go_without_a_trace(sample):
    domain = DomainXml.parse(sample)
    had = domain.tags
    domain.tags = (*had, "one", "two")
    after = domain.text()
    assert DomainXml.parse(after).tags == (*had, "one", "two")
    taken, _ = only_change(sample, after)
    assert taken in {"", "/"}
    domain.tags = had
    assert domain.text() == sample


def test_removing_every_device_one_by_one_keeps_the_others(sample):
    domain = DomainXml.parse(sample)
    left = list(domain.devices)
    while left:
        device = left.pop(0)
        domain.remove_device(device)
        reread = DomainXml.parse(domain.text())
        assert [one.element.tag for one in reread.devices] == [one.element.tag for one in left]
    assert domain.memory == DomainXml.parse(sample).memory


def test_a_changed_bus_keeps_quotes_order_and_blanks_of_the_tag(data):
    text = (data / "domains" / "15-quotes-and-references.xml").read_text()
    domain = DomainXml.parse(text)
    domain.disks[0].bus = "scsi"
    assert domain.text() == text.replace("bus='virtio'", "bus='scsi'")


def test_an_attribute_that_was_removed_leaves_the_rest_of_its_tag(data):
    text = (data / "domains" / "15-quotes-and-references.xml").read_text()
    domain = DomainXml.parse(text)
    domain.id = None
    assert domain.text() == text.replace("\n        id='12'", "")


def test_a_comment_inside_a_text_stays(data):
    text = (data / "domains" / "11-comments-everywhere.xml").read_text()
    domain = DomainXml.parse(text)
    assert domain.memory == Size.parse("1 GiB")
    assert domain.name == "web1"
    domain.memory = Size.parse("2 GiB")
    after = domain.text()
    assert "2097152<!-- was 524288 --><!-- KiB --></memory>" in after
    assert DomainXml.parse(after).memory == Size.parse("2 GiB")


def test_memory_keeps_its_unit_when_the_size_is_whole_in_it(data):
    domain = DomainXml.parse((data / "domains" / "06-host-devices.xml").read_text())
    domain.memory = Size.parse("4 GiB")
    assert "<memory unit='GiB'>4</memory>" in domain.text()
    domain.memory = Size.parse("4608 MiB")
    assert "<memory unit='KiB'>4718592</memory>" in domain.text()
    domain.memory = Size(1_000_000_001)
    assert "<memory unit='bytes'>1000000001</memory>" in domain.text()


def test_the_domain_inside_a_snapshot_is_edited_in_place(data, schema):
    text = (data / "snapshot.xml").read_text()
    doc = XmlDoc.parse(text)
    domain = DomainXml(doc.root.find("domain"), doc)
    domain.memory = Size.parse("2 GiB")
    domain.disks[0].source_file = "/path/to/other"
    after = doc.text()
    assert changed_lines(text, after) == (
        ["    <memory unit='KiB'>1048576</memory>\n", "        <source file='/path/to/old'/>\n"],
        ["    <memory unit='KiB'>2097152</memory>\n", "        <source file='/path/to/other'/>\n"],
    )
    assert schema.check(after, "snapshot") == ()


def test_valid_documents_stay_valid_after_all_edits(sample, schema):
    domain = DomainXml.parse(sample)
    if schema.check(domain.doc):
        return
    domain.title = "title"
    domain.memory = Size.parse("1 GiB")
    domain.tags = ("a",)
    domain.disks.append(DiskXml.new(**NEW_DISK))
    domain.interfaces.append(InterfaceXml.new(type="user", model="virtio"))
    domain.vcpus = 2
    domain.on_crash = "destroy"
    problems = schema.check(domain.text())
    assert problems == (), [str(one) for one in problems]


@pytest.mark.parametrize("wrong", ["vdb", "/images/nobody.qcow2"])
def test_a_disk_that_is_not_there_is_named_with_those_that_are(data, wrong):
    domain = DomainXml.parse((data / "domains" / "02-running-kvm-dump.xml").read_text())
    assert domain.find_disk("vda") == domain.find_disk("/var/lib/libvirt/images/db-01.snap2")
    with pytest.raises(SpecError, match="vda"):
        domain.find_disk(wrong)


def test_an_interface_is_found_by_address_target_or_alias(data):
    domain = DomainXml.parse((data / "domains" / "02-running-kvm-dump.xml").read_text())
    found = domain.find_interface("52:54:00:6D:90:02")
    assert found == domain.find_interface("vnet3") == domain.find_interface("net0")
    with pytest.raises(SpecError, match="52:54:00:6d:90:02"):
        domain.find_interface("52:54:00:6d:90:03")
