"""White space around what is added and removed, and that it leaves the tree as it was."""

from __future__ import annotations

import copy

import pytest
from lxml import etree

from labvirt.model.xml.layout import indent_new, settled
from labvirt.model.xml.source import Original, Span, is_element, nodes_of, spans_of
from labvirt.model.xml.text import XmlDoc
from labvirt.model.xml.write import fresh


def texts(root):
    return [(node.text, node.tail) for node in root.iter()]


def original(doc):
    return Original(doc.source, doc._nodes, etree.fromstring(doc.source))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # appended
        ("<r>\n  <a/>\n</r>", "<r>\n  <a/>\n  <n/>\n</r>"),
        ("<r>\n\t<a/>\n</r>", "<r>\n\t<a/>\n\t<n/>\n</r>"),
        ("<r>\n  <a/></r>", "<r>\n  <a/>\n  <n/></r>"),
        ("<r><a/></r>", "<r><a/><n/></r>"),
        ("<r> <a/> </r>", "<r> <a/> <n/> </r>"),
        ("<r>\n\n  <a/>\n\n  <b/>\n\n</r>", "<r>\n\n  <a/>\n\n  <b/>\n  <n/>\n\n</r>"),
        # into an empty root
        ("<r/>", "<r>\n  <n/>\n</r>"),
        ("<r></r>", "<r>\n  <n/>\n</r>"),
        ("<r>\n</r>", "<r>\n  <n/>\n</r>"),
        ("<r>\n    </r>", "<r>\n      <n/>\n    </r>"),
        # beside words, nothing may be moved
        ("<r>words<a/>more</r>", "<r>words<a/>more<n/></r>"),
        ("<r>\n  <!-- c -->\n</r>", "<r>\n  <!-- c -->\n  <n/>\n</r>"),
    ],
)
def test_an_appended_element_is_laid_out_like_its_siblings(before, after):
    doc = XmlDoc.parse(before)
    kept = texts(doc.root)
    new = etree.SubElement(doc.root, "n")
    assert doc.text() == after
    assert doc.text() == after
    doc.remove(new)
    assert texts(doc.root) == kept
    assert doc.text() == before


@pytest.mark.parametrize(
    ("place", "after"),
    [
        (0, "<r>\n  <n/>\n  <a/>\n  <b/>\n</r>"),
        (1, "<r>\n  <a/>\n  <n/>\n  <b/>\n</r>"),
        (2, "<r>\n  <a/>\n  <b/>\n  <n/>\n</r>"),
    ],
)
def test_an_inserted_element_is_laid_out_wherever_it_goes(place, after):
    doc = XmlDoc.parse("<r>\n  <a/>\n  <b/>\n</r>")
    doc.root.insert(place, etree.Element("n"))
    assert doc.text() == after


@pytest.mark.parametrize(
    ("gone", "after"),
    [
        ("a", "<r>\n  <b/>\n  <c/>\n</r>"),
        ("b", "<r>\n  <a/>\n  <c/>\n</r>"),
        ("c", "<r>\n  <a/>\n  <b/>\n</r>"),
        ("bc", "<r>\n  <a/>\n</r>"),
        ("ab", "<r>\n  <c/>\n</r>"),
        ("abc", "<r>\n</r>"),
    ],
)
def test_a_removed_element_leaves_no_gap(gone, after):
    doc = XmlDoc.parse("<r>\n  <a/>\n  <b/>\n  <c/>\n</r>")
    for tag in gone:
        doc.remove(doc.root.find(tag))
    assert doc.text() == after


def test_several_new_elements_with_children_are_indented_deeply():
    doc = XmlDoc.parse("<r>\n    <a>\n        <b/>\n    </a>\n</r>\n")
    doc.root.append(etree.fromstring("<n><m><o>x</o></m></n>"))
    doc.root[0].append(etree.fromstring("<n><m/></n>"))
    assert doc.text() == (
        "<r>\n    <a>\n        <b/>\n        <n>\n            <m/>\n        </n>\n    </a>\n"
        "    <n>\n        <m>\n            <o>x</o>\n        </m>\n    </n>\n</r>\n"
    )


def test_elements_are_reordered():
    doc = XmlDoc.parse("<r>\n  <a/>\n  <b/> <!-- c -->\n  <d/>\n</r>")
    doc.root.append(doc.root[0])
    after = XmlDoc.parse(doc.text())
    assert [str(node.tag) for node in after.root if is_element(node)] == ["b", "d", "a"]
    assert doc.text().endswith("<d/>\n  <a/>\n</r>")


def test_the_tree_is_as_before_when_it_was_written():
    doc = XmlDoc.parse("<r>\n  <a/>\n</r>")
    doc.root.append(etree.fromstring("<n><m/></n>"))
    before = texts(doc.root)
    with settled(original(doc), doc.root):
        assert texts(doc.root) != before
    assert texts(doc.root) == before


def test_the_tree_is_put_back_also_after_a_failure():
    doc = XmlDoc.parse("<r>\n  <a/>\n</r>")
    doc.root.append(etree.Element("n"))
    before = texts(doc.root)
    with pytest.raises(RuntimeError), settled(original(doc), doc.root):
        raise RuntimeError
    assert texts(doc.root) == before


def test_a_tree_without_source_is_indented_but_words_are_not_touched():
    root = etree.fromstring("<r><a><b/></a><c>words<d/>more</c></r>")
    indent_new(root)
    assert fresh(root) == ("<r>\n  <a>\n    <b/>\n  </a>\n  <c>words<d/>more</c>\n</r>\n")
    again = copy.deepcopy(root)
    indent_new(again)
    assert fresh(again) == fresh(root)


def test_every_node_knows_where_it_stands_in_the_source():
    text = "<?xml version='1.0'?>\n<!-- a > b --><r x='>'><a/><b>t<![CDATA[</b>]]></b><?p q?></r><!--z-->"
    spans = spans_of(text)
    assert [text[one.start : one.end] for one in spans] == [
        "<!-- a > b -->",
        "<r x='>'><a/><b>t<![CDATA[</b>]]></b><?p q?></r>",
        "<a/>",
        "<b>t<![CDATA[</b>]]></b>",
        "<?p q?>",
        "<!--z-->",
    ]
    assert text[spans[1].start : spans[1].opened] == "<r x='>'>"
    assert text[spans[3].closed : spans[3].end] == "</b>"
    assert spans[2] == Span(spans[2].start, spans[2].end, spans[2].end, spans[2].end)
    assert len(nodes_of(etree.fromstring(text))) == len(spans)


def test_quotes_and_line_ends_are_those_that_the_source_has_most():
    assert XmlDoc.parse('<r a="1"/>').text() == '<r a="1"/>'
    for text, quote, newline in (
        ('<r a="1" b="2" c=\'3\'>\n</r>', '"', "\n"),
        ("<r a='1'>\r\n\r\n</r>\n", "'", "\r\n"),
        ("<r/>", "'", "\n"),
    ):
        found = original(XmlDoc.parse(text))
        assert (found.quote, found.newline) == (quote, newline)
