"""A tree written as text: unedited parts copied from the source, the rest made anew."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lxml import etree

from labvirt.model.xml.source import is_element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element as Element

    from labvirt.model.xml.source import Original

__all__ = ["fresh", "rewrite"]

_ATTRIBUTE: Final = re.compile(r"""(\s+)([^\s=]+)(\s*=\s*)("[^"]*"|'[^']*')""")
_NAME: Final = re.compile(r"<[^\s/>]+")
_XML: Final = "http://www.w3.org/XML/1998/namespace"

_Scope = dict[str | None, str]


def fresh(root: Element) -> str:
    """Write a tree that has no source, as libvirt writes: single quotes, a last line break."""
    return _Writer(None).node(root, {}) + "\n"


def rewrite(original: Original, root: Element) -> str:
    """Write an edited tree; what was not edited comes from its source."""
    writer = _Writer(original)
    span = original.span(root)
    text = original.text
    before = [*reversed(list(root.itersiblings(preceding=True)))]
    after = list(root.itersiblings())
    head, tail = text[: span.start], text[span.end :]
    place = next(at for at, node in enumerate(original.nodes) if node is root)
    total = sum(1 for _ in original.was(root).iter())
    if not writer.untouched(before, original.nodes[:place]):
        declaration = re.match(r"\ufeff?(<\?xml\s.*?\?>\s*)?", text, re.DOTALL)
        head = declaration.group() if declaration else ""
        head += "".join(writer.node(node, {}) + original.newline for node in before)
    if not writer.untouched(after, original.nodes[place + total :]):
        tail = "".join(original.newline + writer.node(node, {}) for node in after)
        tail += original.newline
    return head + writer.node(root, {}) + tail


