"""The exercises there are: files in YAML, read, checked, and shown as a table."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml  # type: ignore[import-untyped]  # ships no types

from labvirt.errors import Problem, SpecError
from labvirt.lab.exercises.spec import ExerciseSpec
from labvirt.lab.exercises.varying import chosen, filled
from labvirt.model.spec import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["names", "path_of", "read", "table", "text_of"]

_FOLDER: Final = Path(__file__).parent
_NO_FOLDER: Final = "/var/lib/labvirt/exercise"


def names() -> tuple[str, ...]:
    """Return the names of the exercises that come with labvirt, by chapter."""
    return tuple(sorted((each.stem for each in _FOLDER.glob("*.yaml")), key=_place))


def _place(name: str) -> tuple[tuple[int, ...], int, str]:
    spec = read(name)
    return tuple(map(int, spec.chapter.split("."))), spec.level, name


def path_of(name: str) -> Path:
    """Return the file of an exercise: one of ours, or a teacher's own by its path.

    Raises:
        SpecError: there is no such exercise.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name).expanduser().absolute()
        if not path.is_file():
            raise SpecError(f"there is no file {path}", hint="the path of an exercise in YAML")
        return path
    known = tuple(sorted(each.stem for each in _FOLDER.glob("*.yaml")))
    if name not in known:
        raise SpecError(
            f"there is no exercise {name!r:.80}",
            hint=did_you_mean(name, known, limit=40) or "lab.exercises lists them",
        )
    return _FOLDER / f"{name}.yaml"


def text_of(name: str) -> dict[str, Any]:
    """Return what stands in the file of an exercise.

    Raises:
        SpecError: there is none, or it is no YAML; says in which line.
    """
    path = path_of(name)
    return dict(_parsed(path, path.stat().st_mtime_ns))


@functools.lru_cache(maxsize=200)
def _parsed(path: Path, changed: int) -> Mapping[str, Any]:  # noqa: ARG001 - read again when changed
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        told = " ".join(str(error).split())
        raise SpecError(f"exercise {path} cannot be read: {told}") from None
    if not isinstance(found, dict):
        raise SpecError(f"exercise {path} is no mapping", hint="title:, story:, checks: ...")
    return found


def read(name: str, *, student: str = "", folder: str = _NO_FOLDER) -> ExerciseSpec:
    """Return an exercise as one student gets it.

    Args:
        name: name of an exercise, or path of a file.
        student: who does it; decides what varies. Empty: the first of everything.
        folder: folder of the lab that its hosts share, where pools of the exercise may lie.

    Raises:
        SpecError: there is none, or every problem in it with its field.
    """
    data = text_of(name)
    values = chosen(name, data.get("vary", {}), student)
    texts = {**values, "folder": folder}
    try:
        made = filled(name, {k: v for k, v in data.items() if k != "vary"}, texts)
        return ExerciseSpec.model_validate({**made, "vary": values})
    except SpecError as error:
        if error.problems:
            raise SpecError(f"exercise {name}", error.problems) from None
        raise SpecError(f"exercise {name}", (Problem("", "", error.what),)) from None


def table(backend: str = "", language: str = "en") -> pd.DataFrame:
    """Return all exercises, a row each; the index is the name.

    Columns: title, chapter, level (1 to 3), minutes, points, backend (of the labs that can do
    it), here (True where a lab of `backend` can; empty: of any).

    Args:
        backend: ``session`` or ``system``.
        language: of the titles.
    """
    import pandas as pd

    rows = []
    for name in names():
        spec = read(name)
        here = not backend or spec.backend in {"any", backend}
        row = (name, spec.title[language], spec.chapter, spec.level, spec.minutes, spec.points)
        rows.append((*row, spec.backend, here))
    columns = ["name", "title", "chapter", "level", "minutes", "points", "backend", "here"]
    return pd.DataFrame(rows, columns=columns).set_index("name")
