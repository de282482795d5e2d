"""A matrix: many sets of parameters for one book, from a YAML file."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import Problem, SpecError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["expand", "read_matrix"]

_KEYS: Final = ("parameters", "include", "exclude")
_MOST: Final = 10_000


def read_matrix(path: Path) -> list[dict[str, Any]]:
    """Read the sets of parameters from a YAML file; see `expand` for what may be in it.

    Raises:
        SpecError: it cannot be read, or is no matrix.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"the matrix {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"the matrix {path} is not YAML: {error}") from error
    return expand(content, what=str(path))


def expand(content: Any, *, what: str = "the matrix") -> list[dict[str, Any]]:
    """Return the sets of parameters that a matrix stands for.

    Args:
        content: a list of mappings, each a set; or a mapping with ``parameters`` (a list of values
            by name, every combination of them is a set), ``exclude`` (mappings: combinations that
            agree with one are left out) and ``include`` (mappings: more sets).
        what: what it is, for messages.

    Raises:
        SpecError: it is neither, or has no set or too many.
    """
    if content is None or isinstance(content, list):
        content = content or []
        sets = [_mapping(item, f"{what}[{number}]") for number, item in enumerate(content)]
    else:
        sets = _combined(_mapping(content, what), what)
    if not sets:
        raise SpecError(f"{what} has no set of parameters", hint="parameters: {name: [web1, web2]}")
    if len(sets) > _MOST:
        raise SpecError(f"{what} has {len(sets)} sets of parameters; at most {_MOST}")
    return sets


def _combined(content: dict[str, Any], what: str) -> list[dict[str, Any]]:
    wrong = [key for key in content if key not in _KEYS]
    if wrong:
        problem = Problem(str(wrong[0]), "", "is no part of a matrix", ", ".join(_KEYS))
        raise SpecError(f"{what} cannot be right:", [problem])
    axes = _mapping(content.get("parameters") or {}, f"{what}: parameters")
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            problem = Problem(f"parameters.{name}", str(values), "is no list of values")
            raise SpecError(f"{what} cannot be right:", [problem])
    dropped, more = (_mappings(content, key, what) for key in ("exclude", "include"))
    products = itertools.product(*axes.values()) if axes else []
    sets = []
    for values in itertools.islice(products, _MOST + 1):
        one = dict(zip(axes, values, strict=True))
        if not any(all(one.get(k) == v for k, v in drop.items()) for drop in dropped):
            sets.append(one)
    return sets + more


def _mappings(content: dict[str, Any], key: str, what: str) -> list[dict[str, Any]]:
    listed = content.get(key) or []
    if not isinstance(listed, list):
        raise SpecError(f"{what}: {key} is no list of mappings")
    return [_mapping(item, f"{what}: {key}") for item in listed]


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SpecError(f"{what} is no mapping of names to values")
    return dict(value)
