"""The history in memory: what goes in comes out, for as long and as much as was said."""

# ruff: noqa: PD011 - a Window and a Table are no frames
from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.history import History, Source
from labvirt.history.ring import LANES
from labvirt.status.sample import Mark, Sample, Subject, Table
from labvirt.status.series import find_series, series_of


def sample(at, rows, *, kind="domain", interval_s=1.0, names=None, more=None, host="h"):
    """Make a sample from ``{uuid or (uuid, device): {series: value}}``."""
    tables = {kind: table(kind, rows, host)}
    for other, its in (more or {}).items():
        tables[other] = table(other, its, host)
    return Sample(host, int(at), float(at), interval_s, tables, names or {}, {})


def table(kind, rows, host="h"):
    subjects = tuple(
        Subject(host, *(each if isinstance(each, tuple) else (each,))) for each in rows
    )
    values = np.full((len(rows), len(series_of(kind))), np.nan)
    for row, its in enumerate(rows.values()):
        for name, value in its.items():
            values[row, find_series(kind, name)] = value
    return Table(kind, subjects, values)


def cpu(history, uuid, **span):
    window = history.window("domain", Subject("h", uuid), ["cpu_percent"], **span)
    return dict(zip(window.times.tolist(), window.values[0].tolist(), strict=True))


def test_what_goes_in_comes_out():
    history = History(seconds=10)
    assert isinstance(history, Source)
    assert history.span() is None
    assert history.subjects("domain") == ()
    for at in range(1, 6):
        history.take(sample(at, {"a": {"cpu_percent": at}, "b": {"memory_bytes": 2.0**30}}))
    assert history.span() == (1.0, 5.0)
    assert history.subjects("domain") == (Subject("h", "a"), Subject("h", "b"))
    assert cpu(history, "a") == {1.0: 1, 2.0: 2, 3.0: 3, 4.0: 4, 5.0: 5}
    assert cpu(history, "a", start=2, end=3.5) == {2.0: 2, 3.0: 3}
    assert cpu(history, "a", start=9) == {}
    assert cpu(history, "a", start=4, end=2) == {}
    two = history.window("domain", Subject("h", "b"), ["memory_bytes", "cpu_percent"])
    assert two.values.shape == (2, 5)
    assert (two.values[0] == 2.0**30).all()
    assert np.isnan(two.values[1]).all()


def test_only_the_newest_are_kept():
    history = History(seconds=10)
    for at in range(100):
        history.take(sample(at, {"a": {"cpu_percent": at}}))
    assert cpu(history, "a") == {float(at): at for at in range(90, 100)}
    assert history.span() == (90.0, 99.0)


