"""The reconnector by itself: when it tries, what it does with what it gets, and how it ends."""

from __future__ import annotations

import threading
import time

import pytest

from labvirt.connection.reconnect import LinkState, Reconnector
from labvirt.connection.workers import Workers
from labvirt.errors import ConnectionLostError


class Host:
    """A host that answers or not; notes what is done to it."""

    def __init__(self) -> None:
        self.up = False
        self.hangs = threading.Event()
        self.hangs.set()
        self.tries: list[float] = []
        self.disposed: list[str] = []
        self.adopted: list[str] = []
        self.told: list[LinkState] = []
        self.cleaned = 0
        self.wanted = True
        self.workers = Workers("test")
        self.reconnector = Reconnector("test", self.workers, self.establish, self.disposed.append)

    def establish(self) -> str:
        self.tries.append(time.monotonic())
        number = len(self.tries)
        self.hangs.wait(30)
        if not self.up:
            raise ConnectionLostError("open", libvirt_text=f"refused {number}")
        return f"link {number}"

    def adopt(self, raw: str) -> bool:
        if self.wanted:
            self.adopted.append(raw)
        return self.wanted

    def clean(self) -> None:
        self.cleaned += 1

    def lose(self) -> None:
        self.reconnector.start(self.clean, self.told.append, self.adopt)

    def close(self) -> None:
        self.hangs.set()
        self.reconnector.close()
        self.workers.close()


@pytest.fixture
def host():
    made = Host()
    yield made
    made.close()


@pytest.fixture
def quick(monkeypatch):
    """A tenth of the usual patience."""
    monkeypatch.setattr("labvirt.connection.reconnect._FIRST_DELAY_S", 0.05)
    monkeypatch.setattr("labvirt.connection.reconnect._LONGEST_DELAY_S", 0.4)
    monkeypatch.setattr("labvirt.connection.reconnect._ATTEMPT_S", 0.2)


def test_a_host_that_is_back_is_taken_at_the_first_try(host, quick, eventually):
    host.up = True
    host.lose()
    eventually(lambda: host.adopted, "the new link")
    assert host.adopted == ["link 1"]
    assert host.told == [LinkState.RECONNECTING]
    assert host.cleaned == 1
    assert host.disposed == []
    assert host.reconnector.next_attempt_s is None


def test_the_first_try_comes_after_half_a_second(host, eventually):
    host.up = True
    began = time.monotonic()
    host.lose()
    assert 0.3 < (host.reconnector.next_attempt_s or 0) <= 0.5
    eventually(lambda: host.adopted, "the new link")
    assert 0.45 < host.tries[0] - began < 1.0


def test_pauses_grow_up_to_the_longest(host, quick, eventually):
    host.lose()
    eventually(lambda: len(host.tries) >= 6, "six tries")
    pauses = [after - before for before, after in zip(host.tries, host.tries[1:], strict=False)]
    assert pauses[0] == pytest.approx(0.1, abs=0.15)
    assert pauses[-1] >= 0.39
    assert max(pauses) < 1.0
    assert set(host.told) == {LinkState.RECONNECTING, LinkState.LOST}


def test_the_last_failure_and_the_next_try_are_told(host, quick, eventually):
    host.lose()
    eventually(lambda: "refused" in host.reconnector.outlook, "a failure")
    assert "last: refused" in host.reconnector.outlook
    host.up = True
    host.reconnector.hurry()
    eventually(lambda: host.adopted, "the new link")
    assert host.reconnector.last_failure == ""


def test_hurry_tries_at_once(host, eventually):
    host.up = True
    host.lose()
    host.reconnector.hurry()
    eventually(lambda: host.adopted, "the new link", 0.4)


def test_hurry_without_a_loss_does_nothing(host):
    host.reconnector.hurry()
    assert host.tries == []
    assert host.reconnector.outlook == "trying now"


def test_a_link_that_nobody_wants_any_more_is_closed(host, quick, eventually):
    host.up = True
    host.wanted = False
    host.lose()
    eventually(lambda: host.disposed == ["link 1"], "the link to be closed")
    assert host.adopted == []


def test_a_try_that_hangs_is_left_and_its_late_link_closed(host, quick, eventually):
    host.up = True
    host.hangs.clear()
    host.lose()
    eventually(lambda: "no answer" in host.reconnector.last_failure, "the first try to be given up")
    eventually(lambda: len(host.tries) >= 2, "a second try")
    host.hangs.set()
    eventually(lambda: host.adopted, "a link")
    eventually(lambda: "link 1" in host.disposed or host.adopted == ["link 1"], "the late link")
    assert len(host.adopted) == 1


def test_no_more_than_three_tries_hang_at_a_time(host, quick):
    host.hangs.clear()
    host.lose()
    time.sleep(2.5)
    assert len(host.tries) == 3


def test_a_second_loss_starts_again_from_the_shortest_pause(host, quick, eventually):
    host.up = True
    host.lose()
    eventually(lambda: host.adopted, "the first link")
    host.lose()
    eventually(lambda: len(host.adopted) == 2, "the second link")
    assert host.adopted == ["link 1", "link 2"]
    assert host.cleaned == 2


def test_the_end_comes_at_once_in_a_pause_and_in_a_try(quick):
    for hang in (False, True):
        host = Host()
        if hang:
            host.hangs.clear()
        host.lose()
        time.sleep(0.1)
        began = time.monotonic()
        host.reconnector.close()
        host.reconnector.close()
        assert time.monotonic() - began < 0.5
        tries = len(host.tries)
        host.close()
        time.sleep(0.2)
        assert len(host.tries) == tries


def test_after_the_end_a_loss_starts_nothing(host, quick):
    host.reconnector.close()
    host.lose()
    time.sleep(0.2)
    assert host.tries == []
    assert host.reconnector.next_attempt_s is None
