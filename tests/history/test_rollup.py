"""Roll-ups: right numbers, whole files, nothing lost when it is done again, fast to ask."""

from __future__ import annotations

import logging
import sys
import time

import numpy as np
import pytest
from made_samples import NOON, Made, uuid_of

import labvirt as lv
from labvirt.errors import LabvirtError, SpecError, UnsupportedError
from labvirt.history import ParquetSource, Recorder, Recording, Retention, Source, rollup
from labvirt.status.sample import Mark, Sample, Subject, Table
from labvirt.status.series import series_of

pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "rolled"


def record(path, samples, marks=(), **options):
    with Recorder(path, **options) as recorder:
        for sample in samples:
            recorder.take(sample)
            recorder.flush()
        for mark in marks:
            recorder.mark(mark)
    return Recording(path)


def files(folder):
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in sorted(folder.rglob("*"))
        if each.is_file()
    }


def cpu(source, number=1, **span):
    return source.window("domain", Subject("alpha", uuid_of(number)), ["cpu_percent"], **span)


def test_mean_lowest_highest_and_last_of_each_minute(path, folder):
    mark = Mark(NOON + 3, "paused", "alpha", uuid_of(1), "web1 suspended")
    recording = record(path, Made().samples(150), [mark])
    done = rollup(recording, folder)
    assert len(done.written) == 4
    wanted = {
        "mean": [30.0, 90.0, 135.0],
        "min": [0.5, 60.5, 120.5],
        "max": [59.5, 119.5, 149.5],
        "last": [59.5, 119.5, 149.5],
    }
    for statistic, values in wanted.items():
        source = ParquetSource(folder, statistic=statistic)
        window = cpu(source)
        assert window.times.tolist() == [NOON, NOON + 60, NOON + 120]
        assert window.values.tolist() == [values]
    assert isinstance(source, Source)
    assert source.span() == (NOON, NOON + 120)
    assert source.subjects("domain") == tuple(Made().subjects["domain"])
    assert source.name(uuid_of(2)) == "web2"
    assert source.marks() == (mark,)
    assert cpu(source, start=NOON + 60, end=NOON + 60).values.tolist() == [[119.5]]
    opened = lv.history.open(folder)
    wide = opened.df(domains=["web1"], fields=["cpu_percent", "memory_bytes"], form="wide")
    assert wide["cpu_percent"].tolist() == wanted["mean"]
    assert len(opened.df(fields=["cpu_percent"])) == 9
    top = opened.top("cpu_percent", 2)
    assert top["domain"].tolist() == ["web2", "web1"]


def test_rolling_up_again_changes_no_byte_and_goes_on_where_it_was(path, folder):
    made = Made()
    record(path, made.samples(150))
    rollup(path, folder)
    first = files(folder)
    again = rollup(path, folder)
    assert again.written == ()
    assert files(folder) == first
    record(path, made.samples(120, start=NOON + 150))
    rollup(path, folder)
    whole = cpu(ParquetSource(folder))
    assert whole.times.tolist() == [NOON + 60 * n for n in range(5)]
    assert whole.values[0, 2] == 150.0  # the third minute is complete now


def test_what_the_recording_has_forgotten_stays(path, folder):
    made = Made(1, kinds=("domain",))
    record(path, made.samples(300))
    rollup(path, folder)
    before = cpu(ParquetSource(folder), 0)
    recording = record(path, made.samples(300, start=NOON + 300), retention=Retention(age_s=100))
    assert recording.span()[0] > NOON + 300
    rollup(path, folder)
    after = cpu(ParquetSource(folder), 0)
    assert after.times[:5].tolist() == before.times.tolist()
    assert after.values[0, :5].tolist() == before.values[0].tolist()
    assert after.times[-1] == NOON + 540


def test_missing_values_and_domains_that_come_and_go(path, folder):
    made = Made(2, kinds=("domain",))
    samples = []
    for number in range(60):
        sample = made.sample(NOON + number)
        table = sample.tables["domain"]
        values = table.values.copy()
        values[0, 0] = np.nan if number % 2 else number
        values[0, 1] = np.nan
        rows = [0, 1] if number < 30 else [0]
        cut = Table("domain", tuple(table.subjects[n] for n in rows), values[rows])
        samples.append(Sample("alpha", number, sample.at, 1.0, {"domain": cut}, sample.names))
    record(path, samples)
    rollup(path, folder)
    source = ParquetSource(folder)
    assert cpu(source, 0).values.tolist() == [[29.0]]
    assert cpu(source, 1).values.tolist() == [[15.0]]
    empty = source.window("domain", Subject("alpha", uuid_of(0)), ["cpu_host_percent"])
    assert np.isnan(empty.values).all()
    assert len(source.df(fields=["cpu_host_percent"], domains=["web0"])) == 0
    assert cpu(ParquetSource(folder, statistic="last"), 0).values.tolist() == [[58.0]]


