"""The table of actions: every action in every state, why not, and the plans that it makes."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from labvirt.errors import ConflictError, NotFoundError, SpecError
from labvirt.host.bulk import Fate, Together
from labvirt.status.domain import DomainState
from labvirt.widgets.managing.actions import ACTIONS, Facts, action_of, plans_of, why_not
from labvirt.widgets.managing.fates import fates_text
from labvirt.widgets.managing.marks import require_same

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
    "restore": {"shutoff"},
    "snapshot": {"running", "blocked", "paused", "shutoff"},
    "revert": {"running", "blocked", "paused", "shutoff"},
    "clone": {"shutoff"},
    "migrate": {"running", "blocked", "paused"},
    "delete": {"shutoff"},
    "tags": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed", "shutoff"},
    "console": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"},
    "screen": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"},
    "charts": {"running", "blocked", "paused", "pmsuspended", "shutdown", "crashed"},
    "details": {each.value for each in DomainState},
    "examine": {each.value for each in DomainState},
    **dict.fromkeys(("title", "describe"), {each.value for each in DomainState} - {"nostate"}),
    "rename": {"shutoff"},
    **dict.fromkeys(
        ("autostart", "no_autostart"), {each.value for each in DomainState} - {"nostate"}
    ),
    "forget": {"shutoff"},
    "delete_snapshot": {"running", "blocked", "paused", "shutoff"},
}
#: What else has to be so.
MORE = {
    "restore": {"saved": True}, "forget": {"saved": True}, "no_autostart": {"autostart": True},
}  # fmt: skip


def facts(state="running", **more):
    return Facts("alpha", "u1", "web1", state, **more)


def test_the_table_names_every_action_once_and_says_what_it_does():
    assert [each.key for each in ACTIONS] == list(ALLOWED)
    for each in ACTIONS:
        assert each.label
        assert each.tip
        assert (each.make is None) == bool(each.needs), each.key
        assert action_of(each.key) is each
    destroys = {"reset", "destroy", "delete", "revert", "forget", "delete_snapshot"}
    assert {each.key for each in ACTIONS if each.destroys} == destroys
    with pytest.raises(KeyError):
        action_of("explode")


@pytest.mark.parametrize(
    ("act", "state"),
    list(itertools.product(ACTIONS, [each.value for each in DomainState])),
    ids=lambda each: getattr(each, "key", each),
)
def test_each_action_in_each_state(act, state):
    why = why_not(act, [facts(state, **MORE.get(act.key, {}))], others=1)
    assert (why == "") == (state in ALLOWED[act.key]), why
    assert not why or "web1" in why


@pytest.mark.parametrize("act", ACTIONS, ids=lambda each: each.key)
def test_why_not_whatever_the_state(act):
    more = MORE.get(act.key, {})
    good = facts(min(act.states), **more)
    assert why_not(act, []) == "no VM is selected"
    assert why_not(act, [good], others=1) == ""
    lost = Facts("alpha", "u1", "web1", good.state, link="lost", **more)
    assert why_not(act, [lost], others=1) == "the link to alpha is lost"
    looked = Facts("alpha", "u1", "web1", good.state, readonly=True, **more)
    expected = "" if act.reads else "alpha is open read-only"
    assert why_not(act, [looked], others=1) == expected
    several = why_not(act, [good, good], others=1)
    assert several == ("" if act.many else "it is for one VM, and 2 are selected")
    # One that cannot keeps the whole selection from it.
    assert act.key in {"details", "examine"} or why_not(act, [good, facts("nostate")], others=1)
    if more:
        assert "web1" in why_not(act, [facts(min(act.states))], others=1)


def test_what_is_needed_besides():
    assert "no other host" in why_not(action_of("migrate"), [facts()], others=0)
    gone = frozenset({"console"})
    assert "no view" in why_not(action_of("console"), [facts()], missing=gone)
    for key in ("save", "snapshot", "autostart"):
        assert "transient" in why_not(action_of(key), [facts(persistent=False)])


class Verb:
    def __init__(self, domain, name):
        self.domain, self.name = domain, name

    def plan(self, *args, **options):
        if self.domain.name == "bad":
            raise ConflictError(f"{self.name} domain bad")
        return (self.domain.name, self.name, args, options)


class Host:
    def __init__(self, name):
        self.name = name


ALPHA = Host("alpha")


class Domain:
    def __init__(self, name, host=None):
        self.name, self.host = name, host or ALPHA

    def __getattr__(self, name):
        return Verb(self, name)


VERBS = {
    "run": "start", "pause": "suspend", "resume": "resume", "shutdown": "shutdown",
    "reboot": "reboot", "reset": "reset", "destroy": "destroy", "save": "managed_save",
    "restore": "start", "forget": "managed_save_remove",
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
    assert plans_of(action_of("no_autostart"), one) == (("web1", "set_autostart", (False,), {}),)
    assert plans_of(action_of("title"), one, {"title": " a "})[0][2] == ("a",)
    assert plans_of(action_of("describe"), one, {"description": ""})[0][2] == (None,)
    assert plans_of(action_of("rename"), one, {"name": " w2 "})[0][2] == ("w2",)
    for key in ("revert", "delete_snapshot"):
        with pytest.raises(SpecError, match="no snapshot is chosen"):
            plans_of(action_of(key), one, {"snapshot": None})
    assert plans_of(action_of("tags"), one, {"tags": "a, b  a"})[0][2] == (("a", "b"),)
    for wrong in ("charts", "console"):
        with pytest.raises(SpecError, match="nothing to plan"):
            plans_of(action_of(wrong), one)
    with pytest.raises(SpecError, match="nothing to plan"):
        plans_of(action_of("run"), [])


def test_many_are_one_plan_for_each_host_and_one_that_cannot_is_told_by_it(monkeypatch):
    def keep(host, text, plans, *, workers):
        return (host.name, text, tuple(plans), workers)

    monkeypatch.setattr("labvirt.widgets.managing.act_plans.together", keep)
    beta = Host("beta")
    both = [Domain("web1"), Domain("bad"), Domain("web2", beta), Domain("web3", beta)]
    first, second = plans_of(action_of("snapshot"), both, {"name": "s1"})
    assert first[:2] == ("alpha", "snapshot 2 domains")
    assert [name for name, _plan in first[2]] == ["web1", "bad"]
    assert isinstance(first[2][1][1], ConflictError)
    assert second == (
        "beta",
        "snapshot 2 domains",
        tuple((name, (name, "snapshot", ("s1",), {})) for name in ("web2", "web3")),
        action_of("snapshot").at_once,
    )
    assert plans_of(action_of("migrate"), both, {"destination": beta})[0][3] == 2
    with pytest.raises(ConflictError, match="bad"):
        plans_of(action_of("snapshot"), [Domain("bad"), Domain("bad")], {"name": "s1"})


def test_files_go_with_the_domain_that_they_are_of(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "labvirt.widgets.managing.deleting.plan_delete",
        lambda domain, files: asked.append((domain.name, files)),
    )
    domains = [Domain("web1"), Domain("web2")]
    for domain in domains:
        domain.uuid = f"u-{domain.name}"
    files = {"/a": "u-web1", "/b": "u-web2", "/c": "u-web1"}
    for domain in domains:
        plans_of(action_of("delete"), [domain], {"files": files})
    assert asked == [("web1", ("/a", "/c")), ("web2", ("/b",))]


def test_the_list_of_fates_names_what_failed_and_what_is_to_come():
    error = ConflictError("start domain <b>", libvirt_text="no", hint="wait")
    action = Together("start", (("web1", 1), ("<b>", 2), ("web3", 3)), 2)
    plan = SimpleNamespace(actions=(action,))
    assert fates_text([SimpleNamespace(actions=())]) == ""
    assert "0 done, 0 failed, 3 to come" in fates_text([plan])
    action.fates.append(Fate("web1", 0.1))
    action.fates.append(Fate("<b>", 0.1, error=error))
    text = fates_text([plan])
    assert "1 done, 1 failed, 1 to come" in text
    assert "<b>" not in text
    assert "wait" in text
    assert text.index("✖") < text.index("✔") < text.index("… web3")


def test_a_plan_that_is_stale_is_refused():
    require_same({"a": "x"}, {"a": "x"})
    require_same({"a": "x"}, {})  # a host that cannot be asked: the plan says why itself
    with pytest.raises(NotFoundError, match=r"a.*removed it meanwhile"):
        require_same({"a": "x"}, {"a": ""})
    with pytest.raises(ConflictError, match=r"b.*changed it since"):
        require_same({"a": "x", "b": "y"}, {"a": "x", "b": "z"})
