"""Conditions: text in, one clear error or a state machine out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.status.condition import SHORT, Condition
from labvirt.status.series import SERIES

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "kind", "series", "op", "limit", "for_s"),
    [
        ("cpu > 90 % for 30 s", "domain", "cpu_percent", ">", 90, 30),
        ("cpu>90%for 30s", "domain", "cpu_percent", ">", 90, 30),
        ("memory_used < 100 MiB", "domain", "memory_used_bytes", "<", 100 * 2**20, 0),
        ("disk_write > 10 MB/s for 1 min", "domain", "disk_write_bytes_s", ">", 10**7, 60),
        ("net_rx_bytes_s == 0 for 10 s", "domain", "net_rx_bytes_s", "==", 0, 10),
        ("net_tx >= 8 Mbit/s", "domain", "net_tx_bytes_s", ">=", 10**6, 0),
        ("net_tx != 1.5 KiB/s", "domain", "net_tx_bytes_s", "!=", 1536, 0),
        ("read_latency > 20 ms for 2 min", "domain", "disk_read_latency_s", ">", 0.02, 120),
        ("disk_reads > 100 /s", "domain", "disk_read_ops_s", ">", 100, 0),
        ("disk_reads > 100 iops", "domain", "disk_read_ops_s", ">", 100, 0),
        ("host:cpu >= 95 percent for 0.5 h", "host", "cpu_percent", ">=", 95, 1800),
        ("host: cpu > 1", "host", "cpu_percent", ">", 1, 0),
        ("host memory_used > 1 GiB", "host", "memory_used_bytes", ">", 2**30, 0),
        ("host:guests_active = 3", "host", "guests_active", "==", 3, 0),
        ("disk:write_latency > 1 s", "disk", "write_latency_s", ">", 1, 0),
        ("  CPU < -1e-3  ", "domain", "cpu_percent", "<", -0.001, 0),
    ],
)  # fmt: skip
def test_text(text, kind, series, op, limit, for_s):
    condition = Condition.parse(text)
    assert (condition.kind, condition.series, condition.op) == (kind, series, op)
    assert (condition.limit, condition.for_s) == (pytest.approx(limit), for_s)
    assert condition.definition is SERIES[kind, series]
    assert (condition.unit, condition.group) == (
        condition.definition.unit,
        condition.definition.group,
    )
    assert str(condition) == text.strip()


def test_the_kind_may_be_given_beside_the_text():
    assert Condition.parse("rx > 1 KB/s", kind="interface").kind == "interface"
    assert Condition.parse("domain:cpu > 1", kind="host").kind == "domain"


def test_every_short_name_is_a_series_and_every_series_can_be_named():
    for kind, names in SHORT.items():
        for short, name in names.items():
            assert Condition.parse(f"{kind}:{short} > 1").series == name
    for kind, name in SERIES:
        assert Condition.parse(f"{kind}:{name} no data for 3 s").series == name


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 1, "a series is expected"),
        ("cpuu > 90 %", 1, "did you mean 'cpu'"),
        ("   memry > 90 %", 4, "did you mean 'memory'"),
        ("hst:cpu > 90 %", 1, "did you mean 'host'"),
        ("host:steal > 90 %", 6, "no series 'steal' of a host"),
        ("guests_cpu > 3 %", 1, "'host:guests_cpu'"),
        ("xyzzy > 90 %", 1, "memory_used"),
        ("cpu 90 %", 5, "a comparison is expected"),
        ("cpu => 90 %", 6, "a number is expected"),
        ("cpu >", 6, "a number is expected"),
        ("cpu > much", 7, "a number is expected"),
        ("cpu > 90 MiB", 10, "'MiB' is no unit of cpu_percent, which is in %"),
        ("memory > 90 %", 13, "is in B"),
        ("memory > 90 MB/s", 13, "is no unit of memory_bytes"),
        ("disk_write > 10 MB", 17, "e.g. '10 MB/s'"),
        ("host:active > 3 %", 17, "has no unit"),
        ("cpu > 90 % for", 15, "a duration is expected"),
        ("cpu > 90 % for 30", 18, "a unit of time is expected"),
        ("cpu > 90 % for 30 days", 19, "'days' is no unit of time"),
        ("cpu > 90 % for -3 s", 16, "from 0 s to a year"),
        ("cpu > 90 % for 30 s or so", 21, "nothing more is expected"),
        ("cpu > 90 % and cpu < 95 %", 12, "nothing more is expected"),
        ("cpu > 1e999 %", 7, "too large"),
        ("cpu > 90 % clear at 95 %", 21, "cannot be above"),
        ("cpu < 10 % clear at 5 %", 21, "cannot be below"),
        ("cpu == 10 % clear at 5 %", 22, "no other level"),
        ("cpu > 90; rm -rf /", 9, "nothing more"),
        ("c" * 10_000, 1, "longer than 200"),
    ],
)  # fmt: skip
def test_bad_text_is_one_error_with_its_place(text, at, words):
    with pytest.raises(SpecError) as caught:
        Condition.parse(text)
    told = str(caught.value)
    assert f"at character {at}:" in told
    assert words in told
    assert "cpu > 90 % for 30 s" in told
    assert len(told) < 900


@given(st.text(max_size=60) | st.from_regex(r"cpu ?(>|<=|==) ?[0-9.]* ?%? ?(for [0-9]* ?[a-z]*)?"))
def test_no_text_breaks_it(text):
    try:
        condition = Condition.parse(text)
    except SpecError:
        return
    assert condition == Condition.parse(str(condition))


def run(text, *values, step=1.0):
    condition = Condition.parse(text)
    return [condition.step(100.0 + n * step, value) for n, value in enumerate(values)]


def test_without_a_time_it_fires_at_once():
    assert run("cpu > 90 %", 90, 91, 90, NAN) == ["ok", "firing", "ok", "no data"]


def test_it_must_hold_without_a_break():
    states = run("cpu > 90 % for 2 s", 95, 95, 50, 95, 95, 95, 95, 50)
    assert states == ["pending"] * 2 + ["ok"] + ["pending"] * 2 + ["firing"] * 2 + ["ok"]


def test_tenths_of_seconds_add_up():
    assert run("cpu > 90 % for 1 s", *[95] * 11, step=0.1)[-1] == "firing"


def test_missing_data_is_neither_ok_nor_firing():
    states = run("cpu > 90 % for 1 s", 95, NAN, 95, 95, NAN, NAN, 95, 10)
    assert states == ["pending", "no data", "pending", *["firing"] * 4, "ok"]


def test_no_data_can_be_asked_for():
    states = run("memory_used no data for 2 s", 5, NAN, NAN, NAN, 5, NAN)
    assert states == ["ok", "pending", "pending", "firing", "ok", "pending"]


@pytest.mark.parametrize("text", ["cpu > 90 % clear at 70 %", "cpu < 10 % clear at 30 %"])
def test_it_clears_at_a_level_of_its_own(text):
    values = (95, 80, 71, 70, 80) if ">" in text else (5, 20, 29, 30, 20)
    assert run(text, *values) == ["firing", "firing", "firing", "ok", "ok"]


def test_since_is_when_it_began_to_hold():
    condition = Condition.parse("cpu > 90 % for 2 s")
    for at, value in enumerate((10, 95, 95, 95, 95)):
        condition.step(float(at), value)
    assert (condition.state, condition.since, condition.value) == ("firing", 1.0, 95)
    again = condition.fresh()
    assert again == condition
    assert (again.state, again.since) == ("no data", None)


def test_a_clock_that_steps_back_makes_it_neither_fire_nor_forget():
    condition = Condition.parse("cpu > 90 % for 3 s")
    times = (100.0, 101.0, 50.0, 51.0, 52.0)
    assert [condition.step(at, 95) for at in times] == [*["pending"] * 4, "firing"]


@given(
    st.lists(
        st.tuples(st.sampled_from([0.5, 1.0, 3.0]), st.sampled_from([50.0, 80.0, 95.0, NAN])),
        max_size=40,
    ),
    st.sampled_from([0.0, 1.0, 2.5]),
    st.booleans(),
)
def test_it_fires_exactly_when_all_values_of_that_time_hold(ticks, for_s, hysteresis):
    text = f"cpu > 90 % for {for_s} s" + (" clear at 60 %" if hysteresis else "")
    condition, seen, firing, at = Condition.parse(text), [], False, 0.0
    for passed, value in ticks:
        at += passed
        seen.append((at, value))
        state = condition.step(at, value)
        row = []
        for when, what in reversed(seen):
            if not what > 90:
                break
            row.append(when)
        holds = bool(row) and at - row[-1] >= for_s
        stays = firing and (math.isnan(value) or value > (60 if hysteresis else 90))
        firing = holds or stays
        assert (state == "firing") == firing
        if not firing:
            expected = "no data" if math.isnan(value) else "pending" if value > 90 else "ok"
            assert state == expected
