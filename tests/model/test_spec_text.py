"""The Python text of a spec makes the same spec, and never tells a secret."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.model.spec_text import _AT_THE_DOOR, spec_text

SPECS = [
    lv.DomainSpec(name="a", memory="64 MiB"),
    lv.DomainSpec(name="b", memory="1.5 GiB", source=lv.TinyGuest(boot="disk"), tags=("x",)),
    lv.DomainSpec(
        name="c",
        title='It\'s "quoted" <&>',
        memory="64 MiB",
        current_memory="32 MiB",
        interfaces=("user", "network:default"),
        disks=(lv.DiskSpec(size="2 GiB"), lv.DiskSpec(path="/images/x.img", format="raw")),
        cpu=lv.CpuSpec(mode="custom", model="qemu64"),
        graphics=lv.GraphicsSpec(kind="vnc"),
    ),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_text_makes_the_same_spec(spec):
    assert eval(spec_text(spec), {"lv": lv}) == spec


def test_passwords_are_masked():
    spec = lv.DomainSpec(
        name="d", memory="64 MiB", graphics=lv.GraphicsSpec(kind="vnc", password="hunter2")
    )
    assert "hunter2" not in spec_text(spec)
    assert "***" in spec_text(spec)


def test_what_is_taken_from_the_front_door_is_there():
    assert set(lv.__all__) >= _AT_THE_DOOR
