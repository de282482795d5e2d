"""The ledger: many writers, killed writers, damaged files, and what pruning may remove."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from labvirt.errors import ConfirmationError, RunError
from labvirt.runbook import database
from labvirt.runbook.fate import process_started, read_record, truth
from labvirt.runbook.ledger import Ledger
from labvirt.runbook.records import RunRecord, StepRecord

BEGAN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def made(runs, number=0, *, write=True, **fields):
    """Return the record of a run that is over, with its folder as a run leaves it."""
    began = BEGAN + dt.timedelta(minutes=number)
    name = f"{began:%Y%m%d-%H%M%S}-{number:04x}"
    folder = fields.pop("folder", runs / name)
    given = {
        "id": name,
        "book": "install",
        "outcome": "ok",
        "exit_code": 0,
        "notebook": folder / "install.ipynb",
        "html": folder / "install.html",
        "parameters": {"name": f"web{number}", "vcpus": 2, "fast": True},
        "folder": folder,
        "began": began.isoformat(),
        "ended": (began + dt.timedelta(seconds=30)).isoformat(),
        "seconds": 30.0,
        "machine": platform.node(),
        "host": "qemu:///session",
        "steps": (
            StepRecord("define", verdict="ok", began=began.isoformat(), seconds=1.5),
            StepRecord("boot", verdict="ok", began=began.isoformat(), seconds=20.0),
        ),
    }
    record = RunRecord(**(given | fields))
    if write:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.json").write_text(record.to_json())
    return record


@pytest.fixture
def ledger(home):
    return Ledger()


@pytest.fixture
def child():
    """Start real processes that have the names of this module at hand; none outlives the test."""
    head = (
        "import sys, os, time, signal, platform, datetime as dt\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_ledger import *\n"
    )
    with contextlib.ExitStack() as started:

        def start(code, *argv, home=None, **kwargs):
            env = {**os.environ} | ({"LABVIRT_HOME": str(home)} if home else {})
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", head + code, *map(str, argv)],
                env=env,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **kwargs,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


def test_a_run_is_begun_updated_ended_and_found_again(ledger, home):
    run = made(
        ledger.folder, outcome="running", exit_code=-1, ended="", pid=os.getpid(),
        began=dt.datetime.now(dt.UTC).isoformat(), pid_started=process_started(os.getpid()),
    )  # fmt: skip
    ledger.begin(run)
    assert ledger.get(run.id) == run
    later = replace(run, steps=(replace(run.steps[0], seconds=7.0), run.steps[1]))
    ledger.update(later)
    assert ledger.runs() == (later,)
    over = replace(later, outcome="failed", exit_code=1, error="no disk: 'ä\n\0\udc80'")
    ledger.end(over)
    assert Ledger().get("last") == over
    assert stat.S_IMODE((home / "runs.sqlite").stat().st_mode) == 0o600


def test_two_runs_cannot_have_one_id(ledger, tmp_path):
    run = made(ledger.folder)
    ledger.begin(run)  # known already: the new ledger was filled from the folders
    with pytest.raises(RunError, match=run.id):
        ledger.begin(made(ledger.folder, folder=tmp_path / "other"))
    with pytest.raises(RunError, match=run.id):
        ledger.begin(replace(run, began=run.ended))
    assert ledger.runs() == (run,)


def test_runs_are_newest_first_and_can_be_searched(ledger):
    for number in range(6):
        ledger.end(
            made(
                ledger.folder,
                number,
                book="install" if number % 2 else "migrate",
                outcome="failed" if number == 3 else "ok",
                host=f"h{number // 3}",
            )
        )

    def found(**fitting):
        return [int(run.id[-4:], 16) for run in ledger.runs(**fitting)]

    assert found() == [5, 4, 3, 2, 1, 0]
    assert found(book="install") == [5, 3, 1]
    assert found(outcome="failed") == [3]
    assert found(host="h1", limit=2) == [5, 4]
    assert found(since=BEGAN + dt.timedelta(minutes=4)) == [5, 4]
    # The same moment in another zone, and one without any.
    zone = dt.timezone(dt.timedelta(hours=5))
    assert found(since=(BEGAN + dt.timedelta(minutes=4)).astimezone(zone)) == [5, 4]
    assert found(since=(BEGAN + dt.timedelta(minutes=5)).replace(tzinfo=None)) == [5]
    assert found(book="nobody") == []


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({"name": "web1"}, True),
        ({"name": "web"}, False),
        ({"vcpus": 2}, True),
        ({"vcpus": "2"}, True),
        ({"vcpus": 3}, False),
        ({"fast": True}, True),
        ({"fast": "true"}, True),
        ({"fast": 1}, False),
        ({"none": None}, True),
        ({"tags": ["a", "ü"]}, True),
        ({"tags": ["a"]}, False),
        ({"name": "web1", "vcpus": 3}, False),
        ({"not there": "x"}, False),
        ({'it\'s "odd"': "y"}, True),
        ({"rate": "NaN"}, True),
    ],
)
def test_runs_are_found_by_their_parameters(ledger, given, fits):
    parameters = {
        "name": "web1", "vcpus": 2, "fast": True, "none": None, "tags": ["a", "ü"],
        "it's \"odd\"": "y", "rate": float("nan"),
    }  # fmt: skip
    ledger.end(made(ledger.folder, parameters=parameters))
    ledger.end(made(ledger.folder, 1, parameters={"name": "other"}))
    assert len(ledger.runs(parameters=given)) == fits


def test_a_run_is_found_by_a_part_that_only_it_has(ledger):
    first, second = made(ledger.folder, 1), made(ledger.folder, 2)
    ledger.end(first)
    ledger.end(second)
    assert ledger.get(first.id[:15]) == first
    assert ledger.get("0002") == second
    assert ledger.get("last") == second
    with pytest.raises(RunError, match=f"2 runs fit '2026': {second.id}, {first.id}") as caught:
        ledger.get("2026")
    assert caught.value.exit_code == 2
    with pytest.raises(RunError, match=first.id) as caught:
        ledger.get(first.id[:-1] + "7")
    assert caught.value.exit_code == 2
    for nothing in ("", "%", "_", "*", "'; DROP TABLE runs; --"):
        with pytest.raises(RunError, match="there is no run"):
            ledger.get(nothing)


def test_an_empty_ledger_says_so(ledger):
    assert ledger.runs() == ()
    with pytest.raises(RunError, match="no runs yet"):
        ledger.get("last")
    with pytest.raises(RunError, match="no runs yet"):
        ledger.get("2026")


def test_frames_have_the_documented_columns(ledger):
    assert list(ledger.df().columns) == list(ledger.df().columns)
    for frame in (ledger.df(), ledger.steps_df()):
        assert len(frame) == 0
        assert str(frame["began"].dtype) == "datetime64[us, UTC]"
    ledger.end(made(ledger.folder, 1))
    ledger.end(made(ledger.folder, 2, ended="", outcome="failed", exit_code=1))
    frame = ledger.df()
    assert list(frame["exit_code"]) == [1, 0]
    assert frame["ended"].isna().tolist() == [True, False]
    assert str(frame["ended"].dtype) == "datetime64[us, UTC]"
    assert frame["steps_done"].tolist() == [2, 2]
    assert frame["parameters"][1]["name"] == "web1"
    steps = ledger.steps_df(outcome="ok")
    assert steps["id"].tolist() == ["define", "boot"]
    assert steps["seconds"].sum() == 21.5


WRITER = """
ledger = Ledger()
me = int(sys.argv[1])
for i in range(20):
    run = made(ledger.folder, me * 100 + i, outcome="running", pid=os.getpid(), write=False,
               pid_started=process_started(os.getpid()))
    ledger.begin(run)
    ledger.update(run)
    ledger.end(replace(run, outcome="ok"))