def test_who_vanishes_leaves_no_data_and_then_its_slot():
    history = History(seconds=10)
    for at in range(200):
        history.take(sample(at, {f"d{at // 5}": {"cpu_percent": at}, "b": {"cpu_percent": 1}}))
        kept = [f"d{n}" for n in range(max(0, at - 9) // 5, at // 5 + 1)]
        assert sorted(each.uuid for each in history.subjects("domain")) == sorted([*kept, "b"])
        for uuid in kept:
            mine = range(5 * int(uuid[1:]), 5 * int(uuid[1:]) + 5)
            for time, value in cpu(history, uuid).items():
                assert value == time if int(time) in mine else math.isnan(value)
    assert history.nbytes == History(seconds=10).nbytes + len(series_of("domain")) * 10 * LANES * 4


def test_who_comes_back_has_a_hole():
    history = History(seconds=10)
    for at in range(8):
        history.take(sample(at, {"b": {}} | ({} if at in {3, 4} else {"a": {"cpu_percent": at}})))
    known = {time for time, value in cpu(history, "a").items() if not math.isnan(value)}
    assert known == {0, 1, 2, 5, 6, 7}


def test_a_kind_that_is_not_read_for_a_while_has_a_hole():
    history = History(seconds=10)
    for at in range(30):
        disks = {("a", "vda"): {"read_bytes_s": at}}
        more = {"disk": disks} if at % 10 < 5 else {}
        history.take(sample(at, {"a": {}}, more=more))
    window = history.window("disk", Subject("h", "a", "vda"), ["read_bytes_s"])
    known = window.times[~np.isnan(window.values[0])]
    assert known.tolist() == [20, 21, 22, 23, 24]


def test_marks_stand_in_order_and_go_with_their_time():
    history = History(seconds=10)
    history.take(sample(1, {}))
    for at in (5.0, 2.0, 3.0):
        history.mark(Mark(at, "note", "h", text=str(at)))
    assert [each.at for each in history.marks()] == [2, 3, 5]
    assert [each.at for each in history.marks(start=2.5, end=3)] == [3]
    for at in range(2, 14):
        history.take(sample(at, {}))
    assert [each.at for each in history.marks()] == [5]


def test_a_clock_set_back_moves_what_is_older():
    history = History(seconds=10)
    for at in (5000, 5001, 5002):
        history.take(sample(at, {"a": {"cpu_percent": at}}))
    history.mark(Mark(5001.5, "paused", "h", "a"))
    history.take(sample(1400, {"a": {"cpu_percent": 1400}}))
    assert cpu(history, "a") == {1397: 5000, 1398: 5001, 1399: 5002, 1400: 1400}
    assert [each.at for each in history.marks()] == [1398.5]


def test_the_interval_may_change():
    history = History(seconds=10)
    for at in range(20):
        history.take(sample(at, {"a": {"cpu_percent": at}}))
    for at in range(100):
        history.take(sample(20 + at / 5, {"a": {"cpu_percent": 20 + at / 5}}, interval_s=0.2))
        window = cpu(history, "a")
        assert all(value == pytest.approx(time) for time, value in window.items())
        assert min(window) <= max(11, 20 + at / 5 - 9.7)
    history.take(sample(100, {"a": {}}, interval_s=10))
    assert len(cpu(history, "a")) == 50


def test_domains_grow_and_what_was_there_stays():
    history = History(seconds=20)
    for at in range(15):
        history.take(sample(at, {f"d{n}": {"cpu_percent": n} for n in range(1 + at * 7)}))
    window = cpu(history, "d30")
    assert [time for time, value in window.items() if value == 30] == list(range(5, 15))
    assert all(math.isnan(window[time]) for time in range(5))


def test_devices_are_shortened_to_stay_in_the_budget_and_it_says_so():
    fields = len(series_of("domain")) * 4 * LANES * 2  # two blocks
    budget = fields * 100 + 100_000
    history = History(seconds=100, budget_bytes=budget)
    for at in range(300):
        domains = {f"d{n}": {"cpu_percent": at} for n in range(LANES * 2)}
        disks = {(f"d{n}", "vda"): {"read_bytes_s": at} for n in range(LANES * 2)}
        disks = {key: row for key, row in disks.items() if at > 50}
        history.take(sample(at, domains, more={"disk": disks}))
        assert history.nbytes <= budget
    assert len(cpu(history, "d0")) == 100
    short = history.window("disk", Subject("h", "d31", "vda"), ["read_bytes_s"])
    assert 70 < len(short.times) < 90
    assert (short.values[0] == short.times).all()
    history = History(seconds=100, budget_bytes=budget)
    history.take(sample(1, domains, more={"disk": disks}))
    (note,) = history.marks()
    assert note.kind == "note"
    assert "vCPUs, disks and interfaces is kept for" in note.text


def test_a_storm_of_short_lived_domains_stays_in_the_budget():
    history, told = History(seconds=600, budget_bytes=2_000_000), set()
    for at in range(300):
        history.take(sample(at, {f"d{at}-{n}": {"cpu_percent": at} for n in range(20)}))
        assert history.nbytes <= 2_000_000
        told |= set(history.marks())
    assert cpu(history, "d299-7")[299] == 299
    assert 1 <= len([each for each in told if "history of all is kept" in each.text]) < 6


def test_memory_comes_back_when_many_are_gone():
    history, budget = History(seconds=100, budget_bytes=1_000_000), 1_000_000
    crowd = {f"d{n}": {"cpu_percent": n} for n in range(300)}
    for at in range(20):
        history.take(sample(at, crowd))
    assert history.nbytes > budget / 2
    assert len(cpu(history, "d0")) < 60
    for at in range(20, 1000):
        history.take(sample(at, {"d7": {"cpu_percent": at}}))
        assert history.nbytes <= budget
    assert history.nbytes < 120_000
    assert list(cpu(history, "d7").values()) == list(range(900, 1000))


def test_clear():
    history = History(seconds=10)
    history.take(sample(1, {"a": {}}, names={"a": "web1"}))
    history.mark(Mark(1.0, "note", "h"))
    empty = History(seconds=10).nbytes
    assert history.nbytes > empty
    history.clear()
    assert history.nbytes == empty
    assert (history.span(), history.marks(), history.name("a")) == (None, (), "a")


def test_many_lines_on_one_axis():
    history = History(seconds=10)
    for at in range(3):
        more = {
            "interface": {("a", "m"): {"rx_bytes_s": 10 * at}},
            "host": {"": {"cpu_percent": 7}},
        }
        history.take(sample(at, {"a": {"cpu_percent": at}}, more=more))
    grid = history.grid(
        [
            ("domain", Subject("h", "a"), "cpu_percent"),
            ("interface", Subject("h", "a", "m"), "rx_bytes_s"),
            ("host", Subject("h"), "cpu_percent"),
            ("disk", Subject("h", "a", "vda"), "read_bytes_s"),
            ("domain", Subject("h", "nobody"), "cpu_percent"),
        ],
        start=1,
    )
    assert grid.times.tolist() == [1, 2]
    assert grid.values[:3].tolist() == [[1, 2], [10, 20], [7, 7]]
    assert np.isnan(grid.values[3:]).all()


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("field", ["seconds", "interval_s", "budget_bytes"])
def test_what_cannot_be_is_refused(field, bad):
    with pytest.raises(SpecError, match=field):
        History(**{field: bad})


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_hour_of_a_thousand_domains_takes_at_most_300_mb():
    values = {
        kind: np.ones((1000, len(series_of(kind)))) for kind in ("domain", "disk", "interface")
    }
    tables = {
        kind: Table(kind, tuple(Subject("h", f"d{n}", kind[:-6]) for n in range(1000)), its)
        for kind, its in values.items()
    }
    history, before = History(), resident()
    for at in range(3650):
        history.take(Sample("h", at, float(at), 1.0, tables, {}, {}))
    assert history.nbytes <= 300e6
    assert 250e6 < resident() - before <= 310e6  # really written, and nothing more
    assert history.span() == (50.0, 3649.0)
    assert not np.isnan(
        history.window("domain", Subject("h", "d999"), ["cpu_percent"]).values
    ).any()
    disk = history.window("disk", tables["disk"].subjects[0], ["read_bytes_s"])
    assert 800 < disk.times.size < 1000


# Tables ----------------------------------------------------------------------------------------


@pytest.fixture
def two():
    history = History(seconds=10)
    for at in range(3):
        rows = {"u1": {"cpu_percent": at, "memory_bytes": 5.0}}
        if at:
            rows["u2"] = {"cpu_percent": 50}
        history.take(sample(1_700_000_000.25 + at, rows, names={"u1": "web1", "u2": "db1"}))
    return history


def test_long_form(two):
    df = two.df(fields=["cpu_percent", "memory_bytes"])
    assert list(df.columns) == [
        "time", "host", "domain", "uuid", "device", "series", "value", "unit",
    ]  # fmt: skip
    assert len(df) == 3 + 3 + 2
    assert str(df["time"].dtype) == "datetime64[us, UTC]"
    first = df.iloc[0]
    assert first["time"] == pd.Timestamp("2023-11-14T22:13:20.25Z")
    assert (first["domain"], first["uuid"], first["series"]) == ("web1", "u1", "cpu_percent")
    units = df.groupby("series", observed=True)["unit"].unique()
    assert {name: list(unit) for name, unit in units.items()} == {
        "cpu_percent": ["%"],
        "memory_bytes": ["B"],
    }
    assert df[df["domain"] == "db1"]["value"].tolist() == [50, 50]


def test_wide_form(two):
    df = two.df(form="wide")
    assert list(df.columns) == [
        "time", "host", "domain", "uuid", "device", *(each.name for each in series_of("domain"))
    ]  # fmt: skip
    assert df["cpu_percent"].tolist() == [0, 1, 2, 50, 50]
    assert df["memory_bytes"].isna().tolist() == [False] * 3 + [True] * 2


@pytest.mark.parametrize("who", [["web1"], ["u1"], "web1", ("web1", "u1")])
def test_domains_by_name_or_uuid(two, who):
    assert set(two.df(domains=who)["uuid"]) == {"u1"}


def test_a_part_of_the_time(two):
    start = 1_700_000_001
    assert two.df(fields=["cpu_percent"], domains=["web1"], start=start)["value"].tolist() == [1, 2]


def test_nothing_yet():
    for form in ("long", "wide"):
        df = History().df(form=form)
        assert len(df) == 0
        assert str(df["time"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"kind": "domains"}, "did you mean 'domain'"),
        ({"form": "tall"}, "no form of table 'tall'"),
        ({"fields": ["cpu_percnt"]}, "did you mean 'cpu_percent'"),
        ({"fields": ["x" * 200]}, "there is: cpu_percent"),
        ({"domains": ["web2"]}, "did you mean 'web1'"),
    ],
)
def test_what_is_not_there_is_one_clear_error(two, asked, words):
    with pytest.raises(SpecError, match=words):
        two.df(**asked)


