"""Inventory of 200 networks: calls and time of labvirt against one look at each after the other."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Self

import libvirt

import labvirt as lv
from labvirt.model import NetworkSpec
from tests.bench.measure import Goal, Result, interleave, timed

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 200
#: Calls that go to the daemon; names and UUIDs are known without one.
REMOTE = ("XMLDesc", "isActive", "isPersistent", "autostart", "bridgeName", "DHCPLeases")


class Counter:
    """Counts the calls that libvirt-python sends to a daemon about networks."""

    def __init__(self) -> None:
        self.calls = 0
        self._kept: list[tuple[type, str, object]] = []

    def __enter__(self) -> Self:
        for cls, names in (
            (libvirt.virNetwork, REMOTE),
            (libvirt.virConnect, ("listAllNetworks", "networkLookupByUUIDString")),
        ):
            for name in names:
                self._wrap(cls, name)
        return self

    def _wrap(self, cls: type, name: str) -> None:
        real = getattr(cls, name)

        def counted(*args: object, **options: object) -> object:
            self.calls += 1
            return real(*args, **options)

        self._kept.append((cls, name, real))
        setattr(cls, name, counted)

    def __exit__(self, *_: object) -> None:
        for cls, name, real in self._kept:
            setattr(cls, name, real)


def one_by_one(bare: libvirt.virConnect) -> list[tuple[object, ...]]:
    """Return the inventory as virt-manager reads it: every fact of every network is a call."""
    return [
        (one.name(), one.XMLDesc(0), one.isActive(), one.autostart())
        for one in bare.listAllNetworks(0)
    ]


def _with_networks(work: Callable[[lv.Host, libvirt.virConnect], Result]) -> Result:
    name = f"bench-{uuid.uuid4().hex[:6]}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        host = lab["alpha"]
        bare = libvirt.open(host.uri)
        for number in range(COUNT):
            spec = NetworkSpec(name=f"n{number}", forward="isolated", bridge=f"lv{number}")
            bare.networkDefineXML(spec.to_xml())
        try:
            return work(host, bare)
        finally:
            bare.close()


def calls(rounds: int) -> Result:
    """Count calls, shown as if each took a second: all looks of a session, and one look."""

    def work(host: lv.Host, bare: libvirt.virConnect) -> Result:
        def counted(look: Callable[[], object]) -> float:
            with Counter() as counter:
                look()
            return float(counter.calls)

        def fresh() -> float:
            with lv.connect(host.uri) as other:
                return counted(lambda: other.networks.df)

        def ten(look: Callable[[], object]) -> Callable[[], object]:
            return lambda: [look() for _ in range(10)]

        def labvirt_ten() -> float:
            with lv.connect(host.uri) as other:
                return counted(ten(lambda: other.networks.df))

        assert len(host.networks.df) == COUNT
        ways = {
            "labvirt, a look": lambda: counted(lambda: host.networks.df),
            "labvirt, the first look": fresh,
            "labvirt, the first ten looks": labvirt_ten,
            "one by one, a look": lambda: counted(lambda: one_by_one(bare)),
            "one by one, ten looks": lambda: counted(ten(lambda: one_by_one(bare))),
        }
        goals = (
            Goal("labvirt, a look", "one by one, a look", 0.1),
            Goal("labvirt, the first ten looks", "one by one, ten looks", 0.1),
            Goal("labvirt, the first look", "one by one, a look", 0.5),
        )
        return interleave(f"calls for {COUNT} networks (1000 ms = 1 call)", ways, goals, rounds)

    return _with_networks(work)


def speed(rounds: int) -> Result:
    """Time of one look, and how long another call waits meanwhile."""

    def work(host: lv.Host, bare: libvirt.virConnect) -> Result:
        def waiting(look: Callable[[], object]) -> float:
            done = threading.Event()

            def repeat() -> None:
                while not done.is_set():
                    look()

            thread = threading.Thread(target=repeat)
            thread.start()
            try:
                waits = []
                for _ in range(20):
                    waits.append(timed(host.free_memory))
                    time.sleep(0.002)
                return sorted(waits)[-2]
            finally:
                done.set()
                thread.join()

        def forget() -> object:
            host.news.note_all("network", ())
            return host.networks.records

        ways = {
            "labvirt": lambda: timed(lambda: host.networks.records),
            "labvirt, the first": lambda: timed(forget),
            "one by one": lambda: timed(lambda: one_by_one(bare)),
            "another call, quiet": lambda: waiting(lambda: time.sleep(0.001)),
            "another call, meanwhile": lambda: waiting(forget),
        }
        goals = (
            Goal("labvirt", "one by one", 0.2),
            Goal("labvirt, the first", "one by one", 1.0),
        )
        return interleave(f"inventory of {COUNT} networks", ways, goals, rounds)

    return _with_networks(work)
