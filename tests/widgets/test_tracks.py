"""Reading what a board shows: once per subject, gaps kept, stacks summed, long lines thinned."""

from __future__ import annotations

import numpy as np
import pytest

from labvirt.errors import SpecError
from labvirt.status.sample import Mark
from labvirt.widgets.panels import Panel
from labvirt.widgets.tracks import Track, common, read, stacked, thinned


def test_each_subject_is_read_once_for_all_its_series(boards):
    source = boards.sample_source()
    board = read(boards.sample_panels(), source)
    assert len(source.asked) == 2
    assert [len(chart.tracks) for chart in board.charts] == [2, 2, 2, 2]
    assert board.charts[1].tracks[0].values[0] == 2.0**31
    assert (board.start, board.end) == (boards.START, boards.START + 299)


def test_only_marks_of_the_board_in_its_span_are_shown(boards):
    board = read(boards.sample_panels(), boards.sample_source(), start=boards.START + 100)
    assert [mark.kind for mark in board.marks] == ["paused"]
    elsewhere = boards.Given(
        [boards.START, boards.START + 9], {}, [Mark(boards.START + 1, "fault", "beta")]
    )
    assert read(boards.sample_panels(), elsewhere).marks == ()


def test_missing_samples_become_a_gap_and_slow_ones_do_not(boards):
    times = np.concatenate([np.arange(10), np.arange(40, 50), np.arange(60, 600, 60)]) + 1e9
    source = boards.Given(times, {(boards.WEB, "cpu_percent"): np.ones(times.size)})
    panels = (Panel("c", "CPU", "%", (boards.line("c", boards.WEB, "cpu_percent", "web1"),)),)
    (track,) = read(panels, source).charts[0].tracks
    gaps = track.times[~np.isfinite(track.values)] - 1e9
    # After the missing half minute, and where the time between samples changes for good.
    assert gaps.tolist()[0] == 10.0
    assert not ((gaps > 120) & (gaps < 540)).any()


def test_a_series_that_is_not_there_is_refused(boards):
    line = boards.line("c", boards.WEB, "cpu_percent", "web1")
    wrong = boards.Given([1.0], {})
    wrong.window = lambda *_a, **_k: (_ for _ in ()).throw(SpecError("there is no series"))
    with pytest.raises(SpecError, match="no series"):
        read((Panel("c", "CPU", "%", (line,)),), wrong)


def test_negated_lines_are_drawn_below_and_kept_positive(boards):
    sent = read(boards.sample_panels(), boards.sample_source()).charts[2].tracks[1]
    assert sent.values.min() >= 0
    assert sent.drawn.max() <= 0


def track(boards, times, values):
    line = boards.line("k", boards.WEB, "cpu_host_percent", "web1")
    return Track(line, np.asarray(times, float), np.asarray(values, float))


def test_a_stack_sums_and_has_a_gap_only_where_nobody_has_data(boards):
    nan = np.nan
    low, high = stacked(
        [track(boards, [1, 2, 3], [1, nan, nan]), track(boards, [1, 2, 3], [5, 6, nan])]
    )
    assert low.values.tolist()[:2] == [1, 0]
    assert high.values.tolist()[:2] == [6, 6]
    assert np.isnan(low.values[2])
    assert np.isnan(high.values[2])


def test_tracks_of_two_hosts_meet_on_one_time_axis(boards):
    one, two = common([track(boards, [0, 2, 4], [0, 2, 4]), track(boards, [1, 3], [10, 30])])
    assert one.times.tolist() == two.times.tolist() == [0, 1, 2, 3, 4]
    assert one.values.tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(two.values[[0, 4]]).all()
    assert two.values[2] == 20
    assert common([]) == ()
    nothing, _ = common([track(boards, [], []), track(boards, [1], [1])])
    assert np.isnan(nothing.values).all()


def test_thinning_keeps_ends_extremes_and_gaps(boards):
    values = np.zeros(100_000)
    values[31_234], values[77_777] = 99, -5
    values[50_000:52_000] = np.nan
    few = thinned(track(boards, np.arange(values.size), values), 400)
    assert few.times.size < 1300
    assert np.nanmax(few.values) == 99
    assert np.nanmin(few.values) == -5
    assert (few.times[0], few.times[-1]) == (0, 99_999)
    assert np.isnan(few.values[(few.times >= 50_300) & (few.times < 51_700)]).all()
    short = track(boards, [1, 2], [3, 4])
    assert thinned(short, 400) is short


def test_the_axis_ends_at_its_top_unless_values_are_above(boards):
    cpu, memory, net, who = read(boards.sample_panels(), boards.sample_source()).charts
    assert cpu.extent() == (0, 100)
    assert memory.extent()[0] == 0
    assert net.extent()[0] < 0 < net.extent()[1]
    assert who.extent()[1] > 35
    nothing = read(boards.sample_panels(), boards.Given([], {}))
    assert all(chart.is_empty() for chart in nothing.charts)
    assert nothing.end > nothing.start
