"""Planting the faults of an exercise, and undoing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from labvirt.errors import LabError, LabvirtError

if TYPE_CHECKING:
    from labvirt.lab.exercises.notes import State
    from labvirt.lab.exercises.spec import ExerciseSpec, FaultSetup
    from labvirt.lab.lab import Lab

__all__ = ["break_it", "forget_gone", "mend", "planted_in"]

_WHERE = ("host", "domain", "network", "pool", "disk", "interface")


def _where(fault: FaultSetup) -> dict[str, str]:
    found = {key: getattr(fault, key) for key in _WHERE}
    return {key: value for key, value in found.items() if value is not None}


def planted_in(lab: Lab, spec: ExerciseSpec) -> list[str]:
    """Return what is broken in the lab, by file; nothing for an exercise without faults."""
    return [] if not spec.faults else [each.path.name for each in cast("Any", lab).planted()]


def break_it(lab: Lab, spec: ExerciseSpec) -> None:
    """Plant the faults.

    Raises:
        LabvirtError: one of them cannot be made here; says why.
    """
    for fault in spec.faults:
        cast("Any", lab).inject(fault.id, **_where(fault), **fault.options)


def _mine(lab: Lab, spec: ExerciseSpec, state: State) -> list[Any]:
    """Return the faults of this exercise that are planted, the last one first.

    They are known by what they break: whoever was killed while planting has noted nothing.
    """
    wanted = [(fault.id, _where(fault).items()) for fault in spec.faults]
    return [
        each
        for each in reversed(cast("Any", lab).planted() if wanted else ())
        if each.path.name not in state.planted_before
        and any(each.id == key and where <= each.where.items() for key, where in wanted)
    ]


def mend(lab: Lab, spec: ExerciseSpec, state: State) -> dict[str, str]:
    """Undo the faults; return what could not be undone: file -> why."""
    left: dict[str, str] = {}
    for planted in _mine(lab, spec, state):
        try:
            planted.undo()
        except LabvirtError as error:
            left[planted.path.name] = f"{planted.id}: {error.what}"
    return left


def forget_gone(lab: Lab, spec: ExerciseSpec, state: State, left: dict[str, str]) -> None:
    """Forget faults of things that were taken away as a whole.

    Raises:
        LabError: another one could not be undone.
    """
    gone = {*spec.domains, *spec.networks, *spec.pools}
    for planted in _mine(lab, spec, state):
        names = {planted.where.get(key) for key in ("domain", "network", "pool")}
        if names & gone:
            planted.path.unlink(missing_ok=True)
        elif planted.path.name in left:
            raise LabError(
                f"a fault could not be undone: {left[planted.path.name]}",
                hint=f"labvirt lab mend {lab.name}, or lab.reset()",
            )
