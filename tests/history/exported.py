"""A host that does not exist, with a sampler whose counters rise at known rates."""

from __future__ import annotations

import threading
import time

import numpy as np

from labvirt.status.sample import COUNTERS, Reading, Sample, Subject

#: Per second, by kind and counter; everything else stands still.
RATES = {
    "domain": {"cpu_time_ns": 0.5e9, "wait_ns": 0.1e9},
    "disk": {"read_bytes": 4096.0, "read_ops": 2.0, "read_ns": 4e6, "write_bytes": 512.0},
    "interface": {"rx_bytes": 1000.0, "rx_packets": 10.0, "tx_bytes": 200.0},
    "host": {"user_ns": 1.0e9, "kernel_ns": 0.5e9, "iowait_ns": 0.25e9, "idle_ns": 2.25e9},
}
LEVELS = {
    "domain": {
        "state": 1, "vcpus": 2, "max_memory_bytes": 2.0**31, "memory_bytes": 2.0**30,
        "balloon_current_bytes": 2.0**30, "balloon_usable_bytes": 2.0**28,
    },
    "disk": {"capacity_bytes": 1e9, "allocation_bytes": 1e8},
    "interface": {},
    "host": {"cpus": 4, "memory_bytes": 2.0**34, "memory_free_bytes": 2.0**33,
             "memory_cached_bytes": 2.0**32},
}  # fmt: skip


class FakeListening:
    def __init__(self, sampler):
        self.sampler = sampler

    def close(self):
        self.sampler.listeners.discard(self)


class FakeSampler:
    interval_s = 1.0

    def __init__(self, host, domains):
        self.began = time.monotonic()
        self.listeners = set()
        self.opened = 0
        self.silent = False
        self.stalled = {}
        self.names = {f"u{n}": name for n, name in enumerate(domains)}
        uuids = tuple(self.names)
        self.host = host
        self.subjects = {
            "domain": tuple(Subject(host, each) for each in uuids),
            "disk": tuple(Subject(host, each, "vda") for each in uuids),
            "interface": tuple(Subject(host, each, "52:54:00:00:00:01") for each in uuids),
            "host": (Subject(host),),
        }

    def listen(self, fn, groups=(), domains=None):
        self.opened += 1
        listening = FakeListening(self)
        self.listeners.add(listening)

        def run():
            while listening in self.listeners:
                if not self.silent:
                    fn(Sample(self.host, 1, time.time(), 1.0, {}, self.names, self.stalled))
                time.sleep(0.05)

        threading.Thread(target=run, daemon=True).start()
        return listening

    def counters(self, kind):
        if kind not in self.subjects:
            return None
        went = time.monotonic() - self.began
        rows = self.subjects[kind]
        values = np.zeros((len(rows), len(COUNTERS[kind])))
        for name, level in LEVELS[kind].items():
            values[:, COUNTERS[kind].index(name)] = level
        for name, rate in RATES[kind].items():
            values[:, COUNTERS[kind].index(name)] = 1e12 + rate * went
        return Reading(kind, rows, np.full(len(rows), went), values)


class FakeHost:
    def __init__(self, name="alpha", domains=("web1", "web2")):
        self.name = name
        self.sampler = FakeSampler(name, domains)