def test_files_are_by_hour_and_say_what_they_hold(path, folder):
    import pyarrow.parquet as pq

    made = Made(2)
    record(path, [made.sample(NOON + 60 * n, interval_s=60.0) for n in range(150)])
    rollup(path, folder)
    names = sorted(each.name for each in (folder / "domain").iterdir())
    assert names == [f"2026-11-23T{hour}.parquet" for hour in (12, 13, 14)]
    schema = pq.read_schema(folder / "domain" / names[0])
    field = schema.field("cpu_percent_mean")
    assert field.metadata[b"unit"] == b"%"
    assert series_of("domain")[0].definition.encode() in field.metadata[b"definition"]
    assert cpu(ParquetSource(folder)).times.tolist() == [NOON + 60 * n for n in range(150)]
    hours = folder.with_name("hours")
    rollup(path, hours, every="1 h")
    assert [each.name for each in (hours / "domain").iterdir()] == ["2026-11.parquet"]
    assert cpu(ParquetSource(hours)).times.tolist() == [NOON + 3600 * n for n in range(3)]
    assert ParquetSource(hours).span() == (NOON, NOON + 7200)


def test_two_recordings_may_share_a_folder(tmp_path, folder):
    record(tmp_path / "a.sqlite", Made(1, host="alpha").samples(60))
    record(tmp_path / "b.sqlite", Made(1, host="beta").samples(60))
    rollup(tmp_path / "a.sqlite", folder)
    rollup(tmp_path / "b.sqlite", folder)
    assert [each.host for each in ParquetSource(folder).subjects("domain")] == ["alpha", "beta"]


@pytest.mark.parametrize("every", ["0 s", "-1 s", "7 s", "2 d", "soon", 0.5, True])
def test_a_bin_that_is_no_part_of_a_day_is_refused(path, folder, every):
    record(path, Made().samples(2))
    with pytest.raises(SpecError, match="every"):
        rollup(path, folder, every)
    assert not folder.exists()


def test_folders_of_something_else_are_left_as_they_are(path, folder):
    record(path, Made().samples(2))
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(SpecError, match="something else"):
        rollup(path, folder)
    with pytest.raises(SpecError, match="no folder of roll-ups"):
        lv.history.open(folder)
    assert [each.name for each in folder.iterdir()] == ["thesis.txt"]
    other = folder.with_name("other")
    rollup(path, other)
    with pytest.raises(SpecError, match="bins of 60 s, not 10 s"):
        rollup(path, other, "10 s")


def test_damaged_files_are_one_clear_error(path, folder):
    record(path, Made().samples(60))
    rollup(path, folder)
    hurt = next((folder / "domain").iterdir())
    hurt.write_bytes(b"PAR1" + b"\0" * 500)
    with pytest.raises(LabvirtError, match="damaged"):
        rollup(path, folder)
    with pytest.raises(LabvirtError, match="cannot be read"):
        cpu(ParquetSource(folder))


def test_a_full_disk_leaves_whole_files_only(path, small_disk):
    record(path, Made(100, kinds=("domain",)).samples(120))
    (small_disk / "filler").write_bytes(bytes(12 * 2**20 - 64 * 1024))
    with pytest.raises(LabvirtError, match="no space left"):
        rollup(path, small_disk / "rolled")
    left = [each.name for each in (small_disk / "rolled").rglob("*") if each.is_file()]
    assert left == ["labvirt.json"]
    (small_disk / "filler").unlink()
    assert rollup(path, small_disk / "rolled").written


@pytest.mark.parametrize("name", ["duckdb", "pyarrow"])
def test_without_the_extra_it_says_how_to_have_it(path, folder, name, monkeypatch):
    record(path, Made().samples(2))
    rollup(path, folder)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsupportedError, match=r"pip install 'labvirt\[history\]'"):
        rollup(path, folder) if name == "pyarrow" else lv.history.open(folder)


@pytest.mark.slow(5)
def test_an_hour_of_three_hundred_domains_is_rolled_up_and_asked_quickly(path, folder, caplog):
    made = Made(300, kinds=("domain",))
    with caplog.at_level(logging.CRITICAL, "labvirt"):
        record(path, made.samples(3600))
        began = time.perf_counter()
        rollup(path, folder)
        took = time.perf_counter() - began
        source = ParquetSource(folder)
        cpu(source)
        began = time.perf_counter()
        five = cpu(source, 7, start=NOON + 3300)
        q1 = time.perf_counter() - began
        began = time.perf_counter()
        top = source.top("cpu_percent", 10, start=NOON + 3540)
        q3 = time.perf_counter() - began
    assert len(five.times) == 5
    assert len(top) == 10
    print(f"roll-up {took:.1f} s, last five minutes {q1 * 1e3:.0f} ms, top ten {q3 * 1e3:.0f} ms")
    assert took < 60
    assert q1 < 0.5
    assert q3 < 0.5
