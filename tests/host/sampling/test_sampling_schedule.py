"""When is read what: schedule, axis, rota and wishes, with clocks of the test's own."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.host.sampling.axis import Axis, Clocks
from labvirt.host.sampling.rota import TURN_S, Rota, slices
from labvirt.host.sampling.schedule import LONGEST_S, Schedule
from labvirt.host.sampling.wishes import (
    Needs,
    Wish,
    checked_domains,
    checked_groups,
    checked_interval,
    union,
)


def run(schedule, took, ticks):
    """Let ticks of given lengths pass; return when they began."""
    began = []
    for _ in range(ticks):
        began.append(schedule.next_at)
        end = schedule.next_at + next(took)
        schedule.done(end - schedule.next_at, end)
    return began


def test_ticks_do_not_drift():
    schedule = Schedule(1.0, 100.0)
    began = run(schedule, itertools.cycle([0.1, 0.3, 0.2]), 1000)
    assert began == pytest.approx([100.0 + k for k in range(1000)])
    assert schedule.skipped == 0


def test_what_was_missed_is_skipped_and_counted_but_never_made_up():
    schedule = Schedule(1.0, 0.0)
    schedule.done(0.1, 0.1)
    assert schedule.next_at == 1.0
    # The machine sleeps for an hour in the middle of a wait: the tick begins late.
    assert schedule.done(0.1, 3601.1) == 3600
    assert schedule.next_at == 3602.0
    assert schedule.skipped == 3600


def test_a_slow_host_is_asked_less_often_and_as_before_when_it_is_quick_again():
    schedule = Schedule(1.0, 0.0)
    run(schedule, itertools.repeat(0.6), 1)
    assert schedule.interval_s == 2.0
    run(schedule, itertools.repeat(0.9), 5)
    assert schedule.interval_s == 2.0
    run(schedule, itertools.repeat(40.0), 8)
    assert schedule.interval_s == LONGEST_S
    assert schedule.is_backed_off
    run(schedule, itertools.repeat(0.05), 30)
    assert schedule.interval_s == 1.0
    began = run(schedule, itertools.repeat(0.05), 3)
    assert [b - a for a, b in itertools.pairwise(began)] == pytest.approx([1.0, 1.0])


def test_a_long_interval_is_not_shortened_by_the_limit_of_backing_off():
    schedule = Schedule(600.0, 0.0)
    run(schedule, itertools.repeat(400.0), 3)
    assert schedule.interval_s == 600.0


def test_a_new_interval_counts_from_now():
    schedule = Schedule(3600.0, 0.0)
    schedule.done(0.1, 0.1)
    schedule.wish(0.5, 7.0)
    assert run(schedule, itertools.repeat(0.0), 3) == [7.0, 7.5, 8.0]


@given(st.lists(st.floats(0, 50), min_size=1, max_size=60), st.floats(0.2, 60))
def test_the_next_tick_is_always_ahead_but_never_further_than_one_interval(lengths, interval_s):
    schedule = Schedule(interval_s, 0.0)
    for took in lengths:
        end = schedule.next_at + took
        schedule.done(took, end)
        assert end < schedule.next_at + 1e-6
        assert schedule.next_at - end <= schedule.interval_s + 1e-6


def test_the_axis_goes_on_when_the_clock_is_set_back():
    axis = Axis()
    assert axis.next(Clocks(1000.0, 10.0, 10.0)) == (1000.0, "")
    assert axis.next(Clocks(1001.0, 11.0, 11.0)) == (1001.0, "")
    at, news = axis.next(Clocks(1001.0 - 3600, 12.0, 12.0))
    assert at == pytest.approx(1002.0)
    assert "set back by 3601 s" in news
    at, news = axis.next(Clocks(1002.0 - 3600, 13.0, 13.0))
    assert at == pytest.approx(1003.0)
    assert news == ""
    # And follows it again when it has caught up.
    assert axis.next(Clocks(1010.0, 21.0, 21.0))[0] == 1010.0


def test_a_clock_set_forward_and_a_sleep_are_told():
    axis = Axis()
    axis.next(Clocks(1000.0, 10.0, 10.0))
    at, news = axis.next(Clocks(1101.0, 11.0, 11.0))
    assert at == 1101.0
    assert "set forward by 100 s" in news
    at, news = axis.next(Clocks(4701.0, 3611.0, 12.0))
    assert at == 4701.0
    assert news == "this machine slept for 3599 s"


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(0, 1e4)), min_size=2, max_size=50))
def test_the_axis_never_goes_back(steps):
    axis, wall, boot, last = Axis(), 1e9, 0.0, -math.inf
    for wall_step, boot_step in steps:
        wall, boot = wall + wall_step, boot + boot_step
        at, _ = axis.next(Clocks(wall, boot, boot))
        assert at > last
        last = at


def test_every_guest_is_asked_within_a_round_and_the_work_is_spread():
    everyone = {f"g{n}" for n in range(100)}
    rota = Rota(5.0)
    asked = {uuid: [] for uuid in everyone}
    most = 0
    for turn in range(100):
        now = turn * TURN_S
        chosen = rota.pick(now, everyone, set())
        most = max(most, len(chosen))
        for uuid in chosen:
            asked[uuid].append(now)
    assert most <= 12
    for times in asked.values():
        assert max(b - a for a, b in itertools.pairwise(times)) <= 5.5
        assert times[0] <= 5.0


def test_a_guest_somebody_named_is_asked_each_second_however_many_others_there_are():
    everyone = {f"g{n}" for n in range(200)}
    rota = Rota(5.0)
    turns = [turn * TURN_S for turn in range(40)]
    times = [now for now in turns if "g7" in rota.pick(now, everyone, {"g7"})]
    assert max(b - a for a, b in itertools.pairwise(times)) <= 1.0


def test_few_guests_are_asked_more_often_so_that_a_hung_one_is_found_soon():
    assert Rota(5.0).period_s(6) == 1.0
    assert Rota(5.0).period_s(24) == 3.0
    assert Rota(5.0).period_s(500) == 5.0


def test_after_a_pause_there_is_no_burst():
    everyone = {f"g{n}" for n in range(100)}
    rota = Rota(5.0)
    for turn in range(30):
        rota.pick(turn * TURN_S, everyone, set())
    assert len(rota.pick(3600.0, everyone, set())) <= 20


def test_slices_are_small_and_lose_nobody():
    assert slices("abcdefg", 3) == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


def test_needs_are_what_all_wishes_want_together():
    needs = union(
        [
            Wish(frozenset({"cpu", "disk"}), frozenset({"a"})),
            Wish(frozenset({"cpu", "balloon"}), None),
            Wish(frozenset({"vcpu"}), frozenset({"a", "b"})),
        ]
    )
    assert needs.groups == {"cpu", "disk", "balloon", "vcpu"}
    assert needs.of("a") == {"cpu", "disk", "balloon", "vcpu"}
    assert needs.of("c") == {"cpu", "balloon"}
    assert needs.who("vcpu") == {"a", "b"}
    assert needs.who("balloon") is None
    assert needs.is_costly
    assert not union([Wish(frozenset({"cpu", "network"}), None)]).is_costly
    assert union([]) == Needs()


@pytest.mark.parametrize("wrong", [0, -1, 0.001, math.nan, math.inf, 3601, "1", None, True, [1]])
def test_an_interval_that_cannot_be_is_refused(wrong):
    with pytest.raises(SpecError, match=r"from 0\.2 to 3600"):
        checked_interval(wrong)


def test_intervals_that_can_be():
    assert [checked_interval(s) for s in (0.2, 1, 3600)] == [0.2, 1.0, 3600.0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("cpu", "discs"), "did you mean 'disk'"),
        (("zzz",), "there are: cpu, memory"),
        ((), "none at all"),
        ("cpu", "list of texts"),
        (7, "list of texts"),
        ((None,), "list of texts"),
    ],
)
def test_groups_that_cannot_be_are_refused(wrong, words):
    with pytest.raises(SpecError, match=words):
        checked_groups(wrong)


@pytest.mark.parametrize("wrong", ["web1", 7, [None], [""], [b"x"]])
def test_domains_that_cannot_be_are_refused(wrong):
    with pytest.raises(SpecError, match="list of texts"):
        checked_domains(wrong)


def test_domains_that_can_be():
    assert checked_domains(None) is None
    assert checked_domains(iter(["a", "b"])) == ("a", "b")
