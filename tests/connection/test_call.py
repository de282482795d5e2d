"""Calls: their results, errors and limits, and what a caller may do while one hangs."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import libvirt
import pytest

from labvirt.connection import Connection, domain, node
from labvirt.errors import ConflictError, HostError, NotFoundError, WaitTimeoutError

pytestmark = pytest.mark.lab


def test_a_call_gives_back_what_its_function_gives(conn):
    assert conn.call("add", lambda _: 41 + 1) == 42


def test_an_error_that_is_not_libvirts_comes_through_as_it_is(conn):
    with pytest.raises(ZeroDivisionError):
        conn.call("divide", lambda _: 1 // 0)


def test_an_error_of_libvirt_says_what_was_asked_of_which_object_and_where(conn, domain_xml):
    uuid = domain.define(conn, domain_xml("web1"))
    with pytest.raises(ConflictError) as caught:
        domain.suspend(conn, uuid)
    error = caught.value
    assert error.asked == "suspend domain web1"
    assert error.uri == str(conn.uri)
    assert error.code == libvirt.VIR_ERR_OPERATION_INVALID
    assert error.domain == libvirt.VIR_FROM_DOMAIN
    assert error.libvirt_text == "Requested operation is not valid: domain is not running"
    assert "start it first" in str(error)
    assert isinstance(error.__cause__, libvirt.libvirtError)


def test_an_error_that_is_kept_does_not_keep_the_link_open(shared_daemon):
    held: list[weakref.ref] = []

    def fail(raw):
        held.append(weakref.ref(raw))
        raw.lookupByName("nobody")

    with Connection.open(shared_daemon.uri) as conn, pytest.raises(NotFoundError) as caught:
        conn.call("look", fail)
    gc.collect()
    assert caught.value.__cause__ is not None
    assert held[0]() is None


def test_a_call_that_takes_too_long_is_left_with_a_clear_error(conn):
    began = time.monotonic()
    release = threading.Event()
    with pytest.raises(WaitTimeoutError) as caught:
        conn.call("sleep", lambda _: release.wait(10), timeout_s=0.2)
    assert time.monotonic() - began < 1.0
    assert "sleep" in str(caught.value)
    assert "goes on in the background" in str(caught.value)
    release.set()


def test_what_comes_too_late_is_given_to_the_one_who_cleans_up(conn, eventually):
    late: list[str] = []
    with pytest.raises(WaitTimeoutError):
        conn.call("wait", lambda _: time.sleep(0.3) or "done", timeout_s=0.1, late=late.append)
    eventually(lambda: late == ["done"], "the late result")


def test_a_call_without_limit_waits(conn):
    assert conn.call("wait", lambda _: time.sleep(0.2) or "done", timeout_s=None) == "done"


def test_an_interrupt_reaches_the_caller_at_once(conn):
    release = threading.Event()
    main = threading.main_thread().ident
    threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        conn.call("sleep", lambda _: release.wait(10), timeout_s=None)
    assert time.monotonic() - began < 1.0
    release.set()


def test_a_process_ends_while_a_call_hangs(shared_daemon):
    program = textwrap.dedent(f"""
        import os, signal, time
        from labvirt.connection import Connection
        conn = Connection.open({shared_daemon.uri!r})
        try:
            conn.call("hang", lambda _: time.sleep(60), timeout_s=0.2)
        except TimeoutError as error:
            print("left")
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "left\n"
    assert done.stderr == ""


def test_calls_from_many_threads_go_side_by_side(conn):
    together = threading.Barrier(8)
    done: list[int] = []

    def work():
        conn.call("meet", lambda _: together.wait(10))
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert len(done) == 8


def test_a_call_may_be_made_inside_another(conn):
    assert conn.call("outer", lambda _: node.hostname(conn)) == node.hostname(conn)


def test_threads_of_calls_are_used_again(conn):
    seen = {conn.call("who", lambda _: threading.get_ident()) for _ in range(50)}
    assert len(seen) == 1


def test_a_hung_guest_blocks_neither_the_others_nor_the_link(start_daemon, domain_xml, eventually):
    """Ten calls wait for a stopped QEMU: twice what one link of libvirt may carry."""
    daemon = start_daemon()
    with Connection.open(daemon.uri, keepalive=(1, 2)) as conn:
        hung = domain.create(conn, domain_xml("hung"))
        other = domain.create(conn, domain_xml("other"))
        pid = daemon.domain_pid("hung")
        os.kill(pid, signal.SIGSTOP)
        try:
            stuck = [threading.Thread(target=_expect_trouble, args=(conn, hung)) for _ in range(10)]
            for thread in stuck:
                thread.start()
            eventually(
                lambda: domain.control_info(conn, hung).state in ("job", "occupied"),
                "the first call to wait for QEMU",
            )
            for _ in range(5):
                began = time.monotonic()
                domain.suspend(conn, other)
                domain.resume(conn, other)
                assert {record.name for record in domain.list_all(conn)} == {"hung", "other"}
                assert time.monotonic() - began < 2.0
                time.sleep(1.0)
            assert conn.generation == 1
            assert domain.control_info(conn, other).state != "occupied"
        finally:
            os.kill(pid, signal.SIGCONT)
        for thread in stuck:
            thread.join(40)
            assert not thread.is_alive()
    daemon.stop()


def _expect_trouble(conn: Connection, uuid: str) -> None:
    try:
        conn.call("take a picture", lambda raw: _picture(raw, uuid), timeout_s=30)
    except (HostError, WaitTimeoutError):
        return


def test_what_hangs_on_a_stopped_guest_ends_with_its_limit(daemon, domain_xml):
    with Connection.open(daemon.uri) as conn:
        uuid = domain.create(conn, domain_xml("hung"))
        pid = daemon.domain_pid("hung")
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises(WaitTimeoutError, match="hypervisor process"):
                conn.call("take a picture", lambda raw: _picture(raw, uuid), timeout_s=0.5)
            assert time.monotonic() - began < 1.5
        finally:
            os.kill(pid, signal.SIGCONT)


def _picture(raw, uuid):
    return raw.lookupByUUIDString(uuid).screenshot(raw.newStream(0), 0, 0)
