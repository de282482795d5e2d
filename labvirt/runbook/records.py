"""What is left of a run: the record of the run and of each of its steps."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from labvirt.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OUTCOMES", "VERDICTS", "RunRecord", "StepRecord"]

OUTCOMES: Final[dict[str, int]] = {
    "running": -1,
    "ok": 0,
    "failed": 1,
    "refused": 2,
    "precondition": 3,
    "cancelled": 130,
    "died": 138,
}
"""Outcome of a run and its exit code; ``running`` has none yet. ``died``: the kernel or the runner
was killed, and the record ends where it was."""

VERDICTS: Final = ("pending", "running", "ok", "kept", "failed", "cancelled", "undone", "skipped")
"""What became of a step. ``kept``: done by the run that this one goes on from, and proved again."""


@dataclass(frozen=True)
class StepRecord:
    """One step of a run.

    Attributes:
        id: its name in the tag ``step:<id>``.
        title: the heading above it, else its name.
        verdict: one of `VERDICTS`.
        began: when it began (ISO 8601, UTC); empty before.
        seconds: how long it took, checks included.
        cells: numbers of its cells in the executed notebook.
        source_hash: SHA-256 of the sources of its cells without the checks.
        error: the last line of what went wrong; empty when nothing did.
    """

    id: str
    title: str = ""
    verdict: str = "pending"
    began: str = ""
    seconds: float = 0.0
    cells: tuple[int, ...] = ()
    source_hash: str = ""
    error: str = ""

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the step from plain data; fields of later versions are left out."""
        known = {one.name for one in fields(cls)}
        values = {key: value for key, value in plain.items() if key in known}
        values["cells"] = tuple(values.get("cells", ()))
        return cls(**values)


@dataclass(frozen=True)
class RunRecord:
    """What is left of one execution of a runbook.

    Attributes:
        id: number of the run: date, time and eight letters, ``20261123-122015-f70042aa``.
        book: name of the runbook.
        outcome: one of `OUTCOMES`.
        exit_code: -1 while it runs, then that of the outcome.
        notebook: the executed notebook.
        html: the same as one HTML file.
        parameters: the values that were given, as JSON has them; secrets as their references.
        seconds: how long it took.
        error: the last line of what went wrong; empty when nothing did.
        versions: what it ran with, by package.
        title: first heading of the book.
        book_path: where the book was read.
        book_hash: SHA-256 of the sources of all its cells.
        folder: where everything of the run is.
        began: when it began (ISO 8601, UTC).
        ended: when it ended, empty before.
        steps: its steps in order.
        artefacts: files of the run, relative to `folder`.
        parent: the run that this one goes on from, or repeats; empty for a first run.
        relation: ``resume`` or ``rerun`` of `parent`, else empty.
        user: who ran it.
        machine: on which machine it ran.
        host: the parameter ``host`` of the book, when it has one.
        pid: process that runs it.
        pid_started: start time of that process in clock ticks after boot, so that a number that
            was given again is not taken for it.
    """

    id: str
    book: str
    outcome: str
    exit_code: int
    notebook: Path
    html: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    title: str = ""
    book_path: str = ""
    book_hash: str = ""
    folder: Path = Path()
    began: str = ""
    ended: str = ""
    steps: tuple[StepRecord, ...] = ()
    artefacts: tuple[str, ...] = ()
    parent: str = ""
    relation: str = ""
    user: str = ""
    machine: str = ""
    host: str = ""
    pid: int = 0
    pid_started: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data that JSON can carry."""
        plain = asdict(self)
        for name in ("notebook", "html", "folder"):
            plain[name] = str(plain[name])
        return plain

    def to_json(self) -> str:
        """Return the record as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the record that `to_dict` wrote; fields of later versions are left out."""
        known = {one.name for one in fields(cls)}
        values = {key: value for key, value in plain.items() if key in known}
        for name in ("notebook", "html", "folder"):
            values[name] = Path(values.get(name, ""))
        values["steps"] = tuple(StepRecord.from_dict(step) for step in values.get("steps", ()))
        values["artefacts"] = tuple(values.get("artefacts", ()))
        return cls(**values)

    @property
    def last_good_step(self) -> str:
        """Name of the last step that was done, empty when none was."""
        done = [step.id for step in self.steps if step.verdict in ("ok", "kept")]
        return done[-1] if done else ""

    def require_ok(self) -> Self:
        """Return the record if the run went well.

        Raises:
            RunError: it did not; carries the path of the record.
        """
        if self.exit_code:
            raise RunError(
                f"the run {self.id} of {self.book} ended: {self.outcome}: {self.error}",
                record=self.notebook,
                code=self.exit_code,
            )
        return self
