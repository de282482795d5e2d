"""Annotations resolved to types from a list of known names; nothing is imported or run."""

from __future__ import annotations

import ast
import datetime as dt
import difflib
import pathlib
import types
import typing
import warnings
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Optional, Union

import pydantic

from labvirt.errors import SpecError
from labvirt.runbook.kinds import Duration, HostUri, Size

__all__ = ["Names", "base_type", "metadata_of", "parts_of", "resolve", "unit_of"]

_PLAIN: Final[dict[str, Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "None": None,
    "Any": Any,
    "date": dt.date,
    "datetime": dt.datetime,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "Path": pathlib.Path,
    "SecretStr": pydantic.SecretStr,
    "Size": Size,
    "Duration": Duration,
    "HostUri": HostUri,
}
_GENERIC: Final[dict[str, Any]] = {
    "list": list,
    "dict": dict,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "List": list,
    "Dict": dict,
    "Tuple": tuple,
    "Set": set,
    "FrozenSet": frozenset,
    "Sequence": list,
    "Mapping": dict,
}
_FORMS: Final = ("Literal", "Optional", "Union", "Annotated")
_MODULES: Final = frozenset(
    [
        "typing",
        "typing_extensions",
        "collections.abc",
        "datetime",
        "pathlib",
        "pydantic",
        "math",
        "labvirt",
        "labvirt.runbook",
        "labvirt.model",
        "labvirt.model.units",
    ]
)
_FIELD: Final = frozenset(
    [
        "ge",
        "gt",
        "le",
        "lt",
        "multiple_of",
        "min_length",
        "max_length",
        "pattern",
        "title",
        "description",
        "examples",
    ]
)
_KNOWN: Final = (*_PLAIN, *_GENERIC, *_FORMS)
_HINT: Final = (
    "str, int, float, bool, list, dict, tuple, set, date, datetime, time, timedelta, Path, "
    "Literal, Optional, Annotated, SecretStr, Size, Duration, HostUri"
)


@dataclass
class Names:
    """Names that the imports of a cell bind; the imports themselves are not carried out.

    Attributes:
        modules: module by the name it is bound to.
        renamed: name inside its module by the name it is bound to.
    """

    modules: dict[str, str] = field(
        default_factory=lambda: {"t": "typing", "dt": "datetime", "lv": "labvirt"}
    )
    renamed: dict[str, str] = field(default_factory=dict)

    def add(self, node: ast.Import | ast.ImportFrom) -> None:
        """Note what an import binds."""
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                full = f"{node.module}.{alias.name}"
                if full in _MODULES:
                    self.modules[alias.asname or alias.name] = full
                elif node.module in _MODULES:
                    self.renamed[alias.asname or alias.name] = alias.name
            elif alias.asname:
                self.modules[alias.asname] = alias.name

    def of(self, node: ast.expr) -> str:
        """Return the bare name that a name or a dotted name means, empty when it is neither."""
        if isinstance(node, ast.Name):
            return self.renamed.get(node.id, node.id)
        if not isinstance(node, ast.Attribute):
            return ""
        root, _, rest = ast.unparse(node.value).partition(".")
        module = self.modules.get(root, root) + (f".{rest}" if rest else "")
        return node.attr if module in _MODULES else ""


def resolve(node: ast.expr, names: Names) -> Any:
    """Return the type that an annotation means.

    Raises:
        SpecError: it uses a name that parameters cannot have.
    """
    if isinstance(node, ast.Constant):
        return _constant(node, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Union[resolve(node.left, names), resolve(node.right, names)]  # noqa: UP007
    if isinstance(node, ast.Subscript):
        return _subscript(node, names)
    name = names.of(node)
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _GENERIC:
        return _GENERIC[name]
    raise _unknown(node, name)


def _unknown(node: ast.expr, name: str) -> SpecError:
    text = ast.unparse(node)
    near = difflib.get_close_matches(name or text, _KNOWN, n=1)
    hint = f"did you mean {near[0]!r}? known: {_HINT}" if near else f"known: {_HINT}"
    return SpecError(f"the annotation uses {text!r}, which parameters cannot have", hint=hint)


def _constant(node: ast.Constant, names: Names) -> Any:
    if node.value is None:
        return None
    if isinstance(node.value, str):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                tree = ast.parse(node.value.strip(), mode="eval")
            return resolve(tree.body, names)
        except (SyntaxError, ValueError):
            raise SpecError(f"the annotation {node.value!r} is not Python") from None
    raise _unknown(node, "")


def _subscript(node: ast.Subscript, names: Names) -> Any:
    name = names.of(node.value)
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        return Literal[tuple(_choice(one) for one in inner)]
    if name == "Annotated" and len(inner) > 1:
        extras = tuple(_extra(one, names) for one in inner[1:])
        return Annotated[(resolve(inner[0], names), *extras)]
    if name == "Optional" and len(inner) == 1:
        return Optional[resolve(inner[0], names)]  # noqa: UP045
    if name == "Union":
        return Union[tuple(resolve(one, names) for one in inner)]  # noqa: UP007
    if name not in _GENERIC:
        raise _unknown(node.value, name)
    origin = _GENERIC[name]
    dots = isinstance(inner[-1], ast.Constant) and inner[-1].value is ...
    if origin is tuple and len(inner) == 2 and dots:
        return tuple.__class_getitem__((resolve(inner[0], names), ...))
    if origin is not tuple and len(inner) != (2 if origin is dict else 1):
        raise SpecError(f"the annotation {ast.unparse(node)!r} has the wrong number of types in []")
    return origin[tuple(resolve(one, names) for one in inner)]


def _choice(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        value = ...
    if not isinstance(value, str | int | bool | None):
        raise SpecError(f"Literal takes text, whole numbers and None, not {ast.unparse(node)}")
    return value


def _extra(node: ast.expr, names: Names) -> Any:
    """Return what stands beside the type in ``Annotated``: a unit as text, or a ``Field``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Call) and names.of(node.func) == "Field" and not node.args:
        given = {}
        for word in node.keywords:
            if word.arg not in _FIELD:
                hint = "it takes " + ", ".join(sorted(_FIELD))
                raise SpecError(f"Field of a parameter cannot have {word.arg!r}", hint=hint)
            try:
                given[word.arg] = ast.literal_eval(word.value)
            except ValueError:
                text = ast.unparse(word.value)
                raise SpecError(f"Field({word.arg}={text}) is not a plain value") from None
        return pydantic.Field(**given)
    raise SpecError(
        f"Annotated cannot have {ast.unparse(node)!r}",
        hint="a unit as text, or Field(ge=..., le=..., description=...)",
    )


def parts_of(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type alone; ``Annotated`` around them is taken off."""
    bare = base_type(kind)
    if typing.get_origin(bare) in (Union, types.UnionType):
        return tuple(part for one in typing.get_args(bare) for part in parts_of(one))
    return (bare,)


def base_type(kind: Any) -> Any:
    """Return the type without the ``Annotated`` around it."""
    while typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    return kind


def metadata_of(kind: Any) -> tuple[Any, ...]:
    """Return what stands beside the type in ``Annotated``, also of the members of a union."""
    found: tuple[Any, ...] = ()
    if typing.get_origin(kind) is Annotated:
        first, *extras = typing.get_args(kind)
        return tuple(extras) + metadata_of(first)
    if typing.get_origin(kind) in (Union, types.UnionType):
        for one in typing.get_args(kind):
            found += metadata_of(one)
    return found


def unit_of(kind: Any) -> str:
    """Return the unit beside the type, empty when there is none."""
    return next((one for one in metadata_of(kind) if isinstance(one, str)), "")
