"""RELAX NG in its XML form turned into patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.model.grammar.patterns import (
    EMPTY,
    NOT_ALLOWED,
    TEXT,
    Attribute,
    Data,
    ElementPattern,
    Pattern,
    Value,
    choice,
    either,
    repeat,
    together,
)
from labvirt.model.xml.source import is_element
from labvirt.model.xml.view import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lxml.etree import _Element as Element

__all__ = ["Grammar"]

_RNG: Final = "{http://relaxng.org/ns/structure/1.0}"


class Grammar:
    """One grammar with its definitions.

    Args:
        root: the ``<grammar>`` element.
        read: returns the root of another file of the schema by its name.
    """

    def __init__(self, root: Element, read: Callable[[str], Element]) -> None:
        self._read = read
        # name -> (how several of that name are combined, the elements)
        self._defines: dict[str, tuple[str, list[Element]]] = {}
        self._patterns: dict[str, Pattern] = {}
        self._gather(root, frozenset())

    @property
    def start(self) -> Pattern:
        """What may be the root of a document."""
        return self._reference("<start>")

    def _gather(self, root: Element, overridden: frozenset[str]) -> None:
        """Collect definitions; those in ``overridden`` are replaced by an including file."""
        for node in _children(root):
            kind = _kind(node)
            if kind == "include":
                own = frozenset(_define_name(one) for one in _children(node))
                self._gather(self._read(plain(node.get("href")) or ""), overridden | own)
                self._gather(node, overridden)
            elif kind == "div":
                self._gather(node, overridden)
            elif kind in {"define", "start"} and _define_name(node) not in overridden:
                name = _define_name(node)
                combine, nodes = self._defines.get(name, ("", []))
                combine = plain(node.get("combine")) or combine
                # A file included twice says the same twice.
                if not any(one is node for one in nodes):
                    nodes.append(node)
                self._defines[name] = (combine, nodes)

    def _reference(self, name: str) -> Pattern:
        if name not in self._patterns:
            combine, nodes = self._defines.get(name, ("", []))
            made = [self._group(node, name) for node in nodes]
            mixed = combine == "interleave"
            self._patterns[name] = together("interleave", made) if mixed else either(made)
        return self._patterns[name]

    def _group(self, node: Element, label: str) -> Pattern:
        """Return the children of ``node`` one after the other."""
        return together("group", [self._pattern(child, label) for child in _children(node)])

    def _pattern(self, node: Element, label: str) -> Pattern:  # noqa: PLR0911 - one per kind
        kind = _kind(node)
        if kind == "ref":
            return self._reference(plain(node.get("name")) or "")
        if kind in {"element", "attribute"}:
            return self._named(node, kind, label)
        if kind in {"optional", "zeroOrMore", "oneOrMore"}:
            inner = self._group(node, label)
            inner = inner if kind == "optional" else repeat(inner)
            return inner if kind == "oneOrMore" else choice(inner, EMPTY)
        if kind == "choice":
            return either(self._pattern(child, label) for child in _children(node))
        if kind in {"interleave", "mixed"}:
            made = [self._pattern(child, label) for child in _children(node)]
            text = [TEXT] if kind == "mixed" else []
            return together("interleave", [*text, *made])
        if kind == "grammar":
            return Grammar(node, self._read).start
        if kind == "data":
            return self._data(node, label)
        if kind == "value":
            return Value(node.text or "")
        if kind == "group":
            return self._group(node, label)
        return {"empty": EMPTY, "text": TEXT}.get(kind, NOT_ALLOWED)

    def _named(self, node: Element, kind: str, label: str) -> Pattern:
        """Return an element or attribute; its name is an attribute or its first child."""
        name = plain(node.get("name"))
        inner = list(_children(node))
        if name is None:
            inner = inner[1:]  # <anyName/>: libvirt uses no other class of names
        space = _namespace(node) if kind == "element" else plain(node.get("ns"))
        if name is not None and space:
            name = f"{{{space}}}{name}"

        def content() -> Pattern:
            return together("group", [self._pattern(child, label) for child in inner])

        if kind == "element":
            return ElementPattern(name, content)
        return Attribute(name, content() if inner else TEXT)

    def _data(self, node: Element, label: str) -> Data:
        params = []
        exception = None
        for child in _children(node):
            if _kind(child) == "param":
                params.append((plain(child.get("name")) or "", child.text or ""))
            elif _kind(child) == "except":
                exception = either(self._pattern(one, label) for one in _children(child))
        return Data(plain(node.get("type")) or "string", tuple(params), label, exception)


def _children(node: Element) -> Iterator[Element]:
    """Iterate over what RELAX NG itself says; annotations are skipped."""
    return (one for one in node if is_element(one) and str(one.tag).startswith(_RNG))


def _namespace(node: Element) -> str | None:
    """Return the namespace of an element's name; it is inherited from what it stands in."""
    here: Element | None = node
    while here is not None:
        if here.get("ns") is not None:
            return plain(here.get("ns"))
        here = here.getparent()
    return None


def _kind(node: Element) -> str:
    return str(node.tag).removeprefix(_RNG)


def _define_name(node: Element) -> str:
    return "<start>" if _kind(node) == "start" else plain(node.get("name")) or ""
