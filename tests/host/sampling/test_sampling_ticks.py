"""The main tick and its listeners, on six real guests."""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time

import numpy as np
import pytest

import labvirt as lv
from labvirt.connection import sampling
from labvirt.connection.stats_link import StatsLink
from labvirt.errors import ConnectionLostError, NotFoundError, SpecError
from labvirt.host.sampling.axis import Clocks
from labvirt.status.series import GROUPS, find_series, series_of


@pytest.fixture(autouse=True)
def closed(alpha):
    yield
    assert not alpha.sampler.is_running, "somebody still listens"
    alpha.sampler.interval_s = 1.0
    alpha.sampler.slow_interval_s = 5.0


def test_a_main_tick_asks_no_hypervisor_and_little_of_the_daemon(alpha, herd, daemon_log, kept):
    alpha.sampler.interval_s = 0.25
    with alpha.sampler.listen(kept):
        kept.wait(3)
        daemon_log.mark()
        kept.wait(3 + 8)
        calls, commands, ticks = daemon_log.calls, daemon_log.commands, len(kept.samples) - 3
    assert commands == 0
    # The ticks at both ends may be cut.
    assert 0 < calls <= (ticks + 1) * (2 + len(kept.samples[-1].names))


def test_disks_and_balloons_are_asked_in_turns(alpha, herd, daemon_log, kept):
    with alpha.sampler.listen(kept, groups=("disk", "balloon")):
        kept.wait(2)
        daemon_log.mark()
        time.sleep(3.0)
        commands = daemon_log.commands
    # 3 of disks, 2 to 4 of a balloon; virt-manager would send 8 each second to each of them.
    assert 0 < commands <= 3.5 * len(kept.samples[-1].names) * 7


def test_a_fast_reading_is_one_call_and_one_for_each_domain(alpha, herd):
    link = StatsLink.open(alpha.connection)
    try:
        before = link.calls
        fast = sampling.read_fast(link)
        assert set(fast.names) >= set(herd.values())
        assert link.calls - before == 1 + len(fast.records)
        assert link.can_be_broken_off
        assert link.break_off()
        with pytest.raises(ConnectionLostError):
            sampling.read_fast(link)
    finally:
        link.close()


def test_samples_come_in_time_with_every_domain_and_kind(alpha, herd, kept):
    alpha.sampler.interval_s = 0.5
    alpha.sampler.slow_interval_s = 0.5
    with alpha.sampler.listen(kept, groups=GROUPS):
        kept.wait(8)
        disks = alpha.sampler.counters("disk")
        counters = alpha.sampler.counters("domain")
    sample = kept.samples[-1]
    assert [s.number for s in kept.samples] == list(range(1, len(kept.samples) + 1))
    gaps = np.diff([s.at for s in kept.samples])
    assert abs(np.mean(gaps) - 0.5) < 0.1
    assert set(sample.tables) == {"domain", "vcpu", "disk", "interface", "host"}
    domain = sample.tables["domain"]
    assert {sample.names[subject.uuid] for subject in domain.subjects} >= set(herd)
    assert domain.values.shape == (len(sample.names), len(series_of("domain")))
    ours = [row for row, each in enumerate(domain.subjects) if each.uuid in herd.values()]
    assert set(domain.values[ours, find_series("domain", "memory_bytes")]) == {32 << 20}
    assert set(domain.values[ours, find_series("domain", "disk_write_bytes_s")]) == {0}
    assert {each.uuid for each in sample.tables["disk"].subjects} >= set(herd.values())
    ours = [row for row, each in enumerate(disks.subjects) if each.uuid in herd.values()]
    assert {disks.subjects[row].device for row in ours} == {"vda"}
    assert set(disks.counters[ours, 9]) == {1 << 20}, "capacity"
    assert not np.isnan(counters.counters[:, :5]).any()
    host = sample.tables["host"].values[0]
    assert host[find_series("host", "guests_active")] == len(sample.names)
    assert 0 <= host[find_series("host", "cpu_percent")] <= 100.1
    assert host[find_series("host", "disk_read_bytes_s")] >= 0


