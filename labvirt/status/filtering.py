"""The filter language of domains: ``state:running tag:web mem>1G -"two words"``; pure.

A filter is a list of terms; a domain is shown when all of them fit.

- ``web`` or ``"two words"``: text that occurs in name, title, description, tags, OS, host, state,
  addresses, UUID or MAC; upper and lower case are the same.
- ``field:value``: the field has it. Several values (``state:running,paused``) mean any of them;
  ``*`` and ``?`` stand for other letters; ``field=value`` asks for the whole text.
- ``cpu>50``, ``mem>=1.5G``, ``disk<100k``: numbers; sizes have units.
- ``-`` before any of these: not that.
"""

from __future__ import annotations

import difflib
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import LabvirtError, SpecError
from labvirt.model.units import Size
from labvirt.status.domain import DomainState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["FIELDS", "WHY", "Fault", "Filter", "Term", "facts_of_record", "has_of", "parse", "read"]

#: Fields: what each is about. Texts of the views are looked up in the catalogue.
FIELDS: Final[dict[str, str]] = {
    "state": "running, paused, off, crashed, suspended ...; active, inactive",
    "tag": "a tag, whole",
    "host": "name of the host",
    "os": "operating system",
    "name": "part of the name",
    "title": "part of the title",
    "description": "part of the description",
    "address": "part of an address",
    "mac": "part of a hardware address",
    "uuid": "part of the UUID",
    "has": "snapshots, save, title, description, tags, address, os",
    "autostart": "yes or no",
    "persistent": "yes or no",
    "cpu": "CPU of the VM, %",
    "cpu_host": "CPU of the host, %",
    "mem": "memory, with a unit: mem>1G",
    "mem_host": "memory, % of the host",
    "vcpus": "number of virtual CPUs",
    "disk": "disk I/O per second, with a unit: disk>1M",
    "net": "network I/O per second, with a unit",
    "id": "libvirt's number",
}
_ALIASES: Final = {
    "tags": "tag", "ip": "address", "memory": "mem", "cpus": "vcpus", "is": "state",
    "status": "state", "desc": "description", "network": "net",
}  # fmt: skip
#: What is asked of them.
_NUMBERS: Final = {
    "cpu": "%", "cpu_host": "%", "mem": "B", "mem_host": "%", "vcpus": "", "disk": "B/s",
    "net": "B/s", "id": "",
}  # fmt: skip
_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "has": ("snapshots", "save", "title", "description", "tags", "address", "os"),
    "autostart": ("yes", "no"),
    "persistent": ("yes", "no"),
}
_WHOLE: Final = frozenset({"tag", "host", *_CHOICES})
_STATES: Final[dict[str, tuple[str, ...]]] = {
    **{each.value: (each.value,) for each in DomainState},
    **{each.text: (each.value,) for each in DomainState},
    "running": ("running", "blocked"),
    "off": ("shutoff",),
    "suspended": ("pmsuspended",),
    "active": tuple(each.value for each in DomainState if each.is_active),
    "inactive": tuple(each.value for each in DomainState if not each.is_active),
}
#: What is wrong with a filter, by kind; braces hold what was written.
WHY: Final[dict[str, str]] = {
    "field": "there is no field “{word}”",
    "value": "“{field}” needs a value",
    "choice": "“{field}” is no “{word}”",
    "operator": "“{field}” is text: write {field}:…",
    "number": "“{field}” needs a number, not “{word}”",
    "size": "“{field}” needs a number with a unit such as 512M, not “{word}”",
    "quote": "the quotation mark is never closed",
    "minus": "“-” stands alone: what shall not be there?",
    "long": "the filter is longer than {most} characters",
}
_COMPARE: Final = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq,
}  # fmt: skip
_MOST: Final = 500
_HEAD: Final = re.compile(r"([A-Za-z_]+)(:|=|>=|<=|>|<)")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?|\.\d+")
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([kKMGT]?)(?:B(?:/s)?)?")
_QUOTES: Final = {'"': '"', "“": "”", "«": "»"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where.

    Attributes:
        at: place of the first character that is wrong, from 0.
        end: place after the last one.
        kind: key of `WHY`.
        values: what its braces hold.
        hint: what would do; words of the language itself.
    """

    at: int
    end: int
    kind: str
    values: Mapping[str, str]
    hint: str = ""

    @property
    def why(self) -> str:
        """What is wrong, in English."""
        return WHY[self.kind].format(**self.values)


@dataclass(frozen=True, slots=True)
class Term:
    """One condition.

    Attributes:
        field: key of `FIELDS`; empty: any text.
        op: ``~`` (one of the patterns is found), ``>``, ``>=``, ``<``, ``<=`` or ``=`` (a number).
        patterns: regular expressions over text in lower case, good for Python and JavaScript.
        number: what a number is compared with.
        negated: it must not hold.
    """

    field: str
    op: str
    patterns: tuple[str, ...] = ()
    number: float = 0.0
    negated: bool = False

    def fits(self, of: Callable[[str], Any]) -> bool:
        """Return whether it holds; `of` gives a field: texts (a tuple), a number, or None."""
        return self._holds(of(self.field)) != self.negated

    def _holds(self, found: Any) -> bool:
        if self.op == "~":
            texts = [str(each).lower() for each in found or ()]
            return any(re.search(pattern, text) for pattern in self.patterns for text in texts)
        if found is None:
            return False
        return bool(_COMPARE[self.op](found, self.number))

    def as_json(self) -> dict[str, Any]:
        """Return the term for a view."""
        return {
            "field": self.field,
            "op": self.op,
            "patterns": list(self.patterns),
            "number": self.number,
            "not": self.negated,
        }


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms that must all fit; without any everything does."""

    text: str = ""
    terms: tuple[Term, ...] = ()

    def fits(self, of: Callable[[str], Any]) -> bool:
        """Return whether all terms fit; see `Term.fits`."""
        return all(term.fits(of) for term in self.terms)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that it asks for."""
        return frozenset(term.field for term in self.terms)


def parse(text: str) -> Filter:
    """Return the filter that a text means.

    Raises:
        SpecError: the text has a fault; says where and what would do.
    """
    if not isinstance(text, str):
        raise SpecError(f"filter: {text!r:.80} is no text", hint='write e.g. "state:running web"')
    found, fault = read(text)
    if fault is None:
        return found
    shown = text if len(text) <= 200 else text[:200] + "…"
    place = " " * fault.at + "^" * max(1, min(fault.end, len(shown) + 1) - fault.at)
    where = f"\n  {shown}\n  {place}" if fault.at < 200 and "\n" not in shown else ""
    raise SpecError(f"filter: at character {fault.at + 1}: {fault.why}{where}", hint=fault.hint)


def read(text: str) -> tuple[Filter, Fault | None]:
    """Return the filter that a text means, without the terms that are wrong, and the first fault."""
    if len(text) > _MOST:
        return Filter(text), Fault(_MOST, len(text), "long", {"most": str(_MOST)})
    terms: list[Term] = []
    fault: Fault | None = None
    for found in _terms(text):
        if isinstance(found, Fault):
            fault = fault or found
        else:
            terms.append(found)
    return Filter(text, tuple(terms)), fault


def _terms(text: str) -> Iterator[Term | Fault]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        began = at
        negated = text[at] == "-"
        at += negated
        head = _HEAD.match(text, at)
        if head is not None:
            at = head.end()
        values, at, closed = _values(text, at, split=head is not None)
        if not closed:
            yield Fault(began, at, "quote", {}, '"')
        elif head is not None:
            yield _of_field(head, values, at, negated=negated)
        elif values:
            word, quoted = values[0]
            yield Term(
                "", "~", (_pattern(word.lower(), quoted=quoted, inside=True),), negated=negated
            )
        else:
            yield Fault(began, at, "minus", {}, "-tag:old")


def _values(text: str, at: int, *, split: bool) -> tuple[list[tuple[str, bool]], int, bool]:
    """Return the values from a place on (each with whether it was quoted), and where they end."""
    values: list[tuple[str, bool]] = []
    now, quoted = "", False
    while at < len(text) and not text[at].isspace():
        letter = text[at]
        if letter in _QUOTES and not now:
            end = text.find(_QUOTES[letter], at + 1)
            if end < 0:
                return values, len(text), False
            now, quoted, at = text[at + 1 : end], True, end + 1
            continue
        if letter == "," and split:
            values.append((now, quoted))
            now, quoted = "", False
        else:
            now += letter
        at += 1
    values.append((now, quoted))
    return [each for each in values if each[0]], at, True


def _of_field(
    head: re.Match[str], values: list[tuple[str, bool]], end: int, *, negated: bool
) -> Term | Fault:
    word, op = head.group(1), head.group(2)
    field = _ALIASES.get(word.lower(), word.lower())
    if field not in FIELDS:
        near = difflib.get_close_matches(field, [*FIELDS, *_ALIASES], 1)
        hint = f"{near[0]}{op}…" if near else f'"{head.group()}…" ({", ".join(FIELDS)})'
        return Fault(head.start(1), head.end(1), "field", {"word": word}, hint)
    if not values:
        example = _CHOICES.get(field, ("…",))[0]
        return Fault(head.start(), end, "value", {"field": field}, f"{field}{op}{example}")
    if field in _NUMBERS:
        return _number(field, op, values[0][0], (head.end(), end), negated=negated)
    if op not in {":", "="}:
        return Fault(head.start(2), head.end(2), "operator", {"field": field}, f"{field}:…")
    patterns = []
    for value, quoted in values:
        if (field == "state" and value.lower() not in _STATES) or (
            field in _CHOICES and value.lower() not in _CHOICES[field]
        ):
            allowed = tuple(_STATES) if field == "state" else _CHOICES[field]
            near = difflib.get_close_matches(value.lower(), allowed, 1)
            hint = f"{field}:{near[0]}" if near else ", ".join(dict.fromkeys(allowed))
            wrong = {"field": field, "word": value}
            return Fault(head.end(), end, "choice", wrong, hint)
        if field == "state":
            patterns += [f"^{each}$" for each in _STATES[value.lower()]]
        else:
            whole = op == "=" or field in _WHOLE
            patterns.append(_pattern(value.lower(), whole=whole, quoted=quoted))
    return Term(field, "~", tuple(patterns), negated=negated)


def _pattern(value: str, *, whole: bool = False, quoted: bool = False, inside: bool = False) -> str:
    """Return a value as a regular expression; stars are about the whole text unless `inside`."""
    stars = not quoted and re.search(r"[*?]", value) is not None
    if not stars:
        made = re.escape(value)
        return f"^{made}$" if whole else made
    made = "".join({"*": ".*", "?": "."}.get(each) or re.escape(each) for each in value)
    return made if inside else f"^{made}$"


def _number(
    field: str, op: str, text: str, place: tuple[int, int], *, negated: bool
) -> Term | Fault:
    unit = _NUMBERS[field]
    wrong = {"field": field, "word": text}
    number: float | None = None
    if unit == "B":
        try:
            number = float(Size.parse(text))
        except LabvirtError:
            return Fault(*place, "size", wrong, f"{field}{op}1G")
    elif unit == "B/s":
        found = _RATE.fullmatch(text)
        if found is None:
            return Fault(*place, "size", wrong, f"{field}{op}1M")
        # Rates are shown by powers of 1000.
        number = float(found.group(1)) * 1000.0 ** " KMGT".index(found.group(2).upper() or " ")
    else:
        plain = text.removesuffix("%") if unit == "%" else text
        if not _NUMBER.fullmatch(plain):
            return Fault(*place, "number", wrong, f"{field}{op}2")
        number = float(plain)
    return Term(field, "=" if op == ":" else op, number=number, negated=negated)


def facts_of_record(
    record: Any, host: str, addresses: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[[str], Any]:
    """Return what `Filter.fits` asks of a domain's record.

    Args:
        record: a `DomainRecord`.
        host: name of its host.
        addresses: addresses by hardware address, as far as they are known.
    """
    known = addresses or {}
    own = tuple(address for mac in record.macs for address in known.get(mac, ()))
    facts: dict[str, Any] = {
        "state": (record.state.value,),
        "tag": record.tags,
        "host": (host,),
        "os": (record.os,) if record.os else (),
        "name": (record.name,),
        "title": (record.title,),
        "description": (record.description,),
        "address": own,
        "mac": record.macs,
        "uuid": (record.uuid,),
        "has": has_of(record, own),
        "autostart": ("yes" if record.autostart else "no",),
        "persistent": ("yes" if record.persistent else "no",),
        "mem": float(record.memory),
        "vcpus": float(record.vcpus),
        "id": None if record.id is None else float(record.id),
    }
    facts[""] = (
        record.name, record.title, record.description, record.os, host, record.state.text,
        record.uuid, *record.tags, *own, *record.macs,
    )  # fmt: skip
    return facts.get


def has_of(record: Any, addresses: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return which of the things that ``has:`` asks for a domain has."""
    pairs = (
        ("snapshots", record.has_snapshots),
        ("save", record.has_managed_save),
        ("title", record.title),
        ("description", record.description),
        ("tags", record.tags),
        ("address", addresses),
        ("os", record.os),
    )
    return tuple(name for name, found in pairs if found)
