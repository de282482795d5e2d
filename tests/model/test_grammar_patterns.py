"""RELAX NG patterns: what is left of them once a part was seen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from labvirt.model.grammar.explain import Explainer
from labvirt.model.grammar.load import Grammar
from labvirt.model.grammar.patterns import (
    EMPTY,
    NOT_ALLOWED,
    TEXT,
    Attribute,
    Choice,
    Data,
    ElementPattern,
    Pair,
    Repeat,
    Value,
    after_attribute,
    after_child,
    after_text,
    attributes_in,
    choice,
    close_attributes,
    either,
    elements_in,
    integer_limits,
    is_nullable,
    matches_text,
    pair,
    repeat,
    together,
)
from labvirt.model.grammar.words import allowed_text, listed, name_hint, tag_name, values_of

RNG = "http://relaxng.org/ns/structure/1.0"


def element(name, content=EMPTY):
    return ElementPattern(name, lambda: content)


A, B, C = element("a"), element("b"), element("c")


def after(pattern, *names):
    """Return what is left after the children of those names."""
    for name in names:
        fitting = {one for one in elements_in(pattern) if one.name == name}
        pattern = after_child(pattern, fitting)
    return pattern


def takes(pattern, *names):
    return is_nullable(after(pattern, *names))


def test_simple_patterns_stay_simple():
    assert choice(NOT_ALLOWED, A) is A
    assert choice(A, NOT_ALLOWED) is A
    assert choice(A, A) is A
    assert choice(Choice(A, B), B) == Choice(A, B)
    assert choice(A, Choice(A, B)) == Choice(A, B)
    assert pair("group", EMPTY, A) is A
    assert pair("interleave", A, EMPTY) is A
    assert pair("group", A, NOT_ALLOWED) is NOT_ALLOWED
    assert repeat(EMPTY) is EMPTY
    assert repeat(NOT_ALLOWED) is NOT_ALLOWED
    assert either([]) is NOT_ALLOWED
    assert together("group", []) is EMPTY


@pytest.mark.parametrize(
    ("pattern", "nullable"),
    [
        (EMPTY, True),
        (TEXT, True),
        (NOT_ALLOWED, False),
        (A, False),
        (Attribute("x", TEXT), False),
        (Choice(A, EMPTY), True),
        (Pair("group", TEXT, EMPTY), True),
        (Pair("interleave", TEXT, A), False),
        (Repeat(Choice(A, EMPTY)), True),
        (Repeat(A), False),
        (Value(""), False),
    ],
)
def test_what_fits_nothing_at_all_is_known(pattern, nullable):
    assert is_nullable(pattern) is nullable


def test_a_group_keeps_its_order():
    group = together("group", [A, B, C])
    assert takes(group, "a", "b", "c")
    assert not takes(group, "a", "c", "b")
    assert not takes(group, "a", "b")
    assert after(group, "b") is NOT_ALLOWED


def test_a_group_may_skip_what_is_optional():
    group = together("group", [choice(A, EMPTY), choice(B, EMPTY), C])
    assert takes(group, "c")
    assert takes(group, "b", "c")
    assert takes(group, "a", "b", "c")
    assert not takes(group, "b", "a", "c")


def test_an_interleave_takes_any_order_and_each_once():
    mixed = together("interleave", [A, B, choice(C, EMPTY)])
    assert takes(mixed, "b", "a")
    assert takes(mixed, "c", "b", "a")
    assert not takes(mixed, "a")
    assert not takes(mixed, "a", "b", "a")


def test_a_repeated_choice_does_not_grow():
    many = choice(repeat(either([A, B, C])), EMPTY)
    left = after(many, *("abc" * 50))
    assert left == many


def test_a_choice_is_decided_by_what_was_seen():
    either_way = choice(together("group", [A, B]), together("group", [A, C]))
    assert takes(either_way, "a", "b")
    assert takes(either_way, "a", "c")
    assert not takes(either_way, "a", "b", "c")


def test_attributes_have_no_order_and_leave_the_rest():
    pattern = together("group", [Attribute("x", Value("1")), Attribute("y", TEXT), A])
    left = after_attribute(pattern, lambda one: one.name == "y")
    left = after_attribute(left, lambda one: one.name == "x")
    assert left is A
    assert after_attribute(left, lambda one: one.name == "x") is NOT_ALLOWED


def test_a_missing_attribute_forbids_unless_it_is_forgiven():
    pattern = together("group", [Attribute("x", TEXT), A])
    assert close_attributes(pattern, lenient=lambda _: False) is NOT_ALLOWED
    assert close_attributes(pattern, lenient=lambda one: one.name == "x") is A
    optional = together("group", [choice(Attribute("x", TEXT), EMPTY), A])
    assert close_attributes(optional, lenient=lambda _: False) is A


def test_an_attribute_decides_what_the_content_is():
    file = together("group", [Attribute("type", Value("file")), A])
    block = together("group", [Attribute("type", Value("block")), B])
    left = after_attribute(choice(file, block), lambda one: matches_text(one.value, "block"))
    assert left is B


def test_any_attribute_may_be_repeated():
    anything = choice(repeat(Attribute(None, TEXT)), EMPTY)
    left = anything
    for _ in range(3):
        left = after_attribute(left, lambda one: one.name is None)
    assert is_nullable(close_attributes(left, lenient=lambda _: False))


def test_what_may_stand_inside_is_listed():
    pattern = together("interleave", [Attribute("x", TEXT), repeat(A), choice(B, EMPTY), TEXT])
    assert [one.name for one in elements_in(pattern)] == ["a", "b"]
    assert [one.name for one in attributes_in(pattern)] == ["x"]


def test_text_is_matched_beside_elements():
    mixed = together("interleave", [TEXT, choice(repeat(A), EMPTY)])
    assert is_nullable(after_text(mixed, "words"))
    assert after_text(together("group", [A, B]), "words") is NOT_ALLOWED
    assert is_nullable(after_text(together("group", [choice(A, EMPTY), Value("x")]), "x"))


@pytest.mark.parametrize(
    ("data", "good", "bad"),
    [
        (Data("unsignedInt"), ["0", " 7 ", "4294967295"], ["-1", "4294967296", "x", "", "1.5"]),
        (Data("int"), ["-5", "+5", "0"], ["2147483648", "0x5"]),
        (Data("positiveInteger"), ["1"], ["0", "-1"]),
        (Data("short"), ["-32768"], ["32768"]),
        (Data("unsignedLong"), ["18446744073709551615"], ["18446744073709551616"]),
        (
            Data("integer", (("minInclusive", "-1"), ("maxInclusive", "65535"))),
            ["-1", "65535"],
            ["-2", "65536"],
        ),
        (Data("string", (("pattern", "[a-z]+"),)), ["abc"], ["", "ABC", " abc", "abc "]),
        (Data("unsignedLong", (("pattern", "[0-9]+"),)), ["12"], [" 12", "12 "]),
        (Data("double"), ["1.5", "-3", "1e5", "NaN", ".5"], ["x", "", "1,5"]),
        (Data("NCName"), ["clean-traffic", "_a"], ["1a", "a:b", ""]),
        (Data("dateTime"), ["2030-04-09T15:51:00"], ["2030-04-09", "noon"]),
        (Data("anyURI"), ["http://x/", "anything"], []),
        (Data("string", (("pattern", "[^/]+"),), "", Value("..")), ["a", "..."], ["..", "a/b"]),
    ],
)
def test_types_of_xml_schema_are_checked(data, good, bad):
    for text in good:
        assert matches_text(data, text), text
    for text in bad:
        assert not matches_text(data, text), text


def test_values_are_compared_without_the_blanks_around_them():
    assert matches_text(Value("yes"), " yes\n")
    assert not matches_text(Value("yes"), "Yes")
    assert matches_text(choice(Value("yes"), Value("no")), "no")
    assert matches_text(EMPTY, "  \n")


def test_limits_of_numbers_are_those_of_type_and_parameters():
    assert integer_limits(Data("unsignedShort")) == (0, 65535)
    assert integer_limits(Data("int", (("maxInclusive", "9"),))) == (-(2**31), 9)
    assert integer_limits(Data("string")) is None


# -- words ------------------------------------------------------------------------------------


def test_allowed_words_are_listed_with_the_nearest_first():
    words = either([Value("virtio"), Value("scsi"), Value("sata")])
    assert allowed_text([words], "virtoi") == "did you mean 'virtio'? allowed: virtio, scsi, sata"
    assert values_of(words) == ["virtio", "scsi", "sata"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Data("unsignedInt"), "must be a whole number from 0"),
        (Data("int"), "must be a whole number"),
        (
            Data("int", (("minInclusive", "1"), ("maxInclusive", "255"))),
            "must be a whole number from 1 to 255",
        ),
        (Data("string", (("pattern", "x+"),)), "must be text of the form x+"),
        (
            Data("string", (("pattern", "x+"),), "uniMacAddr"),
            "must be a unicast MAC address, e.g. 52:54:00:12:34:56",
        ),
        (Data("double"), "must be a number"),
        (TEXT, ""),
        (Choice(Value("auto"), Data("unsignedInt")), "allowed: auto, or a whole number from 0"),
    ],
)
def test_types_are_put_into_words(data, words):
    assert allowed_text([data], "?") == words


def test_names_that_were_glued_or_renamed_are_recognised():
    assert name_hint("forwardDelay", ["name", "delay", "stp"]).startswith("did you mean 'delay'?")
    assert name_hint("on_shutdown", ["on_poweroff", "on_crash"]) == "it is called 'on_poweroff'"
    assert name_hint("x", ["{urn:x}hidden", "shown"]) == "allowed: shown"


def test_lists_are_cut():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "b", "c"]) == "a, b or c"
    assert listed("abcdefghijk") == "a, b, c, d, e, f, g, h ..."
    assert listed([]) == ""
    assert tag_name("{urn:x}y") == "<y>"
    assert tag_name(None) == "<any>"


# -- grammars ---------------------------------------------------------------------------------


def grammar(inner, files=None):
    """Return judge and explainer of one grammar."""
    text = f"<grammar xmlns='{RNG}' datatypeLibrary='http://www.w3.org/2001/XMLSchema-datatypes'>{inner}</grammar>"
    others = {
        name: etree.fromstring(f"<grammar xmlns='{RNG}'>{part}</grammar>")
        for name, part in (files or {}).items()
    }
    made = Grammar(etree.fromstring(text), lambda name: others[name])
    return Explainer(made.start), text


def faults(inner, document, files=None):
    explainer, text = grammar(inner, files)
    root = etree.fromstring(document)
    if files is None:
        judge = etree.RelaxNG(etree.fromstring(text))
        assert judge.validate(root) is (explainer.explain(root) == ())
    return [str(one) for one in explainer.explain(root)]


START = "<start><element name='r'>{}</element></start>"


@pytest.mark.parametrize(
    ("content", "good", "bad"),
    [
        ("<empty/>", "<r/>", "<r>x</r>"),
        ("<text/>", "<r>x</r>", "<r><a/></r>"),
        ("<optional><element name='a'><empty/></element></optional>", "<r/>", "<r><a/><a/></r>"),
        ("<oneOrMore><element name='a'><empty/></element></oneOrMore>", "<r><a/><a/></r>", "<r/>"),
        ("<zeroOrMore><element name='a'><empty/></element></zeroOrMore>", "<r/>", "<r><b/></r>"),
        (
            "<element name='a'><empty/></element><element name='b'><empty/></element>",
            "<r><a/><b/></r>",
            "<r><b/><a/></r>",
        ),
        (
            "<interleave><element name='a'><empty/></element><element name='b'><empty/></element></interleave>",
            "<r><b/><a/></r>",
            "<r><b/></r>",
        ),
        (
            "<choice><element name='a'><empty/></element><element name='b'><empty/></element></choice>",
            "<r><b/></r>",
            "<r><a/><b/></r>",
        ),
        ("<attribute name='x'/>", "<r x=''/>", "<r/>"),
        ("<attribute name='x'><value>1</value></attribute>", "<r x='1'/>", "<r x='2'/>"),
        ("<attribute name='x'><data type='int'/></attribute>", "<r x='1'/>", "<r x='one'/>"),
        ("<mixed><element name='a'><empty/></element></mixed>", "<r>x<a/>y</r>", "<r>x</r>"),
        ("<group><attribute name='x'/><text/></group>", "<r x='1'>t</r>", "<r y='1'>t</r>"),
        (
            "<zeroOrMore><attribute><anyName/></attribute></zeroOrMore>",
            "<r a='1' b='2'/>",
            "<r><a/></r>",
        ),
        ("<element><anyName/><text/></element>", "<r><any/></r>", "<r/>"),
        ("<choice><value>a</value><data type='int'/></choice>", "<r>5</r>", "<r>b</r>"),
        (
            "<element name='a' ns='urn:a'><empty/></element>",
            "<r><a xmlns='urn:a'/></r>",
            "<r><a/></r>",
        ),
        ("<notAllowed/>", None, "<r/>"),
    ],
)
def test_each_part_of_relax_ng_is_understood_as_libxml2_understands_it(content, good, bad):
    if good is not None:
        assert faults(START.format(content), good) == []
    assert faults(START.format(content), bad)


def test_definitions_are_combined():
    inner = (
        "<start><ref name='r'/></start><define name='r'><element name='r'><ref name='c'/></element></define>"
        "<define name='c' combine='choice'><element name='a'><empty/></element></define>"
        "<define name='c' combine='choice'><element name='b'><empty/></element></define>"
    )
    assert faults(inner, "<r><a/></r>") == []
    assert faults(inner, "<r><b/></r>") == []
    mixed = inner.replace("combine='choice'", "combine='interleave'")
    assert faults(mixed, "<r><b/><a/></r>") == []
    assert faults(mixed, "<r><b/></r>")


def test_definitions_may_refer_to_themselves_through_elements():
    inner = (
        "<start><ref name='tree'/></start><define name='tree'><element name='r'>"
        "<zeroOrMore><ref name='tree'/></zeroOrMore></element></define>"
    )
    assert faults(inner, "<r><r><r/></r><r/></r>") == []
    said = faults(inner, "<r><r><x/></r></r>")
    assert len(said) == 1
    assert said[0].startswith("/r/r/x: line 1: there is no such element in <r>")


def test_an_including_file_may_replace_definitions():
    files = {
        "other.rng": "<define name='c'><element name='old'><empty/></element></define>"
        "<define name='d'><element name='kept'><empty/></element></define>"
    }
    inner = (
        "<include href='other.rng'><define name='c'><element name='new'><empty/></element></define></include>"
        "<start><element name='r'><ref name='c'/><ref name='d'/></element></start>"
    )
    assert faults(inner, "<r><new/><kept/></r>", files) == []
    assert faults(inner, "<r><old/><kept/></r>", files)


def test_a_file_included_twice_says_everything_once():
    files = {"o.rng": "<define name='c'><element name='a'><empty/></element></define>"}
    inner = (
        "<include href='o.rng'/><include href='o.rng'/>"
        "<start><element name='r'><ref name='c'/></element></start>"
    )
    assert faults(inner, "<r><a/></r>", files) == []
    assert faults(inner, "<r><a/><a/></r>", files)


def test_an_inner_grammar_has_definitions_of_its_own():
    inner = (
        "<start><element name='r'><ref name='c'/><grammar><start><ref name='c'/></start>"
        "<define name='c'><element name='inner'><empty/></element></define></grammar></element></start>"
        "<define name='c'><element name='outer'><empty/></element></define>"
    )
    assert faults(inner, "<r><outer/><inner/></r>") == []
    assert faults(inner, "<r><outer/><outer/></r>")


def test_the_cure_for_a_contradiction_is_found_on_the_parent():
    content = (
        "<choice><group><attribute name='type'><value>file</value></attribute>"
        "<element name='s'><attribute name='file'/></element></group>"
        "<group><attribute name='type'><value>block</value></attribute>"
        "<element name='s'><attribute name='dev'/></element></group></choice>"
    )
    said = faults(START.format(content), "<r type='block'><s file='x'/></r>")
    assert all("<r> type='file' would allow it" in one for one in said)
    assert any("/r/s/@file" in one for one in said)


NAMES = st.sampled_from("abc")


def contents(inner):
    return st.one_of(
        st.builds(lambda one: f"<optional>{one}</optional>", inner),
        st.builds(lambda one: f"<zeroOrMore>{one}</zeroOrMore>", inner),
        st.builds(lambda one, two: f"<choice>{one}{two}</choice>", inner, inner),
        st.builds(lambda one, two: f"<group>{one}{two}</group>", inner, inner),
    )


CONTENT = st.recursive(
    st.builds(lambda name: f"<element name='{name}'><empty/></element>", NAMES),
    contents,
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(CONTENT, st.lists(NAMES, max_size=5))
def test_any_content_of_elements_is_judged_as_libxml2_judges_it(content, names):
    document = "<r>" + "".join(f"<{name}/>" for name in names) + "</r>"
    faults(START.format(content), document)
