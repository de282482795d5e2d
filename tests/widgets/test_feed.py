"""The kernel's end of the stream, as messages in a list."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from synthetic import Host, lab

from labvirt.errors import ConnectionLostError
from labvirt.status.condition import Condition
from labvirt.widgets.feed import BEAT_LIMIT_S, Feed
from labvirt.widgets.panels import Threshold
from labvirt.widgets.targets import driver_of

OPTIONS = {"engine": "light", "window_s": 60, "groups": None, "panels": None, "source": None}


class Board:
    """A feed with a clock that is set by hand, and what it sent."""

    def __init__(self, target, **options):
        self.now, self.busy, self.sent = 0.0, False, []
        self.driver, _ = driver_of(target, **{**OPTIONS, **options})
        self.feed = Feed(
            self.driver,
            lambda message, buffers: self.sent.append((message, buffers)),
            window_s=60,
            clock=lambda: self.now,
            busy=lambda: self.busy,
        )

    def say(self, kind, view="a", **more):
        self.feed.receive({"t": kind, "view": view, **more})
        return self.take()

    def take(self):
        sent, self.sent = self.sent, []
        return sent

    def kinds(self):
        return [message["t"] for message, _ in self.take()]


@pytest.fixture
def host():
    return Host().fill(30)


@pytest.fixture
def board(host):
    return Board(host["web1"])


def block(buffers, width):
    return np.frombuffer(buffers[0]).reshape(width, -1)


def keys(meta):
    return [line["key"] for panel in meta["panels"] for line in panel["lines"]]


def test_nothing_is_read_before_a_view_says_hello(board, host):
    assert not host.sampler.is_running
    [(snap, buffers)] = board.say("hello")
    assert host.sampler.is_running
    assert snap["t"] == "snap"
    assert snap["seq"] == 1
    values = block(buffers, 1 + len(keys(snap["meta"])))
    assert values.shape[1] == 30
    assert (np.diff(values[0]) > 0).all()


def test_a_tick_is_one_message_that_continues_the_snapshot(board, host):
    [(snap, _)] = board.say("hello")
    sample = host.sampler.tick()
    # What came between the last look and the first tick has to be in a snapshot.
    [(first, buffers)] = board.take()
    assert first["t"] == "d"
    assert first["seq"] == snap["seq"] + 1
    row = np.frombuffer(buffers[0])
    assert row[0] == sample.at
    cpu = keys(snap["meta"]).index("cpu/alpha/alpha-0//cpu_percent")
    assert row[1 + cpu] == sample.tables["domain"].values[0, 0]


def test_bytes_of_a_tick_do_not_depend_on_the_window(host):
    sizes = []
    for window in (60, 3600):
        board = Board(host["web1"], window_s=window)
        board.say("hello")
        board.say("window", seconds=window)
        host.sampler.tick()
        sizes.append([len(buffers[0]) for _, buffers in board.take()])
        board.feed.close()
    assert sizes[0] == sizes[1]
    assert len(sizes[0]) == 1


def test_a_second_view_gets_a_snapshot_that_the_first_one_can_pass_over(board, host):
    board.say("hello", "a")
    host.sampler.tick()
    board.take()
    [(snap, _)] = board.say("hello", "b")
    seen = board.say("hello", "a")[0][0]
    assert (snap["seq"], snap["meta"]["version"]) == (seen["seq"], seen["meta"]["version"])
    assert board.feed.views == 2


def test_views_that_say_bye_or_nothing_are_gone_and_reading_ends(board, host):
    board.say("hello", "a")
    board.say("hello", "b")
    board.say("bye", "a")
    assert host.sampler.is_running
    board.now = BEAT_LIMIT_S + 1
    host.sampler.tick()
    assert not host.sampler.is_running
    assert board.feed.views == 0
    [(snap, _)] = board.say("hello", "c")
    assert host.sampler.is_running
    assert snap["t"] == "snap"


def test_beats_are_answered_and_keep_a_view(board, host):
    seq = board.say("hello")[0][0]["seq"]
    for _ in range(20):
        board.now += 5
        assert board.say("beat") == [({"t": "alive", "seq": seq}, [])]
    host.sampler.tick()
    assert board.kinds() == ["d"]


def test_a_beat_of_a_view_that_was_forgotten_brings_it_back(board, host):
    board.say("hello")
    board.now = 100
    host.sampler.tick()
    board.take()
    assert [message["t"] for message, _ in board.say("beat")] == ["snap"]


def test_a_cell_that_keeps_the_kernel_busy_costs_no_view(board, host):
    board.say("hello")
    board.busy, board.now = True, 600
    host.sampler.tick()
    assert board.kinds() == ["d"]
    board.busy, board.now = False, 620
    host.sampler.tick()
    assert board.kinds() == ["d"]
    board.now = 660
    host.sampler.tick()
    assert not host.sampler.is_running


def test_hidden_views_rest_and_find_everything_when_they_come_back(board, host):
    board.say("hello")
    assert board.say("pause", on=True) == []
    assert not host.sampler.is_running
    board.now = 600  # ten minutes in the background; browsers let beats through once a minute
    host.sampler.tick()
    assert board.take() == []
    board.say("pause", on=False)
    [(snap, _)] = board.say("hello")
    assert host.sampler.is_running
    assert snap["meta"]["version"] > 1
    host.sampler.tick()
    assert board.kinds() == ["d"]


def test_a_wider_window_is_sent_once_and_a_narrower_one_never(board, host):
    board.say("hello")
    [(snap, _)] = board.say("window", seconds=600)
    assert snap["meta"]["window_s"] == 600
    assert board.say("window", seconds=60) == []
    for wrong in (0, -1, "x", None, 10**9, True):
        assert board.say("window", seconds=wrong) == [] or wrong is True


def test_a_disk_that_comes_makes_one_new_snapshot(board, host):
    first = board.say("hello")[0][0]
    host.disks.append("vdb")
    host.sampler.tick()
    [(snap, buffers)] = board.take()
    assert snap["t"] == "snap"
    assert snap["meta"]["version"] > first["meta"]["version"]
    assert any("vdb" in key for key in keys(snap["meta"]))
    assert block(buffers, 1 + len(keys(snap["meta"])))[0, -1] == host.history.samples[-1].at
    host.sampler.tick()
    assert board.kinds() == ["d"]


def test_a_disk_that_goes_keeps_its_line_while_it_is_in_the_window(board, host):
    host.disks.append("vdb")
    host.sampler.tick()
    board.say("hello")
    host.sampler.tick()
    board.take()
    host.disks.remove("vdb")
    host.sampler.tick()
    [(delta, buffers)] = board.take()
    assert delta["t"] == "d"
    assert np.isnan(np.frombuffer(buffers[0])).sum() == 4
    start = host.history.samples[-1].at
    found = []
    for n in range(1, 90):
        host.sampler.tick(at=start + n)
        found += board.take()
    snaps = [message for message, _ in found if message["t"] == "snap"]
    assert len(snaps) == 1
    assert not any("vdb" in key for key in keys(snaps[0]["meta"]))


def test_a_renamed_domain_is_called_by_its_new_name(host):
    host.guests["alpha-1"] = "db1"
    board = Board([host["web1"], host["db1"]])
    board.say("hello")
    host.sampler.tick()
    board.take()
    host.guests["alpha-0"] = "www"
    host.sampler.tick()
    [(snap, _)] = board.take()
    labels = [line["label"] for line in snap["meta"]["panels"][0]["lines"]]
    assert labels == ["www", "db1"]


def test_a_clock_that_steps_back_makes_a_new_snapshot(board, host):
    board.say("hello")
    host.sampler.tick()
    board.take()
    host.sampler.tick(at=host.history.samples[-1].at - 20)
    [(snap, buffers)] = board.take()
    assert snap["t"] == "snap"
    times = block(buffers, 1 + len(keys(snap["meta"])))[0]
    assert (np.diff(times) > 0).all()
    host.sampler.tick(at=times[-1] + 1)
    assert board.kinds() == ["d"]


def test_marks_are_sent_once(board, host):
    host.mark("before", ago=5)
    [(snap, _)] = board.say("hello")
    assert [mark["text"] for mark in snap["meta"]["marks"]] == ["before"]
    host.mark("migrated to beta", uuid="alpha-0")
    host.mark("of another one", uuid="alpha-7")
    host.sampler.tick()
    host.sampler.tick()
    marks = [m["marks"] for m, _ in board.take() if m["t"] == "marks"]
    assert [[mark["text"] for mark in each] for each in marks] == [["migrated to beta"]]


def test_stalled_guests_are_told_when_it_begins_and_ends(board, host):
    board.say("hello")
    host.stalled = {"alpha-0": 17.0, "other": 18.0}
    host.sampler.tick()
    host.sampler.tick()
    host.stalled = {}
    host.sampler.tick()
    states = [m for m, _ in board.take() if m["t"] == "state"]
    assert [state.get("stalled") for state in states] == [[{"name": "web1", "since": 17.0}], None]


def test_a_guest_that_stops_leaves_its_picture_and_says_so(board, host):
    board.say("hello")
    host.sampler.tick()
    board.take()
    web1 = host.guests.pop("alpha-0")
    host.sampler.tick()
    messages = board.take()
    assert [m["t"] for m, _ in messages] == ["d", "state"]
    assert messages[1][0]["empty"] == "web1 is not running"
    host.guests["alpha-0"] = web1
    host.sampler.tick()
    assert "empty" not in board.take()[-1][0]


def test_memory_that_nobody_tells_has_its_reason(board, host):
    host.no_balloon = True
    board.say("hello")
    start = host.history.samples[-1].at
    for n in range(1, 40):
        host.sampler.tick(at=start + n)
    notes = [m["notes"] for m, _ in board.take() if m["t"] == "state" and "notes" in m]
    assert notes == [{"memory": "Memory used: no balloon driver answers in the guest."}]


def test_an_empty_host_says_so():
    host = Host(guests=())
    board = Board(host)
    board.say("hello")
    host.sampler.tick()
    state = board.take()[-1][0]
    assert state == {"t": "state", "note": "No guest is running on alpha."}


def test_hosts_of_a_lab_share_one_message_and_nobody_waits_for_a_lost_one():
    alpha, beta = Host("alpha"), Host("beta", guests=("db1",))
    board = Board(lab(alpha, beta))
    board.say("hello")
    alpha.sampler.tick(at=1000.0)
    beta.sampler.tick(at=1000.3)
    board.take()
    for n in range(1, 4):
        alpha.sampler.tick(at=1000.0 + n)
        assert board.take() == []
        beta.sampler.tick(at=1000.3 + n)
        [(delta, buffers)] = board.take()
        assert delta["t"] == "d"
        assert not np.isnan(np.frombuffer(buffers[0])).any()
    kinds = []
    for n in range(4, 10):
        alpha.sampler.tick(at=1000.0 + n)
        kinds += board.take()
    assert [m["t"] for m, _ in kinds if m["t"] == "d"] == ["d"] * 5
    assert np.isnan(np.frombuffer(kinds[-1][1][0])).any()


def test_a_held_board_reads_nothing_until_it_goes_on(board, host):
    board.say("hello")
    board.feed.hold(True)
    assert not host.sampler.is_running
    assert board.take()[-1][0] == {"t": "state", "held": True}
    board.feed.hold(False)
    assert host.sampler.is_running
    assert board.kinds() == ["snap"]


def test_thresholds_are_passed_on_and_kept_for_the_next_view(board):
    board.say("hello")
    board.feed.set_thresholds("cpu", [Threshold(90.0, "alert")])
    told = {"t": "thresholds", "panel": "cpu", "thresholds": [{"value": 90.0, "label": "alert"}]}
    assert board.take() == [(told, [])]
    meta = board.say("hello", "b")[0][0]["meta"]
    assert meta["panels"][0]["thresholds"] == told["thresholds"]


def test_levels_of_alerts_come_and_go(board, host):
    board.say("hello")
    host.sampler.tick()
    board.take()
    host.alerts = [Condition.parse("cpu > 90 % for 30 s")]
    host.sampler.tick()
    [(snap, _)] = board.take()
    [level] = snap["meta"]["panels"][0]["thresholds"]
    assert level["value"] == 90
    assert "cpu" in level["label"]
    host.alerts = []
    host.sampler.tick()
    assert board.take()[0][0]["meta"]["panels"][0]["thresholds"] == []
    host.sampler.tick()
    assert board.kinds() == ["d"]


def test_a_closed_feed_reads_nothing_and_says_so(board, host):
    board.say("hello")
    board.feed.close()
    board.feed.close()
    assert not host.sampler.is_running
    assert board.take() == [({"t": "state", "closed": True}, [])]
    assert board.say("hello") == [({"t": "state", "closed": True}, [])]


@pytest.mark.parametrize(
    "message", [{}, {"t": None}, {"t": "hello"}, {"t": 7, "view": []}, {"t": "seek", "at": "x"}]
)
def test_messages_that_make_no_sense_do_no_harm(board, message):
    board.feed.receive(message)
    assert board.say("hello")[-1][0]["t"] == "snap"


def test_a_host_that_cannot_be_read_is_an_error_in_the_view(board, host):
    def refuse(*_, **__):
        raise ConnectionLostError("sample", uri="test://alpha", hint="open it again")

    host.sampler.listen = refuse
    [(snap, _)] = board.say("hello")
    assert "open it again" in snap["meta"]["state"]["error"]


def test_a_view_that_begins_before_it_says_hello_finds_all(board, host):
    board.feed.expect()
    assert board.kinds() == ["snap"]
    host.sampler.tick()
    assert board.kinds() == ["d"]
    board.say("hello", "a")
    assert board.feed.views == 1
    board.say("bye", "a")
    assert not host.sampler.is_running


def test_ticks_and_views_that_come_and_go_at_once_stay_in_step(host):
    """Ending waits for the thread that ticks: neither may wait for the other."""
    running = Host(interval_s=0.002, runs=True).fill(0.1)
    board = Board(running["web1"])

    def come_and_go(view):
        for _ in range(60):
            board.feed.receive({"t": "hello", "view": view})
            board.feed.receive({"t": "bye", "view": view})

    threads = [threading.Thread(target=come_and_go, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert not running.sampler.is_running
    numbers = [message["seq"] for message, _ in board.take() if message["t"] == "d"]
    assert numbers == sorted(set(numbers))
