"""Document and grammar walked together, to name every place where they part.

The walk is only made for a document that libxml2 found invalid. It goes on after a fault as if the
fault were mended, so that one run names all of them.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from labvirt.errors import Problem
from labvirt.model.grammar.patterns import (
    NOT_ALLOWED,
    Attribute,
    ElementPattern,
    Pattern,
    after_attribute,
    after_child,
    after_text,
    attributes_in,
    close_attributes,
    elements_in,
    is_nullable,
    matches_text,
)
from labvirt.model.grammar.words import (
    allowed_text,
    listed,
    name_hint,
    problem_at,
    shown_attributes,
    tag_name,
    values_of,
)
from labvirt.model.spec import did_you_mean
from labvirt.model.xml.source import is_element

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element as Element

__all__ = ["Explainer"]

_DEEPEST = 60  # nested elements that are walked; libvirt's own documents have a dozen


class Explainer:
    """Explains documents of one grammar."""

    def __init__(self, start: Pattern) -> None:
        self._start = start
        self._parents: dict[str, set[str]] = {}

    def explain(self, root: Element) -> tuple[Problem, ...]:
        """Return what is wrong with the document, in its order; empty when it is valid."""
        # What is known of an element is kept by its identity, so all must live through the walk.
        alive = list(root.iter())
        problems = _Walk(self).root(alive[0], self._start)
        del alive
        return problems

    def parents_of(self, tag: str) -> set[str]:
        """Return the names of the elements in which ``tag`` may stand."""
        if not self._parents:
            self._index()
        return self._parents.get(tag, set())

    def _index(self) -> None:
        waiting = list(elements_in(self._start))
        seen: set[int] = set()
        while waiting:
            pattern = waiting.pop()
            if id(pattern) in seen:
                continue
            seen.add(id(pattern))
            for child in elements_in(pattern.content):
                if child.name and pattern.name:
                    self._parents.setdefault(child.name, set()).add(pattern.name)
                waiting.append(child)


class _Walk:
    """One walk through one document."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._known: dict[tuple[int, int], tuple[Problem, ...]] = {}
        self._depth = 0

    def root(self, element: Element, start: Pattern) -> tuple[Problem, ...]:
        """Explain the root element."""
        wanted = [one for one in elements_in(start) if one.name == element.tag]
        if not wanted:
            names = [one.name or "" for one in elements_in(start)]
            hint = did_you_mean(str(element.tag), names)
            return (problem_at(element, "", f"{tag_name(element.tag)} is no such document", hint),)
        return self._best(element, wanted)[1]

    def _best(
        self, element: Element, patterns: list[ElementPattern]
    ) -> tuple[ElementPattern, tuple[Problem, ...]]:
        """Return the pattern that fits best, with what is wrong all the same."""
        tried = [(pattern, self._explain(element, pattern)) for pattern in patterns]
        own = element.getroottree().getpath(element) + "/@"

        def faults(one: tuple[ElementPattern, tuple[Problem, ...]]) -> int:
            # An attribute that does not fit tells that another kind was meant: it counts twice.
            return sum(2 if problem.field.startswith(own) else 1 for problem in one[1])

        return min(tried, key=faults)

    def _explain(self, element: Element, pattern: ElementPattern) -> tuple[Problem, ...]:
        key = (id(element), id(pattern))
        if key not in self._known:
            self._depth += 1
            self._known[key] = (
                tuple(self._element(element, pattern)) if self._depth <= _DEEPEST else ()
            )
            self._depth -= 1
        return self._known[key]

    def _element(self, element: Element, pattern: ElementPattern) -> list[Problem]:
        problems, left = self._attributes(element, pattern.content)
        children = [child for child in element if is_element(child)]
        problems += self._text(element, left, has_children=bool(children))
        problems += self._children(element, children, left, pattern.content)
        return problems

    # -- attributes ---------------------------------------------------------------------------

    def _attributes(self, element: Element, content: Pattern) -> tuple[list[Problem], Pattern]:
        """Return the faults of the attributes, and what they leave for the content."""
        problems: list[Problem] = []
        left = content
        for key, raw in element.attrib.items():
            name, value = str(key), str(raw)
            after = after_attribute(left, _fitting(name, value))
            if after is not NOT_ALLOWED:
                left = after
                continue
            problems.append(self._attribute_problem(element, content, name, value))
            left = _mended(element, content, left, name, value)
        closed = close_attributes(left, lenient=lambda _: False)
        if closed is NOT_ALLOWED:
            missing = _missing_attributes(left)
            problems.append(
                problem_at(
                    element,
                    "",
                    f"attribute {listed(repr(one.name) for one in missing)} is missing",
                    allowed_text([missing[0].value], "") if len(missing) == 1 else "",
                    attribute=missing[0].name if len(missing) == 1 else None,
                )
            )
            closed = close_attributes(left, lenient=lambda _: True)
        return problems, closed

    def _attribute_problem(
        self, element: Element, content: Pattern, name: str, value: str
    ) -> Problem:
        known = [one for one in attributes_in(content) if one.name == name]
        if not known:
            return self._unknown_attribute(element, content, name, value)
        if not _value_fits(content, name, value):
            hint = allowed_text([one.value for one in known], value)
            if value != value.strip() and _value_fits(content, name, value.strip()):
                hint = "remove the white space around it"
            why = "is empty" if not value else "is not allowed"
            return problem_at(element, value, why, hint, attribute=name)
        others = shown_attributes(element, but=name)
        why = f"does not go with {listed(others)}" if others else "does not go with the rest"
        return problem_at(element, value, why, "", attribute=name)

    def _unknown_attribute(
        self, element: Element, content: Pattern, name: str, value: str
    ) -> Problem:
        names = sorted({one.name for one in attributes_in(content) if one.name})
        why = f"{tag_name(element.tag)} has no such attribute"
        inner = sorted(
            tag_name(child.name)
            for child in {one.name: one for one in elements_in(content)}.values()
            if any(one.name == name for one in attributes_in(child.content))
        )
        if not names and not inner:
            return problem_at(element, value, why, "it has none at all", attribute=name)
        near = difflib.get_close_matches(name, names, n=1)
        if inner and not near:
            hint = f"{name!r} belongs to {listed(inner)} in it"
        else:
            hint = name_hint(name, names)
        return problem_at(element, value, why, hint, attribute=name)

    # -- text ---------------------------------------------------------------------------------

    def _text(self, element: Element, left: Pattern, *, has_children: bool) -> list[Problem]:
        pieces = [element.text or "", *(child.tail or "" for child in element)]
        if has_children:
            odd = next((piece for piece in pieces if piece.strip()), "")
            if odd and after_text(left, odd) is NOT_ALLOWED:
                why = f"{tag_name(element.tag)} holds elements, no text"
                return [problem_at(element, odd.strip(), why, "remove the text")]
            return []
        text = "".join(pieces)
        if matches_text(left, text) or (not text.strip() and any(elements_in(left))):
            return []
        hint = allowed_text([left], text.strip())
        if not hint:
            has_elements = any(elements_in(left))
            why = "holds elements, no text" if has_elements else "must be empty"
            return [problem_at(element, text.strip(), f"{tag_name(element.tag)} {why}", "")]
        why = "is not allowed" if text.strip() else f"{tag_name(element.tag)} is empty"
        if text != text.strip() and matches_text(left, text.strip()):
            hint = "remove the white space around it"
        return [problem_at(element, text, why, hint)]

    # -- children -----------------------------------------------------------------------------

    def _children(
        self, element: Element, children: list[Element], left: Pattern, content: Pattern
    ) -> list[Problem]:
        """Return the faults of the children, each seen against what is left for it."""
        problems: list[Problem] = []
        whole = left
        for child in children:
            wanted = [one for one in elements_in(left) if one.name in {child.tag, None}]
            if not wanted:
                problems.append(self._unwanted(element, child, whole, content))
                continue
            fitting = {one for one in wanted if not self._explain(child, one)}
            if not fitting:
                best, found = self._best(child, wanted)
                problems += self._with_cure(element, child, content, found)
                fitting = {best}
            after = after_child(left, fitting)
            if after is NOT_ALLOWED:
                first = listed(tag_name(one.name) for one in _next_elements(left))
                why = "stands in the wrong place"
                problems.append(problem_at(child, "", why, f"{first} must come before it"))
            else:
                left = after
        problems += self._missing_children(
            element, left, had_text=bool((element.text or "").strip())
        )
        return problems

    def _with_cure(
        self,
        element: Element,
        child: Element,
        content: Pattern,
        found: tuple[Problem, ...],
    ) -> tuple[Problem, ...]:
        """Return the faults of ``child``, with the attribute of ``element`` that would cure them.

        ``<disk type='block'><source file='...'/>`` is a fault of either; both are told.
        """
        others = [one for one in elements_in(content) if one.name == child.tag]
        if not any(not self._explain(child, one) for one in others):
            return found
        cures = [
            f"{name}='{value}'"
            for name in dict.fromkeys(one.name for one in attributes_in(content) if one.name)
            for value in _words_of(content, name)
            if element.get(name) != value and self._fits_with(element, child, content, name, value)
        ]
        if not cures:
            return found
        has = shown_attributes(element)
        why = f" with {tag_name(element.tag)} {' '.join(has)}".rstrip()
        hint = f"{tag_name(element.tag)} {listed(cures)} would allow it"
        return tuple(Problem(one.field, one.value, one.why + why, hint) for one in found)

    def _fits_with(
        self, element: Element, child: Element, content: Pattern, name: str, value: str
    ) -> bool:
        """Tell whether ``child`` would be right if ``element`` had another attribute."""
        attributes = {str(key): str(raw) for key, raw in element.attrib.items()}
        left = content
        for key, raw in {**attributes, name: value}.items():
            after = after_attribute(left, _fitting(key, raw))
            left = left if after is NOT_ALLOWED else after
        closed = close_attributes(left, lenient=lambda _: False)
        fitting = [one for one in elements_in(closed) if one.name == child.tag]
        return any(not self._explain(child, one) for one in fitting)

    def _unwanted(
        self, element: Element, child: Element, whole: Pattern, content: Pattern
    ) -> Problem:
        """Return why ``child`` may not stand (any more) in ``element``."""
        tag, inside = str(child.tag), tag_name(element.tag)
        if any(one.name == tag for one in elements_in(whole)):
            if any(
                one is not child and one.tag == tag for one in child.itersiblings(preceding=True)
            ):
                return problem_at(
                    child, "", f"may stand only once in {inside}", "remove one of them"
                )
            why = "does not go with the elements before it"
            return problem_at(child, "", why, "only one of them is allowed")
        if any(one.name == tag for one in elements_in(content)):
            has = shown_attributes(element)
            return problem_at(child, "", f"is not allowed in {inside} with {listed(has)}", "")
        return self._unknown(child, whole, inside)

    def _unknown(self, child: Element, whole: Pattern, inside: str) -> Problem:
        """Return why ``child``, which no form of its parent has, may not stand there."""
        tag = str(child.tag)
        names = sorted({one.name for one in elements_in(whole) if one.name})
        space, _, word = tag.rpartition("}")
        why = f"there is no such element in {inside}"
        if any(one.name in {word, tag} for one in elements_in(whole)):
            return problem_at(child, "", why, "its namespace is another one")
        near = difflib.get_close_matches(word, names, n=1, cutoff=0.75)
        homes = sorted(tag_name(one) for one in self._explainer.parents_of(tag))
        if inside in homes and not near:
            return problem_at(child, "", f"is not allowed in {inside} of this kind", "")
        if homes and not near:
            return problem_at(child, "", why, f"it belongs in {listed(homes)}")
        if space and not homes:
            return problem_at(child, "", why, "elements of your own belong in <metadata>")
        return problem_at(child, "", why, name_hint(word, names))

    def _missing_children(
        self, element: Element, left: Pattern, *, had_text: bool
    ) -> list[Problem]:
        if is_nullable(left) or had_text or not any(elements_in(left)):
            return []
        some = [one for one in elements_in(left) if is_nullable(after_child(left, {one}))]
        names = dict.fromkeys(tag_name(one.name) for one in some or _next_elements(left))
        why = f"{listed(names)} is missing in {tag_name(element.tag)}"
        return [problem_at(element, "", why, "")]


