"""What is written anew: tags, attributes, prefixes, words; and what is copied."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import etree

from labvirt.model.schema import Schema
from labvirt.model.xml import DiskXml, DomainXml
from labvirt.model.xml.text import XmlDoc
from labvirt.model.xml.write import fresh


def edited(text, edit):
    doc = XmlDoc.parse(text)
    edit(doc.root)
    return doc.text()


@pytest.mark.parametrize(
    ("text", "edit", "after"),
    [
        # attributes
        ("<r a='1' b=\"2\"/>", lambda r: r.set("a", "3"), "<r a='3' b=\"2\"/>"),
        ("<r a='1' b=\"2\"/>", lambda r: r.set("b", "3"), "<r a='1' b=\"3\"/>"),
        ("<r a = '1'/>", lambda r: r.set("a", "3"), "<r a = '3'/>"),
        ("<r\n  a='1'\n  b='2'\n/>", lambda r: r.set("b", "3"), "<r\n  a='1'\n  b='3'\n/>"),
        ("<r\n  a='1'\n  b='2'\n/>", lambda r: r.attrib.pop("a"), "<r\n  b='2'\n/>"),
        ("<r a='1'/>", lambda r: r.attrib.pop("a"), "<r/>"),
        ("<r a='1'></r>", lambda r: r.attrib.pop("a"), "<r></r>"),
        ("<r/>", lambda r: r.set("a", "1"), "<r a='1'/>"),
        ('<r x="0"/>', lambda r: r.set("a", "1"), '<r x="0" a="1"/>'),
        ("<r a='&#65;&amp;' b='1'/>", lambda r: r.set("b", "2"), "<r a='&#65;&amp;' b='2'/>"),
        ("<r a='1'/>", lambda r: r.set("a", "it's"), "<r a='it&apos;s'/>"),
        (
            '<r a="1"/>',
            lambda r: r.set("a", 'a "b" <c> & d'),
            '<r a="a &quot;b&quot; &lt;c&gt; &amp; d"/>',
        ),
        ("<r a='1' b='2'/>", lambda r: (r.attrib.pop("a"), r.set("a", "1")), "<r a='1' b='2'/>"),
        # words
        ("<r>a</r>", lambda r: setattr(r, "text", "b"), "<r>b</r>"),
        ("<r>a</r>", lambda r: setattr(r, "text", None), "<r></r>"),
        ("<r/>", lambda r: setattr(r, "text", "a & <b>"), "<r>a &amp; &lt;b&gt;</r>"),
        ("<r>&#65;</r>", lambda r: setattr(r, "text", "A"), "<r>&#65;</r>"),
        ("<r><![CDATA[<a>]]></r>", lambda r: setattr(r, "text", "<a>"), "<r><![CDATA[<a>]]></r>"),
        ("<r><![CDATA[<a>]]></r>", lambda r: setattr(r, "text", "<b>"), "<r>&lt;b&gt;</r>"),
        ("<r><a/>x</r>", lambda r: setattr(r[0], "tail", "y"), "<r><a/>y</r>"),
        ("<r>\r\nx</r>", lambda r: setattr(r, "text", "a\nb"), "<r>a\r\nb</r>"),
        # tags
        ("<r><a b='1'>x</a></r>", lambda r: setattr(r[0], "tag", "c"), "<r><c b='1'>x</c></r>"),
        ("<r><a/></r>", lambda r: r.remove(r[0]), "<r></r>"),
        # comments and instructions
        ("<r><!-- a --></r>", lambda r: setattr(r[0], "text", " b "), "<r><!-- b --></r>"),
        ("<r><?a b?></r>", lambda r: setattr(r[0], "text", "c"), "<r><?a c?></r>"),
        ("<r><!-- a --><b/></r>", lambda r: r.remove(r[0]), "<r><b/></r>"),
        ("<r><b/></r>", lambda r: r.append(etree.Comment(" n ")), "<r><b/><!-- n --></r>"),
        # prefixes
        (
            "<r xmlns:p='u:p'><p:a x='1'/></r>",
            lambda r: r[0].set("{u:p}y", "2"),
            "<r xmlns:p='u:p'><p:a x='1' p:y='2'/></r>",
        ),
        (
            "<r xmlns:p='u:p' p:a='1'/>",
            lambda r: r.set("{u:p}a", "2"),
            "<r xmlns:p='u:p' p:a='2'/>",
        ),
        (
            "<r><a xml:lang='de'/></r>",
            lambda r: r[0].set("{http://www.w3.org/XML/1998/namespace}lang", "ru"),
            "<r><a xml:lang='ru'/></r>",
        ),
        (
            "<r xmlns:p='u:p'/>",
            lambda r: etree.SubElement(r, "{u:p}a"),
            "<r xmlns:p='u:p'>\n  <p:a/>\n</r>",
        ),
        (
            "<r/>",
            lambda r: etree.SubElement(r, "{u:p}a", nsmap={"p": "u:p"}),
            "<r>\n  <p:a xmlns:p='u:p'/>\n</r>",
        ),
        (
            "<r xmlns='u:r'><a/></r>",
            lambda r: etree.SubElement(r, "{u:r}b"),
            "<r xmlns='u:r'><a/><b/></r>",
        ),
    ],
)
def test_only_what_changed_is_written_anew(text, edit, after):
    assert edited(text, edit) == after
    assert XmlDoc.parse(after).text() == after


def test_a_new_tree_has_single_quotes_and_a_last_line_break():
    root = etree.fromstring('<r a="1"><b c="it\'s">x</b><!-- n --><?p q?></r>')
    assert fresh(root) == "<r a='1'><b c='it&apos;s'>x</b><!-- n --><?p q?></r>\n"


def test_a_copied_element_brings_its_prefixes_along():
    source = XmlDoc.parse("<r xmlns:p='u:p'><p:a p:x='1'><p:b/></p:a></r>")
    other = XmlDoc.parse("<o>\n  <z/>\n</o>")
    import copy

    other.root.append(copy.deepcopy(source.root[0]))
    again = XmlDoc.parse(other.text())
    assert again.root[1].tag == "{u:p}a"
    assert again.root[1].get("{u:p}x") == "1"
    assert other.text().count("xmlns:p") == 1


def test_the_same_prefix_may_mean_different_things():
    doc = XmlDoc.parse("<r><p:a xmlns:p='u:1'/><p:a xmlns:p='u:2'/></r>")
    doc.root[1].set("x", "1")
    assert doc.text() == "<r><p:a xmlns:p='u:1'/><p:a xmlns:p='u:2' x='1'/></r>"


def test_many_edits_in_any_order_end_in_the_same_document(sample):
    first, second = DomainXml.parse(sample), DomainXml.parse(sample)
    first.title = "t"
    first.text()
    first.tags = ("a",)
    first.vcpus = 3
    second.vcpus = 3
    second.tags = ("a",)
    second.text()
    second.title = "t"
    assert XmlDoc.parse(first.text()).pretty == XmlDoc.parse(second.text()).pretty


def test_a_written_document_is_a_new_source(sample):
    domain = DomainXml.parse(sample)
    domain.title = "once"
    again = DomainXml.parse(domain.text())
    assert again.text() == domain.text()
    again.title = "twice"
    assert again.text() == domain.text().replace(">once<", ">twice<")


def test_documents_are_edited_and_checked_in_many_threads(data):
    texts = [path.read_bytes().decode() for path in sorted((data / "domains").glob("*.xml"))]
    schema = Schema.load()

    def work(text):
        domain = DomainXml.parse(text)
        problems = schema.check(domain.doc)
        disk = domain.disks.append(DiskXml.new(type="file", source_file="/a", target="vdz"))
        longer = domain.text()
        domain.remove_device(disk)
        return domain.text() == text, len(longer) > len(text), len(problems)

    alone = [work(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, texts * 8))
    assert together == alone * 8
    assert all(same and longer for same, longer, _ in alone)
