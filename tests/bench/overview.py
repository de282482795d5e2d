"""The overview of 500 domains in a real JupyterLab: against an HTML widget with inline SVG.

Both show the same rows of the same made-up samples, two numbers and two sparklines of 60 points in
each, at 1 Hz; one notebook with a kernel of its own per way, in one page, fed in turn.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.bench.measure import Goal, Result

SECONDS = 5.0
OURS, FULL, PEER, IDLE = (
    "labvirt overview",
    "labvirt, all columns, who uses most",
    "HTML widget, inline SVG",
    "idle page",
)
HEAD = """
import labvirt as lv, crowd, numpy as np, ipywidgets, os
host = crowd.Host(count=500, runs=True).fill(65)
host.silent = True
"""
SVG = """
past = {"cpu": np.zeros((500, 60)), "net": np.zeros((500, 60))}
page = ipywidgets.HTML(layout={"height": "440px"})
def line(points, top):
    ends = " ".join(f"{x},{18 - 17 * min(1, y / top):.1f}" for x, y in enumerate(points))
    return f'<svg width="60" height="18"><polyline points="{ends}" fill="none" stroke="#07b"/></svg>'
def show(sample):
    values = sample.tables["domain"].values
    columns = {"cpu": values[:, 0], "net": values[:, 12] + values[:, 13]}
    for name, column in columns.items():
        past[name] = np.concatenate([past[name][:, 1:], column[:, None]], axis=1)
    tops = {"cpu": 100, "net": past["net"].max() or 1}
    cells = ["".join(f"<td>{columns[n][r]:.1f}</td><td>{line(past[n][r], tops[n])}</td>" for n in past)
             for r in range(500)]
    rows = "".join(f"<tr><td>vm{r}</td>{each}</tr>" for r, each in enumerate(cells))
    page.value = f'<div style="height:430px;overflow:auto"><table>{rows}</table></div>'
host.sampler.listen(show); host.sampler.tick()
page
"""
WAYS = {
    IDLE: "None",
    PEER: SVG,
    OURS: "o = lv.ui.overview(host, columns=('cpu', 'net'), metric=''); o",
    FULL: "o = lv.ui.overview(host, columns=[*'id state vcpus cpu memory disk net'.split()]); o",
}


@dataclass
class Found:
    """Per tick: CPU seconds of the browser and of the kernel, and kB on the web socket."""

    browser: dict[str, list[float]] = field(default_factory=dict)
    kernel: dict[str, list[float]] = field(default_factory=dict)
    kilobytes: dict[str, list[float]] = field(default_factory=dict)


def cpu_of(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds of processes until now."""
    spent = 0.0
    for one in processes:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent


def run(lab: Any, book: Any, kernel: psutil.Process) -> tuple[float, float, float]:
    """Feed one way for a while; return CPU seconds of browser and kernel, and kB, per tick."""
    lab.page.evaluate(
        "(path) => jupyterapp.commands.execute('docmanager:open', {path}).then(() => true)",
        book.name,
    )
    book.ask("host.silent = False")
    lab.page.wait_for_timeout(2500)  # what starting costs is not counted
    seen = [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]
    lab.frames.clear()
    before = cpu_of(seen), cpu_of([kernel])
    lab.page.wait_for_timeout(SECONDS * 1000)
    after = cpu_of(seen), cpu_of([kernel])
    size = sum(size for size, _ in lab.frames)
    book.ask("host.silent = True")
    browser, own = (late - early for late, early in zip(after, before, strict=True))
    return browser / SECONDS, own / SECONDS, size / 1000 / SECONDS


@functools.cache
def measured(rounds: int) -> Found:
    """Run every way `rounds` times in turn, once."""
    from playwright.sync_api import sync_playwright

    from tests.ui.conftest import CHROMIUM, Lab, Server

    folder = Path(tempfile.mkdtemp(prefix="labvirt-bench-"))
    server, found = Server(folder), Found()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            lab = Lab(browser, server, folder, "bench")
            books = {}
            for number, (way, cell) in enumerate(WAYS.items()):
                book = lab.open(f"way{number}", HEAD, cell)
                books[way] = book, psutil.Process(int(book.ask("print(os.getpid())")))
            for number in range(rounds + 1):
                for way, (book, kernel) in books.items():
                    spent = run(lab, book, kernel)
                    if number:
                        for name, value in zip(
                            ("browser", "kernel", "kilobytes"), spent, strict=True
                        ):
                            getattr(found, name).setdefault(way, []).append(value)
            browser.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return found


def browser(rounds: int) -> Result:
    goals = (Goal(OURS, PEER, 1 / 6, minus=IDLE), Goal(FULL, PEER, 1 / 4, minus=IDLE))
    title = "overview of 500 domains: CPU of the browser per tick"
    return Result(title, measured(rounds).browser, goals)


def kernel(rounds: int) -> Result:
    title = "overview of 500 domains: CPU of the kernel per tick, with making the samples"
    return Result(title, measured(rounds).kernel, ())


def volume(rounds: int) -> Result:
    goals = (Goal(OURS, PEER, 1 / 50), Goal(FULL, PEER, 1 / 40))
    title = "overview of 500 domains: bytes per tick to the browser (not ms)"
    return Result(title, measured(rounds).kilobytes, goals)
