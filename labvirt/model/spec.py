"""The base of all specs: frozen records whose every fault is told at once, in labvirt's words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined

from labvirt.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MASK", "Spec", "did_you_mean", "is_secret", "shorten", "spec_error"]

_SHOWN: Final = 60  # characters of a value in a message
_SECRET_WORDS: Final = ("password", "passwd", "secret", "token")
MASK: Final = "***"


class Spec(BaseModel):
    """A frozen record of what is asked for.

    Wrong input raises :class:`~labvirt.errors.SpecError` with every problem in it, also from
    nested specs; pydantic's own ``ValidationError`` never leaves. A changed spec is a new spec:
    :meth:`replace`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True
    )

    def __init__(self, /, **data: Any) -> None:
        """Make and check the record."""
        try:
            super().__init__(**data)
        except ValidationError as failure:
            raise spec_error(type(self), failure, data) from None

    # Without this mark pydantic would build nested specs through __init__, and their problems
    # would arrive without the path that leads to them.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # pydantic's own marker

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002 - pydantic's signature
        """Count the tag of a union as given, so that JSON without defaults still has it."""
        if "kind" in type(self).model_fields:
            self.__pydantic_fields_set__.add("kind")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).model_fields:
            raise SpecError(
                f"{type(self).__name__}.{name} cannot be changed: specs are frozen",
                hint=f"spec.replace({name}=...) returns a changed copy",
            )
        super().__setattr__(name, value)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Make the spec from a mapping or another spec.

        Raises:
            SpecError: every problem found.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as failure:
            raise spec_error(cls, failure, obj) from None

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Make the spec from JSON text.

        Raises:
            SpecError: no JSON, or every problem found in it.
        """
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as failure:
            raise spec_error(cls, failure, None) from None

    def replace(self, **changes: Any) -> Self:
        """Return a copy with ``changes``, checked like a new one.

        Raises:
            SpecError: the changed spec is not right, or has no such field.
        """
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**fields, **changes})

    def to_json(self) -> str:
        """Return the spec as JSON that makes the same spec again; sizes are exact text."""
        return self.model_dump_json(exclude_unset=True)


def spec_error(cls: type[BaseModel], failure: ValidationError, data: object) -> SpecError:
    """Translate pydantic's failure to make a ``cls`` from ``data``."""
    problems: list[Problem] = []
    for error in failure.errors(include_url=False):
        for problem in _problems_of(cls, error, data):
            if problem not in problems:
                problems.append(problem)
    many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return SpecError(f"{cls.__name__} has {many}", problems)


def did_you_mean(word: str, allowed: Sequence[str], *, limit: int = 12) -> str:
    """Return a hint: the nearest of ``allowed``, then what else is allowed.

    Args:
        word: what was written.
        allowed: what may be written.
        limit: how many of ``allowed`` are listed at most.
    """
    by_low = {one.lower(): one for one in allowed}
    near = difflib.get_close_matches(word.lower(), list(by_low), n=1, cutoff=0.6)
    guess = f"did you mean {by_low[near[0]]!r}? " if near else ""
    listed = ", ".join(allowed[:limit]) + (", ..." if len(allowed) > limit else "")
    return f"{guess}allowed: {listed}" if listed else guess.strip()


def shorten(value: object) -> str:
    """Return ``value`` as one short line for a message."""
    text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _problems_of(cls: type[BaseModel], error: ErrorDetails, data: object) -> tuple[Problem, ...]:
    """Return the problems in one of pydantic's errors; an inner SpecError has several."""
    path, owner = _path_of(cls, error, data)
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, SpecError) and cause.problems:
        return tuple(_below(path, problem) for problem in cause.problems)
    why, hint = _words(error, owner)
    return (Problem(path or cls.__name__, _shown(path, error), why, hint),)


def _below(path: str, problem: Problem) -> Problem:
    """Return ``problem`` with its field seen from the outer spec."""
    last = path.rsplit(".", 1)[-1].split("[", maxsplit=1)[0]
    own = problem.field
    # Size and name checks know no field; they name themselves.
    inner = "" if own in {"size", "name", "mac", "uuid", last} else own
    field = ".".join(part for part in (path, inner) if part) or own
    value = MASK if is_secret(field) else problem.value
    return Problem(field, value, problem.why, problem.hint)


