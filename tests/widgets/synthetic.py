"""A host that nobody runs: samples by formula, for the tests of views and in the notebooks they open."""

from __future__ import annotations

import math
import threading
import time
from types import SimpleNamespace

import numpy as np

from labvirt.errors import SpecError
from labvirt.history import Window
from labvirt.status.sample import Mark, Sample, Subject, Table
from labvirt.status.series import find_series, series_of


class History:
    """A small `Source`: keeps whole samples."""

    def __init__(self):
        self.samples, self.noted = [], []

    def take(self, sample):
        self.samples.append(sample)

    def mark(self, mark):
        self.noted.append(mark)

    def span(self):
        return (self.samples[0].at, self.samples[-1].at) if self.samples else None

    def subjects(self, kind):
        found = {}
        for sample in self.samples:
            if kind in sample.tables:
                found |= dict.fromkeys(sample.tables[kind].subjects)
        return tuple(found)

    def name(self, uuid):
        for sample in reversed(self.samples):
            if uuid in sample.names:
                return sample.names[uuid]
        return uuid

    def window(self, kind, subject, fields, *, start=None, end=None):
        try:
            columns = [find_series(kind, name) for name in fields]
        except KeyError as error:
            raise SpecError(f"no such series {error}") from None
        times, rows = [], []
        for sample in list(self.samples):
            if (start is not None and sample.at < start) or (end is not None and sample.at > end):
                continue
            table = sample.tables.get(kind)
            if table is not None and subject in table.subjects:
                times.append(sample.at)
                rows.append(table.values[table.subjects.index(subject), columns])
        values = np.array(rows).T if rows else np.empty((len(fields), 0))
        return Window(np.array(times, dtype=float), values)

    def marks(self, *, start=None, end=None):
        low, high = start or -math.inf, math.inf if end is None else end
        return tuple(mark for mark in self.noted if low <= mark.at <= high)

    def df(self, kind="domain", *, fields=None, domains=None, start=None, end=None, form="long"):
        import pandas as pd

        return pd.DataFrame({"kind": [kind], "domains": [domains]})


class Listening:
    def __init__(self, sampler, fn):
        self.sampler, self.fn = sampler, fn

    def close(self):
        if self in self.sampler.listeners:
            self.sampler.listeners.remove(self)


class Sampler:
    """Ticks by hand (`tick`), or by itself while somebody listens when `runs` is set."""

    slow_interval_s = 5.0

    def __init__(self, host, *, interval_s=1.0, runs=False):
        self.host, self.interval_s, self.runs = host, interval_s, runs
        self.listeners, self.number, self.asked = [], 0, []
        self.thread = None

    @property
    def is_running(self):
        return bool(self.listeners)

    def listen(self, fn, groups=(), domains=None):
        listening = Listening(self, fn)
        self.listeners.append(listening)
        self.asked.append((tuple(groups), domains))
        if self.runs and (self.thread is None or not self.thread.is_alive()):
            self.thread = threading.Thread(target=self.loop, daemon=True)
            self.thread.start()
        return listening

    def loop(self):
        while self.listeners:
            time.sleep(self.interval_s)
            if self.runs and not self.host.silent:
                self.tick()

    def tick(self, at=None):
        """Make a sample and give it to everybody."""
        self.number += 1
        sample = self.host.sample_at(time.time() if at is None else at, self.number)
        self.host.history.take(sample)
        for listening in list(self.listeners):
            listening.fn(sample)
        return sample


class Host:
    """A host with domains; change `guests`, `disks`, `stalled`, `silent` as a test needs."""

    def __init__(self, name="alpha", guests=("web1",), *, disks=("vda",), vcpus=2, **options):
        self.name, self.readonly, self.silent = name, False, False
        self.label = f"test://{name}"
        self.guests = {f"{name}-{n}": guest for n, guest in enumerate(guests)}
        self.disks, self.vcpus = list(disks), vcpus
        self.stalled, self.no_balloon = {}, False
        self.history = History()
        self.sampler = Sampler(self, **options)
        self.known = {}

    def __getitem__(self, guest):
        uuid = next(key for key, name in self.guests.items() if name == guest)
        return Domain(self, uuid, guest)

    def subjects(self, kind):
        devices = {
            "domain": [""],
            "vcpu": [str(n) for n in range(self.vcpus)],
            "disk": self.disks,
            "interface": ["52:54:00:00:00:01"],
        }
        if kind == "host":
            made = (Subject(self.name),)
        else:
            made = tuple(
                Subject(self.name, uuid, device) for uuid in self.guests for device in devices[kind]
            )
        # The same tuple again while nothing changed, as the sampler gives it.
        if self.known.get(kind) != made:
            self.known[kind] = made
        return self.known[kind]

    def value(self, kind, name, unit, row, at):
        """A steady wave in the unit's usual size."""
        scale = {"%": 45, "B": 256 * 2**20, "B/s": 4e6, "1/s": 200, "s": 0.004, "": 2}[unit]
        if name == "memory_used_bytes" and kind == "domain":
            return math.nan if self.no_balloon else 0.6 * scale
        if unit == "B":
            return scale * (1 + row)
        return scale * (1 + math.sin(at / 17 + row + len(name))) * (0.5 + 0.1 * row)

    def sample_at(self, at, number):
        tables = {}
        for kind in ("domain", "vcpu", "disk", "interface", "host"):
            subjects = self.subjects(kind)
            values = [
                [self.value(kind, s.name, s.unit, row, at) for s in series_of(kind)]
                for row in range(len(subjects))
            ]
            block = np.array(values, dtype=float).reshape(len(subjects), len(series_of(kind)))
            tables[kind] = Table(kind, subjects, block)
        names, stalled = dict(self.guests), dict(self.stalled)
        return Sample(self.name, number, at, self.sampler.interval_s, tables, names, stalled)

    def fill(self, seconds, *, until=None):
        """Have a history of the last seconds."""
        end = time.time() if until is None else until
        steps = round(seconds / self.sampler.interval_s)
        for n in range(steps, 0, -1):
            self.sampler.tick(at=end - n * self.sampler.interval_s)
        return self

    def mark(self, text, *, ago=0.0, kind="note", uuid=""):
        self.history.mark(Mark(time.time() - ago, kind, self.name, uuid, text))


class Domain:
    def __init__(self, host, uuid, name):
        self.host, self.uuid, self.name = host, uuid, name


def lab(*hosts):
    return SimpleNamespace(hosts=hosts)
