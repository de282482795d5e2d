"""Recording: what was taken is in the file, whatever happens to the process, disk or clock."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from made_samples import NOON, Made, uuid_of, value

import labvirt as lv
from labvirt.errors import AccessDeniedError, ConflictError, LabvirtError, SpecError
from labvirt.history import Recorder, Recording, Retention, Source
from labvirt.status.sample import Mark, Sample, Subject, Table
from labvirt.status.series import find_series, series_of

HERE = Path(__file__).parent


def record(path, samples, **options):
    with Recorder(path, **options) as recorder:
        for number, sample in enumerate(samples):
            recorder.take(sample)
            if number % 100 == 99:
                recorder.flush()
    assert recorder.error is None
    assert recorder.lost == 0
    return Recording(path)


def cpu(recording, number=1, **span):
    subject = Subject("alpha", uuid_of(number))
    return recording.window("domain", subject, ["cpu_percent"], **span)


def test_every_value_comes_back_from_chunks_and_tail(path):
    made = Made()
    samples = made.samples(150)
    with Recorder(path) as recorder:
        for sample in samples:
            recorder.take(sample)
        recorder.flush()
        found = Recording(path)  # two chunks, thirty ticks in the tail
        while_written = cpu(found)
    assert isinstance(found, Source)
    for window in (while_written, cpu(found)):
        assert window.times.tolist() == [NOON + n for n in range(150)]
        assert window.values.tolist() == [[value("domain", 1, 0, NOON + n) for n in range(150)]]
    assert found.span() == (NOON, NOON + 149)
    assert found.subjects("interface") == made.subjects["interface"]
    assert found.name(uuid_of(2)) == "web2"
    assert found.check() == ()
    several = found.window(
        "interface",
        made.subjects["interface"][2],
        ["tx_bytes_s", "rx_bytes_s"],
        start=NOON + 58,
        end=NOON + 62,
    )
    assert several.times.tolist() == [NOON + n for n in range(58, 63)]
    columns = [find_series("interface", name) for name in ("tx_bytes_s", "rx_bytes_s")]
    assert several.values.tolist() == [
        [value("interface", 2, column, at) for at in several.times] for column in columns
    ]


def test_samples_come_back_as_they_were(path):
    made = Made()
    samples = made.samples(70)
    samples[20] = made.sample(NOON + 20, stalled={uuid_of(0): NOON + 15})
    made.names[uuid_of(1)] = "renamed"
    samples[40:] = [made.sample(NOON + n) for n in range(40, 70)]
    found = list(record(path, samples).samples())
    assert [each.at for each in found] == [each.at for each in samples]
    for ours, theirs in zip(found, samples, strict=True):
        assert set(ours.tables) == set(theirs.tables)
        for kind, table in theirs.tables.items():
            assert ours.tables[kind].subjects == table.subjects
            assert np.array_equal(ours.tables[kind].values, table.values)
        assert ours.names == theirs.names
        assert ours.stalled == theirs.stalled


def test_domains_that_come_and_go_have_data_only_while_they_are_there(path):
    made = Made(3, kinds=("domain",))
    samples = []
    for number in range(130):
        sample = made.sample(NOON + number)
        table = sample.tables["domain"]
        there = [0, 2] if 50 <= number < 100 else [2, 1, 0]
        cut = Table("domain", tuple(table.subjects[n] for n in there), table.values[there])
        samples.append(Sample("alpha", number, sample.at, 1.0, {"domain": cut}, sample.names))
    found = record(path, samples)
    gone = cpu(found, 1)
    known = ~np.isnan(gone.values[0])
    assert gone.times[known].tolist() == [NOON + n for n in range(130) if not 50 <= n < 100]
    assert not np.isnan(cpu(found, 2).values).any()
    again = list(found.samples())
    assert len(again[60].tables["domain"].subjects) == 2
    assert len(again[110].tables["domain"].subjects) == 3


def test_a_file_explains_itself_to_any_tool(path):
    record(path, Made().samples(3))
    with sqlite3.connect(path) as db:
        rows = {
            (kind, name): (unit, text)
            for kind, name, unit, text in db.execute(
                "SELECT kind, name, unit, definition FROM series"
            )
        }
    db.close()
    for kind in ("domain", "host", "disk"):
        for each in series_of(kind):
            assert rows[kind, each.name] == (each.unit, each.definition)
    assert len(Recording(path).series()) == len(rows)


def test_marks_are_on_the_same_axis(path):
    mark = Mark(NOON + 1, "paused", "alpha", uuid_of(0), "web0 suspended")
    with Recorder(path) as recorder:
        recorder.take(Made().sample(NOON))
        recorder.mark(mark)
    assert Recording(path).marks() == (mark,)
    assert Recording(path).marks(start=NOON + 2) == ()


def test_a_recording_is_gone_on_with_and_tells_of_the_gap(path):
    made = Made()
    record(path, made.samples(10))
    found = record(path, made.samples(10, start=NOON + 100))
    assert len(cpu(found).times) == 20
    assert [(each.at, each.kind, each.text) for each in found.marks()] == [
        (NOON + 100, "gap", "nothing was recorded for 91 s")
    ]


def test_a_clock_that_steps_back_gives_rising_times_and_loses_nothing(path):
    made = Made(1)
    samples = [*made.samples(90), *made.samples(90, start=NOON + 30.5)]
    found = record(path, samples)
    window = cpu(found, 0)
    assert (np.diff(window.times) > 0).all()
    assert len(window.times) == 180
    assert [each.at for each in found.samples()] == sorted(each.at for each in samples)


def test_the_slow_disk_makes_nobody_wait_and_the_oldest_are_dropped(path, monkeypatch):
    recorder = Recorder(path)
    gate = threading.Event()
    write = recorder._writer.write
    monkeypatch.setattr(recorder._writer, "write", lambda *a: (gate.wait(30), write(*a))[1])
    began = time.monotonic()
    for sample in Made(1).samples(1000):
        recorder.take(sample)
    assert time.monotonic() - began < 1
    gate.set()
    recorder.close()
    assert recorder.lost + recorder.samples == 1000
    assert recorder.samples >= 300
    assert Recording(path).span()[1] == NOON + 999


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[2])
from made_samples import Made, NOON
from labvirt.history import Recorder
recorder = Recorder(sys.argv[1])
made = Made(50)
for number in range(10_000):
    recorder.take(made.sample(NOON + number))
    recorder.flush()
    print(number, flush=True)
"""


