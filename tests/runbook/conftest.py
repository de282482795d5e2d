"""Books for the tests of the runner, written cell by cell."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labvirt.runbook.events import read_events

_spec = importlib.util.spec_from_file_location(
    "labvirt_test_kills", Path(__file__).with_name("kills.py")
)
kills = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = kills
_spec.loader.exec_module(kills)


class BookMaker:
    """Writes a notebook: ``make("source", ("tag", ...)), ...``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "book.ipynb"

    def __call__(self, *cells, parameters="x: int = 1", name="book"):
        made = [new_markdown_cell("# A book"), self.cell(parameters, "parameters")]
        for cell in cells:
            if isinstance(cell, str) and cell.startswith("#"):
                made.append(new_markdown_cell(cell))
            elif isinstance(cell, str):
                made.append(self.cell(cell))
            else:
                made.append(self.cell(*cell))
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=made, metadata={"kernelspec": kernel})
        self.path = self.folder / f"{name}.ipynb"
        nbformat.write(notebook, self.path)
        return self.path

    @staticmethod
    def cell(source, *tags):
        return new_code_cell(source, metadata={"tags": list(tags)})

    def edit(self, number, old, new):
        """Change the source of the code cell with this number, counted from the parameters (0)."""
        notebook = nbformat.read(self.path, as_version=4)
        cell = [cell for cell in notebook.cells if cell.cell_type == "code"][number]
        assert old in cell.source
        cell.source = cell.source.replace(old, new)
        nbformat.write(notebook, self.path)


@pytest.fixture
def make(tmp_path):
    return BookMaker(tmp_path)


@pytest.fixture
def wait_until():
    def wait(claim, what, timeout_s=30.0):
        deadline = time.monotonic() + timeout_s
        while not (seen := claim()):
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
            time.sleep(0.02)
        return seen

    return wait


def texts(path):
    """Return everything that the cells of a notebook put out, as one text."""
    notebook = nbformat.read(path, as_version=4)
    return "".join(
        str(output.get("text", "")) + str(output.get("evalue", "")) + str(output.get("data", ""))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


@pytest.fixture(name="texts")
def texts_fixture():
    return texts


@pytest.fixture
def verdicts():
    def told(record):
        return {step.id: step.verdict for step in record.steps}

    return told


@pytest.fixture
def kernel_of():
    """Return the kernel of a runner by the number of its process, as a ``psutil.Process``."""
    return kills.kernel_of


@pytest.fixture
def kernels_of():
    """Return the processes of runs of this home and their kernels, those that wait for one too."""

    def find(home):
        told = {
            event.get("pid") or event.get("record", {}).get("pid")
            for log in Path(home).glob("runs/*/events.jsonl")
            for event in read_events(log)
            if event["kind"] in ("kernel", "run-begin")
        }
        return [pid for pid in processes() if pid in told or _is_of(pid, home)]

    return find


def processes():
    """Return the numbers of the processes that are those of runs or kernels."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            name = (entry / "comm").read_text().strip()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        forked = name in ("labvirt-run", "labvirt-kernel")
        if forked or b"ipykernel" in command or b"runbook.worker" in command:
            found.append(int(entry.name))
    return found


def _is_of(pid, home):
    """Return True when the program that this process comes from was started for a home."""
    with contextlib.suppress(OSError):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return f"LABVIRT_HOME={home}".encode() in environment
    return False
