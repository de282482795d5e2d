"""Links of a sampler: broken off from outside, and never anybody else's."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from labvirt.connection import Connection, domain, sampling
from labvirt.connection.stats_link import Line, StatsLink
from labvirt.errors import ConnectionLostError, WaitTimeoutError


def test_breaking_off_ends_this_link_and_no_other(conn, eventually):
    first, second = StatsLink.open(conn), StatsLink.open(conn)
    try:
        assert first.can_be_broken_off
        assert first.break_off()
        with pytest.raises(ConnectionLostError):
            sampling.read_fast(first)
        assert sampling.read_fast(second).records is not None
        assert not first.break_off() or first.broken
    finally:
        first.close()
        second.close()
    # The event loop closes the socket a moment after the link.
    eventually(lambda: not first.break_off(), "its socket to be gone: nobody else's is touched")


def test_its_socket_is_found_while_others_open_theirs(conn):
    over, opened = threading.Event(), []

    def others():
        while not over.is_set():
            link = conn.extra_link()
            opened.append(1)
            link.close()

    threads = [threading.Thread(target=others) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            link = StatsLink.open(conn)
            assert sampling.read_fast(link).records is not None
            if link.break_off():
                with pytest.raises(ConnectionLostError):
                    sampling.read_fast(link)
            link.close()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert opened


def test_a_late_call_is_broken_off_and_the_next_has_a_new_link(
    start_daemon, domain_xml, eventually
):
    daemon = start_daemon()
    with Connection.open(daemon.uri) as conn:
        uuid = domain.create(conn, domain_xml("hung"))
        pid = daemon.domain_pid("hung")
        line = Line(conn, "test")
        try:
            os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(WaitTimeoutError, match="hypervisor"):
                line.run("read", lambda link: _slow(link, uuid), 0.4)
            assert time.monotonic() - began < 2.0
            assert line.opened == 1
            found = line.run("look", lambda link: sampling.control(link, [uuid]), 5.0)
            assert line.opened == 2
            assert found[uuid].state == sampling.BUSY
            assert found[uuid].for_s >= 0.3
            os.kill(pid, signal.SIGCONT)
            eventually(
                lambda: (
                    line.run("look", lambda link: sampling.control(link, [uuid]), 5.0)[uuid].state
                    == 0
                ),
                "the guest to be free",
            )
            assert line.run("read", lambda link: _slow(link, uuid), 5.0).records
        finally:
            os.kill(pid, signal.SIGCONT)
            line.close()
    daemon.stop()


def test_a_hurried_call_counts_as_late(conn):
    line = Line(conn, "test")
    entered, release = threading.Event(), threading.Event()

    def wait(link):
        entered.set()
        release.wait(10)

    outcome = []

    def call():
        try:
            line.run("wait", wait, 30.0)
        except WaitTimeoutError as error:
            outcome.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        assert entered.wait(5)
        line.hurry()
        # What cannot be broken off is left behind, one thread at a time.
        thread.join(5)
        assert outcome
    finally:
        release.set()
        thread.join()
        line.close()


def test_a_domain_that_is_gone_is_told_apart_from_one_that_hangs(conn):
    link = StatsLink.open(conn)
    try:
        gone = "00000000-0000-4000-8000-000000000000"
        assert sampling.control(link, [gone]) == {gone: None}
        assert sampling.read_slow(link, [gone], disk=True, balloon=True, steal=False).records == []
    finally:
        link.close()


def _slow(link, uuid):
    return sampling.read_slow(link, [uuid], disk=True, balloon=True, steal=True)
