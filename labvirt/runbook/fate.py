"""What became of a run whose process is gone: the truth is read from what the run left."""

from __future__ import annotations

import datetime as dt
import functools
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.runbook.records import OUTCOMES, VERDICTS, RunRecord, StepRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_gone", "process_started", "read_record", "truth"]

_DONE: Final = ("ok", "kept", "failed", "cancelled", "undone", "skipped")
_PROC: Final = Path("/proc")


def process_started(pid: int, proc: Path = _PROC) -> int:
    """Return when a process began, in clock ticks after boot; 0 when there is no such process.

    Two processes that had the same number one after the other differ in it.
    """
    try:
        text = (proc / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return 0
    # The name of the program stands in brackets and may hold anything, brackets too.
    fields = text.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        return 0  # a zombie runs nothing any more
    return int(fields[19])


@functools.cache
def _boot() -> dt.datetime | None:
    for line in (_PROC / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return dt.datetime.fromtimestamp(int(line.split()[1]), dt.UTC)
    return None


def is_gone(record: RunRecord) -> bool:
    """Tell whether a run says that it runs while its process does not.

    Runs of other machines and runs without a process number cannot be judged: False.
    """
    if record.outcome != "running" or not record.pid:
        return False
    if record.machine and record.machine != platform.node():
        return False
    started = process_started(record.pid)
    if not started or (record.pid_started and started != record.pid_started):
        return True
    began, boot = _moment(record.began), _boot()
    # The same number and ticks, but of another boot; a minute for a clock that was set.
    return bool(began and boot and began < boot - dt.timedelta(minutes=1))


def read_record(folder: Path) -> RunRecord | None:
    """Return the record that a run left in its folder (``run.json``), None when it is unreadable.

    The folder may have been moved together with its files: paths that are gone are corrected.
    """
    try:
        plain = json.loads((folder / "run.json").read_text())
        record = RunRecord.from_dict(plain)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    if not isinstance(record.id, str) or not record.id or record.outcome not in OUTCOMES:
        return None
    if record.folder != folder and not record.notebook.exists():
        here = {"notebook": folder / record.notebook.name, "html": folder / record.html.name}
        record = replace(record, folder=folder, **here)
    elif record.folder == Path():
        record = replace(record, folder=folder)
    return record


def truth(record: RunRecord) -> RunRecord:
    """Return the record as it really is: a run that was killed says so.

    Args:
        record: as the ledger has it.

    Returns:
        The same record unless its process is gone. Then the outcome that the run wrote down last
        in its folder, or ``died``, with the steps as far as the event log tells.
    """
    if not is_gone(record):
        return record
    left = read_record(record.folder) if record.folder != Path() else None
    if left is not None and left.id == record.id:
        if left.outcome != "running":
            return left
        if _progress(left) >= _progress(record):
            record = left
    events = list(_events(record.folder / "events.jsonl"))
    steps = _steps_told(record.steps, events)
    cut = next((step.id for step in steps if step.verdict == "running"), "")
    where = f"in step {cut}" if cut else "between two steps"
    ended = _last_sign(record, events)
    began = _moment(record.began)
    return replace(
        record,
        outcome="died",
        exit_code=OUTCOMES["died"],
        error=f"the runner (process {record.pid}) was killed {where}",
        ended=ended.isoformat(timespec="milliseconds") if ended else "",
        seconds=round((ended - began).total_seconds(), 3) if ended and began else record.seconds,
        steps=tuple(_cut_off(step, ended) for step in steps),
    )


def _progress(record: RunRecord) -> tuple[int, int]:
    verdicts = [step.verdict for step in record.steps]
    return sum(v in _DONE for v in verdicts), sum(v == "running" for v in verdicts)


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of a run; the last line may have been cut off in the middle."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _steps_told(
    steps: tuple[StepRecord, ...], events: list[dict[str, Any]]
) -> tuple[StepRecord, ...]:
    """Return the steps with the last verdict that the event log has for each."""
    told = {step.id: step for step in steps}
    for event in events:
        step, verdict = told.get(str(event.get("step"))), event.get("verdict")
        if step is None or verdict not in VERDICTS or event.get("cell") is not None:
            continue
        seconds = event.get("seconds", step.seconds)
        told[step.id] = replace(
            step,
            verdict=str(verdict),
            seconds=float(seconds) if isinstance(seconds, int | float) else step.seconds,
            error=str(event.get("error") or step.error),
        )
    return tuple(told[step.id] for step in steps)


def _cut_off(step: StepRecord, ended: dt.datetime | None) -> StepRecord:
    if step.verdict != "running":
        return step
    began = _moment(step.began)
    seconds = (ended - began).total_seconds() if ended and began else step.seconds
    return replace(
        step,
        verdict="failed",
        seconds=round(max(seconds, 0.0), 3),
        error="the runner was killed in this step",
    )


def _last_sign(record: RunRecord, events: list[dict[str, Any]]) -> dt.datetime | None:
    """Return when the run last wrote anything."""
    signs = [_moment(step.began) for step in record.steps]
    signs += [_moment(str(e.get("when") or e.get("time") or "")) for e in events[-1:]]
    for name in ("events.jsonl", "run.json"):
        try:
            seen = (record.folder / name).stat().st_mtime
        except OSError:
            continue
        signs.append(dt.datetime.fromtimestamp(seen, dt.UTC))
    signs.append(_moment(record.began))
    return max((sign for sign in signs if sign is not None), default=None)


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
