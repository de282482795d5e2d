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
    if field.kind == "number":
        return _number(text, whole=field.whole)
    if field.kind == "size" and _BARE.fullmatch(text):
        return f"{text} {field.unit}"
    if field.kind == "words":
        return [word for word in re.split(r"[,\s]+", text) if word]
    if field.kind == "choice" and field.choices == ("yes", "no") and text in field.choices:
        return text == "yes"
    return text


def _number(text: str, *, whole: bool) -> int | float:
    if whole and not _WHOLE.fullmatch(text):
        raise ValueError(_("must be a whole number"))
    if not whole and not _BARE.fullmatch(text):
        raise ValueError(_("must be a number"))
    return int(text) if whole else float(text)


def write(field: FormField, value: Any) -> Raw:
    """Return a value of a spec as a form shows it."""
    if isinstance(value, bool):
        return value if field.kind == "flag" else ("yes" if value else "no")
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
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
