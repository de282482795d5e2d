"""The balloon's statistics are on while somebody wants them, and off again after, whatever ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

import labvirt as lv
from labvirt import places
from labvirt.connection.sampling import balloon_facts
from labvirt.connection.stats_link import StatsLink
from labvirt.host.sampling.balloon import PERIOD_S
from labvirt.status.series import find_series

USED = find_series("domain", "memory_used_bytes")
#: Listens from another process until it is killed.
CHILD = """
import sys, time, labvirt as lv
host = lv.connect(sys.argv[1])
host.sampler.listen(lambda sample: None, groups=("balloon",))
print("listening", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def period(alpha):
    """Return the period of a domain's balloon now."""

    def look(uuid):
        link = StatsLink.open(alpha.connection)
        try:
            return balloon_facts(link, uuid)[1]
        finally:
            link.close()

    return look


def files():
    return sorted((places.home() / "sampling").glob("balloons-*.json"))


def used(sample, uuid):
    table = sample.tables["domain"]
    row = [subject.uuid for subject in table.subjects].index(uuid)
    return table.values[row, USED]


def test_memory_used_is_told_while_it_is_wanted_and_the_guest_is_as_before_after(
    alpha, tiny, kept, until, period
):
    alpha.sampler.interval_s = 0.5
    assert period(tiny.uuid) == 0
    with alpha.sampler.listen(kept, groups=("balloon",), domains=["tiny"]):
        until(lambda: kept.samples and used(kept.samples[-1], tiny.uuid) > 0, "memory used", 15)
        assert period(tiny.uuid) == PERIOD_S
        assert tiny.pending == "", "nothing waits for the next start"
        (path,) = files()
        assert json.loads(path.read_text())["domains"] == [tiny.uuid]
        with alpha.sampler.listen(lambda sample: None):
            pass
        assert period(tiny.uuid) == PERIOD_S, "another listener's end is not ours"
    assert 8 << 20 < used(kept.samples[-1], tiny.uuid) < 128 << 20
    assert period(tiny.uuid) == 0
    assert files() == []
    assert alpha.sampler.reasons == {}
    alpha.sampler.interval_s = 1.0


def test_what_somebody_else_has_switched_on_stays_on(alpha, tiny, kept, until, period):
    link = StatsLink.open(alpha.connection)
    link.domain(tiny.uuid).setMemoryStatsPeriod(1, 1)
    try:
        with alpha.sampler.listen(kept, groups=("balloon",), domains=[tiny.uuid]):
            until(lambda: kept.samples and used(kept.samples[-1], tiny.uuid) > 0, "memory used")
            assert files() == []
        assert period(tiny.uuid) == 1
    finally:
        link.domain(tiny.uuid).setMemoryStatsPeriod(0, 1)
        link.close()


@pytest.mark.slow(seconds=8)
def test_what_a_killed_process_left_on_is_switched_off_by_the_next(
    alpha, tiny, kept, until, period
):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, alpha.uri, "120"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "listening\n"
        until(lambda: period(tiny.uuid) == PERIOD_S, "the child to switch it on")
        # While its process lives nobody touches it.
        with alpha.sampler.listen(kept):
            kept.wait(2)
        assert period(tiny.uuid) == PERIOD_S
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    assert period(tiny.uuid) == PERIOD_S
    assert len(files()) == 1
    with alpha.sampler.listen(kept):  # not even for balloons
        until(lambda: period(tiny.uuid) == 0, "it to be switched off")
        until(lambda: files() == [], "the file to go")


@pytest.mark.slow(seconds=6)
def test_a_script_that_just_ends_leaves_nothing_on(alpha, tiny, period):
    argv = [sys.executable, "-c", CHILD, alpha.uri, "1.5"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert period(tiny.uuid) == 0
    assert files() == []


def test_a_readonly_connection_changes_nothing_and_says_why(alpha, tiny, kept, period):
    with (
        lv.connect(alpha.uri, readonly=True) as host,
        host.sampler.listen(kept, groups=("balloon",), domains=["tiny"]),
    ):
        kept.wait(3)
        assert "read-only" in host.sampler.reasons[tiny.uuid]
    assert period(tiny.uuid) == 0
    assert files() == []


def test_one_sample_by_hand_knows_the_memory_used(alpha, tiny, period):
    sample = alpha.sample(("balloon",), domains=["tiny"], seconds=0.5)
    assert 8 << 20 < used(sample, tiny.uuid) < 128 << 20
    assert period(tiny.uuid) == 0
    assert files() == []


def test_a_guest_without_a_balloon_says_so(alpha, spec, kept, until):
    document = alpha.plan(
        spec.model_copy(update={"name": f"{spec.name}-none"}), start=False
    ).apply()
    xml = document.xml()
    start = xml.index("<memballoon")
    end = xml.index("</memballoon>") + len("</memballoon>") if "</memballoon>" in xml else -1
    cut = xml[start:end] if end > 0 else xml[start : xml.index("/>", start) + 2]
    domain = alpha.define(xml.replace(cut, "<memballoon model='none'/>"))
    domain.start(paused=True)
    with alpha.sampler.listen(kept, groups=("balloon",), domains=[domain.uuid]):
        until(lambda: alpha.sampler.reasons.get(domain.uuid), "the reason")
        assert alpha.sampler.reasons[domain.uuid] == "it has no virtio balloon"


def test_a_guest_that_ends_or_moves_leaves_nothing_behind(lab, alpha, beta, spec, kept, until):
    alpha.sampler.interval_s = beta.sampler.interval_s = 0.25
    domain = alpha.plan(spec).apply()
    there = StatsLink.open(beta.connection)
    try:
        with alpha.sampler.listen(kept, groups=("balloon",)):
            until(lambda: files() and domain.uuid in files()[0].read_text(), "it to be on")
            domain.migrate(beta)
            until(lambda: not files() or domain.uuid not in files()[0].read_text(), "its end")
            assert balloon_facts(there, domain.uuid)[1] == PERIOD_S, "it took it along"
            with beta.sampler.listen(kept, groups=("balloon",)):
                until(lambda: any(domain.uuid in path.read_text() for path in files()), "adoption")
        assert balloon_facts(there, domain.uuid)[1] == 0
        assert files() == []
    finally:
        there.close()
        alpha.sampler.interval_s = beta.sampler.interval_s = 1.0


def test_garbage_in_the_folder_stops_nobody(alpha, tiny, kept):
    folder = places.home() / "sampling"
    folder.mkdir(parents=True, exist_ok=True)
    broken = folder / "balloons-broken.json"
    broken.write_text('{"uri": 7')
    other = folder / "balloons-other.json"
    other.write_text(json.dumps({"uri": "qemu:///elsewhere", "period_s": 2, "domains": ["x"]}))
    ancient = folder / "balloons-ancient.json"
    ancient.write_text(other.read_text())
    os.utime(ancient, (1e9, 1e9))
    try:
        with alpha.sampler.listen(kept, groups=("balloon",), domains=["tiny"]):
            kept.wait(2)
        assert other.exists()
        assert broken.exists()
        assert not ancient.exists()
    finally:
        broken.unlink()
        other.unlink()
