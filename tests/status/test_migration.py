"""Samples of a migration, and what can be told before it."""

from __future__ import annotations

import math

import pytest

from labvirt.status.migration import MigrationSample, estimate, sample_of, seconds_left

MIB = 1 << 20
GIB = 1 << 30


def test_libvirts_names_become_a_sample_with_units():
    sample = sample_of(
        {
            "type": 2,
            "time_elapsed": 1500,
            "data_total": 256 * MIB,
            "data_remaining": 64 * MIB,
            "data_processed": 100 * MIB,
            "memory_bps": 50 * MIB,
            "memory_dirty_rate": 256,
            "memory_page_size": 4096,
            "memory_iteration": 2,
            "downtime": 40,
            "auto_converge_throttle": 30,
        }
    )
    assert sample.elapsed_s == 1.5
    assert sample.phase == "precopy"
    assert sample.fraction == 0.75
    assert sample.dirty_bytes_s == MIB
    assert (sample.iteration, sample.downtime_ms, sample.throttle_percent) == (2, 40, 30)


def test_the_first_looks_say_nothing_yet():
    sample = sample_of({})
    assert sample.phase == "setup"
    assert sample.fraction == 0
    assert math.isnan(sample.remaining_bytes)
    assert math.isnan(seconds_left([sample]))
    assert math.isnan(seconds_left([]))


@pytest.mark.parametrize(
    ("dirty", "left"), [(0, 4.0), (20 * MIB, 8.0), (40 * MIB, math.inf), (50 * MIB, math.inf)]
)
def test_what_is_left_shrinks_by_the_bandwidth_less_the_dirty_rate(dirty, left):
    sample = MigrationSample(
        1.0, remaining_bytes=160 * MIB, bandwidth_bytes_s=40 * MIB, dirty_bytes_s=dirty
    )
    assert seconds_left([sample]) == pytest.approx(left)


def test_without_a_bandwidth_the_pace_is_measured():
    samples = [
        MigrationSample(at, remaining_bytes=100 - 10 * at, processed_bytes=10.0 * at)
        for at in (0.0, 1.0, 2.0, 3.0)
    ]
    assert seconds_left(samples) == pytest.approx(7.0)


def test_the_guides_two_gigabytes_in_ten_seconds_need_more_than_one_gigabit():
    gigabit = 1e9 / 8
    told = estimate(memory_bytes=2 * GIB, dirty_bytes_s=0, bandwidth_bytes_s=gigabit)
    assert told.converges
    assert told.seconds == pytest.approx(17.2, abs=0.1)
    fast = estimate(memory_bytes=2 * GIB, dirty_bytes_s=0, bandwidth_bytes_s=1.72 * gigabit)
    assert fast.seconds == pytest.approx(10, abs=0.1)


def test_rounds_get_shorter_until_the_rest_fits_into_the_downtime():
    told = estimate(
        memory_bytes=1000 * MIB,
        dirty_bytes_s=10 * MIB,
        bandwidth_bytes_s=100 * MIB,
        max_downtime_ms=100,
    )
    # 1000 MiB in 10 s, 100 MiB written meanwhile; in 1 s; 10 MiB written: 100 ms, as allowed.
    assert told.rounds == 2
    assert told.seconds == pytest.approx(11.1)
    assert told.downtime_ms == pytest.approx(100)
    assert told.bytes == pytest.approx(1110 * MIB)


def test_a_guest_that_writes_as_fast_as_is_sent_never_ends_and_it_says_what_to_do():
    told = estimate(
        memory_bytes=256 * MIB,
        dirty_bytes_s=20 * MIB,
        bandwidth_bytes_s=10 * MIB,
        hot_bytes=40 * MIB,
    )
    assert not told.converges
    assert told.downtime_ms == pytest.approx(4000)
    assert "auto_converge" in told.why
    assert not estimate(memory_bytes=1, dirty_bytes_s=0, bandwidth_bytes_s=0).converges
