"""A form that makes something, as a Python object: one job for two clicks, cancel, loss, refusal."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from html.parser import HTMLParser

import pytest

import labvirt as lv
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    ConnectionLostError,
    LabvirtError,
    Problem,
    SpecError,
)
from labvirt.host.offering import HostOffer
from labvirt.model.units import Size
from labvirt.plan import Journal, Plan
from labvirt.plan.action import Call
from labvirt.widgets.creating import PRESETS, Create, create
from labvirt.widgets.forms.capacity import advice
from labvirt.widgets.i18n import set_language

EVIL = "<script>window.hurt = 1</script>"
OFFER = HostOffer(
    name="alpha",
    networks=("default",),
    pools=("images",),
    memory=Size(8 * 2**30),
    free_memory=Size(4 * 2**30),
    given_memory=Size(2 * 2**30),
    cpus=2,
    given_vcpus=1,
    max_vcpus=16,
)


class Host:
    """A host that does what it is told to: fail, wait, or count."""

    name, label, readonly = "alpha", "test:///form", False
    uri = label
    domains = networks = ()

    def __init__(self, folder):
        self.journal = Journal(folder)
        self.made, self.failure, self.refusal = [], None, None
        self.go, self.began = threading.Event(), threading.Event()
        self.go.set()

    def plan(self, spec, **options):
        if self.refusal:
            raise self.refusal

        def run(_host, control):
            control.report("step by step", step=1, steps=2, fraction=0.5)
            self.began.set()
            while not self.go.wait(0.01):
                control.check()
            if self.failure:
                raise self.failure
            self.made.append((spec, options))

        return Plan(
            title=f"create domain {spec.name}",
            host=self,
            actions=(Call(f"define domain {spec.name}", run, line=f"define {spec.name}"),),
            result=lambda: spec,
            python="lv.DomainSpec()",
            journal=self.journal,
        )


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture
def form(host):
    form = create(host)
    form.set("name", "web1")
    form.set("memory", "512")
    yield form
    form.close()


def shown(form):
    """What a page would get; it must be plain data."""
    return json.loads(json.dumps(form.model()))


def test_two_clicks_make_one_and_a_change_allows_another(form, host):
    host.go.clear()
    assert [form.start(), form.start(), form.start()] == [True, False, False]
    assert host.began.wait(10)
    assert shown(form)["job"]["stage"] == "step by step"
    assert shown(form)["blocked"] == "It is being made."
    host.go.set()
    assert form.wait(10).name == "web1"
    assert not form.start()
    assert len(host.made) == 1
    assert host.made[0] == (lv.DomainSpec(name="web1", memory="512 MiB"), {"start": True})
    form.set("name", "web2")
    form.set("@start", False)
    assert form.start()
    form.wait(10)
    assert host.made[1][1] == {"start": False}


def test_fifty_threads_that_click_make_one(form, host):
    began = []
    clicks = [threading.Thread(target=lambda: began.append(form.start())) for _ in range(50)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    form.wait(10)
    assert began.count(True) == 1
    assert len(host.made) == 1


def test_cancel_ends_the_job_and_says_so(form, host):
    host.go.clear()
    form.start()
    assert host.began.wait(10)
    form.cancel()
    with pytest.raises(LabvirtError):
        form.wait(10)
    assert form.phase == "cancelled"
    assert host.made == []
    assert shown(form)["blocked"] == ""


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            ConnectionLostError("define web1", hint="host.connection.wait_link()"),
            "host.connection.wait_link()",
        ),
        (ConflictError("define web1", libvirt_text="web1 exists"), "web1 exists"),
        (RuntimeError(EVIL), EVIL),
    ],
)
def test_what_goes_wrong_while_it_is_made_is_told_with_what_to_try(form, host, failure, said):
    host.failure = failure
    form.start()
    with pytest.raises(LabvirtError):
        form.wait(10)
    assert form.phase == "failed"
    assert said in shown(form)["job"]["said"]
    host.failure = None
    assert form.start()
    form.wait(10)


def test_what_the_host_refuses_stands_at_its_field_and_can_be_tried_again(form, host):
    form.set("vcpus", "99")
    host.refusal = SpecError("x", (Problem("vcpus", "99", "alpha allows 16 at most"),))
    form.start()
    form.worker.idle(10)
    assert form.phase == "failed"
    assert shown(form)["sections"][2]["wrong"] == 1
    assert shown(form)["focus"][1] == "vcpus"
    host.refusal = None
    assert form.start(), "the host may have changed its mind"
    form.wait(10)


def test_nothing_is_made_of_a_form_with_errors_and_the_first_is_gone_to(host):
    form = create(host)
    form.set("vcpus", "many")
    assert not form.start()
    model = shown(form)
    assert model["focus"] == [1, "name"]
    assert "Missing: Name, Memory" in model["status"]
    assert "1 field is wrong" in model["status"]
    assert host.made == []
    form.close()


def test_a_read_only_host_makes_nothing_and_says_why(form, host):
    host.readonly = True
    host.refusal = AccessDeniedError("create domain web1")
    assert not form.start()
    assert "read-only" in shown(form)["blocked"]


def test_presets_fill_and_keep_the_name(form):
    for name in PRESETS:
        form.preset(name)
        assert form.state.raw.get("name") in {"web1", "rhel3support"}
        form.set("name", "web1")
        assert set(form.errors) <= {"source.path"}, name
    with pytest.raises(SpecError, match="no preset"):
        form.preset(EVIL)


def test_a_line_or_xml_is_taken_over_with_a_list_of_what_is_not(form):
    left = form.take_over(
        "virt-install -n a -r 756 --disk path=/x/y.img --sdl --mac 52:54:00:1:2:3"
    )
    assert left == ("--sdl",)
    assert form.spec().disks[0].source.path == "/x/y.img"
    assert form.spec().interfaces[0].mac is None, "a new machine gets its own"
    spec = lv.DomainSpec(
        name="b",
        memory="1 GiB",
        virt="qemu",
        interfaces=("user",),
        graphics={"kind": "vnc", "password": "geheim"},
    )
    left = form.take_over(spec.filled().to_xml())
    assert left == ("graphics password",)
    taken = form.spec()
    assert (taken.name, taken.memory, taken.uuid) == ("b", spec.memory, None)
    assert "geheim" not in json.dumps(shown(form))
    for bad in ("", "rm -rf /", "<domain", "<network/>", "virt-install 'x", EVIL, "\x00"):
        before = form.spec()
        with pytest.raises(SpecError):
            form.take_over(bad)
        assert form.spec() == before


def test_a_line_names_its_system_which_fills_nothing_in(form):
    form.take_over("virt-install -n a -r 256 --cdrom /a.iso --os-variant debian12 --disk size=2")
    assert form.system.name == "Debian 12"
    assert str(form.spec().memory) == "256 MiB"
    assert "needs 1 GiB at least" in str(shown_notes(form))
    form.take_over("virt-install -n a -r 256 --osinfo detect=on,require=off")
    assert form.system is None


def shown_notes(form):
    return [text for _tone, text in shown(form)["notes"]]


def test_a_plan_that_is_late_does_not_stand_in_the_way_of_what_was_made(form, host):
    assert form.start()
    form.wait(10)
    before = dict(form._preview)
    host.refusal = ConflictError("create web1", libvirt_text="web1 exists")
    form._show_plan()
    assert form._preview == before


def test_what_is_lost_must_be_agreed_to(form, host):
    made = host.plan

    def plan(spec, **options):
        found = made(spec, **options)

        losing = dataclasses.replace(found.actions[0], loses=(f"the disk of {EVIL}",))
        return dataclasses.replace(found, actions=(losing,))

    form._plan_of = plan
    form._show_plan()
    box = next(each for each in shown(form)["options"] if each["path"] == "@confirm")
    assert EVIL in box["help"]
    assert form.start()
    with pytest.raises(LabvirtError, match=r"confirm|lost|destroy"):
        form.wait(10)
    assert host.made == []
    form._show_plan()
    form.set("@confirm", True)
    assert form.start()
    form.wait(10)
    assert len(host.made) == 1


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"t": "set"},
        {"t": "set", "path": "nobody", "value": "x"},
        {"t": "set", "path": ["name"], "value": {"a": 1}},
        {"t": "set", "path": "@nobody", "value": True},
        {"t": "set", "path": "@start", "value": "yes"},
        {"t": "add", "path": "name"},
        {"t": "remove", "path": "disks[9]"},
        {"t": "press", "name": "preset", "value": EVIL},
        {"t": "press", "name": "import", "value": EVIL},
        {"t": "press", "name": "__init__"},
        {"t": "hello", "view": {"x": 1}, "n": "many"},
        {"t": "set", "path": "name", "value": "x" * 10**6, "n": 10**30},
    ],
)
def test_messages_that_no_page_sends_change_nothing_and_never_raise(form, host, message):
    before = dict(form.state.raw)
    form._receive(message)
    assert form.state.raw == before
    assert host.made == []


def test_a_host_that_does_not_say_what_it_offers_leaves_a_form_that_works(form):
    form.choices.load()
    assert form.choices.state == "failed"
    assert shown(form)["loading_error"]
    assert form.start()
    form.wait(10)


def test_the_hosts_offer_becomes_choices_and_advice(form):
    form.choices.offer, form.choices.state = OFFER, "ready"
    form.set("interfaces[0].kind", "network")
    network = next(each for each in shown(form)["sections"] if each["key"] == "network")
    fields = network["nodes"][0]["elements"][0]["nodes"]
    assert next(each for each in fields if each["label"] == "Source")["offered"] == ["default"]
    form.set("memory", "16 GiB")
    form.set("vcpus", "4")
    told = " ".join(text for _tone, text in shown(form)["notes"])
    assert "overcommit" in told
    assert "14 GiB of swap" in told


@pytest.mark.parametrize(
    ("memory", "vcpus", "words"),
    [
        (2**30, 1, ()),
        (5 * 2**30, 1, ("are free",)),
        (7 * 2**30, 1, ("overcommit",)),
        (2**30, 3, ("never do that",)),
        (2**30, 12, ("never do that", "share each CPU")),
        (0, 0, ()),
    ],
)
def test_advice_of_chapter_17_4(memory, vcpus, words):
    said = advice(OFFER, memory, vcpus)
    assert len(said) == len(words)
    assert all(word in text for word, text in zip(words, said, strict=True))


def test_a_form_speaks_the_language_that_is_set_when_it_is_shown(form):
    set_language("ru")
    try:
        model = shown(form)
        assert model["verb"]["label"] == "Создать ВМ"  # noqa: RUF001
        form.set("name", "")
        form.start()
        name = shown(form)["sections"][0]["nodes"][0]
        assert name["error"] == "не указано (это поле обязательно)"
    finally:
        set_language(None)


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)


def test_where_a_program_runs_the_notebook_a_form_is_a_table_of_parameters(form, monkeypatch):
    form.set("title", EVIL)
    form.set("graphics", True)
    form.set("graphics.password", "geheim")
    monkeypatch.setenv("LABVIRT_STATIC", "1")
    bundle = form._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    parser = Seen()
    parser.feed(bundle["text/html"])
    assert parser.tags <= {"div", "h4", "table", "thead", "tbody", "tr", "th", "td"}
    assert "512 MiB" in bundle["text/plain"]
    assert form.spec().graphics.password.get_secret_value() == "geheim"
    assert "geheim" not in json.dumps(shown(form))
    assert "geheim" not in str(bundle)
    assert form._view is None, "nobody would look at a widget"


def test_closing_twice_is_harmless_and_ends_the_thread(host):
    before = threading.active_count()
    for _ in range(30):
        form = create(host)
        form.set("name", "a")
        form.worker.later("x", lambda: None)
        form.close()
        form.close()
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before
    assert form._repr_mimebundle_() == {"text/plain": repr(form)}
    with pytest.raises(LabvirtError, match="closed"):
        form.widget  # noqa: B018


@pytest.mark.parametrize("thing", [None, "alpha", 7, object()])
def test_what_is_no_host_is_refused(thing):
    for make in (create, lv.ui.network_form, lv.ui.pool_form, lv.ui.volume_form):
        with pytest.raises(SpecError):
            make(thing)


def test_a_wait_has_a_limit(form, host):
    host.go.clear()
    form.start()
    with pytest.raises(LabvirtError, match=r"running|planning"):
        form.wait(0.2)
    host.go.set()
    form.wait(10)
    assert isinstance(form, Create)
