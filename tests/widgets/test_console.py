"""The kernel's end of consoles, with a line and views that are made up."""

from __future__ import annotations

import random
import socket
import threading
import time
from types import SimpleNamespace

import ptyline
import pytest

from labvirt.errors import ConflictError, SpecError, UnsupportedError
from labvirt.host.display import open_screen
from labvirt.widgets.console import console
from labvirt.widgets.console_feed import BACKLOG, PIECE, RING, WINDOW, ConsoleFeed
from labvirt.widgets.console_text import page_of_screen, screen_text
from labvirt.widgets.desk import Desk
from labvirt.widgets.screen import screen
from labvirt.widgets.screen_feed import ScreenFeed


class View:
    """What the browser does: draws, acknowledges, says hello at a hole."""

    def __init__(self, bench, name):
        self.bench, self.name = bench, name
        self.position, self.text, self.snaps, self.skipped = None, bytearray(), 0, 0
        self.is_slow, self.frozen, self.got = False, False, []

    def say(self, kind, **more):
        self.bench.feed.receive({"t": kind, "view": self.name, **more})

    def take(self, message, buffers):
        if message.get("view", self.name) != self.name:
            return
        if self.name in message.get("got", {}):
            self.got.append((message["got"][self.name], False))
        if message["t"] == "snap":
            self.position = message["at"] + len(buffers[0])
            self.text, self.snaps = bytearray(buffers[0]), self.snaps + 1
            self.skipped, self.is_slow = message["skipped"], False
        elif message["t"] == "o" and self.position is not None and not self.is_slow:
            if message["at"] != self.position:
                self.position = None
                self.bench.later.append(lambda: self.say("hello", n=0))
                return
            self.text += buffers[0]
            self.position += len(buffers[0])
            if not self.frozen:
                at = self.position
                self.bench.later.append(lambda: self.say("ack", at=at))
        elif message["t"] == "slow":
            self.is_slow = True
        elif message["t"] == "got":
            self.got.append((message["n"], message["refused"]))


class Bench:
    """A feed between a line and views; messages of views come after the call that caused them."""

    def __init__(self):
        self.now, self.total, self.open = 0.0, 0, True
        self.views, self.later, self.sent, self.typed, self.pressed = {}, [], [], [], []
        self.lose = lambda _message: False
        self.feed = ConsoleFeed(
            self.send,
            write=self.write,
            act=lambda do, confirmed: self.pressed.append((do, confirmed)),
            facts=lambda: {"line": "open"},
            clock=lambda: self.now,
        )

    def send(self, message, buffers):
        self.sent.append((message["t"], sum(map(len, buffers))))
        if not self.lose(message):
            for view in self.views.values():
                view.take(message, buffers)

    def write(self, data):
        if self.open:
            self.typed.append(data)
        return self.open

    def view(self, name):
        self.views[name] = View(self, name)
        self.views[name].say("hello", n=0)
        return self.views[name]

    def settle(self):
        while self.later:
            self.later.pop(0)()

    def output(self, data, settle=True):
        self.feed.take(self.total, data)
        self.total += len(data)
        if settle:
            self.settle()


@pytest.fixture
def bench():
    return Bench()


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def test_what_came_before_is_given_to_a_newcomer(bench):
    bench.feed.begin(1000, b"earlier\n")
    bench.total = 1000
    bench.output(b"then\n")
    view = bench.view("a")
    assert bytes(view.text) == b"earlier\nthen\n"
    bench.output(b"now")
    assert bytes(view.text) == b"earlier\nthen\nnow"
    assert view.position == 1008


def test_ten_megabytes_reach_two_views_whole_and_in_pieces(bench):
    first, second = bench.view("a"), bench.view("b")
    data = noise(10 << 20)
    for at in range(0, len(data), 300_000):
        bench.output(data[at : at + 300_000])
    assert bytes(first.text) == bytes(second.text) == data
    assert max(size for kind, size in bench.sent if kind == "o") <= PIECE
    assert first.snaps == 1


def test_no_more_than_the_window_is_on_its_way(bench):
    view = bench.view("a")
    view.frozen = True
    bench.output(noise(3 << 20))
    assert len(view.text) == WINDOW
    view.frozen = False
    view.say("ack", at=WINDOW)
    bench.settle()
    assert bytes(view.text) == noise(3 << 20)


