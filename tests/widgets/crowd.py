"""A host of many domains that nobody runs, with a sampler of its own, for tests and notebooks."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import making

from labvirt.history import History
from labvirt.model.units import Size
from labvirt.status.domain import DomainRecord, DomainState


class Listening:
    def __init__(self, sampler, fn, groups):
        self.sampler, self.fn, self.groups = sampler, fn, frozenset(groups)

    def close(self):
        if self in self.sampler.listeners:
            self.sampler.listeners.remove(self)


class Sampler:
    """Ticks by hand, or by itself while somebody listens when `runs` is set."""

    def __init__(self, host, interval_s, runs):
        self.host, self.interval_s, self.runs = host, interval_s, runs
        self.listeners, self.thread = [], None
        self.made = 0

    @property
    def is_running(self):
        return bool(self.listeners)

    def listen(self, fn, groups=(), domains=None):
        listening = Listening(self, fn, groups)
        self.listeners.append(listening)
        if self.runs and (self.thread is None or not self.thread.is_alive()):
            self.thread = threading.Thread(target=self.loop, daemon=True)
            self.thread.start()
        return listening

    def loop(self):
        due = time.monotonic()
        while self.listeners:
            due += self.interval_s
            time.sleep(max(0, due - time.monotonic()))
            if not self.host.silent:
                self.tick()

    def tick(self, at=None, **numbers):
        at = time.time() if at is None else at
        asked = frozenset().union(*(each.groups for each in self.listeners))
        disk = bool(not self.listeners or "disk" in asked)
        sample = self.host.machine.sample(at, with_disk=disk, **numbers)
        self.made += 1
        self.host.history.take(sample)
        for listening in list(self.listeners):
            listening.fn(sample)
        return sample


class Host:
    """A `Host` as far as an overview asks: records, news, sampler, history."""

    def __init__(self, name="alpha", count=3, *, inactive=0, interval_s=1.0, runs=False, names=()):
        self.name, self.silent = name, False
        self.state, self.stale_since = "connected", None
        self.machine = making.Machine(name, count, inactive=inactive)
        for number, called in dict(names).items():
            self.machine.names[making.uuid_of(number)] = called
        self.history = History(seconds=120)
        self.sampler = Sampler(self, interval_s, runs)
        self.listeners, self.asked = [], 0
        self.news = SimpleNamespace(records=lambda _kind: self.records)
        self.records = tuple(map(record, self.machine.rows()[1:]))

    @property
    def domains(self):
        self.asked += 1
        return SimpleNamespace(records=self.records)

    def info(self):
        return SimpleNamespace(cpus=self.machine.host_cpus, memory=64 << 30)

    def listen(self, fn):
        self.listeners.append(fn)
        return lambda: self.listeners.remove(fn)

    def sample(self, groups=(), domains=None, seconds=1.0):
        return self.machine.sample(time.time())

    def tell(self, records):
        """Have other records, and say so as an event does."""
        self.records = tuple(records)
        for fn in tuple(self.listeners):
            fn((SimpleNamespace(kind="domain"),))

    def fill(self, seconds, until=None):
        """Have a history of the last seconds."""
        end = time.time() if until is None else until
        for ago in range(seconds, 0, -1):
            self.sampler.tick(at=end - ago)
        return self


def record(row, **other):
    facts = {
        "uuid": row.uuid, "name": row.name, "id": row.id, "state": DomainState(row.state),
        "reason": row.reason or "unknown", "persistent": True, "autostart": False,
        "has_managed_save": False, "os_type": "hvm", "max_memory": Size(row.memory_bytes),
        "memory": Size(row.memory_bytes), "vcpus": row.vcpus, "cpu_time_ns": 0, "title": "",
        "tags": row.tags, "read_at": None,
    }  # fmt: skip
    return DomainRecord(**{**facts, **other})
