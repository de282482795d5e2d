"""A request: everything that one run needs to know, and what is made ready for it."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import getpass
import json
import os
import platform
import secrets
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from labvirt import places
from labvirt.errors import RunError
from labvirt.runbook.books import find_book
from labvirt.runbook.events import now
from labvirt.runbook.fate import process_started
from labvirt.runbook.outline import Outline
from labvirt.runbook.parameters import read_parameters, settle
from labvirt.runbook.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.runbook.books import Book
    from labvirt.runbook.parameters import Settled

__all__ = ["Prepared", "Request", "new_run_id", "prepare", "versions"]

_VERSIONS: Final = ("labvirt", "libvirt-python", "papermill", "nbclient", "ipykernel")


def new_run_id() -> str:
    """Return the number of a new run: date, time and eight letters, so that no two are the same."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        book: path of the notebook.
        given: parameters as JSON has them; secrets as references.
        folder: where the record goes.
        id: number of the run.
        action: ``run``, or ``undo`` of what `parent` did.
        parent: the run that this one goes on from, repeats or undoes.
        relation: ``resume``, ``rerun`` or ``undo``; empty for a first run.
        kept: steps that `parent` has done and that are only to be proved.
        root: the first run of the chain; the kernel knows it as ``LABVIRT_RUN_ID``.
        cwd: working folder of the kernel.
        timeout_s: limit of a cell that sets none, in seconds.
        html: write the report too.
    """

    book: str
    given: dict[str, Any]
    folder: str
    id: str
    action: str = "run"
    parent: str = ""
    relation: str = ""
    kept: tuple[str, ...] = ()
    root: str = ""
    cwd: str = field(default_factory=os.getcwd)
    timeout_s: float = 900.0
    html: bool = True

    @classmethod
    def new(cls, book: Book, given: dict[str, Any], folder: Path | None, **more: Any) -> Self:
        """Return the request of a new run; without a folder it gets one of its own."""
        number = new_run_id()
        place = folder if folder is not None else places.runs() / number
        return cls(str(book.path.absolute()), given, str(place.absolute()), number, **more)

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` wrote."""
        known = {one.name for one in fields(cls)}
        plain = {key: value for key, value in json.loads(text).items() if key in known}
        plain["kept"] = tuple(plain.get("kept", ()))
        return cls(**plain)


@dataclass(frozen=True)
class Prepared:
    """A request with everything read that it names.

    Attributes:
        request: the request.
        book: the runbook.
        notebook: a copy of it without outputs, with the injected parameters.
        outline: the outline of that copy.
        settled: the parameters.
        record: the record at the beginning.
    """

    request: Request
    book: Book
    notebook: Any
    outline: Outline
    settled: Settled
    record: RunRecord


def prepare(request: Request, environment: Mapping[str, str] | None = None) -> Prepared:
    """Read the book and check the parameters; nothing is written and no kernel started.

    Args:
        request: what is asked for.
        environment: secrets that the kernel gets; references may lead there.

    Raises:
        RunError: there is no such book.
        SpecError: its tags or the parameters cannot be right.
    """
    book = find_book(request.book)
    environ = {**os.environ, **(environment or {})}
    settled = settle(read_parameters(book.parameters_source), request.given, environ=environ)
    notebook = _copy(book.notebook, settled.code)
    outline = Outline(notebook)
    folder = Path(request.folder)
    record = RunRecord(
        id=request.id,
        book=book.name,
        outcome="running",
        exit_code=-1,
        notebook=folder / f"{book.name}.ipynb",
        html=folder / f"{book.name}.html",
        parameters=dict(settled.plain),
        versions=dict(versions()),
        title=book.title,
        book_path=str(book.path.absolute()),
        book_hash=outline.book_hash,
        folder=folder,
        began=now(),
        parent=request.parent,
        relation=request.relation,
        user=_user(),
        machine=platform.node(),
        host=str(settled.plain.get("host", "")),
        pid=os.getpid(),
        pid_started=process_started(os.getpid()),
    )
    return Prepared(request, book, notebook, outline, settled, record)


def _copy(notebook: Any, code: str) -> Any:
    """Return the notebook without outputs, with the given parameters after the declared ones."""
    from nbformat.v4 import new_code_cell

    made = copy.deepcopy(notebook)
    cells = []
    for cell in made.cells:
        if cell.cell_type == "code":
            if "injected-parameters" in cell.metadata.get("tags", []):
                continue
            cell.outputs, cell.execution_count = [], None
        cell.metadata.pop("labvirt", None)
        cells.append(cell)
        if code and "parameters" in cell.metadata.get("tags", []):
            cells.append(new_code_cell(code, metadata={"tags": ["injected-parameters"]}))
    made.cells = cells
    made.metadata.pop("labvirt", None)
    return made


@functools.cache
def versions() -> Mapping[str, str]:
    """Return what runs depend on; it is written into every record."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def resume_from(parent: RunRecord, book: Book) -> tuple[str, ...]:
    """Return the steps that need not be done again when a run goes on from another.

    Args:
        parent: the run that did not end well.
        book: the book as it is now; cells after the last good step may have been edited.

    Raises:
        RunError: it ended well, still runs, or what it has done was edited since (code 2).
    """
    if parent.outcome == "running":
        raise RunError(f"the run {parent.id} still runs (process {parent.pid})", code=2)
    if parent.outcome == "ok":
        raise RunError(
            f"the run {parent.id} ended well: there is nothing to go on with",
            code=2,
            hint=f"labvirt runs rerun {parent.id}",
        )
    outline = Outline(book.notebook)
    before = _parameters_hash(parent)
    if before and before != outline.parameters_hash:
        raise _edited(parent, "the parameters cell was edited since")
    kept: list[str] = []
    for number, step in enumerate(parent.steps):
        if step.verdict not in ("ok", "kept"):
            break
        if not step.source_hash:
            # Told by code, inside a cell: it goes with its cell.
            continue
        if outline.steps[len(kept) : len(kept) + 1] != (step.id,):
            raise _edited(parent, f"step {step.id} is not step {number + 1} any more")
        if outline.step_hash(step.id) != step.source_hash:
            raise _edited(parent, f"step {step.id}, which it has done, was edited since")
        kept.append(step.id)
    return tuple(kept)


def _edited(parent: RunRecord, why: str) -> RunError:
    return RunError(
        f"the run {parent.id} of {parent.book} cannot be gone on with: {why}",
        record=parent.notebook,
        code=2,
        hint=f"labvirt runs rerun {parent.id} begins anew with the same parameters",
    )


def _parameters_hash(parent: RunRecord) -> str:
    import nbformat

    try:
        notebook = nbformat.read(parent.notebook, as_version=4)
    except (OSError, ValueError):
        return ""
    return Outline(notebook).parameters_hash
