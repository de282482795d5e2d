"""Kernels that are forked: like those that are started, and ended with whoever asked for them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec

from labvirt import runbook
from labvirt.runbook.handle import Run, worker
from labvirt.runbook.nursery import can_be_forked
from labvirt.runbook.server import RunServer

PROBE = """
import json, os, signal, sys, threading
import __main__
path = os.environ["PROBE"]
told = {
    "path": sys.path, "argv": sys.argv[0].rpartition("/")[2].removesuffix(".py"),
    "main": [__main__.__name__, getattr(__main__, "__file__", None), str(__main__.__spec__)],
    "cwd": os.getcwd(), "umask": os.umask(0o022), "home": os.environ["LABVIRT_HOME"],
    "environment": sorted(
        # The C library of a process that has loaded readline hands on the last two.
        key for key in os.environ if not key.startswith("JPY") and key not in ("COLUMNS", "LINES")
    ),
    "ours": sorted(name for name in sys.modules if name.split(".")[0] in
                   ("labvirt", "nbformat", "nbclient", "jsonschema", "pydantic")),
    "names": sorted(set(globals()) - {"told"}), "leader": os.getsid(0) == os.getpid(),
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE)],
    "cloexec": [os.get_inheritable(int(n)) for n in os.listdir("/proc/self/fd") if int(n) > 2
                and os.path.exists(f"/proc/self/fd/{n}")],
    "configuration": str(get_ipython().config.get("HistoryManager")),
    "seed": os.environ.get("PYTHONHASHSEED"),
}
import jsonschema
told["iri"] = "iri" in jsonschema.FormatChecker.checkers
import subprocess
told["child"] = subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout.decode()
"""
SPAWN = """
import multiprocessing
with multiprocessing.get_context("spawn").Pool(1) as pool:
    told["spawned"] = pool.map(abs, [-3])
with multiprocessing.get_context("fork").Pool(1) as pool:
    told["forked"] = pool.map(lambda_free := abs, [-4])
json.dump(told, open(path, "w"))
"""


@pytest.fixture
def server():
    made = RunServer()
    yield made
    made.close()


def probed(make, process, folder, monkeypatch, name):
    monkeypatch.setenv("PROBE", str(folder / name))
    book = make(PROBE, SPAWN, name=name)
    asked = runbook.ask(book, html=False)
    going = Run(asked, process())
    record = going.result(60)
    assert record.outcome == "ok", record.error
    going.close()
    return json.loads((folder / name).read_text())


@pytest.mark.slow(seconds=9)
def test_a_forked_kernel_is_like_one_that_was_started(make, tmp_path, home, server, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forked = probed(make, server.worker, tmp_path, monkeypatch, "forked")
    started = probed(make, worker, tmp_path, monkeypatch, "started")
    assert not any(forked.pop("cloexec"))
    started.pop("cloexec")
    differing = set(forked.pop("environment")) ^ set(started.pop("environment"))
    assert not differing
    assert forked == started
    assert forked["child"] == "1\n"
    assert forked["iri"]
    assert not forked["ours"]


def test_the_kernel_was_really_forked_and_leaves_no_history(
    make, tmp_path, home, server, monkeypatch
):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = make("import os\nprint('parent', open('/proc/%d/comm' % os.getppid()).read())")
    going = Run(runbook.ask(book, html=False), server.worker())
    record = going.result(60)
    going.close()
    cells = nbformat.read(record.notebook, as_version=4).cells
    assert "parent labvirt-nursery" in cells[-1].outputs[0].text
    assert not list((tmp_path / "ipython").rglob("history.sqlite"))


def test_what_a_book_wants_done_at_the_end_is_done(make, tmp_path, home, server):
    note = tmp_path / "ended"
    book = make(f"import atexit\natexit.register(lambda: open({str(note)!r}, 'w').write('so'))")
    going = Run(runbook.ask(book, html=False), server.worker())
    assert going.result(60).outcome == "ok"
    going.close()
    assert note.read_text() == "so"


def test_another_setting_of_python_itself_gets_a_new_process(
    make, tmp_path, home, server, monkeypatch
):
    extra = tmp_path / "more"
    extra.mkdir()
    (extra / "only_here.py").write_text("x = 7")
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{extra}:{before}" if before else str(extra))
    book = make("import only_here; assert only_here.x == 7")
    going = Run(runbook.ask(book, html=False), server.worker())
    assert going.result(60).outcome == "ok"
    going.close()


def test_without_a_nursery_kernels_are_started(make, tmp_path, home, server, wait_until):
    def nursery():
        for pid in children(server.pid):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "labvirt-nursery":
                return pid
        return None

    os.kill(wait_until(nursery, "the nursery"), signal.SIGKILL)
    wait_until(lambda: nursery() is None, "the end of the nursery")
    going = Run(runbook.ask(make("print(1)"), html=False), server.worker())
    assert going.result(60).outcome == "ok"
    going.close()


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_nothing_is_left_of_server_and_nursery(make, home, wait_until):
    server = RunServer()
    going = Run(runbook.ask(make("print(1)"), html=False), server.worker())
    assert going.result(60).outcome == "ok"
    both = [server.pid, *children(server._process.pid)]
    assert len(both) >= 2
    going.close()
    server.close()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in both), "their end")


@pytest.mark.parametrize(
    ("argv", "environment", "expected"),
    [
        (["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], {}, True),
        (["python3", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
         {}, True),
        (["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], {"A": "b"}, False),
        (["/opt/other/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], {}, False),
        (["python", "-m", "ipykernel_launcher", "--debug", "-f", "{connection_file}"], {}, False),
        (["R", "--slave"], {}, False),
        ([], {}, False),
    ],
)  # fmt: skip
def test_only_the_usual_kernel_of_this_python_is_forked(argv, environment, expected):
    assert can_be_forked(KernelSpec(argv=argv, env=environment)) is expected
