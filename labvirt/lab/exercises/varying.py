"""What varies from student to student: chosen by name, and put into the text of an exercise."""

from __future__ import annotations

import hashlib
import random
import re
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import Problem, SpecError
from labvirt.model.spec import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["chosen", "filled"]

_NAME: Final = re.compile(r"\{([a-z_]+)\}")
#: Keys of a mapping whose text is program text: braces in it are Python's or the shell's own.
_PROGRAMS: Final = {"python", "matches"}


def chosen(name: str, vary: object, student: str) -> dict[str, Any]:
    """Return a value for everything that varies, the same for the same student every time.

    Without a student the first of each is taken.

    Args:
        name: name of the exercise.
        vary: name -> list of values; a value that is a mapping gives several names at once.
        student: any text that identifies the student.

    Raises:
        SpecError: it is not of this form.
    """
    if not isinstance(vary, dict):
        raise _wrong(name, "vary", vary, "must be a mapping: name -> list of values")
    digest = hashlib.sha256(f"{name}\n{student}".encode()).digest()
    dice = random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - no secret
    values: dict[str, Any] = {}
    for key, offers in vary.items():
        if not isinstance(offers, list) or not offers:
            raise _wrong(name, f"vary.{key}", offers, "must be a list of values")
        one = dice.choice(offers) if student else offers[0]
        values |= one if isinstance(one, dict) else {str(key): one}
    return values


def filled(name: str, data: Any, values: Mapping[str, Any], *, at: str = "") -> Any:
    """Return the data of an exercise with what varies put in.

    An entry of a list with ``when: {name: value}`` is left out for other values. A text that is
    nothing but ``{name}`` becomes the value itself.

    Raises:
        SpecError: a text names something that does not vary; says where.
    """
    if isinstance(data, dict):
        return {
            key: value
            if key in _PROGRAMS and isinstance(value, str)
            else filled(name, value, values, at=f"{at}.{key}".lstrip("."))
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [
            filled(name, _without(each), values, at=f"{at}[{number}]")
            for number, each in enumerate(data)
            if _is_meant(each, values)
        ]
    if not isinstance(data, str):
        return data
    whole = _NAME.fullmatch(data)
    if whole and whole[1] in values:
        return values[whole[1]]

    def put(found: re.Match[str]) -> str:
        if found[1] not in values:
            hint = did_you_mean(found[1], tuple(values)) or "name it under vary"
            why = f"{found[0]} is not known"
            raise SpecError(f"exercise {name}", (Problem(at, data[:60], why, hint),))
        return str(values[found[1]])

    return _NAME.sub(put, data)


def _is_meant(entry: Any, values: Mapping[str, Any]) -> bool:
    when = entry.get("when") if isinstance(entry, dict) else None
    return not isinstance(when, dict) or all(values.get(k) == v for k, v in when.items())


def _without(entry: Any) -> Any:
    if isinstance(entry, dict) and isinstance(entry.get("when"), dict):
        return {key: value for key, value in entry.items() if key != "when"}
    return entry


def _wrong(name: str, field: str, value: object, why: str) -> SpecError:
    return SpecError(f"exercise {name}", (Problem(field, str(value)[:60], why),))