def test_a_view_that_draws_nothing_does_not_hold_up_the_other(bench):
    fast, slow = bench.view("a"), bench.view("b")
    slow.frozen = True
    data = noise(4 << 20)
    bench.output(data)
    assert len(fast.text) == WINDOW
    for _ in range(4):
        bench.now += 3.0
        fast.say("beat")
        bench.settle()
    assert bytes(fast.text) == data
    assert slow.is_slow
    slow.frozen = False
    slow.say("ack", at=WINDOW)
    assert not slow.is_slow
    assert bytes(slow.text) == data[-len(slow.text) :]
    assert slow.skipped > 0
    bench.output(b"more")
    assert slow.text.endswith(b"more")


def test_a_tab_that_is_not_seen_delays_nobody(bench):
    hidden = bench.view("b")
    hidden.say("hello", n=0, hidden=True)
    hidden.frozen = True
    seen = bench.view("a")
    data = noise(4 << 20)
    for at in range(0, len(data), 100_000):
        bench.output(data[at : at + 100_000])
    assert bytes(seen.text) == data
    assert seen.snaps == 1
    assert hidden.is_slow
    hidden.frozen = False
    hidden.say("ack", at=hidden.position, hidden=False)
    assert bytes(hidden.text) == data[-len(hidden.text) :]
    assert hidden.skipped > 0


def test_tabs_that_are_all_hidden_are_waited_for(bench):
    both = [bench.view(name) for name in "ab"]
    for view in both:
        view.say("hello", n=0, hidden=True)
        view.frozen = True
    data = noise(2 << 20)
    bench.output(data)
    for view in both:
        view.frozen = False
        view.say("ack", at=WINDOW, hidden=True)
    bench.settle()
    assert [bytes(view.text) for view in both] == [data, data]


def test_a_lost_message_makes_a_view_begin_again(bench):
    view = bench.view("a")
    bench.output(b"one\n")
    bench.lose = lambda message: message["t"] == "o"
    bench.output(b"two\n")
    bench.lose = lambda _message: False
    bench.output(b"three\n")
    assert bytes(view.text) == b"one\ntwo\nthree\n"
    assert view.snaps == 2


def test_the_backlog_is_bounded_and_what_is_left_out_is_told(bench):
    view = bench.view("a")
    view.frozen = True
    piece = noise(1 << 20)
    for _ in range((BACKLOG >> 20) + 3):
        bench.output(piece)
    assert view.skipped > BACKLOG - WINDOW - RING - (1 << 20)
    assert len(view.text) <= RING + WINDOW + (3 << 20)
    assert len(bench.feed.newest()) == RING


def test_ctrl_c_takes_views_to_the_end(bench):
    view = bench.view("a")
    view.frozen = True
    bench.output(noise(2 << 20) + b"\nend")
    view.say("i", n=1, bytes=b"\x03")
    assert bench.typed == [b"\x03"]
    assert view.text.endswith(b"\nend")
    assert bench.feed.waiting == 0


def test_without_views_only_the_newest_is_kept(bench):
    for _ in range(20):
        bench.output(noise(100_000))
    assert bench.feed.waiting == 0
    assert len(bench.feed.newest()) == RING
    assert len(bench.view("a").text) <= RING
    assert {kind for kind, _ in bench.sent} == {"snap", "state"}


def test_input_comes_once_and_in_order(bench):
    view = bench.view("a")
    for number, data in ((1, b"a"), (1, b"a"), (3, b"c"), (2, b"b"), (3, b"c")):
        view.say("i", n=number, bytes=data)
    assert bench.typed == [b"a", b"b", b"c"]
    assert [number for number, _ in view.got] == [1, 1]
    # What came next in its place was taken; the next message to the views says so.
    bench.output(b"an echo")
    assert view.got[2:] == [(3, False)]
    view.say("i", n=4, bytes=b"silent")
    view.say("beat")
    assert view.got[3:] == [(4, False)]
    bench.typed.pop()
    bench.open = False
    view.say("i", n=5, bytes=b"d")
    assert view.got[-1] == (5, True)
    # A view that the kernel has forgotten goes on with its numbers.
    bench.now += 60
    bench.view("b").say("beat")
    assert bench.feed.views == 1
    bench.open = True
    view.say("i", n=6, bytes=b"e")
    assert bench.typed[-1] == b"c"
    view.say("hello", n=5)
    view.say("i", n=6, bytes=b"e")
    assert bench.typed[-1] == b"e"


def test_typing_and_output_never_wait_for_each_other(bench):
    """Each has a lock of its own: with one for both, a key during its own echo hung the kernel."""
    view = bench.view("a")
    done = []

    def write(data):
        echo = threading.Thread(target=bench.feed.take, args=(0, data), daemon=True)
        echo.start()
        echo.join(5)
        done.append(not echo.is_alive())
        return True

    bench.feed._write = write
    view.say("i", n=1, bytes=b"x")
    assert done == [True]
    assert bytes(view.text) == b"x"


