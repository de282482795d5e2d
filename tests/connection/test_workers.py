"""Workers: calls on daemon threads, left behind without harm, and no thread after the end."""

from __future__ import annotations

import threading
import time

import pytest

from labvirt.connection.workers import Workers


@pytest.fixture
def workers():
    made = Workers("test")
    yield made
    made.close()


def test_the_result_and_the_error_come_back(workers):
    fine = workers.start(lambda _: 42)
    assert fine.wait(1)
    assert fine.result() == 42
    wrong = workers.start(lambda _: 1 // 0)
    assert wrong.wait(1)
    with pytest.raises(ZeroDivisionError):
        wrong.result()


def test_an_idle_thread_is_used_again_and_a_busy_one_is_not(workers):
    release = threading.Event()
    busy = workers.start(lambda _: release.wait(5) and threading.get_ident())
    quick = [workers.start(lambda _: threading.get_ident()) for _ in range(1)]
    assert quick[0].wait(1)
    again = workers.start(lambda _: threading.get_ident())
    assert again.wait(1)
    release.set()
    assert busy.wait(1)
    assert again.result() == quick[0].result() != busy.result()


def test_every_thread_is_a_daemon_with_a_telling_name(workers):
    seen = workers.start(lambda _: threading.current_thread())
    assert seen.wait(1)
    assert seen.result().daemon
    assert seen.result().name == "test call"


def test_work_that_is_left_knows_it_and_its_late_result_is_handed_over(workers):
    late: list[str] = []
    noticed = threading.Event()

    def work(task):
        while not task.left_behind:
            time.sleep(0.005)
        noticed.set()
        return "too late"

    task = workers.start(work, late=late.append)
    assert not task.wait(0.05)
    assert noticed.wait(1)
    assert task.ended(1)
    assert late == ["too late"]


def test_a_late_error_is_nobodys_business(workers):
    task = workers.start(lambda _: time.sleep(0.1) or 1 // 0, late=pytest.fail)
    assert not task.wait(0.01)
    assert task.ended(1)
    after = workers.start(lambda _: "fine")
    assert after.wait(1)
    assert after.result() == "fine"


def test_a_result_that_comes_with_the_limit_is_never_lost_and_never_given_twice(workers):
    """The race between the end of the wait and the end of the work has one winner."""
    for _ in range(300):
        late: list[int] = []
        task = workers.start(lambda _: 7, late=late.append)
        waited = task.wait(0.0)
        assert task.ended(1)
        assert late == ([] if waited else [7])
        if waited:
            assert task.result() == 7


def test_waiting_without_leaving_can_be_repeated(workers):
    release = threading.Event()
    task = workers.start(lambda _: release.wait(5) and "done")
    assert not task.ended(0.01)
    assert not task.ended(0.01)
    release.set()
    assert task.ended(1)
    assert task.wait(0)
    assert task.result() == "done"


def test_after_the_end_no_thread_is_left_and_a_busy_one_goes_when_it_is_done(workers):
    release = threading.Event()
    busy = workers.start(lambda _: release.wait(5))
    idle = workers.start(lambda _: threading.current_thread())
    assert idle.wait(1)
    workers.close()
    workers.close()
    assert not idle.result().is_alive()
    release.set()
    assert busy.ended(1)
    after = workers.start(lambda _: threading.current_thread())
    assert after.wait(1)
    after.result().join(1)
    assert not after.result().is_alive()


def test_after_a_rush_only_a_few_threads_wait_for_the_next_call(workers):
    release = threading.Event()
    rush = [workers.start(lambda _: release.wait(5)) for _ in range(60)]
    release.set()
    assert all(each.wait(5) for each in rush)
    until = time.monotonic() + 5
    while len(workers._threads) > 16 and time.monotonic() < until:
        time.sleep(0.01)
    assert 1 <= len(workers._threads) <= 16
    after = workers.start(lambda _: 42)
    assert after.wait(5)
    assert after.result() == 42
