"""Carrying out the solution of an exercise, a step at a time, as a student would in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.lab.exercises.exercise import Exercise

__all__ = ["PRELUDE", "names_for", "solve"]

#: What every step may use besides the names of the exercise.
PRELUDE: Final = "import labvirt as lv\nfrom labvirt import model\n"


def names_for(exercise: Exercise) -> dict[str, Any]:
    """Return the names that a solution may use: the lab, its hosts, and what varies."""
    hosts = {host.name: host for host in exercise.lab}
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