def test_a_line_takes_what_is_typed_while_a_listener_is_busy():
    line = ptyline.Line(ptyline.Domain())
    heard, go = threading.Event(), threading.Event()

    def take(_at, _data):
        heard.set()
        go.wait(10)

    line.join(SimpleNamespace(take=take, turn=lambda _state: None))
    line.users = 1
    line.start()
    try:
        assert heard.wait(10)
        typing = threading.Thread(target=line.write, args=(b"x",), daemon=True)
        typing.start()
        typing.join(5)
        assert not typing.is_alive()
    finally:
        go.set()
        line.leave()


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"t": "hello"},
        {"t": "hello", "view": ""},
        {"t": "hello", "view": "x" * 41},
        {"t": "hello", "view": 7},
        {"t": "ack", "view": "a", "at": -5},
        {"t": "ack", "view": "a", "at": 10**12},
        {"t": "ack", "view": "a", "at": "many"},
        {"t": "i", "view": "a", "n": True, "bytes": "text"},
        {"t": "i", "view": "a", "n": 1, "bytes": None},
        {"t": "i", "view": "a", "n": 1, "bytes": b"x" * (2 << 20)},
        {"t": "nonsense", "view": "a"},
        {"t": "i", "view": "stranger", "n": 1, "bytes": b"x"},
    ],
)
def test_what_makes_no_sense_changes_nothing(bench, message):
    view = bench.view("a")
    bench.feed.receive(message)
    bench.output(b"on it goes")
    assert bench.typed == []
    assert bytes(view.text) == b"on it goes"


def test_views_come_and_go_and_there_are_not_too_many(bench):
    for number in range(70):
        bench.view(f"v{number}")
    assert bench.feed.views == 50
    bench.views["v3"].say("bye")
    assert bench.feed.views == 49
    bench.feed.close()
    before = len(bench.sent)
    bench.output(b"x")
    bench.views["v4"].say("hello", n=0)
    assert len(bench.sent) == before


def test_a_dangerous_button_carries_its_yes(bench):
    view = bench.view("a")
    view.say("act", do="destroy")
    view.say("act", do="destroy", confirm=1)
    view.say("act", do="destroy", confirm=True)
    assert bench.pressed == [("destroy", False), ("destroy", False), ("destroy", True)]


# -- text -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b[31mred\x1b[0m\r\n", "red"),
        (b"\x1b]0;title\x07shell# ls\r\n", "shell# ls"),
        (b"old\x1b[2J\x1b[Hnew", "new"),
        (b"10%\r20%\r100%", "100%"),
        (b"abc\b\b12", "a12"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"a\x00\x01b", "ab"),
        (b"\x1b[", ""),
        (b"", ""),
        (b"one\n\n\n  \n", "one"),
    ],
)
def test_text_of_a_screen(data, text):
    assert screen_text(data) == text


def test_a_saved_screen_is_short_and_escaped():
    text = screen_text(b"\n".join(b"<script>%d</script>" % n for n in range(10_000)))
    assert len(text.split("\n")) == 60
    page = page_of_screen(text, "<b>web1</b>")
    assert "&lt;script&gt;9999" in page
    assert "<script" not in page
    assert "<b>" not in page
    assert len(screen_text(b"x" * 100_000)) == 240


# -- buttons ----------------------------------------------------------------------------------------


class Host:
    """A host with one domain."""

    def __init__(self, readonly=False):
        self.readonly, self.name, self.label = readonly, "alpha", "test:///alpha"
        self.news = SimpleNamespace(record=lambda *_: self.domain.record)
        self.listeners = []
        self.domain = None

    def listen(self, fn):
        self.listeners.append(fn)
        return lambda: self.listeners.remove(fn)


class Domain:
    """A domain that notes what is asked of it."""

    def __init__(self, host, state="running"):
        self.host, self.name, self.uuid, self.asked = host, "<b>web1</b>", "u-1", []
        self.record = SimpleNamespace(state=SimpleNamespace(value=state, text=state))
        self.is_active = state != "shutoff"
        self.fail = None
        host.domain = self

    def info(self):
        return self.record

    def __getattr__(self, verb):
        if verb.startswith("_") or verb in {"console", "screen"}:
            raise AttributeError(verb)

        def run(**options):
            if self.fail:
                raise self.fail
            self.asked.append((verb, options))

        return run


