"""Samples of hosts that do not exist, with numbers that can be told again."""

from __future__ import annotations

import numpy as np

from labvirt.status.sample import Sample, Subject, Table
from labvirt.status.series import series_of

#: 2026-11-23 12:00:00 UTC
NOON = 1795435200.0


def uuid_of(number):
    return f"00000000-0000-4000-8000-{number:012d}"


def value(kind, row, column, at):
    """The number that stands in a table; exact as float32."""
    return float(int(at - NOON) % 600 + 1000 * column + row * 0.5)


class Made:
    """Makes the samples of one host."""

    def __init__(self, domains=3, *, host="alpha", kinds=("domain", "interface", "host")):
        self.host = host
        self.names = {uuid_of(n): f"web{n}" for n in range(domains)}
        self.subjects = {"host": (Subject(host),)}
        self.subjects["domain"] = tuple(Subject(host, each) for each in self.names)
        self.subjects["interface"] = tuple(
            Subject(host, each, "52:54:00:00:00:01") for each in self.names
        )
        self.subjects["disk"] = tuple(Subject(host, each, "vda") for each in self.names)
        self.kinds = kinds
        self.number = 0

    def sample(self, at, *, stalled=None, interval_s=1.0):
        self.number += 1
        tables = {kind: self.table(kind, at) for kind in self.kinds}
        return Sample(
            self.host, self.number, at, interval_s, tables, dict(self.names), stalled or {}
        )

    def table(self, kind, at):
        rows = np.arange(len(self.subjects[kind]))[:, None] * 0.5
        columns = np.arange(len(series_of(kind)))[None, :] * 1000
        return Table(kind, self.subjects[kind], rows + columns + int(at - NOON) % 600 + 0.0)

    def samples(self, count, *, start=NOON, step=1.0):
        return [self.sample(start + n * step) for n in range(count)]