def test_the_history_is_fed_while_somebody_listens(alpha, herd, kept):
    alpha.sampler.interval_s = 0.2
    alpha.history.clear()
    with alpha.sampler.listen(kept):
        kept.wait(4)
    first, last = alpha.history.span()
    assert first == pytest.approx(kept.samples[0].at)
    assert last >= kept.samples[3].at
    subject = kept.samples[0].tables["domain"].subjects[0]
    window = alpha.history.window("domain", subject, ["memory_bytes"])
    assert window.values[0, -1] >= 32 << 20


def test_many_listeners_cost_one_sampler(alpha, herd, kept, threads_and_files):
    alpha.sampler.interval_s = 0.2
    with alpha.sampler.listen(kept):
        kept.wait(2)
        _, files = threads_and_files()
        others = [alpha.sampler.listen(lambda sample: None) for _ in range(10)]
        assert threads_and_files()[1] == files
        for other in others:
            other.close()
        seen = len(kept.samples)
        kept.wait(seen + 3)
        numbers = [sample.number for sample in kept.samples]
        assert numbers == list(range(1, len(numbers) + 1)), "the sampler began anew"


def test_a_listener_that_raises_and_a_slow_one_disturb_nobody(alpha, herd, kept, caplog):
    alpha.sampler.interval_s = 0.2
    release, slow = threading.Event(), []

    def broken(sample):
        raise ValueError("a broken view")

    def sleepy(sample):
        slow.append(sample.number)
        release.wait(10)

    with (
        caplog.at_level(logging.CRITICAL, "labvirt"),
        alpha.sampler.listen(broken),
        alpha.sampler.listen(sleepy) as behind,
        alpha.sampler.listen(kept),
    ):
        kept.wait(8)
        # It gets the newest when it is ready, and knows what it lost.
        assert len(slow) == 1
        release.set()
        kept.wait(10)
    assert behind.dropped >= 5
    assert slow[1] - slow[0] >= 6
    gaps = [b - a for a, b in itertools.pairwise(kept.times)]
    assert max(gaps) < 0.4 + 0.4, gaps


def test_a_backlog_keeps_every_sample_for_a_slow_listener(alpha, herd):
    alpha.sampler.interval_s = 0.2
    seen = []

    def slow(sample):
        seen.append(sample.number)
        time.sleep(0.5 if len(seen) == 1 else 0)

    with alpha.sampler.listen(slow, backlog=50) as listening:
        time.sleep(1.5)
    assert seen == list(range(1, len(seen) + 1))
    assert listening.dropped == 0


def test_a_listener_may_close_itself(alpha, herd):
    closed, box = threading.Event(), []

    def once(sample):
        box[0].close()
        closed.set()

    alpha.sampler.interval_s = 0.2
    with alpha.sampler.listen(lambda sample: None):
        box.append(alpha.sampler.listen(once))
        assert closed.wait(5)
    assert not alpha.sampler.is_running


def test_open_and_close_leave_no_thread_and_no_file(alpha, herd, threads_and_files, until):
    alpha.sampler.listen(lambda sample: None, groups=("cpu", "disk")).close()
    time.sleep(0.2)
    before = threads_and_files()
    for number in range(200):
        groups = ("cpu", "disk", "balloon") if number % 2 else ("cpu", "network", "host")
        alpha.sampler.listen(lambda sample: None, groups=groups).close()
    assert not alpha.sampler.is_running
    # Libvirt's own thread frees the last link a moment later.
    until(lambda: threads_and_files() == before, "threads and files to go", 5)


def test_one_sample_by_hand(alpha, herd, threads_and_files, until):
    before = threads_and_files()
    sample = alpha.sample(("cpu", "disk", "host"), domains=["herd1"], seconds=0.3)
    until(lambda: threads_and_files() == before, "threads and files to go", 5)
    assert sample.number == 2
    assert {s.uuid for s in sample.tables["domain"].subjects} >= set(herd.values())
    assert [s.uuid for s in sample.tables["disk"].subjects] == [herd["herd1"]]
    column = find_series("domain", "cpu_percent")
    assert not np.isnan(sample.tables["domain"].values[:, column]).any()


