"""The doctor's view without a browser: the tree, looks that are broken off, mending, still forms."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.doctor import Report
from labvirt.errors import SpecError
from labvirt.host import Host
from labvirt.status.finding import Finding
from labvirt.widgets.doctoring import rounds
from labvirt.widgets.doctoring.examining import Doctor
from labvirt.widgets.doctoring.rounds import Target
from labvirt.widgets.doctoring.tree import grouped, sent, summary_of, thing_of

HURT = "<script>hurt()</script>"
FINDINGS = (
    Finding("socket", "Is the socket there?", "ok"),
    Finding("connection.answers", "Does the daemon answer?", "ok", "after 2 ms"),
    Finding("host.ports:5900", "Are ports open?", "warning", HURT, "for everybody", "close it"),
    Finding("network.active:default", "Is it active?", "fail", "inactive", "stopped", "net-start"),
    Finding("storage.space:pool", "Has it room?", "n/a"),
    Finding("domain.state:web1", "Does it run?", "ok"),
    Finding("disk.there:web1/vda:base", "Is it there?", "unknown", "no shell"),
    Finding("interface.link:web1/52:54:00:00:00:01:x", "Is it up?", "ok"),
)


def report(**more):
    return Report("alpha", FINDINGS, **more)


def fake_host(**more):
    """A host that only has a name; the examination is another test's."""
    made = Host.__new__(Host)
    facts = {"name": "alpha", "readonly": False, "listen": lambda _fn: lambda: None, **more}
    kind = type(
        "FakeHost", (Host,), {key: value for key, value in facts.items() if key != "listen"}
    )
    made.__class__ = kind
    made.__dict__["listen"] = facts["listen"]
    return made


def test_findings_stand_by_subject_and_thing_with_the_worst_first():
    groups = grouped(FINDINGS)
    found = {group.key: [thing.name for thing in group.things] for group in groups}
    assert found == {
        "way": [""], "connection": [""], "host": [""], "network": ["default"], "storage": ["pool"],
        "domain": ["web1"],
    }  # fmt: skip
    web1 = groups[-1].things[0]
    assert [one.verdict for one in web1.findings] == ["unknown", "ok", "ok"]
    assert thing_of(FINDINGS[-1]) == "web1"
    assert groups[-1].verdict == "unknown"
    assert "fails: 1" in summary_of(FINDINGS)
    assert json.loads(json.dumps(sent("alpha", FINDINGS)))["verdict"] == "fail"


def test_a_report_has_a_form_that_needs_no_kernel_and_runs_no_script():
    view = lv.ui.doctor(report())
    made = view.bundle()
    assert "<script" not in made["text/html"]
    assert "&lt;script&gt;" in made["text/html"]
    assert "Is it active?" in made["text/plain"]
    assert "Does it run?" in made["text/html"]
    assert view.html().startswith("<!DOCTYPE html>")
    assert json.loads(view.json())["counts"]["fail"] == 1
    assert not view.again(), "a report cannot be looked at again"
    view.close()
    view.close()


def test_what_cannot_be_looked_at_is_refused():
    for target in (7, [], object()):
        with pytest.raises(SpecError):
            lv.ui.doctor(target)
    with pytest.raises(SpecError):
        lv.ui.doctor(report(), checks=("nosuch.*",))
    with pytest.raises(SpecError):
        lv.ui.exercise("no-address")


def test_broken_off_keeps_what_was_found(monkeypatch):
    gate = threading.Event()

    def examine(_what, *, progress, **_options):
        progress(1, 9, FINDINGS[0])
        seen.set()
        gate.wait(20)
        progress(2, 9, FINDINGS[1])
        raise AssertionError("it went on")

    seen = threading.Event()
    monkeypatch.setattr(rounds.doctor, "examine", examine)
    view = Doctor((Target(fake_host()),))
    try:
        assert seen.wait(10)
        assert view.is_running
        assert not view.again(), "one at a time"
        view.cancel()
        (found,) = view.wait(10)
        assert [one.id for one in found] == ["socket"]
        assert "Broken off after 1 answer" in view.course.said
    finally:
        gate.set()
        view.close()


def test_an_error_is_shown_and_the_next_look_counts_what_is_gone(monkeypatch):
    ends = iter([RuntimeError("boom"), report(), Report("alpha", FINDINGS[:3])])

    def examine(_what, **_options):
        end = next(ends)
        if isinstance(end, Exception):
            raise end
        return end

    monkeypatch.setattr(rounds.doctor, "examine", examine)
    view = Doctor((Target(fake_host()),))
    try:
        assert view.wait(10) == ()
        assert "boom" in view._tree()["sources"][0]["error"]
        assert "boom" in view.bundle()["text/plain"]
        view.look()
        view.look()
        assert "2 faults are gone" in view.course.said
        change = SimpleNamespace(
            kind="network", uuid="u", before=None, after=SimpleNamespace(name="n")
        )
        view.course._heard((change, change))
        assert "Network n" in view.course.stale()
    finally:
        view.close()


def test_mending_shows_the_plan_first_and_not_on_a_readonly_host(monkeypatch):
    asked = []

    def fix():
        asked.append("planned")
        raise SpecError("no plan today")

    ill = Finding("network.active:default", "Is it active?", "fail", fix=fix)
    monkeypatch.setattr(
        rounds.doctor, "examine", lambda *_a, **_o: Report("alpha", (ill, FINDINGS[0]))
    )
    view = Doctor((Target(fake_host()),))
    try:
        view.wait(10)
        assert not view.fix("nosuch")
        assert not view.fix("socket"), "nothing mends it"
        assert not view.fix(ill.id, 7)
        assert view.fix(ill.id)
        for _ in range(200):
            if view.deed.outcome:
                break
            threading.Event().wait(0.05)
        assert (asked, view.deed.outcome) == (["planned"], "failed")
        assert "no plan today" in view.deed.words.value
    finally:
        view.close()
    view = Doctor((Target(fake_host(readonly=True)),))
    try:
        view.wait(10)
        assert "read-only" in view.why_no_fix()
        assert not view.fix(ill.id)
    finally:
        view.close()


def test_nothing_more_is_begun_when_it_is_broken_off(monkeypatch):
    from labvirt.doctor import examining
    from labvirt.doctor.checks import Check, ok

    begun = []

    def look(_case):
        begun.append(1)
        threading.Event().wait(0.02)
        return ok()

    many = tuple(Check(f"host.c{n}", "host", "Is it?", look) for n in range(200))
    monkeypatch.setattr(examining, "all_checks", lambda: many)

    def stop(_done, _most, _one):
        raise SpecError("enough")

    with pytest.raises(SpecError, match="enough"):
        examining.examine_host(fake_host(), progress=stop)
    count = len(begun)
    threading.Event().wait(0.3)
    assert len(begun) <= count + 6
    assert count < 60


def test_a_page_that_comes_has_it_looked_at_whoever_opened_it(monkeypatch):
    monkeypatch.setattr(rounds.doctor, "examine", lambda *_a, **_o: report())
    monkeypatch.setenv("LABVIRT_STATIC", "1")
    view = Doctor((Target(fake_host()),))
    try:
        assert not view.is_running
        assert not view.reports
        view._receive({"t": "hello"})
        assert len(view.wait(10)) == 1
        view._receive({"t": "hello"})
        assert not view.is_running, "a second page shows what was found"
    finally:
        view.close()
