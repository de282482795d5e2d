"""From the run of a cell to a usable manager: real libvirtd with 1, 100 and 500 domains, some paused.

The peer does what virt-manager does when it connects: `virsh list --all`, then for every domain the
calls that its rows need (state, XML, autostart, snapshots), one after another, in one process.
"""

from __future__ import annotations

import functools
import gc
import os
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.bench.measure import Goal, Result

COUNTS = {1: 0, 100: 10, 500: 50}

PEER = """
import libvirt, time
began = time.perf_counter()
link = libvirt.open({uri!r})
for each in link.listAllDomains():
    each.info(); each.state(); each.XMLDesc(0); each.autostart(); each.hasManagedSaveImage()
    each.snapshotNum()
print(time.perf_counter() - began)
link.close()
"""
SHOW = """
import labvirt as lv, os
manager = lv.ui.manager({uri!r})
manager
"""


@dataclass
class Found:
    """Seconds by way; and what is left after many views, by view."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def grown(host: Any, have: int, want: int, paused: int) -> None:
    """Define domains up to a number, and start some of them paused."""
    import labvirt as lv

    plain: dict[str, Any] = {"memory": "16 MiB", "interfaces": (), "agent": False, "rng": False}
    for number in range(have, want):
        spec = lv.DomainSpec(name=f"vm{number}", tags=("web",) if number % 3 else (), **plain)
        host.plan(spec, start=False).apply()
    running = sum(record.is_active for record in host.domains.records)
    for number in range(running, paused):
        host.domains[f"vm{number}"].start(paused=True)


def opened(lab: Any, uri: str, count: int, number: int) -> tuple[float, float]:
    """Return the seconds from the run of a cell to all rows, in a new kernel; and those of the peer."""
    book = lab.open(f"manager{count}-{number}", SHOW.format(uri=uri), run=False)
    began = time.perf_counter()
    book.run()
    lab.page.wait_for_function(
        "(rows) => +document.querySelector('.labvirt-manager [data-lv=ready]')?.dataset.rows >= rows",
        arg=count + 1,
        timeout=60_000,
    )
    spent = time.perf_counter() - began
    peer = float(book.ask(PEER.format(uri=uri), timeout_s=60))
    book.ask("manager.close()")
    book.close()
    return spent, peer


@functools.cache
def measured(rounds: int) -> Found:
    """Open managers over a growing host, `rounds` times each."""
    from playwright.sync_api import sync_playwright

    import labvirt as lv
    from tests.ui.conftest import CHROMIUM, Lab, Server

    folder = Path(tempfile.mkdtemp(prefix="labvirt-bench-"))
    server, found = Server(folder), Found()
    try:
        with (
            lv.Lab.start(
                f"mngbench-{os.getpid()}", hosts=1, backend="session", ephemeral=True
            ) as own,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            lab, have = Lab(browser, server, folder, "bench"), 0
            uri = next(iter(own.uris.values()))
            for count, paused in COUNTS.items():
                grown(own.hosts[0], have, count, paused)
                have = count
                for number in range(rounds + 1):
                    spent, peer = opened(lab, uri, count, number)
                    if number:
                        found.seconds.setdefault(f"manager, {count}", []).append(spent)
                        found.seconds.setdefault(f"per-domain calls, {count}", []).append(peer)
            browser.close()
            own.stop()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return found


def usable(rounds: int) -> Result:
    """From the run of the cell in a new kernel (imports too) to all rows drawn."""
    found = measured(max(1, min(3, rounds)))
    goals = tuple(Goal(f"manager, {n}", "manager, 1", 3.0) for n in COUNTS if n > 1)
    return Result("cell to usable manager, 1, 100, 500 domains", found.seconds, goals)


def state_of() -> tuple[int, int, int, int]:
    """Return threads, open files, widgets that live, and memory in bytes."""
    from ipywidgets.widgets.widget import _instances

    gc.collect()
    own = psutil.Process()
    return threading.active_count(), own.num_fds(), len(_instances), own.memory_info().rss


def cycles(count: int = 1000) -> dict[str, str]:
    """Open and close each view so many times over one real host; return what grew.

    ``python -c "from tests.bench.manager import cycles; print(cycles())"``
    """
    import labvirt as lv

    found = {}
    with lv.Lab.start(f"mngcyc-{os.getpid()}", hosts=1, backend="session", ephemeral=True) as own:
        host = own.hosts[0]
        grown(host, 0, 1, 1)
        domain = host.domains["vm0"]
        device = lv.GraphicsSpec(kind="vnc", listen="none")
        seen = lv.DomainSpec(
            name="seen", memory="16 MiB", interfaces=(), agent=False, rng=False, graphics=device
        )
        host.plan(seen).apply()
        views: dict[str, Any] = {
            "overview": lambda: lv.ui.overview(host),
            "manager": lambda: lv.ui.manager(host),
            "details": lambda: lv.ui.details(domain),
            "charts": lambda: lv.ui.charts(domain),
            "create": lambda: lv.ui.create(host),
            "network_form": lambda: lv.ui.network_form(host),
            "pool_form": lambda: lv.ui.pool_form(host),
            "volume_form": lambda: lv.ui.volume_form(host.pools["default"]),
            "console": lambda: lv.ui.console(domain),
            "screen": lambda: lv.ui.screen(host.domains["seen"]),
        }
        for name, make in views.items():
            try:
                found[name] = _cycled(make, count)
            except lv.LabvirtError as error:
                found[name] = f"not opened: {error.what}"
        own.stop()
    return found


def _once(make: Any) -> None:
    made = make()
    _ = getattr(made, "widget", None)
    made.close()


def _cycled(make: Any, count: int) -> str:
    for _ in range(20):
        _once(make)
    time.sleep(1.0)
    before = state_of()
    began = time.perf_counter()
    for _ in range(count):
        _once(make)
    took = time.perf_counter() - began
    for _ in range(600):
        after = state_of()
        if after[0] <= before[0]:
            break
        time.sleep(0.1)
    threads, files, widgets, memory = (
        late - early for late, early in zip(after, before, strict=True)
    )
    return (
        f"{count} cycles, {took / count * 1000:.1f} ms each: threads {threads:+d}, open files "
        f"{files:+d}, widgets {widgets:+d}, memory {memory / 2**20:+.1f} MiB"
    )
