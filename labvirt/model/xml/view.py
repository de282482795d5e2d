"""An element seen through its facts, and the path by which a fact is found, made and removed."""

from __future__ import annotations

import re
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Generic,
    NamedTuple,
    Self,
    TypeVar,
    cast,
    overload,
)

from lxml import etree

from labvirt.errors import Problem, SpecError
from labvirt.model.spec import MASK, did_you_mean, is_secret, shorten
from labvirt.model.xml.order import insert_in_order
from labvirt.model.xml.source import is_element
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lxml.etree import _Element as Element

__all__ = [
    "NAMESPACES",
    "Fact",
    "View",
    "drop",
    "find",
    "make",
    "nsmap_for",
    "own_text",
    "plain",
    "remove_attribute",
]

NAMESPACES: Final[dict[str, str]] = {
    "labvirt": "https://labvirt.org/xmlns/domain/1",
    "labvirt-was": "https://labvirt.org/xmlns/was/1",
    "qemu": "http://libvirt.org/schemas/domain/qemu/1.0",
    "fs": "http://libvirt.org/schemas/storagepool/fs/1.0",
    "rbd": "http://libvirt.org/schemas/storagepool/rbd/1.0",
    "dnsmasq": "http://libvirt.org/schemas/network/dnsmasq/1.0",
}

T = TypeVar("T")
_STEP: Final = re.compile(r"([\w:.-]+)(?:\[(\w+)=([^\]]*)\])?")


class _Step(NamedTuple):
    """One child on the way to a fact: its tag, and an attribute that it must carry."""

    tag: str
    key: str
    value: str

    def matches(self, node: Element) -> bool:
        return node.tag == self.tag and (not self.key or node.get(self.key) == self.value)


