"""The event loop: one thread for the whole process, there only while it is needed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from textwrap import dedent

from labvirt.connection import Connection
from labvirt.connection.loop import event_loop


def alone(code):
    """Run code in a process where nobody else holds the loop."""
    program = "import threading\nfrom labvirt.connection.loop import event_loop\n" + dedent(code)
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)


def test_one_thread_serves_all_and_ends_with_the_last_user():
    alone("""
        assert event_loop.thread is None
        event_loop.hold()
        event_loop.hold()
        thread = event_loop.thread
        assert thread is not None
        assert thread.daemon
        event_loop.let_go()
        assert thread.is_alive()
        event_loop.let_go()
        assert not thread.is_alive()
        assert event_loop.thread is None
    """)


def test_it_comes_back_after_its_end_as_often_as_needed():
    for _ in range(50):
        event_loop.hold()
        event_loop.let_go()
    event_loop.hold()
    assert event_loop.thread is not None
    assert len([t for t in threading.enumerate() if t.name == "labvirt events"]) == 1
    event_loop.let_go()


def test_it_sleeps_while_nothing_happens():
    with Connection.open("test:///default"):
        time.sleep(0.05)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.1


def test_holding_from_many_threads_makes_one_thread():
    alone("""
        threads = [threading.Thread(target=event_loop.hold) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert len([t for t in threading.enumerate() if t.name == "labvirt events"]) == 1
        for _ in threads:
            event_loop.let_go()
        assert event_loop.thread is None
    """)
