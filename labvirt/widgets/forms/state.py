"""State: what was given in a form, what is default, what is missing; raw text in, a spec out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from labvirt.errors import Problem, SpecError
from labvirt.model.spec import MASK, Spec, did_you_mean
from labvirt.widgets.forms.depends import RULES
from labvirt.widgets.forms.fields import FormField, fields_of
from labvirt.widgets.forms.raw import Raw, read, refused, tail, unit_shown, words, write
from labvirt.widgets.forms.reasons import reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Checked", "Entry", "FormState"]

S = TypeVar("S", bound=Spec)
_LONGEST: Final = 100_000  # characters of one value; a description may be long
_SAID: Final = 600
_MOST: Final = 64  # elements of a list
_INDEX: Final = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the checklist.

    Attributes:
        path: place of the field, e.g. ``disks[0].source.size``.
        field: the field.
        state: ``given``, ``default`` or ``missing``.
        value: what holds, as text; a secret is masked; empty when it is left open.
    """

    path: str
    field: FormField
    state: Literal["given", "default", "missing"]
    value: str


@dataclass(frozen=True, slots=True)
class Checked(Generic[S]):
    """What became of a form's values.

    Attributes:
        spec: the spec; None when something is wrong.
        errors: path to text, in the order of the fields; the path is empty for what belongs to
            no field that is shown.
    """

    spec: S | None
    errors: Mapping[str, str]

    @property
    def first(self) -> str:
        """Path of the first field that is wrong; empty when there is none."""
        return next((path for path in self.errors if path), "")


