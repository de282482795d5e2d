"""What goes wrong while a host is sampled: hung guests, a daemon that dies, domains that go."""

from __future__ import annotations

import itertools
import os
import signal
import time

import numpy as np
import pytest

import labvirt as lv
from labvirt.status.series import find_series


@pytest.fixture(autouse=True)
def closed(alpha):
    alpha.history.clear()
    yield
    assert not alpha.sampler.is_running, "somebody still listens"
    alpha.sampler.interval_s = 1.0
    alpha.sampler.slow_interval_s = 5.0


def kinds(host, uuid=""):
    return [mark.kind for mark in host.history.marks() if not uuid or mark.uuid == uuid]


def gaps(kept, since):
    times = [at for at in kept.times if at >= since]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def silent_ones(sample):
    """Return of whose disks nothing is known."""
    table, read = sample.tables["domain"], find_series("domain", "disk_read_bytes_s")
    rows = zip(table.subjects, table.values, strict=True)
    return {subject.uuid for subject, values in rows if np.isnan(values[read])}


def test_one_hung_guest_of_six_holds_up_nobody(alpha, herd, kept, hung, until):
    uuid = herd["herd2"]
    alpha.sampler.interval_s = 0.5
    with alpha.sampler.listen(kept, groups=("cpu", "memory", "network", "disk", "balloon")):
        kept.wait(3)
        pid = hung("herd2")
        began = time.monotonic()
        until(lambda: uuid in alpha.sampler.stalled, "the hung guest to be marked", 8)
        noticed_s = time.monotonic() - began
        seen = len(kept.samples)
        kept.wait(seen + 4)
        assert max(gaps(kept, began)) < 2 * 0.5
        sample = kept.samples[-1]
        assert list(sample.stalled) == [uuid]
        assert abs(sample.stalled[uuid] - (sample.at - (time.monotonic() - began))) < 3.0
        silent = silent_ones(sample) & set(herd.values())
        assert silent == {uuid}, "the others' disks are still read"
        assert alpha.domains["herd3"].info().is_active, "and buttons work"
        os.kill(pid, signal.SIGCONT)
        until(lambda: not alpha.sampler.stalled, "the guest to be free again", 3)
        until(lambda: not silent_ones(kept.samples[-1]) & set(herd.values()), "its disk", 5)
        assert not kept.samples[-1].stalled
    assert noticed_s < 3.0
    assert kinds(alpha, uuid)[:2] == ["stalled", "note"]


@pytest.mark.slow(seconds=20)
def test_a_hung_guest_that_is_destroyed_is_forgotten(alpha, herd, kept, hung, until, blank):
    alpha.sampler.slow_interval_s = 1.0
    with alpha.sampler.listen(kept, groups=("cpu", "disk", "balloon")):
        kept.wait(2)
        hung(blank.name)
        until(lambda: blank.uuid in alpha.sampler.stalled, "the hung guest to be marked", 8)
        blank.destroy(confirm=True)
        until(lambda: not alpha.sampler.stalled, "it to be forgotten", 5)
        until(lambda: blank.uuid not in kept.samples[-1].names, "it to be gone", 5)
    assert "stopped" in kinds(alpha, blank.uuid)


def test_closing_does_not_wait_for_a_hung_guest(alpha, herd, kept, hung, threads_and_files, until):
    alpha.sampler.listen(kept, groups=("disk",)).close()
    before = threads_and_files()
    listening = alpha.sampler.listen(kept, groups=("disk", "balloon"), domains=["herd4"])
    kept.wait(2)
    hung("herd4")
    time.sleep(1.0)  # a call is under way now
    began = time.monotonic()
    listening.close()
    assert time.monotonic() - began < 5.0
    until(lambda: threads_and_files() == before, "threads and files to go", 5)


def test_what_happens_to_a_domain_stands_on_the_axis(alpha, herd, kept, blank, until):
    alpha.sampler.interval_s = 0.2
    with alpha.sampler.listen(kept):
        kept.wait(2)
        blank.suspend()
        blank.resume()
        blank.destroy(confirm=True)
        new = f"{blank.name}-new"
        blank.rename(new)
        blank.start(paused=True)
        kept.wait(len(kept.samples) + 2)
        until(lambda: kinds(alpha, blank.uuid).count("started") == 1, "its marks", 5)
    found = kinds(alpha, blank.uuid)
    assert found[:4] == ["paused", "resumed", "stopped", "renamed"]
    assert "started" in found
    assert kept.samples[-1].names[blank.uuid] == new
    marks = [mark for mark in alpha.history.marks() if mark.uuid == blank.uuid]
    assert all(kept.samples[0].at <= mark.at <= kept.samples[-1].at + 1 for mark in marks)
    assert next(m for m in marks if m.kind == "renamed").text == f"now called {new}"


