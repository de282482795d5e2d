"""Many runs of one book: a bounded number at once, not too many on one host, one result."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError, Problem, SpecError
from labvirt.runbook.execute import ask
from labvirt.runbook.executors import LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from labvirt.runbook.events import Event
    from labvirt.runbook.executors import Executor, Submitted
    from labvirt.runbook.handle import Asked
    from labvirt.runbook.records import RunRecord

__all__ = ["ManyRuns", "run_many"]


@dataclass
class ManyRuns:
    """What came of many runs.

    Attributes:
        sets: the sets of parameters, in the order in which they were asked for.
        records: the record of each, None for those that were never begun.
        errors: what kept a run from leaving a record, by its number.
        seconds: how long all of it took.
    """

    sets: list[dict[str, Any]]
    records: list[RunRecord | None]
    errors: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def outcomes(self) -> Counter[str]:
        """How many runs ended how; ``not begun`` for those that were never begun."""
        return Counter(record.outcome if record else "not begun" for record in self.records)

    @property
    def exit_code(self) -> int:
        """0 when all went well, 130 when they were cancelled, else 1."""
        kinds = set(self.outcomes)
        if kinds == {"ok"}:
            return 0
        return 130 if kinds <= {"ok", "cancelled", "not begun"} and "cancelled" in kinds else 1

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row for each run: parameters, outcome, seconds, run, error."""
        return [
            (
                ", ".join(f"{key}={value}" for key, value in given.items()),
                record.outcome if record else "not begun",
                f"{record.seconds:.1f}" if record else "",
                record.id if record else "",
                (record.error if record else "") or self.errors.get(number, ""),
            )
            for number, (given, record) in enumerate(zip(self.sets, self.records, strict=True))
        ]

    @property
    def df(self) -> pd.DataFrame:
        """One row for each run: its parameters, then outcome, seconds, run and error."""
        import pandas as pd

        names = ["outcome", "seconds", "run", "error"]
        tails = [dict(zip(names, row[1:], strict=True)) for row in self.rows()]
        frame = pd.DataFrame([{**one, **tail} for one, tail in zip(self.sets, tails, strict=True)])
        frame["seconds"] = pd.to_numeric(frame["seconds"])
        return frame

    def __str__(self) -> str:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(self.outcomes.items()))
        return f"{len(self.sets)} runs in {self.seconds:.1f} s: {told}"

    def _repr_html_(self) -> str:
        """Return the rows as a table."""
        head = "".join(
            f"<th>{h}</th>" for h in ("Parameters", "Outcome", "Seconds", "Run", "Error")
        )
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows()
        )
        return f"<table><caption>{escape(str(self))}</caption><tr>{head}</tr>{body}</table>"


def run_many(
    book: str | Path,
    sets: Sequence[Mapping[str, Any]],
    *,
    jobs: int = 2,
    per_host: int | None = None,
    stop_on_failure: bool = False,
    timeout_s: float | None = None,
    html: bool = True,
    executor: Executor | None = None,
    on_event: Callable[[int, Event], None] | None = None,
) -> ManyRuns:
    """Run a book with many sets of parameters; all of them are checked before the first begins.

    ``Ctrl-C`` cancels the runs that go on and begins no more.

    Args:
        book: name of a runbook, or path of a notebook.
        sets: the parameters of each run.
        jobs: how many run at once.
        per_host: how many run at once with the same value of the parameter ``host``.
        stop_on_failure: begin no more runs after one that did not end well.
        timeout_s: limit of a cell that sets none, in seconds.
        html: write the reports.
        executor: where they run; this machine when None.
        on_event: called with the number of the run in `sets` and each of its events.

    Raises:
        SpecError: sets that do not fit, all of them named; nothing was run.
    """
    for name, value in (("jobs", jobs), ("per_host", per_host if per_host is not None else 1)):
        if type(value) is not int or value < 1:
            raise SpecError(f"{name}={value!r} is no number of runs", hint=f"{name}=2")
    asked = _asked(book, sets, timeout_s=timeout_s, html=html)
    schedule = _Schedule(asked, jobs, per_host, executor or LocalExecutor(), on_event)
    began = time.monotonic()
    try:
        schedule.run(stop_on_failure=stop_on_failure)
    finally:
        if executor is None:
            schedule.executor.close()
    plain = [dict(one) for one in sets]
    return ManyRuns(plain, schedule.records, schedule.errors, round(time.monotonic() - began, 3))


def _asked(book: str | Path, sets: Sequence[Mapping[str, Any]], **more: Any) -> list[Asked]:
    asked, problems = [], []
    for number, given in enumerate(sets):
        try:
            asked.append(ask(book, given, **more))
        except SpecError as error:
            for problem in error.problems or (Problem("", "", error.what),):
                field_ = f"run {number + 1}: {problem.field}"
                problems.append(Problem(field_, problem.value, problem.why, problem.hint))
    if problems:
        raise SpecError(f"{len(problems)} parameters do not fit:", problems)
    return asked


class _Schedule:
    """Gives runs to an executor as places become free."""

    def __init__(
        self,
        asked: list[Asked],
        jobs: int,
        per_host: int | None,
        executor: Executor,
        on_event: Callable[[int, Event], None] | None,
    ) -> None:
        self._asked, self._jobs, self._per_host = asked, jobs, per_host
        self.executor = executor
        self._on_event = on_event
        self.records: list[RunRecord | None] = [None] * len(asked)
        self.errors: dict[int, str] = {}
        self._waiting = list(range(len(asked)))
        self._going: dict[int, Submitted] = {}
        self._ended: list[int] = []
        self._changed = threading.Condition()

    def run(self, *, stop_on_failure: bool) -> None:
        """Run until all have ended; ``Ctrl-C`` is taken as a wish to cancel."""
        try:
            self._loop(stop_on_failure=stop_on_failure)
        except KeyboardInterrupt:
            self._waiting.clear()
            for going in list(self._going.values()):
                going.cancel()
            self._loop(stop_on_failure=True)

    def _loop(self, *, stop_on_failure: bool) -> None:
        while self._waiting or self._going:
            self._begin()
            with self._changed:
                while not self._ended:
                    # With a limit, so that Ctrl-C is noticed.
                    self._changed.wait(0.5)
                ended, self._ended = self._ended, []
            for number in ended:
                self._take(number)
            if stop_on_failure and any(record and record.exit_code for record in self.records):
                self._waiting.clear()

    def _begin(self) -> None:
        for number in list(self._waiting):
            if len(self._going) >= self._jobs:
                return
            if self._is_busy(self._host(number)):
                continue
            self._waiting.remove(number)
            tell = self._teller(number)
            going = self.executor.submit(self._asked[number], tell)
            self._going[number] = going
            going.add_done_callback(functools.partial(self._over, number))

    def _teller(self, number: int) -> Callable[[Event], None] | None:
        if self._on_event is None:
            return None
        told = self._on_event
        return lambda event: told(number, event)

    def _over(self, number: int, _: object) -> None:
        with self._changed:
            self._ended.append(number)
            self._changed.notify()

    def _take(self, number: int) -> None:
        try:
            self.records[number] = self._going.pop(number).result()
        except LabvirtError as error:
            self.errors[number] = error.what

    def _host(self, number: int) -> Any:
        return self._asked[number].request.given.get("host")

    def _is_busy(self, host: Any) -> bool:
        if self._per_host is None or host is None:
            return False
        busy = [number for number in self._going if self._host(number) == host]
        return len(busy) >= self._per_host
