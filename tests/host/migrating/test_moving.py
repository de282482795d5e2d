"""Live migration of a real guest between two real hosts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from labvirt.errors import CancelledError

pytestmark = pytest.mark.lab


@pytest.fixture
def guest(shared, alpha):
    """The guest that counts, on alpha."""
    if shared.here is not alpha:
        shared.domain.migrate(shared.other)
        shared.find()
    yield shared.domain
    shared.find()


def counter(domain):
    boot, count = domain.run(["/bin/cat", "/run/bootid", "/run/counter"]).stdout.split()
    return boot, int(count)


def test_the_guest_goes_on_counting_on_the_other_host(guest, alpha, beta):
    boot, before = counter(guest)
    result = guest.migrate(beta)
    assert counter(result.domain)[0] == boot
    assert counter(result.domain)[1] > before
    assert guest.name not in alpha.domains
    assert result.domain.host is beta
    assert result.domain.info().persistent
    assert result.downtime_ms is not None
    assert result.total_ms > 0
    assert result.sent > 0
    assert (result.source, result.destination) == ("alpha", "beta")
    assert "downtime" in str(result)
    assert result.whereabouts.where == "moved"
    assert result.whereabouts.recover == ()
    assert result.track.phase == "done"
    assert result.track.last.downtime_ms == result.downtime_ms
    assert list(result.track.df()["phase"])[-1] == "done"

    home = result.domain.migrate(alpha).domain
    assert counter(home)[0] == boot


def test_cancelling_leaves_the_guest_where_it_was(guest, alpha, beta):
    boot, before = counter(guest)
    job = guest.migrate.job(beta, bandwidth_mib_s=1)
    time.sleep(1.0)
    job.cancel()
    with pytest.raises(CancelledError, match="alpha it is running"):
        job.result(30)
    assert guest.name not in beta.domains
    assert counter(guest)[0] == boot
    assert counter(guest)[1] > before


def test_interrupting_the_call_aborts_the_migration_at_once(guest, alpha, beta, lab):
    """As the stop button of a notebook does, in a process of its own."""
    script = f"""
import labvirt as lv
lab = lv.Lab.attach({lab.name!r})
guest = lab["alpha"].domains[{guest.name!r}]
print("moving", flush=True)
try:
    guest.migrate(lab["beta"], bandwidth_mib_s=1)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "moving\n"
    time.sleep(2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == "interrupted\n"
    assert time.monotonic() - began < 20
    assert guest.state.text == "running"
    assert guest.name not in beta.domains
    assert counter(guest)[1] > 0
