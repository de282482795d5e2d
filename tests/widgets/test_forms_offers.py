"""What forms propose and keep: free names, subnets, systems, presets of one's own, every field."""

from __future__ import annotations

import ipaddress
import json
import stat
import string

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import labvirt as lv
from labvirt.errors import HostError, SpecError
from labvirt.host.networks.hostnet import Taken
from labvirt.host.offering import HostOffer
from labvirt.model.movable import OBSTACLES, Movable, Obstacle
from labvirt.model.names import free_name
from labvirt.model.network import NetworkSpec
from labvirt.model.osinfo import USUAL, find_os
from labvirt.model.pool import PoolSpec
from labvirt.model.volume import VolumeSpec
from labvirt.runbook import run
from labvirt.widgets import creating, making
from labvirt.widgets.forms.badge import SAID, badge
from labvirt.widgets.forms.clashes import readouts, subnet_clashes
from labvirt.widgets.forms.presets import Presets
from labvirt.widgets.forms.state import FormState
from labvirt.widgets.forms.systems import fill, too_little
from labvirt.widgets.i18n import set_language

EVIL = "<img src=x onerror='window.hurt = 1'>"
SECTIONS = {
    lv.DomainSpec: creating.SECTIONS,
    NetworkSpec: making._NETWORK,
    PoolSpec: making._POOL,
    VolumeSpec: making._VOLUME,
}


@pytest.fixture
def state():
    return FormState(lv.DomainSpec)


@pytest.fixture
def settings_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path))
    return tmp_path / "settings"


# -- every field of every spec ---------------------------------------------------------------------


@pytest.mark.parametrize("spec", SECTIONS, ids=lambda spec: spec.__name__)
def test_a_form_offers_every_field_of_its_spec_once(spec):
    names = [name for _key, _title, fields in SECTIONS[spec] for name in fields]
    assert sorted(names) == sorted(spec.model_fields)


def paths(fields, prefix=""):
    """Yield the paths of all fields, one element for each list."""
    for field in fields:
        path = prefix + field.name
        if field.kind == "list":
            yield from paths(field.inner, f"{path}[0].")
            continue
        yield path, field
        yield from paths(field.inner, f"{path}.")
        for _kind, inner in field.variants:
            yield from paths(inner, f"{path}.")


ODD = st.one_of(
    st.sampled_from(["", " ", EVIL, "</textarea>", "-1", "0", "9" * 40, "1e9", "0x10", "٣", "a b"]),
    st.sampled_from(
        ["\x00", "\ud800", "\u202e", "\n", "..", "/../x", "'\"", "{0}", "%s", "*", "inf"]
    ),
    st.text(max_size=30),
    st.text(alphabet=string.printable, max_size=30),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.none(),
    st.lists(st.text(max_size=3), max_size=2),
)


@pytest.mark.parametrize("spec", SECTIONS, ids=lambda spec: spec.__name__)
def test_whatever_is_given_to_any_field_there_is_a_spec_or_errors_at_fields(spec):
    every = list(paths(FormState(spec).fields))

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.sampled_from(every), ODD), min_size=1, max_size=4))
    def try_out(given_to):
        state = FormState(spec)
        for (path, _field), value in given_to:
            try:
                state.set(path, value)
            except SpecError:
                continue
        checked = state.check()
        assert (checked.spec is None) == bool(checked.errors)
        known = {path.split("[")[0].split(".")[0] for path, _field in every}
        for path, text in checked.errors.items():
            assert not path or path.split("[")[0].split(".")[0] in known
            assert isinstance(text, str)
            assert text
        for entry in state.entries():
            assert isinstance(entry.value, str)

    try_out()


def test_pairs_lines_and_numbers_to_choose_from_come_back_as_they_were():
    pool = PoolSpec(name="r", kind="rbd", source_name="p", hosts=("a:1",), rbd_options={"k": "v"})
    network = NetworkSpec(
        name="n", ips=("10.9.8.1/24",), dnsmasq_options=("dhcp-option=3,10.9.8.1", "log-dhcp")
    )
    secret = "00000000-0000-0000-0000-000000000001"
    volume = VolumeSpec(
        name="v",
        capacity="1 GiB",
        format="raw",
        encryption={"secret_uuid": secret, "cipher": "aes", "key_bits": 256, "mode": "xts", "iv": "plain"},
    )  # fmt: skip
    for spec in (pool, network, volume):
        state = FormState(type(spec))
        assert state.load(spec) == ()
        assert state.spec() == spec
    state = FormState(PoolSpec)
    state.set("kind", "rbd")
    state.set("rbd_options", "a=1, b")
    assert "name=value" in state.check().errors["rbd_options"]


