"""Numbers with units, and the steps of axes."""

from __future__ import annotations

import math

import pytest

from labvirt.widgets.quantity import clock_ticks, scale_of, shown, ticks


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.34, "%", "12.3 %"),
        (100, "%", "100 %"),
        (2**31, "B", "2 GiB"),
        (1536, "B", "1.50 KiB"),
        (0, "B/s", "0 B/s"),
        (999, "B/s", "999 B/s"),
        (2_500_000, "B/s", "2.50 MB/s"),
        (0.00042, "s", "420 µs"),
        (1.5, "s", "1.50 s"),
        (12_000, "1/s", "12 k/s"),
        (7, "", "7"),
        (math.nan, "%", "no data"),
        (math.inf, "B", "no data"),
    ],
)
def test_a_value_is_shown_with_its_unit(value, unit, text):
    assert shown(value, unit) == text


def test_memory_counts_in_1024_and_rates_in_1000():
    assert scale_of("B", 5 * 2**30) == (2**30, "GiB")
    assert scale_of("B/s", 5e9) == (1e9, "GB/s")
    assert scale_of("B", 0) == (1, "B")
    assert scale_of("%", 3) == (1, "%")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 97.3), (-3, 8), (0, 1e-7), (0, 3.2e12)])
def test_ticks_are_round_and_enclose(low, high):
    found = ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high * 0.999
    assert 3 <= len(found) <= 8


def test_times_are_whole_seconds_minutes_or_days():
    assert clock_ticks(1000, 1030)[1] == "%H:%M:%S"
    moments, form = clock_ticks(86400 * 20000 + 7, 86400 * 20000 + 3607)
    assert form == "%H:%M"
    assert all(at % 600 == 0 for at in moments)
    assert clock_ticks(0, 86400 * 60)[1] == "%Y-%m-%d"
