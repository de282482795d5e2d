"""The document of a report: the cells of a notebook as the template shows them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labvirt.runbook.report.clean import Headings, clean_html
from labvirt.runbook.report.folding import fold
from labvirt.runbook.report.outputs import OutputShaper, Shown
from labvirt.runbook.report.room import Room, SideFiles
from labvirt.runbook.report.summary import Summary, cell_facts, duration, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Document", "Piece", "build"]

_TITLE = re.compile(r"\A\s*#[ \t]+(\S[^\n]*)(?:\n|\Z)")
_HIGHLIGHT_BYTES = 16_000
_PAPERMILL_NOTE = "papermill-error-cell-tag"


@dataclass
class Piece:
    """One cell as it is shown.

    Attributes:
        number: of the cell, from 1.
        kind: ``markdown``, ``code`` or ``raw``.
        anchors: names that links lead to.
        html: text of a markdown cell; highlighted source of a code cell, empty when it is plain.
        source: source that is shown without colours.
        preview: first line of the code that says something.
        lines: number of lines of the code.
        step: step that the cell belongs to.
        role: what it does there.
        verdict: what became of it.
        took: how long it took, in words.
        outputs: what it printed.
        files: further side files, relative paths.
        file: the source, when it is too long.
        note: one line about the cell.
    """

    number: int
    kind: str
    anchors: list[str] = field(default_factory=list)
    html: str = ""
    source: str = ""
    preview: str = ""
    lines: int = 0
    step: str = ""
    role: str = ""
    verdict: str = ""
    took: str = ""
    outputs: list[Shown] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    file: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass
class Document:
    """A report before it is put into its template.

    Attributes:
        title: its heading.
        summary: its head.
        pieces: its cells.
        side_files: relative paths of the files that were written beside it.
        charts: number of interactive charts.
        held: side files that somebody else is to write, by path.
    """

    title: str
    summary: Summary
    pieces: list[Piece] = field(default_factory=list)
    side_files: list[str] = field(default_factory=list)
    charts: int = 0
    held: dict[str, bytes] = field(default_factory=dict)

    @property
    def trouble(self) -> str:
        """Anchor of the first cell that failed, empty when none did."""
        failed = [piece for piece in self.pieces if piece.verdict in ("failed", "cancelled")]
        return f"cell-{failed[0].number}" if failed else ""


@dataclass
class _Builder:
    shaper: OutputShaper
    prose: Callable[[str], str]
    highlight: Callable[[str], str]
    steps: set[str] = field(default_factory=set)

    def piece(self, number: int, cell: Any, title: str) -> Piece:
        made = Piece(number, cell.cell_type, [f"cell-{number}"])
        if cell.cell_type == "code":
            self._code(made, cell)
        elif cell.cell_type == "markdown":
            source = cell.source
            found = _TITLE.match(source)
            if found and found[1].rstrip("# \t\r") == title:
                source = source[found.end() :]
            made.html = clean_html(
                self.prose(source), self.shaper.headings, picture="Picture", prose=True
            )
            if not self.shaper.room.take(len(made.html), reserve=len(made.html) < 4000):
                made.html = ""
                made.note = "A text that is too long for the report"
        else:
            made.source = fold(cell.source).head
        return made

    def _code(self, made: Piece, cell: Any) -> None:
        facts = cell_facts(cell)
        made.step = str(facts.get("step") or "")
        made.role = str(facts.get("role") or "")
        made.verdict = str(facts.get("verdict") or "")
        made.took = duration(facts.get("seconds"))
        if made.step and made.step not in self.steps and made.role not in ("undo", "remediate"):
            self.steps.add(made.step)
            made.anchors.append(f"step-{made.step}")
        self._source(made, cell.source)
        taken = [str(name) for name in facts.get("side_files") or []]
        if "secret" in facts["tags"]:
            made.note = "Outputs of this cell are not kept: it is tagged secret."
        else:
            made.outputs = self.shaper.shape(made.number, list(cell.outputs), taken)
            if not made.outputs and not made.verdict and cell.get("execution_count") is None:
                made.note = "Not run."
        linked = {output.file.get("href") for output in made.outputs}
        made.files = [name for name in taken if name not in linked and _is_beside(name)]

    def _source(self, made: Piece, source: str) -> None:
        made.lines = source.count("\n") + 1 if source.strip() else 0
        lines = (line.strip() for line in source[:5000].splitlines())
        told = [
            line for line in lines if line and not line.startswith(("#", "%%", "import ", "from "))
        ]
        made.preview = fold(told[0] if told else source.strip()[:200], width=120).head
        if len(source) <= _HIGHLIGHT_BYTES:
            html = self.highlight(source)
            if self.shaper.room.take(len(html), reserve=len(html) < 4000):
                made.html = html
                return
        cut = fold(source, width=500)
        made.source = f"{cut.head}\n# […]\n{cut.tail}" if cut.hidden else cut.head
        made.file = self.shaper.files.keep(f"cell{made.number}-code.txt", source)
        if not self.shaper.room.take(2 * len(made.source), reserve=True):
            made.source = ""


def build(
    notebook: Any,
    title: str,
    *,
    record: Mapping[str, Any] | None,
    folder: Path | None,
    prose: Callable[[str], str],
    markdown: Callable[[str], str],
    highlight: Callable[[str], str],
) -> Document:
    """Return a notebook as the template shows it; side files are written on the way.

    Args:
        notebook: the executed notebook.
        title: heading of the report; the notebook's first heading when empty.
        record: the run; the notebook's own metadata when None.
        folder: folder of the report; None when somebody else writes the side files.
        prose: returns the HTML of a markdown cell, pictures beside the notebook embedded.
        markdown: returns the HTML of markdown that was printed; reads no files.
        highlight: returns source with its words marked as HTML.
    """
    files = SideFiles(folder)
    builder = _Builder(OutputShaper(Room(), files, Headings(), markdown), prose, highlight)
    title = title or _first_heading(notebook)
    document = Document(title, summarise(notebook, record))
    for number, cell in enumerate(notebook.cells, start=1):
        if _PAPERMILL_NOTE in (cell.metadata.get("tags") or []):
            continue
        document.pieces.append(builder.piece(number, cell, title))
    _put_step_anchors_above_their_text(document.pieces)
    document.side_files = files.written
    document.charts = builder.shaper.charts
    document.held = files.held
    return document


def _put_step_anchors_above_their_text(pieces: list[Piece]) -> None:
    """A link to a step leads to the text that stands before its first cell."""
    for before, piece in itertools.pairwise(pieces):
        if before.kind == "markdown" and len(piece.anchors) > 1:
            before.anchors.append(piece.anchors.pop())


def _first_heading(notebook: Any) -> str:
    for cell in notebook.cells:
        found = _TITLE.match(cell.source) if cell.cell_type == "markdown" else None
        if found:
            return found[1].rstrip("# \t\r")
    return "Notebook"


def _is_beside(name: str) -> bool:
    """Tell whether a path stays in the folder of the report."""
    return not name.startswith(("/", "\\")) and ".." not in name and ":" not in name
