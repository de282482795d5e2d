"""Exercise: set up, broken, looked at, helped, brought back to its beginning, solved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from labvirt.errors import ConflictError, LabError, LabvirtError, SpecError
from labvirt.lab.exercises import making
from labvirt.lab.exercises.display import as_html, as_text
from labvirt.lab.exercises.library import read
from labvirt.lab.exercises.notes import Notes, State
from labvirt.lab.exercises.result import Hint, Item, Result
from labvirt.lab.exercises.scene import Scene, Seen
from labvirt.lab.exercises.solving import solve
from labvirt.lab.exercises.spec import LANGUAGES
from labvirt.model.spec import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.lab.exercises.notes import Attempts
    from labvirt.lab.exercises.spec import CheckSetup, ExerciseSpec
    from labvirt.lab.lab import Lab

__all__ = ["Exercise"]

_STEP_S: Final = 0.5
#: A daemon that was just started again answers within this time.
_LINK_S: Final = 5.0


class Exercise:
    """One exercise for one student, on a lab.

    Made by `Lab.exercise`. How far it is stands in the lab's folder: another process, or the same
    notebook after a restart, goes on where it was.

    Attributes:
        lab: the lab.
        name: name of the exercise.
        student: who does it; may be empty.
        language: ``en`` or ``ru``.
        spec: the exercise as this student has it.
    """

    def __init__(self, lab: Lab, name: str, student: str = "", language: str = "en") -> None:
        if language not in LANGUAGES:
            raise SpecError(
                f"exercises do not speak {language!r:.40}", hint=did_you_mean(language, LANGUAGES)
            )
        self.lab = lab
        self.name = Path(name).stem
        self.student = student
        self.language = language
        folder = f"{lab._known_outcome().data}/shared"  # noqa: SLF001 - a part of the lab
        self.spec: ExerciseSpec = read(name, student=student, folder=folder)
        self._notes = Notes(lab.name, self.name, student)
        self._require_lab()

    def _require_lab(self) -> None:
        asked = f"exercise {self.name} on lab {self.lab.name}"
        if self.spec.backend not in {"any", self.lab.backend}:
            raise LabError(
                f"{asked}: it needs the {self.spec.backend} back end, this lab has"
                f" {self.lab.backend}",
                hint=f"Lab.start(NAME, backend={self.spec.backend!r}); lab.exercises tells which"
                " can be done here",
            )
        if self.spec.hosts > len(self.lab):
            raise LabError(
                f"{asked}: it needs {self.spec.hosts} hosts, this lab has {len(self.lab)}",
                hint=f"Lab.start(NAME, hosts={self.spec.hosts})",
            )

    # -- what it is -------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """Its title."""
        return self.spec.title[self.language]

    @property
    def story(self) -> str:
        """What happened, and what is wanted."""
        return self.spec.story[self.language].strip()

    @property
    def minutes(self) -> int:
        """Minutes that it should take; longer costs nothing, but is told."""
        return self.spec.minutes

    @property
    def points(self) -> int:
        """Points that it can give."""
        return self.spec.points

    @property
    def penalty(self) -> int:
        """Points that the hints cost so far."""
        taken = self.spec.hints[: self._notes.read().hints]
        return sum(each.cost for each in taken)

    @property
    def hints(self) -> tuple[Hint, ...]:
        """The hints that were taken so far."""
        count = len(self.spec.hints)
        taken = self.spec.hints[: self._notes.read().hints]
        return tuple(
            Hint(each.text[self.language].strip(), each.cost, count - number)
            for number, each in enumerate(taken, start=1)
        )

    @property
    def has_begun(self) -> bool:
        """Whether it is set up, by whatever process."""
        return self._notes.read().stage == "begun"

    @property
    def seconds(self) -> float:
        """Seconds since it was set up; zero before."""
        began = self._notes.read().began
        return max(0.0, time.time() - began) if began else 0.0

    @property
    def attempts(self) -> Attempts:
        """What this student did with it so far, the oldest first; ``.df`` is a table."""
        return self._notes.attempts

    # -- what is done with it ---------------------------------------------------------------

    def start(self, *, progress: Callable[[str], None] | None = None) -> Self:
        """Set it up: networks, guests and so on, then what is broken.

        One that has begun already goes on as it is.

        Args:
            progress: told in words what is being made.

        Raises:
            ConflictError: something of a name that it needs is there, and not its own.
            LabvirtError: it could not be set up; what was made is removed again.
        """
        state = self._notes.read()
        if state.stage == "begun":
            return self
        if state.stage == "making":
            # Whoever began to make it was killed.
            self._take_away(state)
        self._make(progress or (lambda _: None))
        self._notes.log("start")
        return self

    def check(self) -> Result:
        """Look whether everything holds; changes nothing but the list of attempts.

        Returns:
            Points and an item for each thing that must hold; true when all of it does.

        Raises:
            ConflictError: the exercise has not begun.
        """
        state = self._require_begun("check")
        making.wake(self.lab, _LINK_S)
        scene = Scene(self.lab, self.language, state.memory)
        items: list[Item] = []
        for each in self.spec.checks:
            # Where something before it is wrong there is nothing to wait for.
            patient = all(item.passed for item in items)
            items.append(self._item(scene, each, each.wait_s if patient else 0.0))
        result = Result(
            self.name,
            self.title,
            self.language,
            tuple(items),
            self.penalty,
            self.seconds,
            self.minutes,
        )
        self._notes.log(
            "check",
            passed=result.passed,
            points=result.points,
            possible=result.possible,
            failed=[each.id for each in result.failures],
        )
        return result

    def _item(self, scene: Scene, check: CheckSetup, wait_s: float) -> Item:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                seen = check.that.look(scene)
            except LabvirtError as error:
                not_seen = scene.say("could not be looked at", "посмотреть не удалось")
                seen = Seen(False, check.what[self.language], f"{not_seen}: {error.what}")  # noqa: FBT003
            if seen.holds or seen.settled or time.monotonic() > deadline:
                break
            time.sleep(_STEP_S)
        hint = "" if seen.holds else check.hint[self.language].strip()
        points = check.points if seen.holds else 0
        what = check.what[self.language].strip()
        return Item(
            check.id, what, seen.holds, seen.expected, seen.seen, hint, points, check.points
        )

    def hint(self) -> Hint | None:
        """Return the next hint, nearer than the one before; its cost is taken off the points.

        Returns:
            The hint; None when all have been told: `hints` has them.

        Raises:
            ConflictError: the exercise has not begun.
        """
        state = self._require_begun("give a hint for")
        if state.hints >= len(self.spec.hints):
            return None
        state.hints += 1
        self._notes.write(state)
        self._notes.log("hint")
        return self.hints[-1]

    def reset(self, *, progress: Callable[[str], None] | None = None) -> Self:
        """Bring it back to its beginning: what belongs to it is removed and made anew.

        Hints that were taken stay taken, and the attempts stay.

        Raises:
            LabvirtError: something would not go away, or could not be made.
        """
        state = self._notes.read()
        if state.stage:
            self._take_away(state)
        self._make(progress or (lambda _: None), hints=state.hints)
        self._notes.log("reset")
        return self

    def end(self) -> None:
        """Undo the faults and remove everything that belongs to it; twice is harmless.

        Raises:
            LabvirtError: something would not go away.
        """
        state = self._notes.read()
        if not state.stage:
            return
        self._take_away(state)
        self._notes.log("end")
        self._notes.clear()

    def solve(self, *, show: Callable[[str], None] | None = None) -> Self:
        """Do what the solution says, step by step, as a student would; for teachers and tests.

        Args:
            show: told each step, and its Python.

        Raises:
            ConflictError: the exercise has not begun.
        """
        self._require_begun("solve")
        self._notes.log("solve")
        solve(self, show or (lambda _: None))
        return self

    # -- making and taking away -------------------------------------------------------------

    def _make(self, progress: Callable[[str], None], *, hints: int = 0) -> None:
        making.require_free(self.lab, self.spec, f"start exercise {self.name}")
        before = [key for host in self.lab for key in making.volumes_of(host)]
        state = State(stage="making", hints=hints, volumes=before)
        self._notes.write(state)

        def noted(file: str) -> None:
            state.planted.append(file)
            self._notes.write(state)

        try:
            making.make(self.lab, self.spec, progress)
            state.memory["boots"] = making.boots_of(self.lab, self.spec)
            making.put_to_sleep(self.lab, self.spec)
            making.break_it(self.lab, self.spec, noted)
        except BaseException:
            self._take_away(state)
            self._notes.clear()
            raise
        state.stage, state.began = "begun", time.time()
        self._notes.write(state)

    def _take_away(self, state: State) -> None:
        if state.planted:
            making.mend(self.lab, state.planted)
        making.wake(self.lab, 4 * _LINK_S)
        making.take_away(self.lab, self.spec, state)

    def _require_begun(self, asked: str) -> State:
        state = self._notes.read()
        if state.stage != "begun":
            raise ConflictError(
                f"{asked} exercise {self.name}",
                uri=f"lab {self.lab.name}",
                libvirt_text="it has not begun",
                hint=f"lab.exercise({self.name!r}).start()",
            )
        return state

    def __repr__(self) -> str:
        """Return one line."""
        who = f", {self.student}" if self.student else ""
        return f"<Exercise {self.name}{who} on lab {self.lab.name}>"

    def __str__(self) -> str:
        """Return title, time, points and story as text."""
        return as_text(self)

    def _repr_html_(self) -> str:
        """Return the same as HTML."""
        return as_html(self)
