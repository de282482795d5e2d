"""What is written down about a lab is read back whole, or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.lab.display import as_html, as_text
from labvirt.lab.records import (
    HostRecord,
    HostStatus,
    LabRecord,
    LabStatus,
    Limit,
    Outcome,
    write_json,
)

TEXT = st.text(max_size=12)
HOSTS = st.builds(HostRecord, name=TEXT, uuid=TEXT, number=st.integers(1, 8))
RECORDS = st.builds(
    LabRecord,
    backends=st.lists(st.sampled_from(["system", "session"])).map(tuple),
    hosts=st.lists(HOSTS, max_size=3).map(tuple),
    keep=st.lists(TEXT, max_size=3).map(tuple),
)
OUTCOMES = st.builds(
    Outcome,
    limits=st.lists(st.builds(Limit), max_size=3).map(tuple),
    uris=st.dictionaries(TEXT, TEXT, max_size=3),
    seconds=st.dictionaries(TEXT, st.floats(0, 100), max_size=3),
)


def record(**changes):
    values = {
        "id": "1",
        "name": "demo",
        "backends": ("session",),
        "hosts": (HostRecord("alpha", "u", 1), HostRecord("beta", "v", 2)),
        "ephemeral": False,
        "starter": 1,
        "folder": "/f",
        "spare_folder": "/s",
        "sockets": "/r",
        "capabilities": "/c",
        "keep": ("/f",),
        "uid": 1,
        "gid": 1,
        "user": "u",
        "wire_port": 15000,
        "created": "2026-11-23T00:00:00+00:00",
    }
    return LabRecord(**{**values, **changes})


def outcome(**changes):
    values = {
        "backend": "session",
        "rootless": False,
        "data": "/f",
        "uris": {"alpha": "qemu+unix:///session?socket=/r/A"},
        "kvm": False,
        "limits": (Limit("a <b>", "no & why", "try it"),),
    }
    return Outcome(**{**values, **changes})


@given(RECORDS)
def test_a_record_is_read_as_it_was_written(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("r") / "lab.json"
    found.write(path)
    assert LabRecord.read(path) == found


@given(OUTCOMES)
def test_an_outcome_is_read_as_it_was_written(found):
    assert Outcome.from_json(json.loads(json.dumps(asdict(found)))) == found


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"hosts": 7}', '{"hosts": [], "more": 1}'])
def test_a_damaged_record_is_refused(tmp_path, text):
    path = tmp_path / "lab.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        LabRecord.read(path)


@pytest.mark.parametrize("found", [{}, {"limits": [{"who": 1}]}, {"limits": [], "more": 1}])
def test_a_damaged_outcome_is_refused(found):
    with pytest.raises(ValueError, match="no outcome"):
        Outcome.from_json(found)


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_status_can_be_given_as_json():
    host = HostStatus("alpha", "running", 7, "uri", ("web1",), 0)
    status = LabStatus("demo", "running", "session", False, (host,), False, 1, "", Path("/f"))
    found = json.loads(json.dumps(status.to_dict()))
    assert found["hosts"][0]["domains"] == ["web1"]
    assert found["folder"] == "/f"


def test_a_limit_reads_as_a_sentence():
    assert str(Limit("a", "b")) == "a: b"
    assert str(Limit("a", "b", "c")) == "a: b (try: c)"


def test_a_lab_is_shown_without_asking_anybody():
    assert as_text("demo", record(), outcome()) == "<Lab demo: alpha, beta (session)>"
    assert "rootless" in as_text("demo", record(), outcome(backend="system", rootless=True))
    assert "never came up" in as_text("demo", record(), None)
    assert "never came up" in as_html("<x>", None, None)


def test_what_is_shown_as_html_is_escaped():
    html = as_html("demo", record(), outcome())
    assert "a &lt;b&gt;" in html
    assert "no &amp; why" in html
    assert "<b>demo</b>" in html
    assert "socket=/r/A" in html
