"""Notebooks of an exercise: the one that a student fills in, and the one that solves it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import SpecError
from labvirt.lab.exercises.library import read
from labvirt.lab.exercises.spec import LANGUAGES

if TYPE_CHECKING:
    from pathlib import Path

    from labvirt.lab.exercises.spec import ExerciseSpec

__all__ = ["notebook", "write_notebook"]

_KERNEL: Final = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_SAY: Final = {
    "en": {
        "yours": "Your turn: with labvirt, with virsh in a terminal, or with the forms.",
        "check": "Is it solved?",
    },
    "ru": {
        "yours": "Теперь вы: через labvirt, через virsh в терминале или через формы.",
        "check": "Решено?",
    },
}


def notebook(
    name: str, *, solved: bool = False, student: str = "", language: str = "en"
) -> dict[str, Any]:
    """Return the notebook of an exercise (nbformat 4.5), as plain data.

    It runs by itself, by `labvirt run`, by papermill, and under nbgrader: the cell of the check
    has its marks, and ends with the points.

    Args:
        name: name of an exercise, or path of its file.
        solved: with the steps of the solution; else with an empty cell for them.
        student: who it is for.
        language: ``en`` or ``ru``.

    Raises:
        SpecError: there is no such exercise or language.
    """
    if language not in LANGUAGES:
        raise SpecError(f"exercises do not speak {language!r:.40}", hint=", ".join(LANGUAGES))
    spec = read(name, student=student)
    cells = [
        _text("title", f"# {spec.title[language]}\n\n{spec.story[language].strip()}"),
        _code("parameters", _parameters(spec, student, language), "parameters"),
        _code(
            "prelude", "import labvirt as lv\nfrom labvirt import model\n\nlab = exercise = None"
        ),
        _code("start", _start(name, spec), "step:start"),
    ]
    if solved:
        for number, step in enumerate(spec.solution, start=1):
            cells.append(_text(f"step-{number}-text", step.text[language].strip()))
            cells.append(_code(f"step-{number}", step.python.strip(), f"step:solve-{number}"))
    else:
        cells.append(_text("yours", _SAY[language]["yours"]))
        answer = {"grade_id": "answer", "grade": False, "solution": True, "locked": False}
        cells.append(_code("answer", "# ...", "step:answer", nbgrader=_marks(answer)))
    cells.append(_text("check-text", _SAY[language]["check"]))
    test = {"grade_id": "check", "grade": True, "solution": False, "locked": True}
    marks = _marks({**test, "points": spec.points})
    cells.append(_code("check", _check(solved=solved), "step:check", nbgrader=marks))
    cells.append(_code("end", _END, "always"))
    return {
        "cells": cells,
        "metadata": {"kernelspec": _KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write_notebook(path: Path, name: str, **options: Any) -> Path:
    """Write the notebook of an exercise to a file; see `notebook`."""
    text = json.dumps(notebook(name, **options), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


_END: Final = """\
if exercise is not None and end_at_end:
    exercise.end()
if lab is not None:
    lab.close()"""


def _parameters(spec: ExerciseSpec, student: str, language: str) -> str:
    return (
        "from typing import Literal\n\n"
        'lab_name: str = "learning"  # the lab; started when it does not run\n'
        f'backend: Literal["auto", "session", "system"] = "{_backend(spec)}"\n'
        f"student: str = {student!r}  # decides what varies\n"
        f'language: Literal["en", "ru"] = "{language}"\n'
        "end_at_end: bool = True  # take away what was made"
    )


def _backend(spec: ExerciseSpec) -> str:
    return "auto" if spec.backend == "any" else spec.backend


def _start(name: str, spec: ExerciseSpec) -> str:
    names = [f"{key} = exercise.spec.vary[{key!r}]" for key in spec.vary]
    return "\n".join(
        [
            "running = lab_name in {each.name for each in lv.Lab.list()}",
            "start = {'hosts': 2, 'backend': backend}",
            "lab = lv.Lab.attach(lab_name) if running else lv.Lab.start(lab_name, **start)",
            "alpha, beta = lab.hosts[:2]",
            f"exercise = lab.exercise({name!r}, student=student, language=language).start()",
            *names,
            "exercise",
        ]
    )


def _check(*, solved: bool) -> str:
    if solved:
        return "result = exercise.check()\nassert result\nresult"
    return "result = exercise.check()\ndisplay(result)\nresult.points"


def _marks(facts: dict[str, Any]) -> dict[str, Any]:
    return {"schema_version": 3, "task": False, **facts}


def _text(key: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": key, "metadata": {}, "source": text}


def _code(key: str, text: str, *tags: str, **metadata: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": key,
        "metadata": {**metadata, **({"tags": list(tags)} if tags else {})},
        "execution_count": None,
        "outputs": [],
        "source": text,
    }
