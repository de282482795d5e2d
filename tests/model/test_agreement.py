"""Our reading and libvirt's agree: what libvirt writes after reading has the same facts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labvirt.model import DomainSpec, Size
from labvirt.model.xml import DomainXml

DOMAIN_FACTS = [
    "name",
    "uuid",
    "title",
    "description",
    "tags",
    "memory",
    "current_memory",
    "hugepages",
    "memory_source",
    "memory_access",
    "vcpus",
    "current_vcpus",
    "vcpu_placement",
    "os_type",
    "kernel",
    "initrd",
    "cmdline",
    "boot_order",
    "firmware",
    "pae",
    "acpi",
    "apic",
    "smm",
    "vmport",
    "kvm_hidden",
    "hyperv_relaxed",
    "hyperv_vapic",
    "hyperv_spinlocks",
    "hyperv_retries",
    "tb_cache",
    "cpu_mode",
    "cpu_match",
    "cpu_model",
    "cpu_fallback",
    "cpu_sockets",
    "cpu_cores",
    "cpu_threads",
    "clock_offset",
    "clock_timezone",
    "on_poweroff",
    "on_reboot",
    "on_crash",
]
PARTS = {
    "disks": "type device driver_name driver_type cache io discard source_file source_dev source_pool "
    "source_volume target bus readonly shareable serial boot_order",
    "interfaces": "type mac source_network source_bridge source_dev source_mode source_address "
    "source_port model filter link_state mtu boot_order",
    "serials": "type source_path source_append source_mode source_host source_service protocol "
    "log_file log_append target_port",
    "channels": "type target_type target_name",
    "graphics": "type listen_type listen_address listen_socket password keymap",
    "videos": "model",
    "watchdogs": "model action",
    "memballoons": "model",
    "rngs": "model backend backend_model",
    "timers": "name present tick_policy",
    "cpu_features": "name policy",
}
# libvirt's test driver leaves these out, or writes them in another way with the same meaning.
SAME_MEANING = {
    "link_state": {None: "up"},
    "source_append": {None: False},
    "readonly": {None: False},
    "shareable": {None: False},
    "hugepages": {None: False},
    "pae": {None: False},
    "acpi": {None: False},
    "apic": {None: False},
    "source_mode": {None: "vepa"},
    "boot_order": {(): ("hd",)},
}


def golden(data):
    return sorted((data / "specs").glob("domain-*.xml"))


def meaning(name, value):
    return SAME_MEANING.get(name, {}).get(value, value)


def facts(view, names):
    return {name: meaning(name, getattr(view, name)) for name in names}


def compare(ours, theirs):
    left, right = facts(ours, DOMAIN_FACTS), facts(theirs, DOMAIN_FACTS)
    assert {name: (left[name], right[name]) for name in left if left[name] != right[name]} == {}
    for part, words in PARTS.items():
        mine = [facts(one, words.split()) for one in getattr(ours, part)]
        other = [facts(one, words.split()) for one in getattr(theirs, part)]
        if part == "disks":  # libvirt sorts them by bus and target
            mine.sort(key=lambda one: one["target"])
            other.sort(key=lambda one: one["target"])
        assert other[: len(mine)] == mine, part


@pytest.mark.parametrize(
    "name",
    [
        "tiny-kernel",
        "tiny-disk",
        "minimal",
        "guide-2-1",
        "guide-2-3-pxe",
        "import-volume",
        "kernel",
        "network-first",
        "words",
        "every-disk",
        "every-interface",
        "boot-orders",
        "serial-file",
        "serial-log",
        "serial-tcp",
        "serial-unix",
        "bare",
        "windows",
        "amounts",
        "no-listen",
    ],
)
def test_libvirt_reads_in_each_golden_domain_what_we_read(name, data, driver):
    text = (data / "specs" / f"domain-{name}.xml").read_text()
    ours = DomainXml.parse(text)
    theirs = DomainXml.parse(driver.reads(text))
    if ours.memory % 1024:
        ours.memory = Size(ours.memory.kib * 1024)  # libvirt rounds up to whole KiB
    compare(ours, theirs)


@pytest.mark.parametrize(
    "name", ["01-minimal", "13-tabs", "14-one-line", "18-blank-lines", "12-crlf"]
)
def test_libvirt_reads_in_a_sample_what_we_read(name, data, driver):
    text = (data / "domains" / f"{name}.xml").read_bytes().decode()
    ours, theirs = DomainXml.parse(text), DomainXml.parse(driver.reads(text))
    assert (ours.name, ours.title, ours.memory) == (theirs.name, theirs.title, theirs.memory)
    assert [one.source_path for one in ours.disks] == [one.source_path for one in theirs.disks]


TEXTS = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=["Cc", "Cs", "Zl", "Zp"],
        exclude_characters="\ufffe\uffff",
    ),
    min_size=1,
    max_size=40,
).filter(str.strip)


@settings(max_examples=80, deadline=None)
@given(title=TEXTS, description=TEXTS, path=TEXTS, cmdline=TEXTS)
def test_any_words_arrive_at_libvirt_as_they_were_written(
    driver, title, description, path, cmdline
):
    spec = DomainSpec(
        name="a",
        memory="64 MiB",
        virt="qemu",
        title=title,
        description=description,
        disks=[{"path": f"/{path}"}],
        source={"kind": "kernel-boot", "kernel": f"/{path}", "cmdline": cmdline},
    )
    theirs = DomainXml.parse(driver.reads(spec.filled().to_xml()))
    assert theirs.title == title
    assert theirs.description == description
    assert theirs.disks[0].source_file == f"/{path}"
    assert (theirs.kernel, theirs.cmdline) == (f"/{path}", cmdline)


@settings(max_examples=60, deadline=None)
@given(kib=st.integers(1024, 2**40), less=st.integers(0, 1023))
def test_any_amount_of_memory_arrives_at_libvirt(driver, kib, less):
    spec = DomainSpec(
        name="a",
        memory=Size(kib * 1024 - less + 1024),
        current_memory=Size(kib * 1024),
        virt="qemu",
    )
    read = DomainXml.parse(driver.reads(spec.to_xml()))
    assert read.memory == spec.memory.kib * 1024
    assert read.current_memory == spec.current_memory


def test_every_golden_domain_goes_through_json_and_gives_the_same_xml(data):
    assert len(golden(data)) > 20
    for path in golden(data):
        domain = DomainXml.parse(path.read_text())
        again = DomainXml.parse(domain.text())
        assert again.text() == path.read_text()
