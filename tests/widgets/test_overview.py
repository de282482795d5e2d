"""The overview as a Python object: what is read when, what views are told, what callers get."""

from __future__ import annotations

import base64
import datetime as dt
import re
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import crowd
import numpy as np
import pytest
from making import START, uuid_of

from labvirt.errors import NotFoundError, SpecError
from labvirt.history import History
from labvirt.status.domain import DomainState
from labvirt.widgets import overview as package_overview
from labvirt.widgets.overview import Overview, overview
from labvirt.widgets.past import past_of


class Page:
    """A view that only listens."""

    def __init__(self, shown):
        self.told, self.shown = [], shown
        shown._view = SimpleNamespace(
            send_all=lambda message, buffers: self.told.append((message, buffers)),
            end=lambda: None,
        )

    def say(self, t, **more):
        self.shown._receive({"t": t, "view": "v1", **more})
        return self

    def of(self, kind):
        return [(message, buffers) for message, buffers in self.told if message["t"] == kind]

    def wait(self, kind, count=1):
        until = time.monotonic() + 5
        while len(self.of(kind)) < count:
            assert time.monotonic() < until, [message["t"] for message, _ in self.told]
            time.sleep(0.005)
        return self.of(kind)[-1]


@pytest.fixture
def host():
    return crowd.Host(count=6, inactive=2)


@pytest.fixture
def shown(host):
    made = overview(host)
    yield made
    made.close()
    assert not host.sampler.listeners
    assert not [each for each in threading.enumerate() if each.name.startswith("labvirt-overview")]


def test_it_is_offered_and_arguments_are_checked(host):
    assert package_overview is overview or callable(package_overview)
    with pytest.raises(SpecError, match="did you mean 'memory'"):
        overview(host, columns=("memry",))
    with pytest.raises(SpecError, match="top"):
        overview(host, top=6)
    with pytest.raises(SpecError, match="height"):
        overview(host, height=True)
    with pytest.raises(SpecError, match="metric"):
        overview(host, metric="everything")
    with pytest.raises(SpecError, match="nothing to show of 'alpha'"):
        overview("alpha")
    with pytest.raises(SpecError, match="nothing to show"):
        overview([])


def test_nothing_is_read_until_somebody_looks(host, shown):
    assert not host.sampler.listeners
    assert host.asked == 0
    page = Page(shown).say("hello")
    page.wait("snap", 2)
    assert len(host.sampler.listeners) == 1
    page.say("pause", on=True)
    shown.driver.join()
    assert not host.sampler.listeners
    page.say("hello")
    assert len(host.sampler.listeners) == 1
    page.say("bye")
    shown.driver.join()
    assert not host.sampler.listeners


def test_one_message_a_tick_with_rows_and_numbers(host, shown):
    page = Page(shown).say("hello")
    snap, [_block] = page.wait("snap", 2)
    assert {row.get("name") for _, row in snap["meta"]["rows"]} >= {"alpha", "vm0", "z-off1"}
    host.sampler.tick()
    first, buffers = page.wait("d")
    assert first["seq"] == snap["seq"] + 1
    assert len(buffers[0]) < 400
    asked = host.asked
    for _ in range(3):
        host.sampler.tick()
    assert [message["seq"] for message, _ in page.of("d")] == list(
        range(snap["seq"] + 1, snap["seq"] + 5)
    )
    assert all("rows" not in message for message, _ in page.of("d")[1:])
    assert host.asked == asked, "a tick asks nobody for records"


def test_events_change_rows_at_once_and_without_numbers(host, shown):
    page = Page(shown).say("hello")
    page.wait("snap", 2)
    host.sampler.tick()
    page.wait("d")
    time.sleep(0.3)
    stopped = replace(host.records[0], id=None, state=DomainState.SHUTOFF)
    host.tell([stopped, *host.records[1:]])
    message, buffers = page.wait("d", 2)
    [[_, row]] = message["rows"]["rows"]
    assert (row["name"], row["active"], row["text"]) == ("vm0", False, "shut off")
    assert buffers == []


def test_a_lost_link_is_seen_at_the_next_sign_of_life(host, shown):
    page = Page(shown).say("hello")
    page.wait("snap", 2)
    host.sampler.tick()
    host.state, host.stale_since = "lost", dt.datetime.fromtimestamp(START, dt.UTC)
    page.say("beat")
    message, _ = [each for each in page.of("d") if "rows" in each[0]][-1]
    rows = [row for _, row in message["rows"]["rows"]]
    assert {row["stale_since"] for row in rows} == {START}
    assert next(row for row in rows if "uuid" not in row)["state"] == "lost"
    host.state, host.stale_since = "connected", None
    host.sampler.tick()
    message, _ = [each for each in page.of("d") if "rows" in each[0]][-1]
    assert not any("stale_since" in row for _, row in message["rows"]["rows"])


