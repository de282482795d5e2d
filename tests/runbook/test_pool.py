"""Runs that have begun before they are asked for, and the process that forks them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labvirt import runbook
from labvirt.errors import RunError, SpecError
from labvirt.runbook.server import RunServer


def test_runs_from_the_pool_are_single_use_and_private(make, home, monkeypatch, texts):
    path = make(
        "import os; print(os.getpid(), os.environ.get('MARK')); seen = globals().get('old')"
    )
    with runbook.RunPool(1) as pool:
        first = pool.run(path, html=False)
        monkeypatch.setenv("MARK", "later")
        second = pool.run(path, html=False)
        third = pool.run(path, {"x": 3}, html=False)
    told = [texts(record.notebook) for record in (first, second, third)]
    assert {record.outcome for record in (first, second, third)} == {"ok"}
    assert len({text.split()[0] for text in told}) == 3
    assert third.parameters == {"x": 3}


def test_a_waiting_process_that_died_is_replaced(make, home):
    path = make("print(1)")
    with runbook.RunPool(1) as pool:
        pool._waiting[0].kill()
        pool._waiting[0].wait(10)
        assert pool.run(path, html=False).outcome == "ok"


def test_a_closed_pool_runs_no_more_and_leaves_nothing(make, home, kernels_of, wait_until):
    pool = runbook.RunPool(2)
    pool.close()
    pool.close()
    with pytest.raises(RunError, match="closed"):
        pool.run(make("pass"))
    wait_until(lambda: not kernels_of(home), "the waiting kernels to end")


@pytest.mark.parametrize("size", [0, 33, "2", True])
def test_sizes_that_are_none(size):
    with pytest.raises(SpecError, match="1 to 32"):
        runbook.RunPool(size)


def test_a_killed_owner_leaves_no_server_and_no_kernel(home, tmp_path, kernels_of, wait_until):
    code = (
        "import labvirt.runbook as r, time\n"
        "pool = r.RunPool(1)\nprint(pool._server._process.pid, flush=True)\ntime.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with owner:
        server = int(owner.stdout.readline())
        wait_until(lambda: kernels_of(home), "the waiting kernel")
        owner.kill()
    wait_until(lambda: not Path(f"/proc/{server}").exists(), "the server to end")
    wait_until(lambda: not kernels_of(home), "the kernel to end")


def test_a_fork_has_the_folder_and_environment_of_who_asked(
    home, tmp_path, monkeypatch, wait_until
):
    server = RunServer()
    try:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("MARK", "now")
        forked = server.worker()
        assert forked.poll() is None
        proc = Path(f"/proc/{forked.pid}")
        wait_until(lambda: proc.joinpath("cwd").resolve() == tmp_path, "its folder")
        assert os.getsid(forked.pid) == forked.pid
        forked.close()
        assert forked.wait(10) == 0
    finally:
        server.close()
    with pytest.raises(OSError, match=r"gone|Bad file|closed"):
        server.worker()
