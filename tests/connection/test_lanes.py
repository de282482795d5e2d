"""Lanes: one call on each link, another link when all are busy for long."""

from __future__ import annotations

import threading
import time

import pytest

from labvirt.connection import Connection, domain
from labvirt.connection.lanes import Lanes
from labvirt.errors import ConnectionLostError


class Link:
    """Stands for a link: the lanes only ask it whether it is alive."""

    def __init__(self) -> None:
        self.alive = True

    def isAlive(self) -> int:  # noqa: N802 - libvirt's name
        return int(self.alive)


def lanes_of(**options):
    opened: list[Link] = []
    closed: list[Link] = []

    def open_more():
        opened.append(Link())
        return opened[-1]

    first = Link()
    made = Lanes(first, open_more=open_more, close_one=closed.append, patience_s=0.01, **options)
    return made, first, opened, closed


def take(lanes, **options):
    return lanes.take("call", uri="test", **options)


def test_the_first_link_is_used_while_it_is_free():
    lanes, first, opened, _ = lanes_of()
    for _ in range(3):
        lane = take(lanes)
        assert lane.raw is first
        lanes.give_back(lane)
    assert opened == []


def test_a_second_call_gets_a_link_of_its_own_and_it_is_kept():
    lanes, first, opened, _ = lanes_of()
    one, two = take(lanes), take(lanes)
    assert [one.raw, two.raw] == [first, opened[0]]
    lanes.give_back(one)
    lanes.give_back(two)
    assert take(lanes).raw is first
    assert take(lanes).raw is opened[0]
    assert len(lanes) == 2


def test_a_short_wait_for_a_busy_link_opens_none():
    lanes, first, opened, _ = lanes_of()
    lanes._patience_s = 1.0
    lane = take(lanes)
    threading.Timer(0.05, lanes.give_back, [lane]).start()
    assert take(lanes).raw is first
    assert opened == []


def test_when_there_are_as_many_links_as_may_be_a_call_waits_for_one():
    lanes, _, opened, _ = lanes_of(most=2)
    held = [take(lanes), take(lanes)]
    threading.Timer(0.1, lanes.give_back, [held[1]]).start()
    began = time.monotonic()
    assert take(lanes).raw is opened[0]
    assert time.monotonic() - began >= 0.09
    assert len(opened) == 1


def test_a_link_in_this_process_takes_any_number_of_calls():
    lanes, first, opened, _ = lanes_of(calls_each=100)
    assert {id(take(lanes).raw) for _ in range(50)} == {id(first)}
    assert opened == []


def test_a_further_link_that_died_is_not_used():
    lanes, _, opened, _ = lanes_of()
    take(lanes)
    second = take(lanes)
    lanes.give_back(second)
    opened[0].alive = False
    assert take(lanes).raw is opened[1]
    assert len(lanes) == 2


def test_only_the_first_link_may_be_asked_for():
    lanes, first, opened, _ = lanes_of()
    held = take(lanes)
    threading.Timer(0.1, lanes.give_back, [held]).start()
    assert take(lanes, only_first=True).raw is first
    assert opened == []


def test_who_has_left_gets_no_link():
    lanes, *_ = lanes_of(most=1)
    take(lanes)
    with pytest.raises(ConnectionLostError):
        take(lanes, given_up=lambda: True)


def test_after_the_end_nobody_gets_a_link_and_idle_ones_are_handed_over():
    lanes, first, opened, closed = lanes_of()
    one, two = take(lanes), take(lanes)
    lanes.give_back(one)
    assert lanes.close() == (first,)
    assert lanes.close() == ()
    with pytest.raises(ConnectionLostError):
        take(lanes)
    assert closed == []
    lanes.give_back(two)
    assert closed == opened


def test_a_link_is_never_closed_under_a_call():
    """Libvirt frees it at once, whoever still uses it."""
    lanes, first, _, closed = lanes_of(calls_each=2)
    one, two = take(lanes), take(lanes)
    assert lanes.close() == ()
    lanes.give_back(one)
    assert closed == []
    lanes.give_back(two)
    assert closed == [first]


def test_a_link_that_opens_after_the_end_is_closed():
    lanes, _, opened, closed = lanes_of()
    take(lanes)
    plain = lanes._open_more

    def slowly():
        lanes.close()
        return plain()

    lanes._open_more = slowly
    with pytest.raises(ConnectionLostError):
        take(lanes)
    assert closed == opened


def test_a_daemon_that_takes_no_more_clients_is_waited_for():
    lanes, first, *_ = lanes_of()

    def refuse():
        raise ConnectionLostError("open")

    lanes._open_more = refuse
    held = take(lanes)
    threading.Timer(0.3, lanes.give_back, [held]).start()
    assert take(lanes).raw is first


def test_from_many_threads_no_link_ever_carries_two_calls():
    lanes, *_ = lanes_of(most=4)
    seen: list[int] = []

    def work():
        for _ in range(50):
            lane = take(lanes)
            seen.append(lane.calls)
            time.sleep(0.0005)
            lanes.give_back(lane)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(seen) == 400
    assert set(seen) == {1}
    assert len(lanes) <= 4


@pytest.mark.lab
def test_links_opened_for_many_calls_are_closed_with_the_connection(shared_daemon):
    with Connection.open(shared_daemon.uri) as conn:
        together = threading.Barrier(6)
        threads = [
            threading.Thread(target=conn.call, args=("meet", lambda _: together.wait(10)))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(conn._lanes) == 6
        raws = [lane.raw for lane in conn._lanes._lanes]
        assert domain.list_all(conn) == ()
    assert [raw._o for raw in raws] == [None] * 6
