"""The redactor: secrets masked in texts, in nested data and in streams."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import SpecError
from labvirt.runbook.secrets.forms import SHORTEST, forms_of, has_length
from labvirt.runbook.secrets.matcher import Matcher

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RedactedStream", "Redactor"]

_PIECE: Final = 2**18  # characters looked at in one go
_CODES: Final = re.compile(r"\x1b(?:\[[0-?]{0,40}[ -/]{0,4}[@-~]|[()][A-Z0-9])")


class Redactor:
    """Masks secrets as ``***name***``, in every form in which they show up.

    Masked are the value itself, base64 wherever it begins in what was encoded, URL-, JSON-, HTML-,
    shell- and ``repr``-escapes and two of these upon each other, hexadecimal, and each line of a
    value of several lines; colour codes and line breaks in between do not hide it.

    Args:
        secrets: value by name.

    Raises:
        SpecError: a value is shorter than `SHORTEST` characters: it would mask ordinary text.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        for name, value in secrets.items():
            if not has_length(value):
                raise SpecError(
                    f"the secret {name!r} has fewer than {SHORTEST} characters: masking it would"
                    " mask ordinary text too",
                    hint="choose a longer one",
                )
        self._names: dict[str, str] = {}
        for name, value in secrets.items():
            for form in forms_of(value):
                self._names.setdefault(form, name)
        self._matcher = Matcher(self._names)

    def text(self, text: str) -> str:
        """Return the text with every secret masked."""
        stream = self.stream()
        pieces = (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
        return "".join([*map(stream.feed, pieces), stream.flush()])

    def deep(self, value: Any) -> Any:
        """Return nested lists, tuples and dicts with every secret masked, in keys too.

        Kinds of dict stay what they are, so that a notebook stays one. A number is masked as well when its digits are the secret. Other objects stay as they are.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            masked = {self.deep(key): self.deep(one) for key, one in value.items()}
            return masked if type(value) is dict else type(value)(masked)
        if isinstance(value, list):
            return [self.deep(one) for one in value]
        if isinstance(value, tuple):
            return tuple(self.deep(one) for one in value)
        if (type(value) is int and value.bit_length() < 4000) or type(value) is float:
            shown = repr(value)
            return value if self.text(shown) == shown else self.text(shown)
        return value

    def stream(self) -> RedactedStream:
        """Return a redactor for a text that comes in pieces."""
        return RedactedStream(self._matcher, self._names)


class RedactedStream:
    """Masks secrets in a text that comes in pieces, also those cut in two by a border.

    Held back is only what may be the beginning of a secret. What comes out, put together, does not
    depend on how the text was cut.
    """

    def __init__(self, matcher: Matcher, names: Mapping[str, str]) -> None:
        self._matcher = matcher
        self._names = names
        self._held = ""
        self._covered = 0  # characters of what is held that the last mark stands for

    def feed(self, text: str) -> str:
        """Take the next piece; return what can be shown by now."""
        return self._advance(self._held + text, more=True) if text else ""

    def flush(self) -> str:
        """Return what was held back; the stream begins anew."""
        return self._advance(self._held, more=False)

    def _advance(self, text: str, *, more: bool) -> str:
        view = self._matcher.view(text, more=more)
        cut = self._matcher.undecided(view, len(text)) if more else len(text)
        spans = self._spans(view)
        out: list[str] = []
        at = self._covered = 0
        for start, end, name in spans:
            if start >= cut:
                break
            out.append(text[at:start])
            at = min(end, cut)
            if name:
                out.append(f"***{name}***")
            # Colours that begin or end inside stay, or all that follows would be coloured.
            out += _CODES.findall(text[start:at])
            self._covered = max(0, end - cut)
        out.append(text[at:cut])
        self._held = text[cut:]
        return "".join(out)

    def _spans(self, view: Any) -> list[tuple[int, int, str]]:
        """Return what to mask, overlapping parts joined; an empty name goes on with a mark."""
        spans: list[tuple[int, int, str]] = []
        if self._covered:
            spans.append((0, self._covered, ""))
        for hit in self._matcher.hits(view):
            if spans and hit.start < spans[-1][1]:
                start, end, name = spans[-1]
                spans[-1] = (start, max(end, hit.end), name)
            else:
                spans.append((hit.start, hit.end, self._names[hit.form]))
        return spans
