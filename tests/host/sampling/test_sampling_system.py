"""Interfaces of real guests on real taps, in the system back end."""

from __future__ import annotations

import numpy as np
import pytest

from labvirt.status.series import find_series

pytestmark = pytest.mark.slow(seconds=15)


@pytest.fixture
def column():
    return {
        name: find_series("interface", f"{name}_s")
        for name in ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")
    }


def test_traffic_is_counted_from_the_side_of_the_guest(host, web, kept, until, column):
    """Broadcasts out of the guest: it sends much, and nobody answers."""
    host.sampler.interval_s = 0.5
    send = "ping -c 40 -i 0.02 -s 1400 192.168.150.255 || true"
    best = np.zeros(8)
    with host.sampler.listen(kept, groups=("cpu", "network")):
        kept.wait(2)
        web.run(["/bin/sh", "-c", send])
        kept.wait(len(kept.samples) + 2)
    for sample in kept.samples:
        table = sample.tables["interface"]
        rows = [row for row, each in enumerate(table.subjects) if each.uuid == web.uuid]
        assert len(rows) == 2, "both cards"
        assert all(table.subjects[row].device.startswith("vnet") for row in rows)
        best = np.fmax(best, np.nan_to_num(table.values[rows]).max(axis=0))
    assert best[column["tx_bytes"]] > 50_000
    assert best[column["tx_bytes"]] > 5 * best[column["rx_bytes"]]
    assert best[column["tx_packets"]] > 50
    domain = kept.samples[-1].tables["domain"]
    row = [each.uuid for each in domain.subjects].index(web.uuid)
    cpu = domain.values[row, find_series("domain", "cpu_percent")]
    assert 0 <= cpu <= 150
    assert not host.sampler.is_running


def test_disks_and_memory_of_a_privileged_daemon(host, web, kept, until):
    used = find_series("domain", "memory_used_bytes")
    with host.sampler.listen(kept, groups=("disk", "balloon", "steal"), domains=["web1"]):
        until(lambda: kept.samples and _row(kept.samples[-1], web)[used] > 0, "memory used")
        until(
            lambda: (
                not np.isnan(
                    _row(kept.samples[-1], web)[find_series("domain", "cpu_steal_percent")]
                )
            ),
            "steal",
        )
    assert host.sampler.reasons == {}


def _row(sample, domain):
    table = sample.tables["domain"]
    return table.values[[each.uuid for each in table.subjects].index(domain.uuid)]