def test_a_window_of_no_such_series_is_refused(two):
    with pytest.raises(SpecError, match="did you mean 'cpu_percent'"):
        two.window("domain", Subject("h", "u1"), ["cpu"])
    with pytest.raises(SpecError, match="no kind"):
        two.subjects("nobody")


# Whatever happens ------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 40), max_size=30), st.sampled_from([1.0, 0.5, 2.0])),
        max_size=60,
    ),
    st.sampled_from([40_000, 10**7]),
)
def test_it_is_what_a_plain_list_would_say(ticks, budget):
    history, kept, at = History(seconds=8, budget_bytes=budget), [], 0.0
    for present, interval in ticks:
        at += interval
        rows = {f"d{n}": {"cpu_percent": at + n} for n in present}
        history.take(sample(at, rows, interval_s=interval))
        kept.append((at, {uuid: row["cpu_percent"] for uuid, row in rows.items()}))
    there = [*history.subjects("domain"), Subject("h", "nobody")]
    fields = ["memory_bytes", "cpu_percent"]
    for subject, window in zip(there, history.windows("domain", there, fields), strict=True):
        alone = history.window("domain", subject, fields)
        np.testing.assert_array_equal(window.times, alone.times)
        np.testing.assert_array_equal(window.values, alone.values)
    for subject in history.subjects("domain"):
        for time, value in cpu(history, subject.uuid).items():
            told = dict(kept)[time].get(subject.uuid, math.nan)
            assert value == told or (math.isnan(value) and math.isnan(told))
    if kept:
        assert history.span()[1] == kept[-1][0]
        for uuid, value in kept[-1][1].items():
            assert cpu(history, uuid)[kept[-1][0]] == value


