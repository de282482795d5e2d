"""The manager and the details as Python objects: over a real session lab, and over small fakes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import crowd
import pytest

import labvirt as lv
from labvirt.errors import CancelledError, ConflictError, SpecError
from labvirt.model.uri import Uri
from labvirt.widgets.managing.actions import action_of
from labvirt.widgets.managing.connections import ConnectionForm, build_uri
from labvirt.widgets.managing.deed import Deed
from labvirt.widgets.managing.deleting import files_of, plan_delete
from labvirt.widgets.managing.hosts import targets_of
from labvirt.widgets.managing.news import EventTab
from labvirt.widgets.managing.xml_page import faults_of

HURT = "<script>window.hurt = 1</script>"


def wait(claim, what, timeout_s=15.0):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = claim()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(what)


@pytest.fixture(scope="module")
def lab():
    name = f"mngobj-{os.getpid()}"
    with lv.Lab.start(name, hosts=2, backend="session", ephemeral=True) as lab:
        plain = {"memory": "32 MiB", "interfaces": (), "agent": False, "rng": False}
        alpha = lab["alpha"]
        alpha.plan(lv.DomainSpec(name="web1", title=HURT, **plain), start=False).apply()
        disk = lv.DiskSpec(size="1 MiB")
        alpha.plan(lv.DomainSpec(name="db1", disks=(disk,), **plain), start=False).apply()
        yield lab
        lab.stop()


@pytest.fixture
def manager(lab):
    made = lv.ui.manager(lab)
    yield made
    made.close()
    made.close()
    assert "closed" in repr(made)


@pytest.fixture
def details(lab):
    made = lv.ui.details(lab["alpha"].domains["web1"])
    yield made
    made.close()
    made.close()


def ended(deed, outcome="done"):
    wait(lambda: deed.outcome, f"{deed.state}: {deed.words.value}")
    assert deed.outcome == outcome, deed.words.value


def do(manager, key):
    assert manager.act(action_of(key)), manager.reasons_now()[key]


def press(button):
    button.click()


# -- what can be given ------------------------------------------------------------------------------


def test_targets():
    host = crowd.Host()
    assert targets_of(host) == ((host,), ())
    assert targets_of([host, host])[0] == (host,)
    hosts, uris = targets_of(["qemu:///system", "test:///default"])
    assert hosts == ()
    assert [str(uri) for uri in uris] == ["qemu:///system", "test:///default"]
    with pytest.raises(SpecError, match="nothing to manage of 7"):
        lv.ui.manager(7)
    with pytest.raises(SpecError, match="did you mean"):
        lv.ui.manager("qemo:///system")
    with pytest.raises(SpecError, match="height"):
        lv.ui.manager(host, height=1)
    with pytest.raises(SpecError, match="give a domain"):
        lv.ui.details("web1")


@pytest.mark.parametrize(
    ("fields", "uri"),
    [
        ({"driver": "qemu", "transport": ""}, "qemu:///system"),
        ({"driver": "qemu", "transport": "", "path": "/session"}, "qemu:///session"),
        ({"driver": "test", "transport": ""}, "test:///default"),
        (
            {"driver": "qemu", "transport": "ssh", "host": "kvm7", "user": "root"},
            "qemu+ssh://root@kvm7/system",
        ),
        ({"driver": "qemu", "transport": "tls", "host": "kvm7:123"}, "qemu+tls://kvm7:123/system"),
        ({"driver": "qemu", "transport": "ssh", "host": "[::1]:22"}, "qemu+ssh://[::1]:22/system"),
        ({"driver": "xen", "transport": "tcp", "host": " dom0 "}, "xen+tcp://dom0/system"),
    ],
)
def test_the_form_builds_a_uri(fields, uri):
    assert build_uri(**fields).build() == uri


@pytest.mark.parametrize(
    ("transport", "fields", "query"),
    [
        ("ssh", {"keyfile": "/k", "netcat": "/opt/nc", "proxy": "netcat"}, "netcat=/opt/nc&keyfile=/k&proxy=netcat"),
        ("ssh", {"no_verify": True, "no_tty": True}, "no_verify=1&no_tty=1"),
        ("tls", {"pkipath": "/my pki", "no_verify": True}, "no_verify=1&pkipath=/my%20pki"),
        ("tls", {"tls_priority": "SECURE256", "name": "test:///default"}, "name=test:///default&tls_priority=SECURE256"),
        ("libssh2", {"known_hosts_verify": "auto", "sshauth": "privkey"}, "known_hosts_verify=auto&sshauth=privkey"),
        ("ext", {"command": "/opt/way"}, "command=/opt/way"),
        ("", {"socket": "/run/my-sock", "mode": "direct"}, "socket=/run/my-sock&mode=direct"),
        ("tcp", {"authfile": "/a", "keyfile": "/not/shown"}, "authfile=/a"),
    ],
)  # fmt: skip
def test_the_form_offers_the_parameters_that_a_transport_has(transport, fields, query):
    """Table 13.1."""
    form = ConnectionForm(lambda uri, readonly: None)
    form.transport.value = transport
    if transport not in ("", "ext"):
        form.host.value = "kvm7"
    for name, value in fields.items():
        form.more.fields[name].value = value
    uri = form.uri()
    assert uri.build().partition("?")[2] == query
    assert Uri.parse(uri.build()) == uri
    assert uri.redacted().split("?", maxsplit=1)[0] in form.words.value
    assert ("pretend" in form.words.value or "unknown host key" in form.words.value) == (
        "no_verify" in fields
    )


def test_a_jump_host_is_a_program_that_is_made_when_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path))
    opened = []
    form = ConnectionForm(lambda uri, readonly: opened.append(uri))
    form.transport.value, form.host.value, form.user.value = "ssh", "kvm7", "root"
    form.more.jump.value = "me@gate:2222"
    assert not any((tmp_path / "ssh").glob("*"))
    form.go()
    tool = Path(opened[0].param("command"))
    assert tool.parent == tmp_path / "ssh"
    assert "ProxyJump me@gate:2222" in tool.with_name(f"{tool.name}.config").read_text()
    assert tool.stat().st_mode & 0o777 == 0o700
    form.more.jump.value = "-oProxyCommand=x"
    assert form.connect.disabled
    assert "jump" in form.words.value


def test_the_form_says_where_on_the_way_it_fails(tmp_path):
    made = lv.ui.manager([])
    try:
        made.form.text.value = f"qemu+unix:///system?socket={tmp_path}/none"
        press(made.form.check)
        wait(lambda: "<table" in made.form.found.value, "the findings")
        assert "systemctl" in made.form.found.value
    finally:
        made.close()


def test_what_the_form_refuses():
    with pytest.raises(SpecError, match="needs a host"):
        build_uri("qemu", "ssh")
    with pytest.raises(SpecError, match="host name"):
        build_uri("qemu", "ssh", host="a b")
    with pytest.raises(SpecError, match="no such service"):
        build_uri("qemu", "ssh", host="kvm7", path="/nowhere")


def test_a_connection_that_fails_is_said_and_one_that_works_is_owned():
    made = lv.ui.manager([])
    assert made.hosts == ()
    made.form.transport.value = "ssh"
    assert made.form.connect.disabled
    assert "host" in made.form.words.value
    made.form.transport.value = ""
    made.form.driver.value = "test"
    made.form.path.value = "/nowhere-at-all"
    press(made.form.connect)
    wait(lambda: "Error" in made.form.words.value, "an error")
    made.form.path.value = ""
    made.form.readonly.value = True
    press(made.form.connect)
    wait(lambda: made.overview is not None, "a host")
    [host] = made.hosts
    assert host.readonly
    made.select("test")
    reasons = made.reasons_now()
    assert reasons["destroy"].endswith("is open read-only")
    assert reasons["charts"] == ""
    assert made.buttons["destroy"].disabled
    assert "read-only" in made.buttons["destroy"].tooltip
    wait(lambda: any("read-only" in line for line, _key in made.host_list.choice.options), "it")
    # What could not be opened stays, with the reason, to be tried again or put away.
    listing = made.host_list
    assert [key for _line, key in listing.choice.options] == ["host 0", "failed 0"]
    listing.choice.value = "failed 0"
    assert "nowhere-at-all" in listing.words.value
    press(listing.reconnect)
    wait(lambda: "Error" in made.form.words.value, "an error again")
    press(listing.drop)
    assert [key for _line, key in listing.choice.options] == ["host 0"]
    made.close()
    assert host.state == "closed"


# -- a deed -----------------------------------------------------------------------------------------


class Job:
    def __init__(self, error=None, gate=None):
        self.error, self.gate, self.cancelled = error, gate, False

    def listen(self, _fn):
        pass

    def cancel(self):
        self.cancelled = True
        self.gate.set()

    def result(self):
        if self.gate is not None:
            self.gate.wait(10)
        if self.cancelled:
            raise CancelledError("stopped")
        if self.error:
            raise self.error


def plan(job, destroys=()):
    started = []

    def start(*, confirm):
        assert confirm
        started.append(job)
        return job

    return SimpleNamespace(
        title=f"do {HURT}", host=SimpleNamespace(name="alpha"), destroys=destroys, warnings=("w",),
        virsh="virsh do", python="do()", diff="", start=start, started=started,
    )  # fmt: skip


def test_what_loses_something_waits_and_nothing_is_html():
    deed, made = Deed(), plan(Job(), (f"the disk {HURT}",))
    assert deed.propose("x", lambda: (made,))
    wait(lambda: deed.state == "asking", "a question")
    assert HURT not in deed.words.value + deed.command.value
    assert "the disk" in deed.words.value
    assert "virsh do" in deed.command.value
    assert made.started == []
    deed.stop()
    assert deed.state == "idle"
    deed.confirm()
    assert made.started == [], "what was put away is not done"
    deed.close()


def test_two_clicks_make_one_action_and_a_second_deed_waits_for_the_first():
    gate = threading.Event()
    deed, made = Deed(), plan(Job(gate=gate))
    assert deed.propose("x", lambda: (made,))
    assert not deed.propose("x", lambda: (made,))
    wait(lambda: deed.state == "running", "a job")
    deed.confirm()
    assert not deed.propose("y", lambda: (made,))
    gate.set()
    ended(deed)
    assert len(made.started) == 1
    deed.close()


def test_two_clicks_make_one_action_at_every_moment(monkeypatch):
    """Also between the end of planning and the beginning of the job, and right after the end."""
    monkeypatch.setattr("labvirt.widgets.managing.deed._TWICE_S", 60.0)
    made, accepted = plan(Job()), []

    def click():
        if len(accepted) < 5:
            accepted.append(None)
            accepted[-1] = deed.propose("x", lambda: (made,))

    deed = Deed()
    deed._changed = click
    click()
    wait(lambda: len(accepted) == 5, "a click while it plans, while it runs, at its end")
    wait(lambda: not deed._aside.is_busy and deed.state == "idle", "the last click")
    assert len(made.started) == 1
    assert (deed.state, deed.outcome) == ("idle", "done")
    deed.close()


def test_what_an_earlier_deed_left_speaks_for_no_later_one():
    gate, late, made = threading.Event(), plan(Job()), plan(Job())

    def slow():
        gate.wait(10)
        return (late,)

    deed = Deed()
    assert deed.propose("slow", slow)
    deed.stop()
    assert deed.propose("quick", lambda: (made,))
    ended(deed)
    gate.set()
    wait(lambda: not deed._aside.is_busy, "the end of the slow one")
    assert (len(made.started), late.started) == (1, [])
    # What comes after one may take its time; the next one is not kept from beginning.
    gate.clear()
    for number in range(2):
        other = plan(Job())
        other.virsh, other.start, other.started = f"do {number}", made.start, made.started
        deed.propose("next", lambda other=other: (other,), after=lambda: gate.wait(10))
        ended(deed)
    gate.set()
    assert len(made.started) == 3
    deed.close()


def test_what_is_under_way_is_cancelled():
    deed, gate = Deed(), threading.Event()
    made, left = plan(Job(gate=gate)), plan(Job())
    deed.propose("x", lambda: (made, left))
    wait(lambda: made.started, "a job")
    deed.stop()
    ended(deed, "cancelled")
    assert left.started == []
    deed.close()


def test_an_error_says_what_and_what_to_try():
    deed = Deed()
    error = ConflictError("start domain web1", libvirt_text="it is taken", hint="wait a little")
    deed.propose("x", lambda: (plan(Job(error)),))
    ended(deed, "failed")
    assert "it is taken" in deed.words.value
    assert "wait a little" in deed.words.value

    def refuse():
        raise SpecError("that cannot be planned")

    deed.propose("x", refuse)
    wait(lambda: "cannot be planned" in deed.words.value, "the error")
    deed.close()


# -- on a real lab ----------------------------------------------------------------------------------


@pytest.mark.lab
def test_a_vm_runs_pauses_and_is_forced_off(lab, manager):
    alpha = lab["alpha"]
    assert manager.reasons_now()["run"] == "no VM is selected"
    manager.select("web1")
    assert manager.reasons_now()["run"] == ""
    do(manager, "run")
    ended(manager.deed)
    wait(lambda: manager.reasons_now()["pause"] == "", "events to tell that it runs")
    assert manager.reasons_now()["run"] == "web1 is running"
    assert not manager.act(action_of("run"))
    do(manager, "pause")
    ended(manager.deed)
    wait(lambda: manager.reasons_now()["resume"] == "", "events to tell that it is paused")
    do(manager, "destroy")
    wait(lambda: manager.deed.state == "asking", "a question")
    assert alpha.domains["web1"].is_active
    press(manager.deed.apply)
    press(manager.deed.apply)
    ended(manager.deed)
    assert not alpha.domains["web1"].is_active
    assert HURT not in manager.reasons.value
    assert any("web1" in line for _at, _host, line in manager.events.lines)
    manager.tab.selected_index = 5
    wait(lambda: "force off domain web1" in manager.journal.shown.value, "the journal")


@pytest.mark.lab
def test_several_at_once_and_the_command_first(lab, manager):
    manager.preview.value = True
    manager.select("web1", "db1")
    do(manager, "run")
    wait(lambda: manager.deed.state == "asking", "a question")
    assert "start" in manager.deed.command.value
    press(manager.deed.cancel)
    assert not lab["alpha"].domains["db1"].is_active
    do(manager, "run")
    wait(lambda: manager.deed.state == "asking", "a question")
    press(manager.deed.apply)
    ended(manager.deed)
    assert all(lab["alpha"].domains[name].is_active for name in ("web1", "db1"))
    wait(lambda: manager.reasons_now()["destroy"] == "", "events")
    do(manager, "destroy")
    wait(lambda: manager.deed.state == "asking", "a question")
    assert "web1" in manager.deed.words.value
    assert "db1" in manager.deed.words.value
    press(manager.deed.apply)
    ended(manager.deed)


@pytest.mark.lab
def test_tags_are_asked_for_and_a_host_goes(lab, manager):
    manager.select("web1")
    do(manager, "tags")
    [field] = manager.ask.fields.children
    field.value = "red, green"
    press(manager.ask.next)
    ended(manager.deed)
    assert lab["alpha"].domains["web1"].tags == ("red", "green")
    assert not manager.ask.is_open
    beta = lab["beta"]
    manager.disconnect(beta)
    assert [host.name for host in manager.hosts] == ["alpha"]
    assert beta.state == "connected", "it is the lab's"


@pytest.mark.lab
def test_storage_and_networks_are_listed_and_stopped(lab, manager):
    manager.tab.selected_index = 2
    listing = manager.storage.list
    wait(lambda: listing.items, "pools")
    at = next(n for n, item in enumerate(listing.items) if item.host.name == "beta")
    listing.choice.select(listing.items[at].key)
    wait(lambda: listing.items[at].record.uuid in listing.detail.value, "details")
    name = listing.items[at].record.name
    press(listing.buttons["stop"])
    wait(lambda: manager.deed.state == "asking", "a question")
    press(manager.deed.apply)
    ended(manager.deed)
    wait(lambda: listing.buttons["stop"].disabled, "the list to be read anew")
    assert not lab["beta"].pools[name].info().is_active
    lab["beta"].pools[name].start()
    manager.tab.selected_index = 1
    wait(lambda: "No network" in manager.networks.list.choice.html(), "no networks")


@pytest.mark.lab
def test_a_domain_goes_with_the_files_that_were_chosen(lab):
    alpha = lab["alpha"]
    spec = lv.DomainSpec(
        name="gone", memory="32 MiB", disks=(lv.DiskSpec(size="1 MiB"),), interfaces=(),
        agent=False, rng=False,
    )  # fmt: skip
    domain = alpha.plan(spec, start=False).apply()
    [(path, why)] = files_of(domain)
    assert why == ""
    [(taken, _none)] = files_of(alpha.domains["db1"])
    kept = plan_delete(domain)
    assert all(path not in loss for loss in kept.destroys)
    made = plan_delete(domain, [path])
    assert any(path in loss for loss in made.destroys)
    with pytest.raises(ConflictError, match="db1"):
        plan_delete(domain, [taken])
    made.apply(confirm=True)
    assert "gone" not in alpha.domains
    assert path not in [volume.path for volume in alpha.pools["default"].volumes]


def test_faults_name_line_and_element():
    assert faults_of("<domain") != ()
    text = "<domain type='qemu'>\n  <name>a</name>\n  <memori>1</memori>\n</domain>"
    found = faults_of(text)
    if not found:
        pytest.skip("no libvirt schemas (Debian package libvirt-daemon)")
    assert any(line == 3 for line, _problem in found), found


@pytest.mark.lab
def test_without_a_front_end_there_is_a_table(lab, monkeypatch):
    monkeypatch.setenv("LABVIRT_STATIC", "1")
    made = lv.ui.manager(lab)
    shown = made._repr_mimebundle_()
    assert set(shown) == {"text/html", "text/plain"}
    assert "web1" in shown["text/html"]
    made.close()
    assert made._repr_mimebundle_() == {"text/plain": repr(made)}


def test_events_are_bounded_and_a_first_reading_is_none():
    tab = EventTab()

    def change(number, before):
        return SimpleNamespace(
            kind="domain", uuid=str(number), before=before,
            after=SimpleNamespace(name=f"vm{number}", state="running", reason=""),
        )  # fmt: skip

    old = SimpleNamespace(name="vm", state="shutoff", reason="")
    tab.hear("alpha", [change(1, None), change(2, None)], {"domain": 2})
    assert not tab.lines
    tab.hear("alpha", [change(3, None)], {"domain": 3})
    assert len(tab.lines) == 1
    for number in range(500):
        tab.hear("alpha", [change(number, old)], {"domain": 500})
    assert len(tab.lines) == 200
    tab.close()


def test_opening_and_closing_leaves_nothing():
    import gc

    from ipywidgets.widgets.widget import _instances

    host = crowd.Host(count=3)
    host.label, host.readonly = "test:///x", False
    host.news.record = lambda _kind, uuid: next((r for r in host.records if r.uuid == uuid), None)
    lv.ui.manager(host).close()
    gc.collect()
    before = len(_instances)
    for _ in range(5):
        lv.ui.manager(host).close()
    assert len(_instances) == before
    assert host.listeners == []
    wait(
        lambda: not [t for t in threading.enumerate() if t.name.startswith("labvirt-manager")],
        "threads to end",
    )


@pytest.mark.lab
@pytest.mark.parametrize(
    "view", ["create", "network_form", "pool_form", "volume_form", "details", "screen", "charts"]
)
def test_what_is_opened_and_closed_faster_than_a_host_answers_piles_nothing_up(lab, view):
    host = lab["alpha"]
    target = {"volume_form": host.pools["default"]}.get(view, host)
    if view in {"details", "screen", "charts"}:
        target = host.domains["web1"]

    def once():
        made = getattr(lv.ui, view)(target)
        assert made.widget is not None
        made.close()

    def ours():
        return [each for each in threading.enumerate() if not each.name.endswith(" call")]

    once()
    wait(lambda: not [each for each in ours() if "labvirt-form" in each.name], "the first to end")
    before, calls = len(ours()), threading.active_count() - len(ours())
    for _ in range(20):
        once()
    wait(lambda: len(ours()) <= before, f"threads to end: {ours()}")
    # Threads for calls wait for the next ones, as many as there may be links and no more.
    wait(lambda: threading.active_count() - len(ours()) <= max(calls, 17), "calls to end")
