"""A definition is changed by facts, boot order or XML, and never over somebody else's change."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.errors import ConflictError, SpecError

pytestmark = pytest.mark.lab

PLAIN = {"memory": "32 MiB", "interfaces": (), "agent": False, "rng": False}


@pytest.fixture
def guest(alpha, name):
    spec = lv.DomainSpec(
        name=name,
        max_vcpus=4,
        graphics={"kind": "vnc", "password": "geheim"},
        disks=(lv.DiskSpec(size="1 MiB"), lv.DiskSpec(size="1 MiB")),
        **PLAIN,
    )
    return alpha.plan(spec, start=False).apply()


def test_facts_are_changed_under_their_names_and_nothing_else(guest):
    before = guest.xml(inactive=True, secure=True)
    plan = guest.change.plan(memory="64 MiB", vcpus=2, cpu_cores=2, clock_offset="localtime")
    assert "cores='2'" in plan.diff
    assert "sockets='1'" in plan.diff
    assert "geheim" not in str(plan)
    assert guest.xml(inactive=True, secure=True) == before
    plan.apply()
    spec, values = guest.editing("memory")
    assert values["memory"] == values["current_memory"] == 64 << 20
    assert spec(**values).hugepages is False
    assert guest.editing("processors")[1]["cpu_cores"] == 2
    assert "passwd='geheim'" in guest.xml(inactive=True, secure=True)
    guest.change(vcpus=4, cpu_sockets=None, cpu_cores=None, cpu_threads=None)
    assert "<topology" not in guest.xml(inactive=True)
    guest.change(cpu_mode="maximum")
    assert "qemu64" not in guest.xml(inactive=True)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({}, "none is named"),
        ({"nix": 1}, "no such fact"),
        ({"memory": "16 MiB", "current_memory": "32 MiB"}, "more than at most"),
        ({"current_vcpus": 9}, "more than at most"),
        ({"vcpus": 3, "cpu_cores": 2}, "are 2, and there are 3"),
        ({"memory": None}, "is missing"),
        ({"memory": "a lot"}, "size"),
        ({"on_crash": "explode"}, "not allowed"),
        ({"cmdline": "a\x00b"}, "XML cannot carry"),
        ({"vcpus": -1}, "vcpu"),
    ],
)
def test_bad_facts_change_nothing(alpha, guest, facts, why):
    before = guest.xml(inactive=True)
    with pytest.raises(SpecError, match=why):
        guest.change(**facts)
    assert guest.xml(inactive=True) == before


def test_the_boot_order_is_of_devices(guest):
    assert [place for _name, _what, place in guest.boot_devices()] == [None, None]
    guest.set_boot_order(["vdb", "vda"])
    assert [name for name, _what, _place in guest.boot_devices()] == ["vdb", "vda"]
    guest.set_boot_order(["vda"])
    assert [place for _name, _what, place in guest.boot_devices()] == [1, None]
    guest.set_boot_order([])
    assert "<boot dev='hd'/>" in guest.xml(inactive=True)
    with pytest.raises(SpecError, match="twice") as error:
        guest.set_boot_order(["vda", "vda", "serial0"])
    assert "serial0" in str(error.value)


def test_xml_is_stored_unless_somebody_was_first(guest):
    was = guest.xml(inactive=True)
    assert "geheim" not in was
    asked = was.replace(f"<name>{guest.name}</name>", f"<name>{guest.name}</name>\n  <genid/>")
    stored = guest.redefine(asked, was=was)
    assert "<genid>" in stored.stored
    assert "-  <genid/>" in stored.diff
    assert "passwd='geheim'" in guest.xml(inactive=True, secure=True), "it was not shown"
    with pytest.raises(ConflictError, match="changed by somebody else"):
        guest.redefine(was, was=was)
    again = guest.xml(inactive=True)
    assert guest.redefine(again, was=again).diff == ""


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<name>", "<name>x", "rename"),
        ("<uuid>", "<uuid>0", "uuid"),
        ("<memory ", "<memorie ", "XML|tag"),
        ("<on_crash>destroy", "<on_crash>explode", "on_crash"),
    ],
)
def test_xml_of_another_domain_or_of_none_is_refused(guest, old, new, why):
    was = guest.xml(inactive=True)
    with pytest.raises(SpecError, match=why):
        guest.redefine(was.replace(old, new, 1))
    assert guest.xml(inactive=True) == was


def test_a_disk_that_is_plugged_in_again_has_a_free_name(guest):
    first = guest.attach(lv.DiskSpec(size="1 MiB"))
    path = first.record.source
    guest.detach(first)
    second = guest.attach(lv.DiskSpec(size="1 MiB"))
    assert second.name == first.name
    assert second.record.source != path


def test_snapshots_tell_their_sizes(guest):
    inside = guest.snapshot("inside")
    assert guest.snapshots.sizes() == {"inside": 0}
    inside.delete(confirm=True)
    outside = guest.snapshot("outside", disks="external", memory="none")
    assert guest.snapshots.sizes()["outside"] > 0
    outside.delete(metadata_only=True)
