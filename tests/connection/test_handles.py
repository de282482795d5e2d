"""Helpers of every call: sizes, flags, names that were meant, and facts read from XML."""

from __future__ import annotations

import libvirt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.connection import domain
from labvirt.connection.handles import (
    affects,
    bits,
    close_names,
    flag,
    size_of,
    size_of_kib,
)
from labvirt.connection.xmlfacts import domain_facts, element_text, name_in
from labvirt.model.units import SIZE_LIMIT, Size

DOCUMENT = """\
<domain type='qemu' xmlns:x='https://example.org/x'>
  <name>web1</name>
  <title>Front &lt;door&gt;</title>
  <metadata>
    <x:note>not ours</x:note>
    <lv:labvirt xmlns:lv="https://labvirt.org/xmlns/domain/1">
      <lv:tag>web</lv:tag><lv:tag>  </lv:tag><lv:tag> a b </lv:tag>
    </lv:labvirt>
  </metadata>
  <os><type arch='x86_64'>hvm</type></os>
</domain>
"""


def test_sizes_come_from_libvirts_units_and_unlimited_is_the_largest():
    assert size_of_kib(16 * 1024) == Size.parse("16 MiB")
    assert size_of(5) == Size(5)
    assert size_of_kib(2**63) == SIZE_LIMIT
    assert size_of(2**64 - 1) == SIZE_LIMIT


def test_flags_are_libvirts_and_missing_ones_are_nothing():
    assert flag("DOMAIN_AFFECT_LIVE") == libvirt.VIR_DOMAIN_AFFECT_LIVE
    assert flag("NO_SUCH_FLAG") == 0
    assert bits(DOMAIN_START_PAUSED=True, DOMAIN_START_FORCE_BOOT=False) == 1
    assert bits() == 0


@pytest.mark.parametrize(
    ("live", "config", "number"),
    [(False, False, 0), (True, False, 1), (False, True, 2), (True, True, 3)],
)
def test_what_a_change_applies_to(live, config, number):
    assert affects(live=live, config=config) == number


@pytest.mark.parametrize(
    ("key", "names", "expected"),
    [
        ("WEB1", ["web1", "web2"], "web1"),
        ("Web1", ["web1", "WEB1"], "web1"),
        ("wbe1", ["web1", "db"], "web1"),
        ("zzz", ["web1"], None),
        ("x", [], None),
    ],
)
def test_names_that_were_meant(key, names, expected):
    near = close_names(key, names)
    assert (near[0] if near else None) == expected


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=6))
def test_only_names_that_exist_are_suggested_each_once(key, names):
    near = close_names(key, names)
    assert set(near) <= set(names)
    assert len(near) == len(set(near))


def test_facts_of_a_domain():
    facts = domain_facts(DOCUMENT)
    assert (facts.os_type, facts.title, facts.tags) == ("hvm", "Front <door>", ("web", "a b"))
    bare = domain_facts("<domain><name>x</name></domain>")
    assert (bare.os_type, bare.title, bare.tags) == ("", "", ())


def test_texts_and_attributes_of_any_document():
    xml = "<pool type='dir'><target><path> /p </path><format/></target></pool>"
    assert element_text(xml, "@type", "target/path", "target/format@type", "nothing", "no@x") == (
        "dir", "/p", "", "", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("xml", "name"),
    [
        (DOCUMENT, "web1"),
        ("", ""),
        ("<name>open", ""),
        ("</name><name>x</name>", "x"),
        ("<name>" + "a" * 200 + "</name>", ""),
        ("<name>a\nb</name>", ""),
        ("<name>\x1b[31m</name>", ""),
    ],
)
def test_a_name_for_a_message_is_taken_without_trust(xml, name):
    assert name_in(xml) == name


@given(st.text(max_size=200))
def test_no_text_breaks_the_look_for_a_name(xml):
    assert name_in(xml).isprintable()


@pytest.mark.lab
def test_a_name_that_looks_like_a_number_counts_before_the_number(conn, paused, domain_xml):
    number = domain.read(conn, paused).id
    named = domain.define(conn, domain_xml(f"{number}"))
    assert domain.find(conn, str(number)) == named
    domain.undefine(conn, named)
    assert domain.find(conn, str(number)) == paused


@pytest.mark.lab
def test_a_name_that_looks_like_a_uuid_counts_before_the_uuid(conn, paused, domain_xml):
    named = domain.define(conn, domain_xml(paused.upper()))
    assert domain.find(conn, paused.upper()) == named
    assert domain.find(conn, paused) == paused


@pytest.mark.lab
def test_messages_use_the_last_known_name(conn, domain_xml):
    uuid = domain.define(conn, domain_xml("old"))
    assert conn.label(uuid) == "old"
    domain.rename(conn, uuid, "new")
    assert conn.label(uuid) == "new"
    assert conn.label("unknown") == "unknown"