@pytest.mark.parametrize("wrong", [0, -1.0, 0.001, math.nan, "often"])
def test_bad_intervals_are_refused_before_anything_starts(alpha, wrong):
    with pytest.raises(SpecError):
        alpha.sampler.interval_s = wrong
    with pytest.raises(SpecError):
        alpha.sampler.slow_interval_s = wrong
    with pytest.raises(SpecError):
        alpha.sample(seconds=wrong)
    assert alpha.sampler.interval_s == 1.0


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"groups": ("discs",)}, SpecError),
        ({"domains": "herd1"}, SpecError),
        ({"domains": ["nobody"]}, NotFoundError),
        ({"backlog": 0}, SpecError),
        ({"fn": "print"}, SpecError),
    ],
)
def test_bad_wishes_are_refused_before_anything_starts(alpha, herd, wish, error):
    with pytest.raises(error):
        alpha.sampler.listen(**{"fn": print, **wish})
    assert not alpha.sampler.is_running


def test_several_hosts_side_by_side_and_a_closed_one(lab, alpha, beta, kept):
    with lv.connect(beta.uri) as other:
        other.sampler.interval_s = 0.2
        seen = []
        other.sampler.listen(seen.append)
        with alpha.sampler.listen(kept), beta.sampler.listen(lambda sample: None):
            kept.wait(1)
        time.sleep(0.3)
    assert not other.sampler.is_running
    assert seen
    assert seen[0].tables["domain"].subjects == ()
    with pytest.raises(ConnectionLostError, match="open it again"):
        other.sampler.listen(print)


def test_a_clock_set_back_bends_no_axis(kept, monkeypatch):
    """Seen from the sampler: the machine's clock is set back by an hour between two ticks."""
    real, step = Clocks.read, [0.0]
    shifted = staticmethod(lambda: real()._replace(wall=real().wall + step[0]))
    monkeypatch.setattr(Clocks, "read", shifted)
    with lv.connect("test:///default") as host:
        host.sampler.interval_s = 0.2
        with host.sampler.listen(kept):
            kept.wait(3)
            step[0] = -3600.0
            kept.wait(7)
        times = [sample.at for sample in kept.samples]
        assert np.all(np.diff(times) > 0)
        assert np.diff(times).max() < 1.0
        (mark,) = [mark for mark in host.history.marks() if mark.kind == "clock"]
        assert "set back by 3600 s" in mark.text
        window = host.history.window(
            "domain", kept.samples[0].tables["domain"].subjects[0], ["memory_bytes"]
        )
        assert np.all(np.diff(window.times) > 0)


def test_a_connection_that_is_closed_ends_the_sampling(kept, until, threads_and_files):
    before = threads_and_files()[0]
    host = lv.connect("test:///default")
    host.sampler.interval_s = 0.2
    host.sampler.listen(kept)
    kept.wait(1)
    host.connection.close()
    until(lambda: not host.sampler.is_running, "the end")
    host.close()
    until(lambda: threads_and_files()[0] == before, "the threads to go", 5)


def test_the_test_driver_has_states_and_nothing_is_asked_of_it_that_it_lacks(kept, caplog):
    with lv.connect("test:///default") as host, caplog.at_level(logging.WARNING, "labvirt"):
        host.sampler.interval_s = 0.2
        with host.sampler.listen(kept, groups=GROUPS):
            kept.wait(4)
    assert not caplog.records
    sample = kept.samples[-1]
    assert list(sample.names.values()) == ["test"]
    values = sample.tables["domain"].values[0]
    assert values[find_series("domain", "memory_bytes")] == 2 << 30
    assert math.isnan(values[find_series("domain", "memory_used_bytes")])
