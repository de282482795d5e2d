"""Running runbooks: the plain calls, each run in a process of its own."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labvirt.errors import RunError, SpecError
from labvirt.runbook.books import find_book
from labvirt.runbook.handle import Asked, start
from labvirt.runbook.outline import DEFAULT_TIMEOUT_S, Outline
from labvirt.runbook.parameters import read_parameters, settle
from labvirt.runbook.request import Request, resume_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.runbook.events import Event
    from labvirt.runbook.records import RunRecord

__all__ = ["ask", "ask_rerun", "ask_resume", "ask_undo", "rerun", "resume", "run", "undo"]


def ask(
    book: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
    timeout_s: float | None = None,
    html: bool = True,
    **more: Any,
) -> Asked:
    """Check a book and its parameters; nothing is run.

    Raises:
        SpecError: the parameters do not fit, or the tags of the book cannot be right.
        RunError: there is no such runbook.
    """
    limit = DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s
    if not 0 < limit < math.inf:
        raise SpecError(f"timeout_s={timeout_s!r} is no limit in seconds", hint="timeout_s=900")
    found = find_book(book)
    Outline(found.notebook)
    settled = settle(read_parameters(found.parameters_source), parameters or {})
    request = Request.new(
        found, dict(settled.plain), folder, timeout_s=float(limit), html=html, **more
    )
    return Asked(request, settled.environment)


def ask_rerun(
    run_id: str, parameters: Mapping[str, Any] | None = None, *, html: bool = True
) -> Asked:
    """Check that the book of a run can be run again, with other parameters where they are given.

    Raises:
        RunError: no such run, or its book is gone.
        SpecError: the parameters do not fit the book as it is now.
    """
    from labvirt.runbook.ledger import Ledger

    parent = Ledger().get(run_id)
    given = {**parent.parameters, **(parameters or {})}
    return ask(parent.book_path, given, parent=parent.id, relation="rerun", html=html)


def ask_resume(run_id: str, *, html: bool = True) -> Asked:
    """Check that a run can be gone on with.

    Raises:
        RunError: no such run, it ended well or still runs, or what it has done was edited since.
    """
    from labvirt.runbook.ledger import Ledger

    parent = Ledger().get(run_id)
    book = find_book(parent.book_path)
    kept = resume_from(parent, book)
    root = _asked_of(parent).get("root") or parent.id
    return ask(
        parent.book_path,
        parent.parameters,
        parent=parent.id,
        relation="resume",
        kept=kept,
        root=root,
        timeout_s=_asked_of(parent).get("timeout_s"),
        cwd=_asked_of(parent).get("cwd") or str(Path.cwd()),
        html=html,
    )


def ask_undo(run_id: str, *, html: bool = True) -> Asked:
    """Check that what a run did can be undone.

    Raises:
        RunError: no such run, or it still runs.
    """
    from labvirt.runbook.ledger import Ledger

    parent = Ledger().get(run_id)
    if parent.outcome == "running":
        raise RunError(f"the run {parent.id} still runs (process {parent.pid})", code=2)
    begun = tuple(
        step.id
        for step in parent.steps
        if step.source_hash and step.verdict not in ("pending", "skipped", "undone")
    )
    return ask(
        parent.book_path,
        parent.parameters,
        action="undo",
        parent=parent.id,
        relation="undo",
        kept=begun,
        root=_asked_of(parent).get("root") or parent.id,
        cwd=_asked_of(parent).get("cwd") or str(Path.cwd()),
        html=html,
    )


def _asked_of(record: RunRecord) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads((record.folder / "request.json").read_text()))
    return {}


def _finish(asked: Asked, on_event: Callable[[Event], None] | None) -> RunRecord:
    going = start(asked, on_event=on_event)
    try:
        return going.result()
    except BaseException:
        going.close()
        raise


def run(
    book: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
    timeout_s: float | None = None,
    html: bool = True,
    on_event: Callable[[Event], None] | None = None,
    **named: Any,
) -> RunRecord:
    """Execute a runbook in a process of its own and keep the executed notebook.

    ``lv.run("install", name="web1")`` and ``lv.run("install", {"name": "web1"})`` are the same.

    Args:
        book: name of a runbook, or path of a notebook.
        parameters: values by name, as text or typed; checked before a kernel starts.
        folder: where the record goes; a new folder of its own under the user's data when None.
        timeout_s: limit for each cell that sets none, in seconds; 900 when None.
        html: write the report.
        on_event: called with each event, on a thread of the run.
        named: more parameters.

    Returns:
        The record; its `exit_code` tells how the run ended.

    Raises:
        SpecError: the parameters do not fit; nothing was run.
        RunError: there is no such runbook; nothing was run.
    """
    given = {**(parameters or {}), **named}
    asked = ask(book, given, folder=folder, timeout_s=timeout_s, html=html)
    return _finish(asked, on_event)


def resume(run_id: str, *, progress: Callable[[Event], None] | None = None) -> RunRecord:
    """Go on with a run that did not end well, after its last good step.

    Args:
        run_id: its number, the beginning of it, or ``last``.
        progress: called with each event.

    Raises:
        RunError: it ended well or still runs, or what it has done was edited since.
    """
    return _finish(ask_resume(run_id), progress)


def rerun(
    run_id: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    progress: Callable[[Event], None] | None = None,
) -> RunRecord:
    """Run the book of a run again, with the same parameters but those given here."""
    return _finish(ask_rerun(run_id, parameters), progress)


def undo(run_id: str, *, progress: Callable[[Event], None] | None = None) -> RunRecord:
    """Run the undo cells of the steps that a run began, last first."""
    return _finish(ask_undo(run_id), progress)
