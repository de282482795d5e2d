"""Finding any of many texts in a text: linear, through colour codes and line breaks, in pieces."""

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
_SKIPPED: Final = re.compile(rf"\x1b(?:{_COLOUR}|[()][A-Z0-9])|[\r\n]+")
#: The same as files write it: JSON's escapes, and a notebook's list of lines.
_WRITTEN: Final = re.compile(
    rf"""(?:\x1b|\\u001[bB]|\\x1[bB]|\\033){_COLOUR}|(?:\\[rn])+(?:",\s*")?|[\r\n]+"""
)
_BROKEN_CODE: Final = re.compile(r"\x1b(?:\[[0-?]{0,40}[ -/]{0,4}|[()])?\Z")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{1,2}")
_HEAD: Final = 4  # characters by which most places are ruled out
_KEY: Final = 40  # characters that are searched for; whether the rest follows is looked at then


@dataclass(frozen=True, slots=True)
class View:
    """A text as it is searched.

    Attributes:
        text: without colour codes and line breaks, and with ``%2f`` as ``%2F``.
        parts: index in `text` at which each part that was kept begins.
        places: index in the real text of the same.
        broken: where in the real text a colour code begins that is not all there; None for none.
    """

    text: str
    parts: list[int]
    places: list[int]
    broken: int | None = None

    def place(self, at: int) -> int:
        """Return where a character of the view is in the real text."""
        part = bisect.bisect_right(self.parts, at) - 1
        return self.places[part] + at - self.parts[part]


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
        written: also see through colour codes and line breaks that are written out, as files
            have them.
    """

    def __init__(self, forms: Mapping[str, object], *, written: bool = False) -> None:
        self._skipped = _WRITTEN if written else _SKIPPED
        self._percent = any("%" in form for form in forms)
        normal = {self._normal(form): form for form in forms}
        normal.pop("", None)
        self._forms = normal
        self._sorted = sorted(normal)
        self.longest = max(map(len, normal), default=0)
        self._heads = {form[:size] for form in normal for size in range(1, _HEAD + 1)}
        self._by_key = _keyed(normal)
        self._pattern = re.compile(_trie(sorted(self._by_key))) if normal else None

    def _normal(self, text: str) -> str:
        """Return a form as it is searched for."""
        return self._percents(self._skipped.sub("", text))

    def _percents(self, text: str) -> str:
        if not self._percent or "%" not in text:
            return text
        return _PERCENT.sub(lambda found: found[0].upper(), text)

    def view(self, text: str, *, more: bool = False) -> View:
        """Return the text as it is searched.

        Args:
            text: any text.
            more: more will follow, so a colour code may be broken at the end.
        """
        cuts = [found.span() for found in self._skipped.finditer(text)]
        broken = _BROKEN_CODE.search(text, max(0, len(text) - 50)) if more else None
        if broken is not None:
            cuts.append(broken.span())
        if not cuts:
            return View(self._percents(text), [0], [0])
        edges = [0, *itertools.chain.from_iterable(cuts), len(text)]
        kept = list(itertools.pairwise(edges))[::2]
        parts = [0, *itertools.accumulate(end - start for start, end in kept)]
        joined = "".join([text[start:end] for start, end in kept])
        return View(
            self._percents(joined),
            parts[:-1],
            [start for start, _ in kept],
            broken.start() if broken else None,
        )

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
                    end = view.place(at + len(form) - 1) + 1
                    yield Hit(view.place(at), end, self._forms[form])
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
                    return min(limit, view.place(at))
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
