"""The notebook that a student opens, and the solution of every exercise, run by our own runner."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

import labvirt as lv
from labvirt.lab.exercises import names, read
from labvirt.lab.exercises.solutions import write_notebook

pytestmark = pytest.mark.lab
BOOK = Path(__file__).parents[3] / "notebooks" / "exercises.ipynb"


def shown(notebook):
    """Return the texts that the cells of a notebook show, by cell."""
    return {
        cell.id: "\n".join(
            str(out.get("text", "")) + str(out.get("data", {}).get("text/plain", ""))
            for out in cell.get("outputs", [])
        )
        for cell in nbformat.read(notebook, as_version=4).cells
    }


def test_the_book_that_a_student_opens_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"learning-{os.getpid()}"
    values = {"lab_name": name, "backend": "session", "student": "ivanova", "stop_at_end": "true"}
    record = lv.run(str(BOOK), values, folder=tmp_path).require_ok()
    assert name not in {each.name for each in lv.Lab.list()}
    said = shown(record.notebook)
    assert "not yet; 0 of 4 points" in said["demo-before"]
    assert "passed; 4 of 4 points" in said["demo-after"]
    assert "not yet" in said["own-check"]
    assert "ещё нет" in said["own-russian"]
    assert "migrate(beta)" in said["teachers-notebook"]
    assert "object at 0x" not in record.html.read_text()


@pytest.mark.slow(seconds=14)
@pytest.mark.parametrize("name", names())
def test_the_solution_of_every_exercise_solves_it(name, tmp_path, request):
    """Unsolved it is not passed, and what is not passed is what the solution mends."""
    kind = "system" if read(name).backend == "system" else "session"
    lab = request.getfixturevalue(f"{kind}_lab")
    student = f"student of {name}"
    exercise = lab.exercise(name, student=student).start()
    before = exercise.check()
    assert not before.passed, f"{name} passes before anything is done"
    assert before.points < before.possible
    path = write_notebook(tmp_path / "solution.ipynb", name, solved=True, student=student)
    values = {"lab_name": lab.name, "backend": kind, "end_at_end": "false"}
    try:
        record = lv.run(str(path), values, folder=tmp_path)
        assert record.ok, shown(record.notebook)
        after = exercise.check()
        assert after.passed, str(after)
        assert after.points == after.possible
    finally:
        exercise.end()
    for host in lab:
        assert not set(exercise.spec.domains) & set(host.domains.names)
