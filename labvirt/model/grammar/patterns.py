"""RELAX NG patterns, and what is left of a pattern once a part of it was seen.

The functions are James Clark's derivatives (https://relaxng.org/jclark/derivative.html), with one
change: elements are matched by the caller, who then passes the patterns that fit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

__all__ = [
    "EMPTY",
    "NOT_ALLOWED",
    "TEXT",
    "Attribute",
    "Choice",
    "Data",
    "ElementPattern",
    "Pair",
    "Pattern",
    "Repeat",
    "Value",
    "after_attribute",
    "after_child",
    "after_text",
    "attributes_in",
    "choice",
    "close_attributes",
    "either",
    "elements_in",
    "integer_limits",
    "is_nullable",
    "matches_text",
    "pair",
    "repeat",
    "together",
]


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A pattern that is one of its kind: empty, not allowed, any text."""

    name: str


EMPTY: Final = Leaf("empty")
NOT_ALLOWED: Final = Leaf("notAllowed")
TEXT: Final = Leaf("text")


@dataclass(frozen=True, slots=True)
class Value:
    """Exactly this text, white space at its ends aside."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Text of a type of XML Schema.

    Attributes:
        type: name of the type.
        params: its limits.
        label: name of the definition it stands in, which says what is meant: ``uniMacAddr``.
        exception: what is excluded.
    """

    type: str
    params: tuple[tuple[str, str], ...] = ()
    label: str = ""
    exception: Pattern | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """An attribute; no name stands for any name."""

    name: str | None
    value: Pattern


@dataclass(slots=True, eq=False)
class ElementPattern:
    """An element; no name stands for any name. Its content is made when it is first asked for."""

    name: str | None
    make_content: Callable[[], Pattern]
    _content: Pattern | None = field(default=None, repr=False)

    @property
    def content(self) -> Pattern:
        """Attributes, text and children."""
        if self._content is None:
            self._content = self.make_content()
        return self._content


@dataclass(frozen=True, slots=True)
class Choice:
    """One or the other."""

    first: Pattern
    second: Pattern


@dataclass(frozen=True, slots=True)
class Pair:
    """Both: in this order (group) or mixed in any order (interleave)."""

    kind: Literal["group", "interleave"]
    first: Pattern
    second: Pattern


@dataclass(frozen=True, slots=True)
class Repeat:
    """Once or more."""

    inner: Pattern


Pattern = Leaf | Value | Data | Attribute | ElementPattern | Choice | Pair | Repeat


def choice(first: Pattern, second: Pattern) -> Pattern:
    """Return the choice of two patterns, as simple as it can be."""
    if first is NOT_ALLOWED or first == second:
        return second
    if second is NOT_ALLOWED:
        return first
    # A repeated choice would otherwise grow with every child that it matched.
    if isinstance(second, Choice) and first in (second.first, second.second):
        return second
    if isinstance(first, Choice) and second in (first.first, first.second):
        return first
    return Choice(first, second)


def pair(kind: Literal["group", "interleave"], first: Pattern, second: Pattern) -> Pattern:
    """Return both patterns, as simple as it can be."""
    if first is NOT_ALLOWED or second is NOT_ALLOWED:
        return NOT_ALLOWED
    if first is EMPTY:
        return second
    if second is EMPTY:
        return first
    return Pair(kind, first, second)


def either(patterns: Iterable[Pattern]) -> Pattern:
    """Return the choice of any number of patterns."""
    made: Pattern = NOT_ALLOWED
    for one in patterns:
        made = choice(made, one)
    return made


def together(kind: Literal["group", "interleave"], patterns: Iterable[Pattern]) -> Pattern:
    """Return any number of patterns, all of which must be there."""
    made: Pattern = EMPTY
    for one in patterns:
        made = pair(kind, made, one)
    return made


def repeat(inner: Pattern) -> Pattern:
    """Return a pattern once or more."""
    is_simple = inner is NOT_ALLOWED or inner is EMPTY or inner is TEXT
    return inner if is_simple else Repeat(inner)


def is_nullable(pattern: Pattern) -> bool:
    """Tell whether nothing at all fits."""
    match pattern:
        case Choice(first, second):
            return is_nullable(first) or is_nullable(second)
        case Pair(_, first, second):
            return is_nullable(first) and is_nullable(second)
        case Repeat(inner):
            return is_nullable(inner)
        case _:
            return pattern is EMPTY or pattern is TEXT


def after_attribute(pattern: Pattern, fits: Callable[[Attribute], bool]) -> Pattern:
    """Return what is left after one attribute that ``fits`` accepts."""
    match pattern:
        case Attribute():
            return EMPTY if fits(pattern) else NOT_ALLOWED
        case Choice(first, second):
            return choice(after_attribute(first, fits), after_attribute(second, fits))
        case Pair(kind, first, second):
            # Attributes have no order, so a group is mixed too.
            return choice(
                pair(kind, after_attribute(first, fits), second),
                pair(kind, first, after_attribute(second, fits)),
            )
        case Repeat(inner):
            return pair("group", after_attribute(inner, fits), choice(pattern, EMPTY))
        case _:
            return NOT_ALLOWED


