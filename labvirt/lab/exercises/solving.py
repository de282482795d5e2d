"""Carrying out the solution of an exercise, a step at a time, as a student would in a notebook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.lab.exercises.exercise import Exercise
    from labvirt.lab.exercises.spec import ExerciseSpec

__all__ = ["PRELUDE", "hosts_used", "names_for", "solve"]

#: What every step may use besides the names of the exercise.
PRELUDE: Final = "import labvirt as lv\nfrom labvirt import model\n"


def hosts_used(spec: ExerciseSpec, hosts: tuple[str, ...]) -> list[str]:
    """Return the hosts whose names the solution uses; another one need not even answer."""
    text = "\n".join(step.python for step in spec.solution)
    return [name for name in hosts if re.search(r"(?<![\w\"'])" + name + r"(?![\w\"'])", text)]


def names_for(exercise: Exercise) -> dict[str, Any]:
    """Return the names that a solution may use: the lab, its hosts, and what varies."""
    hosts = {name: exercise.lab[name] for name in hosts_used(exercise.spec, exercise.lab.names)}
    return {"lab": exercise.lab, "exercise": exercise, **hosts, **exercise.spec.vary}


def solve(exercise: Exercise, show: Callable[[str], None]) -> None:
    """Carry out every step.

    Raises:
        LabError: a step failed; says which.
    """
    names = names_for(exercise)
    # The text stands in the exercise's own file, beside what `start` makes of it.
    exec(PRELUDE, names)  # noqa: S102
    for number, step in enumerate(exercise.spec.solution, start=1):
        show(f"{step.text[exercise.language].strip()}\n{step.python}")
        try:
            exec(compile(step.python, f"<{exercise.name}, step {number}>", "exec"), names)  # noqa: S102
        except Exception as error:
            what = step.text["en"].strip()
            raise LabError(
                f"step {number} of the solution of {exercise.name} failed ({what}): {error}"
            ) from error
