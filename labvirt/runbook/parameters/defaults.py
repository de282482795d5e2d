"""Defaults read from the cell: literals, simple sums, and calls that make a plain value."""

from __future__ import annotations

import ast
import datetime as dt
import math
import operator
import pathlib
from typing import TYPE_CHECKING, Any, Final

import pydantic

from labvirt.errors import LabvirtError, SpecError
from labvirt.runbook.kinds import Duration, Size

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.runbook.parameters.annotations import Names

__all__ = ["read_default"]

_CALLS: Final[dict[str, Callable[..., Any]]] = {
    "date": dt.date,
    "datetime": dt.datetime,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "timezone": dt.timezone,
    "Path": pathlib.Path,
    "SecretStr": pydantic.SecretStr,
    "Size": Size,
    "Duration": Duration,
    "float": float,
    "set": set,
    "frozenset": frozenset,
    "list": list,
    "dict": dict,
    "tuple": tuple,
}
_METHODS: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("Size", "parse"): Size.parse,
    ("date", "fromisoformat"): dt.date.fromisoformat,
    ("datetime", "fromisoformat"): dt.datetime.fromisoformat,
    ("time", "fromisoformat"): dt.time.fromisoformat,
}
_VALUES: Final[dict[str, Any]] = {"UTC": dt.UTC, "nan": math.nan, "inf": math.inf}
_SUMS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


class _NotPlainError(Exception):
    """The expression is none of those that can be read without running it."""


def read_default(name: str, node: ast.expr, names: Names) -> Any:
    """Return the value of a default.

    Args:
        name: the parameter, for the message.
        node: the expression behind the equals sign.
        names: what the imports of the cell bind.

    Raises:
        SpecError: it can only be known by running it, or it makes no value.
    """
    try:
        return _value(node, names)
    except (_NotPlainError, RecursionError):
        raise SpecError(
            f"the default of parameter {name!r} is not a plain value"
            f" (line {node.lineno}): {ast.unparse(node)[:200]}",
            hint="compute it in a later cell",
        ) from None
    except LabvirtError as error:
        raise SpecError(f"the default of parameter {name!r} makes no value: {error}") from error
    except (TypeError, ValueError, ArithmeticError) as error:
        shown = ast.unparse(node)[:200]
        raise SpecError(
            f"the default of parameter {name!r} makes no value: {shown}: {error}"
        ) from None


def _value(node: ast.expr, names: Names) -> Any:
    """Return what an expression is worth."""
    if isinstance(node, ast.Call):
        return _called(node, names)
    if isinstance(node, ast.UnaryOp | ast.BinOp):
        return _sum(node, names)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return kind([_value(one, names) for one in node.elts])
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = [_value(key, names) for key in node.keys if key is not None]
        return dict(zip(keys, [_value(one, names) for one in node.values], strict=True))
    if isinstance(node, ast.Attribute | ast.Name):
        return _named(node, names)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        return node.value
    raise _NotPlainError


def _sum(node: ast.UnaryOp | ast.BinOp, names: Names) -> Any:
    """Return what a sum of numbers comes to."""
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, names)
        if type(value) in (int, float) and isinstance(node.op, ast.USub | ast.UAdd):
            return -value if isinstance(node.op, ast.USub) else value
        raise _NotPlainError
    left, right = _value(node.left, names), _value(node.right, names)
    small = all(type(side) in (int, float) and abs(side) < 1e18 for side in (left, right))
    if not small or type(node.op) not in _SUMS:
        raise _NotPlainError
    return _SUMS[type(node.op)](left, right)


def _named(node: ast.Attribute | ast.Name, names: Names) -> Any:
    """Return one of the few values that have a name."""
    if isinstance(node, ast.Attribute) and node.attr == "utc":
        if names.of(node.value) == "timezone":
            return dt.UTC
    elif names.of(node) in _VALUES:
        return _VALUES[names.of(node)]
    raise _NotPlainError


def _called(node: ast.Call, names: Names) -> Any:
    """Return what a call of one of the known makers of values gives."""
    make = _CALLS.get(names.of(node.func))
    if make is None and isinstance(node.func, ast.Attribute):
        make = _METHODS.get((names.of(node.func.value), node.func.attr))
    words = {word.arg: _value(word.value, names) for word in node.keywords if word.arg}
    if make is None or len(words) != len(node.keywords):
        raise _NotPlainError
    return make(*(_value(one, names) for one in node.args), **words)