def test_many_may_read_while_one_writes():
    history, stop, wrong = History(seconds=20), threading.Event(), []

    def read():
        while not stop.is_set():
            window = history.window("domain", Subject("h", "d0"), ["cpu_percent", "memory_bytes"])
            known = ~np.isnan(window.values).any(axis=0)
            if (window.values[:, known] != window.times[known]).any():
                wrong.append(window)
            if (np.diff(window.times) <= 0).any():
                wrong.append(window)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for each in threads:
        each.start()
    for at in range(1500):
        rows = {f"d{n}": {"cpu_percent": at, "memory_bytes": at} for n in range(1 + at % 40)}
        history.take(sample(at, rows))
    stop.set()
    for each in threads:
        each.join()
    assert not wrong


def test_it_can_reach_further_back_from_now_on():
    history = History(seconds=4)
    for at in range(1, 7):
        history.take(sample(at, {"a": {"cpu_percent": at}}))
    kept = len(cpu(history, "a"))
    history.seconds = 30
    for at in range(7, 31):
        history.take(sample(at, {"a": {"cpu_percent": at}}))
    found = cpu(history, "a")
    assert len(found) == kept + 24, "what was there stays"
    history.seconds = 2
    history.take(sample(31, {"a": {"cpu_percent": 31}}))
    assert len(cpu(history, "a")) >= len(found), "nothing is thrown away"
    with pytest.raises(SpecError, match="seconds"):
        history.seconds = 0
