"""The report of a run written again, from a notebook that a killed run left unfinished too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import RunError
from labvirt.runbook.events import read_events, rebuild
from labvirt.runbook.state import write_notebook

if TYPE_CHECKING:
    from labvirt.runbook.records import RunRecord

__all__ = ["retell"]


def retell(record: RunRecord) -> RunRecord:
    """Write the HTML report of a run again.

    The notebook of a run that was killed ends where it was last saved. It is first brought up to
    its last event, and told how the run ended.

    Args:
        record: the run, as the ledger gives it.

    Returns:
        The record, with the path of the report.

    Raises:
        RunError: the run still runs, its notebook is gone or no notebook, or nothing can be
            written there.
    """
    import nbformat

    from labvirt.runbook.report import write_html

    if record.outcome == "running":
        raise RunError(f"the run {record.id} still runs (process {record.pid})", code=2)
    try:
        notebook = nbformat.read(record.notebook, as_version=4)
    except FileNotFoundError:
        raise RunError(f"the notebook {record.notebook} of the run {record.id} is gone") from None
    except (OSError, ValueError, AttributeError, KeyError) as error:
        raise RunError(f"{record.notebook} cannot be read as a notebook: {error}") from error
    log = record.folder / "events.jsonl"
    if record.outcome == "died" and log.exists():
        notebook = rebuild(notebook, read_events(log))
        _mark_cut_cells(notebook)
        notebook.metadata["labvirt"] = {"schema": 1, **record.to_dict()}
        write_notebook(notebook, record.notebook)
    html = record.notebook.with_suffix(".html")
    try:
        write_html(
            notebook,
            html,
            record.title or record.book,
            record=record.to_dict(),
            book_folder=Path(record.book_path).parent if record.book_path else None,
        )
    except OSError as error:
        raise RunError(f"the report {html} cannot be written: {error.strerror}") from error
    return replace(record, html=html, artefacts=tuple(sorted({*record.artefacts, html.name})))


def _mark_cut_cells(notebook: object) -> None:
    """A cell that was running when the run was killed has failed."""
    for cell in notebook.cells:  # type: ignore[attr-defined]  # nbformat is untyped
        of_cell = cell.metadata.get("labvirt")
        if of_cell is not None and of_cell.get("verdict") == "running":
            of_cell["verdict"] = "failed"
