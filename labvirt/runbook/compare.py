"""Two runs side by side: what they were given, how their steps went, which outputs differ."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from labvirt.runbook.differ import OutputDifference, differing_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labvirt.runbook.records import RunRecord, StepRecord

__all__ = ["Comparison", "Difference", "StepDifference", "compare"]

#: Facts of a run that are worth a line when they differ, and how a reader calls them.
_FACTS: Final = {
    "book": "book",
    "book_hash": "book's text",
    "outcome": "outcome",
    "error": "error",
    "host": "host",
    "user": "user",
    "machine": "machine",
}
_ABSENT: Final = "-"
_NOT_GIVEN: Final = "(not given)"


@dataclass(frozen=True)
class Difference:
    """One thing that the two runs do not share.

    Attributes:
        name: what it is.
        a: in the first run, ``(not given)`` when it is absent there.
        b: in the second run.
    """

    name: str
    a: str
    b: str


@dataclass(frozen=True)
class StepDifference:
    """One step in both runs; listed also when nothing differs, for the sake of the times.

    Attributes:
        id: the step.
        a_verdict: what became of it in the first run, ``-`` when it has no such step.
        b_verdict: in the second run.
        a_seconds: how long it took there, None when it was not run.
        b_seconds: in the second run.
        ratio: second time over first, None when one of them is missing or zero.
        changed: whether the source of its cells differs.
        a_error: the last line of what went wrong.
        b_error: in the second run.
    """

    id: str
    a_verdict: str
    b_verdict: str
    a_seconds: float | None
    b_seconds: float | None
    ratio: float | None
    changed: bool
    a_error: str = ""
    b_error: str = ""


@dataclass(frozen=True)
class Comparison:
    """What two runs do not share.

    Attributes:
        a: id of the first run.
        b: id of the second.
        facts: book, outcome, host and the like, where they differ.
        parameters: those given differently.
        versions: packages that differ.
        seconds: how long each took.
        steps: all steps of both.
        outputs: cells whose outputs differ.
        notes: what could not be compared, and why.
    """

    a: str
    b: str
    facts: tuple[Difference, ...]
    parameters: tuple[Difference, ...]
    versions: tuple[Difference, ...]
    seconds: tuple[float, float]
    steps: tuple[StepDifference, ...]
    outputs: tuple[OutputDifference, ...]
    notes: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether nothing but times differs."""
        steps = all(
            (s.a_verdict, s.a_error) == (s.b_verdict, s.b_error) and not s.changed
            for s in self.steps
        )
        several = (self.facts, self.parameters, self.versions, self.outputs, self.notes)
        return steps and not any(several)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data that JSON can carry."""
        return {**asdict(self), "is_same": self.is_same}

    def __str__(self) -> str:
        """Return the comparison as text for a terminal."""
        lines = [
            f"a: {self.a}  {_spent(self.seconds[0])}",
            f"b: {self.b}  {_spent(self.seconds[1])}",
        ]
        for title, found in self._tables():
            lines += ["", title, *(f"  {d.name}: {d.a} -> {d.b}" for d in found)]
        if self.steps:
            widest = max(len(step.id) for step in self.steps)
            lines += ["", "Steps", *(_step_line(step, widest) for step in self.steps)]
        for output in self.outputs:
            lines += ["", f"Output of {output.where}: {output.what}"]
            lines += [f"  {line}" for line in output.diff.splitlines()]
        lines += ["", *(f"Note: {note}" for note in self.notes)] if self.notes else []
        if self.is_same:
            lines += ["", "Nothing but times differs."]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [
            f"<p>a: {_e(self.a)}, {_spent(self.seconds[0])}<br>b: {_e(self.b)}, {_spent(self.seconds[1])}</p>"
        ]
        for title, found in self._tables():
            rows = [(d.name, d.a, d.b) for d in found]
            parts.append(_html_table(title, ("", "a", "b"), rows))
        if self.steps:
            heads = ("Step", "a", "b", "Time a", "Time b", "b / a", "")
            parts.append(_html_table("Steps", heads, [_step_cells(step) for step in self.steps]))
        for output in self.outputs:
            told = f"Output of {output.where}: {output.what}"
            parts.append(
                f"<details><summary>{_e(told)}</summary><pre>{_e(output.diff)}</pre></details>"
            )
        parts += [f"<p>Note: {_e(note)}</p>" for note in self.notes]
        if self.is_same:
            parts.append("<p>Nothing but times differs.</p>")
        return "<div>" + "".join(parts) + "</div>"

    def _tables(self) -> list[tuple[str, tuple[Difference, ...]]]:
        named = [("Run", self.facts), ("Parameters", self.parameters), ("Versions", self.versions)]
        return [(title, found) for title, found in named if found]


def compare(a: RunRecord, b: RunRecord, *, normalise: bool = True) -> Comparison:
    """Compare two runs.

    Args:
        a: the first run, usually the older or the good one.
        b: the second.
        normalise: leave out differences of times, durations, identifiers and addresses in memory.
            The ids, folders and the like of the two runs themselves never count.
    """
    outputs, notes = differing_outputs(a, b, normalise=normalise)
    return Comparison(
        a=a.id,
        b=b.id,
        facts=_differences(
            {told: getattr(a, name) or _ABSENT for name, told in _FACTS.items()},
            {told: getattr(b, name) or _ABSENT for name, told in _FACTS.items()},
        ),
        parameters=_differences(a.parameters, b.parameters),
        versions=_differences(a.versions, b.versions),
        seconds=(a.seconds, b.seconds),
        steps=_steps(a, b),
        outputs=outputs,
        notes=notes,
    )


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Difference, ...]:
    # By their text: nan differs from itself otherwise, and 1 does not from True.
    pairs = [(name, _text(a, name), _text(b, name)) for name in {**a, **b}]
    return tuple(Difference(name, *pair) for name, *pair in pairs if pair[0] != pair[1])


def _text(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return _NOT_GIVEN
    value = values[name]
    return value if isinstance(value, str) and value else repr(value)


def _steps(a: RunRecord, b: RunRecord) -> tuple[StepDifference, ...]:
    of_a, of_b = ({step.id: step for step in run.steps} for run in (a, b))
    return tuple(_step(name, of_a.get(name), of_b.get(name)) for name in {**of_a, **of_b})


def _step(name: str, a: StepRecord | None, b: StepRecord | None) -> StepDifference:
    spent_a, spent_b = (step.seconds if step and step.began else None for step in (a, b))
    return StepDifference(
        id=name,
        a_verdict=a.verdict if a else _ABSENT,
        b_verdict=b.verdict if b else _ABSENT,
        a_seconds=spent_a,
        b_seconds=spent_b,
        ratio=round(spent_b / spent_a, 3) if spent_a and spent_b is not None else None,
        changed=bool(a and b and a.source_hash != b.source_hash),
        a_error=a.error if a else "",
        b_error=b.error if b else "",
    )


def _step_cells(step: StepDifference) -> tuple[str, ...]:
    remarks = ["its cells were edited"] if step.changed else []
    if step.a_error != step.b_error:
        remarks += [
            f"{run}: {error}"
            for run, error in zip("ab", (step.a_error, step.b_error), strict=True)
            if error
        ]
    return (
        step.id,
        step.a_verdict,
        step.b_verdict,
        _spent(step.a_seconds),
        _spent(step.b_seconds),
        f"x {step.ratio:.2f}" if step.ratio is not None else "",
        "; ".join(remarks),
    )


def _step_line(step: StepDifference, widest: int) -> str:
    name, a, b, spent_a, spent_b, ratio, remarks = _step_cells(step)
    verdict = a if a == b else f"{a} -> {b}"
    line = f"  {name:{widest}}  {verdict:20} {spent_a:>9} {spent_b:>9} {ratio:>8}  {remarks}"
    return line.rstrip()


def _spent(seconds: float | None) -> str:
    return _ABSENT if seconds is None else f"{seconds:.2f} s"


def _html_table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{_e(text)}</th>' for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{_e(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><caption>{_e(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _e(text: str) -> str:
    return html.escape(text)
