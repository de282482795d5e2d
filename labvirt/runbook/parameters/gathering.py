"""Values gathered from the command line, from files and from the environment."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from labvirt.runbook.parameters.record import Parameter

__all__ = ["ENVIRONMENT", "gather"]

ENVIRONMENT: Final = "LABVIRT_PARAM_"
"""Beginning of the names of environment variables that give parameters."""

_LARGEST: Final = 64 * 2**20  # bytes of a file of values


def gather(
    pairs: Sequence[str],
    files: Sequence[Path],
    environ: Mapping[str, str],
    *,
    parameters: tuple[Parameter, ...] = (),
) -> dict[str, Any]:
    """Return the values by name; ``-p`` wins over files, a later file over an earlier one.

    Args:
        pairs: texts ``NAME=VALUE``; the value may have more equals signs. A later one wins.
        files: YAML or JSON files with a mapping; values keep the types that YAML gives them.
        environ: its ``LABVIRT_PARAM_<NAME>`` are taken when nothing else gives the value.
        parameters: what the book declares, to tell upper from lower case in the environment's
            names; names in capitals are taken as small ones without it.

    Raises:
        SpecError: a variable for a parameter that the book does not have, a pair without name or ``=``, a file that cannot be read or is no mapping.
    """
    values: dict[str, Any] = {}
    names = {parameter.name.upper(): parameter.name for parameter in parameters}
    for variable, text in environ.items():
        if variable.startswith(ENVIRONMENT) and len(variable) > len(ENVIRONMENT):
            name = variable.removeprefix(ENVIRONMENT)
            small = name.lower() if name.isupper() else name
            if parameters and name.upper() not in names:
                near = difflib.get_close_matches(name.upper(), names, n=1)
                hint = f"did you mean {ENVIRONMENT}{near[0]}?" if near else f"unset {variable}"
                raise SpecError(
                    f"the environment has {variable}, the runbook has no such parameter", hint=hint
                )
            values[names.get(name.upper(), small)] = text
    for path in files:
        values.update(_read(path))
    for text in pairs:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            # Only the name is shown: the value may be a secret.
            shown = name[:40] if equals or name.isidentifier() else "..."
            raise SpecError(f"-p {shown!r} is not NAME=VALUE", hint="-p name=web1")
        values[name.strip()] = value
    return values


def _read(path: Path) -> dict[str, Any]:
    """Return the mapping in a file."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"the file of parameters {path} cannot be read: {why}") from error
    if len(raw) > _LARGEST:
        raise SpecError(f"the file of parameters {path} has more than {_LARGEST >> 20} MiB")
    found = _parsed(path, raw)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise SpecError(
            f"the file of parameters {path} is no mapping, it is a {type(found).__name__}",
            hint="one 'name: value' a line",
        )
    wrong = [key for key in found if not isinstance(key, str)]
    if wrong:
        raise SpecError(f"the file of parameters {path} has a name that is no text: {wrong[0]!r}")
    return found


def _parsed(path: Path, raw: bytes) -> Any:
    """Return what a YAML file holds; no aliases, no name twice, no Python objects."""
    import yaml  # type: ignore[import-untyped]

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """The safe loader, strict about names and without references."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark
                raise yaml.YAMLError(f"line {mark.line + 1}: references (*name) are not taken")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for at, key in enumerate(keys):
                if key in keys[:at]:
                    line = node.start_mark.line + 1
                    raise yaml.YAMLError(f"the name {key!r} is there twice (mapping, line {line})")
            return super().construct_mapping(node, deep=deep)

    try:
        return yaml.load(raw, Loader=Loader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark is not None else ""
        # Of the text nothing is shown: it may hold what is secret.
        why = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SpecError(f"the file of parameters {path} is not YAML: {place}{why}") from None