# -- names and addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "taken", "free"),
    [
        ("web1", (), "web1"),
        ("web1", {"web1"}, "web2"),
        ("web", {"web", "web1"}, "web2"),
        ("web9", {"web9", "web1"}, "web2"),
        ("a.qcow2", {"a.qcow2"}, "a1.qcow2"),
        ("7", {"7"}, "vm1"),
        ("web1.2", {"web1.2"}, "web1.1"),
    ],
)
def test_a_free_name_is_like_the_one_that_is_wanted(wanted, taken, free):
    assert free_name(wanted, taken) == free


def test_addresses_that_somebody_has_are_told_with_a_free_subnet():
    used = Taken(ipaddress.ip_network("192.168.122.0/24"), "network default", "default", "virbr0")
    offer = HostOffer(name="alpha", subnets=(used,))
    raw = {"ips[0].address": "192.168.122.77/25", "ips[1].address": "10.1.2.1/24", "name": "x"}
    found = subnet_clashes(raw, offer)
    assert list(found) == ["ips[0].address"]
    assert "overlaps 192.168.122.0/24 of network default" in found["ips[0].address"]
    assert "192.168.123.0/25 is free" in found["ips[0].address"]
    for bad in ("", EVIL, "1.2.3.4", "1.2.3.4/99", "a/b", True, "0.0.0.0/0", "::/0"):
        subnet_clashes({"ips[0].address": bad}, offer)


def test_the_address_page_reads_out_what_a_subnet_is():
    [told] = readouts({"ips[0].address": "192.168.100.1/25"})
    assert told == (
        "192.168.100.0/25: netmask 255.255.255.128, broadcast 192.168.100.127, "
        "gateway 192.168.100.1, 128 addresses, private"
    )
    assert "public" in readouts({"ips[0].address": "8.8.8.1/24"})[0]
    assert "2^64 addresses" in readouts({"ips[0].address": "fd00:1::1/64"})[0]
    assert readouts({"ips[0].address": EVIL}) == ()


# -- operating systems -------------------------------------------------------------------------------


def test_a_system_fills_in_what_nobody_gave_and_another_one_replaces_it(state):
    state.set("memory", "3 GiB")
    done = fill(state, find_os("winxp", USUAL), {})
    assert state.raw["memory"] == "3 GiB", "given by hand"
    assert state.raw["disks[0].source.size"] == "6 GiB"
    assert state.raw["disks[0].bus"] == "ide"
    assert state.raw["interfaces[0].model"] == "e1000"
    assert state.raw["clock.offset"] == "localtime"
    state.set("disks[0].source.size", "9 GiB")
    fill(state, find_os("debian12", USUAL), done)
    assert state.raw["disks[0].source.size"] == "9 GiB", "changed by hand since"
    assert "disks[0].bus" not in state.raw
    assert "clock.offset" not in state.raw
    state.set("name", "a")
    assert state.spec().disks[0].bus in {None, "virtio"}


def test_an_image_that_has_a_system_in_it_gets_no_new_disk(state):
    state.set("source", "import-image")
    fill(state, find_os("debian12", USUAL), {})
    assert "disks" not in state.counts


def test_less_than_a_system_needs_is_told(state):
    system = find_os("debian12", USUAL)
    fill(state, system, {})
    assert list(too_little(state, system)) == []
    state.set("memory", "512")
    state.set("disks[0].source.size", "1")
    told = list(too_little(state, system))
    assert told[0] == "Debian 12 needs 1 GiB at least, 512 MiB are given (Memory)"
    assert "1 GiB are given (Size)" in told[1]
    state.set("memory", EVIL)
    assert len(list(too_little(state, system))) == 1


# -- presets of one's own ----------------------------------------------------------------------------


