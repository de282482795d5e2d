"""Run a runbook: parameters checked first, the record written whatever happens."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import platform
import secrets
import tempfile
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

from labvirt import places
from labvirt.runbook.books import Book, find_book
from labvirt.runbook.parameters import read_parameters, settle
from labvirt.runbook.records import RunRecord
from labvirt.runbook.report import write_html

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["run"]

#: Exceptions inside the notebook that mean more than "failed".
_BY_NAME = {
    "SpecError": ("refused", 2),
    "PreconditionError": ("precondition", 3),
    "KeyboardInterrupt": ("cancelled", 130),
}
_VERSIONS = ("labvirt", "libvirt-python", "papermill", "nbclient", "ipykernel")


def run(
    book: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    folder: Path | None = None,
    timeout_s: float | None = 1800.0,
) -> RunRecord:
    """Execute a runbook and keep the executed notebook, also when it fails.

    Args:
        book: name of a runbook, or path of a notebook.
        parameters: values by name, as text or typed; checked before a kernel starts.
        folder: where the record goes; a new folder of its own under the user's data when None.
        timeout_s: limit for each cell in seconds.

    Returns:
        The record; its `exit_code` tells how the run ended.

    Raises:
        SpecError: the parameters do not fit; nothing was run.
        RunError: there is no such runbook; nothing was run.
    """
    found = find_book(book)
    values = settle(read_parameters(found.parameters_source), parameters or {})
    began = dt.datetime.now(dt.UTC)
    number = f"{began:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    place = folder if folder is not None else places.runs() / f"{number}-{found.name}"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    output = (place / f"{found.name}.ipynb").absolute()
    clock = time.monotonic()
    outcome, code, error = _execute(found, output, values, timeout_s)
    record = RunRecord(
        id=number,
        book=found.name,
        outcome=outcome,
        exit_code=code,
        notebook=output,
        html=output.with_suffix(".html"),
        parameters=values,
        seconds=round(time.monotonic() - clock, 3),
        error=error,
        versions=_versions(),
    )
    _keep(record, found)
    return record


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _execute(
    book: Book, output: Path, values: dict[str, Any], timeout_s: float | None
) -> tuple[str, int, str]:
    """Run the notebook; return outcome, exit code and the last line of the error."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    # Its own reading of parameters is coarser than ours, and its complaints would only confuse.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        with _private_sockets() as config:
            papermill.execute_notebook(
                str(book.path),
                str(output),
                parameters=values,
                progress_bar=False,
                execution_timeout=timeout_s,
                start_timeout=60,
                store_widget_state=False,
                config=config,
            )
    except papermill.PapermillExecutionError as error:
        outcome, code = _BY_NAME.get(error.ename, ("failed", 1))
        return outcome, code, f"{error.ename}: {error.evalue}".strip()
    except DeadKernelError:
        return "died", 138, "the kernel died; the record ends at the cell that killed it"
    except CellTimeoutError as error:
        return "failed", 1, str(error).splitlines()[0]
    except KeyboardInterrupt:
        return "cancelled", 130, "interrupted"
    return "ok", 0, ""


@contextlib.contextmanager
def _private_sockets() -> Iterator[Any]:
    """Let the kernel talk over sockets in a private folder, so that nobody else can listen.

    A socket's path may have 107 bytes at most, so the folder must be a short one.
    """
    from traitlets.config import Config

    with tempfile.TemporaryDirectory(prefix="lv-", dir="/tmp") as folder:
        config = Config()
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = f"{folder}/k"
        yield config


def _keep(record: RunRecord, book: Book) -> None:
    """Write the record beside the notebook: outcome in its metadata, HTML, and a summary."""
    import nbformat

    notebook = book.notebook
    if record.notebook.exists():
        notebook = nbformat.read(record.notebook, as_version=4)
    notebook.metadata["labvirt"] = json.loads(record.to_json())
    beside = record.notebook.with_suffix(".part")
    nbformat.write(notebook, beside)
    beside.replace(record.notebook)
    write_html(notebook, record.html, book.title)
    (record.notebook.parent / "run.json").write_text(record.to_json())
