"""Samples and rows that are made up, for tests and benchmarks of the overview."""

from __future__ import annotations

import uuid as uuids

import numpy as np

from labvirt.status.sample import Sample, Subject, Table
from labvirt.status.series import find_series, series_of
from labvirt.widgets.rows import Row

START = 1_790_000_000.0


def uuid_of(number):
    return str(uuids.UUID(int=number + 1))


def table(kind, subjects, **columns):
    values = np.full((len(subjects), len(series_of(kind))), np.nan)
    for name, column in columns.items():
        values[:, find_series(kind, name)] = column
    return Table(kind, subjects, values)


class Machine:
    """A host of so many domains, with one and two vCPUs, that are never still."""

    def __init__(self, name="alpha", count=3, *, inactive=0, host_cpus=64):
        self.name, self.count, self.host_cpus = name, count, host_cpus
        self.subjects = tuple(Subject(name, uuid_of(number)) for number in range(count))
        self.host = (Subject(name),)
        self.names = {uuid_of(number): f"vm{number}" for number in range(count)}
        self.vcpus = np.array([1 + number % 2 for number in range(count)])
        self.inactive = inactive
        self.stalled = {}
        self.random = np.random.default_rng(7)
        self.number = 0

    def rows(self):
        own = Row(self.name, name=self.name, state="connected", text="connected",
                  vcpus=self.host_cpus, memory_bytes=64 << 30)  # fmt: skip
        domains = [
            Row(self.name, each.uuid, self.names[each.uuid], id=number + 1, state="running",
                text="running", reason="booted", vcpus=int(self.vcpus[number]),
                memory_bytes=256 << 20, tags=("web",) if number % 3 == 0 else ())
            for number, each in enumerate(self.subjects)
        ]  # fmt: skip
        off = [
            Row(self.name, uuid_of(10_000 + number), f"z-off{number}", state="shutoff",
                text="shut off", vcpus=1, memory_bytes=512 << 20, active=False)
            for number in range(self.inactive)
        ]  # fmt: skip
        return [own, *domains, *off]

    def sample(self, at=None, *, cpu=None, disk=None, with_disk=True):
        self.number += 1
        if cpu is None:
            # Most are nearly idle, a few are not.
            busy = np.where(np.arange(self.count) % 17 == 3, 55, 3)
            cpu = (busy + self.random.normal(0, busy / 5)).clip(0, 100)
        cpu = np.array(cpu, dtype=float)
        disk = self.random.exponential(1e5, self.count) if disk is None else np.array(disk, float)
        domains = table(
            "domain", self.subjects,
            cpu_percent=cpu, cpu_host_percent=cpu * self.vcpus / self.host_cpus,
            memory_bytes=256 << 20,
            disk_read_bytes_s=disk if with_disk else np.nan,
            disk_write_bytes_s=disk / 2 if with_disk else np.nan,
            net_rx_bytes_s=2 * disk, net_tx_bytes_s=disk,
        )  # fmt: skip
        host = table(
            "host", self.host, cpu_percent=41.5, memory_bytes=64 << 30, memory_used_bytes=16 << 30,
            disk_read_bytes_s=1e6, disk_write_bytes_s=2e6, net_rx_bytes_s=3e3, net_tx_bytes_s=4e3,
        )  # fmt: skip
        at = START + self.number if at is None else at
        return Sample(self.name, self.number, at, 1.0, {"domain": domains, "host": host},
                      dict(self.names), dict(self.stalled))  # fmt: skip