def test_domains_that_come_and_go_while_they_are_read_are_no_error(alpha, herd, kept, spec, caplog):
    alpha.sampler.interval_s = 0.2
    alpha.sampler.slow_interval_s = 0.2
    with alpha.sampler.listen(kept, groups=("cpu", "network", "vcpu", "disk", "balloon", "steal")):
        kept.wait(1)
        for _ in range(3):
            domain = alpha.plan(spec, paused=True).apply()
            domain.destroy(confirm=True)
            domain.undefine(confirm=True)
        kept.wait(len(kept.samples) + 3)
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]
    assert max(gaps(kept, 0)) < 1.5
    assert set(herd.values()) <= set(kept.samples[-1].names)
    assert domain.uuid not in kept.samples[-1].names


def test_a_domain_that_moves_is_marked_on_both_hosts(lab, alpha, beta, herd, kept, blank, until):
    there = []
    beta.history.clear()
    with alpha.sampler.listen(kept), beta.sampler.listen(there.append):
        kept.wait(1)
        blank.migrate(beta)
        until(lambda: "migrated" in kinds(beta, blank.uuid), "the mark on the destination")
        until(lambda: "migrated" in kinds(alpha, blank.uuid), "the mark on the source")
        until(lambda: there and blank.uuid in there[-1].names, "it to be read there")


def daemon_of(lab, name):
    return next(host.daemon_pid for host in lab.status().hosts if host.name == name)


@pytest.mark.slow(seconds=8)
def test_a_daemon_that_dies_leaves_a_gap_and_no_thread(lab, alpha, herd, kept, until):
    alpha.sampler.interval_s = 0.5
    with alpha.sampler.listen(kept, groups=("cpu", "disk")):
        kept.wait(3)
        pid = daemon_of(lab, "alpha")
        os.kill(pid, signal.SIGKILL)
        seen = len(kept.samples)
        until(lambda: daemon_of(lab, "alpha") not in (None, pid), "the daemon to be back")
        alpha.connection.wait_link(20)
        kept.wait(seen + 5, 25)
    times = [sample.at for sample in kept.samples]
    assert times == sorted(times)
    assert "gap" in kinds(alpha)
    values = kept.samples[-1].tables["domain"].values
    assert len(values) >= len(herd)
    assert not np.isnan(values[:, find_series("domain", "cpu_percent")]).any()


@pytest.mark.slow(seconds=10)
def test_closing_does_not_wait_for_a_daemon_that_hangs(lab, alpha, herd, kept, until):
    listening = alpha.sampler.listen(kept, groups=("cpu", "disk", "balloon"))
    kept.wait(2)
    pid = daemon_of(lab, "alpha")
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(1.5)  # calls are under way on both links
        began = time.monotonic()
        listening.close()
        assert time.monotonic() - began < 6.0
    finally:
        os.kill(pid, signal.SIGCONT)
    alpha.connection.wait_link(20)
    with alpha.sampler.listen(kept):
        kept.wait(len(kept.samples) + 2)


@pytest.mark.slow(seconds=12)
def test_a_daemon_that_hangs_is_read_less_often_or_waited_for(lab, alpha, herd, kept, until):
    """Stopped for a moment: late samples, no burst after it, and the axis rises."""
    alpha.sampler.interval_s = 0.5
    with alpha.sampler.listen(kept):
        kept.wait(3)
        pid = daemon_of(lab, "alpha")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(pid, signal.SIGCONT)
        began = time.monotonic()
        seen = len(kept.samples)
        kept.wait(seen + 4)
        assert time.monotonic() - began > 1.0, "a burst"
        assert max(sample.interval_s for sample in kept.samples) >= 1.0
        until(lambda: kept.samples[-1].interval_s == 0.5, "the usual interval to come back", 25)
    notes = [mark.text for mark in alpha.history.marks() if mark.kind == "note"]
    assert any("slow" in text for text in notes)
    assert any("again" in text for text in notes)


def test_a_snapshot_stands_on_the_axis(alpha, spec, kept):
    disk = lv.DiskSpec(source=lv.model.NewVolume(size="1 MiB"))
    domain = alpha.plan(spec.model_copy(update={"disks": (disk,)}), paused=True).apply()
    with alpha.sampler.listen(kept):
        kept.wait(1)
        domain.snapshot("before")
    marks = [mark for mark in alpha.history.marks() if mark.kind == "snapshot"]
    assert [(mark.uuid, mark.text) for mark in marks] == [
        (domain.uuid, f"{domain.name}: snapshot before")
    ]
    domain.snapshots["before"].delete(confirm=True)
    alpha.mark("note", "", "nobody listens: this is kept nowhere")
    assert not [mark for mark in alpha.history.marks() if mark.kind == "note"]