"""


def test_many_processes_write_at_once_from_the_very_first(child, ledger, home):
    """They also race for making the file."""
    assert not ledger.path.exists()
    writers = [child(WRITER, me, home=home) for me in range(6)]
    for writer in writers:
        _, err = writer.communicate(timeout=120)
        assert writer.returncode == 0, err
    runs = ledger.runs()
    assert len(runs) == 120
    assert {run.outcome for run in runs} == {"ok"}
    assert [path.name for path in home.iterdir() if "damaged" in path.name] == []


STEADY = """
ledger = Ledger()
run = made(ledger.folder, outcome="running", pid=os.getpid(), ended="",
           pid_started=process_started(os.getpid()))
ledger.begin(run)
print("begun", flush=True)
i = 0
while True:
    i += 1
    ledger.update(replace(run, seconds=float(i), error="x" * (i % 5000)))
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_ledger(child, ledger, home):
    for pause in (0.0, 0.003, 0.011, 0.05):
        ledger.path.unlink(missing_ok=True)
        writer = child(STEADY, home=home)
        assert writer.stdout.readline() == "begun\n"
        time.sleep(pause)
        writer.kill()
        writer.communicate()
        (run,) = ledger.runs()
        assert run.outcome == "died"
        ledger.end(replace(run, seconds=-1.0))  # nothing is locked
        with contextlib.closing(sqlite3.connect(ledger.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


RUNNER = """
ledger = Ledger()
run = made(ledger.folder, outcome="running", exit_code=-1, ended="", pid=os.getpid(),
           began=dt.datetime.now(dt.UTC).isoformat(), pid_started=process_started(os.getpid()),
           steps=(StepRecord("define", verdict="running"), StepRecord("boot")))
ledger.begin(run)
{more}
print("ready", flush=True)
time.sleep(60)
"""


def killed(child, home, more=""):
    runner = child(RUNNER.format(more=more), home=home)
    assert runner.stdout.readline() == "ready\n", runner.stderr.read()
    (alive,) = Ledger().runs()
    assert alive.outcome == "running"
    os.kill(runner.pid, signal.SIGKILL)
    # A zombie is told as dead too: nobody has fetched its exit code yet.
    limit = time.monotonic() + 10
    while process_started(runner.pid) and time.monotonic() < limit:
        time.sleep(0.01)
    record = Ledger().get("last")
    runner.communicate()
    return record


def test_a_killed_run_is_told_as_died_in_the_step_where_it_was(child, home):
    run = killed(child, home)
    assert (run.outcome, run.exit_code) == ("died", 138)
    assert "killed in step define" in run.error
    assert [step.verdict for step in run.steps] == ["failed", "pending"]
    assert run.ended
    assert 0 <= run.seconds < 60
    # It was written down, so that it is found by its outcome.
    assert Ledger().runs(outcome="died") == (run,)
    assert Ledger().runs(outcome="running") == ()


def test_the_folder_knows_more_than_the_ledger(child, home):
    """The runner wrote run.json and was killed before it came to the ledger."""
    more = (
        "run = replace(run, steps=(StepRecord('define', verdict='ok', seconds=2.0), "
        "StepRecord('boot', verdict='running')))\n"
        "(run.folder / 'run.json').write_text(run.to_json())"
    )
    run = killed(child, home, more)
    assert [step.verdict for step in run.steps] == ["ok", "failed"]
    assert run.last_good_step == "define"
    assert "killed in step boot" in run.error


def test_a_run_that_ended_in_its_folder_is_told_as_ended(child, home):
    more = (
        "run = replace(run, outcome='failed', exit_code=1, error='no disk')\n"
        "(run.folder / 'run.json').write_text(run.to_json())"
    )
    run = killed(child, home, more)
    assert (run.outcome, run.error) == ("failed", "no disk")


TELL = """
import json
from dataclasses import asdict
def tell(kind, **more):
    at = dt.datetime.now(dt.UTC).isoformat()
    line = json.dumps({"at": at, "kind": kind, **more}, separators=(",", ":"))
    with (run.folder / "events.jsonl").open("a") as file:
        file.write(line + "\\n")
"""


def test_the_events_know_more_than_ledger_and_folder(child, home):
    more = TELL + (
        "tell('step-end', step=asdict(StepRecord('define', verdict='ok', seconds=3.5)))\n"
        "tell('output', cell=3, output={'text': '\"step-end\" is a word'})\n"
        "tell('step-begin', step=asdict(StepRecord('boot', verdict='running')))\n"
        "tell('step-begin', step=asdict(StepRecord('by-code', verdict='pending')))\n"
        "with (run.folder / 'events.jsonl').open('a') as file: file.write('{\"kind\":\"step-e')\n"
    )
    run = killed(child, home, more)
    assert (run.steps[0].verdict, run.steps[0].seconds) == ("ok", 3.5)
    assert [step.id for step in run.steps] == ["define", "boot", "by-code"]
    assert "killed in step boot" in run.error
    assert run.ended


def test_a_run_that_ended_in_its_events_is_told_as_ended(child, home):
    more = TELL + (
        "tell('run-end', record=replace(run, outcome='ok', exit_code=0, seconds=9.0).to_dict())\n"
    )
    run = killed(child, home, more)
    assert (run.outcome, run.seconds) == ("ok", 9.0)


def test_a_folder_with_events_only_is_enough_for_a_new_ledger(ledger):
    run = made(ledger.folder, 1, outcome="running", pid=2**22 + 1)
    (run.folder / "run.json").rename(run.folder / "gone")
    line = json.dumps({"at": run.began, "kind": "run-begin", "record": run.to_dict()})
    (run.folder / "events.jsonl").write_text(line + "\n")
    assert ledger.get(run.id).outcome == "died"


def test_a_number_given_to_another_process_is_not_taken_for_the_run(ledger):
    run = made(ledger.folder, outcome="running", pid=os.getpid(), pid_started=1)
    assert truth(run).outcome == "died"
    mine = replace(run, pid_started=process_started(os.getpid()), began=BEGAN.isoformat())
    # The same process, but the run began before this boot of the machine.
    assert truth(replace(mine, began="2001-01-01T00:00:00+00:00")).outcome == "died"
    now = dt.datetime.now(dt.UTC).isoformat()
    assert truth(replace(mine, began=now)).outcome == "running"


def test_runs_that_cannot_be_judged_are_left_alone(ledger):
    run = made(ledger.folder, outcome="running", pid=2**22 + 1)
    assert truth(run).outcome == "died"
    assert truth(replace(run, machine="elsewhere")).outcome == "running"
    assert truth(replace(run, pid=0)).outcome == "running"
    assert truth(replace(run, outcome="ok")).outcome == "ok"


def test_the_start_of_a_process_is_read_behind_any_name(tmp_path):
    (tmp_path / "7").mkdir()
    tail = " ".join(["S", *map(str, range(1, 19)), "4711", "0"])
    (tmp_path / "7" / "stat").write_text(f"7 (a) S 1 (b) {tail}")
    assert process_started(7, tmp_path) == 4711
    (tmp_path / "7" / "stat").write_text(f"7 (a) {tail.replace('S', 'Z')}")
    assert process_started(7, tmp_path) == 0
    assert process_started(8, tmp_path) == 0


def spoil_header(path):
    with path.open("r+b") as file:
        file.write(b"this is no database at all" * 8)


def spoil_page(path):
    """Overwrite every page but the first two."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for place in range(8192, size, 4096):
            file.seek(place)
            file.write(b"\xa5" * 4000)


def spoil_cut(path):
    os.truncate(path, 5000)


def spoil_empty(path):
    os.truncate(path, 0)


def spoil_table(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE runs")


SPOILERS = [spoil_header, spoil_page, spoil_cut, spoil_empty, spoil_table]


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("first", ["read", "write"])
def test_a_damaged_ledger_is_set_aside_rebuilt_and_told(ledger, home, caplog, spoil, first):
    runs = [made(ledger.folder, number, error="x" * 3000) for number in range(20)]
    for run in runs:
        ledger.end(run)
    spoil(ledger.path)
    before = ledger.path.read_bytes()
    more = made(ledger.folder, 99, write=False)
    if first == "write":
        ledger.end(more)
        runs.append(more)
    assert Ledger().runs() == tuple(reversed(runs))
    (aside,) = home.glob("runs.sqlite.damaged-*")
    assert aside.read_bytes() == before
    (told,) = [line for line in caplog.messages if "damaged" in line]
    assert str(ledger.path) in told
    assert aside.name in told
    assert "20 runs" in told
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    ledger.end(made(ledger.folder, 100))
    assert len(list(home.glob("*damaged*"))) == 1


def test_rows_that_can_still_be_read_are_saved_from_a_damaged_file(ledger, home):
    """Runs in folders that their users chose are nowhere else."""
    kept = made(home.parent / "mine", folder=home.parent / "mine" / "out")
    ledger.end(kept)
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection:
        connection.execute("DROP TABLE steps")
    ledger.end(made(ledger.folder, 1))
    assert ledger.get(kept.id) == kept
    assert len(ledger.runs()) == 2


def test_many_processes_meet_a_damaged_ledger_and_one_repairs_it(child, ledger, home):
    for number in range(5):
        ledger.end(made(ledger.folder, 5000 + number))
    spoil_header(ledger.path)
    writers = [child(WRITER, me, home=home) for me in range(4)]
    for writer in writers:
        _, err = writer.communicate(timeout=120)
        assert writer.returncode == 0, err
    assert len(list(home.glob("*damaged-*"))) == 1
    assert len(ledger.runs()) == 85


def test_a_row_with_a_spoilt_record_is_read_from_its_folder_or_left_out(ledger, caplog):
    here, gone = made(ledger.folder, 1), made(ledger.folder, 2, write=False)
    ledger.end(here)
    ledger.end(gone)
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection, connection:
        connection.execute("UPDATE runs SET record = substr(record, 1, 40)")
    assert ledger.runs() == (here,)
    assert gone.id in caplog.text
    with pytest.raises(RunError, match="cannot be read"):
        ledger.get(gone.id)


def test_a_lost_ledger_is_made_again_from_the_folders(ledger):
    runs = [made(ledger.folder, number) for number in range(3)]
    (ledger.folder / "junk").mkdir()
    (ledger.folder / "junk" / "run.json").write_text("[1, 2")
    (ledger.folder / "list").mkdir()
    (ledger.folder / "list" / "run.json").write_text("[1, 2]")
    (ledger.folder / "file").write_text("")
    for number, odd in enumerate(
        [{"began": 5}, {"seconds": "long"}, {"steps": [{"id": 7}]}, {"id": ""}, {"outcome": "?"}]
    ):
        place = ledger.folder / f"odd{number}"
        place.mkdir()
        plain = {**runs[0].to_dict(), "id": f"odd{number}", "folder": str(place), **odd}
        (place / "run.json").write_text(json.dumps(plain))
    (ledger.folder / "deep").mkdir()
    (ledger.folder / "deep" / "run.json").write_text("[" * 100_000)
    assert ledger.runs() == tuple(reversed(runs))


def test_a_run_that_never_came_to_the_ledger_is_found_by_its_folder(ledger):
    ledger.end(made(ledger.folder, 1))
    lost = made(ledger.folder, 2)
    assert ledger.get(lost.id) == lost
    assert len(ledger.runs()) == 2


def test_a_folder_that_was_moved_with_its_runs_is_read_where_it_is(ledger, home, monkeypatch):
    run = made(ledger.folder)
    run.notebook.write_text("{}")
    ledger.end(run)
    moved = home.with_name("moved")
    home.rename(moved)
    (moved / "runs.sqlite").unlink()
    monkeypatch.setenv("LABVIRT_HOME", str(moved))
    found = Ledger().get(run.id)
    assert found.notebook == moved / "runs" / run.id / "install.ipynb"
    assert found.notebook.exists()
    assert read_record(moved) is None


HOLDER = """
import sqlite3
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute(sys.argv[2])
connection.execute("UPDATE runs SET host = host")
print("ready", flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def locked(child, path, how):
    holder = child(HOLDER, path, how)
    assert holder.stdout.readline() == "ready\n", holder.stderr.read()
    yield holder
    holder.kill()
    holder.communicate()


def test_a_locked_ledger_is_one_clear_error_and_works_again_afterwards(child, ledger):
    run = made(ledger.folder)
    ledger.end(run)
    short = Ledger(busy_s=0.3)
    with locked(child, ledger.path, "BEGIN EXCLUSIVE") as holder:
        for work in (lambda: short.end(run), short.runs, lambda: short.get("last")):
            began = time.monotonic()
            with pytest.raises(RunError, match=f"{ledger.path} has been locked") as caught:
                work()
            assert time.monotonic() - began < 5
            assert str(ledger.path) in caught.value.hint
            assert "sqlite3" not in str(caught.value)
        holder.kill()  # with the lock in its hand
        holder.wait()
        ledger.end(run)
    assert ledger.runs() == (run,)


def test_a_writer_waits_for_a_short_lock(child, ledger):
    ledger.end(made(ledger.folder))
    code = HOLDER.replace("time.sleep(60)", "time.sleep(1)")
    holder = child(code, ledger.path, "BEGIN IMMEDIATE")
    assert holder.stdout.readline() == "ready\n"
    ledger.end(made(ledger.folder, 1))
    holder.communicate()
    assert len(ledger.runs()) == 2


READ_ONLY = """
os.umask(0)
if os.geteuid() == 0:
    os.setgroups([])
    os.setresuid(65534, 65534, 65534)
try:
    Ledger(Path(sys.argv[1])).end(made(Path("/nowhere"), write=False))
except RunError as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["file", "folder", "absent"])
def test_a_ledger_that_may_not_be_written_is_one_clear_error(child, tmp_path, passable, what):
    passable(tmp_path)
    path = tmp_path / "sub" / "runs.sqlite"
    path.parent.mkdir()
    if what != "absent":
        Ledger(path).end(made(tmp_path / "runs"))
        path.chmod(0o444)
    path.parent.chmod(0o777 if what == "file" else 0o555)
    done = child(READ_ONLY, path, cwd="/")
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    assert str(path) in out, out + err
    path.parent.chmod(0o755)


def test_what_is_no_ledger_is_left_as_it_is(tmp_path):
    path = tmp_path / "addresses.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(RunError, match="no ledger"):
        Ledger(path).runs()
    assert path.read_bytes() == before
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(RunError, match=str(folder)):
        Ledger(folder).runs()


def test_an_older_ledger_is_brought_up_to_date_and_a_newer_one_refused(ledger, monkeypatch):
    run = made(ledger.folder)
    ledger.end(run)
    later = (*database._MIGRATIONS, "ALTER TABLE runs ADD COLUMN note TEXT; CREATE TABLE t (x)")
    with monkeypatch.context() as patch:
        patch.setattr(database, "_MIGRATIONS", later)
        assert ledger.runs() == (run,)
        with contextlib.closing(sqlite3.connect(ledger.path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (2,)
            assert connection.execute("SELECT note FROM runs").fetchall() == [(None,)]
        ledger.end(run)
    with pytest.raises(RunError, match="later labvirt"):
        ledger.runs()


def test_a_migration_that_fails_changes_nothing(ledger, monkeypatch):
    run = made(ledger.folder)
    ledger.end(run)
    broken = (*database._MIGRATIONS, "CREATE TABLE half (x); SELECT nonsense()")
    with monkeypatch.context() as patch:
        patch.setattr(database, "_MIGRATIONS", broken)
        with pytest.raises(RunError, match="nonsense"):
            ledger.runs()
    assert ledger.runs() == (run,)


def test_prune_names_what_it_would_destroy_and_does_nothing_unless_confirmed(ledger):
    runs = [made(ledger.folder, number) for number in range(4)]
    for run in runs:
        ledger.end(run)
    with pytest.raises(ConfirmationError) as caught:
        ledger.prune(keep=2)
    assert caught.value.exit_code == 2
    assert [line.split()[0] for line in caught.value.destroys] == [runs[1].id, runs[0].id]
    assert str(runs[0].folder) in str(caught.value)
    assert len(ledger.runs()) == 4
    assert ledger.prune(keep=2, confirm=True) == (runs[1], runs[0])
    assert [run.folder.exists() for run in runs] == [False, False, True, True]
    assert ledger.runs() == (runs[3], runs[2])
    assert ledger.steps_df()["run"].nunique() == 2
    assert ledger.prune(keep=2) == ()  # nothing to do needs nobody's word


def test_prune_by_age(ledger):
    now = dt.datetime.now(dt.UTC)
    old = made(ledger.folder, 1, ended=(now - dt.timedelta(days=40)).isoformat())
    new = made(ledger.folder, 2, ended=(now - dt.timedelta(days=20)).isoformat())
    for run in (old, new):
        ledger.end(run)
    month = dt.timedelta(days=30)
    assert ledger.prune(older_than=month, keep=2, confirm=True) == ()
    assert ledger.prune(older_than=month, confirm=True) == (old,)


@pytest.mark.parametrize("limits", [{}, {"keep": -1}, {"older_than": dt.timedelta(days=-1)}])
def test_prune_needs_a_limit(ledger, limits):
    ledger.end(made(ledger.folder))
    with pytest.raises(RunError) as caught:
        ledger.prune(**limits, confirm=True)
    assert caught.value.exit_code == 2
    assert len(ledger.runs()) == 1


def test_prune_keeps_running_runs_and_those_that_they_go_on_from(ledger):
    parent = made(ledger.folder, 1, outcome="failed")
    running = made(
        ledger.folder, 2, outcome="running", parent=parent.id, pid=os.getpid(),
        pid_started=process_started(os.getpid()), began=dt.datetime.now(dt.UTC).isoformat(),
    )  # fmt: skip
    other = made(ledger.folder, 3)
    for run in (parent, running, other):
        ledger.end(run)
    assert ledger.prune(keep=0, confirm=True) == (other,)
    assert parent.folder.exists()
    assert running.folder.exists()


def test_prune_never_removes_a_folder_that_is_not_the_runs_own(ledger, tmp_path):
    mine = tmp_path / "mine"
    given = made(ledger.folder, 1, folder=mine)
    (mine / "thesis.txt").write_text("years of work")
    link = ledger.folder / "link"
    ledger.folder.mkdir(parents=True)
    link.symlink_to(mine)
    linked = made(ledger.folder, 2, folder=link, write=False)
    deep = made(ledger.folder, 3, folder=ledger.folder / "a" / "b")
    whole = made(ledger.folder, 4, folder=ledger.folder, write=False)
    up = made(ledger.folder, 5, folder=ledger.folder / ".." / ".." / "mine", write=False)
    none = made(ledger.folder, 6, folder=Path(), write=False)
    others = made(ledger.folder, 7)
    wrong = made(ledger.folder, 8, folder=others.folder, write=False)
    for run in (given, linked, deep, whole, up, none, others, wrong):
        ledger.end(run)
    with pytest.raises(ConfirmationError, match="stays"):
        ledger.prune(keep=0)
    ledger.prune(older_than=dt.timedelta(0), keep=0, confirm=True)
    assert ledger.runs() == ()
    assert (mine / "thesis.txt").exists()
    assert deep.folder.exists()
    assert ledger.folder.exists()
    assert not others.folder.exists()  # by its own record, not by the other's
    assert Path.cwd().exists()


def test_a_folder_that_cannot_be_removed_keeps_its_run(ledger, monkeypatch):
    runs = [made(ledger.folder, number) for number in range(2)]
    for run in runs:
        ledger.end(run)

    def refuse(path):
        raise PermissionError(13, "not yours", str(path))

    monkeypatch.setattr("labvirt.runbook.prune.shutil.rmtree", refuse)
    with pytest.raises(RunError, match=runs[0].id):
        ledger.prune(keep=0, confirm=True)
    assert len(ledger.runs()) == 2


def test_the_record_in_the_ledger_is_json_that_others_can_read(ledger):
    run = made(ledger.folder)
    ledger.end(run)
    with contextlib.closing(sqlite3.connect(ledger.path)) as connection:
        ((text,),) = connection.execute("SELECT record FROM runs").fetchall()
        steps = connection.execute("SELECT id, seconds FROM steps ORDER BY position").fetchall()
    assert RunRecord.from_dict(json.loads(text)) == run
    assert steps == [("define", 1.5), ("boot", 20.0)]
