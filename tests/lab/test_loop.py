"""The keeper's loop serves descriptors, timers and children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from labvirt.lab.loop import Loop


@pytest.fixture
def loop():
    before = signal.getsignal(signal.SIGCHLD)
    ended: list[int] = []
    made = Loop(ended.append)
    made.ended = ended
    yield made
    made.close()
    signal.signal(signal.SIGCHLD, before)


def test_timers_come_in_the_order_of_their_time(loop):
    order: list[str] = []
    loop.later(0.03, loop.stop)
    loop.later(0.02, lambda: order.append("late"))
    loop.later(0.0, lambda: order.append("soon"))
    loop.run()
    assert order == ["soon", "late"]


def test_a_reader_is_called_until_it_is_removed(loop):
    ours, theirs = socket.socketpair()
    got: list[bytes] = []

    def ready() -> None:
        got.append(ours.recv(100))
        if not got[-1]:
            loop.remove(ours.fileno())
            loop.later(0.01, loop.stop)

    loop.add(ours.fileno(), ready)
    theirs.sendall(b"x")
    loop.later(0.01, theirs.close)
    loop.later(5, loop.stop)
    loop.run()
    ours.close()
    assert got == [b"x", b""]


def test_removing_an_unknown_descriptor_is_no_error(loop):
    loop.remove(4711)


def test_a_child_that_ended_is_reaped_at_once(loop):
    pid = os.posix_spawn("/bin/true", ["true"], {})

    def look() -> None:
        if loop.ended:
            loop.stop()
        else:
            loop.later(0.01, look)

    look()
    loop.later(5, loop.stop)
    loop.run()
    assert loop.ended == [pid]


def test_a_reader_that_was_removed_in_the_same_round_is_not_called(loop):
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def ready(mine: int, other: int) -> None:
        called.append(mine)
        loop.remove(pairs[other][0].fileno())
        loop.remove(pairs[mine][0].fileno())
        loop.stop()

    for mine, other in ((0, 1), (1, 0)):
        loop.add(pairs[mine][0].fileno(), lambda mine=mine, other=other: ready(mine, other))
        pairs[mine][1].sendall(b"x")
    loop.run()
    for pair in pairs:
        for end in pair:
            end.close()
    assert len(called) == 1


def test_the_loop_wakes_for_children_while_it_has_nothing_else_to_do():
    code = (
        "import os\n"
        "from labvirt.lab.loop import Loop\n"
        "loop = Loop(lambda pid: loop.stop())\n"
        "if os.fork() == 0:\n"
        "    import time; time.sleep(0.1); os._exit(0)\n"
        "loop.run()\n"
        "print('woken')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=10, check=False
    )
    assert done.stdout == "woken\n", done.stderr
