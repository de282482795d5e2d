"""What a lab notes of its exercises: how far each is, and every attempt; files in its folder."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.lab.records import OUTCOME_FILE, write_json
from labvirt.lab.store import Shelf

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Attempt", "Attempts", "Notes", "State", "attempts_of"]

_FOLDER: Final = "exercises"
_LOG: Final = "attempts.jsonl"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that a student did with an exercise.

    Attributes:
        at: when, seconds since 1970.
        exercise: which.
        student: who; may be empty.
        did: ``start``, ``check``, ``hint``, ``reset``, ``solve`` or ``end``.
        passed: whether all held; None but for a check.
        points: points of a check, hints taken off; else None.
        possible: how many there were.
        seconds: since the exercise began.
        failed: ids of the checks that failed.
    """

    at: float
    exercise: str
    student: str
    did: str
    passed: bool | None = None
    points: int | None = None
    possible: int | None = None
    seconds: float = 0.0
    failed: tuple[str, ...] = ()

    @property
    def when(self) -> dt.datetime:
        """The time, UTC."""
        return dt.datetime.fromtimestamp(self.at, dt.UTC)


class Attempts(tuple[Attempt, ...]):
    """Attempts, the oldest first."""

    __slots__ = ()

    @property
    def df(self) -> pd.DataFrame:
        """The attempts as a table, a row each, times in UTC."""
        import pandas as pd

        columns = ["when", "exercise", "student", "did", "passed", "points", "possible", "seconds"]
        rows = [[getattr(each, name) for name in columns] for each in self]
        return pd.DataFrame(rows, columns=columns)

    def _repr_html_(self) -> str:
        return str(self.df.to_html())


@dataclass
class State:
    """How far an exercise is.

    Attributes:
        stage: ``making`` or ``begun``; anything else has not begun.
        lab: mark of the lab as it was then; a lab that was brought back to its beginning has
            another one.
        began: when it was ready, seconds since 1970.
        hints: how many were taken.
        volumes: volumes of the hosts when it began to be made: ``host/pool/name``.
        planted: files of the faults that were planted for it.
        memory: what conditions compare with: ``boots`` by guest.
    """

    stage: str = ""
    lab: int = 0
    began: float = 0.0
    hints: int = 0
    volumes: list[str] = field(default_factory=list)
    planted: list[str] = field(default_factory=list)
    memory: dict[str, Any] = field(default_factory=dict)


class Notes:
    """What is noted of one exercise of one student.

    Args:
        lab: name of the lab.
        exercise: name of the exercise.
        student: who does it.
    """

    def __init__(self, lab: str, exercise: str, student: str) -> None:
        self.exercise = Path(exercise).stem
        self.student = student
        self.lab = lab
        self.folder = Shelf(lab).folder / _FOLDER
        word = re.sub(r"[^A-Za-z0-9._-]", lambda found: f"%{ord(found[0]):x}", student)[:80]
        self.path = self.folder / f"{self.exercise}@{word}.json"

    def read(self) -> State:
        """Return how far it is; what was damaged, or was of the lab before a reset, has not begun."""
        try:
            state = State(**json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return State()
        return state if state.lab == self._mark() else State(hints=state.hints)

    def write(self, state: State) -> None:
        """Note how far it is."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.lab = self._mark()
        write_json(self.path, asdict(state))

    def _mark(self) -> int:
        """Return a number that is another one after the lab was reset."""
        try:
            return (self.folder.parent / OUTCOME_FILE).stat().st_mtime_ns
        except OSError:
            return 0

    def clear(self) -> None:
        """Forget how far it is; the attempts stay."""
        self.path.unlink(missing_ok=True)

    def log(self, did: str, **facts: Any) -> None:
        """Add a line to the attempts."""
        began = self.read().began
        spent = round(time.time() - began, 1) if began else 0.0
        attempt = Attempt(time.time(), self.exercise, self.student, did, seconds=spent, **facts)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = json.dumps(asdict(attempt), ensure_ascii=False) + "\n"
        # One write to a file opened for appending: lines of several processes do not mix.
        handle = os.open(self.folder / _LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    @property
    def attempts(self) -> Attempts:
        """What was done with this exercise by this student."""
        mine = (self.exercise, self.student)
        return Attempts(
            each for each in attempts_of(self.lab) if (each.exercise, each.student) == mine
        )


def attempts_of(lab: str) -> Attempts:
    """Return all attempts of a lab, the oldest first."""
    try:
        text = (Shelf(lab).folder / _FOLDER / _LOG).read_text(encoding="utf-8")
    except FileNotFoundError:
        return Attempts()
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    return Attempts(Attempt(**{**row, "failed": tuple(row["failed"])}) for row in rows)