def test_two_hosts_share_one_message(shown):
    hosts = [crowd.Host(name, 3) for name in ("alpha", "beta")]
    both = overview(SimpleNamespace(hosts=hosts))
    page = Page(both).say("hello")
    page.wait("snap", 2)
    now = time.time()
    for step in range(3):
        for host in hosts:
            host.sampler.tick(at=now + step)
    assert len(page.of("d")) == 3
    # One of them is silent: the other goes on, and the silent one's numbers run out.
    for step in range(3, 12):
        hosts[0].sampler.tick(at=now + step)
    assert len(page.of("d")) >= 10
    rows = both.driver.rows
    assert np.isnan(rows.now[:, rows.of_host("beta")]).all()
    assert np.isfinite(rows.now[0, rows.of_host("alpha")]).all()
    assert both.driver.title == "alpha, beta"
    both.close()


def test_what_was_kept_before_anybody_looked_is_shown(host, shown):
    host.fill(30)
    page = Page(shown).say("hello")
    snap, [_block] = page.wait("snap", 2)
    assert 28 <= snap["meta"]["points"] <= 31
    row = shown.driver.rows.slots["alpha", uuid_of(3)]
    assert np.isfinite(shown.driver.rows.past[-20:, 0, row]).all()


def test_disks_are_asked_for_only_while_they_are_shown(host):
    plain = overview(host, columns=("state", "cpu"), metric="cpu")
    page = Page(plain).say("hello")
    assert "disk" not in host.sampler.listeners[0].groups
    page.say("look", look={"columns": ["disk", "cpu", "nonsense"], "sort": "nonsense"})
    plain.driver.join()
    [listening] = host.sampler.listeners
    assert "disk" in listening.groups
    page.say("hello")
    look = page.of("snap")[-1][0]["meta"]["look"]
    assert look["columns"] == ("cpu", "disk")
    assert look["sort"] == "name"
    plain.close()


def test_selecting_from_here_and_from_a_view(host, shown, caplog):
    heard = []
    stop = shown.on_select(heard.append)
    shown.on_select(lambda _: 1 / 0)
    page = Page(shown)
    shown.select("vm1", uuid_of(2), SimpleNamespace(uuid=uuid_of(1)))
    assert shown.selected == (uuid_of(1), uuid_of(2))
    assert page.of("selected")[-1][0]["uuids"] == [uuid_of(1), uuid_of(2)]
    page.say("select", uuids=[uuid_of(4)])
    assert shown.selected == (uuid_of(4),)
    page.say("select", uuids="nonsense")
    stop()
    shown.select()
    assert heard == [(uuid_of(1), uuid_of(2)), (uuid_of(4),)]
    assert shown.selected == ()
    assert caplog.text.count("what was told of an overview failed") == 3
    with pytest.raises(NotFoundError, match="nobody"):
        shown.select("nobody")


def test_opening_gives_the_row(host, shown):
    opened = []
    shown.on_open(opened.append)
    shown.driver.refresh()
    page = Page(shown)
    page.say("open", host="alpha", uuid=uuid_of(2)).say("open", host="alpha", uuid="nobody")
    [row] = opened
    assert (row.name, row.host, row.uuid) == ("vm2", "alpha", uuid_of(2))


def test_df_and_freeze_work_without_a_view(host, shown):
    host.fill(20)
    found = shown.df
    assert len(found) == 8
    assert found["cpu_percent"].notna().sum() == 6
    assert found["active"].sum() == 6
    frozen = shown.bundle()
    assert set(frozen) == {"text/html", "text/plain"}
    pictures = re.findall(r"base64,([^']+)", frozen["text/html"])
    assert len(pictures) == 7 * 3
    points = re.findall(r"points='([^']+)'", base64.b64decode(pictures[-1]).decode())
    assert len(points[0].split()) >= 20, "what the history kept is in the picture"
    assert "vm3" in frozen["text/plain"]
    shown.freeze()
    assert "closed" in repr(shown)


def test_what_is_displayed_is_readable_without_a_kernel(host, shown):
    host.fill(5)
    data, *_ = shown._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "<table" in data["text/html"]
    assert "vm3" in data["text/plain"]
    assert "data:image/svg+xml" in data["text/html"]
    shown.close()
    assert shown._repr_mimebundle_() == {"text/plain": "<Overview of alpha: closed>"}
    page = Page(shown).say("hello")
    assert page.told[0][0] == {"t": "state", "closed": True}


