"""Steps: recorded, proved, gone on with, mended and undone."""

from __future__ import annotations

import json

import nbformat
import pytest

from labvirt import runbook
from labvirt.errors import RunError, SpecError
from labvirt.runbook.events import read_events, rebuild
from labvirt.runbook.ledger import Ledger
from labvirt.runbook.outline import Outline


def journal_book(make, tmp_path, last="pass"):
    """Two steps that write a line each, with checks and undo; the last one may fail."""
    return make(
        f"from pathlib import Path\njournal = Path({str(tmp_path / 'journal')!r})\n"
        "def note(text):\n    with journal.open('a') as file: file.write(text + '\\n')\n"
        "note('glue')",
        "## Make one",
        (f"note('one'); Path({str(tmp_path / 'one')!r}).touch()", "step:one"),
        (f"one = Path({str(tmp_path / 'one')!r}); assert one.exists()", "step:one", "check"),
        ("one_ = journal.with_name('one'); one_.unlink(missing_ok=True); note('undo one')",
         "step:one", "undo", "skip-execution"),
        "## Make two",
        (f"note('two'); {last}", "step:two"),
        ("note('undo two')", "step:two", "undo", "skip-execution"),
        ("note('always')", "always"),
    )  # fmt: skip


def lines(tmp_path):
    return (tmp_path / "journal").read_text().split("\n")[:-1]


def test_steps_are_recorded_with_titles_verdicts_and_times(make, tmp_path, home, verdicts):
    record = runbook.run(journal_book(make, tmp_path), html=False)
    assert record.outcome == "ok"
    assert [(step.id, step.title) for step in record.steps] == [
        ("one", "Make one"),
        ("two", "Make two"),
    ]
    assert verdicts(record) == {"one": "ok", "two": "ok"}
    assert all(0 < step.seconds < 30 and step.began for step in record.steps)
    assert lines(tmp_path) == ["glue", "one", "two", "always"]
    assert Ledger().get(record.id) == record
    told = json.loads((record.folder / "run.json").read_text())
    assert runbook.RunRecord.from_dict(told) == record
    notebook = nbformat.read(record.notebook, as_version=4)
    roles = [cell.metadata.labvirt.role for cell in notebook.cells if cell.cell_type == "code"]
    assert roles == ["parameters", "glue", "step", "check", "undo", "step", "undo", "always"]


def test_a_run_goes_on_after_its_last_good_step(make, tmp_path, home, verdicts):
    path = journal_book(make, tmp_path, last="1 / 0")
    first = runbook.run(path, html=False)
    assert (first.outcome, first.last_good_step) == ("failed", "one")
    assert verdicts(first) == {"one": "ok", "two": "failed"}
    assert lines(tmp_path) == ["glue", "one", "two", "always"]

    make.edit(5, "1 / 0", "print('one is', one)")
    second = runbook.resume(first.id)
    assert (second.outcome, second.parent, second.relation) == ("ok", first.id, "resume")
    assert verdicts(second) == {"one": "kept", "two": "ok"}
    assert lines(tmp_path)[4:] == ["glue", "two", "always"]


def test_a_step_that_does_not_hold_any_more_is_done_again(make, tmp_path, home, verdicts):
    first = runbook.run(journal_book(make, tmp_path, last="1 / 0"), html=False)
    (tmp_path / "one").unlink()
    make.edit(5, "1 / 0", "pass")
    second = runbook.resume(first.id)
    assert second.outcome == "ok"
    assert verdicts(second) == {"one": "ok", "two": "ok"}
    assert lines(tmp_path)[4:] == ["glue", "one", "two", "always"]


@pytest.mark.parametrize(
    ("number", "old", "new", "word"),
    [
        (2, "note('one')", "note('uno')", "step one"),
        (0, "x: int = 1", "x: int = 2", "parameters cell"),
    ],
)
def test_going_on_is_refused_when_what_was_done_was_edited(
    make, tmp_path, home, number, old, new, word
):
    first = runbook.run(journal_book(make, tmp_path, last="1 / 0"), html=False)
    before = lines(tmp_path)
    make.edit(number, old, new)
    with pytest.raises(RunError, match=word) as caught:
        runbook.resume(first.id)
    assert caught.value.exit_code == 2
    assert lines(tmp_path) == before


def test_a_run_that_ended_well_is_not_gone_on_with(make, tmp_path, home):
    record = runbook.run(journal_book(make, tmp_path), html=False)
    with pytest.raises(RunError, match="ended well"):
        runbook.resume(record.id)
    again = runbook.rerun(record.id)
    assert (again.outcome, again.relation, again.parent) == ("ok", "rerun", record.id)


def test_what_a_run_did_is_undone_on_demand_last_first(make, tmp_path, home, verdicts):
    record = runbook.run(journal_book(make, tmp_path), html=False)
    undone = runbook.undo(record.id)
    assert undone.outcome == "ok"
    assert verdicts(undone) == {"one": "undone", "two": "undone"}
    assert lines(tmp_path)[4:] == ["glue", "undo two", "undo one", "always"]
    assert not (tmp_path / "one").exists()


def test_a_check_that_fails_is_mended_once(make, tmp_path, home):
    flag = tmp_path / "flag"
    path = make(
        f"from pathlib import Path\nflag = Path({str(flag)!r})",
        ("pass", "step:a"),
        ("assert flag.exists(), 'no flag'", "step:a", "check"),
        ("flag.touch()", "step:a", "remediate", "skip-execution"),
    )
    record = runbook.run(path, html=False)
    assert record.outcome == "ok"
    kinds = [event.get("text", "") for event in read_events(record.folder / "events.jsonl")]
    assert any("mending" in text for text in kinds)


