"""The head of a report: what was run, with what, how it ended, and its steps."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OUTCOME_WORDS", "SHAPES", "Line", "Summary", "cell_facts", "duration", "summarise"]

OUTCOME_WORDS = {
    "ok": "Succeeded",
    "failed": "Failed",
    "refused": "Refused",
    "precondition": "Precondition not met",
    "cancelled": "Cancelled",
    "died": "Died",
    "running": "Not finished",
}
SHAPES = {
    "ok": "ok",
    "kept": "kept",
    "failed": "failed",
    "cancelled": "stopped",
    "undone": "undone",
    "refused": "warning",
    "precondition": "warning",
    "died": "warning",
    "running": "running",
    "pending": "open",
    "skipped": "open",
}
"""Outcomes and verdicts, and the shape that stands for each; colour is never the only sign."""

_STATUS = {"completed": "ok", "failed": "failed", "pending": "pending", "running": "running"}
_STEP = re.compile(r"step:([a-z0-9][a-z0-9_-]*)")
_HEADING = re.compile(r"^(#{2,3})[ \t]+(\S.*)$", re.MULTILINE)


@dataclass
class Line:
    """A line of the contents list.

    Attributes:
        title: what it says.
        anchor: where it leads.
        verdict: what became of the step; empty for a heading.
        seconds: how long it took; None when that is not known.
        error: what went wrong.
    """

    title: str
    anchor: str
    verdict: str = ""
    seconds: float | None = None
    error: str = ""


@dataclass
class Summary:
    """What the head of a report says.

    Attributes:
        outcome: one of `OUTCOME_WORDS`; empty when the notebook does not tell.
        error: what went wrong.
        facts: name and value, in order.
        parameters: name and value of each.
        versions: package and version.
        steps: the contents list.
    """

    outcome: str = ""
    error: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    parameters: list[tuple[str, str]] = field(default_factory=list)
    versions: list[tuple[str, str]] = field(default_factory=list)
    steps: list[Line] = field(default_factory=list)

    @property
    def word(self) -> str:
        """The outcome in words."""
        return OUTCOME_WORDS.get(self.outcome, self.outcome)


def summarise(notebook: Any, record: Mapping[str, Any] | None = None) -> Summary:
    """Return the head of a report.

    Args:
        notebook: the notebook; what papermill wrote into it is used when there is no record.
        record: the run as `RunRecord.to_dict` gives it; the notebook's own when None.
    """
    told = record if record is not None else notebook.metadata.get("labvirt")
    if not isinstance(told, dict) or "outcome" not in told:
        told = _from_papermill(notebook)
    summary = Summary(outcome=str(told.get("outcome") or ""), error=str(told.get("error") or ""))
    summary.facts = list(_facts(told))
    summary.parameters = _pairs(told.get("parameters"))
    summary.versions = _pairs(told.get("versions"))
    steps = [one for one in told.get("steps") or [] if isinstance(one, dict)]
    summary.steps = [_step(one) for one in steps] or _steps_by_tag(notebook)
    return summary


def cell_facts(cell: Any) -> dict[str, Any]:
    """Return what is known of a cell: ``step``, ``role``, ``verdict``, ``seconds``."""
    tags = [str(tag) for tag in cell.metadata.get("tags") or []]
    known = cell.metadata.get("labvirt")
    facts = dict(known) if isinstance(known, dict) else {}
    step = next((found[1] for tag in tags if (found := _STEP.fullmatch(tag))), None)
    roles = ("parameters", "check", "undo", "always", "remediate")
    role = next((tag for tag in tags if tag in roles), "step" if step else "")
    if "injected-parameters" in tags:
        role = "injected"
    facts.setdefault("step", step)
    facts.setdefault("role", role)
    papermill = cell.metadata.get("papermill")
    if isinstance(papermill, dict):
        facts.setdefault("verdict", _STATUS.get(str(papermill.get("status")), ""))
        facts.setdefault("seconds", papermill.get("duration"))
    failed = any(one.get("output_type") == "error" for one in cell.get("outputs") or [])
    if failed and not facts.get("verdict"):
        facts["verdict"] = "failed"
    facts["tags"] = tags
    return facts


def duration(seconds: Any) -> str:
    """Return seconds as people say them, empty for what is no number."""
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or seconds < 0:
        return ""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _facts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    relation = str(told.get("relation") or "")
    words = {"resume": "Goes on from", "rerun": "Repeats"}
    pairs = [
        ("Run", told.get("id")),
        ("Runbook", told.get("book")),
        ("Host", told.get("host")),
        ("Began", _moment(told.get("began"))),
        ("Ended", _moment(told.get("ended"))),
        ("Took", duration(told.get("seconds"))),
        ("By", told.get("user")),
        ("On machine", told.get("machine")),
        (words.get(relation, "Follows"), told.get("parent")),
    ]
    return [(name, str(value)) for name, value in pairs if value]


def _moment(text: Any) -> str:
    """Return an ISO time as people read it, in UTC; what is none as it is."""
    try:
        moment = dt.datetime.fromisoformat(str(text or ""))
    except ValueError:
        return str(text or "")
    if moment.tzinfo is None:
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _pairs(values: Any) -> list[tuple[str, str]]:
    if not isinstance(values, dict):
        return []
    return [(str(name), _value(value)) for name, value in values.items()]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _step(told: Mapping[str, Any]) -> Line:
    name = str(told.get("id") or "")
    verdict = str(told.get("verdict") or "pending")
    seconds = told.get("seconds") if verdict not in ("pending", "skipped") else None
    return Line(
        str(told.get("title") or name),
        f"step-{name}",
        verdict,
        seconds,
        str(told.get("error") or ""),
    )


def _from_papermill(notebook: Any) -> dict[str, Any]:
    """Return what papermill tells of a run, as a record would."""
    told = notebook.metadata.get("papermill")
    if not isinstance(told, dict):
        return {}
    states = [cell_facts(cell).get("verdict") for cell in notebook.cells]
    outcome = "failed" if told.get("exception") or "failed" in states else "ok"
    if outcome == "ok" and not told.get("end_time"):
        outcome = "running"
    return {
        "outcome": outcome,
        "error": _last_error(notebook) if outcome == "failed" else "",
        "book": told.get("input_path"),
        "began": told.get("start_time"),
        "ended": told.get("end_time"),
        "seconds": told.get("duration"),
        "parameters": dict(told.get("parameters") or {}),
        "versions": {"papermill": told["version"]} if told.get("version") else {},
    }


def _last_error(notebook: Any) -> str:
    for cell in reversed(notebook.cells):
        for output in cell.get("outputs") or []:
            if output.get("output_type") == "error":
                return f"{output.get('ename')}: {output.get('evalue')}"
    return ""


def _steps_by_tag(notebook: Any) -> list[Line]:
    """Return the steps that tags of cells name, in order; the headings when there are none."""
    steps: dict[str, Line] = {}
    for cell in notebook.cells:
        facts = cell_facts(cell)
        if cell.cell_type != "code" or not facts["step"] or facts["role"] in ("undo", "remediate"):
            continue
        line = steps.setdefault(facts["step"], Line(facts["step"], f"step-{facts['step']}"))
        verdict = facts.get("verdict") or "pending"
        if line.verdict in ("", "ok"):
            line.verdict = verdict
        if isinstance(facts.get("seconds"), (int, float)):
            line.seconds = (line.seconds or 0.0) + facts["seconds"]
    if steps:
        return list(steps.values())
    return [
        Line(found[2].rstrip("# \t\r").replace("`", "").replace("*", ""), f"cell-{number}")
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "markdown"
        for found in _HEADING.finditer(cell.source)
    ]
