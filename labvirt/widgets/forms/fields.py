"""Fields: what a form asks for, read from a spec's own fields, limits and help texts. Pure."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

import pydantic

from labvirt.model.spec import Spec, is_secret
from labvirt.model.units import Size
from labvirt.widgets.forms.labels import help_of, label_of, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic.fields import FieldInfo

__all__ = ["FormField", "Kind", "fields_of"]

Kind = Literal[
    "text",
    "prose",
    "number",
    "size",
    "flag",
    "choice",
    "words",
    "lines",
    "pairs",
    "secret",
    "group",
    "list",
]
#: Several texts that may have commas and blanks in them.
_LINES: Final = frozenset({"dnsmasq_options"})
#: They say where a secret is, and are none.
_NAMES_OF_SECRETS: Final = frozenset({"secret_uuid", "secret_usage"})
_UNION: Final = (Union, types.UnionType)


@dataclass(frozen=True, slots=True)
class FormField:
    """One thing that a form asks for.

    Attributes:
        name: name of the field in its spec.
        label: what it is called, in English.
        help: what it is, in English: the spec's own description.
        kind: how it is asked for. ``words`` are several words with commas, ``pairs`` several
            ``name=value``, ``lines`` one on each line; ``group`` is a spec
            inside the spec; ``list`` has any number of elements.
        unit: unit in which a bare number is meant; empty when it has none.
        choices: what may be chosen; empty when anything may be written.
        default: what holds when nothing is given; None when that is left open.
        required: something must be given.
        optional: None may be given, or is the default.
        low: the least number or size, None when there is none.
        high: the greatest.
        longest: most characters, None when there is no limit.
        examples: what could be written.
        numeric: the choices are numbers.
        inner: fields of a group, or of each element of a list.
        variants: for a group of several kinds: kind to its fields; ``inner`` is empty then.
        whole: a number has no fraction.
    """

    name: str
    label: str
    help: str
    kind: Kind
    unit: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    required: bool = False
    optional: bool = False
    low: int | float | None = None
    high: int | float | None = None
    longest: int | None = None
    examples: tuple[str, ...] = ()
    numeric: bool = False
    inner: tuple[FormField, ...] = ()
    variants: tuple[tuple[str, tuple[FormField, ...]], ...] = ()
    whole: bool = True

    def of(self, kind: str) -> tuple[FormField, ...]:
        """Return the fields inside, for a group of several kinds those of one kind."""
        return dict(self.variants).get(kind, ()) if self.variants else self.inner


def fields_of(spec: type[Spec], *, only: Sequence[str] = ()) -> tuple[FormField, ...]:
    """Return the fields that a form for a spec has, in the order of the spec.

    Args:
        spec: the class.
        only: names of the fields wanted, in the order wanted; all when empty.
    """
    names = only or tuple(spec.model_fields)
    return tuple(_field(name, spec.model_fields[name], spec.__name__) for name in names)


def _field(name: str, info: FieldInfo, spec: str) -> FormField:
    note, limits = _bare(info.annotation)
    limits += list(info.metadata)
    options = [each for each in _options(note) if each is not type(None)]
    required = info.is_required()
    default = None if required else info.get_default(call_default_factory=True)
    shape = _shape(name, options, default)
    examples = info.examples or _examples(info.annotation)
    return FormField(
        name=name,
        label=label_of(name, spec),
        help=help_of(name, spec, info.description or ""),
        unit=unit_of(name, shape["kind"]),
        default=_plain(default),
        required=required,
        optional=len(options) < len(_options(note)),
        low=_limit(limits, "ge", "gt"),
        high=_limit(limits, "le", "lt"),
        longest=_limit(limits, "max_length"),
        examples=tuple(
            str(_plain(each)) for each in examples if not isinstance(each, list | tuple)
        ),
        **shape,
    )


def _shape(name: str, options: list[Any], default: Any) -> dict[str, Any]:
    """Return kind, choices, inner fields and variants."""
    first = _bare(options[0])[0] if options else str
    specs = [each for each in (_bare(option)[0] for option in options) if _is_spec(each)]
    if specs and len(specs) == len(options):
        return _group(specs)
    if get_origin(first) is tuple:
        element = get_args(first)[0]
        inner = [_bare(each)[0] for each in _options(_bare(element)[0])]
        if inner and all(_is_spec(each) for each in inner):
            return {**_group(inner), "kind": "list"}
        kind = "lines" if name in _LINES else "words"
        return {"kind": kind, "choices": _literals(inner)}
    if literals := _literals(options):
        numeric = all(isinstance(word, int) for each in options for word in get_args(each))
        return {"kind": "choice", "choices": literals, "numeric": numeric}
    if first is bool and default is None:
        return {"kind": "choice", "choices": ("yes", "no")}
    return {"kind": _plain_kind(name, first), "whole": first is not float}


def _plain_kind(name: str, note: Any) -> Kind:
    """Return how one value is asked for that is neither chosen nor made of others."""
    if note is pydantic.SecretStr or (is_secret(name) and name not in _NAMES_OF_SECRETS):
        return "secret"
    if name in {"description", "xml"}:
        return "prose"
    if get_origin(note) is dict:
        return "pairs"
    kinds: dict[Any, Kind] = {bool: "flag", Size: "size", int: "number", float: "number"}
    return kinds.get(note, "text")


def _group(specs: list[type[Spec]]) -> dict[str, Any]:
    if len(specs) == 1:
        return {"kind": "group", "inner": fields_of(specs[0])}
    variants = []
    for spec in specs:
        names = tuple(name for name in spec.model_fields if name != "kind")
        fields = fields_of(spec, only=names) if names else ()
        variants.append((str(spec.model_fields["kind"].default), fields))
    return {
        "kind": "group",
        "variants": tuple(variants),
        "choices": tuple(kind for kind, _ in variants),
    }


def _bare(note: Any) -> tuple[Any, list[Any]]:
    """Return an annotation without its ``Annotated``, and what stood there."""
    extra: list[Any] = []
    while get_origin(note) is Annotated:
        note, *found = get_args(note)
        extra += found
    return note, extra


def _options(note: Any) -> list[Any]:
    """Return the members of a union, flat; a single annotation is one member."""
    note = _bare(note)[0]
    if get_origin(note) in _UNION:
        return [inner for each in get_args(note) for inner in _options(each)]
    return [note]


def _literals(options: list[Any]) -> tuple[str, ...]:
    if not options or any(get_origin(each) is not Literal for each in options):
        return ()
    return tuple(str(word) for each in options for word in get_args(each))


def _is_spec(note: Any) -> bool:
    return isinstance(note, type) and issubclass(note, Spec)


def _limit(limits: list[Any], *names: str) -> Any:
    for each in _flat(limits):
        for name in names:
            value = getattr(each, name, None)
            if value is not None:
                return value
    return None


def _flat(limits: list[Any]) -> Iterator[Any]:
    for each in limits:
        if hasattr(each, "metadata") and isinstance(each.metadata, list):
            yield from _flat(each.metadata)
        else:
            yield each


def _examples(note: Any) -> list[Any]:
    for option in _options(note):
        for each in _bare(option)[1]:
            if getattr(each, "examples", None):
                return list(each.examples)
    for each in get_args(note) if get_origin(note) in _UNION else [note]:
        for extra in _bare(each)[1]:
            if getattr(extra, "examples", None):
                return list(extra.examples)
    return []


def _plain(value: Any) -> Any:
    """Return a default as a form shows it: text, number, flag; None for what a form cannot show."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Size):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or None
    # A spec or several of them: that there is one.
    return bool(value) if isinstance(value, tuple) else True