def test_where_a_program_runs_the_notebook_there_is_a_table(host, shown, monkeypatch):
    monkeypatch.setenv("LABVIRT_STATIC", "1")
    made = shown._repr_mimebundle_()
    assert set(made) == {"text/html", "text/plain"}
    assert "%" in made["text/html"].partition("<tbody>")[2]
    assert not host.sampler.listeners


def test_a_recording_stands_at_its_end_and_goes_to_any_moment(host):
    kept = History(seconds=600)
    for step in range(100):
        kept.take(host.machine.sample(START + step, cpu=np.full(6, step)))
    played = overview(kept)
    assert isinstance(played, Overview)
    assert played.df.set_index("name").loc["vm3", "cpu_percent"] == 99
    assert played.df["memory_host_percent"].notna().all()
    page = Page(played).say("hello")
    assert page.of("snap")[-1][0]["meta"]["replay"] == {"span": [START, START + 99]}
    page.say("seek", at=START + 40)
    assert played.df.set_index("name").loc["vm3", "cpu_percent"] == 40
    played.seek(START - 1000)
    assert played.df.set_index("name").loc["vm3", "cpu_percent"] == 0
    assert page.of("snap")[-1][0]["meta"]["points"] == 1
    played.close()
    with pytest.raises(SpecError, match="live"):
        overview(host).seek(START)


def test_an_empty_recording_says_so():
    with pytest.raises(NotFoundError, match="no sample"):
        overview(History())


def test_the_past_of_500_domains_is_taken_over_quickly():
    big = crowd.Host(count=500)
    now = START
    for step in range(70):
        big.sampler.tick(at=now + step)
    began = time.process_time()
    times, known = past_of(big.history, big.history.subjects("domain"), now + 69, 1.0)
    assert time.process_time() - began < 0.5
    assert len(times) == 60
    assert len(known) == 500
    np.testing.assert_allclose(known["alpha", uuid_of(3)][2], 256 << 20)


def test_a_thousand_views_leave_nothing(host):
    made = overview(host)
    page = Page(made)
    for _ in range(200):
        page.say("hello").say("bye")
    made.close()
    assert not host.sampler.listeners
    assert not host.listeners
    until = time.monotonic() + 5
    while [each for each in threading.enumerate() if each.name.startswith("labvirt-overview")]:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_filter_and_a_group_are_given_or_told_by_a_view():
    host = crowd.Host(count=6, inactive=2)
    board = overview(host, inactive=True, filter="tag:web -name:vm0", group="tag")
    shown = board.bundle()["text/html"]
    assert "vm3" in shown
    assert not [name for name in ("vm0<", "vm1<", "z-off0<") if name in shown]
    told = []
    board.feed.tell = told.append
    board._receive({"t": "look", "look": {"filter": "stat:off mem>1M", "group": "os"}})
    [message] = told
    assert (message["t"], message["text"]) == ("filter", "stat:off mem>1M")
    assert message["fault"] == {
        "at": 0, "end": 4, "why": "there is no field “stat”", "hint": "state:…",
    }  # fmt: skip
    assert [term["field"] for term in message["terms"]] == ["mem"]
    board._receive({"t": "look", "look": {"filter": "stat:off mem>1M", "group": "nothing"}})
    assert len(told) == 1
    assert board.look.group == "os"
    board._receive({"t": "menu"})
    assert len(told) == 1, "an overview alone has no menu"
    done = []
    board.menu, board.on_act = (lambda: [{"key": "run", "label": "Run", "why": ""}]), done.append
    board._receive({"t": "menu"})
    board._receive({"t": "act", "key": "run"})
    assert told[-1]["items"][0]["key"] == "run"
    assert done == ["run"]
    board.close()
    for wrong in ({"filter": "stat:off"}, {"group": "colour"}, {"filter": 7}):
        with pytest.raises(SpecError, match=next(iter(wrong))):
            overview(host, **wrong)


def test_addresses_come_from_leases():
    host = crowd.Host(count=2)
    host.records = tuple(
        replace(each, macs=(f"52:54:00:00:00:0{at}",), os="debian 12", title="t")
        for at, each in enumerate(host.records)
    )
    lease = SimpleNamespace(mac="52:54:00:00:00:01", address="192.168.122.9")
    host.networks = [
        SimpleNamespace(is_active=True, leases=lambda: [lease]),
        SimpleNamespace(is_active=False, leases=None),
    ]
    board = overview(host, filter="address:122.9", columns=("os", "address", "title"))
    shown = board.bundle()["text/html"]
    assert "192.168.122.9" in shown
    assert "vm1" in shown
    assert "vm0<" not in shown
    board.close()
