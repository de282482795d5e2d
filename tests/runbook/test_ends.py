"""How runs end early: cancelled, killed, on a full disk; the record tells the truth each time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from labvirt import runbook
from labvirt.errors import RunError
from labvirt.runbook.kernel import forget_orphans
from labvirt.runbook.ledger import Ledger
from labvirt.runbook.perform import Performance

LABVIRT = str(Path(sys.executable).with_name("labvirt"))


def slow_book(make, tmp_path, code="time.sleep(60)", name="book"):
    """Step one is quick, step two takes long, both can be undone."""
    return make(
        f"import time\nfrom pathlib import Path\nhere = Path({str(tmp_path)!r})\n"
        "def note(text):\n    with (here / 'journal').open('a') as file: file.write(text + '\\n')",
        ("note('one')", "step:one"),
        ("assert 'one' in (here / 'journal').read_text()", "step:one", "check"),
        ("note('undo one')", "step:one", "undo", "skip-execution"),
        (f"note('two')\nif not (here / 'go').exists():\n    {code}", "step:two"),
        ("note('undo two')", "step:two", "undo", "skip-execution"),
        ("note('three')", "step:three"),
        ("note('always')", "always"),
        name=name,
    )


def lines(tmp_path):
    path = tmp_path / "journal"
    return path.read_text().split("\n")[:-1] if path.exists() else []


@pytest.fixture
def in_step_two(make, tmp_path, home, wait_until):
    going = runbook.start(runbook.ask(slow_book(make, tmp_path), html=False))
    wait_until(lambda: "two" in lines(tmp_path), "step two")
    yield going
    going.close()


def test_cancelling_interrupts_undoes_and_cleans(
    in_step_two, tmp_path, home, verdicts, kernels_of, wait_until
):
    began = time.monotonic()
    in_step_two.cancel()
    record = in_step_two.result(30)
    assert time.monotonic() - began < 8
    assert (record.outcome, record.exit_code) == ("cancelled", 130)
    assert lines(tmp_path) == ["one", "two", "undo two", "undo one", "always"]
    assert verdicts(record) == {"one": "undone", "two": "undone", "three": "skipped"}
    assert Ledger().get(record.id).outcome == "cancelled"
    wait_until(lambda: not kernels_of(home), "the kernel to end")


@pytest.mark.slow(seconds=12)
def test_a_cell_that_does_not_obey_is_ended_and_undone_in_a_new_kernel(
    make, tmp_path, home, wait_until, verdicts
):
    code = (
        "end = time.time() + 60\n"
        "    while time.time() < end:\n"
        "        try:\n            time.sleep(60)\n"
        "        except KeyboardInterrupt:\n            note('never')"
    )
    going = runbook.start(runbook.ask(slow_book(make, tmp_path, code), html=False))
    try:
        wait_until(lambda: "two" in lines(tmp_path), "step two")
        going.cancel()
        record = going.result(60)
    finally:
        going.close()
    assert record.outcome == "cancelled"
    told = lines(tmp_path)
    assert "never" in told
    # The kill at the end is an interrupt first, which it may have noticed too.
    calm = [line for line in told if line != "never"]
    assert calm == ["one", "two", "undo two", "undo one", "always"]
    assert verdicts(record)["one"] == "undone"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_command_cancel(make, tmp_path, home, wait_until, number):
    path = slow_book(make, tmp_path)
    process = subprocess.Popen(
        [LABVIRT, "run", str(path), "--no-html"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    wait_until(lambda: "two" in lines(tmp_path), "step two")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert lines(tmp_path)[-3:] == ["undo two", "undo one", "always"]


def test_whoever_asked_is_gone_and_the_run_ends(make, tmp_path, home, wait_until, kernels_of):
    path = slow_book(make, tmp_path)
    code = f"import labvirt as lv; lv.run({str(path)!r}, html=False)"
    asker = subprocess.Popen([sys.executable, "-c", code])
    wait_until(lambda: "two" in lines(tmp_path), "step two")
    asker.kill()
    asker.wait()
    wait_until(lambda: not kernels_of(home), "worker and kernel to end")
    assert Ledger().get("last").outcome == "cancelled"
    assert lines(tmp_path)[-1] == "always"


def kill_kernel(going, kernels):
    for pid in kernels:
        if pid != going.pid:
            os.kill(pid, signal.SIGKILL)


def test_a_killed_kernel_is_told_and_the_run_can_go_on(
    in_step_two, tmp_path, home, kernels_of, verdicts
):
    kill_kernel(in_step_two, kernels_of(home))
    first = in_step_two.result(30)
    assert (first.outcome, first.exit_code) == ("died", 138)
    assert verdicts(first) == {"one": "ok", "two": "failed", "three": "skipped"}
    (tmp_path / "go").touch()
    second = runbook.resume(first.id)
    assert second.outcome == "ok"
    assert verdicts(second) == {"one": "kept", "two": "ok", "three": "ok"}
    assert lines(tmp_path) == ["one", "two", "two", "three", "always"]


def test_a_killed_runner_is_told_and_the_run_can_go_on(
    in_step_two, tmp_path, home, kernels_of, wait_until, verdicts
):
    os.kill(in_step_two.pid, signal.SIGKILL)
    record = in_step_two.result(30)
    assert record.outcome == "died"
    wait_until(lambda: not kernels_of(home), "the kernel to notice")
    told = Ledger().get(in_step_two.id)
    assert told.outcome == "died"
    assert verdicts(told)["one"] == "ok"
    (tmp_path / "go").touch()
    second = runbook.resume(told.id)
    assert second.outcome == "ok"
    assert verdicts(second) == {"one": "kept", "two": "ok", "three": "ok"}


def test_after_a_kill_of_the_runner_its_sockets_are_cleaned_by_the_next(
    in_step_two, home, wait_until, kernels_of
):
    def folders():
        return list(Path("/tmp").glob(f"lvk-{in_step_two.pid}-*"))

    assert folders()
    os.kill(in_step_two.pid, signal.SIGKILL)
    in_step_two.result(30)
    wait_until(lambda: not kernels_of(home), "the kernel to notice")
    forget_orphans()
    assert not folders()


def test_a_full_disk_is_one_error_and_the_record_stays(make, tmp_path, home):
    if os.geteuid() != 0:
        pytest.skip("root is missing: a small file system is mounted")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", folder], check=True)
    try:
        path = make("for _ in range(200): print('z' * 10_000)", "print('after')")
        going = runbook.start(runbook.ask(path, folder=folder / "out", html=False))
        try:
            told = going.result(60).error
        except RunError as error:
            told = str(error)
        going.close()
        assert "No space left" in told
        assert (folder / "out" / "events.jsonl").exists()
        record = Ledger().get("last")
        assert (record.outcome, "No space left" in record.error) == ("failed", True)
    finally:
        subprocess.run(["umount", folder], check=True)


def test_ctrl_c_in_the_asking_program_cancels(make, tmp_path, home, wait_until):
    path = slow_book(make, tmp_path)
    code = (
        "import labvirt as lv\n"
        f"try:\n    lv.run({str(path)!r}, html=False)\n"
        "except KeyboardInterrupt:\n    print('interrupted')"
    )
    asker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: "two" in lines(tmp_path), "step two")
    asker.send_signal(signal.SIGINT)
    assert "interrupted" in asker.communicate(timeout=30)[0]
    assert lines(tmp_path)[-3:] == ["undo two", "undo one", "always"]


def test_runs_side_by_side_do_not_disturb_each_other(make, home):
    path = make("print('x is', x * 2)")
    results = {}

    def one(number):
        results[number] = runbook.run(path, {"x": number}, html=False)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert {record.outcome for record in results.values()} == {"ok"}
    assert len({record.id for record in results.values()}) == 6
    assert len(Ledger().runs()) == 6


def test_a_failure_of_the_runner_itself_is_recorded_as_such(make, tmp_path, home, monkeypatch):
    async def broken(self, index, **_):
        raise KeyError("msg_type")

    path = make(("print(1)", "step:one"), ("print(2)", "step:two"))
    monkeypatch.setattr("labvirt.runbook.client.RunClient.run_cell", broken)
    record = asyncio.run(Performance(runbook.ask(path, html=False).request).perform())
    assert (record.outcome, record.exit_code) == ("failed", 1)
    assert "the runner itself failed: KeyError: 'msg_type' (test_ends.py:" in record.error
    assert Ledger().get("last").outcome == "failed"
