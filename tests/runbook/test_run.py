"""Running runbooks: refused before a kernel starts, recorded whatever happens."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import labvirt as lv
from labvirt.errors import RunError, SpecError
from labvirt.runbook import find_book


def book(folder, *cells, parameters="x: int = 1  # a number", name="book"):
    """Write a notebook with a parameters cell and more cells."""
    first = new_code_cell(parameters)
    first.metadata["tags"] = ["parameters"]
    notebook = new_notebook(
        cells=[new_markdown_cell("# A book"), first, *(new_code_cell(cell) for cell in cells)],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def outputs(path):
    notebook = nbformat.read(path, as_version=4)
    return "".join(
        str(output.get("text", output.get("evalue", "")))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )


def test_a_run_leaves_the_executed_notebook_html_and_a_summary(tmp_path, home):
    record = lv.run(book(tmp_path, "print('x is', x + 1)"), {"x": "41"})
    assert (record.outcome, record.exit_code) == ("ok", 0)
    assert "x is 42" in outputs(record.notebook)
    html = record.html.read_text()
    assert "x is 42" in html
    assert not re.search(r"""(?:src|href)=["']https?://""", html)
    told = json.loads((record.notebook.parent / "run.json").read_text())
    assert told["parameters"] == {"x": 41}
    assert told["versions"]["papermill"]
    assert nbformat.read(record.notebook, as_version=4).metadata["labvirt"]["outcome"] == "ok"
    assert record.notebook.is_relative_to(home)
    assert record.require_ok() is record


def test_a_failure_is_recorded_too(tmp_path, home):
    record = lv.run(book(tmp_path, "print('before')", "1 / 0", "print('after')"))
    assert (record.outcome, record.exit_code) == ("failed", 1)
    assert "ZeroDivisionError" in record.error
    assert "before" in outputs(record.notebook)
    assert "after" not in outputs(record.notebook)
    assert "ZeroDivisionError" in record.html.read_text()
    with pytest.raises(RunError, match="ZeroDivisionError") as caught:
        record.require_ok()
    assert caught.value.record == record.notebook


def test_a_precondition_has_its_own_exit_code(tmp_path, home):
    cell = "from labvirt.errors import PreconditionError\nraise PreconditionError('no disk')"
    record = lv.run(book(tmp_path, cell))
    assert (record.outcome, record.exit_code) == ("precondition", 3)
    assert "no disk" in record.error


def test_a_kernel_that_dies_is_told_and_recorded(tmp_path, home):
    record = lv.run(book(tmp_path, "print('last words', flush=True)", "import os; os._exit(1)"))
    assert (record.outcome, record.exit_code) == ("died", 138)
    assert record.notebook.exists()
    assert record.html.exists()


def test_a_cell_that_takes_too_long_fails(tmp_path, home):
    record = lv.run(book(tmp_path, "import time; time.sleep(60)"), timeout_s=2)
    assert record.exit_code == 1
    assert record.notebook.exists()


@pytest.mark.parametrize("given", [{"y": 1}, {"x": "many"}])
def test_bad_parameters_are_refused_before_anything_runs(tmp_path, home, given):
    with pytest.raises(SpecError):
        lv.run(book(tmp_path, "print(1)"), given)
    assert not (home / "runs").exists()


def test_books_are_found_by_name_and_by_path_and_near_misses_are_suggested(tmp_path):
    assert find_book("install").title == "Install a virtual machine"
    with pytest.raises(RunError, match="did you mean 'install'"):
        find_book("instal")
    with pytest.raises(RunError, match="nosuch"):
        find_book(tmp_path / "nosuch.ipynb")
    broken = tmp_path / "broken.ipynb"
    broken.write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        find_book(broken)


def test_a_book_needs_exactly_one_parameters_cell(tmp_path, home):
    path = book(tmp_path)
    notebook = nbformat.read(path, as_version=4)
    del notebook.cells[1].metadata["tags"]
    nbformat.write(notebook, path)
    with pytest.raises(RunError, match="0 cells tagged"):
        lv.run(path)


def test_the_working_folder_is_left_alone(tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lv.run(book(tmp_path, "print(1)"))
    assert Path.cwd() == tmp_path


@pytest.mark.slow(seconds=16)
@pytest.mark.lab
def test_plain_papermill_executes_the_install_runbook(tmp_path):
    """No labvirt runner needed: the book is an ordinary notebook."""
    with lv.Lab.start(
        f"pm-{id(tmp_path) % 9999}", hosts=1, backend="session", ephemeral=True
    ) as lab:
        output = tmp_path / "out.ipynb"
        subprocess.run(
            [
                sys.executable, "-m", "papermill", str(find_book("install").path), str(output),
                "-p", "host", f"lab:{lab.name}/alpha", "-p", "name", "pm1",
            ],
            check=True,
            capture_output=True,
            timeout=170,
        )  # fmt: skip
        assert "pm1" in outputs(output)
        assert lab["alpha"].domains["pm1"].is_active
