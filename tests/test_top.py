"""Frames, tables, JSON and CSV of ``labvirt top``, without a host."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
import termios

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from labvirt.status.sample import COUNTERS, Reading, Sample, Subject, Table
from labvirt.status.series import find_series, series_of
from labvirt.top import CSV_COLUMNS, SORTS, Keys, Look, csv_text, draw, facts_of, frame_of, to_dict

NAN = float("nan")


def table(kind, subjects, rows):
    values = np.full((len(subjects), len(series_of(kind))), NAN)
    for number, row in enumerate(rows):
        for name, value in row.items():
            values[number, find_series(kind, name)] = value
    return Table(kind, tuple(subjects), values)


def look(host="alpha", names=("web1", "db1"), rows=None, stalled=(), state="connected"):
    subjects = [Subject(host, f"{host}-{number}") for number, _ in enumerate(names)]
    rows = rows if rows is not None else [{"cpu_percent": 10.0 * n} for n, _ in enumerate(names)]
    sample = Sample(
        host,
        2,
        1_700_000_000.0,
        1.0,
        {
            "domain": table("domain", subjects, rows),
            "host": table("host", [Subject(host)], [{"cpu_percent": 40, "memory_bytes": 2**34}]),
        },
        {s.uuid: name for s, name in zip(subjects, names, strict=True)},
        {subjects[n].uuid: 1_699_999_990.0 for n in stalled},
    )
    counters = np.full((len(names), len(COUNTERS["domain"])), NAN)
    counters[:, 0], counters[:, 1] = 1, 2
    reading = Reading("domain", tuple(subjects), np.zeros(len(names)), counters)
    return Look(host, f"qemu+unix:///session?{host}", state, sample, facts_of(reading))


def frame(*looks, **options):
    return frame_of(looks or (look(),), at=1_700_000_001.0, interval_s=1.0, **options)


def text(shown, width=200, height=None):
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    console.print(draw(shown, width=width, height=height))
    return out.getvalue().splitlines()


BUSY = [
    {"cpu_percent": 5, "cpu_host_percent": 2.5, "memory_bytes": 4e9, "net_rx_bytes_s": 1},
    {"cpu_percent": 95, "cpu_host_percent": 1, "memory_bytes": 2e9, "disk_read_bytes_s": 9e6},
    {"memory_bytes": 1e9, "net_tx_bytes_s": 5e6, "net_rx_bytes_s": 1e6},
]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("cpu", ["a", "b", "c"]),
        ("memory", ["a", "b", "c"]),
        ("disk", ["b", "a", "c"]),
        ("network", ["c", "a", "b"]),
        ("name", ["a", "b", "c"]),
    ],
)
def test_the_most_comes_first_and_no_data_last(sort, order):
    shown = frame(look(names=("a", "b", "c"), rows=BUSY), sort=sort)
    assert [line.name for line in shown.domains] == order
    assert sort in SORTS


def test_lines_have_state_vcpus_and_the_stalled_mark():
    shown = frame(look(stalled=(1,)))
    by_name = {line.name: line for line in shown.domains}
    assert (by_name["web1"].state, by_name["web1"].vcpus) == ("running", 2)
    assert by_name["db1"].stalled_since == 1_699_999_990.0
    assert any("db1" in line and "stalled" in line for line in text(shown))


def test_the_filter_counts_what_it_leaves_out():
    shown = frame(pattern="web*")
    assert [line.name for line in shown.domains] == ["web1"]
    assert shown.hidden == 1
    assert "1 left out" in text(shown)[0]
    assert "No domain fits." in text(frame(pattern="nobody*"))


@pytest.mark.parametrize("width", [200, 100, 80, 60, 40, 30, 20, 10, 5, 1])
def test_no_line_is_wider_than_the_terminal(width):
    names = ("a" * 70, "日本語の名前" * 6, "x")
    shown = frame(look(names=names, rows=BUSY), look("beta", names, BUSY))
    for line in text(shown, width):
        assert cell_len(line) <= width
    assert len(text(shown, width)) == 1 + 2 + 1 + 6


def test_narrow_terminals_drop_columns_and_keep_name_and_cpu():
    shown = frame(look(names=("a", "b", "c"), rows=BUSY))
    heads = {width: text(shown, width)[2].split() for width in (120, 60, 24)}
    assert "Used" in heads[120]
    assert "vCPU" not in heads[60]
    assert heads[24][0] == "Domain"
    assert "CPU%↓" in heads[24]


def test_a_low_terminal_says_how_many_are_missing():
    shown = frame(look(names=[f"d{n}" for n in range(30)]))
    lines = text(shown, 100, height=12)
    assert len(lines) <= 12
    assert lines[-1] == "... 23 more"


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "[red]x[/red]", "[/]", "\u202eabc", "\x07"])
def test_names_cannot_move_the_cursor_nor_be_markup(name):
    shown = frame(look(names=(name, "b")))
    lines = text(shown)
    assert len(lines) == 5
    assert all(each.isprintable() for each in lines)
    if name.startswith("["):
        assert any(name in each for each in lines)
    told = json.loads(json.dumps(to_dict(shown)))
    assert {each["name"] for each in told["domains"]} == {name, "b"}


def test_a_lost_host_is_shown_with_the_time_it_was_seen():
    lines = text(frame(look(state="reconnecting")))
    assert lines[1].startswith("alpha: reconnecting, last seen ")
    nothing = frame(Look("beta", "test:///default", "connected"))
    assert text(nothing)[1] == "beta: not read yet"
    assert "No active domains." in text(nothing)


def test_json_has_units_in_its_names_and_null_for_no_data():
    told = json.loads(
        json.dumps(to_dict(frame(look(names=("a", "b", "c"), rows=BUSY))), allow_nan=False)
    )
    assert told["time"] == "2023-11-14T22:13:21.000+00:00"
    first = told["domains"][0]
    assert first["cpu_host_percent"] == 2.5
    assert first["memory_bytes"] == 4_000_000_000
    assert first["memory_used_bytes"] is None
    assert told["hosts"][0]["cpu_percent"] == 40
    ends = ("_percent", "_bytes", "_bytes_s", "_active")
    plain = {"host", "name", "uuid", "state", "vcpus", "stalled_since", "uri", "at"}
    assert all(key in plain or key.endswith(ends) for key in {**first, **told["hosts"][0]})


def test_csv_has_a_line_for_each_host_and_domain():
    shown = frame(look(names=('a,"b"', "c")))
    written = csv_text(shown, header=True) + csv_text(shown, header=False)
    rows = list(csv.DictReader(io.StringIO(written)))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["kind"] for row in rows] == ["host", "domain", "domain"] * 2
    assert 'a,"b"' in {row["name"] for row in rows}
    assert rows[0]["memory_used_bytes"] == ""


@pytest.fixture
def terminal():
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def test_keys_are_read_without_enter_and_the_terminal_is_restored(terminal, monkeypatch):
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    monkeypatch.setattr("labvirt.top.keys._is_in_front", lambda _: True)
    with contextlib.suppress(ZeroDivisionError), Keys(theirs) as keys:
        assert termios.tcgetattr(theirs) != before
        os.write(ours, b"m")
        assert keys.wait(2) == "m"
        assert keys.wait(0) == ""
        keys.wake()
        assert keys.wait(5) == ""
        raise ZeroDivisionError
    assert termios.tcgetattr(theirs) == before


def test_a_terminal_that_is_not_ours_is_left_alone(terminal):
    before = termios.tcgetattr(terminal[1])
    with Keys(terminal[1]) as keys:
        assert termios.tcgetattr(terminal[1]) == before
        os.write(terminal[0], b"m\n")
        assert keys.wait(0.05) == ""
