"""What became of a run whose process is gone: the truth is read from what the run left."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_origin, get_type_hints

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
    """Return the record that a run left in its folder, None when there is none to be read.

    It stands in ``run.json``; a run that was killed before it wrote that has it in its events.
    The folder may have been moved together with its files: paths that are gone are corrected.
    """
    try:
        record = _record(json.loads((folder / "run.json").read_text()))
    except (OSError, ValueError, RecursionError):
        record = None
    if record is None:
        told = [_record(event.get("record")) for event in _events(folder)]
        record = next((one for one in reversed(told) if one is not None), None)
    if record is None or record.folder == folder:
        return record
    if record.notebook.exists() and record.folder != Path():
        return record
    notebook, html = folder / record.notebook.name, folder / record.html.name
    return replace(record, folder=folder, notebook=notebook, html=html)


def truth(record: RunRecord) -> RunRecord:
    """Return the record as it really is: a run that was killed says so.

    Args:
        record: as the ledger has it.

    Returns:
        The same record unless its process is gone. Then the outcome that the run wrote down last
        in its folder, or ``died``, with the steps as far as the events tell.
    """
    if not is_gone(record):
        return record
    left = read_record(record.folder) if record.folder != Path() else None
    events = list(_events(record.folder))
    for known in (left, *(_record(event.get("record")) for event in events)):
        if known is None or known.id != record.id:
            continue
        if known.outcome != "running":
            return known
        if _progress(known) >= _progress(record):
            record = known
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


def _record(plain: Any) -> RunRecord | None:
    try:
        record = RunRecord.from_dict(plain)
    except (TypeError, ValueError, AttributeError):
        return None
    whole = _fits(record) and all(_fits(step) for step in record.steps)
    return record if whole and record.id and record.outcome in OUTCOMES else None


def _fits(record: RunRecord | StepRecord) -> bool:
    """Tell whether every field has its type: a file may say anything."""
    kinds = _KINDS[type(record)]
    return all(isinstance(getattr(record, name), kind) for name, kind in kinds.items())


def _kinds(record: type) -> dict[str, tuple[type, ...]]:
    found = {name: get_origin(hint) or hint for name, hint in get_type_hints(record).items()}
    return {name: (int, float) if kind is float else (kind,) for name, kind in found.items()}


_KINDS: Final = {RunRecord: _kinds(RunRecord), StepRecord: _kinds(StepRecord)}


def _progress(record: RunRecord) -> tuple[int, int]:
    verdicts = [step.verdict for step in record.steps]
    return sum(v in _DONE for v in verdicts), sum(v == "running" for v in verdicts)


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the events about the run and its steps; outputs may be long and are not parsed."""
    try:
        with (folder / "events.jsonl").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                head = line[:200]
                if '"run-' not in head and '"step-' not in head:
                    continue
                # The last line may have been cut off in the middle.
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict):
                        yield event
    except OSError:
        return


def _steps_told(
    steps: tuple[StepRecord, ...], events: list[dict[str, Any]]
) -> tuple[StepRecord, ...]:
    """Return the steps as the last event about each tells; code may have declared more of them."""
    told = {step.id: step for step in steps}
    for event in events:
        plain = event.get("step")
        if not isinstance(plain, dict) or plain.get("verdict") not in VERDICTS:
            continue
        with contextlib.suppress(TypeError, ValueError):
            step = StepRecord.from_dict(plain)
            told[step.id] = step
    return tuple(told.values())


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
    signs = [_moment(record.began), *(_moment(step.began) for step in record.steps)]
    signs += [_moment(str(event.get("at"))) for event in events[-1:]]
    with contextlib.suppress(OSError):
        seen = (record.folder / "events.jsonl").stat().st_mtime
        signs.append(dt.datetime.fromtimestamp(seen, dt.UTC))
    return max((sign for sign in signs if sign is not None), default=None)


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
