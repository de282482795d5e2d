"""Text read by the type that is declared: ``007`` is text for a ``str`` and 7 for an ``int``."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import typing
from typing import Any

import pydantic

from labvirt.runbook.kinds import Duration
from labvirt.runbook.parameters.annotations import base_type, metadata_of, parts_of

__all__ = ["from_text"]

_NONE = ("", "null", "none", "None", "~")
_INT = re.compile(r"\s*[+-]?[0-9]+(_[0-9]+)*\s*")
_DATES: dict[Any, str] = {
    dt.datetime: "a date and time such as 2026-01-02T03:04:05+01:00",
    dt.date: "a date such as 2026-01-02",
    dt.time: "a time of day such as 03:04:05",
}
_LONGEST_INT = 4000  # digits; Python itself refuses a little more
_COLLECTIONS = (list, set, frozenset, tuple)


def from_text(kind: Any, text: str) -> Any:  # noqa: PLR0911  # one for each kind
    """Return what a text means for a type; the result is not checked against limits.

    Args:
        kind: the declared type.
        text: as given with ``-p``, in the environment or in a file. For lists and the like: JSON,
            YAML flow (``[a, b]``), or words with commas between.

    Raises:
        ValueError: it does not read as the type.
        SpecError: likewise, for sizes, durations and hosts.
    """
    parts = parts_of(kind)
    if len(parts) > 1 or type(None) in parts:
        return _from_union(kind, parts, text)
    bare = base_type(kind)
    origin = typing.get_origin(bare) or bare
    if bare is str or bare is pydantic.SecretStr:
        return text
    if bare is Any:
        return _any(text)
    if origin is typing.Literal:
        return _choice(typing.get_args(bare), text)
    if origin in _COLLECTIONS or origin is dict:
        return _collection(bare, origin, text)
    if bare in (int, float):
        return _number(bare, _without_unit(kind, text))
    if bare in _DATES:
        return _moment(bare, text)
    if bare is dt.timedelta:
        return _timedelta(text)
    return pydantic.TypeAdapter(bare).validate_python(text.strip() if bare is bool else text)


def _from_union(kind: Any, parts: tuple[Any, ...], text: str) -> Any:
    """Return the first member's reading that works; text itself comes last."""
    if type(None) in parts and str not in parts and text.strip() in _NONE:
        return None
    members = typing.get_args(base_type(kind))
    texts = [one for one in members if base_type(one) is str]
    last: Exception = ValueError("does not fit")
    for member in [one for one in members if one is not type(None) and one not in texts] + texts:
        try:
            value = from_text(member, text)
            pydantic.TypeAdapter(member).validate_python(value)
        except ValueError as error:
            last = error
        else:
            return value
    raise last


def _any(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _choice(choices: tuple[Any, ...], text: str) -> Any:
    found = [one for one in choices if str(one) == text] or [
        one for one in choices if json.dumps(one) == text
    ]
    if not found:
        raise ValueError("must be one of " + ", ".join(map(repr, choices)))
    return found[0]


def _without_unit(kind: Any, text: str) -> str:
    """Take the declared unit off, so that ``512 MiB`` is 512 for ``Annotated[int, "MiB"]``."""
    text = text.strip()
    for unit in metadata_of(kind):
        if isinstance(unit, str) and unit and text.endswith(unit):
            return text.removesuffix(unit).rstrip()
    return text


def _number(kind: type[int | float], text: str) -> int | float:
    if kind is int:
        if not _INT.fullmatch(text):
            raise ValueError("must be a whole number")
        if len(text) > _LONGEST_INT:
            raise ValueError(f"must be a whole number of at most {_LONGEST_INT} digits")
        return int(text)
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number") from None


def _moment(kind: Any, text: str) -> Any:
    try:
        return kind.fromisoformat(text.strip())
    except ValueError as error:
        # Python's own words help when the form is right: "month must be in 1..12".
        why = "" if "isoformat" in str(error) else f": {error}"
        raise ValueError(f"must be {_DATES[kind]}{why}") from None


def _timedelta(text: str) -> dt.timedelta:
    try:
        return pydantic.TypeAdapter(dt.timedelta).validate_python(text)
    except pydantic.ValidationError:
        return dt.timedelta(seconds=Duration(text))


def _collection(bare: Any, origin: Any, text: str) -> Any:
    """Read JSON, else YAML flow, else words with commas between; elements by their own types."""
    stripped = text.strip()
    if stripped[:1] not in ("[", "{"):
        if origin is dict:
            raise ValueError("must be a mapping in JSON or YAML, e.g. {a: 1, b: 2}")
        words = next(csv.reader(io.StringIO(text), skipinitialspace=True), []) if stripped else []
        if "\n" in stripped:
            words = [line for line in stripped.splitlines() if line]
        return _elements(bare, origin, [word.strip() for word in words])
    try:
        found = json.loads(stripped)
        pydantic.TypeAdapter(bare).validate_json(stripped, strict=True)
    except (ValueError, RecursionError):
        found = _elements(bare, origin, _flow(stripped))
    else:
        # Checked as JSON already: give it in the collection's own type.
        return pydantic.TypeAdapter(bare).validate_json(stripped, strict=True)
    return found


def _flow(text: str) -> Any:
    """Read YAML with every scalar as text, so that the elements' own types decide."""
    import yaml  # type: ignore[import-untyped]

    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  # makes only text, list, dict
    except (yaml.YAMLError, RecursionError):
        raise ValueError("is neither JSON, nor YAML, nor words with commas between") from None


def _elements(bare: Any, origin: Any, found: Any) -> Any:
    """Read the elements of a collection by their types."""
    inner = typing.get_args(bare)
    if origin is dict:
        if not isinstance(found, dict):
            raise ValueError("must be a mapping, e.g. {a: 1, b: 2}")
        key, value = inner or (Any, Any)
        return {_element(key, one): _element(value, two) for one, two in found.items()}
    if not isinstance(found, list):
        raise ValueError("must be a list, e.g. [a, b]")  # noqa: TRY004  # it is text that is wrong
    if origin is tuple and inner and inner[-1] is not ...:
        if len(inner) != len(found):
            raise ValueError(f"must have {len(inner)} elements, has {len(found)}")
        return tuple(map(_element, inner, found))
    kind = inner[0] if inner else Any
    return origin(_element(kind, one) for one in found)


def _element(kind: Any, found: Any) -> Any:
    if isinstance(found, str):
        return from_text(kind, found)
    bare = base_type(kind)
    origin = typing.get_origin(bare) or bare
    return _elements(bare, origin, found) if origin in (*_COLLECTIONS, dict) else found
