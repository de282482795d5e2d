"""Several sources as one; a domain that moved is one line."""

from __future__ import annotations

import numpy as np
import pytest

from labvirt.errors import SpecError
from labvirt.history import History, Merged, Source
from labvirt.status.sample import Mark, Sample, Subject, Table
from labvirt.status.series import find_series, series_of


def fill(host, values, name="web1"):
    """Make a history of ``{time: CPU of domain u, None when it is not there}``."""
    history = History(seconds=100)
    for at, cpu in values.items():
        subjects = (Subject(host, "u"),) if cpu is not None else ()
        row = np.full((len(subjects), len(series_of("domain"))), np.nan)
        if subjects:
            row[0, find_series("domain", "cpu_percent")] = cpu
        of_host = Table("host", (Subject(host),), np.full((1, len(series_of("host"))), 7.0))
        tables = {"domain": Table("domain", subjects, row), "host": of_host}
        names = {"u": name} if subjects else {}
        history.take(Sample(host, 1, float(at), 1.0, tables, names, {}))
    return history


def line(source, host=""):
    window = source.window("domain", Subject(host, "u"), ["cpu_percent"])
    assert (np.diff(window.times) > 0).all()
    return [
        (time, None if np.isnan(value) else value)
        for time, value in zip(window.times, window.values[0], strict=True)
    ]


@pytest.fixture
def moved():
    """From a to b at 5, both have it at 4; back to a at 20."""
    a = fill("a", {t: 10 + t if t < 5 or t >= 20 else None for t in range(25)})
    b = fill("b", {t + 0.5: 50 + t if 3 <= t < 20 else None for t in range(25)})
    return a, b


def test_a_domain_that_moved_is_one_line(moved):
    merged = Merged(moved, follow=True)
    assert isinstance(merged, Source)
    assert merged.subjects("domain") == (Subject("", "u"),)
    assert merged.subjects("host") == (Subject("a"), Subject("b"))
    there = [(t, 10.0 + t) for t in range(5)]
    other = [(t + 0.5, 50.0 + t) for t in range(4, 20)]
    back = [(t, 10.0 + t) for t in range(20, 25)]
    assert line(merged) == there + other + back
    df = merged.df(fields=["cpu_percent"], domains=["web1"])
    assert df["value"].tolist() == [value for _, value in there + other + back]
    assert set(df["host"]) == {""}


def test_without_being_asked_each_host_has_its_own(moved):
    merged = Merged(moved)
    assert merged.subjects("domain") == (Subject("a", "u"), Subject("b", "u"))
    assert line(merged, "a") == line(moved[0], "a")
    assert merged.span() == (0.0, 24.5)
    df = merged.df(fields=["cpu_percent"])
    assert df.groupby("host", observed=True)["value"].count().to_dict() == {"a": 10, "b": 17}


def test_a_time_on_no_host_is_a_gap():
    a = fill("a", {t: 1 if t < 3 else None for t in range(10)})
    b = fill("b", {t: 2 if t > 7 else None for t in range(10)})
    ones, twos = [(t, 1.0) for t in range(3)], [(t, 2.0) for t in (8, 9)]
    assert line(Merged([a, b])) == [*ones, (3.0, None), *twos]


def test_a_recording_and_what_came_after_it():
    old = fill("a", dict.fromkeys(range(6), 1.0))
    new = fill("a", dict.fromkeys(range(4, 10), 2.0), name="web2")
    assert line(Merged([old, new]), "a") == [(t, 1.0) for t in range(6)] + [
        (t, 2.0) for t in range(6, 10)
    ]
    assert Merged([new, old]).name("u") == "web2"


def test_marks_stand_once_and_in_order(moved):
    a, b = moved
    migrated = Mark(5.0, "migrated", "a", "u", "to b")
    for each in (a, b):
        each.mark(migrated)
    b.mark(Mark(2.0, "note", "b"))
    assert Merged(moved).marks() == (Mark(2.0, "note", "b"), migrated)
    assert Merged(moved).marks(start=3) == (migrated,)


def test_nothing():
    merged = Merged([])
    assert (merged.span(), merged.subjects("disk"), merged.marks()) == (None, (), ())
    assert merged.window("disk", Subject("", "u", "vda"), ["read_bytes_s"]).values.shape == (1, 0)
    assert len(merged.df()) == 0
    assert merged.name("u") == "u"


def test_bad_series_is_refused_also_when_nobody_knows_the_subject(moved):
    with pytest.raises(SpecError, match="cpu_percent"):
        Merged(moved).window("domain", Subject("", "x"), ["cpu_percnt"])