def test_a_preset_keeps_what_was_given_but_no_secrets(state, settings_folder):
    mine = Presets("DomainSpec")
    assert mine.names() == ()
    state.load(
        lv.DomainSpec(
            name="web1",
            uuid="00000000-0000-0000-0000-000000000001",
            memory="1 GiB",
            disks=("2 GiB", "3 GiB"),
            interfaces=({"kind": "user", "mac": "52:54:00:00:00:01"},),
            graphics="vnc",
            tags=("a",),
        )
    )
    state.set("graphics.password", "geheim")
    state.set("vcpus", "many")
    assert mine.save("  my   own ", state) == ("graphics.password",)
    text = (settings_folder / "presets.json").read_text()
    assert "geheim" not in text
    assert stat.S_IMODE((settings_folder / "presets.json").stat().st_mode) == 0o600
    assert mine.names() == ("my own",)
    fresh = FormState(lv.DomainSpec)
    assert mine.load("my own", fresh) == ()
    assert fresh.counts["disks"] == 2
    assert not {"name", "uuid", "interfaces[0].mac", "graphics.password"} & set(fresh.raw)
    assert fresh.raw["vcpus"] == "many", "also what is not right yet"
    assert Presets("PoolSpec").names() == ()
    mine.delete("my own")
    assert mine.names() == ()
    for call in (lambda: mine.load("my own", fresh), lambda: mine.delete("my own")):
        with pytest.raises(SpecError, match="is none"):
            call()


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b", "\u202e"])
def test_a_preset_needs_a_name(state, settings_folder, name):
    with pytest.raises(SpecError, match="printable"):
        Presets("DomainSpec").save(name, state)
    assert not settings_folder.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"DomainSpec": 7}',
        '{"DomainSpec": {"a": 7}}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_damaged_file_costs_nobody_anything(state, settings_folder, text):
    settings_folder.mkdir()
    file = settings_folder / "presets.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    mine = Presets("DomainSpec")
    assert mine.names() == ()
    mine.save("a", state)
    assert mine.names() == ("a",)


def test_a_preset_that_another_version_wrote_is_taken_as_far_as_it_goes(state, settings_folder):
    settings_folder.mkdir()
    values = {"memory": "1 GiB", "future": "x", "vcpus": ["2"], "disks[0].source.size": "2"}
    told = {"DomainSpec": {"a": {"values": values, "counts": {"disks": 999, "name": 2, "x": "y"}}}}
    (settings_folder / "presets.json").write_text(json.dumps(told))
    assert Presets("DomainSpec").load("a", state) == ("future", "vcpus")
    assert state.raw["memory"] == "1 GiB"
    assert state.counts == {"disks": 1}


def test_a_folder_that_cannot_be_written_is_told(state, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path / "file"))
    with pytest.raises(HostError, match="save presets"):
        Presets("DomainSpec").save("a", state)


# -- where a program runs the notebook -----------------------------------------------------------------


BOOK = """
import labvirt as lv, pathlib
from types import SimpleNamespace
host = SimpleNamespace(name="alpha", label="test:///x", readonly=False, plan=None, domains=(),
                       networks=())
form = lv.ui.create(host)
form.set("name", "web1")
form.set("graphics", True)
form.set("graphics.password", "geheim")
form
"""


@pytest.mark.slow(seconds=5)
def test_our_runner_keeps_the_form_as_a_table_of_parameters(tmp_path, settings_folder):
    path = tmp_path / "form.ipynb"
    asked = nbformat.v4.new_code_cell("title: str = 'x'", metadata={"tags": ["parameters"]})
    cells = [asked, nbformat.v4.new_code_cell(BOOK)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    done = run(path)
    assert done.outcome == "ok"
    text = done.notebook.read_text()
    assert "widget-view" not in text
    [output] = [out for cell in nbformat.reads(text, 4).cells for out in cell.get("outputs", ())
                if "name: web1" in out.get("data", {}).get("text/plain", "")]  # fmt: skip
    assert "<table>" in output["data"]["text/html"]
    assert "memory: (missing)" in output["data"]["text/plain"]
    assert "graphics.password: ***" in output["data"]["text/plain"]


# -- the badge ---------------------------------------------------------------------------------------


def test_the_badge_has_the_words_of_the_rule_in_both_languages():
    assert {kind: text for kind, (_forbids, text) in OBSTACLES.items()} == SAID
    found = Movable((Obstacle("local-file", EVIL), Obstacle("network", "lan")))
    assert badge(found)["title"] == "Can migrate: no, because"
    assert badge(found)["texts"][0].startswith(EVIL)
    assert len(badge(found)["texts"]) == 1
    set_language("ru")
    try:
        told = badge(Movable((Obstacle("network", "lan"),)))
        assert told == {
            "title": "Можно перенести: да, но учтите",
            "texts": ["на другом узле нужна действующая сеть lan"],
            "is_bad": False,
        }
    finally:
        set_language(None)