class View:
    """One element of a document, its facts as attributes.

    Reading an absent fact gives None; setting None, or deleting, removes it. What no fact speaks
    of stays untouched. Views of the same element are equal.
    """

    TAG: ClassVar[str] = ""
    FACTS: ClassVar[Mapping[str, Fact[Any]]] = {}
    __slots__ = ("doc", "element")

    def __init__(self, element: Element, doc: XmlDoc) -> None:
        self.element = element
        self.doc = doc

    def __init_subclass__(cls) -> None:
        """Collect the facts of the class in the order of its lines."""
        own = {name: fact for name, fact in vars(cls).items() if isinstance(fact, Fact)}
        cls.FACTS = {**cls.FACTS, **own}

    @classmethod
    def new(cls, **facts: Any) -> Self:
        """Make the element in a document of its own; facts that are None are left out."""
        doc = XmlDoc.new(cls.TAG)
        view = cls(doc.root, doc)
        view.set(**facts)
        return view

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a document whose root is this kind of element.

        Raises:
            SpecError: not XML, or another root.
        """
        doc = XmlDoc.parse(text)
        if doc.root.tag != cls.TAG:
            raise SpecError(
                f"a <{cls.TAG}> document was expected",
                (Problem(f"/{doc.root.tag}", "", f"the root is not <{cls.TAG}>"),),
            )
        return cls(doc.root, doc)

    def set(self, **facts: Any) -> Self:
        """Set several facts; those that are None are left as they are.

        Raises:
            SpecError: a value that the fact does not take, or no such fact.
        """
        for name, value in facts.items():
            if name not in self.FACTS:
                hint = did_you_mean(name, tuple(self.FACTS), limit=40)
                raise SpecError(f"<{self.TAG}> has no fact {name!r}", hint=hint)
            if value is not None:
                setattr(self, name, value)
        return self

    def text(self) -> str:
        """Return the XML of this element; of the whole document when it is the root."""
        if self.element is self.doc.root:
            return self.doc.text()
        copy = etree.fromstring(etree.tostring(self.element, with_tail=False))
        return View(copy, XmlDoc(copy, None)).doc.text()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and other.element is self.element

    def __hash__(self) -> int:
        return id(self.element)

    def __repr__(self) -> str:
        """Return class and place only; values may be secrets."""
        return f"<{type(self).__name__} {self.element.getroottree().getpath(self.element)}>"


class Fact(Generic[T]):
    """A value at a path below a view's element.

    Args:
        path: children divided by ``/``, then ``@name`` for an attribute, else the element's text;
            ``timer[name=rtc]`` is the child that has this attribute.
        about: what the value means, with unit.
        values: all words that may be written, divided by blanks; empty allows any.
        keep: the element means something without the attribute too; do not remove it.
    """

    def __init__(self, path: str, about: str = "", *, values: str = "", keep: bool = False) -> None:
        self.path = path
        self.about = about
        self.values = tuple(values.split())
        self.keep = keep
        self.name = ""
        where, _, self.attribute = path.rpartition("@") if "@" in path else (path, "", "")
        self.steps = tuple(_step(part) for part in where.strip("/").split("/") if part != "")

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, view: None, owner: type) -> Self: ...
    @overload
    def __get__(self, view: View, owner: type) -> T | None: ...
    def __get__(self, view: View | None, owner: type) -> Self | T | None:
        if view is None:
            return self
        raw = self.raw(view)
        return None if raw is None else self.read(raw, view)

    def __set__(self, view: View, value: T | None) -> None:
        if value is None:
            self.__delete__(view)
            return
        raw = self.raw(view)
        if raw is not None and self._equals(raw, value, view):
            return
        self.put(view, self.write(value))

    def __delete__(self, view: View) -> None:
        holder = find(view.element, self.steps)
        if holder is None:
            return
        if self.attribute:
            remove_attribute(holder, self.attribute)
            if self.keep or not _is_empty(holder) or holder is view.element:
                return
        drop(view, holder)

    def raw(self, view: View) -> str | None:
        """Return the text of the fact as it stands, None when it is absent."""
        holder = find(view.element, self.steps)
        if holder is None:
            return None
        return plain(holder.get(self.attribute)) if self.attribute else own_text(holder)

    def put(self, view: View, raw: str) -> None:
        """Write the text of the fact, with the elements that lead to it."""
        holder = make(view.element, self.steps)
        if self.attribute:
            holder.set(self.attribute, raw)
            return
        holder.text = raw
        for child in holder:
            if not is_element(child):
                child.tail = None

    def read(self, raw: str, view: View) -> T:
        """Turn text into the value."""
        raise self.problem(view, raw, "cannot be read")

    def write(self, value: T) -> str:
        """Turn the value into text."""
        return str(value)

    def problem(self, view: View, raw: str, why: str) -> SpecError:
        """Return the error for a value that cannot be read."""
        here = view.element.getroottree().getpath(view.element)
        problem = Problem(f"{here}/{self.path}", self._shown(raw), why, self.about)
        return SpecError(f"{self.name} cannot be read", (problem,))

    def refuse(self, value: object, why: str, hint: str = "") -> SpecError:
        """Return the error for a value that cannot be written."""
        problem = Problem(self.name, self._shown(value), why, hint or self.about)
        return SpecError(f"{self.name} cannot be set", (problem,))

    def _shown(self, value: object) -> str:
        return MASK if is_secret(self.name) else shorten(value)

    def _equals(self, raw: str, value: T, view: View) -> bool:
        try:
            return self.read(raw, view) == value
        except SpecError:
            return False


def find(element: Element, steps: Iterable[_Step]) -> Element | None:
    """Return the element at the end of ``steps``, None when one is missing."""
    here = element
    for step in steps:
        found = next((child for child in here if step.matches(child)), None)
        if found is None:
            return None
        here = found
    return here


def make(element: Element, steps: Iterable[_Step]) -> Element:
    """Return the element at the end of ``steps``; missing ones are made, in libvirt's order."""
    here = element
    for step in steps:
        found = find(here, (step,))
        if found is None:
            found = here.makeelement(step.tag, nsmap=nsmap_for(step.tag))
            if step.key:
                found.set(step.key, step.value)
            insert_in_order(here, found)
        here = found
    return here


def drop(view: View, node: Element) -> None:
    """Remove ``node``, then each parent that is empty now and did not come from the source."""
    while node is not view.element:
        parent = cast("Element", node.getparent())
        view.doc.remove(node)
        if not _is_empty(parent) or view.doc.is_original(parent):
            return
        node = parent


def remove_attribute(node: Element, name: str) -> None:
    """Remove an attribute that may be absent."""
    if name in node.attrib:
        del node.attrib[name]


def _step(part: str) -> _Step:
    found = _STEP.fullmatch(part)
    assert found, part
    prefix, _, local = found.group(1).rpartition(":")
    tag = f"{{{NAMESPACES[prefix]}}}{local}" if prefix else local
    return _Step(tag, found.group(2) or "", found.group(3) or "")


def nsmap_for(tag: str) -> dict[str, str] | None:
    """Return the declaration that a new element needs to be written with its usual prefix."""
    space = etree.QName(tag).namespace
    return {key: uri for key, uri in NAMESPACES.items() if uri == space} if space else None


def _is_empty(node: Element) -> bool:
    return not len(node) and not node.attrib and not (node.text or "").strip()


def own_text(node: Element) -> str:
    """Return the text directly in ``node``; comments may stand in between."""
    return (node.text or "") + "".join(child.tail or "" for child in node)


def plain(value: str | bytes | None) -> str | None:
    """Return an attribute as text, which is what it always is."""
    return value.decode() if isinstance(value, bytes) else value
