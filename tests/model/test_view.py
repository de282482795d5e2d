"""The kinds of facts one by one, on an element made for the purpose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.model.units import SIZE_LIMIT, Size
from labvirt.model.xml.table import (
    Children,
    Choice,
    Int,
    OnOff,
    Present,
    SizeFact,
    Text,
    Values,
    YesNo,
)
from labvirt.model.xml.text import XmlDoc
from labvirt.model.xml.view import View, find, make


class Leaf(View):
    TAG = "leaf"

    name = Text("@name", "a name")


class Thing(View):
    TAG = "thing"

    word = Text("@word", "a word")
    deep = Text("a/b/c", "text far below")
    deep_word = Text("a/b/c/@word", "an attribute far below", keep=True)
    lone = Text("x/@lone", "the only attribute of its element")
    kept = Text("y/@kept", "an attribute of an element that means something alone", keep=True)
    colour = Choice("@colour", "a colour", values="red green")
    count = Int("count", "how many")
    flag = YesNo("@flag", "yes or no")
    switch = OnOff("s/@state", "on or off")
    there = Present("p/q", "is it there")
    size = SizeFact("size", "a size")
    large = SizeFact("large", "a size in bytes", default="bytes")
    page = SizeFact("page/@size", "a size in an attribute")
    words = Values("w/@v", "several words")
    few = Values("list/item", "several texts", values="one two three")
    rtc = Text("timer[name=rtc]/@policy", "of the timer called rtc")
    leaves = Children("leaf", Leaf, "leaves")
    inner = Children("box/leaf", Leaf, "leaves in a box")


def thing(inner="", attributes=""):
    return Thing.parse(f"<thing{attributes}>{inner}</thing>")


def test_facts_are_collected_in_the_order_of_their_lines():
    assert list(Thing.FACTS)[:3] == ["word", "deep", "deep_word"]
    assert Thing.FACTS["word"] is Thing.word
    assert "name" not in Thing.FACTS

    class More(Thing):
        extra = Text("@extra", "more")

    assert list(More.FACTS) == [*Thing.FACTS, "extra"]


def test_absent_facts_are_none():
    empty = thing()
    for name, fact in Thing.FACTS.items():
        if isinstance(fact, Children):
            assert len(getattr(empty, name)) == 0
        else:
            assert getattr(empty, name) in {None, ()}


def test_texts_are_made_with_the_elements_that_lead_to_them():
    one = thing()
    one.deep = "x"
    assert one.element.findtext("a/b/c") == "x"
    one.deep_word = "y"
    one.deep = None
    assert one.element.find("a") is None
    one.deep_word = "z"
    assert one.element.find("a/b/c").get("word") == "z"


def test_parents_that_stood_in_the_source_stay_when_they_are_emptied():
    one = Thing.parse("<thing><a><b><c>x</c></b></a></thing>")
    one.deep = None
    assert one.text() == "<thing><a><b></b></a></thing>"
    other = Thing.parse("<thing><a/></thing>")
    other.deep = "x"
    other.deep = None
    assert other.text() == "<thing><a/></thing>"


def test_an_element_goes_with_its_last_attribute_unless_it_means_something():
    one = Thing.parse("<thing><x lone='1'/><y kept='1'/></thing>")
    one.lone = None
    one.kept = None
    assert one.text() == "<thing><y/></thing>"
    two = Thing.parse("<thing><x lone='1' other='2'/></thing>")
    two.lone = None
    assert two.text() == "<thing><x other='2'/></thing>"


def test_the_element_of_the_view_itself_never_goes():
    one = Thing.parse("<thing word='x'/>")
    one.word = None
    assert one.text() == "<thing/>"


def test_choices_are_checked_when_written_and_tolerant_when_read():
    one = thing(attributes=" colour='mauve'")
    assert one.colour == "mauve"
    with pytest.raises(SpecError, match="allowed: red, green"):
        one.colour = "blue"
    with pytest.raises(SpecError, match="did you mean 'green'"):
        one.colour = "geen"
    one.colour = "red"
    assert one.text() == "<thing colour='red'></thing>"


@pytest.mark.parametrize(
    ("raw", "number"), [("5", 5), (" 7 ", 7), ("-1", -1), ("0x1f", 31), ("+3", 3)]
)
def test_numbers_are_read(raw, number):
    assert thing(f"<count>{raw}</count>").count == number


@pytest.mark.parametrize("raw", ["", "x", "1.5", "1 2", "5px"])
def test_what_is_no_number_is_told(raw):
    with pytest.raises(SpecError, match=r"/thing/count"):
        _ = thing(f"<count>{raw}</count>").count


def test_a_number_that_is_set_to_what_it_is_keeps_its_spelling():
    one = thing("<count>0x10</count>")
    one.count = 16
    assert "0x10" in one.text()
    one.count = 17
    assert "<count>17</count>" in one.text()


def test_booleans_have_the_words_of_their_fact():
    one = thing()
    one.flag, one.switch = True, False
    assert one.element.get("flag") == "yes"
    assert one.element.find("s").get("state") == "off"
    assert (one.flag, one.switch) == (True, False)
    one.flag = one.switch = None
    assert one.text() == "<thing></thing>"
    with pytest.raises(SpecError, match="neither yes nor no"):
        _ = thing(attributes=" flag='true'").flag


def test_presence_is_set_and_removed():
    one = thing()
    one.there = True
    one.there = True
    assert len(one.element.findall("p/q")) == 1
    assert one.there is True
    one.there = False
    assert one.there is None
    assert one.text() == "<thing></thing>"
    one.there = False
    del one.there


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("<size>1</size>", 1024),
        ("<size unit='KiB'>1</size>", 1024),
        ("<size unit='MiB'>2</size>", 2 * 2**20),
        ("<size unit='b'>3</size>", 3),
        ("<size unit='GB'> 1 </size>", 10**9),
        ("<size></size>", 0),
    ],
)
def test_sizes_are_read_in_their_unit(text, size):
    assert thing(text).size == size


@pytest.mark.parametrize(
    ("before", "size", "after"),
    [
        ("", "1 MiB", "<size unit='KiB'>1024</size>"),
        ("", "1 bytes", "<size unit='bytes'>1</size>"),
        ("<size>1</size>", "2 KiB", "<size>2</size>"),
        ("<size unit='MiB'>1</size>", "2 MiB", "<size unit='MiB'>2</size>"),
        ("<size unit='MiB'>1</size>", "1536 KiB", "<size unit='KiB'>1536</size>"),
        ("<size unit='G'>1</size>", "3 GiB", "<size unit='G'>3</size>"),
        ("<size unit='MB'>1</size>", "5 MB", "<size unit='MB'>5</size>"),
        ("<size unit='KiB'>4</size>", "4096 bytes", "<size unit='KiB'>4</size>"),
        ("<size unit='parsec'>1</size>", "1 KiB", "<size unit='KiB'>1</size>"),
    ],
)
def test_sizes_keep_their_unit_when_they_are_whole_in_it(before, size, after):
    one = thing(before)
    one.size = Size.parse(size)
    assert after in one.text().replace("\n", "").replace("  ", "")
    assert one.size == Size.parse(size)


@given(st.integers(0, SIZE_LIMIT), st.sampled_from(["size", "large", "page"]))
def test_any_size_is_read_back_exactly(number, name):
    one = thing()
    setattr(one, name, Size(number))
    assert getattr(one, name) == number
    assert getattr(Thing.parse(one.text()), name) == number
    delattr(one, name)
    assert one.text() == "<thing></thing>"


def test_a_size_without_unit_is_refused_for_a_size():
    with pytest.raises(SpecError, match="5 of what"):
        thing().size = 5


def test_lists_of_words_are_changed_where_they_differ():
    one = Thing.parse("<thing><w v='a'/><w v='b' other='1'/><z/></thing>")
    assert one.words == ("a", "b")
    one.words = ("a", "c", "d")
    assert one.text() == "<thing><w v='a'/><w v='c' other='1'/><w v='d'/><z/></thing>"
    one.words = ("a",)
    assert one.text() == "<thing><w v='a'/><z/></thing>"
    one.words = None
    assert one.text() == "<thing><z/></thing>"


def test_lists_of_words_are_checked():
    one = thing()
    with pytest.raises(SpecError, match="did you mean 'three'"):
        one.few = ("one", "tree")
    assert one.text() == "<thing></thing>"
    one.few = ("two", "one")
    assert one.few == ("two", "one")
    del one.few
    assert one.text() == "<thing></thing>"


def test_a_child_is_told_from_its_siblings_by_an_attribute():
    one = thing("<timer name='pit' policy='delay'/>")
    assert one.rtc is None
    one.rtc = "catchup"
    assert one.rtc == "catchup"
    assert [node.get("name") for node in one.element] == ["pit", "rtc"]
    one.rtc = None
    assert one.element.find("timer").get("policy") == "delay"


def test_children_stand_together_and_are_found_again():
    one = Thing.parse("<thing><leaf name='a'/><other/></thing>")
    one.leaves.append(Leaf.new(name="b"))
    assert one.text() == "<thing><leaf name='a'/><leaf name='b'/><other/></thing>"
    one.inner.append(Leaf.new(name="c"))
    assert [leaf.name for leaf in one.inner] == ["c"]
    one.inner.clear()
    assert one.element.find("box") is None
    assert [leaf.name for leaf in one.leaves] == ["a", "b"]
    assert one.leaves[-1].name == "b"
    with pytest.raises(IndexError):
        _ = one.leaves[5]


def test_a_view_of_a_child_edits_the_document():
    one = Thing.parse("<thing><leaf name='a'/></thing>")
    one.leaves[0].name = "z"
    assert one.text() == "<thing><leaf name='z'/></thing>"


def test_several_facts_are_set_at_once_and_none_leaves_them():
    one = thing(attributes=" word='x'").set(word=None, count=5)
    assert (one.word, one.count) == ("x", 5)
    with pytest.raises(SpecError, match="has no fact 'wrod'"):
        one.set(wrod="x")


def test_elements_are_found_and_made_along_a_path():
    doc = XmlDoc.parse("<thing><a/></thing>")
    steps = Thing.deep.steps
    assert find(doc.root, steps) is None
    made = make(doc.root, steps)
    assert find(doc.root, steps) is made
    assert make(doc.root, steps) is made
    assert len(doc.root) == 1


def test_views_are_equal_by_element_and_know_their_place():
    one = Thing.parse("<thing><leaf/><leaf/></thing>")
    assert one.leaves[0] == one.leaves[0]
    assert one.leaves[0] != one.leaves[1]
    assert one.leaves[0] != "leaf"
    assert repr(one.leaves[1]) == "<Leaf /thing/leaf[2]>"


def test_errors_name_the_fact_and_shorten_the_value():
    one = thing()
    with pytest.raises(SpecError) as caught:
        one.colour = "x" * 500
    assert caught.value.field == "colour"
    assert len(str(caught.value)) < 300
    with pytest.raises(SpecError) as caught:
        _ = thing(f"<count>{'x' * 500}</count>").count
    assert len(str(caught.value)) < 300
