"""Runbooks: what running a notebook costs, against papermill and bare nbclient.

The books have trivial cells, so that what is measured is the runner. Reports (HTML) are left out:
papermill makes none.
"""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook

from tests.bench.measure import Goal, Result, interleave, timed

if TYPE_CHECKING:
    from collections.abc import Callable

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
_numbers = itertools.count()


def _book(folder: Path, cells: int) -> Path:
    made = [new_code_cell("x: int = 1", metadata={"tags": ["parameters"]})]
    made += [new_code_cell(f"print({number})") for number in range(cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / f"book{cells}.ipynb"
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": kernel}), path)
    return path


def _out(folder: Path) -> str:
    return str(folder / f"out{next(_numbers)}.ipynb")


def _cpu() -> float:
    """Processor seconds of this process and of its children that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _papermill(book: str, out: str) -> None:
    import papermill

    papermill.execute_notebook(book, out, progress_bar=False)


def _nbclient(book: Path) -> None:
    from nbclient import NotebookClient

    NotebookClient(nbformat.read(book, as_version=4)).execute()


def _cells_alone(book: Path) -> float:
    """Return the seconds that the cells take in a kernel that is there: what nobody can save."""
    from nbclient import NotebookClient

    client = NotebookClient(nbformat.read(book, as_version=4))
    with client.setup_kernel():
        began = time.perf_counter()
        for index, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, index)
        return time.perf_counter() - began


def _cpu_of_labvirt(book: Path) -> float:
    """Run it as ``labvirt.run`` does, the first of its program; count all processes of it."""
    from labvirt import runbook
    from labvirt.runbook.server import RunServer

    before = time.process_time()
    server = RunServer()
    going = runbook.Run(runbook.ask(book, html=False), server.worker())
    assert going.result().outcome == "ok"
    going.close()
    family = [psutil.Process(server.pid)]
    family += family[0].children()
    assert [one.name() for one in family] == ["labvirt-runs", "labvirt-nursery"]
    # The run and its kernel have ended: their time is that of who forked them.
    spent = sum(sum(one.cpu_times()[:4]) for one in family)
    server.close()
    return time.process_time() - before + spent


def _shell(*argv: str) -> Callable[[], float]:
    return lambda: timed(
        lambda: subprocess.run(
            argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    )


def _of_cpu(work: Callable[[], object]) -> Callable[[], float]:
    def measure() -> float:
        before = _cpu()
        work()
        return _cpu() - before

    return measure


def cold(rounds: int) -> Result:
    """Wall time of one run, kernel start included; the labvirt API starts a process besides."""
    with _home() as folder:
        short, long = _book(folder, 5), _book(folder, 100)
        ways = {
            "nbclient, 5 cells": lambda: timed(lambda: _nbclient(short)),
            "papermill, 5 cells": lambda: timed(lambda: _papermill(str(short), _out(folder))),
            "papermill CLI, 5 cells": _shell(
                sys.executable, "-m", "papermill", str(short), _out(folder), "--no-progress-bar"
            ),
            "labvirt CLI, 5 cells": _shell(LABVIRT, "run", str(short), "--no-html"),
            "nbclient, 100 cells": lambda: timed(lambda: _nbclient(long)),
            "papermill CLI, 100 cells": _shell(
                sys.executable, "-m", "papermill", str(long), _out(folder), "--no-progress-bar"
            ),
            "labvirt CLI, 100 cells": _shell(LABVIRT, "run", str(long), "--no-html"),
        }
        goals = (
            Goal("labvirt CLI, 5 cells", "papermill CLI, 5 cells", 1.0),
            Goal("labvirt CLI, 100 cells", "papermill CLI, 100 cells", 1.0),
        )
        return interleave("runbook, wall", ways, goals, rounds)


def over_nbclient(rounds: int) -> Result:
    """Wall time of one run of a program that has run one before, against bare nbclient.

    The goal is 0.3 s and 5 ms a cell more at most, told here as what is left after taking that off.
    """
    from labvirt import runbook

    def ours(book: Path, allowance_s: float) -> float:
        spent = timed(lambda: runbook.run(book, html=False))
        return spent - allowance_s

    with _home() as folder:
        short, long = _book(folder, 5), _book(folder, 100)
        ways = {
            "nbclient, 5 cells": lambda: timed(lambda: _nbclient(short)),
            "labvirt, 5 cells, less 325 ms": lambda: ours(short, 0.325),
            "nbclient, 100 cells": lambda: timed(lambda: _nbclient(long)),
            "labvirt, 100 cells, less 800 ms": lambda: ours(long, 0.8),
        }
        goals = (
            Goal("labvirt, 5 cells, less 325 ms", "nbclient, 5 cells", 1.0),
            Goal("labvirt, 100 cells, less 800 ms", "nbclient, 100 cells", 1.0),
        )
        return interleave("runbook, over nbclient", ways, goals, rounds)


def processor(rounds: int) -> Result:
    """Processor time of one run, its kernel included."""
    with _home() as folder:
        long = _book(folder, 100)
        ways = {
            "nbclient, 100 cells": _of_cpu(lambda: _nbclient(long)),
            "papermill, 100 cells": _of_cpu(lambda: _papermill(str(long), _out(folder))),
            "labvirt, 100 cells": lambda: _cpu_of_labvirt(long),
        }
        goals = (Goal("labvirt, 100 cells", "papermill, 100 cells", 0.5),)
        return interleave("runbook, CPU", ways, goals, rounds)


def warm(rounds: int) -> Result:
    """Wall time of a run whose process and kernel wait already, against a cold one."""
    from labvirt import runbook

    with _home() as folder, runbook.RunPool(1) as pool:
        short = _book(folder, 5)

        def one() -> float:
            # The process that waits gets the time to have started: that is what a pool is for.
            time.sleep(3)
            return timed(lambda: pool.run(short, html=False))

        ways = {
            "the cells alone": lambda: _cells_alone(short),
            "papermill, 5 cells": lambda: timed(lambda: _papermill(str(short), _out(folder))),
            "labvirt pool, 5 cells": one,
        }
        goals = (Goal("labvirt pool, 5 cells", "papermill, 5 cells", 0.1, "the cells alone"),)
        return interleave("runbook, warm", ways, goals, rounds)


def many(rounds: int) -> Result:
    """Wall time of twelve runs, four at once, against papermill under a pool of two processes."""
    from labvirt import runbook

    with _home() as folder:
        short = _book(folder, 5)

        def pool() -> None:
            with ProcessPoolExecutor(2) as processes:
                list(
                    processes.map(_papermill, [str(short)] * 12, [_out(folder) for _ in range(12)])
                )

        def ours() -> None:
            done = runbook.run_many(short, [{"x": n} for n in range(12)], jobs=4, html=False)
            assert done.exit_code == 0, done.rows()

        ways = {
            "papermill, 12 runs": lambda: timed(pool),
            "labvirt, 12 runs": lambda: timed(ours),
        }
        goals = (Goal("labvirt, 12 runs", "papermill, 12 runs", 0.6),)
        return interleave("runbook, many", ways, goals, max(rounds // 3, 1))


def two_hundred(rounds: int) -> Result:
    """Two hundred short runs, four at once: none may fail to start."""
    from labvirt import runbook

    with _home() as folder:
        short = _book(folder, 5)

        def ours(count: int) -> float:
            sets = [{"x": number} for number in range(count)]
            done = runbook.run_many(short, sets, jobs=4, html=False)
            assert dict(done.outcomes) == {"ok": count}, done.rows()
            return done.seconds

        ways = {
            "labvirt, 20 runs, a run": lambda: ours(20) / 20,
            "labvirt, 200 runs, a run": lambda: ours(200) / 200,
        }
        goals = (Goal("labvirt, 200 runs, a run", "labvirt, 20 runs, a run", 1.2),)
        return interleave("runbook, 200", ways, goals, max(rounds // 3, 1))


class _home:  # noqa: N801 - reads as a function
    """A folder for all that the runs leave, gone afterwards."""

    def __enter__(self) -> Path:
        self._folder = tempfile.TemporaryDirectory(prefix="lvb-")
        self._before = os.environ.get("LABVIRT_HOME")
        os.environ["LABVIRT_HOME"] = f"{self._folder.name}/home"
        return Path(self._folder.name)

    def __exit__(self, *_: object) -> None:
        for thread in threading.enumerate():
            if thread.name.startswith("labvirt run"):
                thread.join(10)
        if self._before is None:
            del os.environ["LABVIRT_HOME"]
        else:
            os.environ["LABVIRT_HOME"] = self._before
        self._folder.cleanup()
