"""Where every node of a parsed document stands in its source text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

__all__ = ["Original", "Span", "is_element", "nodes_of"]

# The text is known to be well-formed and without DTD; so these five shapes are all there are.
_TOKEN: Final = re.compile(
    r"""<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>|</[^>]*>|<(?:[^"'>]|"[^"]*"|'[^']*')*>""",
    re.DOTALL,
)
_DECLARATION: Final = re.compile(r"<\?xml\s")


@dataclass(slots=True)
class Span:
    """The offsets of one node: start tag ``[start:opened]``, end tag ``[closed:end]``."""

    start: int
    opened: int
    closed: int
    end: int


def is_element(node: Element) -> bool:
    """Tell an element from a comment or an instruction, whose ``tag`` is a function in lxml."""
    return _is_text(node.tag)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def nodes_of(root: Element) -> tuple[Element, ...]:
    """Return all nodes in document order, with comments and instructions around the root."""
    before = reversed(list(root.itersiblings(preceding=True)))
    return (*before, *root.iter(), *root.itersiblings())


def spans_of(text: str) -> list[Span]:
    """Return the span of every element, comment and instruction of ``text``, in its order."""
    spans: list[Span] = []
    open_spans: list[Span] = []
    for token in _TOKEN.finditer(text):
        start, end = token.span()
        if text.startswith("</", start):
            span = open_spans.pop()
            span.closed, span.end = start, end
        elif text.startswith("<![", start) or _DECLARATION.match(text, start):
            continue
        else:
            span = Span(start, end, end, end)
            spans.append(span)
            if text[start + 1] not in "!?" and not text.endswith("/>", start, end):
                open_spans.append(span)
    return spans


class Original:
    """A source text with its nodes: those that live in the edited tree, and as they were.

    Args:
        text: the source.
        nodes: the nodes of the tree that may have been edited since, in order of the source.
        tree: root of the same source parsed once more: what the nodes were at first.
    """

    __slots__ = ("_place", "_were", "_were_place", "newline", "nodes", "quote", "spans", "text")

    def __init__(self, text: str, nodes: tuple[Element, ...], tree: Element) -> None:
        self.text = text
        self.nodes = nodes
        self.spans = spans_of(text)
        self._were = nodes_of(tree)
        # By identity: a live proxy is one object, and two equal nodes are still two nodes.
        self._place = {id(node): place for place, node in enumerate(nodes)}
        self._were_place = {id(node): place for place, node in enumerate(self._were)}
        self.newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
        self.quote = '"' if text.count('="') > text.count("='") else "'"

    def knows(self, node: Element) -> bool:
        """Tell whether ``node`` stood in the source."""
        return id(node) in self._place

    def was(self, node: Element) -> Element:
        """Return ``node`` as it was."""
        return self._were[self._place[id(node)]]

    def span(self, node: Element) -> Span:
        """Return where ``node`` stands in the source."""
        return self.spans[self._place[id(node)]]

    def same_parent(self, node: Element) -> bool:
        """Tell whether ``node`` is still the child of the element whose child it was."""
        return self._now(self.was(node).getparent()) is node.getparent()

    def children_were(self, node: Element) -> list[Element]:
        """Return the live nodes that were the children of ``node``."""
        return [now for child in self.was(node) if (now := self._now(child)) is not None]

    def raw_text(self, node: Element) -> str:
        """Return the source between the start tag of ``node`` and its first child or end tag."""
        was = self.was(node)
        span = self.span(node)
        first = self._span_of_was(was[0]).start if len(was) else span.closed
        return self.text[span.opened : first]

    def raw_tail(self, node: Element) -> str:
        """Return the source between ``node`` and whatever came next."""
        was = self.was(node)
        following, parent = was.getnext(), was.getparent()
        if parent is None:
            return ""
        stop = self._span_of_was(parent).closed
        if following is not None:
            stop = self._span_of_was(following).start
        return self.text[self.span(node).end : stop]

    def _span_of_was(self, was: Element) -> Span:
        return self.spans[self._were_place[id(was)]]

    def _now(self, was: Element | None) -> Element | None:
        return None if was is None else self.nodes[self._were_place[id(was)]]