class _Writer:
    """Writes nodes one by one; knows quote style and line ends of the document."""

    def __init__(self, original: Original | None) -> None:
        self.original = original
        self.quote = original.quote if original else "'"
        self.newline = original.newline if original else "\n"

    def untouched(self, nodes: list[Element], were: tuple[Element, ...]) -> bool:
        """Tell whether the nodes outside the root are those of the source, unedited."""
        return len(nodes) == len(were) and all(
            node is old and self._same_words(node) for node, old in zip(nodes, were, strict=True)
        )

    def node(self, node: Element, scope: _Scope | None) -> str:
        """Return ``node`` without its tail; ``scope`` is the prefixes in force around it.

        None stands for those of the parent in the tree.
        """
        known = self.original if self.original and self.original.knows(node) else None
        if not is_element(node):
            if known and self._same_words(node):
                span = known.span(node)
                return known.text[span.start : span.end]
            return etree.tostring(node, encoding="unicode", with_tail=False)
        tag, own, inner = self._start_tag(node, scope)
        parts = [self._text(node)]
        for child in node:
            parts.append(self.node(child, inner))
            parts.append(self._tail(child))
        content = "".join(parts)
        if not content and (known is None or known.span(node).closed == known.span(node).end):
            return f"{tag}/>"
        if known and own and known.span(node).closed < known.span(node).end:
            return tag + ">" + content + known.text[known.span(node).closed : known.span(node).end]
        name = _NAME.match(tag)
        return f"{tag.rstrip()}>{content}</{name.group()[1:] if name else ''}>"

    def _same_words(self, node: Element) -> bool:
        """Tell whether a comment or instruction still says what it said."""
        was = self.original.was(node) if self.original else node
        return node.text == was.text and getattr(node, "target", "") == getattr(was, "target", "")

    def _text(self, node: Element) -> str:
        known = self.original if self.original and self.original.knows(node) else None
        if known and (known.was(node).text or "") == (node.text or ""):
            return known.raw_text(node)
        return self._escape(node.text or "")

    def _tail(self, node: Element) -> str:
        known = self.original if self.original and self.original.knows(node) else None
        if known and (known.was(node).tail or "") == (node.tail or ""):
            return known.raw_tail(node)
        return self._escape(node.tail or "")

    def _start_tag(self, node: Element, scope: _Scope | None) -> tuple[str, bool, _Scope | None]:
        """Return the start tag without its end, whether it keeps its name, and inner prefixes."""
        known = self.original if self.original and self.original.knows(node) else None
        parent = node.getparent()
        if known and (parent is None or known.same_parent(node)):
            was = known.was(node)
            same = was.tag == node.tag and was.attrib == node.attrib
            if same or (was.tag == node.tag and was.nsmap == node.nsmap):
                return self._patched(node, was), True, None
        if scope is None:
            scope = {} if parent is None else dict(parent.nsmap)
        name, prefixes = self._fresh_name(node, scope)
        return name + self._fresh_attributes(_attributes(node), prefixes), False, prefixes

    def _patched(self, node: Element, was: Element) -> str:
        """Return the source of a start tag with the changed attributes changed in place."""
        assert self.original is not None
        span = self.original.span(node)
        raw = self.original.text[span.start : span.opened]
        raw = raw.removesuffix(">").removesuffix("/" if span.opened == span.end else "")
        now, before = _attributes(node), _attributes(was)
        if now == before:
            return raw
        name = _NAME.match(raw)
        parts = [name.group() if name else ""]
        at = len(parts[0])
        for found in _ATTRIBUTE.finditer(raw, at):
            space, label, equals, value = found.groups()
            at = found.end()
            key = _clark(label, node.nsmap)
            if key is None or (key in now and now[key] == before[key]):
                parts.append(found.group())
            elif key in now:
                quote = value[0]
                parts.append(f"{space}{label}{equals}{quote}{_attribute(now[key], quote)}{quote}")
        added = {key: value for key, value in now.items() if key not in before}
        parts.append(self._fresh_attributes(added, dict(node.nsmap)))
        parts.append(raw[at:])
        return "".join(parts)

    def _fresh_name(self, node: Element, scope: _Scope) -> tuple[str, _Scope]:
        """Return ``<name`` with the namespace declarations that ``scope`` lacks."""
        declared = {key: uri for key, uri in node.nsmap.items() if (scope.get(key) or "") != uri}
        space = etree.QName(node).namespace
        if not space and scope.get(None):
            declared[None] = ""
        local = etree.QName(node).localname
        start = f"<{node.prefix}:{local}" if node.prefix else f"<{local}"
        quote = self.quote
        for prefix, uri in declared.items():
            label = f"xmlns:{prefix}" if prefix else "xmlns"
            start += f" {label}={quote}{_attribute(uri, quote)}{quote}"
        return start, {**scope, **declared}

    def _fresh_attributes(self, items: Mapping[str, str], prefixes: _Scope) -> str:
        quote = self.quote
        text = ""
        for key, value in items.items():
            name = etree.QName(key)
            label = name.localname
            if name.namespace:
                label = f"{_prefix(name.namespace, prefixes)}:{label}"
            text += f" {label}={quote}{_attribute(value, quote)}{quote}"
        return text

    def _escape(self, text: str) -> str:
        plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return plain.replace("\r", "&#13;").replace("\n", self.newline)


def _attributes(node: Element) -> dict[str, str]:
    return {str(key): str(value) for key, value in node.attrib.items()}


def _attribute(value: str, quote: str) -> str:
    """Escape an attribute's value; line breaks and tabs would be read back as blanks."""
    plain = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = plain.replace(quote, "&quot;" if quote == '"' else "&apos;")
    return plain.replace("\r", "&#13;").replace("\n", "&#10;").replace("\t", "&#9;")


def _clark(label: str, nsmap: Mapping[str | None, str]) -> str | None:
    """Return lxml's name of a raw attribute, None for a namespace declaration."""
    prefix, _, local = label.rpartition(":")
    if "xmlns" in {prefix, label}:
        return None
    if not prefix:
        return label
    return f"{{{_XML if prefix == 'xml' else nsmap[prefix]}}}{local}"


def _prefix(namespace: str, prefixes: _Scope) -> str:
    if namespace == _XML:
        return "xml"
    return next(key for key, uri in prefixes.items() if key and uri == namespace)
