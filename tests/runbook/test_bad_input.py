"""Books and surroundings that are bad: one clear error each, and the record is kept.

What has a test elsewhere is not tested again: defaults and parameters cells in test_parameters.py,
cells that never end in test_steps.py and test_run.py, disks in test_full_disk.py, the ledger in
test_ledger.py.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from labvirt import runbook
from labvirt.errors import RunError
from labvirt.runbook.events import read_events
from labvirt.runbook.ledger import Ledger
from labvirt.runbook.perform import Performance

LABVIRT = str(Path(sys.executable).with_name("labvirt"))


def refused(path, home):
    """Return what ``labvirt run`` says of a book that it refuses."""
    done = subprocess.run(
        [LABVIRT, "run", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("labvirt: ") == 1
    assert "Traceback" not in done.stderr
    assert not (home / "runs").exists(), "something was run"
    return done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as a notebook"),
        (b"{", "cannot be read as a notebook"),
        (b"[]", "cannot be read as a notebook"),
        (b"7", "cannot be read as a notebook"),
        (b'{"cells": 7, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "cannot be read"),
        (b'{"cells": [7], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "cannot be read"),
        (b'{"metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "cannot be read"),
        (b'{"cells": [{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "cannot be read"),
        (b'{"nbformat": 99, "nbformat_minor": 0, "cells": [], "metadata": {}}', "cannot be read"),
        (
            b'{"cells": [{"cell_type": "raw", "source": 7}], "nbformat": 4, "nbformat_minor": 4}',
            "cannot be read",
        ),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "cannot be read as a notebook"),
        (b"[" * 100_000, "cannot be read as a notebook"),
    ],
)
def test_a_corrupt_notebook(tmp_path, home, content, said):
    path = tmp_path / "book.ipynb"
    path.write_bytes(content)
    told = refused(path, home)
    assert said in told
    assert str(path) in told


def test_a_file_that_cannot_be_read(tmp_path, home, make):
    folder = tmp_path / "folder.ipynb"
    folder.mkdir()
    assert "Is a directory" in refused(folder, home)
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")
    assert "symbolic links" in refused(tmp_path / "loop.ipynb", home)
    if os.geteuid() != 0:
        path = make("print(1)")
        path.chmod(0)
        assert "Permission denied" in refused(path, home)


def test_two_parameters_cells_or_none(make, home):
    path = make(("y: int = 2", "parameters"))
    assert "has 2 cells tagged 'parameters'" in refused(path, home)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("tags", None)
    nbformat.write(notebook, path)
    assert "has 0 cells tagged 'parameters'" in refused(path, home)


@pytest.mark.parametrize(
    ("cell", "said"),
    [("x: int = (", "not Python"), ("x: int = 'many'", "contradicts"), ("x: Sise", "'Size'")],
)
def test_a_parameters_cell_that_cannot_be_right(make, home, cell, said):
    assert said in refused(make("print(1)", parameters=cell), home)


def test_a_cell_that_prints_100_mb(make, home):
    code = "import os\nfor _ in range(100): print('y' * 999_999)\nprint('the end')"
    record = runbook.run(make(code, "print('next')"))
    assert record.outcome == "ok", record.error
    (side,) = record.folder.glob("outputs/*.txt")
    assert side.stat().st_size == 100_000_000 + len("the end\n")
    kept = [path for path in record.folder.iterdir() if path.is_file() and path.suffix != ".jsonl"]
    assert sum(path.stat().st_size for path in kept) < 2 << 20
    assert "the end" in record.html.read_text()


def test_a_cell_that_forks_and_lets_both_go_on(make, home, texts, wait_until):
    """The copy returns into the kernel, with the same sockets: it must not speak for it."""
    note = "open(os.environ['LABVIRT_RUN_FOLDER'] + '/pids', 'a').write(f'{os.getpid()} ')"
    path = make(f"import os\nos.fork()\n{note}\nprint('after the fork')", "print('next', x)")
    going = runbook.start(runbook.ask(path, timeout_s=20))
    try:
        record = going.result(100)
    finally:
        going.close()
    pids = (record.folder / "pids").read_text().split()
    assert len(set(pids)) == 2
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), "both to end")
    assert record.outcome in ("ok", "failed", "died")
    assert record.outcome == "ok" or record.error
    assert Ledger().get(record.id).outcome == record.outcome


def test_a_ledger_that_is_locked(make, home, monkeypatch):
    """Before a run nothing is run; while it goes on the record is kept and the run says why."""
    patient = Ledger()
    assert patient.runs() == ()
    lock = sqlite3.connect(home / "runs.sqlite", isolation_level=None)
    monkeypatch.setattr("labvirt.runbook.perform.Ledger", lambda: Ledger(busy_s=0.2))

    def perform(path):
        asked = runbook.ask(path, html=False)

        def lock_at_two(event):
            if event["kind"] == "step-begin" and event["step"]["id"] == "two":
                lock.execute("BEGIN IMMEDIATE")

        performance = Performance(asked.request, listeners=(lock_at_two,))
        with pytest.raises(RunError, match=r"runs\.sqlite has been locked by another"):
            asyncio.run(performance.perform())
        return Path(asked.request.folder)

    path = make(("print('one')", "step:one"), ("print('two')", "step:two"))
    lock.execute("BEGIN IMMEDIATE")
    try:
        folder = perform(path)
    finally:
        lock.execute("ROLLBACK")
    assert not any(event["kind"] == "cell-begin" for event in read_events(folder / "events.jsonl"))
    try:
        folder = perform(path)
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    events = list(read_events(folder / "events.jsonl"))
    assert events[-1]["record"]["outcome"] == "failed"
    assert "one\n" in [event["output"]["text"] for event in events if event["kind"] == "output"]
    assert (folder / "book.ipynb").exists()


def test_a_ledger_that_is_damaged_while_a_run_goes_on(make, home, tmp_path, caplog):
    spoil = f"open({str(home / 'runs.sqlite')!r}, 'r+b').write(b'spoilt' * 2000)"
    record = runbook.run(make(("print(1)", "step:one"), (spoil, "step:two"), "3"), html=False)
    assert record.outcome == "ok", record.error
    assert Ledger().get(record.id).outcome == "ok"
    assert len(list(home.glob("runs.sqlite.damaged-*[0-9]"))) == 1
