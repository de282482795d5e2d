"""Raw values: how text in a form becomes what a spec takes, and back. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import Problem, SpecError
from labvirt.model.spec import shorten
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from labvirt.widgets.forms.fields import FormField

__all__ = ["Raw", "read", "refused", "tail", "unit_shown", "words", "write"]

Raw = str | bool
_WHOLE: Final = re.compile(r"[+-]?\d{1,30}")
_BARE: Final = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)\s*")


def unit_shown(field: FormField, text: str) -> str:
    """Return the unit that stands beside a value; none where the value has its own."""
    return field.unit if not text or _BARE.fullmatch(text) else ""


def read(field: FormField, raw: Raw) -> Any:
    """Return a raw value as its spec takes it.

    Raises:
        ValueError: no such value can be right; says why.
    """
    if isinstance(raw, bool):
        return raw
    text = raw if field.kind in {"prose", "secret"} else raw.strip()
    reader = _READERS.get(field.kind)
    return reader(field, text) if reader is not None else text


def _number(field: FormField, text: str) -> int | float:
    if field.whole and not _WHOLE.fullmatch(text):
        raise ValueError(_("must be a whole number"))
    if not field.whole and not _BARE.fullmatch(text):
        raise ValueError(_("must be a number"))
    return int(text) if field.whole else float(text)


def _size(field: FormField, text: str) -> str:
    return f"{text} {field.unit}" if _BARE.fullmatch(text) else text


def _words(_field: FormField, text: str) -> list[str]:
    return [word for word in re.split(r"[,\s]+", text) if word]


def _choice(field: FormField, text: str) -> str | int | bool:
    if text not in field.choices:
        return text
    if field.numeric:
        return int(text)
    return text == "yes" if field.choices == ("yes", "no") else text


def _lines(_field: FormField, text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _pairs(_field: FormField, text: str) -> dict[str, str]:
    """Return ``a=1, b=2`` as a table."""
    found = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, is_pair, value = part.partition("=")
        if not is_pair or not name.strip():
            raise ValueError(_("must be name=value, several with commas"))
        found[name.strip()] = value.strip()
    return found


_READERS: Final = {
    "number": _number,
    "size": _size,
    "words": _words,
    "lines": _lines,
    "pairs": _pairs,
    "choice": _choice,
}


def write(field: FormField, value: Any) -> Raw:
    """Return a value of a spec as a form shows it."""
    if isinstance(value, bool):
        return value if field.kind == "flag" else ("yes" if value else "no")
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ("\n" if field.kind == "lines" else ", ").join(str(each) for each in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def words(value: Raw) -> str:
    """Return a value as text for people."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return value


def tail(path: str) -> str:
    """Return the last step of a path: ``.size``, ``[0]``, or a first name."""
    found = re.search(r"(\.[^.\[\]]+|\[\d+\]|^[^.\[\]]+)$", path)
    return found[0] if found else path


def refused(path: str, value: object, why: str) -> SpecError:
    """Return the error for what no form can give."""
    return SpecError("the form", (Problem(path, shorten(value), why),))
