"""What a pattern allows and what a document does instead, in words."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from labvirt.errors import Problem
from labvirt.model.grammar.patterns import (
    TEXT,
    Choice,
    Data,
    Pair,
    Pattern,
    Repeat,
    Value,
    integer_limits,
)
from labvirt.model.spec import MASK, did_you_mean, is_secret, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lxml.etree import _Element as Element

__all__ = [
    "allowed_text",
    "listed",
    "name_hint",
    "problem_at",
    "shown_attributes",
    "tag_name",
    "values_of",
]

_MEANINGS: Final[Mapping[str, str]] = {
    "UUID": "a UUID, e.g. 4a4c59a7-ee3f-c781-96e4-288f2862f011",
    "absDirPath": "an absolute path",
    "absFilePath": "an absolute path",
    "aliasName": "an alias",
    "bridgeMode": "vepa, bridge, private or passthrough",
    "cpuset": "CPU numbers, e.g. 0-3,^2",
    "deviceName": "a device name",
    "diskTargetDev": "a disk name such as vda, sda, hda, fda",
    "dirPath": "a path",
    "dnsName": "a DNS name",
    "filePath": "a path",
    "genericName": "a name of letters, digits and _ + -",
    "ipv4Addr": "an IPv4 address, e.g. 192.168.122.1",
    "ipv6Addr": "an IPv6 address, e.g. fd00::1",
    "macAddr": "a MAC address, e.g. 52:54:00:12:34:56",
    "objectName": "a name without '/'",
    "objectNameWithSlash": "one line of text",
    "octalMode": "access rights in octal, e.g. 0711",
    "uniMacAddr": "a unicast MAC address, e.g. 52:54:00:12:34:56",
    "unit": "a unit: bytes, KiB, MiB, GiB ...",
    "volName": "a file name",
    "wwn": "16 hexadecimal digits",
}
_ANY_TEXT: Final = "any text"
# Words of the guide and of old libvirt that no likeness leads to the word of today.
_OLD_WORDS: Final[Mapping[str, str]] = {"on_shutdown": "on_poweroff"}
_TYPES: Final[Mapping[str, str]] = {
    "anyURI": "a URI",
    "dateTime": "a date and time, e.g. 2026-01-31T12:00:00Z",
    "double": "a number",
    "NCName": "a name that begins with a letter",
    "string": "text",
}


def allowed_text(patterns: Iterable[Pattern], written: str) -> str:
    """Return a hint: what text any of ``patterns`` allows, and what ``written`` probably meant."""
    values: list[str] = []
    kinds: list[str] = []
    for leaf in (leaf for pattern in patterns for leaf in _leaves(pattern)):
        if isinstance(leaf, Value):
            values.append(leaf.text.strip())
        elif isinstance(leaf, Data):
            kinds.append(_data_words(leaf))
        else:
            kinds.append(_ANY_TEXT)
    values, kinds = list(dict.fromkeys(values)), list(dict.fromkeys(kinds))
    hint = did_you_mean(written, values, limit=20) if values else ""
    if not kinds:
        return hint
    wanted = " or ".join(kinds)
    if not hint:
        return "" if wanted == _ANY_TEXT else f"must be {wanted}"
    return f"{hint}, or {wanted}"


def name_hint(word: str, names: Iterable[str]) -> str:
    """Return a hint for a wrong name of an element or attribute."""
    allowed = sorted({name for name in names if not name.startswith("{")})
    if _OLD_WORDS.get(word) in allowed:
        return f"it is called {_OLD_WORDS[word]!r}"
    inside = [name for name in allowed if len(name) > 3 and name.lower() in word.lower()]
    if len(inside) == 1 and not difflib.get_close_matches(word, allowed, n=1):
        return f"did you mean {inside[0]!r}? allowed: {', '.join(allowed[:12])}"
    return did_you_mean(word, allowed)


def values_of(pattern: Pattern) -> list[str]:
    """Return the fixed words that ``pattern`` allows."""
    return [leaf.text.strip() for leaf in _leaves(pattern) if isinstance(leaf, Value)]


def tag_name(tag: str | None) -> str:
    """Return ``<name>`` without its namespace."""
    return f"<{(tag or 'any').rpartition('}')[2]}>"


def listed(names: Iterable[str], *, limit: int = 8) -> str:
    """Return ``a, b or c``; what goes beyond ``limit`` is left out."""
    some = list(dict.fromkeys(names))
    if len(some) > limit:
        return ", ".join(some[:limit]) + " ..."
    return " or ".join(filter(None, (", ".join(some[:-1]), some[-1] if some else "")))


def shown_attributes(element: Element, *, but: str = "") -> list[str]:
    """Return the attributes as they are written; secrets are left out."""
    return [
        f"{key!s}='{shorten(value)}'"
        for key, value in element.attrib.items()
        if key != but and not is_secret(str(key))
    ]


def problem_at(
    element: Element, value: str, why: str, hint: str, *, attribute: str | None = None
) -> Problem:
    """Return a problem with an element, or with one of its attributes, with its line."""
    path = element.getroottree().getpath(element)
    field = f"{path}/@{attribute}" if attribute else path
    where = f"line {element.sourceline}: "
    secret = is_secret(attribute or str(element.tag))
    return Problem(field, MASK if value and secret else shorten(value), where + why, hint)


def _leaves(pattern: Pattern) -> Iterator[Pattern]:
    match pattern:
        case Value() | Data():
            yield pattern
        case Choice(first, second) | Pair(_, first, second):
            yield from _leaves(first)
            yield from _leaves(second)
        case Repeat(inner):
            yield from _leaves(inner)
        case _:
            if pattern is TEXT:
                yield pattern


def _data_words(data: Data) -> str:
    limits = integer_limits(data)
    shapes = [limit for name, limit in data.params if name == "pattern"]
    if data.label in _MEANINGS:
        return _MEANINGS[data.label]
    if limits is not None:
        low, high = limits
        low_words = "" if low is None else f" from {low}"
        # The limits of C's types tell nobody anything.
        high_words = "" if high is None or high >= 2**31 - 1 else f" to {high}"
        least = "" if low is not None and low <= -(2**31) else low_words
        return f"a whole number{least}{high_words}"
    if shapes:
        return f"text of the form {shapes[0]}"
    return _TYPES.get(data.type, data.type)
