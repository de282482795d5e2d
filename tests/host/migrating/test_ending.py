"""The heart of the matrix in the usual run: moved, cancelled at once, and the engine's bookkeeping."""

from __future__ import annotations

import time

import pytest

from labvirt.errors import CancelledError, PreconditionError
from tests.bench.migrations import FAULTS, VARIANTS

pytestmark = pytest.mark.lab
BY_NAME = {case.name: case for case in (*VARIANTS, *FAULTS)}


@pytest.mark.parametrize("name", ["p2p", "destination QEMU killed"])
def test_the_guest_runs_once_with_its_data(shared, name):
    row = shared.play(BY_NAME[name])
    assert row.wrong == ""


def test_cancelled_at_once_it_stays_and_the_journal_is_closed(shared):
    host = shared.here
    job = shared.domain.migrate.job(shared.other, bandwidth_mib_s=8)
    job.cancel()
    with pytest.raises(CancelledError):
        job.result(60)
    assert shared.domain.whereabouts(shared.other).where == "stayed"
    assert shared.domain.whereabouts(shared.other).recover == ()
    assert not list(host.journal.folder.glob("open/*"))


@pytest.mark.slow(seconds=6)
def test_progress_comes_five_times_a_second_and_its_downtime_is_qemus(shared):
    source = shared.here
    job = shared.domain.migrate.job(shared.other, bandwidth_mib_s=20)
    result = job.result(60)
    samples = [one for one in result.track.samples if one.phase == "precopy"]
    passed = samples[-1].elapsed_s - samples[0].elapsed_s
    assert len(samples) - 1 >= 5 * passed
    assert result.track.last.downtime_ms == result.stats["downtime"] == result.downtime_ms
    shared.domain, shared.other = result.domain, source


def test_only_a_post_copy_that_was_cut_off_is_resumed(shared):
    with pytest.raises(PreconditionError, match="none was cut off"):
        shared.domain.resume_postcopy(shared.other)


@pytest.mark.slow(seconds=8)
def test_a_time_out_that_suspends_lets_it_run_again_when_it_fails_all_the_same(shared):
    """Slower than the guest's memory goes in twice the time: broken off, and not left paused."""
    began = time.monotonic()
    with pytest.raises(Exception, match="waited 1 s"):
        shared.domain.migrate(shared.other, bandwidth_mib_s=1, timeout_s=1.0, on_timeout="suspend")
    assert time.monotonic() - began < 30
    assert shared.domain.state.text == "running"
