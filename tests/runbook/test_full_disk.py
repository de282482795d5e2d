"""Ledger and records on a small file system that is really full: before, while and after a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labvirt import runbook
from labvirt.errors import RunError
from labvirt.runbook.events import read_events
from labvirt.runbook.ledger import Ledger

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="root is missing: a small file system is mounted"
)

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
#: Takes all the room there is, then goes on talking.
FILL = """\
import os
print('before it is full')
with open(os.environ['LABVIRT_HOME'] + '/filler', 'wb', buffering=0) as file:
    try:
        while True:
            file.write(bytes(512))
    except OSError:
        pass
for number in range(200):
    print('z' * 500, number, flush=True)
"""


@pytest.fixture
def small(tmp_path, monkeypatch, wait_until):
    """A file system of 1 MiB as LABVIRT_HOME."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        monkeypatch.setenv("LABVIRT_HOME", str(folder))
        yield folder
    finally:
        # A run is told as over before its kernel is gone.
        free = ["umount", str(folder)]
        wait_until(lambda: not subprocess.run(free, check=False).returncode, "nobody to use it")


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass


def labvirt(*argv, code=0):
    done = subprocess.run([LABVIRT, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def book(make, tmp_path):
    note = f"open({str(tmp_path / 'cleaned')!r}, 'a').write('x')"
    return make(
        ("print('one')", "step:one"),
        (FILL, "step:two"),
        ("print('three')", "step:three"),
        (note, "always"),
    )


@pytest.mark.parametrize("how", ["command", "program"])
def test_a_disk_that_becomes_full_is_one_error_and_all_before_it_is_kept(
    make, tmp_path, small, verdicts, how
):
    path = book(make, tmp_path)
    if how == "command":
        out, err = labvirt("run", str(path), code=1)
        assert out.count("No space left") == 1
        assert err.count("No space left") == 1, "in the line of the step"
        assert "labvirt runs resume" in out
    else:
        assert runbook.run(path).exit_code == 1
    # The truth while the disk is full, and not that somebody was killed.
    fill(small)
    shown = json.loads(labvirt("runs", "show", "--json")[0])
    assert (shown["outcome"], shown["exit_code"]) == ("failed", 1)
    assert "events.jsonl: No space left on device" in shown["error"]
    assert [step["verdict"] for step in shown["steps"]] == ["ok", "failed", "skipped"]
    assert (tmp_path / "cleaned").exists(), "cells that always run were forgotten"

    (small / "filler").unlink()
    record = Ledger().get("last")
    assert (record.outcome, verdicts(record)["two"]) == ("failed", "failed")
    events = list(read_events(record.folder / "events.jsonl"))
    said = "".join(str(event.get("output", {}).get("text", "")) for event in events)
    assert "one\nbefore it is full\n" in said
    assert events[-1]["kind"] == "run-end"
    assert "before it is full" in record.notebook.read_text()
    assert json.loads((record.folder / "run.json").read_text())["outcome"] == "failed"
    assert sorted(p.name for p in record.folder.iterdir()) == [
        "book.html", "book.ipynb", "events.jsonl", "request.json", "run.json",
    ]  # fmt: skip
    # With room again it goes on.
    make.edit(2, "file.write", "break; file.write")
    assert [s.verdict for s in runbook.resume(record.id).steps] == ["kept", "ok", "ok"]


def test_a_disk_that_is_full_already_begins_nothing(make, tmp_path, small):
    path = make("print(1)")
    labvirt("runs", "list")
    fill(small)
    _, err = labvirt("run", str(path), code=1)
    assert "the record cannot be begun" in err
    assert err.count("No space left") == 1
    with pytest.raises(RunError, match="No space left"):
        runbook.run(path, folder=small / "mine")
    assert not (small / "mine").exists()
    assert list((small / "runs").iterdir()) == []
    (small / "filler").unlink()
    assert runbook.run(path, folder=small / "mine", html=False).outcome == "ok"


def test_a_ledger_on_a_full_disk_is_read_and_pruned(make, tmp_path, small):
    record = runbook.run(make("print('z' * 100_000)"))
    fill(small)
    assert [run.id for run in Ledger().runs()] == [record.id]
    assert record.id in labvirt("runs", "list")[0]
    with pytest.raises(RunError, match="no space left"):
        Ledger().update(record)
    assert record.id in labvirt("runs", "prune", "--keep", "0", "--yes")[0]
    assert not record.folder.exists()
    assert Ledger().runs() == ()


def test_a_ledger_that_cannot_be_made_is_one_clear_error(small):
    fill(small)
    _, err = labvirt("runs", "list", code=1)
    assert "no space left" in err
    assert str(small / "runs.sqlite") in err