def test_a_check_that_fails_fails_its_step(make, home, verdicts):
    record = runbook.run(make(("pass", "step:a"), ("assert 1 == 2", "step:a", "check")), html=False)
    assert record.outcome == "failed"
    assert verdicts(record) == {"a": "failed"}
    assert "AssertionError" in record.steps[0].error


def test_steps_may_be_declared_by_code(make, home, verdicts):
    path = make(
        "from labvirt.runbook import step",
        "with step('define', 'Define it') as made:\n    print('done before:', made.done)",
        "with step('start'):\n    raise OSError('no')",
    )
    record = runbook.run(path, html=False)
    assert verdicts(record) == {"define": "ok", "start": "failed"}
    assert record.steps[0].title == "Define it"
    assert "OSError: no" in record.steps[1].error


def test_a_cell_has_the_limit_of_its_tag(make, home):
    path = make(("import time; time.sleep(60)", "step:slow", "timeout:1"), ("print(5)", "always"))
    record = runbook.run(path, html=False)
    assert record.outcome == "failed"
    assert "cell 3 of step slow did not end within 1 s" in record.error
    assert record.seconds < 30


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        (["step:A b"], "one step per cell"),
        (["step:a", "step:b"], "one step per cell"),
        (["step:a", "undo"], "skip-execution"),
        (["undo", "skip-execution"], "not of which step"),
        (["step:a", "check", "undo", "skip-execution"], "one of them"),
        (["step:nowhere", "undo", "skip-execution"], "has no cell"),
        (["timeout:soon"], "no limit"),
    ],
)
def test_tags_that_cannot_be_right_are_refused(make, home, tags, word):
    path = make(("pass", "step:a"), ("pass", *tags))
    with pytest.raises(SpecError, match=word):
        runbook.run(path)
    assert not list((home / "runs").glob("*")) if (home / "runs").exists() else True


def test_the_cells_of_a_step_belong_together(make):
    path = make(("pass", "step:a"), ("pass", "step:b"), ("pass", "step:a"))
    with pytest.raises(SpecError, match="belong together"):
        Outline(nbformat.read(path, as_version=4))


def test_the_notebook_is_rebuilt_from_the_events(make, home):
    path = make(
        "print('a'); print('b')",
        "from IPython.display import display, HTML\nh = display(HTML('<b>1</b>'), display_id=True)",
        "h.update(HTML('<b>2</b>')); 3 + 4",
        "import sys; print('oops', file=sys.stderr); 1 / 0",
    )
    record = runbook.run(path, {"x": 5}, html=False)
    executed = nbformat.read(record.notebook, as_version=4)
    blank = nbformat.read(record.notebook, as_version=4)
    for cell in blank.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    made = rebuild(blank, read_events(record.folder / "events.jsonl"))
    for one, other in zip(made.cells, executed.cells, strict=True):
        assert one.get("outputs") == other.get("outputs")
        assert one.get("execution_count") == other.get("execution_count")


def test_two_runs_do_not_write_one_record(make, tmp_path, home):
    path = make("import time; time.sleep(3)")
    going = runbook.start(runbook.ask(path, folder=tmp_path / "out", html=False))
    try:
        while not going.events:
            assert not going.is_over
        with pytest.raises(RunError, match="another run writes"):
            runbook.run(path, folder=tmp_path / "out")
        assert going.result(60).outcome == "ok"
    finally:
        going.close()
    with pytest.raises(RunError, match="record of a run already"):
        runbook.run(path, folder=tmp_path / "out")


def test_a_flood_of_text_stays_out_of_the_notebook(make, home):
    path = make("for _ in range(1000): print('y' * 19_999)\nprint('the end')")
    record = runbook.run(path, html=False)
    assert record.outcome == "ok"
    assert record.notebook.stat().st_size < 1 << 20
    side = next(record.folder.glob("outputs/*.txt"))
    assert side.stat().st_size == 1000 * 20_000 + len("the end\n")
    assert side.read_text().endswith("the end\n")


def test_a_cell_that_forks_does_not_hold_the_run(make, home):
    code = (
        "import os, time\nif os.fork() == 0:\n    time.sleep(2)\n    os._exit(0)\nprint('parent')"
    )
    record = runbook.run(make(code, "print('next')"), html=False)
    assert record.outcome == "ok"


def test_the_kernel_gets_folder_and_identity(make, tmp_path, home, monkeypatch, texts):
    monkeypatch.chdir(tmp_path)
    record = runbook.run(make("import os; print(os.getcwd(), os.environ['LABVIRT_RUN_ID'])"))
    assert f"{tmp_path} {record.id}" in texts(record.notebook)


def test_no_kernel_of_that_name(make, home):
    path = make("print(1)")
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec = {"name": "cobol", "display_name": "C", "language": "cobol"}
    nbformat.write(notebook, path)
    record = runbook.run(path, html=False)
    assert record.outcome == "failed"
    assert "there is no kernel 'cobol'" in record.error


def test_a_step_may_only_look_and_mend(make, tmp_path, home, verdicts):
    path = make(
        f"from pathlib import Path\nflag, well = (Path({str(tmp_path)!r}) / n for n in 'fw')",
        "## Is it there?",
        ("assert flag.exists()", "step:look", "check"),
        ("flag.touch()", "step:look", "remediate", "skip-execution"),
        "## Is all well?",
        ("assert well.exists()", "step:well", "check"),
    )
    first = runbook.run(path, html=False)
    assert verdicts(first) == {"look": "ok", "well": "failed"}
    assert [step.title for step in first.steps] == ["Is it there?", "Is all well?"]
    (tmp_path / "w").touch()
    second = runbook.resume(first.id)
    assert (second.outcome, verdicts(second)) == ("ok", {"look": "kept", "well": "ok"})
