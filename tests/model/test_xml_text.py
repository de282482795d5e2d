"""A document comes back byte for byte, and hostile ones are refused quickly."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from labvirt.errors import SpecError
from labvirt.model.xml.text import LIMIT_NODES, XmlDoc

NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,6}", fullmatch=True)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n\t"),
    max_size=12,
)


def escape(text, quote=""):
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace(quote, "&#34;" if quote == '"' else "&#39;") if quote else text


def canonical(root):
    return etree.tostring(root, method="c14n", with_tail=False)


@st.composite
def attributes(draw):
    found = draw(st.dictionaries(NAMES, TEXTS, max_size=3))
    written = ""
    for name, value in found.items():
        quote = draw(st.sampled_from("'\""))
        space = draw(st.sampled_from([" ", "\n  ", "\t", "  "]))
        equals = draw(st.sampled_from(["=", " = ", "= "]))
        written += f"{space}{name}{equals}{quote}{escape(value, quote)}{quote}"
    return written + draw(st.sampled_from(["", " ", "\n"]))


@st.composite
def comments(draw):
    words = draw(TEXTS).replace("-", "_").replace(">", "")
    return draw(st.sampled_from([f"<!--{words}-->", f"<?note {words.strip().replace('?', '')}?>"]))


def elements(children):
    @st.composite
    def element(draw):
        name = draw(NAMES)
        inner = "".join(draw(st.lists(children, max_size=4)))
        start = f"<{name}{draw(attributes())}"
        if not inner and draw(st.booleans()):
            return f"{start}/>"
        return f"{start}>{inner}</{name}{draw(st.sampled_from(['', ' ']))}>"

    return element()


CDATA = TEXTS.map(lambda text: f"<![CDATA[{text.replace(']]>', '')}]]>")
LEAVES = st.one_of(TEXTS.map(escape), comments(), CDATA, st.just("&#x41;&amp;"), st.just("\r\n  "))
ELEMENTS = elements(st.recursive(LEAVES, elements, max_leaves=12))


@st.composite
def documents(draw):
    head = draw(
        st.sampled_from(
            ["", "<?xml version='1.0'?>\n", "\ufeff<?xml version='1.0' ?>", "<!-- a -->\n"]
        )
    )
    return head + draw(ELEMENTS) + draw(st.sampled_from(["", "\n", "\n<!-- z -->\n\n", "\r\n"]))


@settings(max_examples=200, deadline=None)
@given(documents())
def test_any_document_comes_back_as_it_was(text):
    doc = XmlDoc.parse(text)
    assert doc.text() == text
    assert doc.text() == text


@settings(max_examples=100, deadline=None)
@given(documents(), st.data())
def test_an_attribute_changes_only_its_own_place(text, data):
    doc = XmlDoc.parse(text)
    node = data.draw(st.sampled_from(list(doc)))
    node.set("changed-by-test", "yes & 'no'")
    after = doc.text()
    assert canonical(XmlDoc.parse(after).root) == canonical(doc.root)
    start = next(
        at for at, (a, b) in enumerate(zip(text + "\0", after + "\0", strict=False)) if a != b
    )
    inserted = after[start : start + len(after) - len(text)]
    assert text[:start] + inserted + text[start:] == after
    assert "changed-by-test" in after[max(0, start - 20) : start + len(inserted) + 20]


@settings(max_examples=100, deadline=None)
@given(documents(), st.data())
def test_an_added_element_leaves_everything_else_in_place_and_goes_without_a_trace(text, data):
    doc = XmlDoc.parse(text)
    parent = data.draw(st.sampled_from(list(doc)))
    new = etree.SubElement(parent, "labvirt-new")
    after = doc.text()
    assert after.count("<labvirt-new/>") == 1
    reread = XmlDoc.parse(after)
    assert [node.tag for node in reread] == [node.tag for node in doc]
    doc.remove(new)
    if "/>" not in text:
        assert doc.text() == text
    assert XmlDoc.parse(doc.text()).pretty == XmlDoc.parse(text).pretty


@settings(max_examples=200, deadline=None)
@given(documents(), TEXTS, st.data())
def test_a_changed_text_is_read_back_as_it_was_set(text, words, data):
    doc = XmlDoc.parse(text)
    node = data.draw(st.sampled_from(list(doc)))
    node.text = words
    reread = XmlDoc.parse(doc.text())
    place = list(doc).index(node)
    assert (list(reread)[place].text or "") == words


@settings(max_examples=100, deadline=None)
@given(documents(), st.data())
def test_removing_an_element_keeps_all_text_around_it(text, data):
    doc = XmlDoc.parse(text)
    node = data.draw(st.sampled_from(list(doc)))
    if node is doc.root:
        return
    gone = sum(1 for _ in node.iter())
    before = sum(1 for _ in doc.root.iter())
    parent = node.getparent()
    around = "".join(parent.xpath("text()")).split()
    doc.remove(node)
    assert "".join(parent.xpath("text()")).split() == around
    assert sum(1 for _ in XmlDoc.parse(doc.text()).root.iter()) == before - gone


def test_two_changes_and_their_undoing_give_the_source_again(sample):
    doc = XmlDoc.parse(sample)
    first = doc.root[0]
    kept = first.tail
    extra = etree.SubElement(doc.root, "extra")
    doc.text()
    doc.remove(first)
    doc.text()
    doc.remove(extra)
    doc.root.insert(0, first)
    first.tail = kept
    assert doc.text() == sample


@pytest.mark.parametrize("name", ["10-foreign-metadata", "11-comments-everywhere"])
def test_a_changed_comment_is_written_anew_and_nothing_else(data, name):
    text = (data / "domains" / f"{name}.xml").read_text()
    doc = XmlDoc.parse(text)
    comment = next(doc.root.iter(etree.Comment))
    old = comment.text
    comment.text = " changed "
    assert doc.text() == text.replace(f"<!--{old}-->", "<!-- changed -->", 1)


def test_comments_around_the_root_are_kept_changed_and_added():
    doc = XmlDoc.parse("<?xml version='1.0'?>\n<!-- a -->\n<r/>\n<!-- b -->\n")
    doc.root.getprevious().text = " changed "
    assert doc.text() == "<?xml version='1.0'?>\n<!-- changed -->\n<r/>\n<!-- b -->\n"
    doc.root.addnext(etree.Comment("c"))
    assert XmlDoc.parse(doc.text()).text().count("<!--") == 3


def test_new_children_take_the_indentation_of_their_siblings():
    doc = XmlDoc.parse("<r>\n\t<a/>\n\t<b>\n\t</b>\n</r>")
    doc.root.append(etree.fromstring("<c><d/></c>"))
    doc.root[1].append(etree.fromstring("<e>x</e>"))
    assert doc.text() == ("<r>\n\t<a/>\n\t<b>\n\t\t<e>x</e>\n\t</b>\n\t<c>\n\t\t<d/>\n\t</c>\n</r>")


def test_new_children_of_a_self_closed_element_open_it():
    doc = XmlDoc.parse('<r>\n  <a x="1" />\n</r>\n')
    etree.SubElement(doc.root[0], "b", y="2")
    assert doc.text() == '<r>\n  <a x="1">\n    <b y="2"/>\n  </a>\n</r>\n'


def test_a_moved_element_keeps_its_text_and_its_prefixes():
    doc = XmlDoc.parse('<r>\n  <a xmlns:p="u:p"><p:b k="1">x &#65;</p:b></a>\n  <c/>\n</r>')
    doc.root[1].append(doc.root[0][0])
    after = XmlDoc.parse(doc.text())
    assert after.root[1][0].tag == "{u:p}b"
    assert after.root[1][0].text == "x A"


def test_an_element_without_namespace_stays_so_below_a_default_one():
    doc = XmlDoc.parse('<r xmlns="u:r"><a/></r>')
    doc.root.append(etree.Element("plain"))
    assert XmlDoc.parse(doc.text()).root[1].tag == "plain"


def test_line_ends_of_the_document_are_used_for_what_is_new():
    doc = XmlDoc.parse("<r>\r\n  <a/>\r\n</r>\r\n")
    doc.root.append(etree.fromstring("<b>one\ntwo</b>"))
    assert doc.text() == "<r>\r\n  <a/>\r\n  <b>one\r\ntwo</b>\r\n</r>\r\n"


def test_attributes_with_line_breaks_survive_a_second_reading():
    doc = XmlDoc.parse("<r/>")
    doc.root.set("a", "x\ny\tz\r\"'<&>")
    assert XmlDoc.parse(doc.text()).root.get("a") == "x\ny\tz\r\"'<&>"


def test_a_new_document_is_indented_and_quoted_as_libvirt_does():
    doc = XmlDoc.new("domain")
    etree.SubElement(etree.SubElement(doc.root, "devices"), "disk", type="file")
    assert doc.text() == "<domain>\n  <devices>\n    <disk type='file'/>\n  </devices>\n</domain>\n"


def test_diff_shows_changed_lines_only():
    doc = XmlDoc.parse("<r>\n  <a>1</a>\n  <b>2</b>\n</r>\n")
    assert doc.diff(doc) == ""
    changed = doc.text().replace("1", "3")
    assert [line for line in doc.diff(changed).splitlines() if line[0] in "+-"][2:] == [
        "-  <a>1</a>",
        "+  <a>3</a>",
    ]


def test_pretty_makes_equal_what_differs_in_white_space_only():
    one = XmlDoc.parse("<r><a/><b>x</b></r>")
    other = XmlDoc.parse("<r>\n   <a></a>\n<b>x</b></r>")
    assert one.pretty == other.pretty == "<r>\n  <a/>\n  <b>x</b>\n</r>\n"


def test_the_root_cannot_be_removed():
    doc = XmlDoc.parse("<r/>")
    with pytest.raises(SpecError, match="is the root"):
        doc.remove(doc.root)


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{"&lol%s;" % (n - 1 or "") * 10}">' for n in range(1, 10))
    + "]><domain><name>&lol9;</name></domain>"
)
HOSTILE = {
    "billion laughs": LAUGHS,
    "external entity": ('<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>'),
    "external DTD": '<?xml version="1.0"?>\n<!-- c -->\n<!DOCTYPE d SYSTEM "http://192.0.2.1/d.dtd"><d/>',
    "entity in an attribute": '<!DOCTYPE d [<!ENTITY x "y">]><d a="&x;"/>',
    "undefined entity": "<d>&nobody;</d>",
    "NUL": "<d>\0</d>",
    "NUL by reference": "<d>&#0;</d>",
    "control character": "<d>\x1b[31m</d>",
    "lone surrogate": "<d>\ud800</d>",
    "deep": "<a>" * 100_000 + "</a>" * 100_000,
    "not closed": "<domain><name>x</name>",
    "closed wrongly": "<domain><name>x</domain></name>",
    "two roots": "<a/><b/>",
    "no XML": "qemu-system-x86_64 -m 256",
    "JSON": '{"name": "web1"}',
    "empty": "",
    "blank": "  \n ",
    "no tag": "<>",
    "half a tag": "<domain",
    "attribute twice": "<a b='1' b='2'/>",
    "attribute without quotes": "<a b=1/>",
    "unknown prefix": "<x:a/>",
    "two dashes in a comment": "<a><!-- -- --></a>",
    "many tags": "<a>" + "<b/>" * (LIMIT_NODES + 10) + "</a>",
    "50 MB": "<domain><description>" + "x" * 50_000_000 + "</description></domain>",
    "many attributes": "<a " + " ".join(f"b{n}='1'" for n in range(60_000)) + "><b></a>",
    "bytes: not UTF-8": b"<a>\xff\xfe</a>",
    "bytes: declared ASCII": b"<?xml version='1.0' encoding='us-ascii'?><a>\xc3\xa4</a>",
    "bytes: unknown encoding": b"<?xml version='1.0' encoding='utf-7'?><a>+ADw-</a>",
    "bytes: zip": b"<?xml version='1.0' encoding='zip'?><a/>",
    "bytes: half a UTF-16": "<a/>".encode("utf-16")[:-1],
    "bytes: gzip": b"\x1f\x8b\x08\x00\x00\x00",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_and_malformed_documents_are_one_quick_error(text):
    tracemalloc.start()
    began = time.perf_counter()
    try:
        with pytest.raises(SpecError) as caught:
            XmlDoc.parse(text)
        took = time.perf_counter() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].field
    assert caught.value.exit_code == 2
    assert took < 2
    assert peak < 20_000_000
    assert len(str(caught.value)) < 500


def test_an_error_names_line_and_column():
    with pytest.raises(SpecError) as caught:
        XmlDoc.parse("<domain>\n  <name>x</nam>\n</domain>")
    assert caught.value.field.startswith("line 2, column")


def test_an_error_does_not_repeat_a_password():
    with pytest.raises(SpecError) as caught:
        XmlDoc.parse("<domain>\n<graphics passwd='hunter2' <x/>\n</domain>")
    assert "hunter2" not in str(caught.value)


def test_an_outside_file_is_never_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    text = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]><d>&x;</d>'
    with pytest.raises(SpecError) as caught:
        XmlDoc.parse(text)
    assert "the secret" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "koi8-r"])
def test_bytes_are_decoded_by_mark_or_declaration(encoding):
    word = "Привет" if encoding == "koi8-r" else "äöü"
    name = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    text = f"<?xml version='1.0' encoding='{name}'?><a>{word}</a>"
    assert XmlDoc.parse(text.encode(encoding)).root.text == word


def test_a_string_is_read_whatever_encoding_it_declares():
    assert XmlDoc.parse("<?xml version='1.0' encoding='utf-16'?><a>é</a>").root.text == "é"


def test_a_document_of_the_largest_size_is_still_read():
    text = "<d>" + "x" * (8 * 2**20 - 7) + "</d>"
    assert XmlDoc.parse(text).text() == text


def test_a_repr_shows_no_content():
    assert repr(XmlDoc.parse("<graphics passwd='x'/>")) == "<XmlDoc graphics>"
