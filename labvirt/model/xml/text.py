"""One XML document: parsed without danger, edited as a tree, written back byte for byte."""

from __future__ import annotations

import codecs
import difflib
import re
from typing import TYPE_CHECKING, Final, Self

from lxml import etree

from labvirt.errors import Problem, SpecError
from labvirt.model.xml import layout, source, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

__all__ = ["LIMIT_BYTES", "LIMIT_NODES", "XmlDoc"]

LIMIT_BYTES: Final = 8 * 2**20
"""A definition has a few KB; libvirt itself reads at most 10 MB."""

LIMIT_NODES: Final = 200_000
"""Tags and comments of one document, so that a small text cannot take much memory."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENCODINGS: Final = re.compile(r"utf-?8|(us-)?ascii|iso-8859-\d+|latin-?1|windows-125\d|koi8-[ru]")
_DECLARED: Final = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_SECRET: Final = re.compile(r"passw|secret|token", re.IGNORECASE)
_BEFORE_ROOT: Final = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)


class XmlDoc:
    """An XML document that changes only where it is changed.

    Edit the tree below :attr:`root` with lxml as usual. :meth:`text` copies everything that was
    not edited from the source, so quotes, comments, namespaces, order, CDATA, character
    references, white space and line ends stay as they were; what was added is indented like what
    stands around it.
    """

    __slots__ = ("_nodes", "_root", "_source")

    def __init__(self, root: Element, source_text: str | None) -> None:
        """Wrap a tree; use :meth:`parse` or :meth:`new`."""
        self._root = root
        self._source = source_text
        # Proxies must be kept alive: lxml makes new ones for nodes that nobody holds, and then
        # a node could no longer be told from one that came later.
        self._nodes = source.nodes_of(root) if source_text is not None else ()

    @classmethod
    def parse(cls, text: str | bytes, *, limit_bytes: int = LIMIT_BYTES) -> Self:
        """Read a document safely: no DTD, no entities, no network, limited size and depth.

        Args:
            text: the document; bytes are decoded by their mark or declaration, UTF-8 otherwise.
            limit_bytes: the largest document taken.

        Raises:
            SpecError: not XML, hostile, too large or too deep; names line and column.
        """
        if not isinstance(text, str | bytes):
            raise _refusal("document", type(text).__name__, "is no text", "give the XML itself")
        if len(text) > limit_bytes:
            raise _refusal(
                "document", f"{len(text)} long", "is too large", f"at most {limit_bytes} bytes"
            )
        plain = text if isinstance(text, str) else _decode(text)
        if plain.count("<") > LIMIT_NODES:
            raise _refusal("document", "", "has too many tags", f"at most {LIMIT_NODES}")
        _refuse_doctype(plain)
        return cls(_tree(plain), plain)

    @classmethod
    def new(cls, tag: str, nsmap: dict[str, str] | None = None) -> Self:
        """Begin an empty document whose root is ``tag``."""
        return cls(etree.Element(tag, nsmap=nsmap), None)

    @property
    def root(self) -> Element:
        """The root element, to be read and edited in place."""
        return self._root

    @property
    def source(self) -> str | None:
        """The text that was parsed; None for a document made by :meth:`new`."""
        return self._source

    def is_original(self, node: Element) -> bool:
        """Tell whether ``node`` stood in the text that was parsed."""
        return any(node is one for one in self._nodes)

    def text(self) -> str:
        """Return the document; every part that was not edited is copied from the source."""
        if self._source is None:
            layout.indent_new(self._root)
            return write.fresh(self._root)
        original = source.Original(self._source, self._nodes, _tree(self._source))
        with layout.settled(original, self._root):
            return write.rewrite(original, self._root)

    @property
    def pretty(self) -> str:
        """The document indented anew, for reading and for comparing the sense of two texts."""
        copy = etree.fromstring(etree.tostring(self._root), _parser(remove_blank_text=True))
        layout.indent_new(copy)
        return write.fresh(copy)

    def diff(self, other: XmlDoc | str, *, before: str = "before", after: str = "after") -> str:
        """Return the unified diff from this document to ``other``, empty when they are equal."""
        theirs = other if isinstance(other, str) else other.text()
        lines = difflib.unified_diff(
            self.text().splitlines(), theirs.splitlines(), before, after, lineterm=""
        )
        return "".join(line + "\n" for line in lines)

    def remove(self, node: Element) -> None:
        """Take ``node`` out; text that follows it stays where it is."""
        parent = node.getparent()
        if parent is None:
            raise _refusal(str(node.tag), "", "is the root and cannot be removed", "")
        tail = node.tail
        if tail and tail.strip():
            before = node.getprevious()
            if before is None:
                parent.text = (parent.text or "") + tail
            else:
                before.tail = (before.tail or "") + tail
            node.tail = None
        parent.remove(node)

    def __iter__(self) -> Iterator[Element]:
        """Iterate over all elements in document order."""
        return (node for node in self._root.iter() if source.is_element(node))

    def __repr__(self) -> str:
        """Return the root tag only; documents may hold secrets."""
        return f"<XmlDoc {self._root.tag}>"


def _parser(*, remove_blank_text: bool = False) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",  # the text is decoded already, whatever it declares
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,  # libxml2 then refuses a depth over 256
        strip_cdata=False,
        remove_blank_text=remove_blank_text,
    )


def _tree(text: str) -> Element:
    """Parse well or raise a SpecError that names line and column."""
    try:
        return etree.fromstring(text.encode(), _parser())
    except UnicodeEncodeError as failure:
        raise _refusal(
            f"character {failure.start}", "", "is half a character (a lone surrogate)", ""
        ) from None
    except etree.XMLSyntaxError as failure:
        line, column = failure.position
        said = (failure.msg or "is no XML").split(", line ")[0].strip()
        lines = text.splitlines()
        shown = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        shown = "" if _SECRET.search(shown) else shown
        raise _refusal(f"line {line}, column {column}", shown, said, "") from None


def _decode(data: bytes) -> str:
    """Decode as XML does: mark, then declaration, then UTF-8."""
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "")
    if not encoding:
        found = _DECLARED.match(data[:200])
        encoding = found.group(1).decode().lower() if found else "utf-8"
        if not _ENCODINGS.fullmatch(encoding):
            raise _refusal("encoding", encoding, "cannot be read", "write UTF-8")
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as failure:
        where = f"byte {failure.start}" if isinstance(failure, UnicodeDecodeError) else "encoding"
        raise _refusal(where, encoding, f"is not {encoding}", "write UTF-8") from None


def _refuse_doctype(text: str) -> None:
    """Refuse a DTD, which is where entities come from; it can only stand before the root."""
    at = 1 if text.startswith("\ufeff") else 0
    while found := _BEFORE_ROOT.match(text, at):
        at = found.end()
    if text[at : at + 9].upper().startswith("<!DOCTYPE"):
        line = text.count("\n", 0, at) + 1
        raise _refusal(
            f"line {line}", "<!DOCTYPE", "document types and entities are not read", "remove it"
        )


def _refusal(where: str, value: str, why: str, hint: str) -> SpecError:
    shown = value if len(value) <= 60 else value[:57] + "..."
    return SpecError("the XML cannot be read", (Problem(where, shown, why, hint),))
