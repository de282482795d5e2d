"""A real guest is charted while it is paused, reset, plugged, saved, moved: no spike, no lie."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

import labvirt as lv
from labvirt.history import Merged
from labvirt.status.sample import Subject
from labvirt.status.series import series_of
from tests.bench import evidence
from tests.bench.collect import Collect

pytestmark = pytest.mark.lab
MIB = 1 << 20
GROUPS = ("cpu", "memory", "network", "vcpu", "disk", "balloon", "steal", "host")
#: More than the two vCPUs can use, and QEMU's own threads.
MOST_CPU = 140.0
#: What was really written at most, in a second.
MOST_BYTES_S = 40 * MIB


@pytest.fixture(autouse=True)
def pace(request):
    for host in request.getfixturevalue("wide" if "web" in request.fixturenames else "lab"):
        host.sampler.interval_s = 0.5
        host.history.clear()
    yield
    for host in request.getfixturevalue("wide" if "web" in request.fixturenames else "lab"):
        host.sampler.interval_s = 1.0
        assert not host.sampler.is_running


@pytest.fixture(scope="module")
def liver(lab):
    """A guest with two vCPUs and a disk."""
    spec = lv.DomainSpec(
        name="liver",
        memory="128 MiB",
        vcpus=2,
        source=lv.TinyGuest(),
        disks=(lv.DiskSpec(size="8 MiB", format="raw"),),
        interfaces=(),
    )
    domain = lab["alpha"].plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    for host in lab:
        # What every host knows of before a test stays after it.
        host.pools["shared"].refresh()
    yield domain
    for host in lab:
        if "liver" in host.domains:
            if host.domains["liver"].is_active:
                host.domains["liver"].destroy(confirm=True)
            host.domains["liver"].undefine(managed_save=True, confirm=True)


def no_lie(collect):
    """Every value of every sample is one that can be."""
    for taken in collect.samples:
        for kind, table in taken.sample.tables.items():
            for subject, values in zip(table.subjects, table.values, strict=True):
                if subject.uuid != collect.uuid:
                    continue
                for series, value in zip(series_of(kind), values.tolist(), strict=True):
                    where = (kind, subject.device, series.name, taken.sample.number, value)
                    assert math.isnan(value) or value >= 0, where
                    if series.group == "cpu":
                        assert not value > MOST_CPU, where
                    if series.unit == "B/s":
                        assert not value > MOST_BYTES_S, where


def kinds(domain, since):
    marks = domain.host.history.marks(start=since)
    return [mark.kind for mark in marks if mark.uuid == domain.uuid]


@pytest.mark.slow(seconds=20)
def test_a_life_in_samples(alpha, liver, until):
    """Paused, gone on, reset, a disk plugged and unplugged, saved and restored."""
    with Collect(alpha, liver, groups=GROUPS) as collect:
        collect.wait(4)
        since = time.time()
        liver.suspend()
        collect.wait(collect.count + 4)
        assert collect.newest("domain", "cpu_percent") < 5, "paused"
        assert collect.newest("domain", "memory_bytes") == 128 * MIB
        liver.resume()

        added = liver.attach(lv.DiskSpec(size="8 MiB", format="raw"), live=True)
        collect.wait_until(lambda: collect.newest("disk", "capacity_bytes", "vdb") == 8 * MIB)
        evidence.shell(liver, "dd if=/dev/zero of=/dev/vdb bs=1M count=8 oflag=direct 2>/dev/null")
        collect.settled("disk", "vdb")
        wrote = collect.integral("disk", "write_bytes_s", 0, "vdb")
        assert wrote == pytest.approx(8 * MIB, rel=0.2)
        seen = collect.count
        liver.detach(added, live=True)
        collect.wait_until(
            lambda: collect.row(collect.samples[-1].sample, "disk", "vdb") is None, 10
        )
        totals = collect.values("domain", "disk_write_bytes_s", taken=collect.samples[seen:])
        assert max(totals) == 0, "what is gone adds nothing"

        liver.managed_save()
        until(lambda: collect.row(collect.samples[-1].sample, "domain") is None, "its end", 10)
        gone = collect.count
        liver.start()
        collect.wait_until(lambda: collect.newest("domain", "disk_write_bytes_s") == 0, 20)
        first = next(
            each
            for each in collect.samples[gone:]
            if collect.row(each.sample, "domain") is not None
        )
        values = dict(
            zip(
                (series.name for series in series_of("domain")),
                collect.row(first.sample, "domain").tolist(),
                strict=True,
            )
        )
        assert math.isnan(values["cpu_percent"]), "its first reading says nothing of a rate"
        assert values["memory_bytes"] == 128 * MIB

        liver.reset(confirm=True)
        collect.wait(collect.count + 4)
    no_lie(collect)
    found = kinds(liver, since)
    assert found[:2] == ["paused", "resumed"]
    assert "stopped" in found
    assert "started" in found
    liver.wait_for("agent", timeout_s=90)


@pytest.mark.slow(seconds=20)
def test_a_guest_that_moves_is_one_line(lab, alpha, beta, liver):
    """It works on all the time; what two hosts tell of it is neither doubled nor a spike."""
    evidence.burn(liver, 60)
    with (
        Collect(alpha, liver, groups=GROUPS) as here,
        Collect(beta, liver, groups=GROUPS) as there,
    ):
        here.wait(5)
        moved = liver.migrate(beta).domain
        there.wait_until(
            lambda: sum(there.row(each.sample, "domain") is not None for each in there.samples) > 6
        )
        evidence.rest(moved)
    for collect in (here, there):
        no_lie(collect)
    merged = Merged([alpha.history, beta.history], follow=True)
    subjects = [each for each in merged.subjects("domain") if each.uuid == liver.uuid]
    assert subjects == [Subject("", liver.uuid)]
    window = merged.window("domain", subjects[0], ["cpu_percent", "memory_bytes"])
    assert (np.diff(window.times) > 0).all()
    cpu, memory = window.values
    known = memory[~np.isnan(memory)]
    assert set(known) == {128.0 * MIB}, "never twice its memory"
    assert np.nanmax(cpu) < MOST_CPU
    assert (np.diff(window.times) < 3).all(), "no hole longer than the move"
    assert np.isnan(cpu).sum() <= 3
    assert [mark.kind for mark in merged.marks()].count("migrated") >= 2
    moved.migrate(alpha)


@pytest.mark.slow(seconds=20)
def test_charts_of_a_guest_go_on_where_it_was_moved_to(lab, alpha, beta, liver, until):
    """Nobody listens to the other host before; the line of the chart is one, and has no spike."""
    evidence.burn(liver, 60)
    charts = lv.ui.charts(liver, engine="light")
    messages = []
    charts.driver.start(messages.append)
    try:
        until(lambda: len(messages) > 5, "some ticks")
        assert not beta.sampler.is_running
        moved = liver.migrate(beta).domain
        until(lambda: beta.sampler.is_running, "the board to go after it", 10)
        began = time.time()
        until(lambda: time.time() > began + 4, "some more ticks", 10)
        evidence.rest(moved)
        (cpu,) = [panel for panel in charts.driver.panels() if panel.key == "cpu"]
        assert [line.label for line in cpu.lines] == ["guest"], "one line"
        block = charts.driver.window(60)
        back = moved.migrate(alpha).domain
        until(lambda: alpha.domains["liver"].is_active, "it to be back")
        seen = len(messages)
        until(lambda: len(messages) > seen + 12, "some more ticks")
        last = charts.driver.window(60)[:, -3:]
    finally:
        charts.driver.stop()
        charts.close()
    times, values = block[0], block[1]
    assert (np.diff(times) > 0).all()
    assert (np.diff(times) < 3).all()
    assert np.nanmax(values) < MOST_CPU
    after = values[times > began]
    assert np.count_nonzero(~np.isnan(after)) >= 4
    assert np.nanmax(after) > 5, "it works there too"
    frame = charts.driver.source.df("domain", fields=["cpu_percent"], domains=[back.uuid])
    assert set(frame["host"]) == {"alpha", "beta"}
    assert not np.isnan(last[1]).any(), "and is followed home"
    assert not alpha.sampler.is_running
    assert not beta.sampler.is_running


@pytest.mark.slow(seconds=20)
def test_a_card_that_is_unplugged_leaves_no_trace_in_the_sum(host, web):
    with Collect(host, web, groups=GROUPS) as collect:
        collect.wait(3)
        cards = {each.device for each in collect.samples[-1].sample.tables["interface"].subjects}
        card = web.attach(lv.InterfaceSpec(source="lan"), live=True)
        collect.wait_until(lambda: len(devices(collect)) == len(cards) + 1, 10)
        evidence.shell(web, "ping -q -c 50 -s 1000 -i 0.01 192.168.150.1")
        collect.wait(collect.count + 2)
        web.detach(card, live=True)
        collect.wait_until(lambda: devices(collect) == cards, 10)
        collect.wait(collect.count + 2)
    no_lie(collect)
    for name in ("net_rx_bytes_s", "net_tx_bytes_s"):
        values = np.array(collect.values("domain", name)[2:])
        assert not np.isnan(values).any()
        assert values.max() < MIB


def devices(collect):
    subjects = collect.samples[-1].sample.tables["interface"].subjects
    return {each.device for each in subjects if each.uuid == collect.uuid}
