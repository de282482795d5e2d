"""What libvirt tells of many domains becomes readings; nothing is taken for something else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.status.gather import Gather
from labvirt.status.sample import COUNTERS, Subject

NET = ("rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop")
BLOCK = ("rd.bytes", "rd.reqs", "rd.times", "wr.bytes", "wr.reqs", "wr.times")
BLOCK += ("fl.reqs", "fl.times", "allocation", "capacity")


def devices(group, figures, **devices):
    told = {f"{group}.count": len(devices)}
    for number, (name, first) in enumerate(devices.items()):
        told[f"{group}.{number}.name"] = name
        told |= {f"{group}.{number}.{each}": first + n for n, each in enumerate(figures)}
    return told


def value(readings, kind, column, uuid, device=""):
    (reading,) = (each for each in readings if each.kind == kind)
    row = reading.subjects.index(Subject("h", uuid, device))
    return reading.counters[row, COUNTERS[kind].index(column)]


def test_a_main_tick():
    gather = Gather("h", info=True)
    records = [
        ("a", {"state.state": 1} | devices("net", NET, vnet0=100)),
        ("b", {"state.state": 3} | devices("net", NET, vnet1=200, vnet2=300)),
        ("c", {"state.state": 1}),
    ]
    infos = [[1, 2048, 1024, 2, 5 * 10**9], [3, 4096, 4096, 1, 7], [1, 1, 1, 1, 1]]
    domain, nic = gather.take(records, 10.0, infos=infos, clocks=[11.0, 12.0, 13.0])
    assert domain.clocks.tolist() == [11, 12, 13]
    assert domain.counters[0, :5].tolist() == [1, 2, 2 * 2**20, 2**20, 5e9]
    assert np.isnan(domain.counters[:, 5:]).all()
    assert [(each.uuid, each.device) for each in nic.subjects] == [
        ("a", "vnet0"), ("b", "vnet1"), ("b", "vnet2")
    ]  # fmt: skip
    assert nic.counters.tolist() == [[x + n for n in range(8)] for x in (100, 200, 300)]
    assert nic.clocks.tolist() == [10, 10, 10]
    assert all(each.complete for each in (domain, nic))
    again = gather.take(records, 11.0, infos=infos)
    assert [a.subjects is b.subjects for a, b in zip(again, (domain, nic), strict=True)] == [
        True
    ] * 2
    assert again[0].clocks.tolist() == [11] * 3
    assert again[0].counters is not domain.counters


def test_disks_balloon_and_delays():
    gather = Gather("h", ("domain", "disk"))
    told = {
        "balloon.current": 4, "balloon.maximum": 8, "balloon.usable": 3, "balloon.last-update": 17,
        "vcpu.current": 2, "vcpu.0.delay": 5, "vcpu.1.delay": 6, "cpu.time": 9,
    }  # fmt: skip
    readings = gather.take([("a", told | devices("block", BLOCK, vda=10))], 1.0, complete=False)
    expected = {
        "vcpus": 2, "max_memory_bytes": 8192, "memory_bytes": 4096, "cpu_time_ns": 9, "wait_ns": 11,
        "balloon_current_bytes": 4096, "balloon_usable_bytes": 3072, "balloon_updated_s": 17,
    }  # fmt: skip
    assert {name: value(readings, "domain", name, "a") for name in expected} == expected
    assert math.isnan(value(readings, "domain", "state", "a"))
    assert readings[1].counters.tolist() == [[10 + n for n in range(10)]]
    assert not any(each.complete for each in readings)


def test_what_comes_and_goes_is_noticed():
    gather = Gather("h", ("domain", "interface", "disk"))
    base = {"state.state": 1, "balloon.current": 4}
    one, other = devices("net", NET, vnet0=1), devices("net", NET, vnet7=1)
    readings = gather.take([("a", base | one)], 1.0)
    assert math.isnan(value(readings, "domain", "balloon_usable_bytes", "a"))
    first = readings[1].subjects
    readings = gather.take([("a", base | one | {"balloon.usable": 2})], 2.0)
    assert value(readings, "domain", "balloon_usable_bytes", "a") == 2048
    assert readings[1].subjects is first
    assert (
        value(gather.take([("a", base | other)], 3.0), "interface", "rx_bytes", "a", "vnet7") == 1
    )
    silent = {key: v for key, v in one.items() if "rx.bytes" not in key}
    readings = gather.take([("a", base | silent)], 4.0)
    assert math.isnan(value(readings, "interface", "rx_bytes", "a", "vnet0"))
    assert value(readings, "interface", "rx_packets", "a", "vnet0") == 2
    readings = gather.take([("b", base | one), ("a", base)], 5.0)
    assert value(readings, "interface", "rx_bytes", "b", "vnet0") == 1
    assert len(readings[1].subjects) == 1
    assert [len(each.subjects) for each in gather.take([], 6.0)] == [0, 0, 0]


def test_one_key_for_another_is_noticed():
    gather = Gather("h", ("domain",))
    gather.take([("a", {"balloon.current": 4, "cpu.time": 1})], 1.0)
    readings = gather.take([("a", {"balloon.current": 5, "cpu.user": 1})], 2.0)
    assert value(readings, "domain", "memory_bytes", "a") == 5120
    assert math.isnan(value(readings, "domain", "cpu_time_ns", "a"))


@pytest.mark.parametrize("figure", [2**64 - 1, 0.5, 2**63 - 1, 0])
def test_every_number_of_libvirt_is_taken(figure):
    readings = Gather("h", ("domain",)).take([("a", {"cpu.time": figure})], 1.0)
    assert value(readings, "domain", "cpu_time_ns", "a") == float(figure)


def test_a_count_that_cannot_be_is_not_believed():
    told = {"block.count": 10**9} | devices("block", BLOCK, vda=1) | {"block.count": 10**9}
    _, disk = Gather("h", ("domain", "disk")).take([("a", told)], 1.0)
    assert [each.device for each in disk.subjects] == ["vda"]


DOMAIN = st.tuples(
    st.dictionaries(
        st.sampled_from(["vnet0", "vnet1", "vnet2"]), st.integers(0, 2**62), max_size=3
    ),
    st.dictionaries(st.sampled_from(["vda", "sda"]), st.integers(0, 2**62), max_size=2),
    st.sets(st.sampled_from(["balloon.usable", "cpu.time", "rx.bytes", "vcpu.0.delay"])),
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), DOMAIN, max_size=3), max_size=8))
def test_it_is_what_reading_key_by_key_says(ticks):
    gather = Gather("h", ("domain", "interface", "disk"))
    for domains in ticks:
        records, expected = [], {}
        for uuid, (nics, disks, extra) in domains.items():
            told = (
                {"state.state": 1} | devices("net", NET, **nics) | devices("block", BLOCK, **disks)
            )
            told |= {key: 7 for key in extra if key != "rx.bytes"}
            if "rx.bytes" in extra:
                told.pop("net.0.rx.bytes", None)
            records.append((uuid, told))
            expected["domain", uuid, "", "cpu_time_ns"] = told.get("cpu.time", math.nan)
            expected["domain", uuid, "", "wait_ns"] = told.get("vcpu.0.delay", math.nan)
            for number, name in enumerate(nics):
                rx = told.get(f"net.{number}.rx.bytes", math.nan)
                expected["interface", uuid, name, "rx_bytes"] = rx
                expected["interface", uuid, name, "tx_drops"] = told[f"net.{number}.tx.drop"]
            for number, name in enumerate(disks):
                expected["disk", uuid, name, "capacity_bytes"] = told[f"block.{number}.capacity"]
        readings = gather.take(records, 1.0)
        rows = {(each.kind, s.uuid, s.device) for each in readings for s in each.subjects}
        assert rows == {key[:3] for key in expected}
        for (kind, uuid, device, column), figure in expected.items():
            got = value(readings, kind, column, uuid, device)
            assert got == figure or (math.isnan(got) and math.isnan(figure))
