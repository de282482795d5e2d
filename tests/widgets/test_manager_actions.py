"""The table of actions: every action in every state, why not, and the plans that it makes."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from labvirt.errors import SpecError
from labvirt.status.domain import DomainState
from labvirt.widgets.managing.actions import ACTIONS, Facts, action_of, plans_of, why_not
from labvirt.widgets.managing.listed import NETWORK, POOL, VOLUME, list_why_not

#: Which states allow what, as virt-manager and libvirt have it; an action that is not here is new.
ALLOWED = {
    "run": {"shutoff"},
    "pause": {"running", "blocked"},
    "resume": {"paused"},
    "shutdown": {"running", "blocked"},
    "reboot": {"running", "blocked"},
    "reset": {"running", "blocked", "paused", "crashed"},
    "destroy": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"},
    "save": {"running", "blocked", "paused"},
    "snapshot": {"running", "blocked", "paused", "shutoff"},
    "clone": {"shutoff"},
    "migrate": {"running", "blocked", "paused"},
    "delete": {"shutoff"},
    "tags": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed", "shutoff"},
    "console": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"},
    "screen": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"},
    "charts": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"},
}


def facts(state="running", **more):
    return Facts("alpha", "u1", "web1", state, **more)


def test_the_table_names_every_action_once_and_says_what_it_does():
    assert [each.key for each in ACTIONS] == list(ALLOWED)
    for each in ACTIONS:
        assert each.label
        assert each.tip
        assert (each.make is None) == bool(each.needs), each.key
        assert action_of(each.key) is each
    assert {each.key for each in ACTIONS if each.destroys} == {"reset", "destroy", "delete"}
    with pytest.raises(KeyError):
        action_of("explode")


@pytest.mark.parametrize(
    ("act", "state"),
    list(itertools.product(ACTIONS, [each.value for each in DomainState])),
    ids=lambda each: getattr(each, "key", each),
)
def test_each_action_in_each_state(act, state):
    why = why_not(act, [facts(state)], others=1)
    assert (why == "") == (state in ALLOWED[act.key]), why
    assert not why or "web1" in why


@pytest.mark.parametrize("act", ACTIONS, ids=lambda each: each.key)
def test_why_not_whatever_the_state(act):
    good = facts(min(act.states))
    assert why_not(act, []) == "no VM is selected"
    assert why_not(act, [good], others=1) == ""
    lost = Facts("alpha", "u1", "web1", good.state, link="lost")
    assert why_not(act, [lost], others=1) == "the link to alpha is lost"
    looked = Facts("alpha", "u1", "web1", good.state, readonly=True)
    expected = "" if act.reads else "alpha is open read-only"
    assert why_not(act, [looked], others=1) == expected
    several = why_not(act, [good, good], others=1)
    assert several == ("" if act.many else "it is for one VM, and 2 are selected")
    # One that cannot keeps the whole selection from it.
    assert why_not(act, [good, facts("nostate")], others=1)


def test_what_is_needed_besides():
    assert "no other host" in why_not(action_of("migrate"), [facts()], others=0)
    gone = frozenset({"console"})
    assert "no view" in why_not(action_of("console"), [facts()], missing=gone)
    for key in ("save", "snapshot"):
        assert "transient" in why_not(action_of(key), [facts(persistent=False)])


class Verb:
    def __init__(self, domain, name):
        self.domain, self.name = domain, name

    def plan(self, *args, **options):
        return (self.domain.name, self.name, args, options)


class Domain:
    def __init__(self, name):
        self.name, self.host = name, "alpha"

    def __getattr__(self, name):
        return Verb(self, name)


VERBS = {
    "run": "start", "pause": "suspend", "resume": "resume", "shutdown": "shutdown",
    "reboot": "reboot", "reset": "reset", "destroy": "destroy", "save": "managed_save",
}  # fmt: skip


@pytest.mark.parametrize("key", VERBS)
def test_an_action_plans_the_verb_of_its_domain(key):
    assert plans_of(action_of(key), [Domain("web1")]) == (("web1", VERBS[key], (), {}),)


def test_actions_with_options():
    one = [Domain("web1")]
    assert plans_of(action_of("clone"), one, {"name": "w2", "linked": True}) == (
        ("web1", "clone", ("w2",), {"linked": True}),
    )
    other = SimpleNamespace(name="beta")
    assert plans_of(action_of("migrate"), one, {"destination": other, "live": False}) == (
        ("web1", "migrate", (other,), {"live": False}),
    )
    with pytest.raises(SpecError, match="no destination"):
        plans_of(action_of("migrate"), one, {"destination": None})
    both = [Domain("web1"), Domain("web2")]
    assert [each[0] for each in plans_of(action_of("snapshot"), both, {"name": "s1"})] == [
        "web1",
        "web2",
    ]
    assert plans_of(action_of("tags"), one, {"tags": "a, b  a"})[0][2] == (("a", "b"),)
    for wrong in ("charts", "console"):
        with pytest.raises(SpecError, match="nothing to plan"):
            plans_of(action_of(wrong), one)
    with pytest.raises(SpecError, match="nothing to plan"):
        plans_of(action_of("run"), [])


LIST_ALLOWED = {
    "start": lambda r: not r.is_active,
    "stop": lambda r: r.is_active,
    "autostart": lambda r: not r.autostart and r.persistent,
    "no_autostart": lambda r: r.autostart and r.persistent,
    "delete": lambda r: not r.is_active,
    "delete_volume": lambda _r: True,
}


@pytest.mark.parametrize("table", [NETWORK, POOL, VOLUME], ids=["network", "pool", "volume"])
@pytest.mark.parametrize("bits", list(itertools.product([False, True], repeat=3)))
def test_what_can_be_done_to_networks_and_storage(table, bits):
    active, autostart, persistent = bits
    record = SimpleNamespace(
        name="lan", is_active=active, autostart=autostart, persistent=persistent
    )
    for act in table:
        why = list_why_not(act, record, host="alpha", readonly=False, link="connected")
        assert (why == "") == LIST_ALLOWED[act.key](record), (act.key, why)
        assert list_why_not(act, None, host="", readonly=False, link="connected")
        for state in ({"readonly": True, "link": "connected"}, {"readonly": False, "link": "lost"}):
            assert "alpha" in list_why_not(act, record, host="alpha", **state)
