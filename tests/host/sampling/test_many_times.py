"""Charts opened and closed again and again over a real sampler: nothing grows, nothing stays."""

from __future__ import annotations

import gc
import re
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest
from ipywidgets.widgets.widget import _instances

import labvirt as lv

pytestmark = pytest.mark.lab
MIB = 1 << 20


@pytest.fixture(scope="module")
def idle(lab):
    """A paused guest with a disk."""
    spec = lv.DomainSpec(
        name="idle",
        memory="32 MiB",
        disks=(lv.DiskSpec(size="1 MiB"),),
        interfaces=(),
        agent=False,
        rng=False,
    )
    domain = lab["alpha"].plan(spec, paused=True).apply()
    yield domain
    domain.destroy(confirm=True)
    domain.undefine(confirm=True)


def look_at_charts(domain, number, engine):
    """Open charts as a notebook does, with one view or two, and close them."""
    charts = lv.ui.charts(domain, engine=engine)
    charts._repr_mimebundle_()
    for view in range(1 + number % 2):
        charts.feed.receive({"t": "hello", "view": f"view{view}"})
    assert domain.host.sampler.is_running
    charts.close()


def _is_worker(thread):
    return re.fullmatch(r"labvirt \d+ call", thread.name) is not None


def grown(domain, cycles, until):
    """Return by how many bytes the process grew, after what is done once has been done."""
    host = domain.host

    def left():
        # A link keeps a few idle workers for its next calls; how many depends on how busy it is here.
        names = Counter(each.name for each in threading.enumerate() if not _is_worker(each))
        workers = max(
            Counter(each.name for each in threading.enumerate() if _is_worker(each)).values(),
            default=0,
        )
        assert workers <= 16
        # ipywidgets keeps every widget until it is closed, its layout too.
        return names, sum(1 for _ in Path("/proc/self/fd").iterdir()), len(_instances)

    def more():
        (names, files, widgets), (old_names, old_files, old_widgets) = left(), before
        return names - old_names or files > old_files or widgets != old_widgets

    def rss():
        # The history is bounded and filled by and by: no part of what a chart leaves behind.
        host.history.clear()
        gc.collect()
        return psutil.Process().memory_info().rss

    with host.sampler.listen(lambda sample: None, groups=("cpu", "disk", "balloon")):
        pass
    for number in range(30):
        look_at_charts(domain, number, ("light", "plotly")[number % 2])
    before, was = left(), rss()
    for number in range(cycles):
        look_at_charts(domain, number, ("light", "plotly")[number % 2])
    until(lambda: not more(), f"threads, files and widgets to be as before: {before}, {left()}")
    assert not host.sampler.is_running
    assert not host.sampler.stalled
    return rss() - was


def test_a_hundred_charts_leave_nothing(idle, until):
    assert grown(idle, 100, until) < 2 * MIB


@pytest.mark.slow(seconds=45)
def test_a_thousand_charts_leave_less_than_five_mebibytes(idle, until):
    assert grown(idle, 1000, until) < 5 * MIB