def _path_of(
    cls: type[BaseModel], error: ErrorDetails, data: object
) -> tuple[str, type[BaseModel] | None]:
    """Return the dotted path of an error, and the class whose field it is.

    Pydantic puts the tag of a union into the path; it is no field, and is left out.
    """
    here: object = data
    owner: type[BaseModel] | None = cls
    path = ""
    last = len(error["loc"]) - 1
    for place, part in enumerate(error["loc"]):
        if isinstance(part, int):
            path += f"[{part}]"
            here = here[part] if isinstance(here, Sequence) and part < len(here) else None
            continue
        known = part in here if isinstance(here, Mapping) else hasattr(here, part)
        tagged = None if owner and part in owner.model_fields else _tagged(part)
        if not known and tagged is not None:
            owner = tagged
            continue
        path += f".{part}" if path else part
        if place < last:
            here = here.get(part) if isinstance(here, Mapping) else getattr(here, part, None)
            owner = _inner_class(owner, part) or owner
    return path, owner


def _inner_class(owner: type[BaseModel] | None, field: str) -> type[BaseModel] | None:
    """Return the spec class in the annotation of ``field``, when there is exactly one."""
    info = owner.model_fields.get(field) if owner else None
    if info is None:
        return None
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [info.annotation]
    while waiting:
        note = waiting.pop()
        if isinstance(note, type) and issubclass(note, BaseModel):
            found.add(note)
        waiting.extend(getattr(note, "__args__", ()))
    return found.pop() if len(found) == 1 else None


def _tagged(tag: str) -> type[BaseModel] | None:
    """Return the spec class whose ``kind`` is ``tag``."""
    waiting: list[type[BaseModel]] = [Spec]
    while waiting:
        cls = waiting.pop()
        waiting.extend(cls.__subclasses__())
        field = cls.model_fields.get("kind")
        if field is not None and field.default == tag:
            return cls
    return None


def is_secret(path: str) -> bool:
    """Tell whether a field or attribute of this name holds a secret."""
    return any(word in path.lower() for word in _SECRET_WORDS)


def _shown(path: str, error: ErrorDetails) -> str:
    value = error["input"]
    if error["type"] == "missing" or value is PydanticUndefined:
        return ""
    if is_secret(path):
        return MASK
    if isinstance(value, Mapping):
        return ""
    return shorten(value)


def _words(error: ErrorDetails, owner: type[BaseModel] | None) -> tuple[str, str]:
    """Return why and hint for one of pydantic's errors."""
    context = error.get("ctx", {})
    kind = error["type"]
    if kind in _WORDS:
        return _WORDS[kind](context)
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        name = str(error["loc"][-1])
        fields = tuple(owner.model_fields) if owner else ()
        return "there is no such field", did_you_mean(name, fields, limit=30)
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        listed = str(context.get("expected") or context.get("expected_tags", ""))
        allowed = [word.strip().strip("'") for word in listed.replace(" or ", ", ").split(",")]
        word = str(context.get("tag", error["input"]))
        why = f"unknown kind {word!r}" if kind == "union_tag_invalid" else "is not allowed"
        return why, did_you_mean(word, allowed)
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message[:1].lower() + message[1:], ""


def _limit(word: str, key: str) -> Callable[[Mapping[str, Any]], tuple[str, str]]:
    return lambda context: (f"must be {word} {context[key]}", "")


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], tuple[str, str]]]] = {
    "missing": lambda _: ("is missing", "this field is required"),
    "greater_than_equal": _limit("at least", "ge"),
    "greater_than": _limit("more than", "gt"),
    "less_than_equal": _limit("at most", "le"),
    "less_than": _limit("less than", "lt"),
    "string_too_long": lambda context: ("is too long", f"at most {context['max_length']}"),
    "string_too_short": lambda context: ("is too short", f"at least {context['min_length']}"),
    "string_pattern_mismatch": lambda context: (
        "is not of the right form",
        f"must match {context['pattern']}",
    ),
    "string_type": lambda _: ("must be text", ""),
    "union_tag_not_found": lambda _: ("does not say its kind", "add kind='...'"),
    "int_from_float": lambda _: ("must be a whole number", ""),
    "model_type": lambda context: (f"must be a {context.get('class_name', 'spec')}", ""),
    "tuple_type": lambda _: ("must be a list", "write (one,) or [one]"),
}
