"""Every action of the manager on real guests, by its buttons: two hosts, real libvirtd and QEMU."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.widgets.managing.actions import action_of

pytestmark = pytest.mark.lab
PLAIN = {"memory": "32 MiB", "interfaces": (), "agent": False, "rng": False}


def wait(claim, what, timeout_s=20.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = claim()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(what() if callable(what) else what)


@pytest.fixture(scope="module")
def lab():
    name = f"mngreal-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend="session", ephemeral=True) as lab:
        yield lab
        lab.stop()


@pytest.fixture
def alpha(lab):
    return lab["alpha"]


@pytest.fixture
def made(lab):
    """Make domains, that are gone afterwards."""
    names = []

    def make(name, **fields):
        names.append(name)
        return (
            lab["alpha"].plan(lv.DomainSpec(name=name, **{**PLAIN, **fields}), start=False).apply()
        )

    yield make
    for host in lab.hosts:
        for name in host.domains.names:
            if name.split("-")[0] in names:
                domain = host.domains[name]
                if domain.is_active:
                    domain.destroy(confirm=True)
                if domain.info().persistent:
                    domain.undefine(managed_save=True, snapshots_metadata=True, confirm=True)


@pytest.fixture
def manager(lab):
    made = lv.ui.manager(lab)
    yield made
    made.close()


def do(manager, key, *, confirm=False, outcome="done", **fields):
    """Press a button, fill in what is asked, confirm what is lost, and wait for the end."""
    deed = manager.deed
    wait(
        lambda: manager.reasons_now()[key] == "",
        lambda: f"{key}: {manager.reasons_now()[key]}; {deed.state} {deed.words.value}",
    )
    manager.buttons[key].click()
    if action_of(key).fields:
        assert manager.ask.is_open
        for name, value in fields.items():
            fill(manager.ask, name, value)
        wait(lambda: not manager.ask.next.disabled, "the form to be ready")
        manager.ask.next.click()
    if confirm:
        wait(lambda: deed.state == "asking", lambda: f"{deed.state}: {deed.words.value}")
        assert "lost" in deed.words.value
        deed.apply.click()
    wait(lambda: deed.outcome, lambda: f"{deed.state}: {deed.words.value}", 150)
    assert deed.outcome == outcome, deed.words.value
    assert "Show me the command" in deed.command.value or outcome == "failed"


def fill(ask, label, value):
    def every(widget):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from every(child)

    [field] = [each for each in every(ask.fields) if getattr(each, "description", None) == label]
    if hasattr(field, "options"):
        wait(lambda: field.options, "the options")
        value = next(each for text, each in field.options if text.startswith(value))
    field.value = value


def state(domain):
    return domain.info().state.value


def test_snapshots_are_made_reverted_and_deleted(made, manager):
    domain = made("snap", disks=(lv.DiskSpec(size="1 MiB"),))
    manager.select("snap")
    do(manager, "snapshot", **{"Snapshot name": "cold"})
    wait(lambda: manager.chosen and domain.snapshots.names == ["cold"], "the snapshot")
    do(manager, "run")
    do(manager, "snapshot", **{"Snapshot name": "hot"})
    assert state(domain) == "running"
    do(manager, "pause")
    do(manager, "revert", confirm=True, Snapshot="hot")
    wait(lambda: state(domain) == "running", "the memory of the snapshot runs on")
    assert "virsh" in manager.deed.command.value
    do(manager, "revert", confirm=True, Snapshot="cold")
    wait(lambda: state(domain) == "shutoff", "it was off then")
    assert [each.name for each in manager.hosts[0].domains.filter("has:snapshots")] == ["snap"]
    for name in ("hot", "cold"):
        do(manager, "delete_snapshot", confirm=True, Snapshot=name)
    assert domain.snapshots.names == []
    assert len(manager.hosts[0].domains.filter("has:snapshots")) == 0


def test_reset_save_restore_and_discard(made, manager):
    domain = made("safe")
    manager.select("safe")
    assert "no saved memory" in manager.reasons_now()["restore"]
    do(manager, "run")
    number = domain.info().id
    do(manager, "reset", confirm=True)
    assert (state(domain), domain.info().id) == ("running", number)
    do(manager, "save")
    assert domain.info().has_managed_save
    do(manager, "restore")
    wait(lambda: state(domain) == "running", "it runs on")
    assert not domain.info().has_managed_save
    do(manager, "save")
    do(manager, "forget", confirm=True)
    assert (state(domain), domain.info().has_managed_save) == ("shutoff", False)


def test_a_clone_a_name_a_title_and_autostart(alpha, made, manager):
    domain = made("orig", disks=(lv.DiskSpec(size="1 MiB"),))
    manager.select("orig")
    do(manager, "clone")
    clone = alpha.domains["orig-clone"]
    assert clone.uuid != domain.uuid
    assert clone.xml().count("<disk ") == 1
    do(manager, "title", Title="<b>bold</b>")
    do(manager, "describe", Description="two\nlines {name}")
    assert (domain.info().title, domain.info().description) == ("<b>bold</b>", "two\nlines {name}")
    do(manager, "autostart")
    assert domain.info().autostart
    do(manager, "no_autostart")
    assert not domain.info().autostart
    do(manager, "rename", **{"New name": "orig-b"})
    assert "orig-b" in alpha.domains
    # What a field holds may look like a format.
    manager.select("orig-b")
    manager.buttons["describe"].click()
    assert manager.ask.fields.children[0].value == "two\nlines {name}"
    manager.ask.cancel.click()


@pytest.mark.slow(seconds=9)
def test_vms_move_to_the_other_host_and_back_together(lab, made, manager):
    names = ["mig1", "mig2"]
    for name in names:
        made(name)
    manager.select("mig1")
    do(manager, "run")
    do(manager, "migrate", Destination="beta")
    beta = lab["beta"]
    wait(lambda: beta.domains["mig1"].is_active, "it runs on beta")
    assert manager.chosen[0].host == "beta"
    do(manager, "migrate", Destination="alpha")
    manager.select("mig2")
    do(manager, "run")
    manager.select(*names)
    do(manager, "migrate", Destination="beta")
    assert all(beta.domains[name].is_active for name in names)
    assert "2 done, 0 failed" in manager.deed.fates.value


def test_many_at_once_and_one_that_fails_is_named(alpha, made, manager):
    names = [f"many{number}" for number in range(4)]
    for name in names:
        made(name, **({"disks": (lv.DiskSpec(size="1 MiB"),)} if name == "many2" else {}))
    [disk] = re.findall(r"<source file='([^']+)'", alpha.domains["many2"].xml())
    Path(disk).unlink()
    manager.select(*names)
    do(manager, "run", outcome="failed")
    assert [state(alpha.domains[name]) for name in names] == [
        "running", "running", "shutoff", "running",
    ]  # fmt: skip
    assert "3 done, 1 failed, 0 to come" in manager.deed.fates.value
    assert "✖ many2: " in manager.deed.fates.value
    assert "many2" in manager.deed.words.value
    assert "start many0" in manager.deed.command.value
    # What cannot even be planned for one is asked about, then done to the others.
    manager.select("many0", "many1")
    alpha.domains["many0"].set_tags(["a"])
    manager.deed.propose(
        "x",
        lambda: lv.widgets.managing.actions.plans_of(
            action_of("run"), [alpha.domains[n] for n in ("many2", "many3")]
        ),
    )
    wait(lambda: manager.deed.outcome, "an end")
    assert manager.deed.outcome == "failed"
    manager.select("many0", "many1", "many3")
    do(manager, "destroy", confirm=True)
    assert not any(alpha.domains[name].is_active for name in names)


def test_two_managers_of_one_host_and_a_plan_that_is_stale(lab, alpha, made, manager):
    domain = made("both")
    with_it = lv.ui.manager(alpha)
    try:
        for each in (manager, with_it):
            each.preview.value = True
            each.select("both")
        manager.buttons["run"].click()
        with_it.buttons["run"].click()
        for each in (manager, with_it):
            wait(lambda each=each: each.deed.state == "asking", "a question")
        manager.deed.apply.click()
        wait(lambda: manager.deed.outcome == "done", "it runs")
        with_it.deed.apply.click()
        wait(lambda: with_it.deed.outcome, "an answer")
        assert with_it.deed.outcome == "failed"
        assert "somebody else has changed it" in with_it.deed.words.value
        wait(lambda: with_it.reasons_now()["pause"] == "", "the other one sees it run")
        # Removed by another tool, while a question stands and while its form is open.
        domain.destroy(confirm=True)
        for each in (manager, with_it):
            wait(lambda each=each: each.reasons_now()["run"] == "", "it is off")
        manager.buttons["run"].click()
        wait(lambda: manager.deed.state == "asking", "a question")
        with_it.buttons["tags"].click()
        domain.undefine(confirm=True)
        manager.deed.apply.click()
        wait(lambda: manager.deed.outcome == "failed", "an answer")
        assert "removed it meanwhile" in manager.deed.words.value
        with_it.ask.next.click()
        wait(lambda: with_it.deed.outcome == "failed", "an answer")
        assert "both" in with_it.deed.words.value
        wait(lambda: manager.reasons_now()["run"] == "no VM is selected", "it is gone")
    finally:
        with_it.close()


def test_a_host_that_is_lost_in_the_middle_of_apply(lab, alpha, made, manager):
    made("lost1", disks=(lv.DiskSpec(size="1 MiB"),))
    manager.select("lost1")
    do(manager, "run")
    wait(lambda: manager.reasons_now()["shutdown"] == "", "it runs")
    # There is no system in it that would obey, so that this waits.
    manager.buttons["shutdown"].click()
    wait(lambda: manager.deed.state == "running", "the job")
    lab.daemon("alpha", "stop")
    try:
        wait(lambda: alpha.state != "connected", "the link to be lost")
        wait(lambda: manager.deed.outcome == "failed", lambda: manager.deed.words.value, 40)
        assert "lost1" in manager.deed.words.value
        assert "may have been done or not" in manager.deed.words.value
        wait(lambda: "the link to alpha" in manager.reasons_now()["destroy"], "why not")
        wait(
            lambda: any(
                "lost" in line or "reconnecting" in line
                for line, _key in manager.host_list.choice.options
            ),
            "the list says so",
        )
        manager.host_list.choice.value = "host 0"
        assert not manager.host_list.reconnect.disabled
    finally:
        lab.daemon("alpha", "start")
    manager.host_list.reconnect.click()
    wait(lambda: alpha.state == "connected", "the link is back", 40)
    wait(lambda: manager.reasons_now()["destroy"] == "", "the guest ran on", 40)
    do(manager, "destroy", confirm=True)


def test_a_host_is_opened_by_the_form_and_read_only(lab, made):
    made("seen")
    shown = lv.ui.manager([])
    try:
        form = shown.form
        form.text.value = "qemu+unix:///session?sockets=/x"
        assert form.connect.disabled or "sockets" in form.words.value
        form.text.value = lab.uris["alpha"]
        assert form.host.disabled
        assert form.transport.disabled
        form.readonly.value = True
        form.connect.click()
        wait(lambda: shown.hosts, lambda: form.words.value)
        shown.select("seen")
        reasons = shown.reasons_now()
        off = {key for key, why in reasons.items() if "read-only" in why}
        assert {"run", "delete", "tags", "snapshot", "title", "clone"} <= off
        assert reasons["details"] == ""
        shown.buttons["run"].click()
        assert shown.deed.state == "idle"
    finally:
        shown.close()


@pytest.mark.slow(seconds=12)
def test_the_system_back_end():
    name = f"mngsys-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend="system", ephemeral=True) as lab:
        alpha = lab["alpha"]
        shown = None
        try:
            disks = (lv.DiskSpec(size="1 MiB"),)
            spec = lv.DomainSpec(name="sys1", memory="128 MiB", source=lv.TinyGuest(), disks=disks)
            alpha.plan(spec).apply()
            alpha.plan(lv.DomainSpec(name="sys2", **PLAIN), start=False).apply()
            shown = lv.ui.manager(lab)
            shown.select("sys2")
            do(shown, "run")
            do(shown, "migrate", Destination="beta")
            shown.select("sys1")
            do(shown, "pause")
            do(shown, "resume")
            do(shown, "snapshot", **{"Snapshot name": "s"})
            do(shown, "destroy", confirm=True)
            do(shown, "revert", confirm=True, Snapshot="s")
            wait(lambda: state(alpha.domains["sys1"]) == "running", "it runs on")
            do(shown, "delete_snapshot", confirm=True, Snapshot="s")
            do(shown, "destroy", confirm=True)
            shown.select("sys1", "sys2")
        finally:
            if shown is not None:
                shown.close()
            lab.stop()