def pressed(domain, *buttons):
    """Press buttons one after another; return what was said."""
    said, done = [], threading.Event()

    def say(text, good):
        said.append((text, good))
        done.set()

    desk = Desk(domain, lambda: None, say)
    for do, confirmed in buttons:
        done.clear()
        desk.act(do, confirmed=confirmed)
        assert done.wait(5)
        time.sleep(0.02)
    desk.close()
    assert domain.host.listeners == []
    return said


def test_buttons_do_what_they_say():
    domain = Domain(Host())
    said = pressed(
        domain,
        *(("pause", False), ("run", False), ("shutdown", False)),
        *(("destroy", False), ("destroy", True)),
    )
    assert domain.asked == [
        ("suspend", {}),
        ("resume", {}),
        ("shutdown", {"timeout_s": 0}),
        ("destroy", {"confirm": True}),
    ]
    assert [good for _, good in said] == [True, True, True, False, True]
    assert "not confirmed" in said[3][0]


def test_what_fails_is_told_in_its_own_words():
    domain = Domain(Host(), "shutoff")
    domain.fail = ConflictError("start domain web1", libvirt_text="it will not")
    said = pressed(domain, ("run", False))
    assert said[0][1] is False
    assert "it will not" in said[0][0]


@pytest.mark.parametrize(
    ("state", "can"),
    [
        ("running", {"pause", "shutdown", "destroy"}),
        ("paused", {"run", "destroy"}),
        ("shutoff", {"run"}),
        ("crashed", {"run", "destroy"}),
    ],
)
def test_buttons_of_each_state(state, can):
    desk = Desk(Domain(Host(), state), lambda: None, lambda *_: None)
    assert {name for name, on in desk.facts["can"].items() if on} == can
    desk.close()


def test_a_read_only_connection_says_why_nothing_can_be_pressed():
    desk = Desk(Domain(Host(readonly=True)), lambda: None, lambda *_: None)
    assert not any(desk.facts["can"].values())
    assert "read-only" in desk.facts["why"]
    desk.close()


# -- the screen's sessions --------------------------------------------------------------------------


@pytest.fixture
def sessions():
    made = SimpleNamespace(sent=[], far=[], error=None)

    def connect():
        if made.error:
            raise made.error
        near, far = socket.socketpair()
        made.far.append(far)
        return near

    feed = made.feed = ScreenFeed(
        lambda message, buffers: made.sent.append((message, b"".join(buffers))),
        connect=connect,
        act=lambda *_: None,
        facts=dict,
    )

    def said(kind, count=1):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            found = [one for one in made.sent if one[0]["t"] == kind]
            if len(found) >= count:
                return found
            time.sleep(0.005)
        raise AssertionError(f"{kind} is not in {made.sent}")

    made.said = said
    made.say = lambda kind, view="a", **more: feed.receive({"t": kind, "view": view, **more})
    yield made
    feed.close()
    for far in made.far:
        far.close()
    assert feed.views == 0


def test_each_view_has_a_session_of_its_own(sessions):
    sessions.say("open", "a")
    sessions.said("opened")
    sessions.say("open", "b")
    numbers = {m["view"]: m["s"] for m, _ in sessions.said("opened", 2)}
    sessions.far[0].sendall(b"RFB 003.008\n")
    message, data = sessions.said("b")[0]
    assert (message["view"], message["s"], message["n"], data) == (
        "a",
        numbers["a"],
        1,
        b"RFB 003.008\n",
    )
    sessions.say("w", "b", s=numbers["b"], n=1, bytes=b"hello")
    assert sessions.far[1].recv(10) == b"hello"
    sessions.say("bye", "b")
    assert sessions.far[1].recv(10) == b""


@pytest.mark.parametrize("piece", [1, 12, 64])
def test_what_has_one_answer_is_answered_before_the_view_is_asked(sessions, piece):
    sessions.say("open")
    number = sessions.said("opened")[0][0]["s"]
    far = sessions.far[0]
    far.settimeout(5)
    asked = b"RFB 003.008\n\x01\x01"
    for at in range(0, len(asked), piece):
        far.sendall(asked[at : at + piece])
    answer = b""
    while len(answer) < 14:
        answer += far.recv(64)
    assert answer == b"RFB 003.008\n\x01\x01"
    far.sendall(b"\0\0\0\0")
    until = time.monotonic() + 5
    while b"".join(data for _, data in sessions.said("b")) != asked + b"\0\0\0\0":
        assert time.monotonic() < until, "the view has every byte"
        time.sleep(0.005)
    # The view answers for itself, in pieces; of that the display sees only what is new.
    for n, said in enumerate((b"RFB 003", b".008\n", b"\x01", b"\x01update", b"more"), start=1):
        sessions.say("w", s=number, n=n, bytes=said)
    assert far.recv(6) == b"update"
    assert far.recv(64) == b"more"


