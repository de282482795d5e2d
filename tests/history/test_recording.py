"""Recordings: read as tables, played again, and read as far as damage allows."""

from __future__ import annotations

import logging
import shutil
import threading
import time

import numpy as np
import pytest
from made_samples import NOON, Made, uuid_of

import labvirt as lv
from labvirt.errors import LabvirtError, NotFoundError, SpecError
from labvirt.history import History, Recorder, Recording, Source
from labvirt.status.sample import Mark, Subject


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Ten minutes of forty busy domains: ten chunks, a megabyte."""
    path = tmp_path_factory.mktemp("recordings") / "whole.sqlite"
    made = Made(40, kinds=("domain",))
    random = np.random.default_rng(3)
    with Recorder(path) as recorder:
        for sample in made.samples(600):
            sample.tables["domain"].values[:, 1] = random.random(40)
            recorder.take(sample)
            recorder.flush()
        recorder.mark(Mark(NOON + 30, "paused", "alpha", uuid_of(1), "web1 suspended"))
    return path


@pytest.fixture
def copy(whole, path):
    shutil.copy(whole, path)
    return path


def cpu(recording, number=1, **span):
    return recording.window("domain", Subject("alpha", uuid_of(number)), ["cpu_percent"], **span)


def test_a_table_has_names_units_and_utc(whole):
    found = lv.history.open(whole)
    long = found.df(domains=["web1"], fields=["cpu_percent"], end=NOON + 9)
    assert list(long.columns) == [
        "time",
        "host",
        "domain",
        "uuid",
        "device",
        "series",
        "value",
        "unit",
    ]
    assert len(long) == 10
    assert set(long["unit"]) == {"%"}
    assert str(long["time"].iloc[0]) == "2026-11-23 12:00:00+00:00"
    wide = found.df(fields=["cpu_percent", "memory_bytes"], form="wide")
    assert len(wide) == 600 * 40
    history = History()
    for sample in found.samples(start=NOON + 500):
        history.take(sample)
    ours = found.df(start=NOON + 500, form="wide", fields=["cpu_percent", "cpu_host_percent"])
    theirs = history.df(form="wide", fields=["cpu_percent", "cpu_host_percent"])
    assert ours.equals(theirs)


@pytest.mark.parametrize(
    "ask",
    [
        lambda r: cpu(r) and r.window("domain", Subject("alpha"), ["cpu_procent"]),
        lambda r: r.df("domains"),
        lambda r: r.df(form="tall"),
        lambda r: r.df(domains=["nobody"]),
        lambda r: r.subjects("cpu"),
        lambda r: r.replay(speed=0),
    ],
)
def test_a_wrong_question_is_told(whole, ask):
    with pytest.raises(SpecError):
        ask(Recording(whole))


def test_nobody_known_has_an_empty_window(whole):
    found = Recording(whole)
    assert found.window("domain", Subject("alpha", "x"), ["cpu_percent"]).values.shape == (1, 0)
    assert found.name("x") == "x"
    with pytest.raises(NotFoundError):
        lv.history.open(whole.with_name("gone.sqlite"))


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(copy, caplog):
    size = copy.stat().st_size
    with copy.open("r+b") as file:
        file.truncate(size * 6 // 10)
    with caplog.at_level(logging.CRITICAL, "labvirt"):
        found = Recording(copy)
        window = cpu(found)
        known = ~np.isnan(window.values[0])
        problems = " ".join(found.check())
    assert 120 <= known.sum() < 600
    assert window.values[0][known].tolist() == [
        (at - NOON) % 600 + 0.5 for at in window.times[known]
    ]
    assert "damaged or cut off" in problems
    assert "cannot be read" in problems or "are lost" in problems


@pytest.mark.parametrize("seed", range(6))
def test_damage_anywhere_costs_a_part_and_never_a_wrong_number_silently(copy, seed, caplog):
    random = np.random.default_rng(seed)
    size = copy.stat().st_size
    with copy.open("r+b") as file:
        file.seek(int(random.integers(16384 * 8, size - 65536)) // 4096 * 4096)
        file.write(random.bytes(32768))
    with caplog.at_level(logging.CRITICAL, "labvirt"):
        try:
            found = Recording(copy)
            window = cpu(found)
            problems = found.check()
        except LabvirtError as error:
            assert "damaged" in str(error)  # noqa: PT017 - either is right
            return
    known = ~np.isnan(window.values[0])
    expected = [(at - NOON) % 600 + 0.5 for at in window.times[known]]
    assert window.values[0][known].tolist() == expected
    assert problems


def test_a_file_whose_tables_are_gone_is_one_clear_error(copy, caplog):
    with copy.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 200_000)
    with caplog.at_level(logging.CRITICAL, "labvirt"), pytest.raises(LabvirtError, match="damaged"):
        Recording(copy)
    with pytest.raises(LabvirtError, match="damaged"):
        Recorder(copy)


def played(replay, count, timeout_s=10):
    got, done = [], threading.Event()

    def take(sample):
        got.append(sample)
        if len(got) >= count:
            done.set()

    with replay.listen(take, groups=("cpu",)):
        done.wait(timeout_s)
    return got


def test_a_replay_plays_in_order_at_its_speed(whole):
    replay = Recording(whole).replay(speed=50)
    assert isinstance(replay, Source)
    assert replay.span() == (NOON, NOON)
    assert len(cpu(replay).times) == 0
    began = time.monotonic()
    got = played(replay, 51)
    took = time.monotonic() - began
    assert [each.at for each in got[:51]] == [NOON + n for n in range(51)]
    assert 0.9 <= took < 3
    assert replay.state == "waiting"
    # what was played is its past; the future is not told
    now = replay.now
    assert cpu(replay).times[-1] == now
    assert replay.span() == (NOON, now)
    assert [each.kind for each in replay.marks()] == ["paused"]
    # it goes on where it was
    assert played(replay, 1)[0].at == now + 1


def test_a_replay_pauses_jumps_and_ends(whole):
    replay = Recording(whole).replay(speed=1000, start=NOON + 590)
    got = []
    with replay.listen(got.append):
        deadline = time.monotonic() + 10
        while replay.state != "ended" and time.monotonic() < deadline:
            time.sleep(0.01)
    assert [each.at for each in got] == [NOON + n for n in range(590, 600)]
    replay.seek(NOON + 595)
    assert played(replay, 5)[0].at == NOON + 595
    replay.seek(NOON + 10)
    replay.pause()
    with replay.listen(got.append):
        time.sleep(0.1)
        assert replay.state == "paused"
        count = len(got)
        replay.resume()
        deadline = time.monotonic() + 10
        while len(got) == count and time.monotonic() < deadline:
            time.sleep(0.01)
    assert got[count].at == NOON + 10


def test_a_listener_that_fails_does_not_stop_the_others(whole, caplog):
    replay = Recording(whole).replay(speed=1000)

    def fail(_):
        raise RuntimeError("broken view")

    with caplog.at_level(logging.CRITICAL, "labvirt"), replay.listen(fail):
        assert len(played(replay, 20)) >= 20
    assert not replay.is_running


def test_nothing_runs_when_nobody_listens(whole):
    before = threading.active_count()
    replay = Recording(whole).replay(speed=10)
    for _ in range(50):
        replay.listen(lambda _: None).close()
    assert threading.active_count() == before
