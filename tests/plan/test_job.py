"""Jobs: results, waiting, progress, cancelling, awaiting."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from labvirt.errors import CancelledError, LabvirtError, WaitTimeoutError
from labvirt.plan import Job


def test_result_is_what_the_work_returned():
    assert Job("add", lambda _: 1 + 1).result(5) == 2


def test_error_of_the_work_reaches_the_caller():
    def fail(_):
        raise LabvirtError("no")

    job = Job("fail", fail)
    with pytest.raises(LabvirtError, match="no"):
        job.result(5)
    assert job.state == "failed"


def test_a_result_that_is_late_says_what_was_waited_for_and_the_job_goes_on():
    go = threading.Event()

    def work(control):
        control.report("half way")
        go.wait(5)
        return "done"

    job = Job("slow thing", work)
    with pytest.raises(WaitTimeoutError) as caught:
        job.result(0.1)
    assert "slow thing" in str(caught.value)
    assert caught.value.last_seen == "half way"
    go.set()
    assert job.result(5) == "done"


def test_a_time_out_raised_by_the_work_is_not_taken_for_a_late_result():
    def work(_):
        raise WaitTimeoutError("the moon", timeout_s=1)

    with pytest.raises(WaitTimeoutError, match="the moon"):
        Job("wait", work).result(5)


def test_progress_reaches_listeners_and_a_broken_listener_harms_nobody(caplog):
    go = threading.Event()
    seen = []

    def work(control):
        go.wait(5)
        control.report("one", step=1, steps=2)
        control.report("two", step=2, steps=2, fraction=0.5)

    job = Job("count", work)

    def broken(_):
        raise ValueError("view is gone")

    job.listen(broken)
    stop = job.listen(seen.append)
    go.set()
    job.result(5)
    stop()
    stop()
    assert [p.stage for p in seen] == ["one", "two"]
    assert seen[-1].fraction == 0.5
    assert "view is gone" in caplog.text


def test_cancel_wakes_a_sleeping_job():
    job = Job("sleep", lambda control: control.sleep(60))
    time.sleep(0.05)
    began = time.monotonic()
    job.cancel()
    job.cancel()
    with pytest.raises(CancelledError):
        job.result(5)
    assert time.monotonic() - began < 2
    assert job.state == "cancelled"


def test_cancel_calls_what_ends_a_blocking_call():
    entered, aborted = threading.Event(), threading.Event()

    def work(control):
        control.on_cancel(aborted.set)
        entered.set()
        assert aborted.wait(5)
        control.check()

    job = Job("blocked", work)
    assert entered.wait(5)
    job.cancel()
    with pytest.raises(CancelledError):
        job.result(5)


def test_an_abort_named_after_the_cancel_is_called_at_once():
    go, aborted = threading.Event(), threading.Event()

    def work(control):
        go.wait(5)
        control.on_cancel(aborted.set)
        control.check()

    job = Job("late", work)
    job.cancel()
    go.set()
    with pytest.raises(CancelledError):
        job.result(5)
    assert aborted.is_set()


def test_an_abort_that_fails_does_not_hide_the_end_of_the_work():
    entered = threading.Event()

    def abort():
        raise LabvirtError("nothing to abort")

    def work(control):
        control.on_cancel(abort)
        entered.set()
        control.sleep(30)

    job = Job("x", work)
    assert entered.wait(5)
    job.cancel()
    with pytest.raises(CancelledError):
        job.result(5)


def test_awaiting_keeps_the_loop_alive():
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        result = await Job("slow", lambda control: control.sleep(0.3) or "ok")
        ticking.cancel()
        return result, ticks

    result, ticks = asyncio.run(main())
    assert result == "ok"
    assert ticks > 5


def test_cancelling_the_awaiting_task_cancels_the_job():
    async def main():
        job = Job("slow", lambda control: control.sleep(60))

        async def wait():
            await job

        task = asyncio.create_task(wait())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return job

    job = asyncio.run(main())
    with pytest.raises(CancelledError):
        job.result(5)


def test_then_is_called_with_the_job_also_when_it_has_ended():
    job = Job("quick", lambda _: 7)
    job.result(5)
    seen = []
    job.then(lambda ended: seen.append(ended.result(0)))
    assert seen == [7]


def test_interrupting_the_wait_cancels_and_rolls_back(tmp_path):
    """As ^C in a terminal or the stop button of a notebook: in a process of its own."""
    import signal
    import subprocess
    import sys

    script = """
import sys, time
from labvirt.plan import Job
def work(control):
    print("working", flush=True)
    try:
        control.sleep(60)
    finally:
        time.sleep(0.2)
        print("rolled back", flush=True)
try:
    Job("long", work).result()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "working\n"
    # It works before anybody waits for it.
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert out.split("\n")[:2] == ["rolled back", "interrupted"]