def test_a_password_is_left_to_the_one_who_looks(sessions):
    sessions.say("open")
    number = sessions.said("opened")[0][0]["s"]
    far = sessions.far[0]
    far.settimeout(5)
    far.sendall(b"RFB 003.008\n\x02\x02\x13")
    assert far.recv(64) == b"RFB 003.008\n"
    sessions.said("b")
    sessions.say("w", s=number, n=1, bytes=b"RFB 003.008\n")
    sessions.say("w", s=number, n=2, bytes=b"\x02")
    assert far.recv(64) == b"\x02"


@pytest.mark.parametrize("version", [b"RFB 003.003\n", b"GET / HTTP/1.1\r\n"])
def test_who_speaks_another_way_is_not_answered_for_anybody(sessions, version):
    sessions.say("open")
    number = sessions.said("opened")[0][0]["s"]
    sessions.far[0].sendall(version)
    sessions.said("b")
    sessions.say("w", s=number, n=1, bytes=b"RFB 003.003\n")
    assert sessions.far[0].recv(64) == b"RFB 003.003\n"


def test_a_view_that_greets_otherwise_is_hung_up_on(sessions):
    sessions.say("open")
    number = sessions.said("opened")[0][0]["s"]
    sessions.far[0].sendall(b"RFB 003.008\n\x01\x01")
    sessions.said("b")
    sessions.say("w", s=number, n=1, bytes=b"RFB 003.003\n")
    assert "greets otherwise" in sessions.said("end")[0][0]["why"]


def test_a_hole_ends_the_session(sessions):
    sessions.say("open")
    number = sessions.said("opened")[0][0]["s"]
    sessions.say("w", s=number, n=2, bytes=b"x")
    assert "lost" in sessions.said("end")[0][0]["why"]
    assert sessions.far[0].recv(10) == b""
    sessions.say("w", s=number, n=1, bytes=b"x")
    sessions.say("w", s="x", n=None, bytes=None)


def test_the_end_of_the_guest_and_a_refusal_are_told(sessions):
    sessions.say("open")
    sessions.said("opened")
    sessions.far[0].close()
    sessions.said("end")
    sessions.error = UnsupportedError("open the screen of domain web1", hint="a hint")
    sessions.say("open")
    message, _ = sessions.said("end", 2)[1]
    assert message["s"] == 0
    assert "a hint" in message["why"]


def test_opening_again_hangs_up_before(sessions):
    for count in range(1, 6):
        sessions.say("open")
        sessions.said("opened", count)
    assert sessions.feed.views == 1
    assert all(far.recv(1) == b"" for far in sessions.far[:-1])


# -- asked wrongly ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"rows": 3}, {"rows": 24.5}, {"rows": True}, {"scrollback": -1}, {"rows": "24"}]
)
def test_a_console_asked_for_wrongly(options):
    with pytest.raises(SpecError, match="is no"):
        console(None, **options)


@pytest.mark.parametrize(
    "options", [{"height": 10}, {"height": "x"}, {"index": -1}, {"index": True}]
)
def test_a_screen_asked_for_wrongly(options):
    with pytest.raises(SpecError, match="is no"):
        screen("web1", **options)


@pytest.mark.parametrize(
    ("graphics", "index", "said"),
    [
        ("", None, "no graphics device"),
        ("<graphics type='spice'/>", None, "SPICE"),
        ("<graphics type='sdl'/>", None, "'sdl', not VNC"),
        ("<graphics type='vnc'/>", 1, "numbered from 0"),
        ("<graphics type='vnc'/><graphics type='spice'/>", 1, "SPICE"),
    ],
)
def test_why_there_is_no_screen(graphics, index, said):
    text = f"<domain type='kvm'><name>web1</name><devices>{graphics}</devices></domain>"
    domain = SimpleNamespace(
        name="web1",
        is_active=True,
        host=SimpleNamespace(label="test:///alpha", require_writable=lambda _: None),
        xml=lambda: text,
    )
    with pytest.raises(UnsupportedError, match=said):
        open_screen(domain, index)
    domain.is_active = False
    with pytest.raises(ConflictError, match="not running"):
        open_screen(domain, index)
