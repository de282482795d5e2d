"""A link that breaks: noticed, told, made again, and everything works as before."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from labvirt.connection import Connection, Event, LinkState, domain, node
from labvirt.errors import ConnectionLostError, WaitTimeoutError

pytestmark = pytest.mark.lab


def states(told: list[Event]) -> list[tuple[str, int]]:
    return [(e.detail["state"], e.detail["generation"]) for e in told if e.kind == "link"]


def test_a_killed_daemon_is_noticed_told_and_found_again(daemon, domain_xml, eventually):
    told: list[Event] = []
    with Connection.open(daemon.uri) as conn, conn.listen(told.append):
        uuid = domain.create(conn, domain_xml("web1"))
        before = domain.read(conn, uuid)
        began = time.monotonic()
        daemon.kill()
        eventually(lambda: conn.state is not LinkState.CONNECTED, "the loss", 1.0)
        assert time.monotonic() - began < 1.0
        assert conn.lost_since is not None
        assert not node.is_alive(conn)

        with pytest.raises(ConnectionLostError) as caught:
            domain.list_all(conn)
        assert "the link is lost since" in str(caught.value)
        assert "reconnecting" in str(caught.value)

        daemon.start()
        eventually(lambda: conn.state is LinkState.CONNECTED, "the link to come back by itself")
        assert conn.generation == 2
        assert conn.lost_since is None
        assert conn.next_attempt_s is None
        after = eventually(lambda: _read(conn, uuid), "the restarted daemon to know its domain")
        assert (after.uuid, after.id, after.state) == (before.uuid, before.id, before.state)

        eventually(lambda: states(told)[-1:] == [("connected", 2)], "the listener to be told")
        assert states(told) == [("lost", 1), ("connected", 2)]
        del told[:]
        domain.suspend(conn, uuid)
        eventually(
            lambda: any(e.detail.get("event") == "suspended" for e in told), "events to come again"
        )
        assert len([e for e in told if e.detail.get("event") == "suspended"]) == 1


def _read(conn, uuid):
    try:
        return domain.read(conn, uuid)
    except ConnectionLostError:
        return None


def test_a_call_under_way_when_the_daemon_dies_says_that_the_link_broke(daemon, domain_xml):
    with Connection.open(daemon.uri) as conn:
        uuid = domain.create(conn, domain_xml("hung"))
        pid = daemon.domain_pid("hung")
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(0.3, daemon.kill).start()
        with pytest.raises(ConnectionLostError) as caught:
            domain.screenshot(conn, uuid)
        os.kill(pid, signal.SIGKILL)
    assert caught.value.asked == "take a screenshot of domain hung"
    assert "comes back by itself" in caught.value.hint


def test_a_daemon_that_stays_away_is_tried_less_and_less_often(daemon, eventually):
    with Connection.open(daemon.uri) as conn:
        daemon.kill()
        eventually(lambda: conn.state is not LinkState.CONNECTED, "the loss")
        seen: list[float] = []
        deadline = time.monotonic() + 4.0
        while time.monotonic() < deadline:
            seen.append(conn.next_attempt_s or 0.0)
            time.sleep(0.02)
        assert 1.5 < max(seen) <= 30.0
        with pytest.raises(ConnectionLostError, match=r"No such file|refused"):
            domain.list_all(conn)


def test_waiting_for_the_link_tries_at_once_and_gives_up_with_the_reason(daemon, eventually):
    with Connection.open(daemon.uri) as conn:
        daemon.kill()
        eventually(lambda: conn.state is not LinkState.CONNECTED, "the loss")
        with pytest.raises(WaitTimeoutError) as caught:
            conn.wait_link(0.8)
        assert "Failed to connect socket" in str(caught.value)
        time.sleep(1.0)
        assert (conn.next_attempt_s or 0.0) > 0.2
        daemon.start()
        began = time.monotonic()
        conn.wait_link(5.0)
        assert time.monotonic() - began < 0.5
        assert domain.list_all(conn) == ()


def test_closing_while_the_link_is_lost_ends_at_once(daemon, eventually):
    conn = Connection.open(daemon.uri)
    daemon.kill()
    eventually(lambda: conn.state is not LinkState.CONNECTED, "the loss")
    began = time.monotonic()
    conn.close()
    assert time.monotonic() - began < 1.0
    assert conn.state is LinkState.CLOSED


def test_a_hung_daemon_is_noticed_by_keepalive(daemon, eventually):
    told: list[Event] = []
    with Connection.open(daemon.uri, keepalive=(1, 2)) as conn, conn.listen(told.append):
        daemon.kill(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(WaitTimeoutError, match="the daemon hangs"):
            conn.call("read the name of the host", lambda raw: raw.getHostname(), timeout_s=0.5)
        assert time.monotonic() - began < 10
        eventually(lambda: conn.state is not LinkState.CONNECTED, "keepalive to notice")
        eventually(lambda: [e for e in told if e.kind == "link"], "the word of it")
        assert "keepalive" in next(e.detail["why"] for e in told if e.kind == "link")
        daemon.kill(signal.SIGCONT)
        conn.wait_link(10)
        assert node.hostname(conn)
        assert conn.generation == 2


def test_closing_while_the_daemon_hangs_does_not_hang(daemon):
    conn = Connection.open(daemon.uri, keepalive=(1, 1))
    daemon.kill(signal.SIGSTOP)
    began = time.monotonic()
    conn.close()
    assert time.monotonic() - began < 3.5
    daemon.kill(signal.SIGCONT)


def test_opening_to_a_hung_daemon_ends_at_its_limit(daemon):
    daemon.kill(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(WaitTimeoutError):
        Connection.open(daemon.uri, timeout_s=0.5)
    assert time.monotonic() - began < 1.0
    daemon.kill(signal.SIGCONT)


def test_a_daemon_that_hangs_while_reconnecting_is_found_when_it_wakes(daemon, eventually):
    with Connection.open(daemon.uri) as conn:
        daemon.kill()
        eventually(lambda: conn.state is not LinkState.CONNECTED, "the loss")
        daemon.start()
        daemon.kill(signal.SIGSTOP)
        time.sleep(1.5)
        assert conn.state is not LinkState.CONNECTED
        daemon.kill(signal.SIGCONT)
        conn.wait_link(10)
        assert domain.list_all(conn) == ()


def test_ten_losses_leave_neither_threads_nor_descriptors(daemon, eventually):
    told: list[Event] = []
    with Connection.open(daemon.uri) as conn, conn.listen(told.append):
        threads = descriptors = 0
        for turn in range(10):
            daemon.kill()
            eventually(lambda: conn.state is not LinkState.CONNECTED, "the loss")
            daemon.start()
            conn.wait_link(10)
            assert domain.list_all(conn) == ()
            if turn == 1:
                threads, descriptors = threading.active_count(), _descriptors()
        eventually(lambda: threading.active_count() <= threads, "threads to end", 3.0)
        eventually(lambda: _descriptors() <= descriptors, "descriptors to be closed", 3.0)
        assert conn.generation == 11


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_another_hosts_loss_does_not_touch_this_one(daemon, conn, eventually):
    with Connection.open(daemon.uri) as other:
        daemon.kill()
        eventually(lambda: other.state is not LinkState.CONNECTED, "the loss")
        assert conn.state is LinkState.CONNECTED
        assert domain.list_all(conn) == ()
