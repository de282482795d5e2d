"""Whether a value fits a type, and the value in that type: strict, with text read by the type."""

from __future__ import annotations

import functools
import json
import math
import typing
from typing import Any

import pydantic
import pydantic_core

from labvirt.errors import SpecError
from labvirt.runbook.parameters.annotations import parts_of
from labvirt.runbook.parameters.text import from_text
from labvirt.runbook.secrets import is_reference

__all__ = ["check_default", "check_type", "fit", "is_secret", "reason", "shown", "to_plain"]


@functools.lru_cache(maxsize=512)
def _cached(kind: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(kind)


def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    try:
        return _cached(kind)
    except TypeError:  # a Field with a list inside cannot be hashed
        return pydantic.TypeAdapter(kind)


def is_secret(kind: Any) -> bool:
    """Return whether a type without its union is that of secrets."""
    return kind is pydantic.SecretStr


def check_type(kind: Any) -> None:
    """Refuse types that cannot be checked, and secrets inside lists and the like.

    Raises:
        SpecError: says why.
    """
    try:
        _adapter(kind)
    except Exception as error:  # pydantic has no common root for what it says here
        why = str(error).splitlines()[0]
        raise SpecError(f"its limits do not go with its type: {why}") from error
    parts = parts_of(kind)
    if any(is_secret(part) for part in parts):
        if any(part not in (pydantic.SecretStr, type(None)) for part in parts):
            raise SpecError("a secret can be SecretStr or SecretStr | None only")
    elif _holds_secret(kind):
        raise SpecError("a secret must be a parameter of its own", hint="name: SecretStr")


def _holds_secret(kind: Any) -> bool:
    return is_secret(kind) or any(_holds_secret(one) for one in typing.get_args(kind))


def check_default(kind: Any, default: Any) -> bool:
    """Check a default against its type; return whether it is written in JSON's types.

    Args:
        kind: the type.
        default: the value, `...` for none.

    Returns:
        True when the type has other values than JSON and the default is written as JSON has it,
        e.g. text for a date.

    Raises:
        SpecError: it contradicts the type, or it is a secret value.
    """
    if default is ...:
        return False
    if any(is_secret(part) for part in parts_of(kind)):
        return _check_secret_default(kind, default)
    try:
        return not _alike(default, _adapter(kind).validate_python(default, strict=True))
    except pydantic.ValidationError as error:
        try:
            text = pydantic_core.to_json(default, inf_nan_mode="constants")
            _adapter(kind).validate_json(text, strict=True)
        except (pydantic.ValidationError, pydantic_core.PydanticSerializationError):
            why, hint = reason(error)
            if default is None:
                hint = "write 'X | None' when it may be None"
            raise SpecError(
                f"the default {shown(default)} contradicts its type: {why}", hint=hint
            ) from None
        except TypeError as wrong:
            raise SpecError(f"its limits do not go with its type: {wrong}") from wrong
        return True
    except TypeError as error:
        raise SpecError(f"its limits do not go with its type: {error}") from error


def _check_secret_default(kind: Any, default: Any) -> bool:
    if default is None and type(None) in parts_of(kind):
        return False
    text = default.get_secret_value() if isinstance(default, pydantic.SecretStr) else default
    if not isinstance(text, str):
        raise SpecError("the default contradicts its type: a secret is a reference")
    if not is_reference(text):
        raise SpecError(
            "its default is a secret value, which everybody who has the book can read",
            hint='a reference: SecretStr("env:NAME"), "file:PATH" or "keyring:SERVICE/USER"',
        )
    return isinstance(default, str)


def _alike(written: Any, typed: Any) -> bool:
    """Return whether text stands where the type has text, and nowhere else."""
    if isinstance(written, dict):
        return isinstance(typed, dict) and all(
            _alike(one, two)
            for pair in zip(written.items(), typed.items(), strict=True)
            for one, two in zip(*pair, strict=True)
        )
    if isinstance(written, list | tuple):
        return type(written) is type(typed) and all(map(_alike, written, typed))
    if isinstance(written, set | frozenset):
        texts = sum(isinstance(one, str) for one in written)
        return texts == sum(isinstance(one, str) for one in typed)
    return isinstance(written, str) == isinstance(typed, str)


def fit(kind: Any, value: Any) -> Any:
    """Return a given value in its type.

    Text is read by the type; a typed value must be of the type, or be what JSON or YAML have for
    it (text for a date, a list for a tuple).

    Raises:
        pydantic.ValidationError: it does not fit.
        SpecError: it does not fit.
        ValueError: it is text that cannot be read.
    """
    if isinstance(value, str):
        value = from_text(kind, value)
    elif hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()  # a number of numpy or pandas
    adapter = _adapter(kind)
    try:
        return adapter.validate_python(value, strict=True)
    except pydantic.ValidationError as first:
        try:
            text = pydantic_core.to_json(value, inf_nan_mode="constants")
            return adapter.validate_json(text, strict=True)
        except (pydantic.ValidationError, ValueError):
            raise first from None


def to_plain(kind: Any, value: Any) -> Any:
    """Return a value of a type in JSON's types; NaN and infinities as text."""
    return _finite(_adapter(kind).dump_python(value, mode="json", warnings=False))


def _finite(plain: Any) -> Any:
    if isinstance(plain, float) and not math.isfinite(plain):
        return str(plain)
    if isinstance(plain, dict):
        return {key: _finite(one) for key, one in plain.items()}
    if isinstance(plain, list):
        return [_finite(one) for one in plain]
    return plain


def reason(error: Exception) -> tuple[str, str]:
    """Return why a value does not fit, and what would, from whatever the check raised."""
    if isinstance(error, pydantic.ValidationError):
        first = error.errors(include_url=False)[0]
        inner = first.get("ctx", {}).get("error")
        if isinstance(inner, Exception):
            return reason(inner)
        where = ".".join(str(part) for part in first["loc"])
        # A union says where in itself it looked; that is of no use to the reader.
        place = (
            f" (at {where})" if where and all(part.isdigit() for part in where.split(".")) else ""
        )
        return first["msg"] + place, ""
    if isinstance(error, SpecError) and error.problems:
        return error.problems[0].why, error.problems[0].hint
    return str(error).splitlines()[0] if str(error) else type(error).__name__, ""


def shown(value: Any, limit: int = 80) -> str:
    """Return a value as short text for a message."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 1000:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str | bytes):
        size = len(value)
        return repr(value) if size <= limit else f"{value[:limit]!r}... ({size} characters)"
    try:
        text = json.dumps(value) if isinstance(value, float) else repr(value)
    except ValueError:
        text = f"a {type(value).__name__}"
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
