"""Resource verbs: memory, processors, devices and labels of real domains, live and stored."""

from __future__ import annotations

from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import ConflictError, HostError, SpecError, WaitTimeoutError
from labvirt.model import DomainXml

pytestmark = pytest.mark.lab


@pytest.fixture
def off(alpha, spec):
    return alpha.plan(
        spec.replace(memory=lv.Size.parse("64 MiB"), max_vcpus=2), start=False
    ).apply()


def stored(domain):
    return DomainXml.parse(domain.xml(inactive=True))


def live(domain):
    return DomainXml.parse(domain.xml())


def test_memory_of_a_domain_that_is_off_changes_its_definition(off):
    off.set_memory("32 MiB")
    assert stored(off).current_memory == 32 * 2**20
    assert stored(off).memory == 64 * 2**20


def test_memory_above_the_maximum_is_refused_with_a_way_out(off):
    with pytest.raises(SpecError, match="set_max_memory") as caught:
        off.set_memory("65 MiB")
    assert "64 MiB" in str(caught.value)
    assert stored(off).current_memory == 64 * 2**20


@pytest.mark.parametrize("size", ["12 parsecs", "0", "-1 MiB", "64", 64, None, True])
def test_sizes_that_make_no_sense_are_refused(off, size):
    with pytest.raises(SpecError):
        off.set_memory(size)
    with pytest.raises(SpecError):
        off.set_max_memory(size)


def test_little_memory_is_a_warning(off):
    assert any("less than most" in warning for warning in off.set_memory.plan("16 MiB").warnings)


def test_a_live_change_warns_that_the_guest_decides(blank):
    plan = blank.set_memory.plan("16 MiB")
    assert any("balloon" in warning for warning in plan.warnings)


def test_maximum_memory_waits_for_the_next_start(blank):
    plan = blank.set_max_memory.plan("128 MiB")
    assert any("next start" in warning for warning in plan.warnings)
    assert "+  <memory" in plan.diff
    plan.apply()
    assert stored(blank).memory == 128 * 2**20
    assert live(blank).memory == 32 * 2**20
    assert "+  <memory" in blank.pending


def test_lowering_the_maximum_lowers_the_current_memory(off):
    off.set_max_memory("32 MiB")
    assert (stored(off).memory, stored(off).current_memory) == (32 * 2**20, 32 * 2**20)


def test_processors_of_the_definition(off):
    off.set_vcpus(2)
    assert (stored(off).current_vcpus or stored(off).vcpus) == 2
    with pytest.raises(SpecError, match="1 to 2"):
        off.set_vcpus(3)
    off.set_vcpus(4, maximum=True)
    assert stored(off).vcpus == 4
    with pytest.raises(SpecError, match="the host"):
        off.set_vcpus(100000, maximum=True)


def test_live_on_a_domain_that_is_off_is_refused(off):
    with pytest.raises(ConflictError, match="not running"):
        off.set_vcpus(1, live=True)


def test_config_on_a_transient_domain_is_refused(alpha, spec):
    domain = alpha.plan(spec, transient=True).apply()
    with pytest.raises(ConflictError, match="transient"):
        domain.set_memory("16 MiB", config=True)


def test_vcpus_are_read_and_pinned(blank):
    cpus = blank.host.info().cpus
    (first,) = blank.vcpus()
    assert first.affinity == frozenset(range(cpus))
    blank.pin_vcpu(0, [0])
    (first,) = blank.vcpus()
    assert first.affinity == {0}
    assert first.affinity_map == "y" + "-" * (cpus - 1)


@pytest.mark.parametrize(("vcpu", "cpus"), [(0, [4096]), (0, []), (7, [0])])
def test_pinning_to_what_is_not_there_is_refused(blank, vcpu, cpus):
    with pytest.raises(SpecError, match="it has 0 to"):
        blank.pin_vcpu(vcpu, cpus)


def disk_xml(alpha, name, size=2**20):
    path = Path(alpha.pools["default"].info().path) / f"{name}-extra.img"
    path.write_bytes(b"\0" * size)
    path.chmod(0o666)
    return lv.DiskSpec(path=str(path), format="raw", target="vdz").to_xml()


def test_attach_to_the_definition_and_detach_again(off, alpha):
    xml = disk_xml(alpha, off.name)
    plan = off.attach.plan(xml)
    assert "+" in plan.diff
    plan.apply()
    assert stored(off).find_disk("vdz")
    off.detach(xml)
    assert not stored(off).disks


def test_attach_live_and_stored(blank, alpha):
    blank.attach(disk_xml(alpha, blank.name))
    assert live(blank).find_disk("vdz")
    assert stored(blank).find_disk("vdz")


def test_detach_from_a_guest_without_a_system_says_why_it_does_not_go(blank, alpha):
    xml = disk_xml(alpha, blank.name)
    blank.attach(xml, live=True)
    with pytest.raises(WaitTimeoutError, match="no system runs"):
        blank.detach(xml, live=True, timeout_s=1)


def test_detach_from_a_guest_that_answers(tiny, alpha):
    xml = disk_xml(alpha, "tiny")
    tiny.attach(xml, live=True)
    seen = "for at in $(seq 20); do ls /sys/block | grep vd && break; sleep 1; done"
    assert "vd" in tiny.ask(seen, timeout_s=40).text
    tiny.detach(xml, live=True, timeout_s=20)
    assert not live(tiny).disks


