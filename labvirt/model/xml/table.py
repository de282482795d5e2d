"""Descriptors with which one line states one fact of libvirt's XML, both ways."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar, overload

from labvirt.errors import SpecError
from labvirt.model.spec import did_you_mean
from labvirt.model.units import Size, unit_scale
from labvirt.model.xml.order import insert_in_order
from labvirt.model.xml.view import (
    Fact,
    View,
    drop,
    find,
    make,
    nsmap_for,
    own_text,
    plain,
    remove_attribute,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lxml.etree import _Element as Element

__all__ = [
    "ChildList",
    "Children",
    "Choice",
    "Int",
    "OnOff",
    "Present",
    "SizeFact",
    "Text",
    "Values",
    "YesNo",
]

V = TypeVar("V", bound=View)
_NEVER: Final = 2**64  # divides no size but zero: an unknown unit in a document


class Text(Fact[str]):
    """Any text."""

    def read(self, raw: str, view: View) -> str:  # noqa: ARG002 - same signature for all facts
        """Return the text as it stands."""
        return raw

    def write(self, value: str) -> str:
        """Refuse what XML cannot carry."""
        odd = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", value)
        if odd:
            raise self.refuse(value, f"contains {odd.group()!r}, which XML cannot carry")
        return value


class Choice(Text):
    """One of a few words; another word that stands in a document is read as it is."""

    def write(self, value: str) -> str:
        """Refuse other words than those of the table."""
        if value not in self.values:
            raise self.refuse(value, "is not allowed", did_you_mean(value, self.values))
        return value


class Int(Fact[int]):
    """A whole number."""

    def read(self, raw: str, view: View) -> int:
        """Read decimal or ``0x`` hexadecimal."""
        try:
            return int(raw.strip(), 0)
        except ValueError:
            raise self.problem(view, raw, "is not a whole number") from None


class _Pair(Fact[bool]):
    words: ClassVar[tuple[str, str]]

    def read(self, raw: str, view: View) -> bool:
        if raw not in self.words:
            raise self.problem(view, raw, f"is neither {self.words[0]} nor {self.words[1]}")
        return raw == self.words[0]

    def write(self, value: bool) -> str:  # noqa: FBT001 - the value of the fact
        return self.words[0] if value else self.words[1]


class YesNo(_Pair):
    """A boolean that libvirt writes yes or no."""

    words = ("yes", "no")


class OnOff(_Pair):
    """A boolean that libvirt writes on or off."""

    words = ("on", "off")


class Present(Fact[bool]):
    """True when the element is there; absent reads as None, and False removes it."""

    def raw(self, view: View) -> str | None:
        """Return empty text when the element is there."""
        return None if find(view.element, self.steps) is None else ""

    def read(self, raw: str, view: View) -> bool:  # noqa: ARG002 - same signature for all facts
        """Return True: it is there."""
        return True

    def __set__(self, view: View, value: bool | None) -> None:  # noqa: FBT001 - as above
        if value:
            make(view.element, self.steps)
        else:
            self.__delete__(view)

    def __delete__(self, view: View) -> None:
        holder = find(view.element, self.steps)
        if holder is not None:
            drop(view, holder)


class SizeFact(Fact[Size]):
    """A size: a number whose unit stands in the attribute ``unit``, or is ``default`` without.

    Writing keeps the unit that stands there when the size is whole in it.
    """

    def __init__(self, path: str, about: str = "", *, default: str = "KiB") -> None:
        super().__init__(path, about)
        self.default = default

    def read(self, raw: str, view: View) -> Size:
        """Read the number in the unit that stands beside it."""
        unit = self._unit(view) or self.default
        try:
            return Size.parse(raw.strip(), default_unit=unit) if raw.strip() else Size(0)
        except SpecError as failure:
            raise self.problem(view, f"{raw} {unit}", failure.problems[0].why) from None

    def __set__(self, view: View, value: Size | None) -> None:
        if value is None:
            self.__delete__(view)
            return
        size = Size.of(value)
        raw = self.raw(view)
        if raw is not None and self._equals(raw, size, view):
            return
        unit = self._unit(view) if raw is not None else self.default
        chosen = next(
            one
            for one in (unit or self.default, self.default, "KiB", "bytes")
            if not int(size) % (unit_scale(one) or _NEVER)
        )
        self.put(view, str(int(size) // (unit_scale(chosen) or 1)))
        if chosen != (unit or self.default) or raw is None:
            make(view.element, self.steps).set("unit", chosen)

    def __delete__(self, view: View) -> None:
        holder = find(view.element, self.steps)
        if holder is not None and self.attribute:
            remove_attribute(holder, "unit")
        super().__delete__(view)

    def _unit(self, view: View) -> str | None:
        holder = find(view.element, self.steps)
        return None if holder is None else plain(holder.get("unit"))


class Values(Fact[tuple[str, ...]]):
    """The same attribute, or the text, of an element that stands several times, in its order."""

    def __get__(self, view: View | None, owner: type) -> Any:
        if view is None:
            return self
        return tuple(self._value(one) for one in self._all(view))

    def __set__(self, view: View, value: Iterable[str] | None) -> None:
        wanted = tuple(value or ())
        for word in wanted:
            if self.values and word not in self.values:
                raise self.refuse(word, "is not allowed", did_you_mean(word, self.values))
        nodes = self._all(view)
        for node, word in zip(nodes, wanted, strict=False):
            if self._value(node) != word:
                self._give(node, word)
        for node in nodes[len(wanted) :]:
            drop(view, node)
        for word in wanted[len(nodes) :]:
            parent = make(view.element, self.steps[:-1])
            node = parent.makeelement(self.steps[-1].tag, nsmap=nsmap_for(self.steps[-1].tag))
            self._give(node, word)
            insert_in_order(parent, node)

    def __delete__(self, view: View) -> None:
        self.__set__(view, ())

    def _all(self, view: View) -> list[Element]:
        parent = find(view.element, self.steps[:-1])
        last = self.steps[-1]
        return [] if parent is None else [one for one in parent if last.matches(one)]

    def _value(self, node: Element) -> str:
        raw = node.get(self.attribute) if self.attribute else own_text(node)
        return plain(raw) or ""

    def _give(self, node: Element, word: str) -> None:
        if self.attribute:
            node.set(self.attribute, word)
        else:
            node.text = word


class Children(Fact[Any], Generic[V]):
    """All children of one kind, as a list that can be changed."""

    def __init__(self, path: str, kind: type[V], about: str = "") -> None:
        super().__init__(path, about)
        self.kind = kind

    @overload
    def __get__(self, view: None, owner: type) -> Self: ...
    @overload
    def __get__(self, view: View, owner: type) -> ChildList[V]: ...
    def __get__(self, view: View | None, owner: type) -> Self | ChildList[V]:
        """Return the live list of the children."""
        return self if view is None else ChildList(view, self)

    def __set__(self, view: View, value: Iterable[V] | None) -> None:
        """Put other children in the place of all."""
        made = [copy.deepcopy(one.element) for one in value or ()]
        self.__delete__(view)
        for element in made:
            ChildList(view, self).append(View(element, view.doc))

    def __delete__(self, view: View) -> None:
        ChildList(view, self).clear()


class ChildList(Generic[V]):
    """The children of one kind below a view; a change is a change of the document."""

    def __init__(self, view: View, fact: Children[V]) -> None:
        self._view = view
        self._fact = fact

    def _elements(self) -> list[Element]:
        parent = find(self._view.element, self._fact.steps[:-1])
        last = self._fact.steps[-1]
        return [] if parent is None else [one for one in parent if last.matches(one)]

    def __len__(self) -> int:
        return len(self._elements())

    def __iter__(self) -> Iterator[V]:
        return iter([self._fact.kind(one, self._view.doc) for one in self._elements()])

    def __getitem__(self, place: int) -> V:
        return self._fact.kind(self._elements()[place], self._view.doc)

    def append(self, child: View) -> V:
        """Add a copy of ``child`` after the last of its kind, and return what was added.

        Raises:
            SpecError: it is an element of another kind.
        """
        parent = make(self._view.element, self._fact.steps[:-1])
        element = copy.deepcopy(child.element)
        element.tail = None
        if not self._fact.steps[-1].matches(element):
            raise self._fact.refuse(element.tag, "is another kind of element")
        insert_in_order(parent, element)
        return self._fact.kind(element, self._view.doc)

    def remove(self, child: View) -> None:
        """Take ``child`` out of the document.

        Raises:
            SpecError: it is none of these.
        """
        if not any(one is child.element for one in self._elements()):
            raise self._fact.refuse(child, "is not in this document")
        drop(self._view, child.element)

    def clear(self) -> None:
        """Take all of them out."""
        for element in self._elements():
            drop(self._view, element)

    def __repr__(self) -> str:
        """Return how many there are of what."""
        return f"<{len(self)} x {self._fact.kind.TAG}>"
