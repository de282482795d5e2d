"""The state of a run while it goes on: its record, its notebook, and how both are kept."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import RunError
from labvirt.runbook.events import now
from labvirt.runbook.records import OUTCOMES, StepRecord

if TYPE_CHECKING:
    from labvirt.runbook.events import EventLog
    from labvirt.runbook.ledger import Ledger
    from labvirt.runbook.outline import Outline
    from labvirt.runbook.records import RunRecord

__all__ = ["RunState", "write_notebook"]

_SHARE: Final = 0.02
"""Part of the time that may go into saving the notebook while it runs."""


def write_notebook(notebook: Any, path: Any) -> None:
    """Write a notebook whole or not at all.

    Raises:
        RunError: it cannot be written (a full disk); the one that was there stays.
    """
    import nbformat

    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(nbformat.writes(notebook))
            file.flush()
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise RunError(f"the notebook {path} cannot be written: {error.strerror}") from error


class RunState:
    """Keeps record, ledger, event log and notebook in step with what happens.

    Args:
        record: the record at the beginning.
        notebook: the notebook that is executed.
        outline: its outline.
        log: its events.
        ledger: the ledger.
    """

    def __init__(
        self, record: RunRecord, notebook: Any, outline: Outline, log: EventLog, ledger: Ledger
    ) -> None:
        self.record, self.notebook, self.outline = record, notebook, outline
        self.log, self._ledger = log, ledger
        self._clock = time.monotonic()
        self._saved_at, self._save_cost = self._clock, 0.0
        self._step_clocks: dict[str, float] = {}
        self._roles()
        steps = tuple(
            StepRecord(
                id=step,
                title=outline.titles[step],
                cells=tuple(c.index for c in outline.cells if c.step == step),
                source_hash=outline.step_hash(step),
            )
            for step in outline.steps
        )
        self.record = replace(record, steps=steps)

    def _roles(self) -> None:
        for cell in self.outline.cells:
            of_cell = self.notebook.cells[cell.index].metadata.setdefault("labvirt", {})
            of_cell.update(step=cell.step, role=cell.role)

    # -- the run ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Tell that the run begins."""
        self._ledger.begin(self.record)
        self.log.write("run-begin", record=self.record.to_dict())
        self.save()

    def end(self, outcome: str, error: str = "") -> RunRecord:
        """Tell how the run ended; the files are to be written by `save`."""
        self.log.release()
        steps = tuple(
            replace(step, verdict="skipped" if step.verdict == "pending" else step.verdict)
            for step in self.record.steps
        )
        self.record = replace(
            self.record,
            outcome=outcome,
            exit_code=OUTCOMES[outcome],
            error=error,
            steps=steps,
            ended=now(),
            seconds=round(time.monotonic() - self._clock, 3),
        )
        return self.record

    def publish(self) -> None:
        """Write the ledger and then the last event, when all files of the run are there.

        Raises:
            RunError: the ledger cannot be written; the event is.
        """
        try:
            self._ledger.end(self.record)
        finally:
            self.log.write("run-end", record=self.record.to_dict())

    # -- steps ------------------------------------------------------------------------------

    def step(self, name: str) -> StepRecord:
        """Return the record of a step."""
        return next(step for step in self.record.steps if step.id == name)

    def verdict(self, name: str, verdict: str, error: str = "") -> None:
        """Note what became of a step, tell it, and keep it."""
        step = self.step(name)
        if verdict == "running":
            self._step_clocks[name] = time.monotonic()
            step = replace(step, verdict=verdict, began=now(), error="")
        else:
            spent = time.monotonic() - self._step_clocks.get(name, time.monotonic())
            seconds = step.seconds if verdict == "undone" else round(spent, 3)
            step = replace(step, verdict=verdict, seconds=seconds, error=error)
        self._put(step)
        kind = "step-begin" if verdict == "running" else "step-end"
        names = [one.id for one in self.record.steps]
        self.log.write(kind, step=_plain(step), position=names.index(name) + 1, steps=len(names))
        self._ledger.update(self.record)
        self.save_if_due()

    def told(self, news: dict[str, Any]) -> None:
        """Take what ``labvirt.step()`` told from inside a cell."""
        name, verdict = str(news.get("step", "")), str(news.get("verdict", ""))
        if not name or verdict not in ("running", "ok", "failed", "kept"):
            return
        if name not in {step.id for step in self.record.steps}:
            # Declared by code, so nobody knew of it before.
            made = StepRecord(id=name, title=str(news.get("title") or name))
            self.record = replace(self.record, steps=(*self.record.steps, made))
        self.verdict(name, verdict, str(news.get("error", "")))

    def _put(self, step: StepRecord) -> None:
        steps = tuple(step if one.id == step.id else one for one in self.record.steps)
        self.record = replace(self.record, steps=steps)

    # -- files ------------------------------------------------------------------------------

    def cell_verdict(self, index: int, verdict: str, seconds: float) -> None:
        """Note what became of a cell."""
        cell = self.notebook.cells[index]
        cell.metadata.setdefault("labvirt", {}).update(verdict=verdict, seconds=round(seconds, 3))
        self.log.write(
            "cell-end",
            cell=index,
            verdict=verdict,
            seconds=round(seconds, 3),
            count=cell.get("execution_count"),
        )
        self.save_if_due()

    def save_if_due(self) -> None:
        """Save the notebook as often as a small share of the time allows."""
        if time.monotonic() - self._saved_at > max(2.0, self._save_cost / _SHARE):
            self.save()

    def save(self) -> None:
        """Save the notebook now."""
        began = time.monotonic()
        self.notebook.metadata["labvirt"] = {"schema": 1, **self.record.to_dict()}
        write_notebook(self.notebook, self.record.notebook)
        self._saved_at = time.monotonic()
        self._save_cost = self._saved_at - began


def _plain(step: StepRecord) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(step)
