"""Books for the tests of the runner, written cell by cell."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

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
    """Return the processes whose environment says that they belong to a run of this home."""

    def find(home):
        mark = f"LABVIRT_HOME={home}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if mark in environment and (b"ipykernel" in command or b"runbook.worker" in command):
                found.append(int(entry.name))
        return found

    return find
