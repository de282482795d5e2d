"""The form maker without a browser: fields of a spec, what was given, errors by field."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.errors import SpecError
from labvirt.model.network import NetworkSpec
from labvirt.model.pool import PoolSpec
from labvirt.model.volume import VolumeSpec
from labvirt.widgets.forms.fields import fields_of
from labvirt.widgets.forms.state import FormState

EVIL = "<script>window.hurt = 1</script>"


@pytest.fixture
def state():
    return FormState(lv.DomainSpec)


def given(state, **values):
    for path, value in values.items():
        state.set(path.replace("__", "."), value)
    return state


def test_fields_are_those_of_the_spec_with_limits_choices_and_units():
    fields = {field.name: field for field in fields_of(lv.DomainSpec)}
    assert list(fields) == list(lv.DomainSpec.model_fields)
    assert fields["name"].required
    assert fields["name"].help == lv.DomainSpec.model_fields["name"].description
    assert (fields["memory"].kind, fields["memory"].unit) == ("size", "MiB")
    assert (fields["vcpus"].kind, fields["vcpus"].low, fields["vcpus"].high) == ("number", 1, 4096)
    assert fields["firmware"].choices == ("bios", "efi")
    assert fields["firmware"].default == "bios"
    assert fields["memory"].examples == ("256 MiB", "4 GiB")
    kinds = dict(fields["source"].variants)
    assert [each.name for each in kinds["kernel-boot"]] == ["kernel", "initrd", "cmdline"]
    assert fields["disks"].kind == "list"
    assert fields["graphics"].optional
    password = next(each for each in fields["graphics"].inner if each.name == "password")
    assert password.kind == "secret"


@pytest.mark.parametrize("spec", [lv.DomainSpec, NetworkSpec, PoolSpec, VolumeSpec])
def test_every_field_of_every_spec_has_a_label_and_help(spec):
    waiting = list(fields_of(spec))
    while waiting:
        field = waiting.pop()
        assert field.label
        assert field.help or field.kind == "group" or field.name in {"kind", "path"}, field
        waiting += [*field.inner, *(each for _, inner in field.variants for each in inner)]


def test_text_in_a_spec_out(state):
    given(state, name=" web1 ", memory="512", vcpus="2", tags="web, team:storage")
    given(state, source="tiny-guest", source__boot="disk", graphics=True)
    state.set("disks[0].source", "new-volume")
    state.set("disks[0].source.size", "1.5")
    assert state.spec() == lv.DomainSpec(
        name="web1",
        memory="512 MiB",
        vcpus=2,
        tags=("web", "team:storage"),
        source=lv.TinyGuest(boot="disk"),
        graphics=lv.GraphicsSpec(),
        disks=(lv.DiskSpec(size="1.5 GiB"),),
    )


SPECS = [
    lv.DomainSpec(name="a", memory="1 GiB"),
    lv.DomainSpec(
        name="b",
        memory="256 MiB",
        source=lv.IsoInstall(path="/isos/a.iso"),
        disks=("20 GiB", lv.DiskSpec(path="/images/x.raw", format="raw", cache="none")),
        interfaces=("user", "network:default", "bridge:br0"),
        cpu=lv.CpuSpec(model="Nehalem", topology={"cores": 2}, features=("vmx",)),
        graphics="spice",
        serial=None,
        firmware="efi",
        secure_boot=True,
        vcpus=2,
        features={"smm": True, "acpi": True},
        tags=("x", "y"),
        boot=("hd", "network"),
        watchdog="pause",
        description="two\nlines",
    ),
    lv.DomainSpec(name="c", memory="256 MiB", interfaces=(), disks=("1 GiB",)),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_spec_comes_back_as_it_was(state, spec):
    assert state.load(spec) == ()
    assert state.spec() == spec


def test_a_password_is_not_taken_over_and_never_shown(state):
    spec = lv.DomainSpec(name="a", memory="1 GiB", graphics={"kind": "vnc", "password": "geheim"})
    assert state.load(spec) == ("graphics.password",)
    state.set("graphics.password", "geheim")
    shown = {entry.path: entry.value for entry in state.entries()}
    assert shown["graphics.password"] == "***"


def test_the_checklist_says_given_default_and_missing(state):
    state.set("vcpus", "2")
    entries = {entry.path: entry for entry in state.entries()}
    assert entries["vcpus"].state == "given"
    assert entries["name"].state == "missing"
    assert entries["firmware"].state == "default"
    assert entries["firmware"].value == "bios"
    state.set("memory", "512")
    assert {e.path: e.value for e in state.entries()}["memory"] == "512 MiB"


def test_dependent_fields_come_and_go_and_keep_what_was_given(state):
    given(state, name="a", memory="512")
    assert not state.is_shown("secure_boot")
    state.set("firmware", "efi")
    state.set("secure_boot", True)
    assert state.spec().secure_boot
    state.set("firmware", "bios")
    assert not state.spec().secure_boot
    state.set("firmware", "efi")
    assert state.spec().secure_boot
    state.set("interfaces[0].kind", "bridge")
    assert state.is_shown("interfaces[0].source")
    assert not state.is_shown("interfaces[0].port")


def test_elements_of_a_list_are_added_and_removed(state):
    given(state, name="a", memory="512")
    assert state.add("disks") == "disks[0]"
    assert state.add("disks") == "disks[1]"
    state.set("disks[0].source.size", "1")
    state.set("disks[1].source.size", "2")
    state.remove("disks[0]")
    assert [str(disk.source.size) for disk in state.spec().disks] == ["2 GiB"]
    state.remove("interfaces[0]")
    assert state.spec().interfaces == ()
    with pytest.raises(SpecError, match="no such element"):
        state.remove("disks[7]")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("name", EVIL, "contains .<."),
        ("name", "", "is missing"),
        ("name", "x" * 300, "128"),
        ("title", "two\nlines", "single line"),
        ("memory", "much", "begin with a number"),
        ("memory", "", "is missing"),
        ("memory", "-5", "negative"),
        ("memory", "9" * 30, "larger"),
        ("memory", "0", "at least"),
        ("vcpus", "two", "whole number"),
        ("vcpus", "1.5", "whole number"),
        ("vcpus", "9" * 5000, "whole number"),
        ("vcpus", "0", "at least 1"),
        ("vcpus", "99999", "at most 4096"),
        ("vcpus", "٣٣", "at most|vcpus|whole"),
        ("firmware", "coreboot", "allowed"),
        ("uuid", "1234", "32 hex"),
        ("tags", "ok, <b>", "no tag"),
        ("machine", "a b", "form"),
        ("source.path", "relative.iso", "absolute"),
        ("disks[0].source.size", "x", "begin with a number"),
        ("interfaces[0].mac", "zz", "six bytes"),
        ("interfaces[0].kind", "pigeon", "allowed"),
        ("graphics.port", "70000", "65535"),
        ("cpu.topology.cores", "3", "."),
    ],
)
def test_bad_input_is_told_at_its_field_and_nowhere_else(state, path, value, said):
    import re

    given(state, name="web1", memory="512")
    if path.startswith("source"):
        state.set("source", "iso-install")
    if path.startswith("disks"):
        state.add("disks")
    if path.startswith("graphics"):
        state.set("graphics", True)
    if path.startswith("cpu.topology"):
        state.set("cpu.topology", True)
    state.set(path, value)
    if value == "٣٣":
        assert state.check().spec.vcpus == 33
        return
    checked = state.check()
    assert checked.spec is None
    assert list(checked.errors) in ([path], ["vcpus"], ["cpu.topology"]), checked.errors
    assert re.search(said, next(iter(checked.errors.values())))
    with pytest.raises(SpecError):
        state.spec()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("nobody", "x"),
        ("name", None),
        ("name", ["web1"]),
        ("name", {"a": 1}),
        ("name", True),
        ("hugepages", "yes"),
        ("name", "x" * 200_000),
        ("disks", "x"),
        ("disks[999]", "x"),
        ("disks[0].nobody", "x"),
        ("name[0]", "x"),
        ("", "x"),
        ("." * 5000, "x"),
    ],
)
def test_what_no_form_can_give_is_refused(state, path, value):
    with pytest.raises(SpecError):
        state.set(path, value)
    assert state.raw == {}


def test_every_error_of_many_is_there_in_the_order_of_the_fields(state):
    state.set("vcpus", "x")
    state.set("memory", "0")
    checked = state.check()
    assert list(checked.errors) == ["name", "memory", "vcpus"]
    assert checked.first == "name"
