"""Readings become rates: exact numbers, and all that happens to counters in the field."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.status.rates import Rates
from labvirt.status.sample import COUNTERS, Reading, Subject
from labvirt.status.series import find_series, series_of

GIB = 2.0**30
NAN = math.nan


def reading(kind, rows, clock=0.0, *, complete=True):
    """Make a reading from ``{(uuid, device): {counter: value}}``."""
    subjects = tuple(Subject("h", uuid, device) for uuid, device in rows)
    counters = np.full((len(rows), len(COUNTERS[kind])), np.nan)
    for row, values in enumerate(rows.values()):
        for name, value in values.items():
            counters[row, COUNTERS[kind].index(name)] = value
    return Reading(kind, subjects, np.full(len(rows), float(clock)), counters, complete)


def domains(clock, *uuids, complete=True, **values):
    base = {"state": 1, "vcpus": 2, "max_memory_bytes": GIB, "memory_bytes": GIB, "cpu_time_ns": 0}
    return reading("domain", {(u, ""): base | values for u in uuids}, clock, complete=complete)


def only(kind, clock, *uuids, **values):
    return reading(kind, {(u, ""): values for u in uuids}, clock, complete=False)


def disk(clock, rows, *, complete=True):
    base = dict.fromkeys(COUNTERS["disk"], 0)
    return reading("disk", {key: base | v for key, v in rows.items()}, clock, complete=complete)


def nic(clock, rows, *, complete=True):
    base = dict.fromkeys(COUNTERS["interface"], 0)
    return reading("interface", {k: base | v for k, v in rows.items()}, clock, complete=complete)


class Bench:
    """Rates of a host with 4 CPUs and 8 GiB, fed at one tick a second."""

    def __init__(self, **options):
        self.rates = Rates("h", host_cpus=4, host_memory_bytes=8 * GIB, **options)
        self.number = 0

    def __call__(self, at, *readings, interval_s=1.0, wall=None, **more):
        self.number += 1
        at = float(at)
        for each in readings:  # one clock for all readings of a tick, unless they have their own
            if not each.clocks.any():
                each.clocks[:] = at
        self.sample = self.rates.take(
            readings,
            at=1000.0 + at if wall is None else wall,
            number=self.number,
            interval_s=interval_s,
            **more,
        )
        return self

    def value(self, kind, name, uuid="", device=""):
        table = self.sample.tables[kind]
        row = table.subjects.index(Subject("h", uuid, device))
        return table.values[row, find_series(kind, name)]


@pytest.fixture
def bench():
    return Bench()


def test_cpu_is_of_the_guest_and_of_the_host(bench):
    bench(1, domains(1, "a", cpu_time_ns=5e9))
    assert math.isnan(bench.value("domain", "cpu_percent", "a"))
    bench(3, domains(3, "a", cpu_time_ns=7e9))  # 2 s of CPU in 2 s, of 2 vCPUs, of 4 CPUs
    assert bench.value("domain", "cpu_percent", "a") == 50.0
    assert bench.value("domain", "cpu_host_percent", "a") == 25.0
    assert bench.value("domain", "memory_bytes", "a") == GIB
    assert bench.value("domain", "memory_host_percent", "a") == 12.5
    assert bench.value("host", "guests_cpu_percent") == 25.0
    assert bench.value("host", "guests_memory_bytes") == GIB
    assert bench.value("host", "guests_active") == 1.0


def test_each_row_has_a_clock_of_its_own(bench):
    first, second = domains(1, "a", "b"), domains(2, "a", "b", cpu_time_ns=1e9)
    second.clocks[1] = 3.0
    bench(1, first)
    bench(3, second)
    assert bench.value("domain", "cpu_percent", "a") == 50.0
    assert bench.value("domain", "cpu_percent", "b") == 25.0


def test_cpu_hot_plug_makes_no_spike(bench):
    bench(1, domains(1, "a", vcpus=4))
    bench(2, domains(2, "a", vcpus=1, cpu_time_ns=4e9))
    assert bench.value("domain", "cpu_percent", "a") == 100.0
    bench(3, domains(3, "a", vcpus=1, cpu_time_ns=5e9))
    assert bench.value("domain", "cpu_percent", "a") == 100.0


def test_vcpus_and_steal(bench):
    def cpu(ns):
        return reading("vcpu", {("a", "0"): {"state": 1, "cpu_time_ns": ns}})

    def wait(clock, ns):
        return only("domain", clock, "a", wait_ns=ns)

    bench(1, domains(1, "a"), cpu(0), wait(1, 1e9))
    bench(2, domains(2, "a"), cpu(25e7), wait(2, 2e9))
    assert bench.value("vcpu", "cpu_percent", "a", "0") == 25.0
    assert bench.value("domain", "cpu_steal_percent", "a") == 50.0


def test_memory_used_is_current_less_usable(bench):
    def balloon(clock, **values):
        return only("domain", clock, "a", balloon_current_bytes=GIB, **values)

    bench(1, domains(1, "a"))
    assert math.isnan(bench.value("domain", "memory_used_bytes", "a"))
    bench(2, domains(2, "a"), balloon(2, balloon_usable_bytes=GIB / 4, balloon_updated_s=1001))
    assert bench.value("domain", "memory_used_bytes", "a") == 0.75 * GIB
    bench(3, domains(3, "a"))  # held
    assert bench.value("domain", "memory_used_bytes", "a") == 0.75 * GIB
    bench(4, domains(4, "a"), balloon(4))  # the driver says no more
    assert math.isnan(bench.value("domain", "memory_used_bytes", "a"))


def test_memory_used_without_a_time_is_taken_as_it_is(bench):
    bench(1, domains(1, "a", balloon_current_bytes=GIB, balloon_usable_bytes=GIB / 2))
    assert bench.value("domain", "memory_used_bytes", "a") == GIB / 2


@pytest.mark.parametrize("updated", [0, 900])
def test_memory_used_that_the_guest_renews_no_more_is_no_data(bench, updated):
    for clock in range(1, 40):
        balloon = {"balloon_current_bytes": GIB, "balloon_usable_bytes": GIB / 2}
        bench(clock, domains(clock, "a", **balloon, balloon_updated_s=updated))
        assert math.isnan(bench.value("domain", "memory_used_bytes", "a"))


def test_memory_used_lives_as_long_as_the_guest_renews_it_whatever_its_clock_says(bench):
    balloon = {"balloon_current_bytes": GIB, "balloon_usable_bytes": GIB / 2}
    for clock in range(1, 80):  # an hour ahead of us, renewed every 5 s until 40
        updated = 4600 + min(clock, 40) // 5 * 5
        bench(clock, domains(clock, "a", **balloon, balloon_updated_s=updated))
        known = not math.isnan(bench.value("domain", "memory_used_bytes", "a"))
        assert known == (clock <= 70), clock


def test_disks_and_their_latency(bench):
    bench(1, domains(1, "a"), disk(1, {("a", "vda"): {}, ("a", "vdb"): {}}))
    vda = {"read_bytes": 4096, "read_ops": 4, "read_ns": 8e6, "flush_ops": 6}
    vdb = {"read_bytes": 1000, "read_ops": 1, "read_ns": 2e6, "write_bytes": 20, "write_ops": 0}
    levels = {"allocation_bytes": 77, "capacity_bytes": 99}
    bench(3, domains(3, "a"), disk(3, {("a", "vda"): vda | levels, ("a", "vdb"): vdb}))
    got = {
        (each.name, device): bench.value("disk", each.name, "a", device)
        for each in series_of("disk")
        for device in ("vda", "vdb")
    }
    assert got["read_bytes_s", "vda"] == 2048
    assert got["read_ops_s", "vda"] == 2
    assert got["flush_ops_s", "vda"] == 3
    assert got["read_latency_s", "vda"] == pytest.approx(0.002)
    assert math.isnan(got["write_latency_s", "vda"])
    assert got["write_bytes_s", "vdb"] == 10
    assert got["allocation_bytes", "vda"] == 77
    assert got["capacity_bytes", "vda"] == 99
    assert bench.value("domain", "disk_read_bytes_s", "a") == 2548
    assert bench.value("domain", "disk_read_ops_s", "a") == 2.5
    assert bench.value("domain", "disk_write_bytes_s", "a") == 10
    assert bench.value("domain", "disk_read_latency_s", "a") == pytest.approx(0.002)
    assert math.isnan(bench.value("domain", "disk_write_latency_s", "a"))


def test_interfaces_and_their_sum_by_domain(bench):
    keys = [("b", "m1"), ("a", "m2"), ("b", "m3")]
    names = dict(zip(COUNTERS["interface"], range(1, 9), strict=True))
    bench(1, domains(1, "a", "b", "c"), nic(1, {key: {} for key in keys}))
    bench(2, domains(2, "a", "b", "c"), nic(2, dict.fromkeys(keys, names)))
    expected = {"rx_bytes_s": 1, "rx_packets_s": 2, "rx_errors_s": 3, "rx_drops_s": 4}
    expected |= {"tx_bytes_s": 5, "tx_packets_s": 6, "tx_errors_s": 7, "tx_drops_s": 8}
    for name, value in expected.items():
        assert bench.value("interface", name, "a", "m2") == value
    assert bench.value("domain", "net_rx_bytes_s", "a") == 1
    assert bench.value("domain", "net_tx_packets_s", "b") == 12
    assert math.isnan(bench.value("domain", "net_rx_bytes_s", "c"))


def test_a_device_that_is_plugged_or_unplugged_makes_no_spike(bench):
    bench(1, domains(1, "a"), nic(1, {("a", "m1"): {"rx_bytes": 100}}))
    both = {("a", "m1"): {"rx_bytes": 110}, ("a", "m2"): {"rx_bytes": 10**9}}
    bench(2, domains(2, "a"), nic(2, both))
    assert bench.value("domain", "net_rx_bytes_s", "a") == 10
    assert math.isnan(bench.value("interface", "rx_bytes_s", "a", "m2"))
    bench(3, domains(3, "a"), nic(3, {("a", "m2"): {"rx_bytes": 10**9 + 7}}))
    assert bench.value("domain", "net_rx_bytes_s", "a") == 7
    assert [each.device for each in bench.sample.tables["interface"].subjects] == ["m2"]


def test_a_counter_that_began_anew_gives_no_data_once(bench):
    for clock, ns in ((1, 5e9), (2, 6e9), (3, 1e9), (4, 2e9)):
        bench(clock, domains(clock, "a", cpu_time_ns=ns))
        known = not math.isnan(bench.value("domain", "cpu_percent", "a"))
        assert known == (clock in {2, 4})


def test_a_domain_that_began_anew_takes_its_devices_with_it(bench):
    def tick(clock, cpu, octets):
        nics = nic(clock, {("a", "m1"): {"rx_bytes": octets}})
        bench(clock, domains(clock, "a", cpu_time_ns=cpu), nics)
        return bench.value("domain", "net_rx_bytes_s", "a")

    tick(1, 9e9, 100)
    assert tick(2, 10e9, 150) == 50
    assert math.isnan(tick(3, 1e9, 900))  # more than before, and yet another counter
    assert tick(4, 2e9, 901) == 1


def test_held_values_of_a_life_that_is_over_are_not_shown(bench):
    bench(1, domains(1, "a", cpu_time_ns=5e9), disk(1, {("a", "vda"): {}}))
    bench(2, domains(2, "a", cpu_time_ns=6e9), disk(2, {("a", "vda"): {"read_bytes": 5}}))
    assert bench.value("domain", "disk_read_bytes_s", "a") == 5
    bench(3, domains(3, "a", cpu_time_ns=0))
    assert math.isnan(bench.value("domain", "disk_read_bytes_s", "a"))
    assert math.isnan(bench.value("disk", "read_bytes_s", "a", "vda"))


@pytest.mark.parametrize("state", [5, 6])
def test_a_domain_that_vanished_or_is_off_starts_anew(bench, state):
    bench(1, domains(1, "a", "b"), disk(1, {("a", "vda"): {}, ("b", "vda"): {}}))
    bench(2, domains(2, "b"))
    assert [each.uuid for each in bench.sample.tables["domain"].subjects] == ["b"]
    assert [each.uuid for each in bench.sample.tables["disk"].subjects] == ["b"]
    slow = disk(3, {("a", "vda"): {"read_bytes": 10**9}}, complete=False)
    bench(3, domains(3, "a", "b", cpu_time_ns=4e9), slow)
    assert math.isnan(bench.value("domain", "cpu_percent", "a"))
    assert math.isnan(bench.value("domain", "disk_read_bytes_s", "a"))
    bench(4, domains(4, "a", state=state, cpu_time_ns=8e9))
    assert math.isnan(bench.value("domain", "cpu_percent", "a"))
    assert bench.value("host", "guests_active") == 0
    bench(5, domains(5, "a", cpu_time_ns=9e9))
    assert math.isnan(bench.value("domain", "cpu_percent", "a"))


def test_slices_hold_the_values_of_the_others_with_their_own_clock(bench):
    rows = [("a", "vda"), ("b", "vda")]
    bench(1, domains(1, "a", "b"), disk(1, {key: {} for key in rows}))
    one = disk(2, {rows[0]: {"read_bytes": 10}}, complete=False)
    bench(2, domains(2, "a", "b"), one)
    other = disk(5, {rows[1]: {"read_bytes": 40}}, complete=False)
    bench(5, domains(5, "a", "b"), other)
    assert bench.value("domain", "disk_read_bytes_s", "a") == 10
    assert bench.value("domain", "disk_read_bytes_s", "b") == 10


def test_domains_may_be_read_in_slices_as_well(bench):
    for clock in range(1, 6):
        who = "a" if clock % 2 else "b"
        bench(clock, domains(clock, who, cpu_time_ns=clock * 1e9, complete=False))
    assert [each.uuid for each in bench.sample.tables["domain"].subjects] == ["a", "b"]
    for who in "ab":
        assert bench.value("domain", "cpu_percent", who) == 50.0


def test_a_slice_says_which_devices_its_domains_have(bench):
    bench(1, domains(1, "a", "b"), disk(1, {("a", "vda"): {}, ("a", "vdb"): {}, ("b", "vda"): {}}))
    bench(2, domains(2, "a", "b"), disk(2, {("a", "vda"): {}, ("a", "vdc"): {}}, complete=False))
    there = [(each.uuid, each.device) for each in bench.sample.tables["disk"].subjects]
    assert sorted(there) == [("a", "vda"), ("a", "vdc"), ("b", "vda")]


def test_what_is_too_old_is_no_data_and_then_absent():
    bench = Bench(hold_s=6.0)
    bench(1, domains(1, "a", "b"), disk(1, {("a", "vda"): {}, ("b", "vda"): {}}))
    bench(2, domains(2, "a", "b"), disk(2, {("a", "vda"): {}, ("b", "vda"): {}}))
    bench(6, domains(6, "a", "b"), disk(6, {("a", "vda"): {"read_bytes": 4}}, complete=False))
    bench(8, domains(8, "a", "b"))
    assert bench.value("domain", "disk_read_bytes_s", "b") == 0
    bench(9, domains(9, "a", "b"))
    assert bench.value("domain", "disk_read_bytes_s", "a") == 1
    assert math.isnan(bench.value("domain", "disk_read_bytes_s", "b"))
    assert np.isnan(bench.sample.tables["disk"].values[1]).all()
    bench(13, domains(13, "a", "b"))
    assert "disk" not in bench.sample.tables
    assert math.isnan(bench.value("domain", "disk_read_bytes_s", "a"))


def test_a_late_main_tick_holds_for_three_intervals(bench):
    bench(1, domains(1, "a"))
    bench(2, domains(2, "a", cpu_time_ns=1e9))
    bench(4)
    assert bench.value("domain", "cpu_percent", "a") == 50.0
    bench(6)
    assert "domain" not in bench.sample.tables


def test_a_stalled_domain_keeps_what_the_daemon_knows(bench):
    def tick(clock, **more):
        octets = {"rx_bytes": 10 * clock, "read_bytes": 10 * clock}
        bench(
            clock,
            domains(
                clock, "a", "b", cpu_time_ns=clock * 1e9,
                balloon_current_bytes=GIB, balloon_usable_bytes=0,
            ),
            nic(clock, {("a", "m"): {"rx_bytes": octets["rx_bytes"]}}),
            disk(clock, {(u, "vda"): {"read_bytes": octets["read_bytes"]} for u in "ab"}),
            **more,
        )  # fmt: skip

    tick(1)
    tick(2, stalled={"a": 1001.5, "gone": 1.0})
    for name in ("disk_read_bytes_s", "memory_used_bytes"):
        assert math.isnan(bench.value("domain", name, "a"))
        assert not math.isnan(bench.value("domain", name, "b"))
    assert np.isnan(bench.sample.tables["disk"].values[0]).all()
    assert bench.value("domain", "cpu_percent", "a") == 50.0
    assert bench.value("domain", "net_rx_bytes_s", "a") == 10
    assert bench.sample.stalled == {"a": 1001.5, "gone": 1.0}
    tick(3)
    assert bench.value("domain", "disk_read_bytes_s", "a") == 10


def test_the_same_clock_or_a_clock_that_went_back_gives_no_data(bench):
    for at, clock in ((1, 5), (2, 5), (3, 4), (4, 5)):
        bench(at, domains(clock, "a", cpu_time_ns=at * 1e9))
        assert math.isnan(bench.value("domain", "cpu_percent", "a")) == (at != 4)


def test_a_sleep_of_an_hour_is_averaged_and_marked(bench):
    bench(1, domains(1, "a"))
    assert not bench.rates.marks
    bench(3601, domains(3601, "a", cpu_time_ns=3600e9))
    assert bench.value("domain", "cpu_percent", "a") == 50.0
    (mark,) = bench.rates.marks
    assert (mark.kind, mark.at, mark.host) == ("gap", 4601.0, "h")
    assert "3600 s" in mark.text
    bench(3602, domains(3602, "a", cpu_time_ns=3600e9))
    assert not bench.rates.marks


@pytest.mark.parametrize(("wall", "text"), [(500.0, "back by 502 s"), (2000.0, "forward by 998 s")])
def test_a_step_of_the_wall_clock_is_marked_and_changes_no_rate(bench, wall, text):
    bench(1, domains(1, "a"))
    bench(2, domains(2, "a", cpu_time_ns=1e9), wall=wall)
    assert bench.value("domain", "cpu_percent", "a") == 50.0
    assert [each.kind for each in bench.rates.marks] == ["clock"]
    assert text in bench.rates.marks[0].text


def host(clock, **values):
    return reading("host", {("", ""): values}, clock)


def test_the_host(bench):
    names = ("user_ns", "kernel_ns", "iowait_ns", "idle_ns")
    levels = {"memory_bytes": 100.0, "memory_free_bytes": 20.0, "memory_cached_bytes": 30.0}
    octets = ("disk_read_bytes", "disk_write_bytes", "net_rx_bytes", "net_tx_bytes")
    bench(1, host(1, **dict.fromkeys((*names, *octets), 0), **levels))
    grown = dict(zip(names, (1e9, 5e8, 1e8, 24e8), strict=True))
    grown |= dict(zip(octets, (2, 4, 6, 8), strict=True))
    bench(3, host(3, **grown, **levels))
    got = {each.name: bench.value("host", each.name) for each in series_of("host")}
    assert got["cpu_percent"] == pytest.approx(37.5)
    assert got["cpu_user_percent"] == pytest.approx(25)
    assert got["cpu_kernel_percent"] == pytest.approx(12.5)
    assert got["cpu_iowait_percent"] == pytest.approx(2.5)
    assert (got["memory_bytes"], got["memory_used_bytes"]) == (100, 50)
    assert [got[f"{name}_s"] for name in octets] == [1, 2, 3, 4]
    assert math.isnan(got["guests_cpu_percent"])
    bench(4, host(4, **grown | {"net_rx_bytes": 5, "iowait_ns": 0, "idle_ns": 34e8}, **levels))
    assert math.isnan(bench.value("host", "net_rx_bytes_s"))
    assert bench.value("host", "net_tx_bytes_s") == 0
    assert bench.value("host", "cpu_percent") == 0
    assert bench.value("host", "cpu_iowait_percent") == 0


def test_no_domains_at_all(bench):
    bench(1, domains(1))
    assert bench.sample.tables["domain"].values.shape == (0, len(series_of("domain")))
    assert bench.value("host", "guests_active") == 0
    assert bench.value("host", "guests_cpu_percent") == 0
    bench(2, domains(2))
    bench(3, domains(500_000, "a"))  # the first clock that there is
    assert not bench.rates.marks
    assert bench.value("host", "guests_active") == 1


def test_a_sample_does_not_change_when_the_next_is_made(bench):
    bench(1, domains(1, "a"), disk(1, {("a", "vda"): {}}), nic(1, {("a", "m"): {}}))
    grown = {"read_bytes": 9, "capacity_bytes": 5}
    bench(
        2,
        domains(2, "a", cpu_time_ns=1e9),
        disk(2, {("a", "vda"): grown}),
        nic(2, {("a", "m"): {}}),
    )
    kept = {kind: table.values.copy() for kind, table in bench.sample.tables.items()}
    first = bench.sample
    bench(3, domains(3, "a"), disk(3, {("a", "vda"): {}}), nic(3, {("a", "m"): {"rx_bytes": 3}}))
    for kind, values in kept.items():
        np.testing.assert_array_equal(first.tables[kind].values, values)


# 32-bit counters -------------------------------------------------------------------------------

TOP = 2**32


def test_a_counter_that_ran_over_at_32_bits_goes_on(bench):
    packets = {"rx_packets": 5}
    bench(1, domains(1, "a"), nic(1, {("a", "m"): {"rx_bytes": TOP - 100} | packets}))
    bench(2, domains(2, "a"), nic(2, {("a", "m"): {"rx_bytes": 50} | packets}))
    assert bench.value("interface", "rx_bytes_s", "a", "m") == 150
    assert bench.value("interface", "rx_packets_s", "a", "m") == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"rx_bytes": TOP - 100, "rx_packets": 900}, {"rx_bytes": 50, "rx_packets": 1}),  # reset
        ({"rx_bytes": TOP - 100}, {"rx_bytes": 50}),  # nothing shows that it was no reset
        ({"rx_bytes": TOP // 3, "rx_packets": 9}, {"rx_bytes": 50, "rx_packets": 9}),
        ({"rx_bytes": TOP + 5, "rx_packets": 9}, {"rx_bytes": 50, "rx_packets": 9}),
        ({"rx_bytes": TOP * 0.6, "rx_packets": 9}, {"rx_bytes": 50, "rx_packets": 9}),  # too fast
    ],
)
def test_what_only_looks_like_it_is_no_data(bench, before, after):
    bench(1, domains(1, "a"), nic(1, {("a", "m"): before}))
    bench(2, domains(2, "a"), nic(2, {("a", "m"): after}))
    assert math.isnan(bench.value("interface", "rx_bytes_s", "a", "m"))
    assert math.isnan(bench.value("domain", "net_rx_bytes_s", "a"))


@given(
    start=st.integers(0, TOP - 1),
    steps=st.lists(st.integers(0, 10**9), min_size=1, max_size=20),
)
def test_true_traffic_is_never_misstated_by_a_32_bit_card(start, steps):
    bench, octets = Bench(), start
    bench(1, domains(1, "a"), nic(1, {("a", "m"): {"tx_bytes": octets, "tx_packets": 1}}))
    for clock, step in enumerate(steps, 2):
        octets += step
        row = {"tx_bytes": octets % TOP, "tx_packets": clock}
        bench(clock, domains(clock, "a"), nic(clock, {("a", "m"): row}))
        got = bench.value("interface", "tx_bytes_s", "a", "m")
        assert math.isnan(got) or got == step
        assert got == step or (octets - step) % TOP < TOP / 2


# Whatever happens ------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["grow", "grow", "reset", "vanish", "late", "slice", "plug", "same clock"]),
        st.integers(0, 2),
        st.integers(0, 10**6),
    ),
    max_size=40,
)


@given(EVENTS)
def test_no_rate_is_negative_or_beyond_what_was_done(events):
    """Three domains, each with a disk and an interface; none does more than 2 * 10^6 a tick."""
    bench, clock = Bench(hold_s=4.0), 1
    true = {uuid: {"cpu": 0, "net": 0, "disk": 0} for uuid in "abc"}
    plugged = dict.fromkeys("abc", 1)
    for what, which, much in events:
        uuid = "abc"[which]
        clock += what != "same clock"
        present = [each for each in "abc" if not (what == "vanish" and each == uuid)]
        if what in {"reset", "vanish"}:
            true[uuid] = {"cpu": 0, "net": much, "disk": much}
        for each in true.values():
            each["cpu"] += 1
        true[uuid]["net"] += much
        true[uuid]["disk"] += much
        plugged[uuid] += what == "plug"
        rows = {(u, ""): {"state": 1, "vcpus": 1, "cpu_time_ns": true[u]["cpu"]} for u in present}
        nics = {
            (u, f"m{n}"): {"rx_bytes": true[u]["net"]} for u in present for n in range(plugged[u])
        }
        disks = {(u, "vda"): {"read_bytes": true[u]["disk"]} for u in present}
        if what == "slice":
            disks = {key: row for key, row in disks.items() if key[0] == uuid}
        tick = [] if what == "late" else [reading("domain", rows, clock), nic(clock, nics)]
        bench(clock, *tick, disk(clock, disks, complete=what != "slice"))
        if "domain" not in bench.sample.tables:
            continue
        domain = bench.sample.tables["domain"]
        for name in ("cpu_percent", "disk_read_bytes_s", "net_rx_bytes_s"):
            values = domain.values[:, find_series("domain", name)]
            values = values[~np.isnan(values)]
            assert (values >= 0).all()
            most = {"cpu_percent": 1e-5, "disk_read_bytes_s": 2e6}.get(name, 2e6 * len(events))
            assert (values <= most).all(), name
