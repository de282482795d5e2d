"""The calls of a lab that have to do with exercises."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pandas as pd

    from labvirt.lab.exercises.exercise import Exercise
    from labvirt.lab.exercises.notes import Attempts
    from labvirt.lab.lab import Lab

__all__ = ["Teaching"]


class Teaching:
    """What a lab offers to those who learn."""

    @property
    def exercises(self) -> pd.DataFrame:
        """Every exercise, a row each; ``here`` tells whether this lab can do it."""
        from labvirt.lab.exercises.library import table

        return table(cast("Lab", self).backend, _language(None))

    @property
    def attempts(self) -> Attempts:
        """What all students did with all exercises on this lab; ``.df`` is a table."""
        from labvirt.lab.exercises.notes import attempts_of

        return attempts_of(cast("Lab", self).name)

    def exercise(self, name: str, *, student: str = "", language: str | None = None) -> Exercise:
        """Return an exercise; ``.start()`` sets it up, ``.check()`` looks whether it is solved.

        Args:
            name: one of `exercises`, or the path of a YAML file of your own.
            student: any text; decides which guest, address or break the student gets, the same
                every time. Empty: the first of everything.
            language: ``en`` or ``ru``; what ``LABVIRT_LANG`` says when None, else English.

        Raises:
            SpecError: there is no such exercise or language, or its file has faults.
            LabError: this lab cannot do it; says what it lacks.
        """
        from labvirt.lab.exercises.exercise import Exercise

        return Exercise(cast("Lab", self), name, student, _language(language))


def _language(asked: str | None) -> str:
    if asked is not None:
        return asked
    return "ru" if os.environ.get("LABVIRT_LANG", "").startswith("ru") else "en"
