"""Parameters: the tagged cell read without running it, and values checked against it."""

from __future__ import annotations

import ast
import datetime as dt
import difflib
import io
import pathlib
import tokenize
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pydantic

from labvirt.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Parameter", "read_parameters", "settle"]

#: Names that an annotation may use; anything else is refused, nothing is imported or run.
_NAMES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "dict": dict,
    "tuple": tuple,
    "None": None,
    "date": dt.date,
    "datetime": dt,
    "Path": pathlib.Path,
    "pathlib": pathlib,
    "Literal": typing.Literal,
    "Optional": typing.Optional,
    "Annotated": typing.Annotated,
    "typing": typing,
    "Field": pydantic.Field,
    "pydantic": pydantic,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a runbook.

    Attributes:
        name: its name.
        type: its type, as an object pydantic understands.
        type_text: its type as written.
        default: its default value, `...` when it must be given.
        help: the comment beside it.
    """

    name: str
    type: Any
    type_text: str
    default: Any
    help: str

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is ...


def read_parameters(source: str) -> tuple[Parameter, ...]:
    """Read the parameters from the source of a cell, without running it.

    Annotated names are parameters (``memory: str = "256 MiB"  # of the guest``), and so are plain
    ones, typed by their default.

    Raises:
        SpecError: the cell is not Python, or an annotation or default cannot be read.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise SpecError(f"the parameters cell is not Python: {error}") from error
    comments = _comments(source)
    found = []
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            kind = _annotation(node.annotation)
            text = ast.unparse(node.annotation)
            default = ... if node.value is None else _default(node.target.id, node.value)
            name = node.target.id
        elif (
            isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
        ):
            name = node.targets[0].id
            default = _default(name, node.value)
            kind = Any if default is None else type(default)
            text = "Any" if default is None else kind.__name__
        else:
            continue
        found.append(Parameter(name, kind, text, default, comments.get(node.lineno, "")))
    return tuple(found)


def _comments(source: str) -> dict[int, str]:
    """Return the comments by the line they stand on."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _annotation(node: ast.expr) -> Any:
    """Resolve an annotation from the known names only."""
    wrong = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id not in _NAMES]
    if wrong:
        raise SpecError(
            f"the annotation {ast.unparse(node)!r} uses {wrong[0]!r}, which parameters cannot have",
            hint="str, int, float, bool, list, dict, date, Path, Literal, Optional, Annotated",
        )
    code = compile(ast.Expression(node), "<parameters>", "eval")
    # Only the names above and no builtins can be reached.
    return eval(code, {"__builtins__": {}}, _NAMES)  # noqa: S307


def _default(name: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise SpecError(
            f"the default of parameter {name!r} is not a plain value: {ast.unparse(node)}",
            hint="compute it in a later cell",
        ) from None


def settle(parameters: tuple[Parameter, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check given values and return them in their declared types.

    Text is taken by the declared type: ``007`` stays text for a ``str`` and is 7 for an ``int``.

    Args:
        parameters: what the runbook declares.
        given: values by name, as text or already typed.

    Returns:
        The values that were given, checked; defaults are left to the notebook.

    Raises:
        SpecError: unknown names (with the nearest one), wrong types, missing values: all at once.
    """
    known = {parameter.name: parameter for parameter in parameters}
    problems = []
    values = {}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(known)
            problems.append(Problem(name, str(value), "the runbook has no such parameter", hint))
            continue
        try:
            adapter = pydantic.TypeAdapter(known[name].type)
            values[name] = adapter.dump_python(_validated(adapter, value), mode="json")
        except pydantic.ValidationError as error:
            why = error.errors()[0]["msg"]
            problems.append(
                Problem(name, str(value), f"{why}; it is {known[name].type_text}", known[name].help)
            )
    missing = [p for p in parameters if p.required and p.name not in given]
    problems += [Problem(p.name, "", "must be given", p.help) for p in missing]
    if problems:
        raise SpecError("the parameters do not fit the runbook:", problems)
    return values


def _validated(adapter: pydantic.TypeAdapter[Any], value: Any) -> Any:
    """Take text for what it says, JSON for lists and the like, and typed values as they are."""
    if not isinstance(value, str):
        return adapter.validate_python(value)
    try:
        return adapter.validate_strings(value)
    except pydantic.ValidationError:
        if value[:1] not in "[{" and value != "null":
            raise
        return adapter.validate_json(value)
