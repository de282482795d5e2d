"""Live charts in a real JupyterLab and browser: labvirt against plotly's FigureWidget.

Four charts of 300 points, two ticks a second, of the same size; one notebook with a kernel of its
own per way, all in one page, fed in turn. CPU is that of the processes, so waiting does not count.
labvirt's plotly renderer draws when a pixel and a half is new, which is every second tick here.
"""

from __future__ import annotations

import functools
import shutil
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.bench.measure import Goal, Result

HERTZ, SECONDS, POINTS, WINDOWS = 2.0, 3.5, 300, (60, 600)
MOST = 6  # rounds; each takes 20 s
PEER = "plotly FigureWidget"
PLOTLY, LIGHT, IDLE = "labvirt plotly", "labvirt light", "idle page"
WAYS = {
    PEER: "figure_widgets({points})",
    PLOTLY: "labvirt('plotly', {points})",
    LIGHT: "labvirt('light', {points})",
    IDLE: "('', Clock(lambda: None))",
}
READY = {
    PEER: "document.querySelectorAll('.js-plotly-plot .scatterlayer path').length >= 4",
    PLOTLY: "document.querySelectorAll('[data-engine=plotly] .scatterlayer path').length >= 4",
    LIGHT: "document.querySelectorAll('[data-engine=light] .uplot canvas').length >= 4",
    IDLE: "true",
}


@dataclass
class Found:
    """Per tick: CPU seconds of everything, of the browser, of the kernel; and bytes (in kB)."""

    total: dict[str, list[float]] = field(default_factory=dict)
    browser: dict[str, list[float]] = field(default_factory=dict)
    kernel: dict[str, list[float]] = field(default_factory=dict)
    kilobytes: dict[str, list[float]] = field(default_factory=dict)
    flat: dict[str, list[float]] = field(default_factory=dict)


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


def chromium() -> list[psutil.Process]:
    """Return the browser's processes."""
    return [one for one in psutil.Process().children(recursive=True) if "chrom" in one.name()]


class Session:
    """One page with a notebook per way."""

    def __init__(self, lab: Any, server: Any) -> None:
        self.lab, self.server = lab, server
        self.books: dict[str, Any] = {}
        self.kernels: dict[str, psutil.Process] = {}

    def open(self, way: str, points: int = POINTS, name: str = "") -> None:
        name = name or way
        made = WAYS[way].format(points=points)
        book = self.lab.open(
            name.replace(" ", "-"),
            f"from tests.bench.charts_board import *\nshown, clock = {made}\nshown",
        )
        book.wait(f"() => {{ const document = {PANEL}; return {READY[way]}; }}", 60)
        self.books[name] = book
        self.kernels[name] = psutil.Process(int(book.ask("import os; print(os.getpid())")))

    def show(self, name: str) -> Any:
        book = self.books[name]
        self.lab.page.evaluate(
            "(path) => jupyterapp.commands.execute('docmanager:open', {path}).then(() => true)",
            book.name,
        )
        return book

    def run(self, name: str, hertz: float, seconds: float) -> tuple[float, float, float, float]:
        """Feed one way for a while; return CPU seconds (total, browser, kernel) and kB per tick."""
        book = self.show(name)
        book.ask(f"clock.start({hertz})")
        # What starting costs is not counted. The page's own wait: it takes in the frames.
        self.lab.page.wait_for_timeout(1000)
        seen, server, kernel = chromium(), self.server.process, self.kernels[name]
        others = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        del self.lab.frames[:]
        before = cpu_of(seen), cpu_of(others), cpu_of([kernel])
        self.lab.page.wait_for_timeout(seconds * 1000)
        after = cpu_of(seen), cpu_of(others), cpu_of([kernel])
        size = sum(size for size, _ in self.lab.frames)
        book.ask("clock.stop()")
        browser, rest, own = (late - early for late, early in zip(after, before, strict=True))
        ticks = hertz * seconds
        return (browser + rest) / ticks, browser / ticks, own / ticks, size / 1000 / ticks

    def frame(self, name: str) -> float:
        """Return the kB of one tick alone, without signs of life: the size that most frames have."""
        self.run(name, 10.0, 2.0)
        return statistics.median(size for size, _ in self.lab.frames) / 1000


PANEL = "(jupyterapp.shell.currentWidget.content.node)"


@functools.cache
def measured(rounds: int) -> Found:
    """Run every way `rounds` times in turn, once."""
    from playwright.sync_api import sync_playwright

    from tests.ui.conftest import CHROMIUM, Lab, Server

    folder = Path(tempfile.mkdtemp(prefix="labvirt-bench-"))
    server = Server(folder)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            lab = Lab(browser, server, folder, "bench")
            found = all_ways(Session(lab, server), rounds)
            browser.close()
            return found
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def all_ways(session: Session, rounds: int) -> Found:
    found = Found()
    for way in WAYS:
        session.open(way)
    for number in range(min(rounds, MOST) + 1):
        for way in WAYS:
            total, browser, kernel, kilobytes = session.run(way, HERTZ, SECONDS)
            if number:
                found.total.setdefault(way, []).append(total)
                found.browser.setdefault(way, []).append(browser)
                found.kernel.setdefault(way, []).append(kernel)
                found.kilobytes.setdefault(way, []).append(kilobytes)
    for points in WINDOWS:
        name = f"{PLOTLY} {points} points"
        session.open(PLOTLY, points, name)
        found.flat[name] = [session.frame(name) for _ in range(3)]
    for points in WINDOWS:
        session.show(PEER).ask(f"clock.points = {points}")
        found.flat[f"{PEER} {points} points"] = [session.run(PEER, 2.0, 2.0)[3] for _ in range(3)]
    return found


def processor(rounds: int) -> Result:
    goals = (Goal(PLOTLY, PEER, 0.25, minus=IDLE), Goal(LIGHT, PEER, 0.067, minus=IDLE))
    return Result("charts, CPU of a tick: all processes", measured(rounds).total, goals)


def browser(rounds: int) -> Result:
    goals = (Goal(PLOTLY, PEER, 0.25, minus=IDLE), Goal(LIGHT, PEER, 0.067, minus=IDLE))
    return Result("charts, CPU of a tick: browser", measured(rounds).browser, goals)


def kernel(rounds: int) -> Result:
    return Result("charts, CPU of a tick: kernel", measured(rounds).kernel, ())


def volume(rounds: int) -> Result:
    goals = (Goal(PLOTLY, PEER, 0.02), Goal(LIGHT, PEER, 0.02))
    return Result("charts, bytes of a tick (not ms)", measured(rounds).kilobytes, goals)


def flat(rounds: int) -> Result:
    goals = (Goal(f"{PLOTLY} 600 points", f"{PLOTLY} 60 points", 1.1),)
    return Result("charts, bytes by window (not ms)", measured(rounds).flat, goals)
