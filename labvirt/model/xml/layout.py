"""White space around what was added to or taken out of a tree."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from labvirt.model.xml.source import is_element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element as Element

    from labvirt.model.xml.source import Original

__all__ = ["indent_new", "settled"]

_UNIT: Final = "  "


def indent_new(root: Element) -> None:
    """Indent everything below ``root``, which did not come from a source text."""
    _Space().indent(root, "\n", _UNIT)


@contextmanager
def settled(original: Original, root: Element) -> Iterator[None]:
    """Indent, for the time of the ``with``, what is new and close the gaps of what is gone.

    The tree is put back afterwards: white space is nobody's edit, and must not look like one
    when the tree is edited again.
    """
    space = _Space()
    unit = _unit_of(original)
    try:
        for node in list(root.iter()):
            if is_element(node) and original.knows(node):
                _settle_children(original, node, unit, space)
        yield
    finally:
        space.restore()


class _Space:
    """White space that is set for a while."""

    def __init__(self) -> None:
        self._before: list[tuple[Element, bool, str | None]] = []

    def text(self, node: Element, value: str) -> None:
        self._before.append((node, True, node.text))
        node.text = value

    def tail(self, node: Element, value: str) -> None:
        self._before.append((node, False, node.tail))
        node.tail = value

    def restore(self) -> None:
        for node, is_text, value in reversed(self._before):
            if is_text:
                node.text = value
            else:
                node.tail = value

    def indent(self, node: Element, outer: str, unit: str) -> None:
        """Indent below ``node``; ``outer`` is the line break and indentation of ``node``."""
        children = list(node)
        if not children or not _is_layout(node):
            return
        inner = outer + unit if outer else ""
        self.text(node, inner)
        for child in children:
            if is_element(child):
                self.indent(child, inner, unit)
            self.tail(child, inner)
        self.tail(children[-1], outer)


def _settle_children(original: Original, parent: Element, unit: str, space: _Space) -> None:
    now, before = list(parent), original.children_were(parent)
    if [id(child) for child in now] == [id(child) for child in before] or not _is_layout(parent):
        return
    inner, outer = _indents(original, parent, unit)
    if not now:
        if parent.text == original.was(parent).text:
            space.text(parent, outer)
        return
    if not before or not parent.text:
        space.text(parent, inner)
    last_before = before[-1] if before else None
    for place, child in enumerate(now):
        is_last = place == len(now) - 1
        if not original.knows(child) or not original.same_parent(child):
            if not original.knows(child) and is_element(child):
                space.indent(child, inner, unit)
            space.tail(child, outer if is_last else inner)
        elif child.tail == original.was(child).tail and is_last != (child is last_before):
            space.tail(child, outer if is_last else inner)


def _indents(original: Original, parent: Element, unit: str) -> tuple[str, str]:
    """Return the white space before each child of ``parent``, and before its end tag."""
    was = original.was(parent)
    if len(was):
        return _last_line(was.text), was[-1].tail or ""
    if was.text and "\n" in was.text:
        outer = _last_line(was.text)
        return outer + unit, outer
    outer = _own_indent(parent)
    return (outer + unit, outer) if outer else ("", "")


def _own_indent(node: Element) -> str:
    """Return line break and indentation of ``node``, empty when it shares a line."""
    parent = node.getparent()
    if parent is None:
        return "\n"
    before = node.getprevious()
    space = parent.text if before is None else before.tail
    return _last_line(space) if space and "\n" in space else ""


def _last_line(space: str | None) -> str:
    """Return the last line break of ``space`` and what follows it; blank lines are dropped."""
    if not space or "\n" not in space:
        return space or ""
    return space[space.rindex("\n") :]


def _is_layout(parent: Element) -> bool:
    """Tell whether all text directly in ``parent`` is white space."""
    return not (parent.text or "").strip() and all(
        not (child.tail or "").strip() for child in parent
    )


def _unit_of(original: Original) -> str:
    """Return one step of indentation, as the first indented child of the root shows it."""
    for node in original.nodes:
        was = original.was(node)
        if is_element(was) and len(was):
            line = _last_line(was.text)
            return line.removeprefix("\n") or _UNIT if line.startswith("\n") else _UNIT
    return _UNIT
