"""Events: each one told once to every listener, in words, and no listener can spoil it."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import libvirt
import pytest

from labvirt.connection import Connection, Event, domain, network, pool
from labvirt.connection.event_table import ROWS
from labvirt.connection.events import Multiplexer

NETWORK = "<network><name>lan</name><forward mode='bridge'/><bridge name='br-none'/></network>"


def words(told: list[Event], resource: str = "domain") -> list[tuple[str, str]]:
    return [
        (e.detail["event"], e.detail["reason"])
        for e in told
        if e.kind == "lifecycle" and e.resource == resource
    ]


@pytest.mark.lab
def test_the_life_of_a_domain_is_told_in_order_and_once(conn, domain_xml, eventually):
    told: list[Event] = []
    with conn.listen(told.append):
        uuid = domain.define(conn, domain_xml("web1"))
        domain.start(conn, uuid, paused=True)
        domain.resume(conn, uuid)
        domain.destroy(conn, uuid)
        domain.undefine(conn, uuid)
        eventually(lambda: ("undefined", "removed") in words(told), "the last event")
    seen = [event for event in words(told) if event[0] != "shutdown"]  # QEMU tells of it or not
    assert seen == [
        ("defined", "added"),
        ("started", "booted"),
        ("suspended", "paused"),
        ("resumed", "unpaused"),
        ("stopped", "destroyed"),
        ("undefined", "removed"),
    ]
    assert {(e.uuid, e.name) for e in told} == {(uuid, "web1")}
    assert all(datetime.now(UTC) - e.at < timedelta(seconds=30) for e in told)


@pytest.mark.lab
def test_every_listener_is_told_and_a_closed_one_no_longer(conn, paused, eventually):
    first: list[Event] = []
    second: list[Event] = []
    subscription = conn.listen(first.append)
    with conn.listen(second.append):
        domain.resume(conn, paused)
        eventually(lambda: first and second, "both listeners to be told")
        subscription.close()
        subscription.close()
        del first[:]
        domain.suspend(conn, paused)
        eventually(lambda: ("suspended", "paused") in words(second), "the second listener")
    assert first == []


@pytest.mark.lab
def test_a_change_of_title_is_told(conn, paused, eventually):
    told: list[Event] = []
    with conn.listen(told.append):
        domain.set_title(conn, paused, "Front door", live=True)
        changed = eventually(
            lambda: [e for e in told if e.kind == "metadata-change"], "the change of the title"
        )
    assert changed[0].detail["part"] == "title"


@pytest.mark.lab
def test_a_plugged_device_is_told_by_its_alias(conn, domain_xml, eventually):
    told: list[Event] = []
    uuid = domain.create(conn, domain_xml("web1"))
    card = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    with conn.listen(told.append):
        domain.attach(conn, uuid, card, live=True)
        added = eventually(lambda: [e for e in told if e.kind == "device-added"], "the device")
    assert added[0].detail["device"] == "net0"


@pytest.mark.lab
def test_networks_and_pools_are_told_of(conn, eventually, tmp_path):
    told: list[Event] = []
    with conn.listen(told.append):
        lan = network.define(conn, NETWORK)
        network.undefine(conn, lan)
        xml = f"<pool type='dir'><name>p</name><target><path>{tmp_path}</path></target></pool>"
        shelf = pool.define(conn, xml)
        pool.undefine(conn, shelf)
        eventually(lambda: ("undefined", "") in words(told, "pool"), "the pool's last event")
    assert words(told, "network") == [("defined", ""), ("undefined", "")]
    assert words(told, "pool") == [("defined", ""), ("undefined", "")]
    assert {e.uuid for e in told if e.resource == "pool"} == {shelf}


@pytest.mark.lab
def test_a_listener_that_fails_is_logged_and_stops_nobody(conn, paused, eventually, caplog):
    told: list[Event] = []

    def fail(_):
        raise ValueError("a bug of mine")

    with caplog.at_level(logging.ERROR, "labvirt"), conn.listen(fail), conn.listen(told.append):
        domain.resume(conn, paused)
        domain.suspend(conn, paused)
        eventually(lambda: ("suspended", "paused") in words(told), "the event after the failure")
    assert "a bug of mine" in caplog.text


@pytest.mark.lab
def test_a_listener_may_call_libvirt(conn, paused, eventually):
    read = []
    with conn.listen(lambda event: read.append(domain.read(conn, event.uuid).state.text)):
        domain.resume(conn, paused)
        eventually(lambda: read == ["running"], "what the listener read")


@pytest.mark.lab
def test_a_listener_may_close_the_connection(shared_daemon, conn, paused, eventually):
    closing = Connection.open(shared_daemon.uri)
    with closing.listen(lambda _: closing.close()):
        domain.resume(conn, paused)
        eventually(lambda: closing.state.value == "closed", "the listener to close it")


@pytest.mark.lab
def test_a_slow_listener_does_not_delay_calls(conn, paused):
    release = threading.Event()
    with conn.listen(lambda _: release.wait(5)):
        domain.resume(conn, paused)
        began = time.monotonic()
        for _ in range(20):
            domain.read(conn, paused)
        assert time.monotonic() - began < 1.0
        release.set()


@pytest.mark.lab
def test_the_end_is_told_as_well(shared_daemon):
    told: list[Event] = []
    conn = Connection.open(shared_daemon.uri)
    conn.listen(told.append)
    conn.close()
    assert [e.detail["state"] for e in told if e.kind == "link"] == ["closed"]


def test_events_are_registered_once_on_a_link_and_taken_back():
    raw = libvirt.open("test:///default")
    mux = Multiplexer("test", lambda: datetime.now(UTC))
    mux.attach(raw)
    mux.attach(raw)
    made = mux._registered[id(raw)]
    assert len(made) == len({(remove.__name__, number) for remove, number in made})
    mux.detach(raw)
    mux.detach(raw)
    assert mux._registered == {}
    raw.close()


def test_the_table_knows_every_event_of_the_installed_library():
    ours = {(row.resource, row.number) for row in ROWS}
    replaced = {"IO_ERROR", "BLOCK_JOB"}  # their fuller forms are in the table
    for resource, prefix in (
        ("domain", "VIR_DOMAIN_EVENT_ID_"),
        ("network", "VIR_NETWORK_EVENT_ID_"),
        ("pool", "VIR_STORAGE_POOL_EVENT_ID_"),
    ):
        for name in dir(libvirt):
            short = name.removeprefix(prefix)
            if short != name and short not in replaced:
                assert (resource, getattr(libvirt, name)) in ours, name


@pytest.mark.parametrize(
    ("kind", "values", "detail"),
    [
        ("lifecycle", (5, 2), {"event": "stopped", "reason": "crashed"}),
        ("lifecycle", (3, 2), {"event": "suspended", "reason": "I/O error"}),
        ("lifecycle", (99, 7), {"event": "event 99", "reason": ""}),
        ("lifecycle", (2, 77), {"event": "started", "reason": "77"}),
        ("watchdog", (2,), {"action": "reset"}),
        ("agent-lifecycle", (1, 2), {"state": "connected", "reason": "channel"}),
        ("block-job", ("vda", 3, 0), {"target": "vda", "type": "commit", "status": "completed"}),
        ("tray-change", ("ide0", 0), {"device": "ide0", "reason": "opened"}),
        ("balloon-change", (4096,), {"actual_kib": 4096}),
        ("reboot", (), {}),
        ("job-completed", ({"operation": 5},), {"operation": 5}),
    ],
)
def test_an_event_is_decoded_into_words(kind, values, detail):
    row = next(row for row in ROWS if row.kind == kind and row.resource == "domain")
    assert dict(row.decode(values)) == detail


def test_an_event_that_cannot_be_read_is_logged_and_swallowed(caplog):
    mux = Multiplexer("test", lambda: datetime.now(UTC))
    on_event = mux._callback(ROWS[0])
    with caplog.at_level(logging.ERROR, "labvirt"):
        on_event(None, object(), "nonsense", None)
    assert "could not be read" in caplog.text


def test_when_too_many_events_wait_the_listener_is_told_to_list_again(monkeypatch):
    monkeypatch.setattr("labvirt.connection.events._QUEUE", 5)
    mux = Multiplexer("test", lambda: datetime.now(UTC))
    told: list[Event] = []
    entered, release = threading.Event(), threading.Event()

    def slow(event):
        told.append(event)
        entered.set()
        release.wait(5)

    mux.listen(slow)
    mux.post_link(state="first")
    assert entered.wait(5)
    for number in range(8):
        mux.post_link(state=str(number))
    release.set()
    mux.close()
    assert [e.kind for e in told] == ["link", "overflow", "link", "link"]


def test_nothing_is_told_without_listeners_and_closing_twice_is_safe():
    mux = Multiplexer("test", lambda: datetime.now(UTC))
    mux.post_link(state="lost")
    assert not mux.wanted
    mux.close()
    mux.close()
