# ruff: noqa: RUF001 - it is Russian
"""Texts of headless rooms in the language of the views."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from labvirt.errors import ConflictError, LabvirtError
from labvirt.model.domain import DomainSpec
from labvirt.status import DomainState
from labvirt.status.domain import _REASONS
from labvirt.widgets.i18n import set_language
from labvirt.widgets.spoken import PATTERNS, STATES, spoken
from labvirt.widgets.spoken_plans import PLANS


@pytest.fixture
def russian():
    set_language("ru")
    yield
    set_language(None)


def test_english_is_left_alone():
    set_language("en")
    assert spoken("start domain web1") == "start domain web1"
    set_language(None)


def test_titles_losses_and_warnings(russian):
    assert spoken("start domain web1") == "запустить ВМ web1"
    assert spoken("force off domain web1") == "выключить принудительно ВМ web1"
    assert spoken("migrate to beta the domain web1") == "перенести на beta ВМ web1"
    told = spoken("what web1 has in memory and not yet written to its disks")
    assert told.startswith("то, что web1")
    assert spoken("create volume a.qcow2 (1 GiB, qcow2) in pool shared").endswith("в пуле shared")


def test_every_pattern_finds_its_own_text(russian):
    for template in (*PATTERNS, *PLANS):
        names = {
            name: f"x{at}" for at, (_t, name, *_r) in enumerate(Formatter().parse(template)) if name
        }
        text = template.format(**names)
        assert spoken(text) != text, template
        assert all(value in spoken(text) for value in names.values()), template


def test_what_plans_of_the_real_rooms_say(russian):
    told = spoken("web1: 2 failed, 3 done: it is in use: db1")
    assert told == "web1: не удалось 2, сделано 3: используется: db1"
    spec = DomainSpec(name="web1", memory="8 MiB", disks=())
    assert spec.warnings
    assert [each for each in map(spoken, spec.warnings) if not re.search("[а-я]", each)] == []
    assert spoken("cannot change domain web1:").startswith("не удаётся")
    # What only ends like one of ours stays.
    assert spoken("whatever it is") == "whatever it is"


def test_every_state_and_reason_has_a_russian_word(russian):
    words = {state.text for state in DomainState}
    words |= {reason for reasons in _REASONS.values() for reason in reasons}
    assert words - {"api error"} <= set(STATES)
    assert [each for each in STATES if spoken(each) == each] == []


def test_an_error_keeps_names_and_libvirt_s_own_words(russian):
    error = ConflictError(
        "start domain web1", uri="qemu:///system", code=55, libvirt_text="domain is already running"
    )
    told = spoken(str(error))
    assert told.startswith("запустить ВМ web1 на qemu:///system — не удалось")
    assert "domain is already running" in told
    hinted = spoken(str(LabvirtError("make soup", hint="buy a pot")))
    assert hinted == "make soup\n  Попробуйте: buy a pot"


def test_hostile_names_stay_as_they_are(russian):
    name = "<b>{name}</b> %s \\1 of domain x"
    assert name in spoken(f"start domain {name}")
    assert spoken("") == ""
    assert spoken("{0.__class__}") == "{0.__class__}"
