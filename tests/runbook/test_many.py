"""Many runs: on this machine and on a Dask cluster, by one suite; and the matrix that asks for them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt import runbook
from labvirt.errors import RunError, SpecError
from labvirt.runbook.executors import DaskExecutor, LocalExecutor
from labvirt.runbook.ledger import Ledger

LABVIRT = str(Path(sys.executable).with_name("labvirt"))


@pytest.fixture(params=["local", pytest.param("dask", marks=pytest.mark.slow(seconds=8))])
def executor(request, home, monkeypatch):
    made = LocalExecutor() if request.param == "local" else DaskExecutor(jobs=2)
    yield made
    made.close()


def test_every_set_is_run_and_told_in_order(make, home, executor):
    path = make("import time; time.sleep(0.2)\nif x == 3: raise OSError('three')\nprint('x is', x)")
    sets = [{"x": number} for number in range(1, 5)]
    done = runbook.run_many(path, sets, jobs=2, html=False, executor=executor)
    assert [record.parameters["x"] for record in done.records] == [1, 2, 3, 4]
    assert done.outcomes == {"ok": 3, "failed": 1}
    assert done.exit_code == 1
    assert "OSError: three" in done.rows()[2][4]
    assert list(done.df["outcome"]) == ["ok", "ok", "failed", "ok"]
    assert len(Ledger().runs()) == 4
    assert "4 runs in" in str(done)


def test_no_more_than_asked_run_at_once_and_on_one_host(make, tmp_path, home, executor):
    path = make(
        f"import time, pathlib\nhere = pathlib.Path({str(tmp_path)!r})\n"
        "mark = here / f'on-{host}-{x}'; mark.touch()\n"
        "time.sleep(1)\n"
        "print('SEEN', len(list(here.glob('on-*'))), len(list(here.glob(f'on-{host}-*'))))\n"
        "mark.unlink()",
        parameters="x: int = 1\nhost: str = 'a'",
    )
    sets = [{"x": number, "host": "ab"[number % 2]} for number in range(4)]
    began = time.monotonic()
    done = runbook.run_many(path, sets, jobs=3, per_host=1, html=False, executor=executor)
    assert time.monotonic() - began < 60
    assert done.exit_code == 0, done.rows()
    for record in done.records:
        text = record.notebook.read_text()
        seen = text[text.index("SEEN ") + 5 :].split("\\n")[0].split()
        assert int(seen[0]) <= 2
        assert int(seen[1]) == 1


def test_after_a_failure_no_more_are_begun_if_asked(make, home, executor):
    path = make("if x == 1: raise OSError('one')")
    sets = [{"x": number} for number in range(1, 5)]
    done = runbook.run_many(path, sets, jobs=1, stop_on_failure=True, html=False, executor=executor)
    assert done.outcomes == {"failed": 1, "not begun": 3}
    assert done.exit_code == 1


def test_a_run_that_was_given_away_can_be_cancelled(make, tmp_path, home, executor, wait_until):
    path = make(
        f"import time, pathlib\npathlib.Path({str(tmp_path / 'on')!r}).touch(); time.sleep(60)"
    )
    going = executor.submit(runbook.ask(path, html=False))
    wait_until((tmp_path / "on").exists, "the cell")
    going.cancel()
    assert going.result().outcome == "cancelled"


def test_all_sets_are_checked_before_the_first_begins(make, home):
    with pytest.raises(SpecError, match=r"run 2: x[\s\S]*run 3: y") as caught:
        runbook.run_many(make("pass"), [{"x": 1}, {"x": "many"}, {"y": 1}])
    assert len(caught.value.problems) == 2
    assert not (home / "runs").exists()


@pytest.mark.parametrize("option", [{"jobs": 0}, {"jobs": "2"}, {"per_host": 0}, {"jobs": True}])
def test_numbers_of_runs_that_are_none(make, home, option):
    with pytest.raises(SpecError, match="no number of runs"):
        runbook.run_many(make("pass"), [{"x": 1}], **option)


def test_nobody_answers_as_scheduler(home):
    with pytest.raises(RunError, match="no Dask scheduler"):
        DaskExecutor("tcp://127.0.0.1:9", timeout_s=2)


def matrix_file(tmp_path, text):
    path = tmp_path / "matrix.yaml"
    path.write_text(text)
    return path


def test_a_matrix_is_every_combination_less_some_and_more(tmp_path):
    path = matrix_file(
        tmp_path,
        "parameters:\n  host: [a, b]\n  x: [1, 2]\nexclude:\n  - {host: b, x: 2}\n"
        "include:\n  - {host: c, x: 9}\n",
    )
    assert runbook.read_matrix(path) == [
        {"host": "a", "x": 1},
        {"host": "a", "x": 2},
        {"host": "b", "x": 1},
        {"host": "c", "x": 9},
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no set"),
        ("[]", "no set"),
        ("7", "no mapping"),
        ("[1]", "no mapping"),
        ("parameters: {x: 5}", "no list"),
        ("parameters: {x: []}", "no list"),
        ("paramters: {x: [1]}", "no part"),
        ("{a: [", "not YAML"),
        ("!!python/object:os.system {}", "not YAML"),
        ("parameters: {a: [1,2,3,4,5,6,7,8,9,10], b: [1,2,3,4,5,6,7,8,9,10]}\nexclude: 5", "no"),
    ],
)
def test_what_is_no_matrix_is_refused(tmp_path, text, word):
    with pytest.raises(SpecError, match=word):
        runbook.read_matrix(matrix_file(tmp_path, text))


def test_a_matrix_that_is_not_there(tmp_path):
    with pytest.raises(SpecError, match="cannot be read"):
        runbook.read_matrix(tmp_path / "none.yaml")


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.lists(st.integers(), min_size=1, max_size=4), min_size=1
    )
)
def test_the_number_of_sets_is_the_product(axes):
    expected = 1
    for values in axes.values():
        expected *= len(values)
    assert len(runbook.expand({"parameters": axes})) == expected


def test_a_matrix_from_the_shell(make, tmp_path, home):
    book = make("print(x)")
    matrix = matrix_file(tmp_path, "- {x: 1}\n- {x: 2}\n")
    done = subprocess.run(
        [LABVIRT, "run", str(book), "--matrix", str(matrix), "--no-html", "--jobs", "2"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 runs in" in done.stdout
    assert "2: " in done.stderr
    told = subprocess.run(
        [LABVIRT, "run", str(book), "--matrix", str(matrix), "--no-html", "--json"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert [record["parameters"]["x"] for record in json.loads(told.stdout)] == [1, 2]


def test_ctrl_c_cancels_all_and_begins_no_more(make, tmp_path, home, wait_until):
    book = make(
        f"import time, pathlib\npathlib.Path({str(tmp_path)!r}, f'on{{x}}').touch(); time.sleep(60)",
    )
    matrix = matrix_file(tmp_path, "parameters: {x: [1, 2, 3, 4]}")
    process = subprocess.Popen(
        [LABVIRT, "run", str(book), "--matrix", str(matrix), "--no-html"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    wait_until(lambda: len(list(tmp_path.glob("on*"))) == 2, "two runs")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "2 cancelled, 2 not begun" in out
    assert len(list(tmp_path.glob("on*"))) == 2
