"""Everything at once: many threads, events, consoles, and a daemon that dies again and again."""

from __future__ import annotations

import random
import threading
import time

import pytest

from labvirt.connection import Connection, Event, domain, network, node, pool
from labvirt.errors import HostError, LabvirtError, WaitTimeoutError

pytestmark = pytest.mark.lab


def test_eight_threads_one_daemon_that_dies_five_times(daemon, domain_xml, eventually):
    """Whatever happens, every caller gets a result or an error of ours, and soon."""
    told: list[Event] = []
    strange: list[BaseException] = []
    slow: list[float] = []
    done: list[str] = []
    stop = threading.Event()

    with Connection.open(daemon.uri, keepalive=(1, 2)) as conn, conn.listen(told.append):
        uuid = domain.define(conn, domain_xml("web1"))
        domain.start(conn, uuid, paused=True)

        def work(seed: int) -> None:
            dice = random.Random(seed)
            verbs = [
                lambda: domain.list_all(conn),
                lambda: domain.read(conn, uuid),
                lambda: domain.xml(conn, uuid),
                lambda: network.list_all(conn),
                lambda: pool.list_all(conn),
                lambda: node.hostname(conn),
                # Not by force: libvirtd 9.0 dies when clients take a console from each other at once.
                lambda: domain.open_console(conn, uuid).close(),
                lambda: conn.listen(lambda _: None).close(),
            ]
            while not stop.is_set():
                began = time.monotonic()
                try:
                    dice.choice(verbs)()
                    done.append("fine")
                except (HostError, WaitTimeoutError):
                    done.append("refused")
                    time.sleep(0.01)
                except BaseException as error:  # noqa: BLE001 - this is what is looked for
                    strange.append(error)
                slow.append(time.monotonic() - began)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            time.sleep(0.4)
            daemon.kill()
            time.sleep(0.2)
            daemon.start()
            conn.wait_link(20)
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert strange == []
        assert "fine" in done
        assert "refused" in done
        assert max(slow) < 15
        assert conn.generation == 6
        assert domain.read(conn, uuid).is_active
        eventually(
            lambda: (
                [e.detail["state"] for e in told if e.kind == "link"] == ["lost", "connected"] * 5
            ),
            "every change of the link to be told once and in order",
        )
        assert conn.streams == set()


def test_closing_while_others_call(daemon, eventually):
    for _ in range(5):
        conn = Connection.open(daemon.uri)
        strange: list[BaseException] = []

        def work(conn=conn, strange=strange):
            while True:
                try:
                    domain.list_all(conn)
                except LabvirtError as error:
                    if conn.state.value == "closed":
                        return
                    strange.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        began = time.monotonic()
        conn.close()
        assert time.monotonic() - began < 3.0
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert strange == []


def test_two_connections_see_each_others_changes(daemon, domain_xml, eventually):
    with Connection.open(daemon.uri) as one, Connection.open(daemon.uri) as two:
        told: list[Event] = []
        with two.listen(told.append):
            uuid = domain.define(one, domain_xml("web1"))
            eventually(lambda: any(e.uuid == uuid for e in told), "the other one to be told")
            assert domain.read(two, uuid).name == "web1"
            domain.undefine(one, uuid)
            eventually(
                lambda: any(e.detail.get("event") == "undefined" for e in told),
                "the end to be told",
            )