def test_attaching_a_device_that_is_not_there_is_an_error_of_the_host(blank):
    xml = lv.DiskSpec(path="/nowhere/x.img", format="raw", target="vdz").to_xml()
    with pytest.raises(HostError):
        blank.attach(xml)
    assert not live(blank).disks


@pytest.mark.parametrize(
    ("xml", "word"),
    [
        ("<bogus/>", "bogus"),
        ("<domain/>", "domain"),
        ("<disk type='file' bogus='1'><source file='/x'/><target dev='vdb'/></disk>", "@bogus"),
        ("<disk type='file'><source file='/x'/><target dev='vdb'/><odd/></disk>", "odd"),
        ("<interface type='user'><mac address='zz'/></interface>", "zz"),
        (None, "NoneType"),
    ],
)
def test_a_device_that_the_schema_refuses_is_refused(blank, xml, word):
    before = blank.xml()
    with pytest.raises(SpecError, match=word):
        blank.attach(xml)
    assert blank.xml() == before


def test_a_mac_address_that_somebody_has_is_refused(alpha, tiny, blank):
    mac = DomainXml.parse(tiny.xml()).interfaces[0].mac
    xml = f"<interface type='user'><mac address='{mac}'/><model type='virtio'/></interface>"
    for domain in (blank, tiny):
        with pytest.raises(ConflictError, match=f"{mac}.*tiny"):
            domain.attach(xml)


def test_an_image_that_another_domain_has_is_refused_unless_it_is_shared(alpha, off, name):
    disk = lv.DiskSpec(size="1 MiB", name=f"{name}-other.img", format="raw")
    spec = lv.DomainSpec(name=f"{name}o", memory="32 MiB", interfaces=(), disks=(disk,))
    alpha.plan(spec, start=False).apply()
    path = f"{alpha.pools['shared'].info().path}/{name}-other.img"
    xml = f"<disk type='file'><source file='{path}'/><target dev='vdx' bus='virtio'/>{{}}</disk>"
    with pytest.raises(ConflictError, match=f"{name}o"):
        off.attach(xml.format(""))
    off.attach(xml.format("<shareable/>"))
    assert path in off.xml()


def test_attaching_what_is_not_xml_is_refused(blank):
    with pytest.raises(SpecError):
        blank.attach("<disk")


def test_title_and_description_live_and_stored(blank):
    blank.set_title("Web <server>")
    blank.set_description("Two\nlines")
    assert blank.info().title == "Web <server>"
    assert stored(blank).title == "Web <server>"
    assert live(blank).description == "Two\nlines"
    blank.set_title(None)
    assert stored(blank).title is None
    with pytest.raises(SpecError, match="single line"):
        blank.set_title("two\nlines")


def test_tags_are_kept_and_listed_and_filtered(blank, alpha):
    blank.set_tags(["web", "prod", "web"])
    assert blank.tags == ("web", "prod")
    assert alpha.domains.where(tags="prod").names == [blank.name]
    assert len(alpha.domains.where(tags="test")) == 0
    blank.set_tags([])
    assert blank.tags == ()


@pytest.mark.parametrize("tags", ["web", [1], [None], ["a b"], [""], ["a\x07"], ["a\nb"]])
def test_tags_that_are_none_are_refused(blank, tags):
    with pytest.raises(SpecError, match="tags"):
        blank.set_tags(tags)
    assert blank.tags == ()


@pytest.mark.parametrize("text", ["a\x07", 7, "\ud800"])
def test_labels_that_xml_cannot_carry_are_refused(blank, text):
    for call in (blank.set_title, blank.set_description):
        with pytest.raises(SpecError):
            call(text)


@pytest.mark.parametrize("count", ["2", None, True, 1.5, 0, -1])
def test_a_number_of_processors_that_is_none_is_refused(off, count):
    with pytest.raises(SpecError, match="count"):
        off.set_vcpus(count)


def test_tags_survive_a_restart(blank):
    blank.set_tags(["kept"])
    blank.destroy(confirm=True)
    blank.start()
    assert blank.tags == ("kept",)


def test_tags_of_the_spec_are_the_same_tags(alpha, spec):
    domain = alpha.plan(spec.replace(tags=("a", "b"))).apply()
    assert domain.tags == ("a", "b")


def test_the_balloon_of_a_guest_obeys(tiny, eventually):
    tiny.set_memory("100 MiB", live=True)
    eventually(lambda: tiny.info().memory < 110 * 2**20, "the balloon to fill")
    tiny.set_memory("128 MiB", live=True)
    eventually(lambda: tiny.info().memory == 128 * 2**20, "the balloon to empty")


def test_what_is_excluded_leaves_the_rest(blank):
    assert blank.scope() == (True, True)
    assert blank.scope(config=False) == (True, False)
    assert blank.scope(live=False) == (False, True)
    assert blank.scope(live=True) == (True, False)
    with pytest.raises(ConflictError, match="nothing is left"):
        blank.scope(live=False, config=False)
    with pytest.raises(ConflictError, match="nothing is left"):
        blank.set_memory.plan("32 MiB", live=False, config=False)