def close_attributes(pattern: Pattern, *, lenient: Callable[[Attribute], bool]) -> Pattern:
    """Return what is left when no attribute follows.

    Args:
        pattern: what was left after the attributes seen.
        lenient: attributes whose absence is forgiven.
    """
    match pattern:
        case Attribute():
            return EMPTY if lenient(pattern) else NOT_ALLOWED
        case Choice(first, second):
            return choice(
                close_attributes(first, lenient=lenient), close_attributes(second, lenient=lenient)
            )
        case Pair(kind, first, second):
            return pair(
                kind,
                close_attributes(first, lenient=lenient),
                close_attributes(second, lenient=lenient),
            )
        case Repeat(inner):
            return repeat(close_attributes(inner, lenient=lenient))
        case _:
            return pattern


def after_child(pattern: Pattern, fitting: AbstractSet[ElementPattern]) -> Pattern:
    """Return what is left after one child element that fits those patterns."""
    match pattern:
        case ElementPattern():
            return EMPTY if pattern in fitting else NOT_ALLOWED
        case Choice(first, second):
            return choice(after_child(first, fitting), after_child(second, fitting))
        case Pair("interleave", first, second):
            return choice(
                pair("interleave", after_child(first, fitting), second),
                pair("interleave", first, after_child(second, fitting)),
            )
        case Pair(_, first, second):
            left = pair("group", after_child(first, fitting), second)
            return choice(left, after_child(second, fitting)) if is_nullable(first) else left
        case Repeat(inner):
            return pair("group", after_child(inner, fitting), choice(pattern, EMPTY))
        case _:
            return NOT_ALLOWED


def after_text(pattern: Pattern, text: str) -> Pattern:
    """Return what is left after a stretch of text."""
    match pattern:
        case Choice(first, second):
            return choice(after_text(first, text), after_text(second, text))
        case Pair("interleave", first, second):
            return choice(
                pair("interleave", after_text(first, text), second),
                pair("interleave", first, after_text(second, text)),
            )
        case Pair(_, first, second):
            left = pair("group", after_text(first, text), second)
            return choice(left, after_text(second, text)) if is_nullable(first) else left
        case Repeat(inner):
            return pair("group", after_text(inner, text), choice(pattern, EMPTY))
        case Value() | Data():
            return EMPTY if _fits(pattern, text) else NOT_ALLOWED
        case _:
            return TEXT if pattern is TEXT else NOT_ALLOWED


def matches_text(pattern: Pattern, text: str) -> bool:
    """Tell whether the whole of ``text`` fits a pattern without elements."""
    if is_nullable(pattern) and not text.strip():
        return True
    return is_nullable(after_text(pattern, text))


def elements_in(pattern: Pattern) -> Iterator[ElementPattern]:
    """Iterate over the elements that may stand directly in ``pattern``."""
    match pattern:
        case ElementPattern():
            yield pattern
        case Choice(first, second) | Pair(_, first, second):
            yield from elements_in(first)
            yield from elements_in(second)
        case Repeat(inner):
            yield from elements_in(inner)


def attributes_in(pattern: Pattern) -> Iterator[Attribute]:
    """Iterate over the attributes that may stand directly in ``pattern``."""
    match pattern:
        case Attribute():
            yield pattern
        case Choice(first, second) | Pair(_, first, second):
            yield from attributes_in(first)
            yield from attributes_in(second)
        case Repeat(inner):
            yield from attributes_in(inner)


_INTEGERS: Final = {
    "int": (-(2**31), 2**31 - 1),
    "integer": (None, None),
    "long": (-(2**63), 2**63 - 1),
    "short": (-(2**15), 2**15 - 1),
    "positiveInteger": (1, None),
    "nonNegativeInteger": (0, None),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedLong": (0, 2**64 - 1),
    "unsignedShort": (0, 2**16 - 1),
}
_SHAPES: Final = {
    "NCName": re.compile(r"[^\W\d][\w.-]*"),
    "double": re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|-?INF|NaN"),
    "dateTime": re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"),
}


def integer_limits(data: Data) -> tuple[int | None, int | None] | None:
    """Return the least and largest number of an integer type, None for other types."""
    if data.type not in _INTEGERS:
        return None
    low, high = _INTEGERS[data.type]
    for name, limit in data.params:
        if name == "minInclusive":
            low = int(limit)
        elif name == "maxInclusive":
            high = int(limit)
    return low, high


def _fits(pattern: Value | Data, text: str) -> bool:
    if isinstance(pattern, Value):
        return " ".join(text.split()) == " ".join(pattern.text.split())
    if pattern.exception is not None and matches_text(pattern.exception, text):
        return False
    plain = text if pattern.type == "string" else text.strip()
    limits = integer_limits(pattern)
    if limits is not None:
        if not re.fullmatch(r"[+-]?[0-9]+", plain):
            return False
        low, high = limits
        number = int(plain)
        if (low is not None and number < low) or (high is not None and number > high):
            return False
    shape = _SHAPES.get(pattern.type)
    if shape is not None and not shape.fullmatch(plain):
        return False
    # libxml2 holds a form against the text as it stands, blanks at its ends too.
    shapes = [limit for name, limit in pattern.params if name == "pattern"]
    return all(re.fullmatch(one, text) for one in shapes)
