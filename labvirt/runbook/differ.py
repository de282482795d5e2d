"""Which outputs of two executed notebooks differ, cell by cell."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.runbook.records import RunRecord

__all__ = ["OutputDifference", "differing_outputs", "normalised"]

_LINES: Final = 60  # of one difference; more is counted
_WIDTH: Final = 400  # of one of its lines
_READ: Final = 5000  # lines of one output that are compared line by line: difflib is quadratic
#: Of a step that was not run there is nothing to compare; that is told with the steps.
_STILL: Final = ("pending", "kept", "skipped")
_WORDS: Final = (
    # Escape sequences first: they may stand inside of anything.
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"\b0x[0-9a-fA-F]{4,}\b"), "0x…"),
    (
        re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
        "[uuid]",
    ),
    (re.compile(r"\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\b"), "[mac]"),
    (
        re.compile(
            r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|\s?[+-]\d\d:?\d\d| UTC)?"
        ),
        "[time]",
    ),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "[date]"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "[time]"),
    (re.compile(r"\b\d+(?:\.\d+)?\s?(?:ns|µs|us|ms|s|sec|seconds?|min|minutes?)\b"), "[span]"),
    (re.compile(r"\b(pid|PID|process)([ =:]+)\d+\b"), r"\1\2[pid]"),
)
"""What differs between any two runs and tells nothing."""


@dataclass(frozen=True)
class OutputDifference:
    """The outputs of one cell, where they differ.

    Attributes:
        cell_a: number of the cell in the first notebook, None when it is not there.
        cell_b: in the second.
        step: the step that it belongs to, empty when to none.
        what: in words: text, an image, only in one of the runs.
        diff: unified difference of the texts, cut to a readable length; empty for other things.
    """

    cell_a: int | None
    cell_b: int | None
    step: str
    what: str
    diff: str = ""

    @property
    def where(self) -> str:
        """The cell, in words."""
        numbers = [str(n) for n in (self.cell_a, self.cell_b) if n is not None]
        number = numbers[0] if len(set(numbers)) == 1 else " / ".join(numbers)
        return f"cell {number}" + (f" (step {self.step})" if self.step else "")


@dataclass(frozen=True)
class _Cell:
    number: int
    source: str
    step: str
    text: str
    others: tuple[tuple[str, str], ...]
    ran: bool


def differing_outputs(
    a: RunRecord, b: RunRecord, *, normalise: bool = True
) -> tuple[tuple[OutputDifference, ...], tuple[str, ...]]:
    """Compare the outputs of two executed notebooks.

    Args:
        a: the first run.
        b: the second.
        normalise: compare texts as `normalised` writes them.

    Returns:
        The cells whose outputs differ, in the order of the notebooks; and what could not be read.
    """
    notes: list[str] = []
    sides: list[list[_Cell]] = []
    for run in (a, b):
        try:
            sides.append(list(_cells(run, normalise=normalise)))
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            notes.append(f"the notebook of {run.id} cannot be read: {error}")
    if notes:
        return (), tuple(notes)
    found = (_differ(one, other) for one, other in _aligned(*sides))
    return tuple(one for one in found if one is not None), ()


def _aligned(a: list[_Cell], b: list[_Cell]) -> Iterator[tuple[_Cell | None, _Cell | None]]:
    """Pair the cells by their sources; an edited cell goes with what stands in its place."""
    sources = [cell.source for cell in a], [cell.source for cell in b]
    matcher = difflib.SequenceMatcher(None, *sources, autojunk=False)
    for _, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        for one, other in zip_longest(a[a_from:a_to], b[b_from:b_to]):
            if one is not None and other is not None and one.step != other.step:
                yield one, None
                yield None, other
            else:
                yield one, other


def normalised(text: str) -> str:
    """Return text without what differs between any two runs: times, identifiers, addresses."""
    for pattern, word in _WORDS:
        text = pattern.sub(word, text)
    return text


def _cells(run: RunRecord, *, normalise: bool) -> Iterator[_Cell]:
    """Yield the code cells."""
    plain = json.loads(run.notebook.read_text(encoding="utf-8"))
    still = {step.id for step in run.steps if step.verdict in _STILL}
    for number, cell in enumerate(plain["cells"]):
        if cell["cell_type"] != "code":
            continue
        ours = cell["metadata"].get("labvirt") or {}
        # Parameters are compared by themselves.
        injected = "injected-parameters" in cell["metadata"].get("tags", ())
        text, others = _outputs(cell.get("outputs", ()))
        for own in _own_words(run):
            text = text.replace(*own)
        step = str(ours.get("step") or "")
        yield _Cell(
            number=number,
            source="injected" if injected else _joined(cell["source"]),
            step=step,
            text=normalised(text) if normalise else text,
            others=others,
            ran=step not in still,
        )


def _own_words(run: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield what only this run can have said: its folder and its number."""
    folder = str(run.folder)
    if len(folder) > 1:
        yield folder, "[folder]"
    yield run.id, "[run]"


def _outputs(outputs: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the text of a cell's outputs, and kind and hash of everything else."""
    texts: list[str] = []
    others: list[tuple[str, str]] = []
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            texts.append(_joined(output.get("text", "")))
        elif kind == "error":
            texts.append(f"{output.get('ename', '')}: {output.get('evalue', '')}\n")
        else:
            data = output.get("data") or {}
            # The plain text of a plot or image is only its address in memory.
            rich = sorted(
                name for name in data if not name.startswith("text/") and "widget-view" not in name
            )
            if not rich:
                best = "text/plain" if "text/plain" in data else min(data, default="")
                texts.append(_joined(data.get(best, "")) + "\n")
            others += [(name, _hash(data[name])) for name in rich]
    return "".join(texts), tuple(others)


def _hash(value: Any) -> str:
    text = _joined(value) if isinstance(value, str | list) else json.dumps(value, sort_keys=True)
    # Plotly gives every drawing a new name.
    return hashlib.sha256(normalised(text).encode(errors="replace")).hexdigest()


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _differ(a: _Cell | None, b: _Cell | None) -> OutputDifference | None:
    if a is None or b is None:
        only = a or b
        if only is None or not (only.text or only.others):
            return None
        which = "first" if a else "second"
        numbers = (a.number if a else None, b.number if b else None)
        return OutputDifference(*numbers, only.step, f"this cell is only in the {which} run")
    if not (a.ran and b.ran) or (a.text, a.others) == (b.text, b.others):
        return None
    said = ["text differs"] if a.text != b.text else []
    if a.source != b.source:
        said.insert(0, "its code was edited")
    if a.others != b.others:
        kinds = sorted({kind for kind, _ in {*a.others} ^ {*b.others}}) or ["order"]
        said += [f"{kind} differs" for kind in kinds]
    diff = _unified(a.text, b.text) if a.text != b.text else ""
    return OutputDifference(a.number, b.number, b.step or a.step, ", ".join(said), diff)


def _unified(a: str, b: str) -> str:
    one, other = a.splitlines(), b.splitlines()
    note = ""
    if max(len(one), len(other)) > _READ:
        note = f"... only the first {_READ} of {len(one)} and {len(other)} lines were compared"
        one, other = one[:_READ], other[:_READ]
    lines = list(difflib.unified_diff(one, other, "a", "b", n=2, lineterm=""))
    shown = [line if len(line) <= _WIDTH else line[:_WIDTH] + " ..." for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown.append(f"... {len(lines) - _LINES} more lines")
    return "\n".join([*shown, note] if note else shown)