class FormState(Generic[S]):
    """The values of a form for one spec.

    Args:
        spec: the class.
        only: names of the fields that are asked for; all when empty.
    """

    def __init__(self, spec: type[S], *, only: Sequence[str] = ()) -> None:
        self.cls = spec
        self.fields = fields_of(spec, only=only)
        self.raw: dict[str, Raw] = {}
        self.counts: dict[str, int] = {}

    # -- giving ----------------------------------------------------------------------------------

    def set(self, path: str, value: object) -> None:
        """Give a value: text as it is written in a form, or True and False.

        Empty text takes the value away. An element of a list that is not there yet is added.

        Raises:
            SpecError: there is no such field, or no form could give such a value.
        """
        field = self.find(path)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str | bool):
            raise refused(path, value, "must be text or True and False")
        if isinstance(value, str) and len(value) > _LONGEST:
            raise refused(path, value, f"is longer than {_LONGEST} characters")
        if field.kind == "list":
            raise refused(path, value, "is a list; add() and remove() change it")
        is_switch = field.kind == "flag" or (field.kind == "group" and not field.variants)
        if is_switch != isinstance(value, bool):
            raise refused(path, value, "must be True or False" if is_switch else "must be text")
        self._grow(path)
        if value == "":
            self.raw.pop(path, None)
        else:
            self.raw[path] = value

    def add(self, path: str) -> str:
        """Add an element to a list and return its path.

        Raises:
            SpecError: no list, or one that is full.
        """
        field = self.find(path)
        if field.kind != "list":
            raise refused(path, "", "is no list")
        at = self.count(field, path)
        self._grow(f"{path}[{at}]")
        for inner in field.inner:
            if inner.variants:
                self.raw.setdefault(f"{path}[{at}].{inner.name}", inner.variants[0][0])
        return f"{path}[{at}]"

    def remove(self, path: str) -> None:
        """Take an element of a list away: ``disks[1]``. Those after it move up.

        Raises:
            SpecError: there is no such element.
        """
        found = re.fullmatch(r"(.*)\[(\d+)\]", path)
        field = self.find(found[1]) if found else None
        count = self.count(field, found[1]) if found and field else 0
        if not found or int(found[2]) >= count:
            raise refused(path, "", "there is no such element")
        name, at = found[1], int(found[2])
        moved: dict[str, Raw] = {}
        for key, value in self.raw.items():
            inside = re.match(rf"{re.escape(name)}\[(\d+)\](.*)", key)
            number = int(inside[1]) if inside else -1
            if inside is None or number < at:
                moved[key] = value
            elif number > at:
                moved[f"{name}[{number - 1}]{inside[2]}"] = value
        self.raw, self.counts[name] = moved, count - 1

    def clear(self) -> None:
        """Take everything away that was given."""
        self.raw.clear()
        self.counts.clear()

    def load(self, spec: Spec | Mapping[str, Any]) -> tuple[str, ...]:
        """Give everything that a spec was given; return the paths of what a form cannot take.

        Secrets are left out: they are given again by whoever knows them.
        """
        data = spec.model_dump(mode="json", exclude_unset=True) if isinstance(spec, Spec) else spec
        self.clear()
        left: list[str] = []
        self._load(self.fields, "", data, left)
        return tuple(left)

    # -- asking ----------------------------------------------------------------------------------

    def find(self, path: str) -> FormField:
        """Return the field at a path.

        Raises:
            SpecError: there is none.
        """
        fields: Sequence[FormField] = self.fields
        found: FormField | None = None
        for part in str(path)[:200].split("."):
            name = _INDEX.sub("", part)
            found = next((each for each in fields if each.name == name), None)
            if found is None:
                names = tuple(each.name for each in fields)
                hint = did_you_mean(name, names)
                raise SpecError("the form", (Problem(path[:200], "", "no such field", hint),))
            number = _INDEX.search(part)
            if number and (found.kind != "list" or int(number[1]) >= _MOST):
                raise refused(path, number[1], f"a list has at most {_MOST} elements")
            fields = found.inner or tuple(
                {each.name: each for _, inner in found.variants for each in inner}.values()
            )
        assert found is not None
        return found

    def value(self, field: FormField, path: str) -> Raw:
        """Return what holds, as a form shows it: what was given, else the default."""
        given = self.raw.get(path)
        if given is not None:
            return given
        if field.kind == "flag" or (field.kind == "group" and not field.variants):
            return bool(field.default) or (field.kind == "group" and not field.optional)
        return "" if field.default is None or field.default is True else str(field.default)

    def count(self, field: FormField, path: str) -> int:
        """Return how many elements a list has."""
        return self.counts.get(path, 1 if field.default else 0)

    def is_shown(self, path: str) -> bool:
        """Tell whether a field is asked for now: others decide about some."""
        rule = RULES.get((self.cls.__name__, _INDEX.sub("", path)))
        if rule is None:
            return True
        parent, dot, _own = path.rpartition(".")
        sibling = f"{parent}{dot}{rule[0]}"
        return self.value(self.find(sibling), sibling) in rule[1]

    def entries(self) -> tuple[Entry, ...]:
        """Return the checklist: every field that is asked for now, given, default or missing."""
        return tuple(self._entries(self.fields, ""))

    def data(self) -> dict[str, Any]:
        """Return what was given, as nested data for the spec."""
        return self._data(self.fields, "", {})

    def spec(self) -> S:
        """Return the spec.

        Raises:
            SpecError: every problem found.
        """
        wrong: dict[str, str] = {}
        data = self._data(self.fields, "", wrong)
        problems = [Problem(path, str(self.raw.get(path, "")), why) for path, why in wrong.items()]
        try:
            made = self.cls.model_validate(data)
        except SpecError as error:
            known = [each for each in error.problems if each.field not in wrong]
            raise SpecError(f"{self.cls.__name__}", (*problems, *known)) from None
        if problems:
            raise SpecError(f"{self.cls.__name__}", problems)
        return made

    def check(self) -> Checked[S]:
        """Return the spec, or what is wrong by field."""
        try:
            return Checked(self.spec(), {})
        except SpecError as error:
            return Checked(None, self.placed(error))

    def placed(self, error: SpecError) -> dict[str, str]:
        """Return the problems of an error by the fields that are shown; the rest under ``""``."""
        order = {path: number for number, path in enumerate(self._paths(self.fields, ""))}
        found: dict[str, str] = {}
        for problem in error.problems:
            path = problem.field
            while path and path not in order:
                path = path[: -len(tail(path))]
            why, hint = reason(problem.why), reason(problem.hint)
            text = f"{why} ({hint})" if hint else why
            if path != problem.field:
                text = f"{problem.field}: {text}"
            text = f"{found[path]}; {text}" if path in found else text
            # A value of a thousand digits is repeated in what is said of it.
            found[path] = text if len(text) <= _SAID else f"{text[:_SAID]}…"
        if not error.problems:
            found[""] = str(error)
        return dict(sorted(found.items(), key=lambda each: order.get(each[0], len(order))))

    # -- inside ----------------------------------------------------------------------------------

    def shown(self, fields: Sequence[FormField], prefix: str) -> Iterator[tuple[FormField, str]]:
        """Yield the fields of one level that are asked for now, with their paths."""
        for field in fields:
            path = prefix + field.name
            if self.is_shown(path):
                yield field, path

    def inner(self, field: FormField, path: str) -> Iterator[tuple[tuple[FormField, ...], str]]:
        """Yield the levels inside a group or list: fields, and the prefix of their paths."""
        if field.kind == "list":
            for number in range(self.count(field, path)):
                yield field.inner, f"{path}[{number}]."
        elif field.kind == "group":
            value = self.value(field, path)
            if value:
                yield field.of(str(value)), f"{path}."

    def _paths(self, fields: Sequence[FormField], prefix: str) -> Iterator[str]:
        for field, path in self.shown(fields, prefix):
            yield path
            for inner, below in self.inner(field, path):
                if field.kind == "list":
                    yield below[:-1]
                yield from self._paths(inner, below)

    def _entries(self, fields: Sequence[FormField], prefix: str) -> Iterator[Entry]:
        for field, path in self.shown(fields, prefix):
            is_leaf = field.kind not in {"group", "list"}
            if is_leaf or field.variants or (field.kind == "group" and field.optional):
                value = self.value(field, path)
                if path in self.raw:
                    state: Literal["given", "default", "missing"] = "given"
                else:
                    state = "missing" if field.required else "default"
                text = MASK if field.kind == "secret" and value else words(value)
                unit = unit_shown(field, text) if text else ""
                yield Entry(path, field, state, f"{text} {unit}".strip())
            for inner, below in self.inner(field, path):
                yield from self._entries(inner, below)

    def _data(
        self, fields: Sequence[FormField], prefix: str, wrong: dict[str, str]
    ) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for field, path in self.shown(fields, prefix):
            given = path in self.raw
            if field.kind == "list":
                if path in self.counts:
                    levels = self.inner(field, path)
                    data[field.name] = [self._data(inner, below, wrong) for inner, below in levels]
            elif field.kind == "group":
                data |= self._group(field, path, wrong)
            elif given:
                try:
                    data[field.name] = read(field, self.raw[path])
                except ValueError as error:
                    wrong[path] = str(error)
        return data

    def _group(self, field: FormField, path: str, wrong: dict[str, str]) -> dict[str, Any]:
        """Return a group by its name; nothing when nothing was given of it."""
        given = path in self.raw
        if given and not self.raw[path]:
            return {field.name: None}
        for inner, below in self.inner(field, path):
            found = self._data(inner, below, wrong)
            if field.variants:
                found["kind"] = str(self.raw[path])
            if found or given:
                return {field.name: found}
        return {}

    def _grow(self, path: str) -> None:
        """Let the lists in a path have as many elements as it needs."""
        for found in _INDEX.finditer(path):
            name = path[: found.start()]
            field = self.find(name)
            self.counts[name] = max(self.count(field, name), int(found[1]) + 1)

    def _load(
        self, fields: Sequence[FormField], prefix: str, data: Mapping[str, Any], left: list[str]
    ) -> None:
        known = {field.name: field for field in fields}
        for name, value in data.items():
            path, field = prefix + name, known.get(name)
            if field is None:
                left += [path] if name != "kind" else []
            elif field.kind == "secret":
                left += [path] if value else []
            elif field.kind == "list":
                self.counts[path] = len(value or ())
                for number, each in enumerate(value or ()):
                    self._load(field.inner, f"{path}[{number}].", each, left)
            elif field.kind == "group":
                if value is None and field.variants:
                    continue
                has_kind = bool(field.variants)
                self.raw[path] = str(value["kind"]) if has_kind else value is not None
                self._load(field.of(str(self.raw[path])), f"{path}.", value or {}, left)
            elif value is not None:
                self.raw[path] = write(field, value)
