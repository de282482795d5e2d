"""The filter language: what each text means, what is wrong with it, and where."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.model.units import Size
from labvirt.status.domain import DomainRecord, DomainState
from labvirt.status.filtering import FIELDS, WHY, facts_of_record, parse, read

WEB = DomainRecord(
    uuid="0f3a7c52-0000-4000-8000-00000000abcd", name="web1", id=7, state=DomainState.RUNNING,
    reason="booted", persistent=True, autostart=True, has_managed_save=False, os_type="hvm",
    max_memory=Size.parse("2 GiB"), memory=Size.parse("2 GiB"), vcpus=2, cpu_time_ns=0,
    title="Front, “blue”", tags=("web", "prod-1"), read_at=dt.datetime.now(dt.UTC),
    description="serves two words\nand more", os="debian 12", macs=("52:54:00:aa:bb:cc",),
    has_snapshots=True,
)  # fmt: skip
OFF = replace(
    WEB, uuid="ffff", name="db.old", id=None, state=DomainState.SHUTOFF, tags=("webdev",), title="",
    description="", os="", macs=(), autostart=False, has_snapshots=False, has_managed_save=True,
    memory=Size.parse("512 MiB"), persistent=False,
)  # fmt: skip
LEASES = {"52:54:00:aa:bb:cc": ("192.168.122.7", "fd00::7")}


def fits(text, record):
    return parse(text).fits(facts_of_record(record, "alpha", LEASES))


@pytest.mark.parametrize(
    ("text", "web", "off"),
    [
        ("", True, True),
        ("  ", True, True),
        ("web", True, True),  # the other has the tag webdev
        ("WEB1", True, False),
        ("web running", True, False),
        ("w?b1", True, False),
        ("two*more", False, False),  # in one line of text
        ("pro*1", True, False),
        ('"w?b1"', False, False),
        ('"two words"', True, False),
        ("«two words»", True, False),
        ('"two  words"', False, False),
        ("two prod", True, False),
        ("-web1", False, True),
        ('-"two words"', False, True),
        ("state:running", True, False),
        ("state:off", False, True),
        ('state:"shut off"', False, True),
        ("state:running,paused", True, False),
        ("state:active -state:paused", True, False),
        ("is:inactive", False, True),
        ("STATE:Running", True, False),
        ("tag:web", True, False),
        ("tag:web*", True, True),
        ("tag:web,webdev", True, True),
        ("-tag:webdev", True, False),
        ("host:alpha", True, True),
        ("host:alp", False, False),
        ("os:debian", True, False),
        ("os=debian", False, False),
        ('os="debian 12"', True, False),
        ("name:w?b1", True, False),
        ("name:db.old", False, True),
        ("name:dbxold", False, False),
        ("title:blue", True, False),
        ("description:serves", True, False),
        ("192.168.122.7", True, False),
        ("address:fd00", True, False),
        ("fd00::7", True, False),
        ("mac:52:54", True, False),
        ("52:54:00:AA:bb:cc", True, False),
        ("uuid:0f3a7c52", True, False),
        ("has:snapshots", True, False),
        ("has:save", False, True),
        ("-has:address", False, True),
        ("autostart:yes", True, False),
        ("autostart:no", False, True),
        ("persistent:no", False, True),
        ("mem>1G", True, False),
        ("mem>=2GiB", True, False),
        ("mem>2G", False, False),
        ("mem:512M", False, True),
        ("memory<1.5G", False, True),
        ("vcpus=2", True, True),
        ("id:7", True, False),
        ("id>0", True, False),
        ("cpu>1", False, False),
    ],
)
def test_what_a_filter_means(text, web, off):
    assert (fits(text, WEB), fits(text, OFF)) == (web, off)


@pytest.mark.parametrize(
    ("text", "kind", "marked", "hint"),
    [
        ("web stat:running", "field", "stat", "state:…"),
        ("abcdefg:1", "field", "abcdefg", '"abcdefg:…"'),
        ("state:", "value", "state:", "state:…"),
        ("has:", "value", "has:", "has:snapshots"),
        ("state:runing", "choice", "runing", "state:running"),
        ("has:snapshot", "choice", "snapshot", "has:snapshots"),
        ("autostart:maybe", "choice", "maybe", "yes, no"),
        ("os>3", "operator", ">", "os:…"),
        ("cpu>x", "number", "x", "cpu>2"),
        ("cpu>-3", "number", "-3", ""),
        ("mem>5", "size", "5", "mem>1G"),
        ("disk>1X", "size", "1X", "disk>1M"),
        ('a "b c', "quote", '"b c', '"'),
        ("a - b", "minus", "-", "-tag:old"),
        ("x" * 501, "long", "x", ""),
    ],
)
def test_what_is_wrong_and_where(text, kind, marked, hint):
    _found, fault = read(text)
    assert fault.kind == kind
    assert text[fault.at : fault.end] == marked
    assert fault.hint.startswith(hint)
    assert "{" not in fault.why
    with pytest.raises(SpecError, match=re.escape(f"at character {fault.at + 1}: ")):
        parse(text)


def test_an_error_shows_the_place():
    with pytest.raises(SpecError) as raised:
        parse("web stat:running")
    assert "  web stat:running\n      ^^^^" in str(raised.value)
    with pytest.raises(SpecError, match="no text"):
        parse(7)
    assert {"state", "tag", "cpu", "has"} <= set(FIELDS)
    assert "field" in WHY


def test_what_is_right_holds_beside_what_is_wrong():
    found, fault = read("state:off nonsense:1 tag:webdev")
    assert fault.kind == "field"
    assert len(found.terms) == 2
    assert found.fits(facts_of_record(OFF, "alpha"))
    assert not found.fits(facts_of_record(WEB, "alpha"))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet='-:="“”«»,*?><abcu \t', max_size=30))
def test_whatever_is_typed_is_read_and_faults_are_inside(text):
    found, fault = read(text)
    if fault is not None:
        assert 0 <= fault.at <= fault.end <= len(text)
        assert fault.why
    found.fits(facts_of_record(WEB, "alpha", LEASES))


JS = """
import {{ Filter }} from {path!r};
const cases = {cases};
const rows = {{ value: (slot, key) => ({{vcpus: 2, id: slot ? NaN : 7, memory: 2147483648}})[key] ?? NaN }};
const out = cases.map(([message, row]) => {{
  const filter = new Filter();
  filter.take(message);
  return filter.fits(rows, row);
}});
console.log(JSON.stringify(out));
"""


def row_of(record, slot):
    addresses = tuple(a for mac in record.macs for a in LEASES[mac])
    of = facts_of_record(record, "alpha", LEASES)
    return {
        "slot": slot, "name": record.name, "title": record.title, "os": record.os, "host": "alpha",
        "description": record.description, "text": record.state.text, "uuid": record.uuid,
        "state": record.state.value, "tags": record.tags, "addresses": addresses,
        "macs": record.macs, "has": of("has"), "autostart": record.autostart,
        "persistent": record.persistent, "active": record.is_active,
        "memory_bytes": int(record.memory),
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("node") is None, reason="no node (Debian package nodejs)")
def test_the_view_finds_the_same(tmp_path):
    mark = next(each for each in test_what_a_filter_means.pytestmark if each.name == "parametrize")
    cases, expected = [], []
    for text, web, off in mark.args[1]:
        message = {
            "text": text, "fault": None, "terms": [term.as_json() for term in parse(text).terms],
        }  # fmt: skip
        cases += [[message, row_of(WEB, 0)], [message, row_of(OFF, 1)]]
        expected += [(text, web), (text, off)]
    source = Path(__file__).parents[2] / "labvirt/widgets/js/src/spark_filter.js"
    script = tmp_path / "case.mjs"
    module = tmp_path / "spark_filter.mjs"
    module.write_text(source.read_text())
    script.write_text(JS.format(path=str(module), cases=json.dumps(cases)))
    done = subprocess.run(
        ["node", str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(text, value) for (text, _), value in zip(expected, found, strict=True)] == expected
