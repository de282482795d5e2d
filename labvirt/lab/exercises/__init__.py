"""Exercises: a story, a lab in a certain state, and checks that look only at that state.

A student may use labvirt, virsh or the forms alike: what counts is what is there afterwards. Each
exercise is a YAML file in this folder (`labvirt.lab.exercises.spec.ExerciseSpec`); a teacher's own
are files of the same form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.lab.exercises.exercise import Exercise
    from labvirt.lab.exercises.library import names, read, table
    from labvirt.lab.exercises.result import Hint, Item, Result
    from labvirt.lab.exercises.solutions import notebook
    from labvirt.lab.exercises.spec import ExerciseSpec

__all__ = [
    "Exercise",
    "ExerciseSpec",
    "Hint",
    "Item",
    "Result",
    "names",
    "notebook",
    "read",
    "table",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "labvirt.lab.exercises.exercise": ("Exercise",),
        "labvirt.lab.exercises.library": ("names", "read", "table"),
        "labvirt.lab.exercises.result": ("Hint", "Item", "Result"),
        "labvirt.lab.exercises.solutions": ("notebook",),
        "labvirt.lab.exercises.spec": ("ExerciseSpec",),
    },
)