def _fits(one: Attribute, name: str, value: str) -> bool:
    return one.name in {name, None} and matches_text(one.value, value)


def _fitting(name: str, value: str) -> Callable[[Attribute], bool]:
    """Return the question whether an attribute of this name and value fits a pattern."""
    return lambda one: _fits(one, name, value)


def _called(name: str | None) -> Callable[[Attribute], bool]:
    """Return the question whether a pattern is of this name, whatever the value."""
    return lambda one: one.name == name


def _value_fits(content: Pattern, name: str, value: str) -> bool:
    return any(_fits(one, name, value) for one in attributes_in(content))


def _mended(element: Element, content: Pattern, left: Pattern, name: str, value: str) -> Pattern:
    """Return what is left if a wrong attribute had been right, so that one fault stays one."""
    names = [one.name for one in attributes_in(content) if one.name]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        if not near or near[0] in element.attrib:
            return left
        after = after_attribute(left, _fitting(near[0], value))
    elif _value_fits(content, name, value):
        return left
    else:
        after = after_attribute(left, _called(name))
    return left if after is NOT_ALLOWED else after


def _words_of(content: Pattern, name: str) -> list[str]:
    """Return the fixed words that the attribute ``name`` may have."""
    found = [values_of(one.value) for one in attributes_in(content) if one.name == name]
    return list(dict.fromkeys(word for words in found for word in words))


def _missing_attributes(left: Pattern) -> list[Attribute]:
    """Return the attributes of which one is missing; the first of several when all are."""
    all_of = {one.name: one for one in attributes_in(left)}
    enough = [
        one
        for one in all_of.values()
        if close_attributes(left, lenient=_called(one.name)) is not NOT_ALLOWED
    ]
    # An attribute that chooses between kinds (type=...) is what people forget.
    deciding = [one for one in enough if one.name == "type" and len(values_of(one.value)) >= 1]
    return deciding or enough or list(all_of.values())[:1]


def _next_elements(left: Pattern) -> list[ElementPattern]:
    """Return the elements that may come next."""
    return [one for one in elements_in(left) if after_child(left, {one}) is not NOT_ALLOWED]