def start_child(path):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, path, HERE], stdout=subprocess.PIPE, text=True
    )


def test_it_is_read_rightly_while_it_is_written_folded_and_forgotten(path):
    wrong, stop = [], threading.Event()

    def is_right(sample):
        table = sample.tables["domain"]
        rows = [int(who.uuid[-12:]) for who in table.subjects]
        return table.values[:, 0].tolist() == [value("domain", n, 0, sample.at) for n in rows]

    def read(found, number):
        while not stop.is_set():
            window = cpu(found, number)
            known = ~np.isnan(window.values[0])
            expected = [value("domain", number, 0, at) for at in window.times[known]]
            if window.values[0][known].tolist() != expected:
                wrong.append(window)
            recent = found.samples(start=found.span()[1] - 5)
            wrong.extend(sample for sample in recent if not is_right(sample))

    # Each second other domains are there, so layouts come and go.
    made = Made(6, kinds=("domain",))
    samples = []
    for number in range(900):
        sample = made.sample(NOON + number)
        table = sample.tables["domain"]
        rows = [n for n in range(6) if n == 1 or (number // 7) >> n & 1]
        cut = Table("domain", tuple(table.subjects[n] for n in rows), table.values[rows])
        samples.append(Sample("alpha", number, sample.at, 1.0, {"domain": cut}, sample.names))
    with Recorder(path, retention=Retention(age_s=100)) as recorder:
        recorder.take(samples[0])
        recorder.flush()
        readers = [threading.Thread(target=read, args=(Recording(path), n)) for n in (1, 3)]
        for thread in readers:
            thread.start()
        for sample in samples[1:]:
            recorder.take(sample)
            recorder.flush()
        stop.set()
        for thread in readers:
            thread.join()
    assert not wrong
    assert recorder.error is None


def test_a_killed_recorder_loses_nothing_and_the_next_one_goes_on(path):
    child = start_child(path)
    last = -1
    for line in child.stdout:
        last = int(line)
        if last >= 75:
            break
    with pytest.raises(ConflictError, match=f"process {child.pid} records to it"):
        Recorder(path)
    child.send_signal(signal.SIGKILL)
    last = int((child.stdout.read().split() or [last])[-1])
    child.wait()
    child.stdout.close()
    before = Recording(path)
    assert len(cpu(before).times) in (last + 1, last + 2)
    assert before.check() == ()
    found = record(path, Made(50).samples(5, start=NOON + 1e6))
    assert len(cpu(found).times) - len(cpu(before, end=NOON + 1e5).times) == 5
    assert [each.kind for each in found.marks()] == ["gap"]


def test_a_second_recorder_in_the_same_process_is_refused(path):
    with Recorder(path) as first:
        with pytest.raises(ConflictError, match=f"process {os.getpid()} records to it"):
            Recorder(path)
        first.take(Made().sample(NOON))
    assert len(cpu(Recording(path)).times) == 1
    Recorder(path).close()


def test_who_lost_the_file_to_another_stops_and_says_so(path, caplog):
    recorder = Recorder(path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE writer SET token = 'another'")
    db.close()
    with caplog.at_level(logging.CRITICAL, "labvirt"):
        recorder.take(Made().sample(NOON))
        recorder.flush()
    assert recorder.state == "stopped"
    assert "another recorder has taken it over" in str(recorder.error)
    recorder.close()


@pytest.mark.parametrize("change", [Path.unlink, lambda p: p.rename(p.with_suffix(".old"))])
def test_a_file_that_is_taken_away_stops_recording_instead_of_losing_all(path, change, caplog):
    recorder = Recorder(path)
    recorder.take(Made().sample(NOON))
    recorder.flush()
    change(path)
    with caplog.at_level(logging.CRITICAL, "labvirt"):
        recorder.take(Made().sample(NOON + 1))
        recorder.flush()
    assert "moved or removed" in str(recorder.error)
    recorder.close()
    assert not path.exists()
    record(path, Made().samples(3))


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "it is empty"), (b"my thesis\n" * 100, "it is no SQLite file")],
)
def test_what_is_no_recording_is_left_as_it_is(path, content, why):
    path.write_bytes(content)
    for ask in (Recorder, Recording, lv.history.open):
        with pytest.raises(SpecError, match=why):
            ask(path)
    assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_another_database_is_left_as_it_is(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(SpecError, match="a database, but no recording of labvirt"):
        Recorder(path)
    assert path.read_bytes() == before


def test_a_recording_of_a_later_labvirt_is_refused(path):
    record(path, Made().samples(2))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    for ask in (Recorder, Recording):
        with pytest.raises(SpecError, match="a later labvirt"):
            ask(path)


def test_folders_that_are_not_there_or_may_not_be_written_are_told(tmp_path):
    with pytest.raises(AccessDeniedError, match="there is no folder"):
        Recorder(tmp_path / "nowhere" / "a.sqlite")
    with pytest.raises(SpecError, match="is a folder"):
        Recorder(tmp_path)


def test_a_read_only_disk_refuses_a_recorder_and_serves_a_reader(small_disk):
    path = small_disk / "a.sqlite"
    record(path, Made().samples(70), room_bytes=0)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(AccessDeniedError, match="record to"):
        Recorder(path, room_bytes=0)
    with pytest.raises(AccessDeniedError, match="record to"):
        Recorder(small_disk / "b.sqlite", room_bytes=0)
    assert len(cpu(Recording(path)).times) == 70


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


@pytest.mark.parametrize("room", [2**20, 0], ids=["stops before it is full", "full all at once"])
def test_a_full_disk_stops_recording_with_one_word_and_the_file_stays_readable(
    small_disk, room, caplog
):
    path = small_disk / "a.sqlite"
    marks = []
    recorder = Recorder(path, tell=marks.append, room_bytes=room)
    made = Made(20)
    with caplog.at_level(logging.CRITICAL, "labvirt"):
        for sample in made.samples(100):
            recorder.take(sample)
        recorder.flush()
        fill(small_disk)
        for sample in made.samples(200, start=NOON + 100):
            recorder.take(sample)
            recorder.flush()
    assert recorder.state == "stopped"
    assert "left on its disk" in recorder.error.what or "no space left" in recorder.error.what
    assert [(each.kind, each.host) for each in marks] == [("fault", "alpha")]
    assert recorder.lost > 0
    recorder.close()
    found = Recording(path)  # the disk is still full
    assert len(cpu(found).times) >= 100
    assert found.check() == ()
    (small_disk / "filler").unlink()
    again = record(path, made.samples(10, start=NOON + 1000), room_bytes=0)
    assert len(cpu(again).times) == len(cpu(found, end=NOON + 999).times) + 10


def test_a_disk_without_room_is_refused_before_anything_is_made(small_disk):
    with pytest.raises(LabvirtError, match="cannot begin: only"):
        Recorder(small_disk / "a.sqlite")
    assert list(small_disk.iterdir()) == []


def test_retention_by_age_removes_the_oldest(path):
    made = Made()
    found = record(path, made.samples(600), retention=Retention(age_s=120))
    first, last = found.span()
    assert last == NOON + 599
    assert 120 <= last - first <= 240
    assert found.check() == ()


def test_retention_by_size_keeps_the_file_small(path):
    random = np.random.default_rng(1)
    made = Made(400, kinds=("domain",))

    def noisy(at):
        sample = made.sample(at)
        sample.tables["domain"].values[:] = random.random((400, len(series_of("domain"))))
        return sample

    # about 1.5 MB a chunk
    samples = [noisy(NOON + n) for n in range(600)]
    found = record(path, samples, retention=Retention(size_bytes=6 * 2**20))
    assert found.size_bytes <= 9 * 2**20
    assert found.span()[1] == NOON + 599
    assert found.span()[0] > NOON
    assert found.check() == ()


@pytest.mark.parametrize("bad", [{"age_s": 5}, {"size_bytes": 100}, {"age_s": float("nan")}])
def test_retention_that_would_keep_nothing_is_refused(bad):
    with pytest.raises(SpecError, match="retention"):
        Retention(**bad)


def test_a_closed_recorder_takes_nothing_and_leaves_nothing_beside_the_file(path):
    before = set(threading.enumerate())
    recorder = Recorder(path)
    recorder.take(Made().sample(NOON))
    recorder.stop()
    recorder.close()
    recorder.take(Made().sample(NOON + 1))
    assert recorder.state == "closed"
    assert recorder.samples == 1
    assert set(threading.enumerate()) == before
    Recording(path).check()
    assert [each.name for each in path.parent.iterdir()] == [path.name]
