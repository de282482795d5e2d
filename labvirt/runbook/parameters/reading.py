"""The tagged cell read by its syntax alone: which parameters there are, and of what type."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError, SpecError
from labvirt.runbook.parameters.annotations import Names, metadata_of, parts_of, resolve, unit_of
from labvirt.runbook.parameters.comments import Comments
from labvirt.runbook.parameters.defaults import read_default
from labvirt.runbook.parameters.fitting import check_default, check_type, is_secret
from labvirt.runbook.parameters.record import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_parameters"]


def read_parameters(source: str) -> tuple[Parameter, ...]:
    """Read the parameters from the source of a cell, without running it.

    Annotated names are parameters (``memory: Size = "256 MiB"  # of the guest``), and so are plain
    ones, typed by a ``# type:`` comment or by their default. Imports are taken note of and not
    carried out. A comment beside or directly above is the help, a ``Field(description=...)`` wins.

    Raises:
        SpecError: the cell is not Python, a name is declared twice, an annotation or a default
            cannot be read, or a default contradicts its type.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # the kernel will tell the author
            tree = ast.parse(source)
        comments = Comments(source)
    except SyntaxError as error:
        line = (error.text or "").rstrip("\n")
        magic = line.lstrip()[:1] in ("%", "!")
        raise SpecError(
            f"the parameters cell is not Python (line {error.lineno}): {error.msg}: {line[:200]}",
            hint="move magics and shell commands to a later cell" if magic else "",
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SpecError(f"the parameters cell cannot be read: {error}") from error
    names = Names()
    found: dict[str, Parameter] = {}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.add(node)
        for name, annotation, value in _declared(node):
            if name in found:
                raise SpecError(
                    f"the parameter {name!r} is declared twice: lines {found[name].line}"
                    f" and {node.lineno}",
                    hint="keep one of them",
                )
            found[name] = _parameter(name, annotation, value, node, names=names, comments=comments)
    return tuple(found.values())


def _declared(node: ast.stmt) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """Yield name, annotation and default of what a statement declares."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, node.annotation, node.value
        return
    if isinstance(node, ast.Assign) and all(isinstance(one, ast.Name) for one in node.targets):
        for target in node.targets:
            assert isinstance(target, ast.Name)
            yield target.id, None, node.value
        return
    # Imports, docstrings and bare calls declare nothing; whatever else binds names might.
    if not isinstance(node, ast.Expr | ast.Pass | ast.Import | ast.ImportFrom):
        text = ast.unparse(node).splitlines()[0][:80]
        raise SpecError(
            f"the parameters cell has more than parameters in it (line {node.lineno}): {text}",
            hint="one 'name: type = default' a line; anything else in a later cell",
        )


def _parameter(
    name: str,
    annotation: ast.expr | None,
    value: ast.expr | None,
    node: ast.stmt,
    *,
    names: Names,
    comments: Comments,
) -> Parameter:
    help_text = comments.help_for(node)
    default = ... if value is None else read_default(name, value, names)
    try:
        if annotation is None:
            kind, text, rest = _commented(comments.beside(node), names)
            help_text = rest or help_text
            if not text:
                kind = Any if default is None else type(default)
                text = "Any" if default is None else kind.__name__
        else:
            kind, text = resolve(annotation, names), _as_written(annotation)
        check_type(kind)
        plain = check_default(kind, default)
    except LabvirtError as error:
        where = f"the parameter {name!r} (line {node.lineno})"
        raise SpecError(f"{where}: {error.args[0]}", hint=error.hint) from error
    described = [getattr(one, "description", None) for one in metadata_of(kind)]
    return Parameter(
        name=name,
        type=kind,
        type_text=text,
        default=default,
        help=next((str(one) for one in described if one), help_text),
        secret=any(is_secret(part) for part in parts_of(kind)),
        unit=unit_of(kind),
        plain=plain,
        line=node.lineno,
    )


def _as_written(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value.strip()
    return ast.unparse(annotation)


def _commented(comment: str, names: Names) -> tuple[Any, str, str]:
    """Read ``type: int of the guest``: the type, as written, and the help behind it."""
    if not comment.startswith("type:") or comment.startswith("type: ignore"):
        return None, "", ""
    words = comment.removeprefix("type:").split()
    for count in range(len(words), 0, -1):
        text = " ".join(words[:count]).rstrip("#,;").strip()
        try:
            tree = ast.parse(text, mode="eval")
        except (SyntaxError, ValueError):
            continue
        return resolve(tree.body, names), ast.unparse(tree), " ".join(words[count:]).lstrip("# ")
    raise SpecError(f"the comment {comment!r} is not a type")
