"""The overview over real hosts: who is there, what changes, what stops when nobody looks."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

import labvirt as lv

pytestmark = pytest.mark.lab


def until(condition, limit_s=15):
    end = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


@pytest.fixture
def guests(alpha, beta, spec):
    """Two domains that run on one host, one there that is off, one on the other host."""
    one, two = (spec.replace(name=f"{spec.name}-{n}") for n in (1, 2))
    alpha.plan(one).apply()
    alpha.plan(two).apply()
    off = alpha.plan(spec.replace(name=f"{spec.name}-off"), start=False).apply()
    far = beta.plan(spec.replace(name=f"{spec.name}-far")).apply()
    return alpha.domains[one.name], alpha.domains[two.name], off, far


def test_rows_of_a_lab_follow_its_domains(lab, alpha, guests):
    one, two, off, far = guests
    shown = lv.ui.overview(lab)
    told = []
    shown._view = SimpleNamespace(
        send_all=lambda message, buffers: told.append((message, buffers)), end=lambda: None
    )
    frame = shown.df.set_index("name")
    assert frame.loc[far.name, "host"] == "beta"
    assert frame.loc[one.name, "memory_bytes"] == int(one.info().memory)
    assert frame.loc[one.name, "vcpus"] == one.info().vcpus
    assert frame.loc[one.name, "id"] == one.info().id
    assert 0 <= frame.loc[one.name, "cpu_host_percent"] <= frame.loc[one.name, "cpu_percent"] <= 110
    share = 100 * int(one.info().memory) / int(alpha.info().memory)
    assert frame.loc[one.name, "memory_host_percent"] == pytest.approx(share, rel=0.01)
    assert not frame.loc[off.name, "active"]
    assert not alpha.sampler.is_running

    shown._receive({"t": "hello", "view": "v"})
    ticks = lambda: [message for message, buffers in told if message["t"] == "d" and buffers]  # noqa: E731
    until(lambda: len(ticks()) >= 2)
    rows = shown.driver.rows
    until(lambda: rows.now[0, rows.slots["alpha", one.uuid]] >= 0)
    assert rows.now[0, rows.slots["alpha", ""]] > 0
    two.destroy(confirm=True)
    off.start()
    wanted = {two.uuid: False, off.uuid: True}
    until(lambda: all(rows.rows["alpha", uuid].active is active for uuid, active in wanted.items()))
    html = shown.bundle()["text/html"]
    assert one.name in html
    shown._receive({"t": "bye", "view": "v"})
    until(lambda: not alpha.sampler.is_running)
    shown.close()
