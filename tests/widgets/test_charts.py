"""`lv.ui.charts` without a browser: targets, boards, replay, closing, and what a cell made before."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from synthetic import Host, lab

import labvirt as lv
from labvirt.errors import LabvirtError, NotFoundError, SpecError
from labvirt.history.history import History
from labvirt.history.recorder import Recorder
from labvirt.widgets import registry as registries
from labvirt.widgets.code import STATIC, bundle, stub
from labvirt.widgets.panels import COLOURS
from labvirt.widgets.picking import lines_of
from labvirt.widgets.registry import Registry
from labvirt.widgets.targets import driver_of

OPTIONS = {"engine": "light", "window_s": 60, "groups": None, "panels": None, "source": None}
JS = Path(lv.__file__).parent / "widgets" / "js"


def driver(target, **options):
    return driver_of(target, **{**OPTIONS, **options})[0]


@pytest.fixture
def host():
    return Host(guests=("web1", "db1"), disks=("vda", "vdb")).fill(30)


def panels(target, **options):
    return {panel.key: panel for panel in driver(target, **options).panels()}


# -- boards ---------------------------------------------------------------------------------


def test_a_domain_has_all_its_panels(host):
    made = panels(host["web1"])
    assert list(made) == ["cpu", "vcpu", "memory", "disk", "latency", "network"]
    assert [line.label for line in made["vcpu"].lines] == ["vCPU 0", "vCPU 1"]
    assert [line.label for line in made["disk"].lines] == [
        *("vda read", "vda written", "vdb read", "vdb written"),
    ]
    assert [line.negated for line in made["disk"].lines] == [False, True, False, True]
    assert all(line.series.unit == panel.unit for panel in made.values() for line in panel.lines)


def test_steal_is_shown_when_it_is_asked_for(host):
    lines = panels(host["web1"], groups=("cpu", "steal"))["cpu"].lines
    assert [line.series.name for line in lines] == ["cpu_percent", "cpu_steal_percent"]


def test_domains_are_compared_in_colours_of_their_own(host):
    made = panels([host["web1"], host["db1"]])
    assert list(made) == ["cpu", "memory", "disk", "network"]
    assert [line.colour for line in made["cpu"].lines] == list(COLOURS[:2])
    read, written = made["disk"].lines[:2]
    assert (read.colour, read.dash) == (written.colour, "solid")
    assert written.dash == "dash"


def test_a_host_shows_itself_and_who_uses_it(host):
    made = panels(host)
    assert list(made) == [
        *("host_cpu", "host_memory", "cpu_by_domain", "memory_by_domain", "disk", "network"),
    ]
    assert made["cpu_by_domain"].style == "stack"
    assert [line.label for line in made["cpu_by_domain"].lines] == ["db1", "web1"]


def test_hosts_of_a_lab_are_named(host):
    made = panels(lab(host, Host("beta", guests=("web1",)).fill(5)))
    assert [line.label for line in made["cpu_by_domain"].lines] == [
        *("db1 (alpha)", "web1 (alpha)", "web1 (beta)"),
    ]
    assert made["host_cpu"].lines[0].label == "alpha host"


def test_keys_are_unique_and_panels_can_be_picked(host):
    for target in (host, host["web1"], [host["web1"], host["db1"]]):
        keys = [line.key for line in lines_of(driver(target).panels())]
        assert len(keys) == len(set(keys))
    assert list(panels(host["web1"], panels=["memory", "cpu"])) == ["memory", "cpu"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"panels": ["cpus"]}, "cpus"),
        ({"groups": ["cpus"]}, "groups"),
        ({"engine": "excel"}, "engine"),
        ({"window_s": 0}, "window_s"),
        ({"window_s": float("nan")}, "window_s"),
        ({"source": "file.db"}, "no source"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_error(host, options, words):
    with pytest.raises(SpecError, match=words):
        driver(host["web1"], **options)
    assert host.sampler.asked == []


@pytest.mark.parametrize("target", [None, 7, "web1", [1], [], {}])
def test_what_is_no_target_is_one_clear_error(target):
    with pytest.raises(SpecError, match="draw charts"):
        driver(target)


# -- replay ---------------------------------------------------------------------------------------


def recording(guests=("web1",), seconds=120):
    return Host(guests=guests).fill(seconds, until=10_000).history


def test_a_recording_stands_at_its_end_and_is_played_from_its_beginning():
    source = recording()
    board = driver(source)
    assert board.span == (9880, 9999)
    assert board.interval_s == 1
    assert board.window(60)[0].tolist() == list(range(9939, 10000))
    board.play(speed=10)
    assert board.window(60)[0].tolist() == [9880]
    tick = board.advance(2.0)
    assert tick.rows[:, 0].tolist() == list(range(9881, 9901))
    assert tick.rows.shape[1] == 1 + len(lines_of(board.panels()))
    assert board.advance(0.05).rows.shape[0] == 0
    board.seek(9950)
    assert board.advance(0.1).rows[:, 0].tolist() == [9951]
    assert board.advance(100).rows[-1, 0] == 9999
    assert board.state()["playing"] is False
    board.seek(-5)
    assert board.window(60)[0].tolist() == [9880]


def test_a_recording_is_played_in_real_time_by_a_thread_that_ends():
    board = driver(recording())
    got = []
    board.start(got.append)
    assert got == []
    assert board.control({"t": "play", "on": True, "speed": 100}) is True
    until = time.monotonic() + 10
    while sum(tick.rows.shape[0] for tick in got) < 119 and time.monotonic() < until:
        time.sleep(0.02)
    assert board.state()["playing"] is False
    times = np.concatenate([tick.rows[:, 0] for tick in got])
    assert times.tolist() == list(range(9881, 10000))
    board.stop()
    assert not [t for t in threading.enumerate() if t.name == "labvirt-replay"]


def test_what_a_recorder_wrote_is_played_with_its_marks(tmp_path):
    host = Host(interval_s=1.0)
    with Recorder(tmp_path / "run.sqlite") as recorder:
        recorder.follow(host.sampler)
        for n in range(60):
            host.sampler.tick(at=10_000.0 + n)
    source = lv.history.open(tmp_path / "run.sqlite")
    board = driver(source)
    assert [panel.key for panel in board.panels()][:2] == ["cpu", "vcpu"]
    block = board.window(30)
    assert block[0].tolist() == [10_000.0 + n for n in range(29, 60)]
    cpu = [sample.tables["domain"].values[0, 0] for sample in host.history.samples]
    assert block[1].tolist() == pytest.approx(cpu[29:], rel=1e-6)


def test_the_ring_of_a_host_feeds_its_charts():
    host = Host(interval_s=1.0)
    host.history = History()
    host.fill(40)
    host.mark("moved", ago=3)
    board = driver(host["web1"])
    block = board.window(60)
    assert block.shape == (1 + len(lines_of(board.panels())), 40)
    assert not np.isnan(block).any()
    assert [mark.text for mark in board.marks(60)] == ["moved"]
    charts = lv.ui.charts([host["web1"]], engine="light")
    assert set(charts.df()["domain"]) == {"web1"}


def test_a_recording_of_several_shows_who_used_what_or_the_chosen_ones():
    source = recording(("web1", "db1"))
    assert "cpu_by_domain" in {panel.key for panel in driver(source).panels()}
    web1 = Host(guests=("web1",))["web1"]
    assert "vcpu" in {panel.key for panel in driver(web1, source=source).panels()}


def test_an_empty_recording_is_said_to_be_empty():
    with pytest.raises(NotFoundError, match="no sample"):
        driver(Host().history)


# -- the object ----------------------------------------------------------------------------------


def test_charts_close_once_and_for_all(host):
    charts = lv.ui.charts(host["web1"], engine="light")
    assert "image/png" not in charts._repr_mimebundle_()
    assert host.sampler.is_running
    charts.close()
    charts.close()
    assert not host.sampler.is_running
    assert repr(charts) == "<Charts of web1: closed>"
    with pytest.raises(LabvirtError, match="closed"):
        _ = charts.widget


def test_charts_give_figures_pictures_and_tables(host):
    charts = lv.ui.charts(host["web1"], engine="light")
    assert len(charts.figure().data) == len(lines_of(charts.driver.panels()))
    assert charts.png()[:4] == b"\x89PNG"
    assert "text/plain" in charts.bundle()
    assert charts.df().to_dict("records") == [{"kind": "domain", "domains": ("alpha-0",)}]
    assert not host.sampler.is_running


def cycle(host, times):
    for _ in range(times):
        charts = lv.ui.charts(host["web1"], engine="light")
        charts._repr_mimebundle_()
        charts.feed.receive({"t": "hello", "view": "a"})
        host.sampler.tick()
        charts.close()
        del host.history.samples[30:]


def test_a_thousand_openings_grow_by_less_than_five_mebibytes(host):
    import psutil

    cycle(host, 50)
    gc.collect()
    before = psutil.Process().memory_info().rss
    threads = threading.active_count()
    cycle(host, 1000)
    gc.collect()
    assert psutil.Process().memory_info().rss - before < 5 * 2**20
    assert threading.active_count() <= threads
    assert not host.sampler.listeners


# -- cells -------------------------------------------------------------------------------------


class Made:
    closed = False

    def close(self):
        self.closed = True


def test_a_cell_run_again_closes_what_it_made_before(monkeypatch):
    now = ["c1", "run1", ()]
    monkeypatch.setattr(registries, "cell_now", lambda: tuple(now))
    living = Registry()
    made = [Made() for _ in range(7)]
    living.claim(made[0], "k")
    living.claim(made[1], "k")  # two in one run of a cell
    assert not made[0].closed
    now[:] = ["c2", "run2", ()]
    living.claim(made[2], "k")
    now[:] = ["c1", "run3", ()]
    living.claim(made[3], "k")
    assert [each.closed for each in made[:4]] == [True, True, False, False]
    now[:] = ["c3", "run4", ("c2",)]
    living.claim(made[4], "k")
    assert made[2].closed
    now[:] = ["", "run5", ()]  # papermill names no cell
    living.claim(made[5], "k")
    now[:] = ["", "run6", ()]
    living.claim(made[6], "k")
    assert made[5].closed
    assert not made[4].closed
    for each in made:
        living.forget(each)
    assert len(living) == 0


def test_outside_of_a_kernel_nothing_is_closed_behind_ones_back():
    living, made = Registry(), Made()
    living.claim(made, "k")
    living.claim(Made(), "k")
    assert len(living) == 0
    assert not made.closed


# -- what is built -----------------------------------------------------------------------------


def test_what_travels_with_each_widget_is_small():
    assert len(stub()) < 2000
    assert len(bundle("charts")) < 150_000


def test_every_package_in_the_files_has_its_licence_beside_them():
    made = json.loads((STATIC / "parts.json").read_text())
    lock = json.loads((JS / "package-lock.json").read_text())["packages"]
    text = (STATIC / "LICENSES.txt").read_text()
    assert set(made) == {file.name for file in STATIC.glob("*.js")}
    packages = {part for file in made.values() for part in file["parts"]} - {"labvirt"}
    assert packages
    for name in packages:
        known = lock[f"node_modules/{name}"]
        _before, heading, after = text.partition(
            f"\n{name} {known['version']} ({known['license']})\n"
        )
        assert heading, name
        own = after.split("Unmodified; its source is https://")[1]
        words = {"MIT": "Permission is hereby granted", "MPL-2.0": "Mozilla Public License Version"}
        assert words[known["license"]] in own, name
    for name, file in made.items():
        size = (STATIC / name).stat().st_size
        assert file["bytes"] == size
        assert 0 <= size - sum(file["parts"].values()) < 200, "nothing comes from elsewhere"


@pytest.mark.skipif(shutil.which("npm") is None, reason="no npm (Debian package npm)")
def test_the_build_gives_the_committed_files_again(tmp_path):
    """Another JavaScript than the sources say must not be in the package."""
    copy = tmp_path / "widgets"
    shutil.copytree(JS, copy / "js", ignore=shutil.ignore_patterns("node_modules"))
    for command in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
        done = subprocess.run(
            command, cwd=copy / "js", capture_output=True, text=True, timeout=150, check=False
        )
        if command[1] == "ci" and done.returncode and "network" in done.stderr.lower():
            pytest.skip("npm cannot reach its registry")
        assert done.returncode == 0, done.stdout + done.stderr
    built = {file.name: file.read_bytes() for file in (copy / "static").iterdir()}
    assert set(built) == {file.name for file in STATIC.iterdir()}
    for name, content in built.items():
        assert content == (STATIC / name).read_bytes(), name


def test_the_light_import_stays_light():
    code = "import sys, labvirt.widgets.charts as _; print([m for m in NAMES if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code.replace("NAMES", "('anywidget', 'plotly', 'pandas')")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert out.stdout.strip() == "[]"
