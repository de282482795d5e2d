"""Finding any of many texts in a text: linear, also through colour codes and in pieces."""

from __future__ import annotations

import bisect
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Hit", "Matcher", "View"]

_COLOUR: Final = r"\[[0-?]{0,40}[ -/]{0,4}[@-~]"
_CODES: Final = re.compile(rf"\x1b(?:{_COLOUR}|[()][A-Z0-9])")
_WRITTEN_CODES: Final = re.compile(rf"(?:\x1b|\\u001[bB]|\\x1[bB]|\\033){_COLOUR}")
_BROKEN_CODE: Final = re.compile(r"\x1b(?:\[[0-?]{0,40}[ -/]{0,4}|[()])?\Z")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{1,2}")
_HEAD: Final = 4  # characters by which most places are ruled out
_KEY: Final = 40  # characters that are searched for; whether the rest follows is looked at then


@dataclass(frozen=True, slots=True)
class View:
    """A text as it is searched.

    Attributes:
        text: without colour codes, and with ``%2f`` as ``%2F``.
        places: index in the real text of every character; None when they agree.
        broken: where in the real text a colour code begins that is not all there; None for none.
    """

    text: str
    places: list[int] | None
    broken: int | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the view begins and ends in the real text."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end - 1] + 1


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: where in the real text, and which form."""

    start: int
    end: int
    form: str


class Matcher:
    """Finds any of some forms.

    Args:
        forms: the texts; none is empty.
        written_codes: also see through colour codes that are written out, as files have them.
    """

    def __init__(self, forms: Mapping[str, object], *, written_codes: bool = False) -> None:
        self._codes = _WRITTEN_CODES if written_codes else _CODES
        self._written = written_codes
        self._percent = any("%" in form for form in forms)
        normal = {self._normal(form): form for form in forms}
        self._forms = normal
        self._sorted = sorted(normal)
        self.longest = max(map(len, normal), default=0)
        self._heads = {form[:size] for form in normal for size in range(1, _HEAD + 1)}
        self._by_key = _keyed(normal)
        self._pattern = re.compile(_trie(sorted(self._by_key))) if normal else None

    def _normal(self, text: str) -> str:
        if not self._percent or "%" not in text:
            return text
        return _PERCENT.sub(lambda found: found[0].upper(), text)

    def view(self, text: str, *, more: bool = False) -> View:
        """Return the text as it is searched.

        Args:
            text: any text.
            more: more will follow, so a colour code may be broken at the end.
        """
        if "\x1b" not in text and not (self._written and "\\" in text):
            return View(self._normal(text), None)
        cuts = [found.span() for found in self._codes.finditer(text)]
        broken = _BROKEN_CODE.search(text) if more else None
        if broken is not None:
            cuts.append(broken.span())
        if not cuts:
            return View(self._normal(text), None)
        edges = [0, *itertools.chain.from_iterable(cuts), len(text)]
        kept = list(itertools.pairwise(edges))[::2]
        places = list(itertools.chain.from_iterable(range(*pair) for pair in kept))
        joined = "".join(text[start:end] for start, end in kept)
        return View(self._normal(joined), places, broken.start() if broken else None)

    def hits(self, view: View) -> Iterator[Hit]:
        """Yield what is found in order of its beginning; what is found may overlap."""
        at = 0
        while self._pattern is not None:
            found = self._pattern.search(view.text, at)
            if found is None:
                return
            at = found.start()
            for form in self._by_key[found[0]]:
                if view.text.startswith(form, at):
                    yield Hit(*view.span(at, at + len(form)), self._forms[form])
                    break
            at += 1

    def undecided(self, view: View, length: int) -> int:
        """Return the index in the real text from which it may be the beginning of a form.

        Args:
            view: the view of the text, made with ``more``.
            length: length of the real text.
        """
        text, size = view.text, len(view.text)
        limit = view.broken if view.broken is not None else length
        for at in range(max(0, size - self.longest + 1), size):
            if text[at : at + _HEAD] in self._heads:
                tail = text[at:]
                place = bisect.bisect_left(self._sorted, tail)
                # The first form that is not the tail itself tells whether any begins with it.
                if place < len(self._sorted) and self._sorted[place] == tail:
                    place += 1
                if place < len(self._sorted) and self._sorted[place].startswith(tail):
                    return min(limit, view.span(at, at + 1)[0])
        return limit


def _keyed(forms: Iterable[str]) -> dict[str, list[str]]:
    """Return the forms by their first characters: all that a key can be the beginning of.

    A form shorter than a key that begins with it is there too; the long ones come first.
    """
    found: dict[str, list[str]] = {}
    for form in forms:
        found.setdefault(form[:_KEY], []).append(form)
    short = {form for form in forms if len(form) < _KEY}
    for key, group in found.items():
        group += [key[:size] for size in range(1, len(key)) if key[:size] in short]
        group.sort(key=len, reverse=True)
    return found


def _trie(forms: list[str], depth: int = 3) -> str:
    """Return a pattern for sorted texts, branching by their first characters; long ones first."""
    if depth == 0 or len(forms) == 1:
        return "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    branches = []
    for head, group in itertools.groupby(forms, key=lambda form: form[:1]):
        tails = [form[1:] for form in group]
        branches.append(f"{re.escape(head)}(?:{_trie(tails, depth - 1)})" if head else "")
    return "|".join(branches)
