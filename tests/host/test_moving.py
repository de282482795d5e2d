"""Live migration of a real guest between two real hosts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

import labvirt as lv
from labvirt.errors import CancelledError, PreconditionError

pytestmark = pytest.mark.lab


@pytest.fixture
def guest(alpha, name):
    spec = lv.DomainSpec(
        name=name,
        memory="128 MiB",
        source=lv.TinyGuest(),
        disks=(lv.DiskSpec(size="16 MiB"),),
    )
    domain = alpha.plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    return domain


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


def test_the_plan_shows_the_virsh_line(guest, beta):
    plan = guest.migrate.plan(beta)
    assert f"migrate --live --persistent --undefinesource {guest.name}" in plan.virsh
    assert beta.label in plan.virsh
    assert guest.is_active


def test_every_obstacle_is_named_before_anything_is_touched(alpha, beta, spec, name):
    here = alpha.plan(spec, start=False).apply()
    beta.plan(spec).apply()
    with pytest.raises(PreconditionError) as caught:
        here.migrate(beta)
    assert "not running" in str(caught.value)
    assert f"beta has a domain {name}" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_disk_that_is_not_shared_is_named(alpha, beta, name):
    spec = lv.DomainSpec(
        name=name,
        memory="32 MiB",
        interfaces=(),
        disks=(lv.DiskSpec(size="1 MiB", pool="default"),),
    )
    domain = alpha.plan(spec).apply()
    with pytest.raises(PreconditionError, match=r"vda\.qcow2 is not on storage that both"):
        domain.migrate(beta)


def test_to_itself_is_refused(guest, alpha):
    with pytest.raises(PreconditionError, match="same host"):
        guest.migrate(alpha)


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
