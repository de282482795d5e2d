"""Reasons: what specs say is wrong, in the language of the views; the usual ones are known."""

from __future__ import annotations

import re
from typing import Final

from labvirt.widgets.i18n import N_, _

__all__ = ["reason"]

#: What a spec says, and how it is told. Braces hold what differs.
_USUAL: Final = (
    N_("is missing"),
    N_("this field is required"),
    N_("must be at least {x}"),
    N_("must be more than {x}"),
    N_("must be at most {x}"),
    N_("must be less than {x}"),
    N_("is too long"),
    N_("is too short"),
    N_("is not allowed"),
    N_("is not of the right form"),
    N_("must match {x}"),
    N_("must be a whole number"),
    N_("must be a single line"),
    N_("must be an absolute path on the host"),
    N_("start with '/'"),
    N_("give a path, or pool and volume"),
    N_("give a path, or pool and volume, not both"),
    N_("does not begin with a number"),
    N_("write e.g. {x}"),
    N_("e.g. {x}"),
    N_("allowed: {x}"),
    N_("did you mean {x}? allowed: {y}"),
    N_("a size cannot be negative"),
    N_("larger than libvirt can count"),
    N_("at most {x}"),
    N_("is empty"),
    N_("is no tag"),
    N_("is no address"),
    N_("is in use on this host"),
    N_("leave it out"),
    N_("does not exist"),
    N_("must be 32 hexadecimal digits"),
    N_("must be six bytes in hexadecimal"),
    N_("contains {x}; it must start with a letter or digit, then letters, digits and . _ + -"),
    N_("{x} has no such network"),
    N_("{x} has no such pool"),
    N_("it has: {x}"),
    N_("{x} allows {y} at most"),
    N_("kind {x} needs one"),
    N_("kind {x} needs it"),
    N_("mode custom needs one"),
)


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w)\}", text)
    body = "".join(
        f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )
    return re.compile(body, re.DOTALL)


_PATTERNS: Final = tuple((_pattern(text), text) for text in _USUAL)


def reason(text: str) -> str:
    """Return what a spec says in the language of the views; what is not known stays English."""
    for pattern, usual in _PATTERNS:
        found = pattern.fullmatch(text)
        if found is not None:
            told = _(usual)
            for name, value in found.groupdict().items():
                told = told.replace("{" + name + "}", value)
            return told
    return text
