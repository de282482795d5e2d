"""Names are checked as the guide says, as libvirt does, and as is safe."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.model.names import check_name, suggest_name

GOOD = {
    "guide": ["system1", "A", "x" * 128],
    "safe": ["system1", "web-1", "web_1.example+x", "1", "x" * 128],
    "libvirt": ["system1", "a b", "ä'ö\"<&>", "-x", ".x", "x" * 251, "кот"],
}
BAD = {
    "guide": ["", "web-1", "a b", "a.b", "a_b", "ä", "x" * 129],
    "safe": [
        "",
        "-x",
        ".x",
        "a b",
        "a/b",
        "a<b",
        'a"b',
        "a'b",
        "a\nb",
        "ä",
        "x" * 129,
        "x" * 300,
        "a\0",
    ],
    "libvirt": [
        "",
        " ",
        ".",
        "..",
        "a/b",
        "a\nb",
        "a\0b",
        "\x7f",
        "x" * 252,
        "ä" * 126,
        "x" * 300,
        "\ud800",
    ],
}


@pytest.mark.parametrize(("mode", "name"), [(mode, name) for mode in GOOD for name in GOOD[mode]])
def test_good_names_are_returned_unchanged(mode, name):
    assert check_name(name, mode=mode) == name


@pytest.mark.parametrize(("mode", "name"), [(mode, name) for mode in BAD for name in BAD[mode]])
def test_bad_names_are_refused_with_reason_and_hint(mode, name):
    with pytest.raises(SpecError) as caught:
        check_name(name, what="network", mode=mode)
    problem = caught.value.problems[0]
    assert problem.field == "name"
    assert problem.why
    assert problem.hint.startswith("e.g. ")
    assert "network" in caught.value.what
    assert len(str(caught.value)) < 400


@given(st.text(max_size=300), st.sampled_from(["safe", "guide", "libvirt"]))
def test_a_suggested_name_is_good_or_there_is_none(text, mode):
    better = suggest_name(text, mode=mode)
    if better:
        assert check_name(better, mode=mode) == better


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_libvirt_takes_every_name_that_its_mode_allows(driver, text):
    from labvirt.model.units import Size
    from labvirt.model.xml import DomainXml

    try:
        name = check_name(text, mode="libvirt")
    except SpecError:
        return
    domain = DomainXml.new(type="test", memory=Size.parse("1 MiB"), os_type="hvm")
    domain.name = name
    assert driver.refuses("domain", domain.text()) == ""
