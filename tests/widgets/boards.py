"""A source and panels with known numbers, for the tests of everything that draws."""

from __future__ import annotations

import numpy as np

from labvirt.errors import SpecError
from labvirt.history.source import Window
from labvirt.status.sample import Mark, Subject
from labvirt.status.series import SERIES
from labvirt.widgets.panels import COLOURS, Line, Panel, Threshold

START = 1_795_456_000.0
HOST = Subject("alpha")
WEB = Subject("alpha", "11111111-1111-4111-8111-111111111111")
DB = Subject("alpha", "22222222-2222-4222-8222-222222222222")


class Given:
    """A source over arrays: ``{(subject, series): values}`` at ``times``."""

    def __init__(self, times, values, marks=()):
        self.times = np.asarray(times, dtype=float)
        self.values = values
        self.given_marks = tuple(marks)
        self.asked = []

    def span(self):
        return (self.times[0], self.times[-1]) if self.times.size else None

    def subjects(self, kind):
        return tuple({subject for subject, _ in self.values})

    def name(self, uuid):
        return {WEB.uuid: "web1", DB.uuid: "db1"}.get(uuid, uuid)

    def window(self, kind, subject, fields, *, start=None, end=None):
        self.asked.append((kind, subject, tuple(fields)))
        for one in fields:
            if (kind, one) not in SERIES:
                raise SpecError(f"there is no series {one!r}")
        kept = np.ones(self.times.shape, dtype=bool)
        if start is not None:
            kept &= self.times >= start
        if end is not None:
            kept &= self.times <= end
        rows = [
            np.asarray(self.values.get((subject, one), np.full(self.times.shape, np.nan)), float)
            for one in fields
        ]
        return Window(self.times[kept], np.array(rows)[:, kept])

    def marks(self, *, start=None, end=None):
        low = -np.inf if start is None else start
        high = np.inf if end is None else end
        return tuple(one for one in self.given_marks if low <= one.at <= high)

    def df(self, *_args, **_options):
        raise NotImplementedError


def line(key, subject, series, label, colour=0, **more):
    return Line(
        key,
        subject,
        SERIES["host" if not subject.uuid else "domain", series],
        label,
        COLOURS[colour],
        **more,
    )


def sample_source(count=300, **more):
    rng = np.random.default_rng(7)
    n = np.arange(count)
    values = {
        (WEB, "cpu_percent"): 55 + 35 * np.sin(n / 25) + rng.normal(0, 3, count),
        (DB, "cpu_percent"): np.clip(20 + 8 * np.cumsum(rng.normal(0, 0.2, count)), 0, 100),
        (WEB, "memory_bytes"): np.full(count, 2.0**31),
        (WEB, "memory_used_bytes"): 1.2e9 + 2e6 * n,
        (WEB, "net_rx_bytes_s"): np.abs(2e6 * np.sin(n / 11)),
        (WEB, "net_tx_bytes_s"): np.abs(7e5 * np.cos(n / 9)),
        (WEB, "cpu_host_percent"): 10 + 5 * np.sin(n / 20),
        (DB, "cpu_host_percent"): 20 + 9 * np.cos(n / 30),
    }
    values[WEB, "cpu_percent"][100:120] = np.nan
    values[DB, "cpu_host_percent"][200:230] = np.nan
    marks = (
        Mark(START + 60, "snapshot", "alpha", WEB.uuid, "snapshot 'before' of web1"),
        Mark(START + 180, "paused", "alpha", WEB.uuid, "web1 paused by a user"),
        Mark(START + 90, "started", "alpha", "33333333-3333-4333-8333-333333333333", "other"),
    )
    return Given(START + n, values, marks, **more)


def sample_panels():
    return (
        Panel(
            "cpu",
            "CPU",
            "%",
            (
                line("c1", WEB, "cpu_percent", "web1"),
                line("c2", DB, "cpu_percent", "db1", 1, dash="dash"),
            ),
            top=100.0,
            thresholds=(Threshold(90.0, "alert above 90 %"),),
        ),
        Panel(
            "memory",
            "Memory",
            "B",
            (
                line("m1", WEB, "memory_bytes", "web1 memory", 2, dash="dot"),
                line("m2", WEB, "memory_used_bytes", "web1 used", 2),
            ),
        ),
        Panel(
            "net",
            "Network",
            "B/s",
            (
                line("n1", WEB, "net_rx_bytes_s", "web1 received", 4),
                line("n2", WEB, "net_tx_bytes_s", "web1 sent", 5, negated=True),
            ),
        ),
        Panel(
            "who",
            "Who uses most CPU",
            "%",
            (
                line("w1", WEB, "cpu_host_percent", "web1", 0),
                line("w2", DB, "cpu_host_percent", "db1", 1),
            ),
            style="stack",
        ),
    )
