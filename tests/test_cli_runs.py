"""``labvirt runs`` as a user meets it: real processes, their words and their exit codes."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labvirt.runbook.fate import process_started
from labvirt.runbook.ledger import Ledger
from labvirt.runbook.records import RunRecord, StepRecord

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def labvirt(home):
    def call(*argv, code=0, **env):
        done = subprocess.run(
            [LABVIRT, "runs", *map(str, argv)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, **env},
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        if code:
            assert done.stderr.startswith(("labvirt: ", "Usage")), done.stderr
        return done.stdout if not code else done.stderr

    return call


@pytest.fixture
def past(home):
    """Four runs of the past, oldest first, and the ledger that has them."""
    ledger = Ledger()
    for number in range(4):
        ledger.end(made(ledger, number))
    return list(reversed(ledger.runs()))


def made(ledger, number, **fields):
    began = NOW - dt.timedelta(days=10 * (4 - number))
    name = f"{began:%Y%m%d-%H%M%S}-{number:04x}"
    folder = ledger.folder / name
    folder.mkdir(parents=True)
    output = new_output("stream", name="stdout", text=f"made web{number}\n")
    cells = [new_markdown_cell("# Install"), new_code_cell("make()", outputs=[output])]
    nbformat.write(new_notebook(cells=cells), folder / "install.ipynb")
    failed = number == 2
    return RunRecord(
        **{
            "id": name,
            "book": "migrate" if number == 0 else "install",
            "title": "Install a machine",
            "outcome": "failed" if failed else "ok",
            "exit_code": int(failed),
            "error": "no disk [/]: \x1b[2Jaha" if failed else "",
            "notebook": folder / "install.ipynb",
            "html": folder / "install.html",
            "parameters": {"name": f"web{number}", "vcpus": number},
            "folder": folder,
            "began": began.isoformat(),
            "ended": (began + dt.timedelta(seconds=90)).isoformat(),
            "seconds": 90.0,
            "machine": platform.node(),
            "user": "alice",
            "host": f"lab:l/h{number % 2}",
            "versions": {"python": "3.11"},
            "steps": (
                StepRecord("define", "Define it", "ok", began.isoformat(), 1.5 + number),
                StepRecord("boot", "Boot it", "failed" if failed else "ok", began.isoformat(), 9.0),
            ),
            "artefacts": ("install.ipynb", "gone.txt"),
            **fields,
        }
    )


def ids(text):
    return [run["id"] for run in json.loads(text)]


def test_no_runs_yet(labvirt):
    assert json.loads(labvirt("list", "--json")) == []
    assert "Outcome" in labvirt("list")
    assert "no runs yet" in labvirt("show", code=2)


def test_list_and_its_filters(labvirt, past):
    text = labvirt("list")
    lines = [line for line in text.splitlines() if "install" in line or "migrate" in line]
    assert [line.split()[0] for line in lines] == [run.id for run in reversed(past)]
    assert "1 min 30 s" in text
    assert "1 of 2" in text
    wanted = [run.id for run in past]
    assert ids(labvirt("list", "--json")) == wanted[::-1]
    assert ids(labvirt("list", "--json", "--last", 2)) == [wanted[3], wanted[2]]
    assert ids(labvirt("list", "--json", "--book", "migrate")) == [wanted[0]]
    assert ids(labvirt("list", "--json", "--outcome", "failed")) == [wanted[2]]
    assert ids(labvirt("list", "--json", "--host", "lab:l/h1")) == [wanted[3], wanted[1]]
    assert ids(labvirt("list", "--json", "--since", "25d")) == [wanted[3], wanted[2]]
    date = f"{NOW - dt.timedelta(days=15):%Y-%m-%d}"
    assert ids(labvirt("list", "--json", "--since", date)) == [wanted[3]]
    assert ids(labvirt("list", "--json", "-p", "name=web1")) == [wanted[1]]
    assert ids(labvirt("list", "--json", "-p", "name=web1", "-p", "vcpus=3")) == []


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["list", "--outcome", "great"], "cancelled"),
        (["list", "--since", "yesterday"], "2026-03-01"),
        (["list", "--since", "99999999999d"], "neither a date"),
        (["list", "--last", "0"], "--last"),
        (["list", "-p", "novalue"], "NAME=VALUE"),
        (["show", "19990101"], "there is no run"),
        (["show", "20"], "4 runs fit"),
        (["diff", "nobody", "last"], "nobody"),
        (["resume", "nobody"], "nobody"),
        (["rerun", "nobody"], "nobody"),
        (["undo", "nobody"], "nobody"),
        (["report", "nobody"], "nobody"),
        (["prune"], "--older-than"),
        (["prune", "--keep", "-1"], "negative"),
        (["prune", "--older-than", "soon"], "soon"),
        (["prune", "--older-than", "99999999999999d"], "too long"),
    ],
)
def test_bad_input_is_one_clear_error(labvirt, past, argv, word):
    assert word in labvirt(*argv, code=2)


def test_show(labvirt, past):
    text = labvirt("show", past[2].id)
    for word in (
        past[2].id, "Install a machine", "failed (exit code 1)", "no disk [/]", "web2", "define",
        "3.5 s", "last good: define", "alice@", "gone.txt", "is gone", str(past[2].notebook),
    ):  # fmt: skip
        assert word in text
    assert "\x1b" not in text  # what a run printed does not move the reader's cursor
    assert "\\x1b[2J" in text
    assert past[3].id in labvirt("show")
    assert RunRecord.from_dict(json.loads(labvirt("show", past[2].id, "--json"))) == past[2]


def test_show_tells_the_truth_about_a_killed_run(labvirt, home):
    code = "import time; print('up', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as runner:
        runner.stdout.readline()
        ledger = Ledger()
        ledger.begin(
            made(
                ledger, 0, outcome="running", exit_code=-1, ended="", pid=runner.pid,
                pid_started=process_started(runner.pid), began=NOW.isoformat(),
                steps=(StepRecord("define", verdict="running"), StepRecord("boot")),
            )
        )  # fmt: skip
        assert "running" in labvirt("show")
        assert "still runs" in labvirt("report", code=2)
        assert labvirt("prune", "--keep", 0, "--yes") == "0 runs removed\n"
        runner.kill()
    text = labvirt("show")
    assert "died (exit code 138)" in text
    assert "killed in step define" in text
    assert ids(labvirt("list", "--outcome", "died", "--json"))


def test_diff(labvirt, past):
    text = labvirt("diff", past[1].id, past[2].id)
    for word in (
        "name: web1 -> web2",
        "outcome: ok -> failed",
        "-made web1",
        "+made web2",
        "x 1.40",
    ):
        assert word in text
    assert "\x1b" not in text
    plain = json.loads(labvirt("diff", past[1].id, "last", "--json"))
    assert (plain["a"], plain["b"], plain["is_same"]) == (past[1].id, past[3].id, False)


def test_report_is_written_again(labvirt, past):
    assert not past[1].html.exists()
    assert labvirt("report", past[1].id).strip() == str(past[1].html)
    assert "made web1" in past[1].html.read_text()
    told = json.loads(labvirt("report", past[1].id, "--json"))
    assert told["html"] == str(past[1].html)
    past[0].notebook.unlink()
    assert "is gone" in labvirt("report", past[0].id, code=1)
    past[2].notebook.write_text("{")
    assert "cannot be read" in labvirt("report", past[2].id, code=1)


def test_report_of_a_killed_run_has_the_outputs_that_were_never_saved(labvirt, home):
    ledger = Ledger()
    run = made(ledger, 0, outcome="died", exit_code=138, error="killed")
    ledger.end(run)
    at = NOW.isoformat()
    events = [
        {"at": at, "kind": "cell-begin", "cell": 1, "role": "glue", "step": None},
        {"at": at, "kind": "output", "cell": 1,
         "output": {"output_type": "stream", "name": "stdout", "text": "last words\n"}},
    ]  # fmt: skip
    lines = [json.dumps(event) for event in events] + ['{"at": "2026', ""]
    (run.folder / "events.jsonl").write_text("\n".join(lines))
    labvirt("report", run.id)
    assert "last words" in run.html.read_text()
    notebook = nbformat.read(run.notebook, as_version=4)
    assert notebook.metadata["labvirt"]["outcome"] == "died"
    assert notebook.cells[1].metadata["labvirt"]["verdict"] == "failed"


def test_prune_needs_a_yes_and_names_what_is_lost(labvirt, past):
    text = labvirt("prune", "--older-than", "25d", code=2)
    assert past[0].id in text
    assert past[1].id in text
    assert past[2].id not in text
    assert "Try: --yes" in text
    assert past[0].folder.exists()
    assert "2 runs removed" in labvirt("prune", "--older-than", "25d", "--yes")
    assert ids(labvirt("list", "--json")) == [past[3].id, past[2].id]
    assert not past[0].folder.exists()
    assert ids(labvirt("prune", "--keep", "1", "--yes", "--json")) == [past[2].id]


def test_a_damaged_ledger_is_told_and_the_command_still_answers(labvirt, past, home):
    for run in past:
        (run.folder / "run.json").write_text(run.to_json())
    (home / "runs.sqlite").write_bytes(b"no database" * 1000)
    done = subprocess.run(
        [LABVIRT, "runs", "list", "--json"], capture_output=True, text=True, check=True, timeout=60
    )
    assert len(json.loads(done.stdout)) == 4
    assert "was damaged" in done.stderr
    assert "Traceback" not in done.stderr


def book(path, *, broken="1 / 0\n"):
    def code(source, *tags):
        cell = new_code_cell(source)
        cell.metadata["tags"] = list(tags)
        return cell

    cells = [
        new_markdown_cell("# Two files"),
        code('folder: str = "/nowhere"\nword: str = "one"', "parameters"),
        code("import pathlib\nplace = pathlib.Path(folder)"),
        code("(place / 'first').write_text(word)\nprint('first', word)", "step:first"),
        code("assert (place / 'first').exists()", "step:first", "check"),
        code("(place / 'first').unlink()", "step:first", "undo", "skip-execution"),
        code(broken + "(place / 'second').touch()", "step:second"),
        code("(place / 'second').unlink()", "step:second", "undo", "skip-execution"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def test_a_run_fails_is_resumed_rerun_and_undone(labvirt, tmp_path):
    path = tmp_path / "files.ipynb"
    book(path)
    argv = [LABVIRT, "run", str(path), "-p", f"folder={tmp_path}", "--json", "--no-html"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    first = json.loads(done.stdout)["id"]
    text = labvirt("show")
    assert "ZeroDivisionError" in text
    assert "last good: first" in text

    book(path, broken="")
    plain = json.loads(labvirt("resume", first, "--json"))
    assert [step["verdict"] for step in plain["steps"]] == ["kept", "ok"]
    assert (plain["parent"], plain["relation"]) == (first, "resume")
    assert "resume of " + first in labvirt("show")
    assert labvirt("resume", plain["id"], code=2)  # it is done already

    again = json.loads(labvirt("rerun", plain["id"], "-p", "word=two", "--json"))
    assert again["outcome"] == "ok"
    assert (tmp_path / "first").read_text() == "two"
    text = labvirt("diff", plain["id"], again["id"])
    assert "word: (not given) -> two" in text
    labvirt("undo", again["id"])
    assert not (tmp_path / "first").exists()
    assert not (tmp_path / "second").exists()


@pytest.mark.slow(seconds=12)
def test_a_runner_that_is_killed_is_told_reported_and_resumed(labvirt, tmp_path):
    path = tmp_path / "files.ipynb"
    book(path, broken="print('last', 'words', flush=True)\nimport time; time.sleep(60)\n")
    argv = [LABVIRT, "run", str(path), "-p", f"folder={tmp_path}", "--progress", "json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as runner:
        for line in runner.stdout:
            event = json.loads(line)
            if event["kind"] == "step-begin" and event["step"]["id"] == "second":
                break
        (log,) = (Path(os.environ["LABVIRT_HOME"]) / "runs").glob("*/events.jsonl")
        limit = time.monotonic() + 30
        while "last words" not in log.read_text() and time.monotonic() < limit:
            time.sleep(0.05)
        assert "running" in labvirt("list")
        runner.kill()
    plain = json.loads(labvirt("show", "--json"))
    assert (plain["outcome"], plain["exit_code"]) == ("died", 138)
    assert [step["verdict"] for step in plain["steps"]] == ["ok", "failed"]
    assert "killed in step second" in plain["error"]
    assert plain["ended"]
    assert "last words" in Path(labvirt("report").strip()).read_text()
    book(path, broken="")
    again = json.loads(labvirt("resume", "--json"))
    assert [step["verdict"] for step in again["steps"]] == ["kept", "ok"]
    assert (tmp_path / "second").exists()
